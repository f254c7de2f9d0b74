package slo_test

import (
	"slices"
	"testing"

	"github.com/observability-first/scaffold/slo"
)

func TestSeriesForDashboardsAreRecorded(t *testing.T) {
	t.Parallel()
	spec, err := slo.Parse("x.yaml", []byte("apiVersion: scaffold.slo/v1\nservice: orders\nslos:\n"+
		"  - {name: availability, objective: 99.9, window: 30d, indicator: {availability: {}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := slo.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string]bool{}
	for _, q := range rules.Queries() {
		recorded[q.Rule] = true
	}
	want := []string{
		slo.RecordObjective, slo.RecordBudget, slo.RecordBurn, slo.RecordPeriodBurn, slo.RecordRemaining, slo.RecordTargets, slo.RecordLastSeen,
		slo.RatioRecord("30d"), slo.TotalRecord("30d"), slo.BadRecord("30d"), slo.CoverageRecord("1h"), slo.CoverageRecord("30d"),
	}
	for _, w := range slo.RatioWindows() {
		want = append(want, slo.RatioRecord(w), slo.TotalRecord(w), slo.BadRecord(w))
	}
	for _, name := range want {
		if !recorded[name] {
			t.Errorf("%s is not recorded", name)
		}
	}
}

// The owner is a label of the objective only: on another record, a new owner would end the history.
func TestOwnerIsALabelOfTheObjective(t *testing.T) {
	t.Parallel()
	for _, r := range mustCompile(t, minimal+"owner: \"team {a}\"\n").Groups {
		for _, rule := range r.Rules {
			if rule.Record == "" {
				continue
			}
			has := slices.Contains(rule.Labels, slo.Label{Name: slo.LabelTeam, Value: "team {a}"})
			if want := rule.Record == slo.RecordObjective; has != want {
				t.Errorf("%s has the owner: %v, want %v", rule.Record, has, want)
			}
		}
	}
	if got := rule(t, mustCompile(t, minimal), slo.RecordObjective).Labels; len(got) > 0 {
		t.Errorf("without an owner, the objective has the labels %v", got)
	}
}
