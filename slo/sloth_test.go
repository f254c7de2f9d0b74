package slo_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/observability-first/scaffold/slo"
)

// The labels of sloth are only written with compatibility, and change no other labels.
func TestSlothCompatibility(t *testing.T) {
	t.Parallel()
	for _, f := range mustCompile(t, minimal).Files() {
		if bytes.Contains(f.Data, []byte("sloth")) {
			t.Errorf("%s names sloth without compatibility", f.Name)
		}
	}
	rules := mustCompile(t, minimal+"compatibility: [sloth]\nowner: \"team {a}\"\n")
	for record, want := range map[string][]slo.Label{
		"slo:sli_bad:increase30s":           {{"sloth_id", "orders-availability"}, {"sloth_service", "orders"}, {"sloth_slo", "availability"}, {"slo", "availability"}},
		"slo:sli_error:ratio_rate5m":        {{"sloth_window", "5m"}, {"window", "5m"}},
		"slo:error_budget:ratio":            {{"sloth_id", "orders-availability"}, {"slo", "availability"}},
		"slo:time_period:days":              nil,
		"sloth_slo_info":                    {{"sloth_objective", "99.9"}, {"sloth_mode", "scaffold"}, {"owner", "team {a}"}},
		"OrdersAvailabilityErrorBudgetBurn": {{"sloth_severity", "page"}, {"severity", "critical"}, {"long", "1h"}, {"short", "5m"}},
	} {
		got := rule(t, rules, record)
		for _, l := range want {
			if !slices.Contains(got.Labels, l) {
				t.Errorf("%s has no label %s=%q: %v", record, l.Name, l.Value, got.Labels)
			}
		}
	}
}
