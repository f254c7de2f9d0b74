package health

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// startInterval is the maximum wait between two runs of a check that has not succeeded yet, so
// that a start takes hardly longer than its slowest dependency.
const startInterval = 500 * time.Millisecond

// pendingWarning is the minimum time between two log lines about a check that has not succeeded
// yet.
const pendingWarning = time.Minute

// jitter is the fraction of an interval by which waits vary.
const jitter = 0.1

type state string

const (
	pending state = "pending" // never succeeded
	up      state = "up"
	down    state = "down"
)

// check is a check and its result. The Monitor's mutex guards all fields below the gauge.
type check struct {
	name     string
	critical bool
	optional bool
	run      func(context.Context) error
	gauge    prometheus.Gauge

	current state // "" means pending
	streak  int   // consecutive results that contradict current
	since   time.Time
	lastErr error
	last    time.Time
	took    time.Duration
	warned  time.Time // last warning that it has not succeeded yet
}

// loop runs a check until the context ends. Runs do not overlap.
func (m *Monitor) loop(ctx context.Context, c *check) {
	for ctx.Err() == nil {
		m.once(ctx, c)
		select {
		case <-ctx.Done():
		case <-time.After(m.wait(c)):
		}
	}
}

// once runs the check. If it exceeds its timeout, it counts as failed then and at each further
// interval until it returns.
func (m *Monitor) once(ctx context.Context, c *check) {
	limited, cancel := context.WithTimeout(ctx, m.cfg.Timeout)
	defer cancel()
	began := time.Now()
	result := make(chan error, 1)
	go func() { result <- guarded(limited, c.run) }()

	timeout := time.After(m.cfg.Timeout)
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-result:
			if ctx.Err() == nil {
				m.record(c, err, time.Since(began))
			}
			return
		case <-timeout:
			m.record(c, fmt.Errorf("no result within %s", m.cfg.Timeout), time.Since(began))
			timeout = time.After(m.cfg.Interval)
		}
	}
}

// guarded converts a panic of a check to an error, so that a check cannot end the process.
func guarded(ctx context.Context, run func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the check panicked: %v", p)
		}
	}()
	return run(ctx)
}

// wait returns the time until the next run.
func (m *Monitor) wait(c *check) time.Duration {
	m.mu.Lock()
	base := m.cfg.Interval
	if c.state() == pending && !m.passed {
		base = min(base, startInterval)
	}
	m.mu.Unlock()
	spread := 1 + jitter*(2*rand.Float64()-1)
	return time.Duration(float64(base) * spread)
}

func (c *check) state() state {
	if c.current == "" {
		return pending
	}
	return c.current
}

func (m *Monitor) record(c *check, err error, took time.Duration) {
	m.mu.Lock()
	before, since := c.state(), c.since
	c.lastErr, c.last, c.took = err, time.Now(), took
	c.settle(err == nil, m.cfg)
	after := c.state()
	waiting := after == pending && c.last.Sub(c.warned) >= pendingWarning
	if waiting {
		c.warned = c.last
	}
	m.publish()
	m.mu.Unlock()

	switch {
	case after != before:
		m.logChange(c.name, before, after, time.Since(since), err)
	case waiting:
		log := m.logger.With(slog.String("check", c.name), slog.Float64("pending_seconds", time.Since(since).Seconds()), slog.Any("error", err))
		if c.optional {
			log.Warn("a health check has not succeeded yet")
		} else {
			log.Warn("not ready, a health check has not succeeded yet")
		}
	}
}

// settle changes the state after enough consecutive results. A check that never succeeded is up
// after its first success.
func (c *check) settle(success bool, cfg Config) {
	if success == (c.state() == up) {
		c.streak = 0
		return
	}
	c.streak++
	switch {
	case c.state() == pending && success, c.state() == down && c.streak >= cfg.Successes:
		c.move(up, 1)
	case c.state() == up && c.streak >= cfg.Failures:
		c.move(down, 0)
	}
}

func (c *check) move(to state, value float64) {
	c.current, c.streak, c.since = to, 0, time.Now()
	c.gauge.Set(value)
}

func (m *Monitor) logChange(name string, before, after state, lasted time.Duration, err error) {
	attrs := []slog.Attr{slog.String("check", name), slog.Float64(string(before)+"_seconds", lasted.Seconds())}
	if after == down {
		m.logger.LogAttrs(context.Background(), slog.LevelWarn, "health check is down", append(attrs, slog.Any("error", err))...)
		return
	}
	m.logger.LogAttrs(context.Background(), slog.LevelInfo, "health check is up", attrs...)
}
