package rulesim

import "testing"

// What is evaluated before an alert: nothing unless the rest cannot fail and adds nothing of its own.
func TestGuardOf(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ expr, want string }{
		"the first comparison":                            {"a > 1 and b > 2 and c > 3", "a > 1"},
		"within parentheses, aggregations and numbers":    {"sum by (x) ((a > 1 and b)) * 2 > 5", "a > 1"},
		"what is left after unless":                       {"a == 1 unless on (x) b", "a == 1"},
		"the left side of a division":                     {"count(a > 1 and b) / count(c)", "a > 1"},
		"differences by all labels cannot fail":           {"a and max_over_time(b[2m]) - min_over_time(b[5m]) > 5", "a"},
		"differences of aggregates may not match":         {"a and sum by (x) (b) - on (x) c", ""},
		"many may match one":                              {"a and b * on (x) group_left () c", ""},
		"a name that is a pattern gives labels twice":     {`a and max_over_time({__name__=~"b|c"}[1m]) > 1`, ""},
		"or has results of its own":                       {"a and b or c", ""},
		"a parameter may fail":                            {"count_values(\"a b\", a and b)", ""},
		"one comparison is all there is":                  {"a > 1", ""},
		"absence is a result where the guard has none":    {"absent(a and b)", ""},
		"the scalar of an empty result is a number":       {"vector(scalar(a and b))", ""},
		"subqueries of the guard are shared, not read":    {"max_over_time(a[1h:1m]) > 1 and b", ""},
		"what is no expression is left to the engine":     {"a and", ""},
		"a number on the left is no result of its own":    {"0 * (a and b)", ""},
		"samples of a subquery may have the same labels":  {"a and on () max_over_time((b or c)[10m:1m]) > 1", ""},
		"subqueries on the right cannot fail":             {"a and sum_over_time(b[1d:1h]) > 1", "a"},
		"an aggregate on the right cannot fail":           {"a and on (x) count by (x) (b == 1)", "a"},
		"a quantile on the right is left to the engine":   {"a and quantile by (x) (0.9, b)", ""},
		"what another function says may fail is not left": {"a and label_replace(b, \"x\", \"$1\", \"y\", \"(.*)\")", ""},
	} {
		if got := guardOf(test.expr); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
