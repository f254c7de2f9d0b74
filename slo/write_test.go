package slo_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/slo"
)

// promtoolFile is a test file of promtool.
type promtoolFile struct {
	RuleFiles          []string `yaml:"rule_files"`
	EvaluationInterval string   `yaml:"evaluation_interval"`
	Tests              []struct {
		Name        string
		Interval    string
		InputSeries []struct{ Series, Values string } `yaml:"input_series"`
		PromQL      []struct {
			Expr       string
			EvalTime   string `yaml:"eval_time"`
			ExpSamples []struct {
				Labels string
				Value  float64
			} `yaml:"exp_samples"`
		} `yaml:"promql_expr_test"`
	}
}

func TestPromtoolFiles(t *testing.T) {
	t.Parallel()
	for name, src := range variants(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := mustCompile(t, src)
			files := rules.Files()
			for i, g := range rules.Groups {
				file := files[len(rules.Groups)+i]
				var got promtoolFile
				if err := yaml.Unmarshal(file.Data, &got); err != nil {
					t.Fatalf("%s: %v", file.Name, err)
				}
				if got.RuleFiles[0] != files[i].Name || len(got.Tests) == 0 {
					t.Errorf("%s tests %v in %d tests", file.Name, got.RuleFiles, len(got.Tests))
				}
				checkUnitTests(t, got, g)
			}
		})
	}
}

func checkUnitTests(t *testing.T, got promtoolFile, g slo.Group) {
	t.Helper()
	asserted := map[string]bool{}
	for _, test := range got.Tests {
		for _, s := range test.InputSeries {
			if _, _, err := newParser().ParseSeriesDesc(s.Series + " " + s.Values); err != nil {
				t.Errorf("%s: series %s %s: %v", test.Name, s.Series, s.Values, err)
			}
		}
		for _, q := range test.PromQL {
			for _, s := range selectors(t, q.Expr) {
				asserted[s.Name] = true
				if len(q.ExpSamples) == 1 {
					asserted[matched(s, "alertname")+matched(s, "long")] = true
				}
			}
		}
	}
	for _, r := range g.Rules {
		if isIncrease := strings.HasSuffix(r.Record, ":increase"+shortDuration(g)); isIncrease && !asserted[r.Record] {
			t.Errorf("no test counts %s", r.Record)
		}
		if (strings.Contains(r.Alert, "BudgetBurn") || g.Tier == slo.TierInstances && r.Alert != "") && !asserted[r.Alert+labelOf(r, "long")] {
			t.Errorf("no test fires %s", r.Alert)
		}
	}
}

// matched returns the value of a label that a selector matches.
func matched(s *parser.VectorSelector, label string) string {
	for _, m := range s.LabelMatchers {
		if m.Name == label {
			return m.Value
		}
	}
	return ""
}

func shortDuration(g slo.Group) string {
	return strings.TrimSuffix(strings.ReplaceAll(g.Interval.String(), "m0s", "m"), "0s0")
}

// alertMatcher is a matcher of Alertmanager: name, operator and quoted value.
var alertMatcher = regexp.MustCompile(`^([a-z_]+)(=~|!~|!=|=)"(.*)"$`)

func matches(t *testing.T, matchers []string, labels map[string]string) bool {
	t.Helper()
	for _, text := range matchers {
		m := alertMatcher.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("invalid matcher %s", text)
		}
		re := regexp.MustCompile("^(?:" + m[3] + ")$")
		value := labels[m[1]]
		ok := map[string]bool{"=": value == m[3], "!=": value != m[3], "=~": re.MatchString(value), "!~": !re.MatchString(value)}[m[2]]
		if !ok {
			return false
		}
	}
	return true
}

func TestOneIncidentIsOnePage(t *testing.T) {
	t.Parallel()
	var config struct {
		Inhibit []struct {
			Source []string `yaml:"source_matchers"`
			Target []string `yaml:"target_matchers"`
			Equal  []string
		} `yaml:"inhibit_rules"`
		Route struct {
			Routes []struct {
				Receiver string
				Matchers []string
				GroupBy  []string `yaml:"group_by"`
			}
		}
	}
	if err := yaml.Unmarshal(mustCompile(t, generated).Alertmanager(), &config); err != nil {
		t.Fatal(err)
	}
	alert := func(name, severity, environment string) map[string]string {
		return map[string]string{"alertname": name, "service": "orders", "environment": environment, "slo": "availability", "severity": severity}
	}
	inhibited := func(target map[string]string, firing ...map[string]string) bool {
		for _, rule := range config.Inhibit {
			for _, source := range firing {
				same := true
				for _, name := range rule.Equal {
					same = same && source[name] == target[name]
				}
				if same && matches(t, rule.Source, source) && matches(t, rule.Target, target) && !matches(t, rule.Source, target) {
					return true
				}
			}
		}
		return false
	}
	burn := func(severity, long, environment string) map[string]string {
		a := alert("OrdersAvailabilityErrorBudgetBurn", severity, environment)
		a["long"] = long
		return a
	}
	fast, slow := burn("critical", "1h", "production"), burn("critical", "6h", "production")
	ticket := burn("warning", "1d", "production")
	down, notReady := alert("OrdersDown", "critical", "production"), alert("OrdersNotReady", "critical", "production")
	crashing := alert("OrdersCrashLooping", "critical", "production")
	for name, test := range map[string]struct {
		target map[string]string
		firing []map[string]string
		want   bool
	}{
		"the fast page inhibits the slow one":    {slow, []map[string]string{fast}, true},
		"a page inhibits a ticket":               {ticket, []map[string]string{slow}, true},
		"a slower alert inhibits no faster one":  {fast, []map[string]string{slow, ticket}, false},
		"Down inhibits a page":                   {fast, []map[string]string{down}, true},
		"Down inhibits NotReady":                 {notReady, []map[string]string{down}, true},
		"Down inhibits CrashLooping":             {crashing, []map[string]string{down}, true},
		"CrashLooping inhibits NotReady":         {notReady, []map[string]string{crashing}, true},
		"CrashLooping does not inhibit Down":     {down, []map[string]string{crashing}, false},
		"NotReady does not inhibit CrashLooping": {crashing, []map[string]string{notReady}, false},
		"CrashLooping inhibits a page":           {fast, []map[string]string{crashing}, true},
		"NotReady does not inhibit Down":         {down, []map[string]string{notReady, fast}, false},
		"staging does not inhibit production":    {slow, []map[string]string{burn("critical", "1h", "staging")}, false},
		"HealthCheckFailing inhibits no page":    {fast, []map[string]string{alert("OrdersHealthCheckFailing", "warning", "production")}, false},
	} {
		if got := inhibited(test.target, test.firing...); got != test.want {
			t.Errorf("%s: inhibited %t, want %t", name, got, test.want)
		}
	}
	for _, route := range config.Route.Routes {
		if want := route.Receiver == "page"; matches(t, route.Matchers, fast) != want {
			t.Errorf("the route to %s matches a page: %t", route.Receiver, !want)
		}
		if strings.Join(route.GroupBy, " ") != "service environment slo" {
			t.Errorf("the route to %s groups by %v", route.Receiver, route.GroupBy)
		}
	}
}

func TestDashboardUIDsAreShortAndUnique(t *testing.T) {
	t.Parallel()
	if got := slo.DashboardUID("orders", "overview"); got != "orders-overview" {
		t.Errorf("uid %s", got)
	}
	a, b := slo.DashboardUID(strings.Repeat("a", 40), "overview"), slo.DashboardUID(strings.Repeat("a", 40), "slo")
	if len(a) > 40 || len(b) > 40 || a == b {
		t.Errorf("uids %s and %s", a, b)
	}
}

// Rule files contain each text once, and aliases of it; resources of the operator have no
// aliases.
func TestDescriptionsHaveAliases(t *testing.T) {
	t.Parallel()
	rules := mustCompile(t, minimal+"  - {name: strict, objective: 99.99, indicator: {availability: {}}}\n")
	for _, f := range rules.RuleFiles() {
		want := 1
		if strings.Contains(f.Name, "instances") {
			want = 0
		}
		if got := strings.Count(string(f.Data), "Error budget (30d): burn rate"); got != want {
			t.Errorf("%s contains the description of burn alerts %d times, want %d", f.Name, got, want)
		}
	}
	if got := strings.Count(string(rules.PrometheusRule()), "Error budget (30d): burn rate"); got != 8 {
		t.Errorf("the PrometheusRule contains %d descriptions, want 8", got)
	}
}

func TestWriteRuleFileWritesChunks(t *testing.T) {
	t.Parallel()
	rules := mustCompile(t, string(thousand(100)))
	var w pieces
	if err := rules.WriteRuleFile(&w); err != nil {
		t.Fatal(err)
	}
	if got := bytes.Join(w, nil); !bytes.Equal(got, rules.RuleFile()) {
		t.Error("the chunks differ from the file")
	}
	if len(w) < 5 {
		t.Errorf("%d chunks of half a megabyte, want more", len(w))
	}
	if err := rules.WriteRuleFile(broken{}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v from a failing writer", err)
	}
}

type pieces [][]byte

func (p *pieces) Write(data []byte) (int, error) {
	*p = append(*p, bytes.Clone(data))
	return len(data), nil
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// Tools such as kustomize read and rewrite the rules.
func TestRulesSurviveKustomize(t *testing.T) {
	t.Parallel()
	for name, src := range variants(t) {
		rules := mustCompile(t, src)
		var read any
		if err := yaml.Unmarshal(rules.PrometheusRule(), &read); err != nil {
			t.Fatal(err)
		}
		again, err := yaml.Marshal(read)
		if err != nil {
			t.Fatal(err)
		}
		var twice any
		if err := yaml.Unmarshal(again, &twice); err != nil || !reflect.DeepEqual(read, twice) {
			t.Errorf("%s: the rewritten resource differs (%v)", name, err)
		}
	}
}

// Lines of a query may be joined and split, but its syntax tree stays.
func TestWrittenQueriesAreTheCompiledOnes(t *testing.T) {
	t.Parallel()
	parse := func(query string) string {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
		if err != nil {
			t.Fatalf("%v in\n%s", err, query)
		}
		return expr.String()
	}
	for name, src := range variants(t) {
		rules := mustCompile(t, src)
		for _, file := range [][]byte{rules.RuleFile(), rules.PrometheusRule()} {
			type groups []struct{ Rules []struct{ Expr string } }
			var read struct {
				Groups groups
				Spec   struct{ Groups groups }
			}
			if err := yaml.Unmarshal(file, &read); err != nil {
				t.Fatal(err)
			}
			read.Groups = append(read.Groups, read.Spec.Groups...)
			if len(read.Groups) != len(rules.Groups) {
				t.Fatalf("%s: %d groups, want %d", name, len(read.Groups), len(rules.Groups))
			}
			for i, g := range rules.Groups {
				for j, r := range g.Rules {
					if got := parse(read.Groups[i].Rules[j].Expr); got != parse(r.Expr) {
						t.Errorf("%s: %s is\n%s\nwant\n%s", name, r.Name(), got, parse(r.Expr))
					}
				}
			}
		}
	}
}
