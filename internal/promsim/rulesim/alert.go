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
func (l *Evaluator) History() []Firing {
	out := make([]Firing, len(l.history))
	for i, f := range l.history {
		out[i] = *f
	}
	return out
}

// Alert is an alert that is pending or firing.
type Alert struct {
	File, Group, Name string
	Labels            labels.Labels // alertname included
	// Annotations are as of FiredAt, or of the last evaluation with
	// Options.Annotate.
	Annotations labels.Labels
	Value       float64 // of the last evaluation that returned it
	ActiveAt    time.Time
	Firing      bool
}

// Alerts lists what is pending or firing after the last evaluation, in the order
// of the rules, then of the labels.
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

// instance is an alert that is pending or firing.
type instance struct {
	labels      labels.Labels
	annotations labels.Labels // as of the last expansion
	value       float64       // as of the last evaluation that returned it
	activeAt    time.Time
	// endedAt is when it first was no longer returned; keep_firing_for counts
	// from there.
	endedAt time.Time
	firing  *Firing // nil while pending
}

// alerts moves the rule's alerts on and returns the series about them.
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

// returned is a result of an alert's expression and the labels of its alert.
type returned struct {
	labels labels.Labels
	sample promql.Sample
}

// identities finds the alert of each result, by the hash of its labels.
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

// forget is what Prometheus does with the alerts of a rule above its limit.
func (r *rule) forget(at time.Time) {
	for hash, a := range r.active {
		r.end(hash, a, at)
	}
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

// series are those that an alert writes about itself. A label whose template
// gives nothing is not one of the alert, and keeps the text of the template here:
// so does Prometheus.
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

// expandAll expands values as templates. Empty results stay in the list: they
// remove a label of the result that the list is applied to.
func (r *rule) expandAll(ctx context.Context, texts labels.Labels, at time.Time, s promql.Sample) ([]labels.Label, error) {
	out := make([]labels.Label, 0, texts.Len())
	err := texts.Validate(func(l labels.Label) error {
		value, err := r.expand(ctx, l.Value, at, s)
		if err != nil {
			problem := fmt.Errorf("alert %s: template of %s: %w", r.Name, l.Name, err)
			if failed := r.ev.options.Failed; failed == nil || !failed(problem) {
				return problem
			}
			value = fmt.Sprintf("<error expanding template: %s>", err) // as Prometheus
		}
		out = append(out, labels.Label{Name: l.Name, Value: value})
		return nil
	})
	return out, err
}

// plainLabel is an action that gives the value of one label.
var plainLabel = regexp.MustCompile(`\{\{ ?\$labels\.([a-zA-Z_][a-zA-Z0-9_]*) ?\}\}`)

// withLabels expands a text of no other actions than labels. Most labels of most
// alerts are such, and weeks of alerts expand them at every evaluation.
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

// variables are what Prometheus defines before each template.
const variables = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"

func (r *rule) expand(ctx context.Context, text string, at time.Time, s promql.Sample) (string, error) {
	if simple, ok := withLabels(text, s.Metric); ok {
		return simple, nil
	}
	data := template.AlertTemplateData(s.Metric.Map(), r.ev.options.ExternalLabels.Map(), r.ev.options.ExternalURL, s)
	query := func(ctx context.Context, expr string, t time.Time) (promql.Vector, error) {
		v, err := r.ev.Query(ctx, expr, t)
		// The engine's own words: they end up in a label where Prometheus puts them.
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
