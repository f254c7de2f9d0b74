package rulesim

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/template"
)

// Series that an alert writes, and their state label.
const (
	alertsSeries   = "ALERTS"
	forStateSeries = "ALERTS_FOR_STATE"
	alertState     = "alertstate"
	statePending   = "pending"
	stateFiring    = "firing"
)

// Firing is one episode of an alert: from the first evaluation at which it fires to the first at which it
// does not.
type Firing struct {
	Alert       string
	Labels      labels.Labels // includes alertname
	Annotations labels.Labels // at FiredAt
	Value       float64       // at FiredAt
	ActiveAt    time.Time     // first evaluation of this episode that returned the alert
	FiredAt     time.Time
	ResolvedAt  time.Time // zero while the alert fires
}

// At reports whether the alert fires at t.
func (f Firing) At(t time.Time) bool {
	return !t.Before(f.FiredAt) && (f.ResolvedAt.IsZero() || t.Before(f.ResolvedAt))
}

// History returns all alerts that have fired, ordered by start.
func (l *Evaluator) History() []Firing {
	out := make([]Firing, len(l.history))
	for i, f := range l.history {
		out[i] = *f
	}
	return out
}

// Alert is a pending or firing alert.
type Alert struct {
	File, Group, Name string
	Labels            labels.Labels // includes alertname
	// Annotations are expanded at FiredAt, or at the last evaluation with Options.Annotate.
	Annotations labels.Labels
	Value       float64 // at the last evaluation that returned the alert
	ActiveAt    time.Time
	Firing      bool
}

// Alerts returns the alerts that are pending or firing after the last evaluation, ordered by rule, then by
// labels.
func (l *Evaluator) Alerts() []Alert {
	var out []Alert
	for _, g := range l.groups {
		for _, r := range g.rules {
			first := len(out)
			for _, a := range r.active {
				out = append(out, Alert{
					File: g.File, Group: g.Name, Name: r.Name, Labels: a.labels, Annotations: a.annotations,
					Value: a.value, ActiveAt: a.activeAt, Firing: a.firing != nil,
				})
			}
			slices.SortFunc(out[first:], func(a, b Alert) int { return labels.Compare(a.Labels, b.Labels) })
		}
	}
	return out
}

// instance is a pending or firing alert.
type instance struct {
	labels      labels.Labels
	annotations labels.Labels // at the last expansion
	value       float64       // at the last evaluation that returned the alert
	activeAt    time.Time
	// endedAt is the first evaluation that did not return the alert; keep_firing_for starts here.
	endedAt time.Time
	firing  *Firing // nil while pending
}

// alerts updates the states of the rule's alerts and returns the series to record for them.
func (r *rule) alerts(ctx context.Context, at time.Time, found promql.Vector) (promql.Vector, error) {
	returned, err := r.identities(ctx, at, found)
	if err != nil {
		return nil, err
	}
	for hash, i := range returned {
		if _, ok := r.active[hash]; !ok {
			r.active[hash] = &instance{labels: i.labels, activeAt: at}
		}
	}
	var out promql.Vector
	for hash, a := range r.active {
		now, ok := returned[hash]
		if !ok && !r.keeps(a, at) {
			r.end(hash, a, at)
			continue
		}
		if ok {
			a.endedAt = time.Time{}
		}
		if ok {
			a.value = now.sample.F
		}
		fires := a.firing == nil && at.Sub(a.activeAt) >= r.For
		if ok && (fires || r.ev.options.Annotate) {
			if err := r.annotate(ctx, a, at, now.sample); err != nil {
				return nil, err
			}
		}
		if fires {
			r.fire(a, at)
		}
		out = append(out, r.series(a, at.Add(-r.group.QueryOffset))...)
	}
	if err := r.withinLimit(len(r.active)); err != nil {
		r.forget(at)
		return nil, err
	}
	return out, nil
}

// returned is a result of an alert's expression, with the labels of the alert.
type returned struct {
	labels labels.Labels
	sample promql.Sample
}

// identities maps the hash of each alert's labels to its result.
func (r *rule) identities(ctx context.Context, at time.Time, found promql.Vector) (map[uint64]returned, error) {
	out := make(map[uint64]returned, len(found))
	for _, s := range found {
		l, err := r.identity(ctx, at, s)
		if err != nil {
			return nil, err
		}
		if _, ok := out[l.Hash()]; ok {
			return nil, fmt.Errorf("two alerts have the labels %s; keep a label that tells them apart", l)
		}
		out[l.Hash()] = returned{l, s}
	}
	return out, nil
}

// forget does what Prometheus does with the alerts of a rule that exceeds its limit.
func (r *rule) forget(at time.Time) {
	for hash, a := range r.active {
		r.end(hash, a, at)
	}
}

// keeps reports whether an alert that is no longer returned continues to fire.
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

func (r *rule) annotate(ctx context.Context, a *instance, at time.Time, s promql.Sample) error {
	annotations, err := r.expandAll(ctx, r.Annotations, at, s)
	a.annotations = labels.New(annotations...)
	return err
}

func (r *rule) fire(a *instance, at time.Time) {
	a.firing = &Firing{
		Alert: r.Name, Labels: a.labels, Annotations: a.annotations,
		Value: a.value, ActiveAt: a.activeAt, FiredAt: at,
	}
	r.ev.history = append(r.ev.history, a.firing)
}

// identity returns the labels of an alert: those of the result, overridden by those of the rule.
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

// series returns the series to record for an alert. If a label's template expands to nothing, the alert does
// not have the label, but its series have the text of the template, as in Prometheus.
func (r *rule) series(a *instance, then time.Time) promql.Vector {
	state := statePending
	if a.firing != nil {
		state = stateFiring
	}
	b := labels.NewBuilder(r.Labels)
	a.labels.Range(func(l labels.Label) { b.Set(l.Name, l.Value) })
	b.Set(model.MetricNameLabel, forStateSeries)
	since := b.Labels()
	b.Set(model.MetricNameLabel, alertsSeries)
	b.Set(alertState, state)
	return promql.Vector{
		{Metric: b.Labels(), T: then.UnixMilli(), F: 1},
		{Metric: since, T: then.UnixMilli(), F: float64(a.activeAt.Unix())},
	}
}

// expandAll expands templates. Empty results stay in the list: they remove the label when the list is applied
// to a result.
func (r *rule) expandAll(ctx context.Context, texts labels.Labels, at time.Time, s promql.Sample) ([]labels.Label, error) {
	out := make([]labels.Label, 0, texts.Len())
	err := texts.Validate(func(l labels.Label) error {
		value, err := r.expand(ctx, l.Value, at, s)
		if err != nil {
			problem := fmt.Errorf("alert %s: template of %s: %w", r.Name, l.Name, err)
			if failed := r.ev.options.Failed; failed == nil || !failed(problem) {
				return problem
			}
			value = fmt.Sprintf("<error expanding template: %s>", err) // as in Prometheus
		}
		out = append(out, labels.Label{Name: l.Name, Value: value})
		return nil
	})
	return out, err
}

// plainLabel matches a template action that prints one label.
var plainLabel = regexp.MustCompile(`\{\{ ?\$labels\.([a-zA-Z_][a-zA-Z0-9_]*) ?\}\}`)

// withLabels expands a template whose only actions are labels. Most alert labels are like this, and a
// simulation of weeks expands them at every evaluation.
func withLabels(text string, of labels.Labels) (expanded string, ok bool) {
	if !strings.Contains(text, "{{") {
		return text, true
	}
	if strings.Contains(text, "{{{") || strings.Contains(plainLabel.ReplaceAllLiteralString(text, ""), "{{") {
		return "", false
	}
	return plainLabel.ReplaceAllStringFunc(text, func(action string) string {
		return of.Get(plainLabel.FindStringSubmatch(action)[1])
	}), true
}

// variables are the definitions that Prometheus puts before each template.
const variables = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"

func (r *rule) expand(ctx context.Context, text string, at time.Time, s promql.Sample) (string, error) {
	if simple, ok := withLabels(text, s.Metric); ok {
		return simple, nil
	}
	data := template.AlertTemplateData(s.Metric.Map(), r.ev.options.ExternalLabels.Map(), r.ev.options.ExternalURL, s)
	query := func(ctx context.Context, expr string, t time.Time) (promql.Vector, error) {
		v, err := r.ev.Query(ctx, expr, t)
		// Prometheus puts the engine's error text into a label.
		if inner := errors.Unwrap(err); inner != nil {
			return nil, inner
		}
		return v, err
	}
	out, err := template.NewTemplateExpander(ctx, variables+text, "__alert_"+r.Name, data,
		model.TimeFromUnixNano(at.UnixNano()), query, r.ev.url, nil).Expand()
	if err != nil {
		return "", fmt.Errorf("%w", err)
	}
	return out, nil
}
