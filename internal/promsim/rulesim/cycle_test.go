package rulesim_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
)

func TestCycles(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		rules []string
		want  []string
	}{
		{"a chain is not a cycle", []string{"record: a\n    expr: x", "record: b\n    expr: a", "record: c\n    expr: a + b"}, nil},
		{"two rules", []string{"record: a\n    expr: b", "record: b\n    expr: sum(a)"}, []string{"a reads b reads a"}},
		{"three rules, and a reader outside the cycle", []string{"record: a\n    expr: rate(c[5m])", "record: b\n    expr: a", "record: c\n    expr: b", "record: d\n    expr: c"}, []string{"a reads c reads b reads a"}},
		{"two cycles", []string{"record: a\n    expr: b", "record: b\n    expr: a", "record: c\n    expr: d", "record: d\n    expr: c"}, []string{"a reads b reads a", "c reads d reads c"}},
		{"a rule that reads its own past is not a cycle", []string{"record: a\n    expr: a + 1 or x"}, nil},
		{"a name pattern reads all matching rules", []string{"record: a:x\n    expr: b", "record: b\n    expr: '{__name__=~\"a:.*\"}'"}, []string{"a:x reads b reads a:x"}},
		{"an offset of one evaluation breaks the cycle", []string{"record: a\n    expr: b offset 15s", "record: b\n    expr: a"}, nil},
		{"a shorter offset does not break the cycle", []string{"record: a\n    expr: b offset 10s", "record: b\n    expr: a"}, []string{"a reads b reads a"}},
		{"a subquery offset breaks the cycle", []string{"record: a\n    expr: max_over_time(b[1m:15s] offset 1m)", "record: b\n    expr: a"}, nil},
		{"rules with the same name and different labels", []string{"record: a\n    expr: b\n    labels: {slo: x}", "record: b\n    expr: 'a{slo=\"y\"}'"}, nil},
		{"an alert and its state", []string{"alert: A\n    expr: a", "record: a\n    expr: 'ALERTS{alertname=\"A\"}'"}, []string{"A reads a reads A"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			groups, err := rulesim.Load("file.yaml", []byte(group("g", "15s", tc.rules...)))
			check(t, err)
			got := rulesim.Cycles(groups)
			if len(got) != len(tc.want) {
				t.Fatalf("got %q, want %q", got, tc.want)
			}
			for i, want := range tc.want {
				for _, part := range []string{want + ";", "file.yaml: group g", "offset 15s"} {
					if !strings.Contains(got[i], part) {
						t.Errorf("got %q, want %q in it", got[i], part)
					}
				}
			}
		})
	}
}

func TestRulesOfTheExamplesHaveNoCycles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../examples/*/observability/rules/*.rules.yaml")
	check(t, err)
	if len(files) < 4 {
		t.Fatalf("only %v", files)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		check(t, err)
		groups, err := rulesim.Load(file, data)
		check(t, err)
		for _, c := range rulesim.Cycles(groups) {
			t.Error(c)
		}
	}
}
