package runtime

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	profilerpprof "github.com/grafana/pyroscope-go/http/pprof"

	"github.com/observability-first/scaffold/runtime/config"
)

// adminConfig configures the listener for probes, scrapes and debugging.
type adminConfig struct {
	Addr  string        `env:"ADMIN_ADDR" format:"address,off" help:"address of probes, metrics and pprof, such as :9464 in a container; off serves only probes, on the request port"`
	Token config.Secret `env:"ADMIN_TOKEN" help:"bearer token for profiles and changes of levels from other hosts"`
}

// adminOff disables the admin listener, /metrics and profiles, for platforms such as Cloud Run
// that reach only one port.
const adminOff = "off"

func (c adminConfig) off() bool { return c.Addr == adminOff }

// Limits of a change on the admin listener. It reverts automatically.
const (
	changeFor  = 10 * time.Minute
	longestFor = time.Hour
)

// Limits of the connections of the admin listener. Scrapes come at least every minute (the
// default of Prometheus) and must end before the next one.
const (
	headerWithin  = 5 * time.Second
	requestWithin = time.Minute
	idleFor       = 2 * time.Minute
	adminHeader   = 16 << 10 // bytes
)

// adminServer serves probes and metrics to every client, and profiles, log level and sampling to
// this host and to clients with the token.
type adminServer struct {
	service  *Service
	http     *http.Server
	listener net.Listener
	within   time.Duration // for a request and its response; profiles get their duration in addition
	profile  chan struct{} // has a token while a CPU profile runs

	level, sampling temporary
}

// temporary is a setting that reverts automatically. A later change replaces the revert of an
// earlier one.
type temporary struct {
	mu      sync.Mutex
	changes int
}

func (t *temporary) change(last time.Duration, there, back func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	there()
	t.changes++
	mine := t.changes
	time.AfterFunc(last, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.changes == mine {
			back()
		}
	})
}

func newAdminServer(s *Service) *adminServer {
	a := &adminServer{service: s, within: requestWithin, profile: make(chan struct{}, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.index)
	for _, e := range a.endpoints() {
		mux.Handle(e.pattern, e.handler)
	}
	a.http = &http.Server{
		Handler:           a.bounded(mux),
		ReadHeaderTimeout: headerWithin,
		IdleTimeout:       idleFor,
		MaxHeaderBytes:    adminHeader,
		ErrorLog:          slog.NewLogLogger(s.Logger().Handler(), slog.LevelWarn),
	}
	return a
}

type endpoint struct {
	pattern, help string
	handler       http.Handler
}

// endpoints returns the endpoints of the admin listener in the order of the index.
func (a *adminServer) endpoints() []endpoint {
	s, guarded := a.service, func(f http.HandlerFunc) http.Handler { return a.guarded(f) }
	return []endpoint{
		{"GET /livez", "Liveness: 200 while the process runs.", s.health.Livez()},
		{"GET /readyz", "Readiness: 200 if the instance accepts requests. Lists the checks with their errors.", s.health.Readyz()},
		{"GET /startupz", "Startup: 200 after the instance was ready once.", s.health.Startupz()},
		{"GET /metrics", "Metrics in the Prometheus format.", s.telemetry.Handler()},
		{"/debug/pprof/", "* Index of the profiles.", guarded(pprof.Index)},
		{"GET /debug/pprof/profile", "* CPU profile, such as ?seconds=30.", a.guarded(a.alone(profilerpprof.Profile))},
		{"GET /debug/pprof/trace", "* Execution trace, such as ?seconds=5.", a.guarded(a.alone(pprof.Trace))},
		{"GET /debug/pprof/cmdline", "* Command line.", guarded(pprof.Cmdline)},
		{"/debug/pprof/symbol", "* Function names of program counters.", guarded(pprof.Symbol)},
		{"PUT /loglevel", "* Change the log level temporarily: ?level=debug&for=10m.", guarded(a.putLevel)},
		{"PUT /sampling", "* Change the sampling ratio temporarily: ?ratio=1&for=10m.", guarded(a.putSampling)},
	}
}

func (a *adminServer) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintf(w, "Admin listener of %s\n\n", a.service.Name())
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, e := range a.endpoints() {
		method, path, found := strings.Cut(e.pattern, " ")
		if !found {
			method, path = http.MethodGet, e.pattern
		}
		_, _ = fmt.Fprintf(tw, "%s\t%s\t%s\n", method, path, e.help)
	}
	_ = tw.Flush()
	_, _ = fmt.Fprintln(w, "\n* Requires a request from this host, or the header Authorization: Bearer ADMIN_TOKEN.")
}

// Listen binds the address.
func (a *adminServer) Listen(ctx context.Context) error {
	addr := a.service.settings.Admin.Addr
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("ADMIN_ADDR=%s: %w; set ADMIN_ADDR to a free address", addr, err)
	}
	a.listener = l
	return nil
}

// Addr returns the bound address.
func (a *adminServer) Addr() net.Addr { return a.listener.Addr() }

// Serve serves requests until Close.
func (a *adminServer) Serve() error {
	if err := a.http.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close waits for a scrape in flight and closes connections that take longer.
func (a *adminServer) Close(ctx context.Context) error {
	if a.listener == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := a.http.Shutdown(ctx); err != nil {
		return a.http.Close()
	}
	return nil
}

// bounded ends a request that takes too long. Timeouts of the server would also end profiles.
func (a *adminServer) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := endBy(w, time.Now().Add(a.within)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// endBy sets the deadlines of the connection for the request and its response.
func endBy(w http.ResponseWriter, deadline time.Time) error {
	c := http.NewResponseController(w)
	return errors.Join(c.SetReadDeadline(deadline), c.SetWriteDeadline(deadline))
}

// profiling returns the duration of a profile or trace that the request asks for, or 0 for the
// default.
func profiling(r *http.Request) time.Duration {
	seconds, err := strconv.ParseFloat(r.URL.Query().Get("seconds"), 64)
	if err != nil || !(seconds > 0) {
		return 0
	}
	return time.Duration(min(seconds, longestFor.Seconds()) * float64(time.Second))
}

// guarded accepts requests with the bearer token, and direct requests from this host that were
// neither forwarded nor made by another site's web page. It rejects a wrong token from any
// address.
func (a *adminServer) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization := r.Header.Values("Authorization")
		switch {
		case len(authorization) > 0 && !a.isToken(authorization):
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			http.Error(w, "wrong token; send \"Authorization: Bearer\" with ADMIN_TOKEN", http.StatusUnauthorized)
		case len(authorization) == 0 && !fromThisMachine(r):
			http.Error(w, "forbidden; send the request from this host (kubectl port-forward, ssh) without a proxy, or send \"Authorization: Bearer\" with ADMIN_TOKEN", http.StatusForbidden)
		default:
			if err := endBy(w, time.Now().Add(a.within+profiling(r))); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			next.ServeHTTP(w, r)
		}
	})
}

func (a *adminServer) isToken(values []string) bool {
	want := a.service.settings.Admin.Token.Reveal()
	scheme, got, _ := strings.Cut(values[0], " ")
	return want != "" && len(values) == 1 && strings.EqualFold(scheme, "Bearer") &&
		subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

// fromThisMachine reports whether a loopback peer sent the request for itself. The checks of Host
// and Origin reject web pages that resolve their name to this host.
func fromThisMachine(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() || !isLocalHost(r.Host) || isForwarded(r.Header) {
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && isLocalHost(u.Host)
}

// isForwarded reports whether a proxy forwarded the request, according to RFC 7239, RFC 9110
// (Via) or a header of a common proxy.
func isForwarded(h http.Header) bool {
	for name := range h {
		switch name {
		case "Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "X-Original-Forwarded-For", "X-Original-Host",
			"X-Envoy-External-Address", "X-Proxyuser-Ip", "True-Client-Ip", "Client-Ip", "Cf-Connecting-Ip", "Fastly-Client-Ip":
			return true
		}
		if strings.HasPrefix(name, "X-Forwarded") {
			return true
		}
	}
	return false
}

func isLocalHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}

// alone allows one CPU profile or trace at a time, since two would measure each other.
func (a *adminServer) alone(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case a.profile <- struct{}{}:
			defer func() { <-a.profile }()
			next(w, r)
		default:
			http.Error(w, "another profile is running; try again later", http.StatusConflict)
		}
	})
}

// putLevel changes the log level temporarily: PUT /loglevel?level=debug&for=10m.
func (a *adminServer) putLevel(w http.ResponseWriter, r *http.Request) {
	var level slog.Level
	errLevel := level.UnmarshalText([]byte(r.FormValue("level")))
	if errLevel != nil {
		errLevel = fmt.Errorf("level=%q: write debug, info, warn or error", r.FormValue("level"))
	}
	last, errFor := duration(r)
	if err := errors.Join(errLevel, errFor); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	current := a.service.telemetry.Level()
	configured := a.service.settings.Telemetry.LogLevel
	a.level.change(last, func() { current.Set(level) }, func() { current.Set(configured) })
	a.changed(w, r, "log level", level.String(), last)
}

// putSampling changes the sampling ratio temporarily: PUT /sampling?ratio=1&for=10m.
func (a *adminServer) putSampling(w http.ResponseWriter, r *http.Request) {
	ratio, err := strconv.ParseFloat(r.FormValue("ratio"), 64)
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		err = fmt.Errorf("ratio=%q: write a number from 0 to 1", r.FormValue("ratio"))
	}
	last, errFor := duration(r)
	if err := errors.Join(err, errFor); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !a.service.settings.Telemetry.ExportsTraces() {
		http.Error(w, "traces are not exported; set OTEL_EXPORTER_OTLP_ENDPOINT", http.StatusConflict)
		return
	}
	changed := false
	configured := a.service.settings.Telemetry.TraceRatio
	a.sampling.change(last,
		func() { changed = a.service.telemetry.SetRatio(ratio) },
		func() { a.service.telemetry.SetRatio(configured) })
	if !changed {
		http.Error(w, "OTEL_TRACES_SAMPLER is set; unset it to change the ratio", http.StatusConflict)
		return
	}
	a.changed(w, r, "sampling ratio", strconv.FormatFloat(ratio, 'g', -1, 64), last)
}

func duration(r *http.Request) (time.Duration, error) {
	text := r.FormValue("for")
	if text == "" {
		return changeFor, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > longestFor {
		return 0, fmt.Errorf("for=%q: write a duration up to %s, such as 10m", text, longestFor)
	}
	return d, nil
}

func (a *adminServer) changed(w http.ResponseWriter, r *http.Request, what, to string, last time.Duration) {
	a.service.Logger().WarnContext(r.Context(), "changed on the admin listener", "what", what, "to", to, "for", last.String(), "by", r.RemoteAddr)
	_, _ = fmt.Fprintf(w, "%s is %s for %s\n", what, to, last)
}
