package rulelab_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/rulelab"
)

const unitTests = `
rule_files: [r.yaml]
evaluation_interval: 30s
tests:
- name: doubles
  interval: 15s
  input_series:
  - {series: 'x{a="1"}', values: '1 _ 3+1x4'}
  promql_expr_test:
  - {expr: y, eval_time: 1m, exp_samples: [{labels: 'y{a="1"}', value: 10}]}
  - {expr: z, eval_time: 1m}
`

func TestUnitTestsTellWhatIsNotMet(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, rule, tests, want string }{
		{"what is met is no error", "x * 2", unitTests, ""},
		{"a wrong value", "x * 3", unitTests, `tests[0] "doubles": y at 1m: got`},
		{"a wrong label", "sum(x) * 2", unitTests, `want {__name__="y", a="1"} => 10`},
		{"a rule that does not parse", "(", unitTests, "r.yaml"},
		{"a kind of test that is not known", "x", strings.Replace(unitTests, "promql_expr_test", "alert_rule_test", 1), "alert_rule_test"},
		{"a file that is not there", "x", strings.Replace(unitTests, "r.yaml", "s.yaml", 1), "no such file"},
		{"a test without an expectation", "x", strings.Split(unitTests, "  promql_expr_test")[0], "nothing is tested"},
		{"a series that does not parse", "x", strings.Replace(unitTests, "1 _ 3", "one", 1), "input series x"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := rulelab.UnitTests(t.Context(), []byte(tc.tests), func(name string) ([]byte, error) {
				if name != "r.yaml" {
					return nil, errors.New("no such file")
				}
				return []byte(group("g", "2m", "record: y\n    expr: "+tc.rule)), nil
			})
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
}
