package rulesim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
)

// group is a Group with the state of its evaluations.
type group struct {
	Group
	due   time.Time
	rules []*rule
}

type rule struct {
	Rule
	ev       *Evaluator
	group    *group
	in       inputs               // only if RunRange evaluates the rule
	reach    time.Duration        // see plan.reach; only if RunRange evaluates the rule
	active   map[uint64]*instance // only for alerts
	returned map[uint64]labels.Labels
	wrote    map[uint64]labels.Labels // all series written; only if RunRange evaluates the rule
	cost     Cost
}

func (l *Evaluator) newGroup(g Group) *group {
	out := &group{Group: g}
	for _, r := range g.Rules {
		if l.options.Only != nil && !l.options.Only(r) {
			continue
		}
		out.rules = append(out.rules, &rule{
			Rule: r, ev: l, group: out,
			active: map[uint64]*instance{}, returned: map[uint64]labels.Labels{},
			cost: Cost{Group: g.Name, Rule: r.Name, IsAlert: r.IsAlert, Interval: g.Interval},
		})
	}
	return out
}

func (g *group) eval(ctx context.Context, at time.Time) error {
	for _, r := range g.rules {
		err := r.eval(ctx, at)
		if err == nil {
			continue
		}
		err = fmt.Errorf("%s: group %s: rule %s at %s: %w", g.File, g.Name, r.Name, at.UTC().Format(time.RFC3339), err)
		failed := r.ev.options.Failed
		if ctx.Err() != nil || failed == nil || !failed(err) {
			return err
		}
	}
	return nil
}

// eval queries and writes at the time that the group's offset gives.
func (r *rule) eval(ctx context.Context, at time.Time) error {
	then := at.Add(-r.group.QueryOffset)
	found, used, err := r.ev.query(ctx, r.Expr, then)
	if err != nil {
		return err
	}
	r.cost = r.cost.plus(used)
	var out promql.Vector
	if r.IsAlert {
		out, err = r.alerts(ctx, at, found)
	} else {
		out, err = r.recorded(found)
	}
	if err != nil {
		return err
	}
	return r.write(out, then.UnixMilli())
}

var errSameLabels = errors.New("two results have the same labels once the rule's own are set")

func (r *rule) recorded(found promql.Vector) (promql.Vector, error) {
	for i := range found {
		found[i].Metric = r.recordedAs(found[i].Metric)
	}
	if found.ContainsSameLabelset() {
		return nil, errSameLabels
	}
	return found, r.withinLimit(len(found))
}

// recordedAs returns the labels of a result with the name and labels of the recording rule.
func (r *rule) recordedAs(l labels.Labels) labels.Labels {
	b := labels.NewBuilder(l)
	b.Set(model.MetricNameLabel, r.Name)
	r.Labels.Range(func(own labels.Label) { b.Set(own.Name, own.Value) })
	return b.Labels()
}

func (r *rule) withinLimit(n int) error {
	if limit := r.group.Limit; limit > 0 && n > limit {
		return fmt.Errorf("%d series are more than the group's limit of %d; aggregate away the labels with the most values, or raise the limit", n, limit)
	}
	return nil
}

// write appends samples and marks series stale that the rule returned last time but not now. Samples that the
// store rejects count as not returned.
func (r *rule) write(out promql.Vector, then int64) error {
	now := make(map[uint64]labels.Labels, len(out))
	var problems []error
	for _, s := range out {
		if err := record(r.ev.store, s, then); err != nil {
			problems = append(problems, err)
			continue
		}
		now[s.Metric.Hash()] = s.Metric
		if r.wrote != nil {
			r.wrote[s.Metric.Hash()] = s.Metric
		}
	}
	for hash, l := range r.returned {
		if _, ok := now[hash]; !ok {
			problems = append(problems, end(r.ev.store, l, then))
		}
	}
	r.returned = now
	return errors.Join(problems...)
}

func record(to *metricstore.Store, s promql.Sample, then int64) error {
	var err error
	if s.H != nil {
		err = to.AppendHistogram(s.Metric, then, s.H)
	} else {
		err = to.Append(s.Metric, then, s.F)
	}
	if err != nil {
		return fmt.Errorf("record: %w; does another rule or target write this series?", err)
	}
	return nil
}

// end marks a series stale, unless another rule has written to it since.
func end(in *metricstore.Store, series labels.Labels, then int64) error {
	err := in.MarkStale(series, then)
	if err == nil || errors.Is(err, metricstore.ErrDuplicate) || errors.Is(err, metricstore.ErrOutOfOrder) {
		return nil
	}
	return fmt.Errorf("end a series: %w", err)
}
