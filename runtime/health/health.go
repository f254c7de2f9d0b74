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

// Config is what the environment decides about health checks. The tags are
// those of package config; a zero field means the tag's default.
type Config struct {
	// Interval is the time between the end of a check and its next run. Each
	// wait differs by up to a tenth, so that replicas that started together do
	// not ask together.
	Interval time.Duration `env:"INTERVAL" default:"5s" min:"100ms" help:"time between two runs of a check"`
	// Timeout is the longest a check may take.
	Timeout time.Duration `env:"TIMEOUT" default:"2s" min:"10ms" help:"longest time for one check"`
	// Failures in a row take a check down, Successes in a row bring it up
	// again: one lost packet is no outage, one lucky answer no recovery. Three
	// is the default failureThreshold of a Kubernetes probe; two is the least
	// that is more than luck.
	Failures  int `env:"FAILURES" default:"3" min:"1" help:"failures in a row that take a check down"`
	Successes int `env:"SUCCESSES" default:"2" min:"1" help:"successes in a row that bring it up again"`
}

func (c Config) withDefaults() Config {
	c.Interval = cmp.Or(c.Interval, 5*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 2*time.Second)
	c.Failures = cmp.Or(c.Failures, 3)
	c.Successes = cmp.Or(c.Successes, 2)
	return c
}

// check finds what would make a check run without a pause, or never count.
func (c Config) check() error {
	if c.Interval < 0 || c.Timeout < 0 || c.Failures < 0 || c.Successes < 0 {
		return fmt.Errorf("health: Config %+v holds a negative value; 0 means the default", c)
	}
	return nil
}

// Options are what the program decides.
type Options struct {
	Config   Config
	Registry *telemetry.Registry // required
	Logger   *slog.Logger        // gets one line when a check changes; nil for none
}

// Option changes one check.
type Option func(*check)

// Critical makes the replica unready while the check is down. It is for what
// this replica alone may lose; for what all replicas share it would empty the
// load balancer in an outage, and must not be used.
func Critical(c *check) { c.critical = true }

// Monitor runs checks and remembers what they found. It is safe for concurrent
// use.
type Monitor struct {
	cfg    Config
	logger *slog.Logger
	up     *prometheus.GaugeVec
	ready  prometheus.Gauge

	loops sync.WaitGroup

	mu       sync.Mutex
	checks   []*check
	mistakes []error // of Add, told by Start
	started  bool
	passed   bool // started, and every check has succeeded once
	draining bool
	cancel   context.CancelFunc
	startedC chan struct{}

	responses atomic.Pointer[responses]
}

// New returns a Monitor without checks and declares its two metrics. It is not
// ready until [Monitor.Start] is called and each check has succeeded.
func New(opts Options) (*Monitor, error) {
	if opts.Registry == nil {
		return nil, errors.New("health: Options.Registry is nil; pass the service's Metrics()")
	}
	if err := opts.Config.check(); err != nil {
		return nil, err
	}
	ready, err := opts.Registry.Gauge(semconv.RuntimeReady, "1 while the service asks for requests: started, not draining, no critical check down.")
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

// Add adds a check, before [Monitor.Start]. The function gets a context that
// ends after the timeout and returns nil when all is well. Its error is logged
// and shown by the probes: it must not hold secrets. A mistake, such as a name
// that is taken, is told by Start.
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

// Waiting shows err as the result of a check that has not run yet, while the start
// waits for the same dependency. It does not change the state of the check, and does
// nothing once the checks run.
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
		return fmt.Errorf("health check %q: give it a name and a function", name)
	}
	for _, c := range m.checks {
		if c.name == name {
			return fmt.Errorf("health check %q exists; give one of the two another name", name)
		}
	}
	return nil
}

// Start says that everything which must happen before the first request has
// happened, and runs each check at once and then on its interval, until the
// context ends or [Monitor.Stop]. It is called once, after the last Add. The
// error is about the calls of Add.
func (m *Monitor) Start(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.started {
		return errors.New("the health checks already run; start them once")
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

// Stop ends the checks and waits for them, except for one that ignores its
// context. The probes keep answering with what is known.
func (m *Monitor) Stop() {
	m.mu.Lock()
	cancel := m.cancel
	m.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	m.loops.Wait()
}

// Drain says that the process is going away: from now on it is alive and not
// ready. There is no way back.
func (m *Monitor) Drain() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.draining = true
	m.publish()
}

// Ready reports whether /readyz answers 200.
func (m *Monitor) Ready() bool { return m.responses.Load().ready.code == ok }

// Started is closed when /startupz answers 200 for the first time.
func (m *Monitor) Started() <-chan struct{} { return m.startedC }
