package rulelab

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/template"
)

// The series that an alert writes about itself, and their label.
const (
	alertsSeries   = "ALERTS"
	forStateSeries = "ALERTS_FOR_STATE"
	alertState     = "alertstate"
	statePending   = "pending"
	stateFiring    = "firing"
)

// Firing is one alert from its first firing evaluation to the first at which it
// no longer fires.
type Firing struct {
	Alert       string
	Labels      labels.Labels // alertname included
	Annotations labels.Labels // as of FiredAt
	Value       float64       // as of FiredAt
	ActiveAt    time.Time     // first evaluation of this episode that returned it
	FiredAt     time.Time
	ResolvedAt  time.Time // zero while it fires
}

// At tells whether the alert fires at a time.
func (f Firing) At(t time.Time) bool {
	return !t.Before(f.FiredAt) && (f.ResolvedAt.IsZero() || t.Before(f.ResolvedAt))
}

// History lists every alert that has fired, in the order in which they began.
func (l *Lab) History() []Firing {
	out := make([]Firing, len(l.history))
	for i, f := range l.history {
		out[i] = *f
	}
	return out
}

// instance is an alert that is pending or firing.
type instance struct {
	labels   labels.Labels
	activeAt time.Time
	// endedAt is when it first was no longer returned; keep_firing_for counts
	// from there.
	endedAt time.Time
	firing  *Firing // nil while pending
}

// alerts moves the rule's alerts on and returns the series about them.
func (r *rule) alerts(ctx context.Context, at time.Time, found promql.Vector) (promql.Vector, error) {
	returned := make(map[uint64]promql.Sample, len(found))
	for _, s := range found {
		l, err := r.identity(ctx, at, s)
		if err != nil {
			return nil, err
		}
		hash := l.Hash()
		if _, ok := returned[hash]; ok {
			return nil, fmt.Errorf("two alerts have the labels %s", l)
		}
		returned[hash] = s
		if _, ok := r.active[hash]; !ok {
			r.active[hash] = &instance{labels: l, activeAt: at}
		}
	}
	var out promql.Vector
	for hash, a := range r.active {
		s, ok := returned[hash]
		if !ok && !r.keeps(a, at) {
			r.end(hash, a, at)
			continue
		}
		if ok {
			a.endedAt = time.Time{}
		}
		if a.firing == nil && at.Sub(a.activeAt) >= r.For {
			if err := r.fire(ctx, a, at, s); err != nil {
				return nil, err
			}
		}
		out = append(out, a.series(at.Add(-r.group.QueryOffset))...)
	}
	return out, r.withinLimit(len(r.active))
}

// keeps tells whether an alert that is no longer returned fires on.
func (r *rule) keeps(a *instance, at time.Time) bool {
	if a.firing == nil || r.KeepFiringFor == 0 {
		return false
	}
	if a.endedAt.IsZero() {
		a.endedAt = at
	}
	return at.Sub(a.endedAt) < r.KeepFiringFor
}

func (r *rule) end(hash uint64, a *instance, at time.Time) {
	if a.firing != nil {
		a.firing.ResolvedAt = at
	}
	delete(r.active, hash)
}

func (r *rule) fire(ctx context.Context, a *instance, at time.Time, s promql.Sample) error {
	annotations, err := r.expandAll(ctx, r.Annotations, at, s)
	if err != nil {
		return err
	}
	a.firing = &Firing{
		Alert: r.Name, Labels: a.labels, Annotations: labels.New(annotations...),
		Value: s.F, ActiveAt: a.activeAt, FiredAt: at,
	}
	r.lab.history = append(r.lab.history, a.firing)
	return nil
}

// identity is the labels of an alert: those of the result, then the rule's.
func (r *rule) identity(ctx context.Context, at time.Time, s promql.Sample) (labels.Labels, error) {
	own, err := r.expandAll(ctx, r.Labels, at, s)
	if err != nil {
		return labels.EmptyLabels(), err
	}
	b := labels.NewBuilder(s.Metric)
	b.Del(model.MetricNameLabel)
	for _, l := range own {
		b.Set(l.Name, l.Value)
	}
	b.Set(labels.AlertName, r.Name)
	return b.Labels(), nil
}

func (a *instance) series(then time.Time) promql.Vector {
	state := statePending
	if a.firing != nil {
		state = stateFiring
	}
	b := labels.NewBuilder(a.labels)
	b.Set(model.MetricNameLabel, forStateSeries)
	since := b.Labels()
	b.Set(model.MetricNameLabel, alertsSeries)
	b.Set(alertState, state)
	return promql.Vector{
		{Metric: b.Labels(), T: then.UnixMilli(), F: 1},
		{Metric: since, T: then.UnixMilli(), F: float64(a.activeAt.Unix())},
	}
}

// expandAll expands values as templates. Empty results stay in the list: they
// remove a label of the result that the list is applied to.
func (r *rule) expandAll(ctx context.Context, texts labels.Labels, at time.Time, s promql.Sample) ([]labels.Label, error) {
	out := make([]labels.Label, 0, texts.Len())
	err := texts.Validate(func(l labels.Label) error {
		value, err := r.expand(ctx, l.Value, at, s)
		if err != nil {
			return fmt.Errorf("template of %s: %w", l.Name, err)
		}
		out = append(out, labels.Label{Name: l.Name, Value: value})
		return nil
	})
	return out, err
}

// variables are what Prometheus defines before each template.
const variables = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"

func (r *rule) expand(ctx context.Context, text string, at time.Time, s promql.Sample) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	data := template.AlertTemplateData(s.Metric.Map(), nil, r.lab.options.ExternalURL, s)
	query := func(ctx context.Context, expr string, t time.Time) (promql.Vector, error) {
		return r.lab.Query(ctx, expr, t)
	}
	out, err := template.NewTemplateExpander(ctx, variables+text, "__alert_"+r.Name, data,
		model.TimeFromUnixNano(at.UnixNano()), query, r.lab.url, nil).Expand()
	if err != nil {
		return "", fmt.Errorf("%w", err)
	}
	return out, nil
}
