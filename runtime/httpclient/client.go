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

// scope names the tracer.
const scope = "github.com/observability-first/scaffold/runtime/httpclient"

// Config is what the environment decides about a client. The tags are those of
// package config; a zero field means the tag's default, but for BreakerRatio and
// HedgeAfter, which zero switches off.
type Config struct {
	// Timeout bounds a call: every attempt, every wait between two, and reading
	// the body. Streams need a client of their own with a longer one.
	Timeout       time.Duration `env:"TIMEOUT" default:"10s" min:"1ms" help:"longest time for a call with its retries and its body"`
	DialTimeout   time.Duration `env:"DIAL_TIMEOUT" default:"2s" min:"1ms" help:"longest time to connect"`
	TLSTimeout    time.Duration `env:"TLS_TIMEOUT" default:"3s" min:"1ms" help:"longest time for the TLS handshake"`
	HeaderTimeout time.Duration `env:"HEADER_TIMEOUT" default:"5s" min:"1ms" help:"longest wait for the header of the response, per attempt"`
	// Attempts is the first one and its retries.
	Attempts int `env:"ATTEMPTS" default:"3" min:"1" max:"10" help:"most attempts for one call; 1 never retries"`
	// BreakerRatio of the calls to a host must fail, of at least 20 in ten seconds,
	// for calls to be refused with ErrBreakerOpen for as long as BreakerOpen.
	BreakerRatio float64       `env:"BREAKER_RATIO" default:"0.5" min:"0" max:"1" help:"share of failed calls to a host from which on it is left alone for a while; 0 never leaves it alone"`
	BreakerOpen  time.Duration `env:"BREAKER_OPEN" default:"5s" min:"10ms" help:"how long such a host is left alone before it is tried again"`
	// HedgeAfter is for calls that may be repeated and whose tail matters more than
	// a few calls in vain: about the 95th percentile of their latency.
	HedgeAfter time.Duration `env:"HEDGE_AFTER" min:"0s" help:"how long to wait for an answer before a call is sent a second time, when it may be repeated; 0 never does"`
	// IdleConns are kept open per host. net/http's own default of 2 makes a busy
	// service connect anew for most of its calls.
	IdleConns int `env:"IDLE_CONNS" default:"32" min:"1" help:"idle connections kept per host"`
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

// check finds what would leave a call without an end, or panic with the first one.
func (c Config) check() error {
	shortest := min(c.Timeout, c.DialTimeout, c.TLSTimeout, c.HeaderTimeout, c.BreakerOpen, c.HedgeAfter)
	if shortest < 0 || c.Attempts < 0 || c.IdleConns < 0 {
		return fmt.Errorf("httpclient: Config %+v holds a negative value; 0 means the default", c)
	}
	if math.IsNaN(c.BreakerRatio) || c.BreakerRatio < 0 || c.BreakerRatio > 1 {
		return fmt.Errorf("httpclient: Config.BreakerRatio is %g; write 0 to 1", c.BreakerRatio)
	}
	return nil
}

// Options are what the program decides.
type Options struct {
	Config    Config
	Telemetry *telemetry.Telemetry // required

	// Hosts are the servers that get a series of their own, without port, as in
	// payments.internal. Calls to others share the series _OVERFLOW. Without
	// any, the first 16 hosts that are called get one: enough for the peers of
	// a service, and an end for addresses that came in with a request.
	Hosts []string

	// Transport makes the connections; one with the timeouts of Config when nil.
	Transport http.RoundTripper
}

// New returns a client and declares its metrics. It connects to nothing.
// Clients of one service share their series.
func New(opts Options) (*http.Client, error) {
	if opts.Telemetry == nil {
		return nil, errors.New("httpclient: Options.Telemetry is nil; pass the service's Telemetry()")
	}
	cfg := opts.Config.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	m, err := newMetrics(opts.Telemetry.Metrics(), cfg, opts.Hosts)
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

// newTransport bounds each step of a connection. Proxies are those of the
// environment, as everywhere in Go.
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
		IdleConnTimeout:       90 * time.Second, // as http.DefaultTransport
	}
}

// observer makes one attempt and observes it.
type observer struct {
	base       http.RoundTripper
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
	metrics    *metrics
}
