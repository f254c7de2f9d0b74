package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// Config is the configuration of health checks from environment variables. The tags are those of
// package config. A zero field means the tag's default.
type Config struct {
	// Interval is the time between the end of a check and its next run. It varies by up to a
	// tenth, so that replicas that started together do not check at the same time.
	Interval time.Duration `env:"INTERVAL" default:"5s" min:"100ms" help:"interval between runs of a check"`
	// Timeout is the maximum duration of a check.
	Timeout time.Duration `env:"TIMEOUT" default:"2s" min:"10ms" help:"maximum time for a check"`
	// Failures is the number of consecutive failures after which a check is down, and Successes
	// the number of consecutive successes after which it is up again. Three is the default
	// failureThreshold of a Kubernetes probe.
	Failures  int `env:"FAILURES" default:"3" min:"1" help:"consecutive failures after which a check is down"`
	Successes int `env:"SUCCESSES" default:"2" min:"1" help:"consecutive successes after which a check is up again"`
}

func (c Config) withDefaults() Config {
	c.Interval = cmp.Or(c.Interval, 5*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 2*time.Second)
	c.Failures = cmp.Or(c.Failures, 3)
	c.Successes = cmp.Or(c.Successes, 2)
	return c
}

// check rejects negative values, which would disable intervals or thresholds.
func (c Config) check() error {
	if c.Interval < 0 || c.Timeout < 0 || c.Failures < 0 || c.Successes < 0 {
		return fmt.Errorf("health: Config %+v has a negative value; 0 means the default", c)
	}
	return nil
}

// Options configure a [Monitor].
type Options struct {
	Config   Config
	Registry *telemetry.Registry // required
	Logger   *slog.Logger        // logs changes of checks; nil for none
}

// An Option modifies a check.
type Option func(*check)

// Critical makes the replica unready while the check is down. Use it only for a resource of this
// replica. For a dependency that all replicas share, it would remove all of them from the load
// balancer.
func Critical(c *check) { c.critical = true }

// Optional means that the service becomes ready even if the check has never succeeded. Use it for another service: two
// services that wait for each other would never start.
func Optional(c *check) { c.optional = true }

// Monitor runs checks and stores their results. It is safe for concurrent use.
type Monitor struct {
	cfg    Config
	logger *slog.Logger
	up     *prometheus.GaugeVec
	ready  prometheus.Gauge

	loops sync.WaitGroup

	mu       sync.Mutex
	checks   []*check
	mistakes []error // of Add, returned by Start
	started  bool
	passed   bool // started, and all checks but the optional ones have succeeded once
	draining bool
	cancel   context.CancelFunc
	startedC chan struct{}

	responses atomic.Pointer[responses]
}

// New returns a Monitor without checks and registers its metrics. It is ready after
// [Monitor.Start] when all checks but the optional ones have succeeded once.
func New(opts Options) (*Monitor, error) {
	if opts.Registry == nil {
		return nil, errors.New("health: Options.Registry is nil; pass the service's Metrics()")
	}
	if err := opts.Config.check(); err != nil {
		return nil, err
	}
	ready, err := opts.Registry.Gauge(semconv.RuntimeReady, "1 while the service is ready: started, not draining, no critical check down.")
	if err != nil {
		return nil, err
	}
	up, err := opts.Registry.Gauge(semconv.RuntimeHealthCheckUp, "1 while the check succeeds.", semconv.LabelCheck)
	if err != nil {
		return nil, err
	}
	m := &Monitor{
		cfg:      opts.Config.withDefaults(),
		logger:   cmp.Or(opts.Logger, slog.New(slog.DiscardHandler)),
		up:       up,
		ready:    ready.WithLabelValues(),
		startedC: make(chan struct{}),
	}
	m.publish()
	return m, nil
}

// Add adds a check. Call it before [Monitor.Start]. The context of run ends after the timeout.
// The probes and the log show the error of run, so it must not contain secrets. Start returns the
// errors of Add, such as a duplicate name.
func (m *Monitor) Add(name string, run func(context.Context) error, options ...Option) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.validate(name, run); err != nil {
		m.mistakes = append(m.mistakes, err)
		return
	}
	c := &check{name: name, run: run, gauge: m.up.WithLabelValues(name), since: time.Now()}
	for _, o := range options {
		o(c)
	}
	c.gauge.Set(0)
	m.checks = append(m.checks, c)
	m.publish()
}

// Waiting shows err as the result of a check that has not run yet, while the start waits for the
// same dependency. It does not change the state of the check, and has no effect after Start.
func (m *Monitor) Waiting(name string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.started {
		return
	}
	for _, c := range m.checks {
		if c.name == name {
			c.lastErr, c.last = err, time.Now()
		}
	}
	m.publish()
}

func (m *Monitor) validate(name string, run func(context.Context) error) error {
	if name == "" || run == nil {
		return fmt.Errorf("health check %q needs a name and a function", name)
	}
	for _, c := range m.checks {
		if c.name == name {
			return fmt.Errorf("health check %q already exists; rename one of them", name)
		}
	}
	return nil
}

// Start marks the service as started. It runs each check immediately and then at its interval,
// until the context ends or [Monitor.Stop] is called. Call it once, after all calls of Add, whose
// errors it returns.
func (m *Monitor) Start(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.started {
		return errors.New("health checks are already running; call Start once")
	}
	if err := errors.Join(m.mistakes...); err != nil {
		return err
	}
	ctx, m.cancel = context.WithCancel(ctx)
	m.started = true
	for _, c := range m.checks {
		m.loops.Go(func() { m.loop(ctx, c) })
	}
	m.publish()
	return nil
}

// Stop stops the checks and waits for them, except for one that ignores its context. The probes
// keep their last results.
func (m *Monitor) Stop() {
	m.mu.Lock()
	cancel := m.cancel
	m.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	m.loops.Wait()
}

// Drain makes the service unready, permanently. It stays live.
func (m *Monitor) Drain() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.draining = true
	m.publish()
}

// Ready reports whether /readyz responds with 200.
func (m *Monitor) Ready() bool { return m.responses.Load().ready.code == ok }

// Started returns a channel that is closed when /startupz responds with 200 for the first time.
func (m *Monitor) Started() <-chan struct{} { return m.startedC }
