package verify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/source/dashboardfile"
)

// dashboardOf returns a dashboard with the given variables and panels.
func dashboardOf(t *testing.T, variables, panels string) dashboardfile.Dashboard {
	t.Helper()
	return parseDashboard(t, "shop.json", fmt.Sprintf(`{"uid":"shop","title":"Shop","schemaVersion":39,
		"templating":{"list":[%s]},
		"panels":[%s]}`, variables, panels))
}

// dashboardSession returns a session with a dashboard and series of jobs.
func dashboardSession(t *testing.T, b dashboardfile.Dashboard) *session {
	t.Helper()
	p := proberOf(t, jobs(), "mails_total")
	return &session{subject: Subject{Dashboards: []dashboardfile.Dashboard{b}, ScrapeInterval: scrapedEvery}, watch: p.watch, prober: p}
}

func TestPanelsHaveData(t *testing.T) {
	t.Parallel()
	const variables = `{"name":"job","type":"query","datasource":{"type":"prometheus"},"query":"label_values(jobs_total, job)"},
		{"name":"result","type":"query","query":"label_values(jobs_total{job=\"$job\"}, result)","includeAll":true},
		{"name":"trace","type":"query","datasource":{"type":"tempo"},"query":"label_values(x, y)"}`
	const inPanel = ` (with job=depot)`
	for name, tc := range map[string]struct{ description, target, want string }{
		"data":                             {"", `"expr":"jobs_total"`, "passed: 3 series"},
		"every value of a variable is run": {"", `"expr":"jobs_total{job=\"$job\",result=\"failed\"} or up"`, `failed: no data: no series of jobs_total has all of jobs_total{job="depot",result="failed"}` + inPanel},
		"the series of the last value are counted": {"", `"expr":"jobs_total{job=\"$job\"}"`, "passed: 2 series"},
		"built-in variables":                       {"", `"expr":"rate(jobs_total{result=\"ok\"}[$__rate_interval]) + $__range_s + $__interval_ms"`, "passed: 1 series"},
		"an undeclared variable":                   {"", `"expr":"jobs_total{job=\"$jobb\"} + $other"`, "failed: $jobb, $other has no value; declare the variable on the dashboard"},
		"no data":                                  {"", `"expr":"job_total"`, `failed: no data: metric job_total does not exist; did you mean "jobs_total"?`},
		"no data yet, as declared":                 {"Empty until a job fails.", `"expr":"jobs_total > 5"`, "passed: empty until a job fails"},
		"never data, even if declared":             {"Empty until a job fails.", `"expr":"job_total > 5"`, `failed: no data, and there never will be: metric job_total does not exist; did you mean "jobs_total"?`},
		"a query that does not parse":              {"", `"expr":"sum("`, "parse error"},
		"a variable of another store":              {"", `"expr":"jobs_total{trace=\"$trace\"}"`, "skipped: it depends on $trace, whose values come from another store than Prometheus"},
		"a query of another store":                 {"", `"query":"{}","datasource":{"type":"zipkin"}`, "skipped: verify does not run queries of zipkin"},
		"data of a week ago":                       {"", `"expr":"sum(rate(jobs_total[1m] offset 1w))"`, "passed: it reads data from before the run"},
		"data of now and a week ago":               {"", `"expr":"job_total - job_total offset 1w"`, `failed: no data: metric job_total does not exist; did you mean "jobs_total"?`},
		"a metric of a cluster":                    {"Empty until there is a cluster.", `"expr":"kube_pod_info"`, "passed: empty until there is a cluster"},
		"a hidden query":                           {"", `"expr":"job_total","hide":true`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := dashboardOf(t, variables, fmt.Sprintf(`{"type":"stat","title":"Jobs","description":%q,"targets":[{"refId":"A","instant":true,%s}]}`, tc.description, tc.target))
			s := dashboardSession(t, b)
			s.dashboards(t.Context())
			all := checksOf(s)
			got := strings.Join(all[min(3, len(all)):], "\n") // after the variables
			want := "shop.json:5: panel Jobs, target A: " + tc.want
			if tc.want == "" && got != "" || tc.want != "" && got != want && (tc.want != "parse error" || !strings.Contains(got, tc.want)) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestAnnotationsHaveData(t *testing.T) {
	t.Parallel()
	b := parseDashboard(t, "shop.json", `{"uid":"shop","title":"Shop","schemaVersion":39,"panels":[],"annotations":{"list":[
		{"name":"Deploys","expr":"jobs_total"},
		{"name":"Restarts","expr":"job_total"},
		{"name":"Off","expr":"job_total","enable":false},
		{"name":"Built in"}]}}`)
	s := dashboardSession(t, b)
	s.dashboards(t.Context())
	wantChecks(t, s,
		"shop.json:2: annotation Deploys: passed: 3 series",
		`shop.json:3: annotation Restarts: failed: no data, and there never will be: metric job_total does not exist; did you mean "jobs_total"?`,
	)
}

func TestVariablesOfferValues(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ variable, want string }{
		"a label of a metric":         {`"type":"query","query":"label_values(jobs_total, result)"`, "passed: dropped, failed, ok"},
		"a label of a selector":       {`"type":"query","query":"label_values(jobs_total{job=\"shop\"}, result)"`, "passed: failed, ok"},
		"a label of an expression":    {`"type":"query","query":"label_values(sum by (job) (jobs_total > 2), job)"`, "passed: shop"},
		"a label of any metric":       {`"type":"query","query":"label_values(queue)"`, "passed: mail"},
		"the variable above":          {`"type":"query","query":"label_values(jobs_total{job=\"$job\"}, result)"`, "passed: dropped"},
		"the result of a query":       {`"type":"query","query":"query_result(count(jobs_total))"`, "passed: {} => 3 @[1699999995000]"},
		"a list":                      {`"type":"custom","query":"a, b, Text : c"`, "passed: a, b, c"},
		"a constant":                  {`"type":"constant","query":"shop, depot"`, "passed: shop"},
		"a text box":                  {`"type":"textbox","query":"shop","current":{"value":"depot"}`, "passed: depot"},
		"a data source":               {`"type":"datasource","query":"prometheus"`, "passed: prometheus"},
		"a metric that is missing":    {`"type":"query","query":"label_values(job_total, result)"`, "failed: it has no values: label_values(job_total, result)"},
		"a label that is missing":     {`"type":"query","query":"label_values(jobs_total, color)"`, "failed: it has no values: label_values(jobs_total, color)"},
		"a variable that is missing":  {`"type":"query","query":"label_values(jobs_total{job=\"$jobb\"}, result)"`, `failed: $jobb is used in label_values(jobs_total{job="$jobb"}, result) before it has a value; declare it above`},
		"another function":            {`"type":"query","query":"metrics(jobs)"`, `failed: query variable "metrics(jobs)" is not supported; use label_values(metric, label), custom or constant`},
		"another type":                {`"type":"switch","query":"on"`, `failed: switch variable "on" is not supported; use label_values(metric, label), custom or constant`},
		"ad-hoc filters":              {`"type":"adhoc"`, "skipped: ad-hoc filters"},
		"group by":                    {`"type":"groupby"`, "skipped: ad-hoc filters"},
		"another store":               {`"type":"query","query":"label_values(x)","datasource":{"type":"loki"}`, "skipped: verify does not run queries of loki"},
		"a query that does not parse": {`"type":"query","query":"query_result(sum)"`, "failed: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := dashboardSession(t, dashboardOf(t, `{"name":"job","type":"custom","query":"depot"},`+"\n{"+`"name":"mine",`+tc.variable+"}", ""))
			s.dashboards(t.Context())
			got := checksOf(s)
			if len(got) != 2 || got[0] != "shop.json:2: variable job: passed: depot" || tc.want != "failed: " && got[1] != "shop.json:3: variable mine: "+tc.want || !strings.Contains(got[1], tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestPanelsOutsideTheFileAreReported(t *testing.T) {
	t.Parallel()
	s := dashboardSession(t, dashboardOf(t, "", `{"type":"timeseries","title":"Core"},
		{"type":"grafana-worldmap-panel","title":"Map"},
		{"type":"stat","title":"Shared","libraryPanel":{"uid":"x"}}`))
	s.dashboards(t.Context())
	wantChecks(t, s,
		`shop.json:4: panel Map: skipped: panel of the plugin "grafana-worldmap-panel": its queries run, its drawing is not checked`,
		"shop.json:5: panel Shared: skipped: library panel: its queries are stored in Grafana, not in the file",
	)
}

func TestFillingsAreTheValuesThatAQueryDependsOn(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range maxChoices + 5 {
		many = append(many, strconv.Itoa(i))
	}
	choices := []choice{
		{name: "job", values: []string{"a", "b"}}, {name: "route", values: []string{"x", "y"}, all: true},
		{name: "one", values: []string{"1"}}, {name: "none"}, {name: "many", values: many},
	}
	for expr, want := range map[string]int{
		"up":                       1,
		"up{job='$job'}":           2,
		"up{job='$job_other'}":     1,
		"up{route=~'$route'}":      1, // all values together
		"up{one='$one'} + $none":   1,
		"up{m='$many'}":            maxChoices,
		"up{m='${many}',j='$job'}": maxChoices + 1,
	} {
		if got := fillings(expr, choices); len(got) != want {
			t.Errorf("%s: got %d, want %d", expr, len(got), want)
		}
	}
	got := fillings("$job", choices)
	if !slices.Equal(got[0]["job"], []string{"a"}) || !slices.Equal(got[1]["job"], []string{"b"}) || !slices.Equal(got[1]["route"], []string{"x", "y"}) || got[0]["none"] != nil {
		t.Errorf("got %v", got)
	}
	if got, want := chosen("$job $route", got[1], choices), " (with job=b, route=x|y)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBuiltInVariablesHaveGrafanasValues(t *testing.T) {
	t.Parallel()
	s := dashboardSession(t, dashboardfile.Dashboard{})
	fill := s.filler(map[string][]string{"job": {"a.b", "c"}, "__from": {"never"}})
	for name, want := range map[string]string{
		"__rate_interval": "1m0s", "__interval": "15s", "__auto": "15s", "__interval_ms": "15000", "__range": "600s", "__range_s": "600", "__range_ms": "600000",
		"__from": "1699999395000", "__to": "1699999995000", "job": `(a\\.b|c)`,
	} {
		if got, ok := fill(name, ""); !ok || got != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, ok, want)
		}
	}
	if _, ok := fill("color", ""); ok {
		t.Error("a variable that nothing declares has a value")
	}
}
