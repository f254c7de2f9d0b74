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

// Access says which requests get a log line.
const (
	// AccessNotable logs failures, shed, slow and sampled requests: the ones that
	// somebody will look for.
	AccessNotable = "notable"
	// AccessAll logs every request.
	AccessAll = "all"
	// AccessOff logs none; panics are logged all the same.
	AccessOff = "off"
)

// Values of Config.Histograms.
const (
	// HistogramsByRoute has one for each method, route, status and outcome.
	HistogramsByRoute = "route"
	// HistogramsByService has one for each outcome, for services of hundreds of routes.
	HistogramsByService = "service"
)

// Config is what the environment decides about the server. The tags are those
// of package config.
type Config struct {
	Addr           string        `env:"HTTP_ADDR" format:"address" help:"address that takes requests, as in :8080"`
	RequestTimeout time.Duration `env:"HTTP_REQUEST_TIMEOUT" default:"30s" min:"1ms" help:"maximum time for one request, its body included; streams are exempt"`
	HeaderTimeout  time.Duration `env:"HTTP_HEADER_TIMEOUT" default:"5s" min:"1ms" help:"maximum time to read the header"`
	IdleTimeout    time.Duration `env:"HTTP_IDLE_TIMEOUT" default:"2m" min:"1s" help:"how long an idle connection is kept"`
	MaxConnections int           `env:"HTTP_MAX_CONNECTIONS" default:"0" min:"0" help:"maximum number of open connections, and of requests over HTTP/2; 0: as many as fit into a quarter of GOMEMLIMIT at 32 KiB each, 64 to 65536, or 65536 without a limit"`
	H2C            bool          `env:"HTTP_H2C" help:"accept HTTP/2 without TLS from trusted clients; always on for a service with procedures (gRPC, connect)"`
	BodyLimit      int64         `env:"HTTP_BODY_LIMIT" default:"1048576" min:"0" help:"largest request body in bytes"`
	AccessLog      string        `env:"ACCESS_LOG" default:"notable" oneof:"notable,all,off" help:"which requests get a log line: notable (failed, shed, slow or sampled), all, off"`
	Histograms     string        `env:"HTTP_HISTOGRAMS" default:"route" oneof:"route,service" help:"duration histograms: route (one for each method, route and status) or service (one for each outcome)"`
	TrustedParent  bool          `env:"HTTP_TRUSTED_PARENT" help:"let a caller's sampled flag decide; only behind one's own services"`
}

// Options are what the program decides about the server.
type Options struct {
	Config    Config
	Telemetry *telemetry.Telemetry

	// SlowAfter is the latency objective: longer requests are logged, and their
	// span is exported although it was not sampled. 0 means that none is slow.
	SlowAfter time.Duration
	// Bounds are further bounds of the duration histogram, in seconds. Each
	// latency objective must be one, or its share of good requests is a guess.
	Bounds []float64
}

// Defaults for a Config that was filled in by hand, the same as the tags say.
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

// writeTimeout is the maximum time until a response is written, from the header of its request.
func (c Config) writeTimeout() time.Duration { return c.RequestTimeout + writeGrace }

// bounds returns the convention's bounds with the given ones added, sorted.
func bounds(extra []float64) []float64 {
	all := append(semconv.DurationBuckets(), extra...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Option describes routes that a router cannot list by itself.
type Option func(*routeTable) error

// Routes declares routes, as in "GET /v1/orders/{id}", of a handler that cannot
// list its own, such as http.ServeMux. Declared routes have their series from
// the start, so that a first failure is seen, and requests that get their response
// before the router count for them. Parameters are written as in http.ServeMux,
// chi, gorilla/mux, gin or echo.
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

// splitPattern reads "GET /v1/orders/{id}".
func splitPattern(p string) (method, route string, err error) {
	method, route, ok := strings.Cut(p, " ")
	route = strings.TrimSpace(route)
	if !ok || !strings.HasPrefix(route, "/") || !isKnown(method) {
		return "", "", fmt.Errorf("route %q: write a method and a path, as in %q", p, "GET /v1/orders/{id}")
	}
	return method, fromPattern(route), nil
}

// isKnown says whether the method is one of RFC 9110 or PATCH. Every other one is
// counted as _OTHER, so that a caller cannot invent series.
func isKnown(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}
