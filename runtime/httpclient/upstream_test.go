package httpclient_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/httpclient"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// service replaces *runtime.Service.
type service struct {
	telemetry *telemetry.Telemetry
	starts    []func(context.Context) error
}

func (s *service) Telemetry() *telemetry.Telemetry { return s.telemetry }
func (s *service) OnStart(_ string, start func(context.Context) error) {
	s.starts = append(s.starts, start)
}

func newService(t *testing.T) *service {
	t.Helper()
	tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return &service{telemetry: tel}
}

// newUpstream returns the upstream payments. A call has one attempt unless cfg sets more.
func newUpstream(t *testing.T, cfg httpclient.UpstreamConfig) *httpclient.Upstream {
	t.Helper()
	cfg.Attempts = max(1, cfg.Attempts)
	u, err := httpclient.NewUpstream(newService(t), "payments", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func get(t *testing.T, u *httpclient.Upstream, path string) (string, error) {
	t.Helper()
	r, err := u.NewRequest(t.Context(), http.MethodGet, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, u, r)
}

func send(t *testing.T, u *httpclient.Upstream, r *http.Request) (string, error) {
	t.Helper()
	resp, err := u.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestInvalidUpstreamsAreRejected(t *testing.T) {
	t.Parallel()
	const (
		noURL       = "upstream card-payments: CARD_PAYMENTS_URL is not a URL; write one such as http://payments:8080"
		noScheme    = "upstream card-payments: CARD_PAYMENTS_URL does not begin with http:// or https://; write a URL such as http://payments:8080"
		noHost      = "upstream card-payments: CARD_PAYMENTS_URL has no host; write a URL such as http://payments:8080"
		credentials = "upstream card-payments: CARD_PAYMENTS_URL contains credentials, which logs and traces show; remove them, and send them in a header from an environment variable of type config.Secret"
		noBase      = "upstream card-payments: CARD_PAYMENTS_URL has a query or a fragment; write only scheme, host and path, and pass the query to NewRequest"
	)
	for name, tc := range map[string]struct {
		cfg  httpclient.UpstreamConfig
		want string
	}{
		"an invalid port":                  {httpclient.UpstreamConfig{URL: "http://user:hunter2"}, noURL},
		"a control character":              {httpclient.UpstreamConfig{URL: "http://payments\n"}, noURL},
		"no scheme":                        {httpclient.UpstreamConfig{URL: "payments:8080"}, noScheme},
		"only a path":                      {httpclient.UpstreamConfig{URL: "/payments"}, noScheme},
		"another scheme":                   {httpclient.UpstreamConfig{URL: "ftp://payments"}, noScheme},
		"another scheme, with a password":  {httpclient.UpstreamConfig{URL: "ftp://user:hunter2@payments"}, noScheme},
		"a password without a scheme":      {httpclient.UpstreamConfig{URL: "user:hunter2@payments"}, noScheme},
		"no host":                          {httpclient.UpstreamConfig{URL: "http:///v1"}, noHost},
		"only a port":                      {httpclient.UpstreamConfig{URL: "http://:8080"}, noHost},
		"no slashes":                       {httpclient.UpstreamConfig{URL: "http:payments"}, noHost},
		"a user and a password":            {httpclient.UpstreamConfig{URL: "https://user:hunter2@payments"}, credentials},
		"a token as user":                  {httpclient.UpstreamConfig{URL: "https://hunter2@payments"}, credentials},
		"a query":                          {httpclient.UpstreamConfig{URL: "http://payments/?key=hunter2"}, noBase},
		"an empty query":                   {httpclient.UpstreamConfig{URL: "http://payments/?"}, noBase},
		"a fragment":                       {httpclient.UpstreamConfig{URL: "http://payments/#v1"}, noBase},
		"a health path without a slash":    {httpclient.UpstreamConfig{HealthPath: "healthz"}, "upstream card-payments: CARD_PAYMENTS_HEALTH_PATH: the path does not begin with /; write one such as /v1/status"},
		"a health path with a host":        {httpclient.UpstreamConfig{HealthPath: "http://user:hunter2@payments/"}, "upstream card-payments: CARD_PAYMENTS_HEALTH_PATH: the path does not begin with /; write one such as /v1/status"},
		"a health path that leaves a base": {httpclient.UpstreamConfig{URL: "http://gateway/payments", HealthPath: "/../stock"}, `upstream card-payments: CARD_PAYMENTS_HEALTH_PATH: the path has an element ".."; write the path without it`},
		"a breaker ratio above 1":          {httpclient.UpstreamConfig{URL: "http://payments", Config: httpclient.Config{BreakerRatio: 2}}, "upstream card-payments: httpclient: Config.BreakerRatio is 2; write 0 to 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := httpclient.NewUpstream(newService(t), "card-payments", tc.cfg)
			wantError(t, err, tc.want)
			if u != nil {
				t.Error("an invalid upstream was returned")
			}
		})
	}
	_, err := httpclient.NewUpstream(newService(t), "", httpclient.UpstreamConfig{URL: "http://payments"})
	wantError(t, err, "httpclient: the upstream has no name; write one such as payments")
}

// Without a URL, nothing is sent, and the service does not start.
func TestAnUpstreamWithoutAURLSendsNothing(t *testing.T) {
	t.Parallel()
	const want = "upstream payments: no URL; set PAYMENTS_URL to one such as http://payments:8080"
	svc := newService(t)
	u, err := httpclient.NewUpstream(svc, "payments", httpclient.UpstreamConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if len(svc.starts) != 1 {
		t.Fatalf("%d start hooks, want 1", len(svc.starts))
	}
	wantError(t, svc.starts[0](t.Context()), want)
	wantError(t, u.Check(t.Context()), want)
	_, err = u.NewRequest(t.Context(), http.MethodGet, "/", nil)
	wantError(t, err, want)
	body := &closing{Reader: strings.NewReader("{}")}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/", body)
	if err != nil {
		t.Fatal(err)
	}
	_, err = send(t, u, r)
	wantError(t, err, `Post "http://127.0.0.1/": `+want)
	if !body.closed.Load() {
		t.Error("the body of a rejected request was not closed")
	}
}

func TestRequestsStayBelowTheBaseURL(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ base, path, want string }{
		{"http://payments:8080", "/v1/charges/42", "http://payments:8080/v1/charges/42"},
		{"http://payments:8080/", "/v1/charges/42", "http://payments:8080/v1/charges/42"},
		{"http://payments", "/", "http://payments/"},
		{"https://gateway/payments", "/v1/charges?a=b&c=%2F", "https://gateway/payments/v1/charges?a=b&c=%2F"},
		{"https://gateway/payments/", "/", "https://gateway/payments/"},
		{"https://gateway/a%2Fb", "/c%2Fd/e%20f+%2e", "https://gateway/a%2Fb/c%2Fd/e%20f+%2e"},
		{"http://payments", "//evil.example/x", "http://payments//evil.example/x"},
		{"http://payments", "/@evil.example/http://evil.example", "http://payments/@evil.example/http://evil.example"},
		{"http://payments", "/" + url.PathEscape("a/ü#?\"b"), "http://payments/a%2F%C3%BC%23%3F%22b"},
		{"http://[::1]:8080", "/a", "http://[::1]:8080/a"},
	} {
		t.Run(tc.base+" "+tc.path, func(t *testing.T) {
			t.Parallel()
			u := newUpstream(t, httpclient.UpstreamConfig{URL: tc.base})
			r, err := u.NewRequest(t.Context(), http.MethodPost, tc.path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			base, err := url.Parse(tc.base)
			if err != nil {
				t.Fatal(err)
			}
			if r.URL.String() != tc.want || r.URL.Host != base.Host || r.Method != http.MethodPost || r.GetBody == nil {
				t.Errorf("got %s %s to %s, want %s", r.Method, r.URL, r.URL.Host, tc.want)
			}
		})
	}
}

func TestInvalidPathsAreRejected(t *testing.T) {
	t.Parallel()
	const (
		noSlash = "upstream payments: the path does not begin with /; write one such as /v1/status"
		escape  = "upstream payments: the path has a character that is not allowed in a URL; escape its elements with url.PathEscape"
		dots    = `upstream payments: the path has an element ".."; write the path without it`
	)
	u := newUpstream(t, httpclient.UpstreamConfig{URL: "http://gateway/payments"})
	for path, want := range map[string]string{
		"":                              noSlash,
		"v1":                            noSlash,
		"http://evil.example/?k=secret": noSlash,
		"@evil.example/":                noSlash,
		":80@evil.example/":             noSlash,
		`\\evil.example\`:               noSlash,
		"/../stock":                     dots,
		"/a/..":                         dots,
		"/%2e%2E/stock":                 dots,
		"/..%2fstock":                   dots,
		"/a b":                          escape,
		"/a#b":                          escape,
		"/c%2Fd/e f":                    escape,
		"/%zz?k=secret":                 `upstream payments: invalid path: invalid URL escape "%zz"; escape its elements with url.PathEscape`,
		"/a\r\nHost: evil.example":      "upstream payments: invalid path: net/url: invalid control character in URL; escape its elements with url.PathEscape",
	} {
		_, err := u.NewRequest(t.Context(), http.MethodGet, path, nil)
		wantError(t, err, want)
	}
	_, err := u.NewRequest(t.Context(), "G T", "/", nil)
	wantError(t, err, `net/http: invalid method "G T"`)
}

// Headers often contain credentials, so neither a request nor a redirect may leave the upstream.
func TestRequestsToOtherServersAreRejected(t *testing.T) {
	t.Parallel()
	var leaked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Add(1) }))
	t.Cleanup(other.Close)
	payments := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/elsewhere":
			http.Redirect(w, r, other.URL+"/?token=secret", http.StatusTemporaryRedirect)
		case "/moved":
			http.Redirect(w, r, "/new", http.StatusFound)
		default:
			_, _ = io.WriteString(w, r.URL.Path)
		}
	}))
	t.Cleanup(payments.Close)
	u := newUpstream(t, httpclient.UpstreamConfig{URL: payments.URL, HealthPath: "/elsewhere"})

	if text, err := get(t, u, "/moved"); text != "/new" || err != nil {
		t.Errorf("a redirect on the same server gave %q, %v", text, err)
	}
	only := "; only " + payments.URL + " is allowed (PAYMENTS_URL)"
	_, err := get(t, u, "/elsewhere")
	wantError(t, err, `Get "`+other.URL+`/?token=secret": request to `+other.URL+only)
	wantError(t, u.Check(t.Context()), "upstream payments: GET /elsewhere: request to "+other.URL+only)

	secure := strings.Replace(payments.URL, "http:", "https:", 1)
	local := strings.Replace(payments.URL, "127.0.0.1", "localhost", 1)
	for _, target := range []string{other.URL, secure, local, "http://127.0.0.1"} {
		body := &closing{Reader: strings.NewReader("{}")}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, body)
		if err != nil {
			t.Fatal(err)
		}
		_, err = send(t, u, r)
		wantError(t, err, `Post "`+target+`": request to `+target+only)
		if !body.closed.Load() {
			t.Errorf("%s: the body of a rejected request was not closed", target)
		}
	}
	if n := leaked.Load(); n != 0 {
		t.Errorf("another server received %d requests", n)
	}
}

// The case of a host and its default port do not make another server.
func TestOneServerHasSeveralSpellings(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nothing connects, but the server is checked
	u := newUpstream(t, httpclient.UpstreamConfig{URL: "http://Payments.invalid:80"})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://payments.INVALID/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = send(t, u, r); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// server is an upstream whose handler a test changes.
type server struct {
	*httptest.Server

	handler atomic.Pointer[http.HandlerFunc]
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.handler.Load())(w, r) }))
	t.Cleanup(s.Close)
	s.respond(http.StatusOK)
	return s
}

func (s *server) handle(h http.HandlerFunc) { s.handler.Store(&h) }

func (s *server) respond(status int) {
	s.handle(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
}

func TestCheckReportsTheStateOfTheUpstream(t *testing.T) {
	t.Parallel()
	payments := newServer(t)
	u := newUpstream(t, httpclient.UpstreamConfig{URL: payments.URL + "/payments", HealthPath: "/ready?key=secret"})
	const failed = "upstream payments: GET /payments/ready: "
	healthy := func(what string) {
		t.Helper()
		if err := u.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	healthy("status 200")
	for _, status := range []int{http.StatusBadRequest, http.StatusNotModified, http.StatusNotFound, http.StatusInternalServerError, http.StatusServiceUnavailable} {
		payments.respond(status)
		wantError(t, u.Check(t.Context()), failed+"status "+strconv.Itoa(status))
	}
	payments.respond(http.StatusNoContent)
	healthy("status 204 after 503")

	payments.handle(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	wantError(t, u.Check(t.Context()), failed+"EOF")
	payments.handle(func(w http.ResponseWriter, r *http.Request) {
		if r.Method+" "+r.RequestURI != "GET /payments/ready?key=secret" {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	healthy("back after closed connections")

	payments.handle(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	wantError(t, u.Check(ctx), failed+"context deadline exceeded")
	payments.respond(http.StatusOK)
	healthy("back after a timeout")

	address := payments.Listener.Addr().String()
	payments.Close()
	wantError(t, u.Check(t.Context()), failed+"dial tcp "+address+": connect: connection refused")
}

// A health endpoint that never ends its response does not block the check.
func TestCheckReadsABoundedBody(t *testing.T) {
	t.Parallel()
	payments := newServer(t)
	ended := make(chan struct{})
	payments.handle(func(w http.ResponseWriter, _ *http.Request) {
		defer close(ended)
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	u := newUpstream(t, httpclient.UpstreamConfig{URL: payments.URL, Config: httpclient.Config{Timeout: time.Hour}})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := u.Check(ctx); err != nil || ctx.Err() != nil {
		t.Fatalf("got %v, %v; want success before the end of the body", err, ctx.Err())
	}
	select {
	case <-ended: // the check closed the connection
	case <-ctx.Done():
		t.Fatal("the response was not closed")
	}
}

func TestChecksShareAConnection(t *testing.T) {
	t.Parallel()
	var connections atomic.Int32
	payments := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 200<<10)) }))
	payments.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	payments.Start()
	t.Cleanup(payments.Close)
	u := newUpstream(t, httpclient.UpstreamConfig{URL: payments.URL})
	for range 5 {
		if err := u.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("five checks opened %d connections, want 1", n)
	}
}

// The check takes part in the circuit breaker, so that it reports what calls get.
func TestCheckReportsAnOpenBreaker(t *testing.T) {
	t.Parallel()
	payments := newServer(t)
	payments.respond(http.StatusInternalServerError)
	u := newUpstream(t, httpclient.UpstreamConfig{URL: payments.URL, Config: httpclient.Config{BreakerRatio: 0.5, BreakerOpen: time.Hour}})
	other := newUpstream(t, httpclient.UpstreamConfig{URL: payments.URL})
	for range 50 {
		_, _ = get(t, u, "/")
	}
	payments.respond(http.StatusOK)
	err := u.Check(t.Context())
	wantError(t, err, "upstream payments: GET /healthz: "+httpclient.ErrBreakerOpen.Error())
	if !errors.Is(err, httpclient.ErrBreakerOpen) {
		t.Errorf("%v is not ErrBreakerOpen", err)
	}
	if err := other.Check(t.Context()); err != nil {
		t.Errorf("another upstream shares the breaker: %v", err)
	}
}

type closing struct {
	io.Reader

	closed atomic.Bool
}

func (c *closing) Close() error {
	c.closed.Store(true)
	return nil
}
