package httpclient

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/observability-first/scaffold/runtime/telemetry"
)

// scope is the name of the tracer.
const scope = "github.com/observability-first/scaffold/runtime/httpclient"

// Config is the configuration of a client from environment variables. The tags are those of
// package config. A zero field means the tag's default, except for BreakerRatio and HedgeAfter,
// where zero disables the feature.
type Config struct {
	// Timeout limits a call: all attempts, the waits between them, and reading the body. For
	// streams, use a separate client with a longer timeout.
	Timeout       time.Duration `env:"TIMEOUT" default:"10s" min:"1ms" help:"maximum time for a call, including retries and the response body"`
	DialTimeout   time.Duration `env:"DIAL_TIMEOUT" default:"2s" min:"1ms" help:"maximum time to connect"`
	TLSTimeout    time.Duration `env:"TLS_TIMEOUT" default:"3s" min:"1ms" help:"maximum time for the TLS handshake"`
	HeaderTimeout time.Duration `env:"HEADER_TIMEOUT" default:"5s" min:"1ms" help:"maximum wait for the response header, per attempt"`
	// Attempts is the maximum number of attempts, including the first one.
	Attempts int `env:"ATTEMPTS" default:"3" min:"1" max:"10" help:"maximum number of attempts for a call; 1 never retries"`
	// BreakerRatio is the ratio of failed calls to a host, of at least 20 in ten seconds, from
	// which on calls return ErrBreakerOpen for BreakerOpen.
	BreakerRatio float64       `env:"BREAKER_RATIO" default:"0.5" min:"0" max:"1" help:"ratio of failed calls to a host that opens its circuit breaker; 0 disables the breaker"`
	BreakerOpen  time.Duration `env:"BREAKER_OPEN" default:"5s" min:"10ms" help:"time before an open circuit breaker tries the host again"`
	// HedgeAfter is for idempotent calls whose tail latency matters more than a few extra calls.
	// Set it to about the 95th percentile of their latency.
	HedgeAfter time.Duration `env:"HEDGE_AFTER" min:"0s" help:"time without a response after which an idempotent call is sent a second time; 0 disables hedging"`
	// IdleConns is the maximum number of idle connections per host. With net/http's default of 2,
	// a busy service opens a connection for most calls.
	IdleConns int `env:"IDLE_CONNS" default:"32" min:"1" help:"maximum number of idle connections per host"`
}

func (c Config) withDefaults() Config {
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.DialTimeout = cmp.Or(c.DialTimeout, 2*time.Second)
	c.TLSTimeout = cmp.Or(c.TLSTimeout, 3*time.Second)
	c.HeaderTimeout = cmp.Or(c.HeaderTimeout, 5*time.Second)
	c.Attempts = cmp.Or(c.Attempts, 3)
	c.BreakerOpen = cmp.Or(c.BreakerOpen, 5*time.Second)
	c.IdleConns = cmp.Or(c.IdleConns, 32)
	return c
}

// check rejects values that would remove a limit, or panic at the first call.
func (c Config) check() error {
	shortest := min(c.Timeout, c.DialTimeout, c.TLSTimeout, c.HeaderTimeout, c.BreakerOpen, c.HedgeAfter)
	if shortest < 0 || c.Attempts < 0 || c.IdleConns < 0 {
		return fmt.Errorf("httpclient: Config %+v has a negative value; 0 means the default", c)
	}
	if math.IsNaN(c.BreakerRatio) || c.BreakerRatio < 0 || c.BreakerRatio > 1 {
		return fmt.Errorf("httpclient: Config.BreakerRatio is %g; write 0 to 1", c.BreakerRatio)
	}
	return nil
}

// Options configure a client.
type Options struct {
	Config    Config
	Telemetry *telemetry.Telemetry // required

	// Hosts are the servers with a separate series, without port, such as payments.internal. All
	// others share the series _OVERFLOW. If it is empty, the first 16 hosts get a series, so that
	// addresses from requests cannot create more.
	Hosts []string

	// Transport makes the connections. If nil, it is a transport with the timeouts of Config.
	Transport http.RoundTripper
}

// New returns a client and registers its metrics. Clients of a service share their series.
func New(opts Options) (*http.Client, error) { return newNamed("", opts) }

// newNamed returns the client of an upstream, or one without a name.
func newNamed(name string, opts Options) (*http.Client, error) {
	if opts.Telemetry == nil {
		return nil, errors.New("httpclient: Options.Telemetry is nil; pass the service's Telemetry()")
	}
	cfg := opts.Config.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	m, err := newMetrics(opts.Telemetry.Metrics(), cfg, name, opts.Hosts)
	if err != nil {
		return nil, err
	}
	base := opts.Transport
	if base == nil {
		base = newTransport(cfg)
	}
	return newClient(cfg, &observer{
		base:       base,
		tracer:     opts.Telemetry.TracerProvider().Tracer(scope),
		propagator: opts.Telemetry.Propagator(),
		metrics:    m,
	}), nil
}

func newClient(cfg Config, o *observer) *http.Client {
	return &http.Client{Timeout: cfg.Timeout, Transport: &retrier{
		next: o, attempts: cfg.Attempts, hedgeAfter: cfg.HedgeAfter, metrics: o.metrics,
	}}
}

// newTransport returns a transport with a timeout for each step of a connection. Proxies are
// those of the environment variables.
func newTransport(cfg Config) *http.Transport {
	dialer := &net.Dialer{Timeout: cfg.DialTimeout}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   cfg.TLSTimeout,
		ResponseHeaderTimeout: cfg.HeaderTimeout,
		ExpectContinueTimeout: time.Second,
		MaxIdleConnsPerHost:   cfg.IdleConns,
		IdleConnTimeout:       90 * time.Second, // as in http.DefaultTransport
	}
}

type observer struct {
	base       http.RoundTripper
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
	metrics    *metrics
}
