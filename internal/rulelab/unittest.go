package rulelab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/metricstore"
)

type unitTestFile struct {
	RuleFiles          []string       `yaml:"rule_files"`
	EvaluationInterval model.Duration `yaml:"evaluation_interval"`
	Tests              []unitTest     `yaml:"tests"`
}

type unitTest struct {
	Name     string         `yaml:"name"`
	Interval model.Duration `yaml:"interval"`
	Input    []struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	} `yaml:"input_series"`
	Queries []queryTest `yaml:"promql_expr_test"`
}

type queryTest struct {
	Expr string         `yaml:"expr"`
	At   model.Duration `yaml:"eval_time"`
	Want []wantedSample `yaml:"exp_samples"`
}

type wantedSample struct {
	Labels string  `yaml:"labels"`
	Value  float64 `yaml:"value"`
}

// UnitTests runs a test file of promtool. read gives the content of a rule file
// by the name that stands in the test file. Every group is evaluated at the
// test file's interval, as promtool does. Only promql_expr_test is known; other
// kinds of tests are an error. The error joins every expectation that is not met.
func UnitTests(ctx context.Context, data []byte, read func(name string) ([]byte, error)) error {
	var file unitTestFile
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		return fmt.Errorf("test file: %w", err)
	}
	if file.EvaluationInterval <= 0 {
		file.EvaluationInterval = model.Duration(DefaultInterval)
	}
	var groups []Group
	for _, name := range file.RuleFiles {
		content, err := read(name)
		if err != nil {
			return fmt.Errorf("rule file: %w", err)
		}
		more, err := Load(name, content)
		if err != nil {
			return err
		}
		groups = append(groups, more...)
	}
	var problems []error
	for i, t := range file.Tests {
		if err := t.run(ctx, groups, time.Duration(file.EvaluationInterval)); err != nil {
			problems = append(problems, fmt.Errorf("tests[%d] %q: %w", i, t.Name, err))
		}
	}
	return errors.Join(problems...)
}

func (u unitTest) run(ctx context.Context, groups []Group, every time.Duration) error {
	store, err := u.store(every)
	if err != nil {
		return err
	}
	lab, err := New(store, groups, Options{Interval: every})
	if err != nil {
		return err
	}
	if len(u.Queries) == 0 {
		return errors.New("promql_expr_test is empty, so that nothing is tested")
	}
	last := slices.MaxFunc(u.Queries, func(a, b queryTest) int { return int(a.At - b.At) })
	if err := lab.Run(ctx, time.Unix(0, 0), time.Unix(0, 1).Add(time.Duration(last.At))); err != nil {
		return err
	}
	var problems []error
	for _, q := range u.Queries {
		if err := q.run(ctx, lab); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// store holds the input series, one value each interval from time zero on.
func (u unitTest) store(every time.Duration) (*metricstore.Store, error) {
	step := time.Duration(u.Interval)
	if step <= 0 {
		step = every
	}
	store := metricstore.New()
	for _, in := range u.Input {
		l, values, err := newParser().ParseSeriesDesc(in.Series + " " + in.Values)
		if err != nil {
			return nil, fmt.Errorf("input series %s: %w", in.Series, err)
		}
		for i, v := range values {
			switch {
			case v.Omitted:
				continue
			case v.Histogram != nil:
				return nil, fmt.Errorf("input series %s: native histograms are not held", in.Series)
			}
			if err := store.Append(l, int64(i)*step.Milliseconds(), v.Value); err != nil {
				return nil, fmt.Errorf("input series: %w", err)
			}
		}
	}
	return store, nil
}

func (q queryTest) run(ctx context.Context, lab *Lab) error {
	found, err := lab.Query(ctx, q.Expr, time.Unix(0, 0).Add(time.Duration(q.At)))
	if err != nil {
		return err
	}
	want := make(promql.Vector, 0, len(q.Want))
	for _, w := range q.Want {
		l, err := newParser().ParseMetric(w.Labels)
		if err != nil {
			return fmt.Errorf("labels %s: %w", w.Labels, err)
		}
		want = append(want, promql.Sample{Metric: l, F: w.Value})
	}
	byLabels := func(a, b promql.Sample) int { return labels.Compare(a.Metric, b.Metric) }
	slices.SortFunc(found, byLabels)
	slices.SortFunc(want, byLabels)
	if !slices.EqualFunc(found, want, sameSample) {
		return fmt.Errorf("%s at %s: got %v, want %v", q.Expr, q.At, found, want)
	}
	return nil
}

func sameSample(a, b promql.Sample) bool {
	return labels.Equal(a.Metric, b.Metric) && (a.F == b.F || math.IsNaN(a.F) && math.IsNaN(b.F))
}
