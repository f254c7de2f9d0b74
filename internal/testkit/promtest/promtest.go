// Package promtest runs the test files of promtool on the alert simulation.
package promtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
)

// The limits of promtool's engine, which are lower than a server's.
const (
	unitTestSamples = 10_000
	unitTestTimeout = 100 * time.Second
)

type unitTestFile struct {
	RuleFiles          []string       `yaml:"rule_files"`
	EvaluationInterval model.Duration `yaml:"evaluation_interval"`
	GroupEvalOrder     []string       `yaml:"group_eval_order"`
	FuzzyCompare       bool           `yaml:"fuzzy_compare"`
	Tests              []unitTest     `yaml:"tests"`
}

type unitTest struct {
	Name     string         `yaml:"name"`
	Interval model.Duration `yaml:"interval"`
	Input    []struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	} `yaml:"input_series"`
	Alerts         []alertTest       `yaml:"alert_rule_test"`
	Queries        []queryTest       `yaml:"promql_expr_test"`
	ExternalLabels map[string]string `yaml:"external_labels"`
	ExternalURL    string            `yaml:"external_url"`
	Start          moment            `yaml:"start_timestamp"`
}

// moment is a time in seconds since the epoch or in RFC 3339. The zero value is the epoch.
type moment struct{ nanos int64 }

func (m *moment) UnmarshalYAML(node *yaml.Node) error {
	if seconds, err := strconv.ParseFloat(node.Value, 64); err == nil {
		whole, fraction := math.Modf(seconds)
		m.nanos = time.Unix(int64(whole), int64(math.Round(fraction*1000))*int64(time.Millisecond)).UnixNano()
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, node.Value)
	if err != nil {
		return fmt.Errorf("line %d: invalid start_timestamp %q; write 2026-01-02T15:04:05Z or seconds since the epoch", node.Line, node.Value)
	}
	m.nanos = t.UnixNano()
	return nil
}

// Run runs a test file of promtool with the same results. read returns the content of a rule file by its
// name in the test file. As in promtool, the interval of groups is that of the test file. Unlike in
// promtool, a test without an expectation and a failed template are errors. The error joins all failed
// expectations.
func Run(ctx context.Context, data []byte, read func(name string) ([]byte, error)) error {
	var file unitTestFile
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		return fmt.Errorf("test file: %w", err)
	}
	if file.EvaluationInterval <= 0 {
		file.EvaluationInterval = model.Duration(rulesim.DefaultInterval)
	}
	groups, err := file.groups(read)
	if err != nil {
		return err
	}
	var problems []error
	for i, t := range file.Tests {
		if err := t.run(ctx, groups, file); err != nil {
			problems = append(problems, fmt.Errorf("tests[%d] %q: %w", i, t.Name, err))
		}
	}
	return errors.Join(problems...)
}

// groups loads the groups in the order of group_eval_order. Other groups are first, as in promtool.
func (f unitTestFile) groups(read func(name string) ([]byte, error)) ([]rulesim.Group, error) {
	var out []rulesim.Group
	for _, name := range f.RuleFiles {
		content, err := read(name)
		if err != nil {
			return nil, fmt.Errorf("rule file: %w", err)
		}
		more, err := rulesim.Load(name, content)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	order := map[string]int{}
	for i, name := range f.GroupEvalOrder {
		if _, ok := order[name]; ok {
			return nil, fmt.Errorf("duplicate group %s in group_eval_order; remove one", name)
		}
		order[name] = i
	}
	slices.SortStableFunc(out, func(a, b rulesim.Group) int { return cmp.Compare(order[a.Name], order[b.Name]) })
	return out, nil
}

func (u unitTest) run(ctx context.Context, groups []rulesim.Group, file unitTestFile) error {
	if len(u.Queries)+len(u.Alerts) == 0 {
		return errors.New("neither alert_rule_test nor promql_expr_test; add an expectation")
	}
	every := time.Duration(file.EvaluationInterval)
	store, err := u.store(every)
	if err != nil {
		return err
	}
	ev, err := rulesim.New(store, groups, rulesim.Options{
		Interval: every, Substep: every, Phase: time.Duration(u.Start.nanos % every.Nanoseconds()), Annotate: true,
		MaxSamples: unitTestSamples, QueryTimeout: unitTestTimeout,
		ExternalURL: u.ExternalURL, ExternalLabels: labels.FromMap(u.ExternalLabels),
	})
	if err != nil {
		return err
	}
	problems, err := u.runAlerts(ctx, ev)
	if err != nil {
		return err
	}
	if err := ev.Run(ctx, u.at(0), u.at(u.last()).Add(1)); err != nil {
		return err
	}
	for _, q := range u.Queries {
		problems = append(problems, q.run(ctx, ev, u.at(q.At), file.FuzzyCompare))
	}
	return errors.Join(problems...)
}

// at returns the absolute time of a time in the test file.
func (u unitTest) at(d model.Duration) time.Time {
	return time.Unix(0, u.Start.nanos).Add(time.Duration(d))
}

func (u unitTest) last() model.Duration {
	var last model.Duration
	for _, q := range u.Queries {
		last = max(last, q.At)
	}
	for _, a := range u.Alerts {
		last = max(last, a.At)
	}
	return last
}

// runAlerts evaluates up to each time at which alerts are expected and compares
// them. The error is that of a rule.
func (u unitTest) runAlerts(ctx context.Context, ev *rulesim.Evaluator) (problems []error, err error) {
	tests := slices.Clone(u.Alerts)
	slices.SortStableFunc(tests, func(a, b alertTest) int { return cmp.Compare(a.At, b.At) })
	for _, a := range tests {
		if a.Name == "" {
			return nil, fmt.Errorf("alert_rule_test at %s: alertname is missing; add it", a.At)
		}
		if err := ev.Run(ctx, u.at(0), u.at(a.At).Add(1)); err != nil {
			return nil, err
		}
		problems = append(problems, a.compare(ev.Alerts()))
	}
	return problems, nil
}

// store returns a store with the input series.
func (u unitTest) store(every time.Duration) (*metricstore.Store, error) {
	step := time.Duration(u.Interval)
	if step <= 0 {
		step = every
	}
	store := metricstore.New()
	for _, in := range u.Input {
		l, values, err := parser.NewParser(parser.Options{}).ParseSeriesDesc(in.Series + " " + in.Values)
		if err != nil {
			return nil, fmt.Errorf("input series %s: %w", in.Series, err)
		}
		for i, v := range values {
			t := u.at(0).UnixMilli() + int64(i)*step.Milliseconds()
			switch {
			case v.Omitted:
			case v.Histogram != nil:
				err = store.AppendHistogram(l, t, v.Histogram)
			default:
				err = store.Append(l, t, v.Value)
			}
			if err != nil {
				return nil, fmt.Errorf("input series: %w", err)
			}
		}
	}
	return store, nil
}

type alertTest struct {
	At   model.Duration `yaml:"eval_time"`
	Name string         `yaml:"alertname"`
	Want []struct {
		Labels      map[string]string `yaml:"exp_labels"`
		Annotations map[string]string `yaml:"exp_annotations"`
	} `yaml:"exp_alerts"`
}

// compare compares firing alerts with the expected ones.
func (a alertTest) compare(alerts []rulesim.Alert) error {
	var got, want []string
	for _, x := range alerts {
		if x.Firing && x.Name == a.Name {
			got = append(got, x.Labels.String()+" with "+x.Annotations.String())
		}
	}
	for _, w := range a.Want {
		b := labels.NewBuilder(labels.FromMap(w.Labels))
		b.Set(labels.AlertName, a.Name)
		want = append(want, b.Labels().String()+" with "+labels.FromMap(w.Annotations).String())
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("alert %s at %s: got\n  %s\nwant\n  %s", a.Name, a.At, orNothing(got), orNothing(want))
	}
	return nil
}

func orNothing(lines []string) string {
	if len(lines) == 0 {
		return "nothing"
	}
	return strings.Join(lines, "\n  ")
}

type queryTest struct {
	Expr string         `yaml:"expr"`
	At   model.Duration `yaml:"eval_time"`
	Want []wantedSample `yaml:"exp_samples"`
}

type wantedSample struct {
	Labels    string  `yaml:"labels"`
	Value     float64 `yaml:"value"`
	Histogram string  `yaml:"histogram"` // instead of the value
}

// tested is a sample in promtool's form for comparison.
type tested struct {
	labels    labels.Labels
	value     float64
	histogram string // empty for a value
}

func (s tested) String() string {
	if s.histogram != "" {
		return s.labels.String() + " " + s.histogram
	}
	return s.labels.String() + " " + strconv.FormatFloat(s.value, 'g', -1, 64)
}

func (q queryTest) run(ctx context.Context, ev *rulesim.Evaluator, at time.Time, fuzzy bool) error {
	found, err := ev.Query(ctx, q.Expr, at)
	if err != nil {
		return err
	}
	var got, want []tested
	for _, s := range found {
		t := tested{labels: s.Metric, value: s.F}
		if s.H != nil {
			t.histogram = s.H.TestExpression()
		}
		got = append(got, t)
	}
	for _, w := range q.Want {
		t, err := w.parse()
		if err != nil {
			return fmt.Errorf("%s at %s: expected sample %s: %w", q.Expr, q.At, w.Labels, err)
		}
		want = append(want, t)
	}
	byLabels := func(a, b tested) int { return labels.Compare(a.labels, b.labels) }
	slices.SortFunc(got, byLabels)
	slices.SortFunc(want, byLabels)
	same := func(a, b tested) bool {
		return labels.Equal(a.labels, b.labels) && a.histogram == b.histogram && sameValue(a.value, b.value, fuzzy)
	}
	if !slices.EqualFunc(got, want, same) {
		return fmt.Errorf("%s at %s: got %v, want %v", q.Expr, q.At, got, want)
	}
	return nil
}

func (w wantedSample) parse() (tested, error) {
	l, err := parser.NewParser(parser.Options{}).ParseMetric(w.Labels)
	if err != nil {
		return tested{}, fmt.Errorf("labels: %w", err)
	}
	t := tested{labels: l, value: w.Value}
	if w.Histogram == "" {
		return t, nil
	}
	_, values, err := parser.NewParser(parser.Options{}).ParseSeriesDesc("{} " + w.Histogram)
	if err != nil {
		return tested{}, fmt.Errorf("histogram: %w", err)
	}
	if len(values) != 1 || values[0].Histogram == nil {
		return tested{}, fmt.Errorf("invalid histogram %s; write one such as {{count:2 sum:3 buckets:[1 1]}}", w.Histogram)
	}
	t.histogram = values[0].Histogram.TestExpression()
	return t, nil
}

// sameValue compares as promtool does: NaN equals nothing, and fuzzy allows adjacent numbers.
func sameValue(a, b float64, fuzzy bool) bool {
	return a == b || fuzzy && (math.Nextafter(a, math.Inf(-1)) == b || math.Nextafter(a, math.Inf(1)) == b)
}
