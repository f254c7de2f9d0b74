package rulelab

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/prometheus/prometheus/promql"

	"github.com/observability-first/scaffold/internal/metricstore"
)

// The engine's limits, the defaults of Prometheus.
const (
	lookback       = 5 * time.Minute
	maxSamples     = 50_000_000
	queryTimeout   = 2 * time.Minute
	defaultSubstep = time.Minute
)

// Options of a [Lab]. The zero value evaluates everything on time.
type Options struct {
	// Phase moves every evaluation; otherwise they fall on multiples of the
	// group's interval since the epoch. Prometheus derives it from the names, so
	// twins have the same phase only by luck.
	Phase time.Duration
	// Interval evaluates every group at this interval, as promtool does; 0 means
	// each at its own.
	Interval time.Duration
	// Skip says that an evaluation does not take place; nil means all do.
	Skip func(g Group, at time.Time) bool
	// Only says which rules are evaluated; nil means all.
	Only func(r Rule) bool
	// ExternalURL is what templates link to.
	ExternalURL string
}

// Lab evaluates groups of rules over a store, to which it also records. A Lab is
// used by one goroutine.
type Lab struct {
	store   *metricstore.Store
	engine  *promql.Engine
	options Options
	url     *url.URL
	groups  []*group
	history []*Firing
}

// New prepares groups for evaluation. Nothing is evaluated before [Lab.Run].
func New(store *metricstore.Store, groups []Group, options Options) (*Lab, error) {
	external, err := url.Parse(options.ExternalURL)
	if err != nil {
		return nil, fmt.Errorf("external URL: %w", err)
	}
	l := &Lab{store: store, options: options, url: external, engine: newEngine()}
	for _, g := range groups {
		if options.Interval > 0 {
			g.Interval = options.Interval
		}
		l.groups = append(l.groups, l.newGroup(g))
	}
	return l, nil
}

func newEngine() *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		MaxSamples: maxSamples, Timeout: queryTimeout, LookbackDelta: lookback,
		EnableAtModifier: true, EnableNegativeOffset: true, Parser: newParser(),
		NoStepSubqueryIntervalFn: func(int64) int64 { return defaultSubstep.Milliseconds() },
	})
}

// Run evaluates the groups at each of their times from from, included, to to,
// excluded. Groups that are due at the same time come in the order of their
// files. It stops at the first rule that fails.
func (l *Lab) Run(ctx context.Context, from, to time.Time) error {
	for _, g := range l.groups {
		g.due = l.firstAtOrAfter(g.Interval, from)
	}
	for {
		next := slices.MinFunc(l.groups, func(a, b *group) int { return a.due.Compare(b.due) })
		if !next.due.Before(to) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("simulation: %w", err)
		}
		if l.options.Skip == nil || !l.options.Skip(next.Group, next.due) {
			if err := next.eval(ctx, next.due); err != nil {
				return err
			}
		}
		next.due = next.due.Add(next.Interval)
	}
}

func (l *Lab) firstAtOrAfter(interval time.Duration, from time.Time) time.Time {
	past := time.Duration(from.Add(-l.options.Phase).UnixNano()) % interval
	if past > 0 {
		past -= interval
	}
	return from.Add(-past)
}

// Query evaluates an expression at a time. A scalar becomes a vector of one
// sample without labels.
func (l *Lab) Query(ctx context.Context, expr string, at time.Time) (promql.Vector, error) {
	v, _, err := l.query(ctx, expr, at)
	return v, err
}

// reading is what one query read.
type reading struct {
	samples int64
	peak    int
}

func (l *Lab) query(ctx context.Context, expr string, at time.Time) (promql.Vector, reading, error) {
	q, err := l.engine.NewInstantQuery(ctx, l.store, nil, expr, at)
	if err != nil {
		return nil, reading{}, fmt.Errorf("%s: %w", expr, err)
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, reading{}, fmt.Errorf("%s: %w", expr, res.Err)
	}
	used := reading{q.Stats().Samples.TotalSamples, q.Stats().Samples.PeakSamples}
	switch v := res.Value.(type) {
	case promql.Vector:
		return slices.Clone(v), used, nil // the engine reuses its own
	case promql.Scalar:
		return promql.Vector{{T: v.T, F: v.V}}, used, nil
	default:
		return nil, used, fmt.Errorf("%s gives a %s; an instant vector or a scalar is needed", expr, v.Type())
	}
}
