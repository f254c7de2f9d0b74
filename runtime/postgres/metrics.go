package postgres

import (
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// collector collects the state of the pool. Before the pool is open, all values but the maximum
// are zero.
type collector struct {
	pool     func() *pgxpool.Pool // nil before the start
	max      float64
	name     string
	pending  atomic.Int64 // calls that wait for a connection
	timeouts atomic.Int64 // calls that timed out

	count, limit, waiting, waits, waitTime, gaveUp *prometheus.Desc
}

func newCollector(name string, limit int32, pool func() *pgxpool.Pool) *collector {
	desc := func(metric, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(metric, help, append([]string{semconv.LabelPoolName}, labels...), nil)
	}
	return &collector{
		pool: pool, max: float64(limit), name: name,
		count:    desc(semconv.DBClientConnectionCount, "Connections of the pool by state.", semconv.LabelPoolState),
		limit:    desc(semconv.DBClientConnectionMax, "Maximum number of connections of the pool."),
		waiting:  desc(semconv.DBClientConnectionPendingRequests, "Requests that wait for a connection."),
		waits:    desc(semconv.DBClientConnectionWaits, "Requests that had to wait because no connection was idle."),
		waitTime: desc(semconv.DBClientConnectionWaitTime, "Time that requests waited because no connection was idle."),
		gaveUp:   desc(semconv.DBClientConnectionTimeouts, "Requests that got no connection in time."),
	}
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.count, c.limit, c.waiting, c.waits, c.waitTime, c.gaveUp} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	var idle, used, waits, waited float64
	if pool := c.pool(); pool != nil {
		s := pool.Stat()
		idle, used = float64(s.IdleConns()), float64(s.AcquiredConns())
		waits, waited = float64(s.EmptyAcquireCount()), s.EmptyAcquireWaitTime().Seconds()
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{c.name}, labels...)...)
	}
	counter := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, c.name)
	}
	gauge(c.count, idle, semconv.ConnectionStateIdle)
	gauge(c.count, used, semconv.ConnectionStateInUse)
	gauge(c.limit, c.max)
	gauge(c.waiting, float64(c.pending.Load()))
	counter(c.waits, waits)
	counter(c.waitTime, waited)
	counter(c.gaveUp, float64(c.timeouts.Load()))
}
