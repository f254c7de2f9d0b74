package httpserver

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// Values of Config.AccessLog.
const (
	// AccessNotable logs requests that failed, were shed, were slow or are sampled.
	AccessNotable = "notable"
	// AccessAll logs every request.
	AccessAll = "all"
	// AccessOff logs no requests. Panics are still logged.
	AccessOff = "off"
)

// Values of Config.Histograms.
const (
	// HistogramsByRoute has one histogram for each method, route, status and outcome.
	HistogramsByRoute = "route"
	// HistogramsByService has one histogram for each outcome. Use it for services with hundreds
	// of routes.
	HistogramsByService = "service"
)

// Config is the server's configuration from environment variables. The tags are those of package
// config.
type Config struct {
	Addr           string        `env:"HTTP_ADDR" format:"address" help:"address to listen on, such as :8080"`
	RequestTimeout time.Duration `env:"HTTP_REQUEST_TIMEOUT" default:"30s" min:"1ms" help:"maximum time for a request, including its body; streams have no limit"`
	HeaderTimeout  time.Duration `env:"HTTP_HEADER_TIMEOUT" default:"5s" min:"1ms" help:"maximum time to read a request header"`
	IdleTimeout    time.Duration `env:"HTTP_IDLE_TIMEOUT" default:"2m" min:"1s" help:"maximum time that a connection stays idle"`
	MaxConnections int           `env:"HTTP_MAX_CONNECTIONS" default:"0" min:"0" help:"maximum number of open connections and of HTTP/2 requests; 0: a quarter of GOMEMLIMIT at 32 KiB each (64 to 65536), or 65536 without a limit"`
	H2C            bool          `env:"HTTP_H2C" help:"accept HTTP/2 without TLS from trusted clients; always on for a service with procedures (gRPC, connect)"`
	BodyLimit      int64         `env:"HTTP_BODY_LIMIT" default:"1048576" min:"0" help:"maximum size of a request body in bytes"`
	AccessLog      string        `env:"ACCESS_LOG" default:"notable" oneof:"notable,all,off" help:"requests to log: notable (failed, shed, slow or sampled), all, off"`
	Histograms     string        `env:"HTTP_HISTOGRAMS" default:"route" oneof:"route,service" help:"duration histograms: route (one for each method, route and status) or service (one for each outcome)"`
	TrustedParent  bool          `env:"HTTP_TRUSTED_PARENT" help:"follow the sampled flag of the caller; set it only if all callers are your own services"`
}

// Options configure an [Observer].
type Options struct {
	Config    Config
	Telemetry *telemetry.Telemetry

	// SlowAfter is the latency objective. Slower requests are logged, and their span is exported
	// even if it was not sampled. 0 means that no request is slow.
	SlowAfter time.Duration
	// Bounds are additional bounds of the duration histogram, in seconds. Each latency objective
	// needs one, or its ratio of good requests is interpolated.
	Bounds []float64
}

// withDefaults sets the defaults of the tags in a Config that was not loaded by package config.
func (c Config) withDefaults() Config {
	if c.RequestTimeout == 0 {
		c.RequestTimeout = 30 * time.Second
	}
	if c.HeaderTimeout == 0 {
		c.HeaderTimeout = 5 * time.Second
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = 2 * time.Minute
	}
	if c.BodyLimit == 0 {
		c.BodyLimit = 1 << 20
	}
	if c.AccessLog == "" {
		c.AccessLog = AccessNotable
	}
	if c.Histograms == "" {
		c.Histograms = HistogramsByRoute
	}
	return c
}

// writeTimeout is the maximum time from a request's header until its response is written.
func (c Config) writeTimeout() time.Duration { return c.RequestTimeout + writeGrace }

// bounds returns the bounds of the semantic conventions plus extra, sorted.
func bounds(extra []float64) []float64 {
	all := append(semconv.DurationBuckets(), extra...)
	slices.Sort(all)
	return slices.Compact(all)
}

// An Option declares routes that a router cannot list.
type Option func(*routeTable) error

// Routes declares routes, such as "GET /v1/orders/{id}", of a handler that cannot list its own,
// such as http.ServeMux. The series of declared routes exist from the start, so that the first
// failure is visible. Requests that a middleware responds to count for them. The syntax of
// parameters is that of http.ServeMux, chi, gorilla/mux, gin or echo.
func Routes(patterns ...string) Option {
	return func(t *routeTable) error {
		var problems []error
		for _, p := range patterns {
			method, route, err := splitPattern(p)
			if err != nil {
				problems = append(problems, err)
				continue
			}
			t.declare(method, route)
			t.note(routeKey{method, route})
		}
		return errors.Join(problems...)
	}
}

func splitPattern(p string) (method, route string, err error) {
	method, route, ok := strings.Cut(p, " ")
	route = strings.TrimSpace(route)
	if !ok || !strings.HasPrefix(route, "/") || !isKnown(method) {
		return "", "", fmt.Errorf("route %q: write a method and a path, as in %q", p, "GET /v1/orders/{id}")
	}
	return method, fromPattern(route), nil
}

// isKnown reports whether the method is one of RFC 9110 or PATCH. All others count as _OTHER, so
// that a client cannot create series.
func isKnown(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}
