package rulesim

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
)

// Defaults of Options, as in Prometheus.
const (
	DefaultMaxSamples   = 50_000_000
	DefaultQueryTimeout = 2 * time.Minute
	DefaultSubstep      = time.Minute
	lookback            = 5 * time.Minute
)

// Options configure an [Evaluator]. The zero value evaluates everything on time and stops at the first rule
// that fails.
type Options struct {
	// Phase shifts every evaluation. By default evaluations are at multiples of the group's interval since
	// the epoch. Prometheus derives the phase from names, so replicas usually have different phases.
	Phase time.Duration
	// Interval overrides the interval of every group, as promtool does; 0 means the group's own.
	Interval time.Duration
	// Skip reports whether to skip an evaluation; nil means never.
	Skip func(g Group, at time.Time) bool
	// Only reports whether to evaluate a rule; nil means all rules.
	Only func(r Rule) bool
	// Failed is called for each rule that fails and reports whether to continue with the others, as
	// Prometheus does; nil stops the run with the error. A rule that fails records nothing and marks no
	// series stale.
	Failed func(err error) bool
	// Annotate expands annotations at every evaluation, as Prometheus does. Otherwise they are expanded once,
	// when an alert starts to fire.
	Annotate bool
	// ExternalURL and ExternalLabels are available in templates.
	ExternalURL    string
	ExternalLabels labels.Labels
	// MaxSamples is the maximum number of samples that a query may load at once, and QueryTimeout the maximum
	// time that it may take. 0 means DefaultMaxSamples and DefaultQueryTimeout.
	MaxSamples   int
	QueryTimeout time.Duration
	// Substep is the step of subqueries that do not specify one: Prometheus' global evaluation_interval. 0
	// means DefaultSubstep.
	Substep time.Duration
	// Repeats are phases in which RunRange may copy results, each level ordered by time. The first level has
	// the longest cycles. Phases of a further level are inside those cycles, or in time that no phase covers.
	Repeats [][]Repetition
}

func (o Options) withDefaults() Options {
	if o.MaxSamples <= 0 {
		o.MaxSamples = DefaultMaxSamples
	}
	if o.QueryTimeout <= 0 {
		o.QueryTimeout = DefaultQueryTimeout
	}
	if o.Substep <= 0 {
		o.Substep = DefaultSubstep
	}
	return o
}

// Evaluator evaluates groups of rules over a store and records to it. It is not safe for concurrent use.
type Evaluator struct {
	store   *metricstore.Store
	queried storage.Queryable // by Query and QueryRange
	engine  *promql.Engine
	options Options
	url     *url.URL
	groups  []*group
	history []*Firing
	sharing *sharing // during RunRange
	read    atomic.Int64
}

// New prepares groups for evaluation by [Evaluator.Run] or [Evaluator.RunRange].
func New(store *metricstore.Store, groups []Group, options Options) (*Evaluator, error) {
	external, err := url.Parse(options.ExternalURL)
	if err != nil {
		return nil, fmt.Errorf("external URL: %w", err)
	}
	options = options.withDefaults()
	l := &Evaluator{store: store, queried: store, options: options, url: external, engine: newEngine(options)}
	for _, g := range groups {
		if options.Interval > 0 {
			g.Interval = options.Interval
		}
		l.groups = append(l.groups, l.newGroup(g))
	}
	return l, nil
}

func newEngine(o Options) *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		MaxSamples: o.MaxSamples, Timeout: o.QueryTimeout, LookbackDelta: lookback,
		EnableAtModifier: true, EnableNegativeOffset: true, Parser: newParser(),
		NoStepSubqueryIntervalFn: func(int64) int64 { return o.Substep.Milliseconds() },
	})
}

// Run evaluates the groups at each of their times from from, inclusive, to to, exclusive. Groups that are due
// at the same time are evaluated in file order. Run stops at the first rule that fails, unless Options.Failed
// returns true.
//
// The next Run continues where the last one ended: many short spans, as in real time, give the same result as
// one long span. Run never evaluates a time twice. A gap between two spans is skipped, as while a server is
// down.
func (l *Evaluator) Run(ctx context.Context, from, to time.Time) error {
	if len(l.groups) == 0 {
		return nil
	}
	for _, g := range l.groups {
		if first := l.firstAtOrAfter(g.Interval, from); first.After(g.due) {
			g.due = first
		}
	}
	for {
		next := slices.MinFunc(l.groups, func(a, b *group) int { return a.due.Compare(b.due) })
		if !next.due.Before(to) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("evaluation of rules: %w", err)
		}
		if l.options.Skip == nil || !l.options.Skip(next.Group, next.due) {
			if err := next.eval(ctx, next.due); err != nil {
				return err
			}
		}
		next.due = next.due.Add(next.Interval)
	}
}

func (l *Evaluator) firstAtOrAfter(interval time.Duration, from time.Time) time.Time {
	past := time.Duration(from.Add(-l.options.Phase).UnixNano()) % interval
	if past > 0 {
		past -= interval
	}
	return from.Add(-past)
}
