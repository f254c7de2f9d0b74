package dashboardfile_test

import (
	"testing"

	"github.com/observability-first/scaffold/internal/source/dashboardfile"
)

func TestVariablesAreReplaced(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, query, want string }{
		{"an interval", "rate(x[$__rate_interval])", "rate(x[89662855ms])"},
		{"a length of time in seconds", "increase(x[${__range_s}s])", "increase(x[173729146s])"},
		{"a length of time in milliseconds", "increase(x[${__interval_ms}ms]) / $__range_ms", "increase(x[173729135ms]) / 173729121"},
		{"the ends of the time range", "($__to - ${__from}) / 1000", "(1737291086400 - 1737291000000) / 1000"},
		{"a choice in a text", `x{a=~"$a",b="${b:regex}",c="[[c]]"}`, `x{a=~"1737291",b="1737291",c="1737291"}`},
		{"a number", "topk($n, x)", "topk(1737291, x)"},
		{"none", `x{a=~"b$"}`, `x{a=~"b$"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := dashboardfile.PromQL(tc.query); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// Messages name the variable of each value.
func TestBuiltInVariablesHaveDifferentValues(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, v := range []string{"$__interval", "$__rate_interval", "$__range", "$__auto", "$__interval_ms", "$__rate_interval_ms", "$__range_ms", "$__range_s"} {
		value := dashboardfile.PromQL(v)
		if seen[value] != "" || value != dashboardfile.PromQL("${"+v[1:]+":raw}") {
			t.Errorf("%s is %s, as is %q", v, value, seen[value])
		}
		seen[value] = v
	}
	const query = "rate(x[$__rate_interval]) / rate(x[$__range]) * $__range_s * $a + rate(x[${__range_s}s]) + rate(x[${__interval_ms}ms])"
	tree, err := dashboardfile.ParsePromQL(query)
	if err != nil {
		t.Fatal(err)
	}
	if got := dashboardfile.WithVariables(tree.String(), query); got != query {
		t.Errorf("got %s", got)
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
			expr, label := dashboardfile.Variable{Type: "query", Query: tc.query}.PromQL()
			if expr != tc.expr || label != tc.label {
				t.Errorf("got %q, %q", expr, label)
			}
		})
	}
	if expr, label := (dashboardfile.Variable{Type: "custom", Query: "label_values(a)"}).PromQL(); expr != "" || label != "" {
		t.Errorf("a list of values is not a query: %q, %q", expr, label)
	}
}

// A variable outside of a string may be a number or a name.
func TestQueriesWithVariablesParse(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]struct{ parses, free bool }{
		`sum by ($by) (rate(x_total{job=~"$job"}[$__rate_interval]))`: {true, true},
		`topk($n, x)`:                           {true, true},
		`sum by ($by) (rate(x[$interval])) > 5`: {true, true},
		`max(${metric}{job="a"})`:               {true, true},
		`x{job="$job"} > 5 # $threshold`:        {true, true},
		`up{${adhoc}}`:                          {true, true},
		`{job="a", $x , b="c"} > [[y]]`:         {true, true},
		`sum by ($by) (up{$adhoc})`:             {true, true},
		`up{$a,$b}`:                             {true, true},
		`up{${a}, ${b},[[c]], d="e"}`:           {true, true},
		`up{$name="a"}`:                         {true, true},
		`sum by (a,$b,c) (up{$adhoc})`:          {true, true},
		`up{$a $b}`:                             {false, true},
		`x $operator y`:                         {false, true},
		`sum(x{slo="$slo"}[$__rate_interval])`:  {false, false},
		"x{a=`$b`, c='$d', e=\"\\\"$f\"} > 5m)": {false, false},
	} {
		if _, err := dashboardfile.ParsePromQL(query); (err == nil) != want.parses || dashboardfile.Free(query) != want.free {
			t.Errorf("%s: %v, free %v", query, err, dashboardfile.Free(query))
		}
	}
}

func FuzzParsePromQL(f *testing.F) {
	f.Add(`sum by ($by) (rate(x_total{job=~"$job"}[$__rate_interval]))`)
	f.Add("a{b=`$c`,d='\\'[[e]]'}")
	f.Add("0X")
	f.Fuzz(func(t *testing.T, query string) {
		if got := dashboardfile.WithoutTexts(query); len(got) != len(query) {
			t.Errorf("%q without texts is %q", query, got)
		}
		if tree, err := dashboardfile.ParsePromQL(query); (tree == nil) == (err == nil) {
			t.Errorf("%q: %v, %v", query, tree, err)
		}
	})
}
