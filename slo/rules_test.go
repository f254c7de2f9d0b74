package slo_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/testkit/golden"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

func TestGoldenFiles(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{"orders": generated, "checkout": example(t)} {
		rules := mustCompile(t, src)
		for _, f := range rules.Files() {
			golden.Compare(t, filepath.Join("testdata", name, f.Name), f.Data)
		}
		golden.Compare(t, filepath.Join("testdata", name, "alertmanager.yaml"), rules.Alertmanager())
		golden.Compare(t, filepath.Join("testdata", name, "prometheusrule.yaml"), rules.PrometheusRule())
		golden.Compare(t, filepath.Join("testdata", name, "alertmanagerconfig.yaml"), rules.AlertmanagerConfig())
	}
}

func TestPrometheusReadsTheRules(t *testing.T) {
	t.Parallel()
	for name, src := range variants(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := mustCompile(t, src)
			for i, f := range rules.RuleFiles() {
				groups := load(t, f.Data)
				if len(groups.Groups) != 1 {
					t.Fatalf("%s has %d groups, want one per file", f.Name, len(groups.Groups))
				}
				sameGroup(t, rules.Groups[i], f.Data)
			}
		})
	}
}

// oneLine formats a query on one line.
func oneLine(t *testing.T, query string) string {
	t.Helper()
	expr, err := newParser().ParseExpr(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return expr.String()
}

// sameGroup compares a group in a file with the compiled group.
func sameGroup(t *testing.T, want slo.Group, data []byte) {
	t.Helper()
	got := load(t, data).Groups[0]
	if got.Name != want.Name || time.Duration(got.Interval) != want.Interval || time.Duration(*got.QueryOffset) != want.QueryOffset || got.Limit != want.Limit {
		t.Errorf("group %+v, want %s every %s, offset %s, limit %d", got.Name, want.Name, want.Interval, want.QueryOffset, want.Limit)
	}
	if len(got.Rules) != len(want.Rules) {
		t.Fatalf("%d rules, want %d", len(got.Rules), len(want.Rules))
	}
	for i, r := range got.Rules {
		w := want.Rules[i]
		if r.Record != w.Record || r.Alert != w.Alert || oneLine(t, r.Expr) != oneLine(t, w.Expr) || time.Duration(r.For) != w.For || time.Duration(r.KeepFiringFor) != w.KeepFiringFor {
			t.Errorf("rule %d reads back as %s%s: %s, want %s: %s", i, r.Record, r.Alert, r.Expr, w.Name(), w.Expr)
		}
		sameLabels(t, w.Name(), r.Labels, w.Labels)
		sameLabels(t, w.Name(), r.Annotations, w.Annotations)
	}
}

func sameLabels(t *testing.T, name string, got map[string]string, want []slo.Label) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has the labels %v, want %v", name, got, want)
	}
	for _, l := range want {
		if got[l.Name] != l.Value {
			t.Errorf("%s: %s is %q, want %q", name, l.Name, got[l.Name], l.Value)
		}
	}
	if !slices.IsSortedFunc(want, func(a, b slo.Label) int { return strings.Compare(a.Name, b.Name) }) {
		t.Errorf("%s: labels are not sorted: %v", name, want)
	}
}

// terminal are records that no rule reads.
var terminal = regexp.MustCompile(`^(slo:current_burn_rate:ratio|slo:period_error_budget_remaining:ratio|` +
	`slo:objective:ratio|slo:time_period:days|sloth_slo_info|slo:sli_coverage:ratio\d+d|service:up:sum)$`)

func TestRecordsAreUsedWithinTheirGroup(t *testing.T) {
	t.Parallel()
	for name, src := range variants(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pageRecords := map[string]bool{}
			for _, g := range mustCompile(t, src).Groups {
				recorded, used := map[string]bool{}, map[string]bool{}
				// The only reads between groups: ticket increases are sums of page increases,
				// read one scrape later.
				if g.Tier == slo.TierTicket {
					maps.Copy(recorded, pageRecords)
				}
				for _, record := range []string{slo.BadRecord(model.Duration(g.Interval).String()), slo.TotalRecord(model.Duration(g.Interval).String())} {
					pageRecords[record] = g.Tier == slo.TierPage
				}
				for _, r := range g.Rules {
					for _, s := range selectors(t, r.Expr) {
						used[s.Name] = true
						own := strings.HasPrefix(s.Name, "slo:") || strings.HasPrefix(s.Name, "sloth_")
						// A rule may read its own earlier results.
						if own && !recorded[s.Name] && s.Name != r.Record {
							t.Errorf("%s: %s reads %s, which no rule before it records", g.Name, r.Name(), s.Name)
						}
					}
					recorded[r.Record] = true
				}
				for record := range recorded {
					if pageRecords[record] {
						continue // sums of the ticket group
					}
					// Totals of pages, and long windows of objectives whose alerts cannot
					// fire, are denominators of recorded ratios.
					if record != "" && !used[record] && !terminal.MatchString(record) && !strings.HasPrefix(record, "slo:sli_error:ratio_rate") && !strings.HasPrefix(record, "slo:sli_bad:") {
						t.Errorf("%s: nothing reads %s", g.Name, record)
					}
				}
			}
		})
	}
}

func TestQueriesKeepSelectorAndEnvironment(t *testing.T) {
	t.Parallel()
	for name, src := range variants(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := mustCompile(t, src)
			environment := rules.Spec.EnvironmentLabel
			for _, q := range rules.Queries() {
				for _, s := range selectors(t, q.Expr) {
					if !narrowed(s, rules.Spec) {
						t.Errorf("%s reads %s without the selector of the service", q.Rule, s)
					}
				}
				expr, _ := newParser().ParseExpr(q.Expr)
				parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
					switch n := n.(type) {
					case *parser.AggregateExpr:
						if !n.Without && !slices.Contains(n.Grouping, environment) || n.Without && slices.Contains(n.Grouping, environment) {
							t.Errorf("%s mixes environments: %s", q.Rule, n)
						}
					case *parser.BinaryExpr:
						m := n.VectorMatching
						// Only the check for a service without any data has no environment.
						if m != nil && m.On && !slices.Contains(m.MatchingLabels, environment) && !strings.Contains(n.String(), "absent(") && !strings.Contains(n.String(), "slo:error_budget") {
							t.Errorf("%s matches across environments: %s", q.Rule, n)
						}
					}
					return nil
				})
			}
		})
	}
}

// narrowed reports whether a selector selects one service only.
func narrowed(s *parser.VectorSelector, spec slo.Spec) bool {
	has := func(name, value string) bool {
		for _, m := range s.LabelMatchers {
			if m.Name == name && (m.Value == value || strings.HasPrefix(m.Value, value)) {
				return true
			}
		}
		return false
	}
	for name, value := range spec.Selector {
		if has(name, value) {
			return true
		}
	}
	return has("service", spec.Service)
}

func TestNumbersAreExactDecimals(t *testing.T) {
	t.Parallel()
	rules := mustCompile(t, strings.Replace(generated, "99.9,", "99.999,", 1))
	if got, want := rule(t, rules, "slo:error_budget:ratio").Expr, "vector(0.00001)"; got != want {
		t.Errorf("budget is %s, want %s", got, want)
	}
	long := regexp.MustCompile(`[0-9]\.[0-9]{13,}`)
	for _, q := range rules.Queries() {
		if m := long.FindString(q.Expr); m != "" {
			t.Errorf("%s contains %s", q.Rule, m)
		}
	}
}

// A rule computes the objective from the error budget with round(). This test repeats the
// arithmetic for common objectives.
func TestRecordedObjectiveIsExact(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"50", "90", "95", "97.5", "98", "99", "99.5", "99.9", "99.95", "99.99", "99.995", "99.999", "99.9999", "99.999999"} {
		share, _ := slo.Percent(text).Rat()
		want, _ := new(big.Rat).Quo(share, big.NewRat(100, 1)).Float64()
		budget, _ := new(big.Rat).Sub(big.NewRat(1, 1), new(big.Rat).Quo(share, big.NewRat(100, 1))).Float64()
		nearest := 1 / 1e-8
		if got := float64(int64((1-budget)*nearest+0.5)) / nearest; got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestObjectivesShareTotals(t *testing.T) {
	t.Parallel()
	rules := mustCompile(t, minimal+
		"  - {name: strict, objective: 99.99, indicator: {availability: {}}}\n"+
		"  - {name: fast, objective: 99, indicator: {latency: {threshold: 100ms}}}\n"+
		"  - {name: slow, objective: 99.9, indicator: {latency: {threshold: 1s}}}\n")
	raw := map[string]int{}
	for _, r := range rules.Groups[0].Rules {
		for _, s := range selectors(t, r.Expr) {
			if strings.HasPrefix(s.Name, "http_") && r.Record == "slo:sli_total:increase30s" {
				raw[r.Labels[1].Value]++
			}
		}
	}
	if len(raw) != 2 {
		t.Errorf("total increases %v, want one for requests and one for latencies", raw)
	}
	counted := 0
	for _, r := range rules.Groups[0].Rules {
		if r.Record == "slo:sli_bad:increase30s" && strings.Contains(r.Expr, "last_over_time(http_server_routed_requests_total") {
			counted++
		}
	}
	if counted != 1 {
		t.Errorf("bad requests are counted %d times, want once for both objectives", counted)
	}
}

func TestIntegerBoundsHaveTwoSpellings(t *testing.T) {
	t.Parallel()
	for threshold, want := range map[string]string{
		"1s": `le=~"1|1\\.0"`, "200ms": `le="0.2"`, "2500ms": `le="2.5"`, "10s": `le=~"10|10\\.0"`, "5ms": `le="0.005"`,
	} {
		rules := mustCompile(t, "apiVersion: scaffold.slo/v1\nservice: a\nslos: [{name: l, objective: 99, indicator: {latency: {threshold: "+threshold+"}}}]\n")
		if got := rule(t, rules, "slo:sli_bad:increase30s").Expr; !strings.Contains(got, want) {
			t.Errorf("%s: no %s in %s", threshold, want, got)
		}
	}
}

func TestHistogramInMilliseconds(t *testing.T) {
	t.Parallel()
	rules := mustCompile(t, "apiVersion: scaffold.slo/v1\nservice: a\nslos: [{name: l, objective: 99, indicator: {latency: {threshold: 250ms, histogram: rpc_milliseconds}}}]\n")
	if got := rule(t, rules, "slo:sli_bad:increase30s").Expr; !strings.Contains(got, `rpc_milliseconds_bucket{job="a",le=~"250|250\\.0"}`) {
		t.Errorf("bad increase reads %s", got)
	}
}

func TestQueryOffsetIsOneScrape(t *testing.T) {
	t.Parallel()
	for _, scrape := range []string{"5s", "15s", "25s", "60s"} {
		rules := mustCompile(t, minimal+"scrapeInterval: "+scrape+"\n")
		for i, interval := range []time.Duration{30 * time.Second, 2 * time.Minute} {
			if g := rules.Groups[i]; g.Interval != interval || g.QueryOffset != rules.Spec.ScrapeInterval {
				t.Errorf("%s scrapes: %s every %s with offset %s, want every %s with offset %s",
					scrape, g.Name, g.Interval, g.QueryOffset, interval, rules.Spec.ScrapeInterval)
			}
		}
		if g := rules.Groups[2]; g.Tier != slo.TierInstances || g.Interval != 15*time.Second || g.QueryOffset != 0 {
			t.Errorf("%s scrapes: %s every %s with offset %s", scrape, g.Name, g.Interval, g.QueryOffset)
		}
	}
}

func TestInstanceAlertsAreInTime(t *testing.T) {
	t.Parallel()
	for scrape := 5; scrape <= 60; scrape++ {
		rules := mustCompile(t, fmt.Sprintf("%sruntime: true\nscrapeInterval: %ds\n", minimal, scrape))
		if got := rules.DownWithin(); got > 3*time.Minute {
			t.Errorf("%d s scrapes: a page fires %s after the last instance stops", scrape, got)
		}
		for _, a := range rules.Alerts {
			// After a lost scrape, data is missing until the next one and its timeout.
			if a.Kind == slo.KindDown && a.Rule.For < time.Duration(scrape+10)*time.Second {
				t.Errorf("%d s scrapes: %s fires for a single lost scrape", scrape, a.Name)
			}
		}
	}
}

func TestOutputIsDeterministic(t *testing.T) {
	t.Parallel()
	src := strings.Replace(generated, "runtime: true", "runtime: true\nselector: {job: a, cluster: b, region: c}\nalerting: {labels: {a: x, b: y, c: z}, annotations: {d: x, e: y, f: z}}", 1)
	want := all(mustCompile(t, src))
	for range 20 {
		if got := all(mustCompile(t, src)); !bytes.Equal(got, want) {
			t.Fatal("two runs differ")
		}
	}
}

func all(r slo.Rules) []byte {
	var out []byte
	for _, f := range r.Files() {
		out = append(out, f.Data...)
	}
	return append(append(out, r.Alertmanager()...), r.PrometheusRule()...)
}

func TestUses(t *testing.T) {
	t.Parallel()
	got := map[string][]string{}
	for _, u := range mustCompile(t, generated).Uses() {
		got[u.Metric] = u.Labels
	}
	for metric, labels := range map[string][]string{
		semconv.HTTPServerRoutedRequests:                    {"deployment_environment_name", "job", "outcome"},
		semconv.HTTPServerRoutedRequestDuration + "_bucket": {"deployment_environment_name", "job", "le", "outcome"},
		semconv.RuntimeReady:                                {"deployment_environment_name", "job"},
		semconv.RuntimeHealthCheckUp:                        {"check", "deployment_environment_name", "job"},
		semconv.Up:                                          {"deployment_environment_name", "instance", "job"},
		semconv.ProcessStartTime:                            {"deployment_environment_name", "instance", "job"},
	} {
		if !slices.Equal(got[metric], labels) {
			t.Errorf("%s is used with %v, want %v", metric, got[metric], labels)
		}
	}
	for metric := range got {
		if strings.HasPrefix(metric, "slo:") {
			t.Errorf("%s is recorded by the rules themselves", metric)
		}
	}
}

func TestPrometheusRuleHasAllGroups(t *testing.T) {
	t.Parallel()
	rules := mustCompile(t, generated)
	var resource struct {
		Kind     string
		Metadata struct{ Name string }
		Spec     any
	}
	if err := yaml.Unmarshal(rules.PrometheusRule(), &resource); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(resource.Spec) // which is YAML, too
	if err != nil {
		t.Fatal(err)
	}
	if groups := load(t, data); resource.Kind != "PrometheusRule" || resource.Metadata.Name != "orders-slo" || len(groups.Groups) != 3 {
		t.Errorf("%s %s has %d groups", resource.Kind, resource.Metadata.Name, len(groups.Groups))
	}
}

func TestRuleFileHasAllGroups(t *testing.T) {
	t.Parallel()
	for name, src := range variants(t) {
		rules := mustCompile(t, src)
		one := load(t, rules.RuleFile())
		files := rules.RuleFiles()
		if len(one.Groups) != len(files) {
			t.Fatalf("%s: %d groups in one file, %d files", name, len(one.Groups), len(files))
		}
		for i, f := range files {
			if want := load(t, f.Data).Groups[0]; !reflect.DeepEqual(want.Rules, one.Groups[i].Rules) || want.Name != one.Groups[i].Name {
				t.Errorf("%s: group %s differs", name, want.Name)
			}
		}
	}
}
