package boardfile_test

import (
	"testing"

	"github.com/observability-first/scaffold/internal/boardfile"
)

func TestVariablesGetAValue(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, query, want string }{
		{"an interval", "rate(x[$__rate_interval])", "rate(x[5m])"},
		{"a choice in a text", `x{a=~"$a",b="${b:regex}",c="[[c]]"}`, `x{a=~"1737291",b="1737291",c="1737291"}`},
		{"a number", "topk($n, x)", "topk(1737291, x)"},
		{"none", `x{a=~"b$"}`, `x{a=~"b$"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := boardfile.PromQL(tc.query); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestQueriesOfVariables(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, query, expr, label string }{
		{"values of a label of a metric", `label_values(up{job="a",b=~"$b"}, instance)`, `up{job="a",b=~"$b"}`, "instance"},
		{"values of a label of any metric", "label_values(instance)", "", "instance"},
		{"a query", "query_result(topk(3, up))", "topk(3, up)", ""},
		{"names of metrics", "metrics(.*)", "", ""},
		{"nothing known", "up", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			expr, label := boardfile.Variable{Type: "query", Query: tc.query}.PromQL()
			if expr != tc.expr || label != tc.label {
				t.Errorf("got %q, %q", expr, label)
			}
		})
	}
	if expr, label := (boardfile.Variable{Type: "custom", Query: "label_values(a)"}).PromQL(); expr != "" || label != "" {
		t.Errorf("a list of values is no query: %q, %q", expr, label)
	}
}
