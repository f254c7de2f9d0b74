package rulesim

import "testing"

// The guard of an alert is empty unless the rest of the expression cannot fail or add results.
func TestGuardOf(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ expr, want string }{
		"the first comparison is the guard":              {"a > 1 and b > 2 and c > 3", "a > 1"},
		"within parentheses, aggregations and numbers":   {"sum by (x) ((a > 1 and b)) * 2 > 5", "a > 1"},
		"unless keeps its left side":                     {"a == 1 unless on (x) b", "a == 1"},
		"the left side of a division":                    {"count(a > 1 and b) / count(c)", "a > 1"},
		"differences matched on all labels cannot fail":  {"a and max_over_time(b[2m]) - min_over_time(b[5m]) > 5", "a"},
		"differences of aggregates may not match":        {"a and sum by (x) (b) - on (x) c", ""},
		"many-to-one matching may fail":                  {"a and b * on (x) group_left () c", ""},
		"a name pattern may give duplicate labels":       {`a and max_over_time({__name__=~"b|c"}[1m]) > 1`, ""},
		"or adds results":                                {"a and b or c", ""},
		"a parameter may fail":                           {"count_values(\"a b\", a and b)", ""},
		"a single comparison has no guard":               {"a > 1", ""},
		"absent has a result when the guard has none":    {"absent(a and b)", ""},
		"the scalar of an empty result is a number":      {"vector(scalar(a and b))", ""},
		"a guard with a subquery is not used":            {"max_over_time(a[1h:1m]) > 1 and b", ""},
		"an invalid expression is left to the engine":    {"a and", ""},
		"a number on the left does not add results":      {"0 * (a and b)", ""},
		"samples of a subquery may have the same labels": {"a and on () max_over_time((b or c)[10m:1m]) > 1", ""},
		"subqueries on the right cannot fail":            {"a and sum_over_time(b[1d:1h]) > 1", "a"},
		"an aggregate on the right cannot fail":          {"a and on (x) count by (x) (b == 1)", "a"},
		"a quantile on the right is left to the engine":  {"a and quantile by (x) (0.9, b)", ""},
		"other functions may fail":                       {"a and label_replace(b, \"x\", \"$1\", \"y\", \"(.*)\")", ""},
	} {
		if got := guardOf(test.expr); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
