package verify

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/spec"
)

const shop = "testdata/shop"

// shopSubject loads the service that was not generated from a directory.
func shopSubject(t *testing.T, dir string) (Subject, error) {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(shop, "shop.slo.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	objectives, err := slo.Parse("shop.slo.yaml", src)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := slo.Compile(objectives)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Load(dir, &rules, nil)
	if err != nil {
		return s, err
	}
	s.Package = "./cmd/shop"
	return s, s.Complete(rules, nil)
}

// observe runs a service once and expects all checks to pass.
func observe(t *testing.T, s Subject, o Options) *Observation {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	seen, err := Observe(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	nothingLeft(t)
	for _, line := range failures(seen.Report()) {
		t.Error(line)
	}
	return seen
}

// failures returns the failed checks, one per line, with n for line numbers.
func failures(r report.Report) []string {
	var out []string
	for _, p := range r.Checks {
		if p.Failed() {
			place := p.File
			if p.Line > 0 {
				place += ":n"
			}
			out = append(out, strings.TrimPrefix(place+": ", ": ")+p.Name+": "+p.Detail)
		}
	}
	return out
}

// Files in the service directory, for change.
const (
	ownRules     = "observability/rules/own/shop.rules.yaml"
	ownDashboard = "observability/dashboards/own/shop.json"
	ownRunbook   = "observability/runbooks/own/selling.md"
	ownStack     = "observability/stack/prometheus.yaml"
	ownSources   = "observability/stack/datasources.yaml"
)

// change replaces one text in the service directory, or adds a file if old is empty.
type change struct{ file, old, new string }

func (c change) apply(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(shop)); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, filepath.FromSlash(c.file))
	text := ""
	if c.old != "" {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if text = string(src); !strings.Contains(text, c.old) {
			t.Fatalf("%s does not hold %q", c.file, c.old)
		}
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(text, c.old, c.new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// One run of a service that was not generated passes. Changed rules, dashboards and links are then checked on
// its observation: each mistake is reported with the most similar correct name.
func TestEndToEndServiceThatWasNotGenerated(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs a service")
	}
	subject, err := shopSubject(t, shop)
	if err != nil {
		t.Fatal(err)
	}
	seen := observe(t, subject, Options{QueryWithin: time.Second})
	wantStatus(t, seen.Report(), map[string]report.Status{
		"panel Carts, target A":         report.Passed,
		"panel Health checks, target A": report.Passed, // "Empty until" is declared
		"panel Revenue, target A":       report.Skipped,
		"panel Ways through the shop":   report.Skipped,
		"variable filters":              report.Skipped,
		"variable branch":               report.Skipped,
		"record shop:carts:rate5m":      report.Passed,
		"POST /carts":                   report.Passed,
		"own request: Fill a cart":      report.Passed,
	})
	for _, tc := range ownMistakes() {
		t.Run(tc.name, func(t *testing.T) {
			changed, err := shopSubject(t, tc.change.apply(t))
			if err != nil {
				t.Fatal(err)
			}
			report, err := seen.Judge(t.Context(), changed)
			if err != nil {
				t.Fatal(err)
			}
			all := strings.Join(failures(report), "\n")
			if tc.want == "" && all != "" || !strings.Contains(all, tc.want) {
				t.Errorf("got %q\nwant %q", all, tc.want)
			}
		})
	}
}

// wantStatus compares the status of named checks.
func wantStatus(t *testing.T, r report.Report, want map[string]report.Status) {
	t.Helper()
	for claim, status := range want {
		found := false
		for _, p := range r.Checks {
			if p.Name == claim {
				found = true
				if p.Status != status {
					t.Errorf("%s: %s (%s), want %s", claim, p.Status, p.Detail, status)
				}
			}
		}
		if !found {
			t.Errorf("nothing is said about %s", claim)
		}
	}
}

// mistake is a change and the text of the report; empty if the change is correct.
type mistake struct {
	name   string
	change change
	want   string
}

func ownMistakes() []mistake {
	return []mistake{
		{"nothing is changed", change{ownDashboard, "Shop / Sales", "Sales"}, ""},
		{
			"a metric in a rule is misspelled", change{ownRules, "shop_carts_total{job=\"shop\"}[5m]", "shop_cart_total{job=\"shop\"}[5m]"},
			ownRules + ": record shop:carts:rate5m: it recorded no series: metric shop_cart_total does not exist; did you mean \"shop_carts_total\"?",
		},
		{
			"a label in an alert is misspelled", change{ownRules, `ending="sold"`, `endng="sold"`},
			"alert ShopSellsNothing: it can never fire: metric shop_carts_total has no label endng; did you mean \"ending\"?",
		},
		{
			"a value in an alert does not exist", change{ownRules, `ending="sold"`, `ending="bought"`},
			`it can never fire: no series of shop_carts_total has ending="bought"; available: abandoned, sold`,
		},
		{
			"an alert reads a metric that no rule records", change{ownRules, `sum(rate(shop_carts_total{job="shop",ending="sold"}[1h]))`, `sum(shop:carts:rate5min)`},
			"it can never fire: metric shop:carts:rate5min does not exist; did you mean \"shop:carts:rate5m\"?",
		},
		{
			"rules read each other in a cycle", change{ownRules, "  - alert: ShopSellsNothing", "  - {record: 'shop:a', expr: 'shop:b'}\n  - {record: 'shop:b', expr: 'shop:a'}\n  - alert: ShopSellsNothing"},
			"no rules read each other in a cycle: " + ownRules + ": group shop: rules read each other in a cycle: shop:a reads shop:b reads shop:a",
		},
		{
			"a rule needs minutes", change{ownRules, `sum by (ending) (rate(shop_carts_total{job="shop"}[5m]))`, `count(max_over_time(max_over_time(max_over_time({__name__=~".+"}[1h:1s])[1h:1s])[1h:1s]))`},
			"every rule evaluates: " + ownRules + ": group shop: rule shop:carts:rate5m",
		},
		{
			"a metric on a dashboard is misspelled", change{ownDashboard, "sum(shop_carts_total{", "sum(shop_carts{"},
			ownDashboard + ":n: panel Ways through the shop, target A: no data: metric shop_carts does not exist; metrics with this prefix: shop_carts_total",
		},
		{
			"a label on a dashboard is misspelled", change{ownDashboard, `ending=~\"$ending\"`, `endings=~\"$ending\"`},
			"panel Carts, target A: no data: metric shop_carts_total has no label endings; did you mean \"ending\"? (with ending=abandoned)",
		},
		{
			"a dashboard query is not PromQL", change{ownDashboard, "sum(shop_carts_total{", "summ(shop_carts_total{"},
			"panel Ways through the shop, target A: summ(shop_carts_total",
		},
		{
			"a query names a variable that the dashboard does not have", change{ownDashboard, `ending=~\"$ending\"`, `ending=~\"$end\"`},
			"panel Carts, target A: $end has no value; declare the variable on the dashboard",
		},
		{
			"a variable is of an unknown kind", change{ownDashboard, "label_values(shop_carts_total, ending)", "magic(shop_carts_total)"},
			`variable ending: query variable "magic(shop_carts_total)" is not supported; use label_values(metric, label), custom or constant`,
		},
		{
			"a variable has no values", change{ownDashboard, "label_values(shop_carts_total, ending)", "label_values(shop_carts_total, color)"},
			"variable ending: it has no values: label_values(shop_carts_total, color)",
		},
		{
			"a query depends on a variable of another store", change{ownDashboard, `"expr": "shop:carts:rate5m"`, `"expr": "shop:carts:rate5m{branch=\"$branch\"}"`},
			"",
		},
		{
			"a panel is empty without a declaration", change{ownDashboard, "Empty until a health check is registered.", ""},
			"panel Health checks, target A: no data: metric runtime_health_check_up is declared and has no series yet",
		},
		{
			"a panel that may be empty reads a metric that will never exist", change{ownDashboard, "runtime_health_check_up{", "runtime_health_checks_up{"},
			"panel Health checks, target A: no data, and there never will be: metric runtime_health_checks_up does not exist; did you mean \"runtime_health_check_up\"?",
		},
		{
			"a dashboard links to one that does not exist", change{ownDashboard, "/d/shop-sales/sales?", "/d/shop-sails/sales?"},
			"link Itself: /d/shop-sails/sales?from=now-6h&to=now links to the dashboard shop-sails, which does not exist",
		},
		{
			"an alert links to a dashboard that does not exist", change{ownRules, "/d/shop-sales/", "/d/sales/"},
			"dashboard of the alert ShopSellsNothing: https://grafana.shop.test/d/sales/sales links to the dashboard sales",
		},
		{
			"a runbook sets a variable that its dashboard does not have", change{ownRunbook, "var-ending=", "var-end="},
			ownRunbook + ":n: link the dashboard of the runbook: /d/shop-sales/sales?var-end=sold sets end, which is not a variable of the dashboard shop-sales",
		},
		{
			"a runbook reads a metric that does not exist", change{ownRunbook, "shop_carts_total{", "shop_cart_total{"},
			ownRunbook + ":n: query 1 of the runbook: metric shop_cart_total does not exist; did you mean \"shop_carts_total\"?",
		},
		{
			"the scrape interval is the declared one", change{ownStack, "", "global: {scrape_interval: 15s}\nscrape_configs:\n- job_name: shop\n"}, "",
		},
		{
			"the scraper uses another interval than declared", change{ownStack, "", "global: {scrape_interval: 15s}\nscrape_configs:\n- {job_name: shop, scrape_interval: 1m}\n"},
			ownStack + ": the scrape interval is the declared one: job shop is scraped every 1m0s, but the rules are for 15s",
		},
		{
			"no job scrapes the service", change{ownStack, "", "scrape_configs:\n- {job_name: shopp, scrape_interval: 15s}\n"},
			"the scrape interval is the declared one: no job is named shop; available: shopp",
		},
		{
			"exemplars link to their traces", change{ownSources, "", "datasources:\n- uid: tempo\n- uid: prometheus\n  jsonData: {exemplarTraceIdDestinations: [{name: trace_id, datasourceUid: tempo}]}\n"}, "",
		},
		{
			"exemplars have another label", change{ownSources, "", "datasources:\n- uid: tempo\n- uid: prometheus\n  jsonData: {exemplarTraceIdDestinations: [{name: traceID, datasourceUid: tempo}]}\n"},
			ownSources + ": from an exemplar to its trace: none of ",
		},
		{
			"exemplars link to a data source that does not exist", change{ownSources, "", "datasources:\n- uid: prometheus\n  jsonData: {exemplarTraceIdDestinations: [{name: trace_id, datasourceUid: tempo}]}\n"},
			`from an exemplar to its trace: data source "tempo" does not exist`,
		},
	}
}

// Unreadable files are reported before anything runs: every mistake in every file, with its line.
func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change change
		want   []string
	}{
		{"a rule that does not parse", change{ownRules, "rate(shop_carts_total{job=\"shop\"}[5m])", "rate(shop_carts_total{job=}[5m])"}, []string{ownRules + ":6:11: "}},
		{"a function that does not exist", change{ownRules, "rate(", "speed("}, []string{ownRules + `:6:11: group "shop", rule 1, "shop:carts:rate5m": could not parse expression: 1:18: parse error: unknown function with name "speed"`}},
		{"a file that is not YAML", change{ownRules, "groups:", "groups: ["}, []string{ownRules + ":"}},
		{"an invalid dashboard", change{ownDashboard, `"uid"`, `uid`}, []string{ownDashboard + ":2:"}},
		{"requests with mistakes", change{"verify.http", "### Fill a cart", "@a b = 1\n### Fill a cart\n# @expect often\nPUSH {{host}}/carts\nno header\n###"}, []string{
			"verify.http:1:1: write a variable as @name = value",
			`verify.http:3:1: @expect "often": write a status such as 201`,
			`verify.http:4:1: "PUSH" is not an HTTP method`,
			"verify.http:5:1: invalid header field",
		}},
		{"invalid routes", change{"observability/alertmanager.yaml", "", "route: {receiver: nobody}\nreceivers: [{name: page}]\n"}, []string{`observability/alertmanager.yaml: alertmanager file: route: there is no receiver "nobody"`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := shopSubject(t, tc.change.apply(t))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q", err, want)
				}
			}
		})
	}
}

// A generated service without stores passes all checks, also under the race detector.
func TestEndToEndGeneratedServicePasses(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs a service")
	}
	subject := generated(t, "../../examples/minimal")
	subject.Simulation = nil // endtoend runs it
	r := observe(t, subject, Options{}).Report()
	for _, section := range []string{sectionService, sectionTraffic, sectionRules, sectionDashboards, sectionTrail, sectionLinks} {
		if len(r.Of(section)) < 2 {
			t.Errorf("%d checks of %s", len(r.Of(section)), section)
		}
	}
}

// generated loads the service from a directory with a specification.
func generated(t *testing.T, dir string) Subject {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(dir, spec.FileName))
	if err != nil {
		t.Fatal(err)
	}
	service, err := spec.Parse(spec.FileName, src)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := slo.Compile(service.SLO())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Load(dir, &rules, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Package = "./cmd/" + service.Binary()
	return s
}
