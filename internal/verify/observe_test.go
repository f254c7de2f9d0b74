package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/report"
)

// Observation is what a run has seen of a service: its samples, spans, log lines and profiles. Other rules,
// dashboards and runbooks can be checked with it without running the service again.
type Observation struct {
	session *session
	report  report.Report
}

// Observe runs a service and every check except the simulation. It leaves no processes or files behind.
func Observe(ctx context.Context, subject Subject, o Options) (seen *Observation, err error) {
	s, err := newSession(subject, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.temp)) }()
	if err := s.build(ctx); err != nil {
		return nil, interrupted(ctx, err)
	}
	if err := s.describe(ctx); err != nil {
		return nil, interrupted(ctx, err)
	}
	began := time.Now()
	if err := s.live(ctx); err != nil {
		return nil, err
	}
	return &Observation{s, s.checks.Report(s.subject.Service, time.Since(began))}, nil
}

// Report returns the report of the run.
func (o *Observation) Report() report.Report { return o.report }

// Judge checks rules, dashboards, runbooks and links again, for a subject that differs from the observed one
// only in these.
func (o *Observation) Judge(ctx context.Context, subject Subject) (report.Report, error) {
	if o.session.watch == nil {
		return report.Report{}, errors.New("the service did not start, so that nothing was seen")
	}
	seen := o.session
	s := &session{
		subject: subject, options: seen.options, signals: seen.signals, document: seen.document, receiver: seen.receiver,
		child: seen.child, driver: seen.driver, watch: seen.watch, seen: seen.watch.store, uploads: seen.profiles(), parsed: math.MaxInt,
	}
	s.subject.Service = seen.subject.Service
	if !reflect.DeepEqual(subject.Rules, seen.subject.Rules) {
		var err error
		if s.watch, err = seen.watch.again(ctx, seen.prober.from, recordedBy(seen.subject.Rules), subject.Rules, seen.options.QueryWithin); err != nil {
			s.fail(ruleError{err})
			return s.checks.Report(s.subject.Service, 0), nil //nolint:nilerr // it is a failed check
		}
	}
	s.prober = &prober{watch: s.watch, from: seen.prober.from, to: seen.prober.to, asked: seen.prober.asked, known: s.declared(), labels: s.declaredLabels()}
	s.healthy, s.broken, s.recovered, s.deployed = seen.healthy, seen.broken, seen.recovered, seen.deployed
	if err := s.queries(ctx); err != nil {
		return report.Report{}, err
	}
	err := s.links(ctx)
	return s.checks.Report(s.subject.Service, 0), err
}

// again evaluates other rules over the scraped samples.
func (w *watch) again(ctx context.Context, from time.Time, recorded []string, groups []rulesim.Group, within time.Duration) (*watch, error) {
	store, err := scraped(ctx, w.store, recorded)
	if err != nil {
		return nil, err
	}
	ev, err := rulesim.New(store, groups, rulesim.Options{QueryTimeout: cmp.Or(within, queryWithin)})
	if err != nil {
		return nil, err
	}
	out := &watch{child: w.child, interval: w.interval, store: store, ev: ev, now: w.time()}
	if err := ev.Run(ctx, from, out.now); err != nil {
		return nil, err
	}
	out.fired = ev.History()
	return out, nil
}

// recordedBy returns the metrics that rules write, including those of alerts.
func recordedBy(groups []rulesim.Group) []string {
	out := []string{"ALERTS", "ALERTS_FOR_STATE"}
	for _, g := range groups {
		for _, r := range g.Rules {
			if !r.IsAlert {
				out = append(out, r.Name)
			}
		}
	}
	return out
}

// scraped copies a store without the metrics that rules have recorded.
func scraped(ctx context.Context, from *metricstore.Store, recorded []string) (*metricstore.Store, error) {
	q, err := from.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	defer func() { _ = q.Close() }()
	to := metricstore.New()
	all := labels.MustNewMatcher(labels.MatchNotEqual, model.MetricNameLabel, "")
	for set := q.Select(ctx, true, nil, all); set.Next(); {
		l := set.At().Labels()
		if slices.Contains(recorded, l.Get(model.MetricNameLabel)) {
			continue
		}
		it := set.At().Iterator(nil)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			if err := copySample(to, l, it, kind); err != nil {
				return nil, fmt.Errorf("copy what was scraped: %w", err)
			}
		}
		if err := it.Err(); err != nil {
			return nil, err
		}
	}
	return to, nil
}

func copySample(to *metricstore.Store, l labels.Labels, it chunkenc.Iterator, kind chunkenc.ValueType) error {
	if kind == chunkenc.ValFloat {
		at, v := it.At()
		return to.Append(l, at, v)
	}
	at, h := it.AtFloatHistogram(nil)
	return to.AppendHistogram(l, at, h)
}
