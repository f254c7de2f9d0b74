package rulesim

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
)

// Defaults of Options: those of Prometheus.
const (
	DefaultMaxSamples   = 50_000_000
	DefaultQueryTimeout = 2 * time.Minute
	DefaultSubstep      = time.Minute
	lookback            = 5 * time.Minute
)

// Options of a [Evaluator]. The zero value evaluates everything on time and ends at
// the first rule that fails.
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
	// Failed hears of a rule that failed and tells whether to go on with the
	// others, as Prometheus does; nil ends the run with the error. A rule that
	// fails records nothing and ends no series.
	Failed func(err error) bool
	// Annotate expands annotations at every evaluation, as Prometheus does;
	// otherwise they are expanded once, when an alert begins to fire.
	Annotate bool
	// ExternalURL is what templates link to, ExternalLabels what they know of the
	// server.
	ExternalURL    string
	ExternalLabels labels.Labels
	// MaxSamples is how many samples a query may hold at once, QueryTimeout how
	// long it may take; 0 means DefaultMaxSamples and DefaultQueryTimeout.
	MaxSamples   int
	QueryTimeout time.Duration
	// Substep is the step of a subquery that names none: Prometheus' global
	// evaluation_interval. 0 means DefaultSubstep.
	Substep time.Duration
	// Repeats are phases in which a range run may copy results, each level in the order of time.
	// The first level has the longest cycles. The phases of a further level are within those
	// cycles and within what no phase covers.
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

// Evaluator evaluates groups of rules over a store, to which it also records. A Evaluator is
// used by one goroutine.
type Evaluator struct {
	store   *metricstore.Store
	engine  *promql.Engine
	options Options
	url     *url.URL
	groups  []*group
	history []*Firing
	sharing *sharing // during RunRange
}

// New prepares groups for evaluation. Nothing is evaluated before [Evaluator.Run].
func New(store *metricstore.Store, groups []Group, options Options) (*Evaluator, error) {
	external, err := url.Parse(options.ExternalURL)
	if err != nil {
		return nil, fmt.Errorf("external URL: %w", err)
	}
	options = options.withDefaults()
	l := &Evaluator{store: store, options: options, url: external, engine: newEngine(options)}
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

// Run evaluates the groups at each of their times from from, included, to to,
// excluded. Groups that are due at the same time come in the order of their
// files. It stops at the first rule that fails, unless Options.Failed lets it go
// on.
//
// A further Run goes on where the last one ended: one over many short spans, as
// in real time, is equal to one over all of them. What was evaluated is not
// evaluated again, and what lies between two spans is left out, as while a
// server is down.
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
