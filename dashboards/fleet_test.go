package dashboards_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/dashboards"
	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/queryapi"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/testkit/golden"
)

const (
	fleetSize = 200
	fleetEnv  = "deployment_environment_name"
)

// member is a service in one environment.
type member struct {
	name, environment, owner string
	burn                     float64 // of the last hour of its worst SLO
	remaining                float64
	alerts                   int
	instances                int
	versions                 []string
}

// members are the services of one environment: three fail, eight burn their budget too fast, and one has no instances.
func members(environment string) []member {
	var out []member
	for i := range fleetSize {
		m := member{
			name: fmt.Sprintf("service-%03d", i), environment: environment, owner: fmt.Sprintf("team-%c", 'a'+i%17),
			burn: 0.05 + 0.003*float64(i*37%fleetSize), remaining: 0.4 + 0.6*float64(i%29)/29, instances: 3, versions: []string{fmt.Sprintf("1.%d.0", i%7)},
		}
		switch {
		case environment != "prod":
			if i == 5 {
				m.burn, m.alerts = 500, 2
			}
		case i == 137:
			m.burn, m.remaining, m.alerts, m.versions = 38.4, -0.62, 3, []string{"2.4.0", "2.5.0"}
		case i == 42:
			m.burn, m.remaining, m.alerts = 16.1, 0.18, 2
		case i == 88:
			m.burn, m.remaining, m.alerts, m.instances = 6.2, -0.05, 1, 0
		case i%50 == 11:
			m.burn, m.remaining = 1.2+float64(i)/100, 0.21
		case i == 199:
			m.owner = ""
		}
		out = append(out, m)
	}
	return out
}

var fleetNow = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// fleetStore has what the rules of the services record, and build_info.
func fleetStore(tb testing.TB) *metricstore.Store {
	tb.Helper()
	store := metricstore.New()
	add := func(value func(t time.Time) float64, pairs ...string) {
		g := metricstore.Generator{
			First: fleetNow.Add(-4 * time.Hour).UnixMilli(), Last: fleetNow.UnixMilli(), Step: 30_000,
			Value: func(ms int64) float64 { return value(time.UnixMilli(ms)) },
		}
		if err := store.Generate(labels.FromStrings(pairs...), g); err != nil {
			tb.Fatal(err)
		}
	}
	always := func(v float64) func(time.Time) float64 { return func(time.Time) float64 { return v } }
	for _, m := range slices.Concat(members("prod"), members("dev")) {
		of := func(name string, more ...string) []string {
			return append([]string{"__name__", name, "service", m.name, fleetEnv, m.environment}, more...)
		}
		add(func(t time.Time) float64 { return float64(t.Unix()) }, of("service:last_seen:timestamp_seconds")...)
		if m.instances > 0 {
			add(always(float64(m.instances)), of("service:up:sum")...)
		}
		for i := range m.instances {
			add(always(1), "__name__", "build_info", "job", m.name, "instance", fmt.Sprintf("10.0.0.%d:9464", i), fleetEnv, m.environment,
				"version", m.versions[min(i, len(m.versions)-1)])
		}
		for i := range m.alerts {
			add(always(1), "__name__", "ALERTS", "alertname", fmt.Sprintf("%s%d", camel(m.name), i), "alertstate", "firing", "service", m.name, "environment", m.environment)
		}
		for i, objective := range []string{"availability", "latency"} {
			part, budget := 1-0.5*float64(i), []float64{0.001, 0.01}[i]
			labeled := func(name, window string) []string {
				return of(name, "slo", objective, "sli", "http requests", "window", window)
			}
			course := func(t time.Time) float64 { // the incidents began 40 minutes ago
				if began := fleetNow.Add(-40 * time.Minute); m.burn > 1 && t.Before(began) {
					return 0.3 * budget
				}
				if rising := fleetNow.Sub(t).Minutes() - 30; m.burn > 1 && rising > 0 {
					return (0.3 + (m.burn*part-0.3)*(1-rising/10)) * budget
				}
				return m.burn * part * budget
			}
			add(course, labeled("slo:sli_error:ratio_rate1h", "1h")...)
			left := 1 - (1-m.remaining)*part
			add(always(1-left), labeled("slo:period_burn_rate:ratio", "30d")...)
			add(always(left), labeled("slo:period_error_budget_remaining:ratio", "30d")...)
			if m.environment == "prod" {
				add(always(budget), "__name__", "slo:error_budget:ratio", "service", m.name, "slo", objective)
				add(always(1-budget), "__name__", "slo:objective:ratio", "service", m.name, "slo", objective, "team", m.owner)
			}
		}
	}
	return store
}

// shared returns the dashboards of all services, by file.
func shared(tb testing.TB, services ...dashboards.Input) map[string][]byte {
	tb.Helper()
	compiled, err := dashboards.Shared(services...)
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string][]byte{}
	for _, d := range compiled {
		src, err := d.JSON()
		if err != nil {
			tb.Fatal(err)
		}
		out[d.Name()] = src
	}
	return out
}

// drawFleet draws the fleet dashboard of 200 services in two environments, and returns the samples read.
func drawFleet(tb testing.TB, environment string) (*render.Picture, int64) {
	tb.Helper()
	store := fleetStore(tb)
	rules, err := rulesim.New(store, nil, rulesim.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	prometheus := &queryapi.Prometheus{Store: store, Rules: rules}
	source := func(ctx context.Context, q render.Query) (render.Result, error) {
		if q.Kind == render.Alerts {
			return render.Result{Alerts: fleetAlerts()}, nil
		}
		return prometheus.Query(ctx, q)
	}
	src := shared(tb, inputs(tb)["orders"])["fleet"]
	picture, err := render.Dashboard(tb.Context(), "fleet.json", src, source, render.Options{
		Location: time.UTC, Width: 1600, Now: fleetNow, Variables: map[string][]string{"environment": {environment}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	for _, p := range picture.Problems {
		tb.Error(p)
	}
	return picture, rules.Read()
}

func camel(service string) string {
	return "Service" + strings.TrimPrefix(service, "service-") + "ErrorBudgetBurn"
}

func fleetAlerts() []render.Alert {
	var out []render.Alert
	for _, m := range slices.Concat(members("prod"), members("dev")) {
		for i := range m.alerts {
			out = append(out, render.Alert{
				Name: fmt.Sprintf("%s%d", camel(m.name), i), State: "firing", Since: fleetNow.Add(-38 * time.Minute),
				Labels: map[string]string{"alertname": fmt.Sprintf("%s%d", camel(m.name), i), "service": m.name, "environment": m.environment, "severity": "critical"},
			})
		}
	}
	return out
}

// row returns the texts of the row that begins with a service, with their colors.
func row(shown render.Shown, service string) string {
	var out []string
	for _, c := range shown.Of("cell") {
		if begins := strings.HasPrefix(c.Text, "service-"); begins && len(out) > 0 {
			break
		} else if begins && c.Text == service || len(out) > 0 {
			out = append(out, strings.TrimSuffix(c.Text+" "+c.Color, " #ccccdc"))
		}
	}
	return strings.Join(out, ", ")
}

func TestFleetOfTwoHundredServices(t *testing.T) {
	t.Parallel()
	picture, samples := drawFleet(t, "prod")
	table := picture.Shown("All services")[0]
	rows := table.Cut
	for _, c := range table.Of("cell") {
		if strings.HasPrefix(c.Text, "service-") {
			rows++
		}
	}
	if rows != fleetSize {
		t.Errorf("%d rows, want one for each of %d services", rows, fleetSize)
	}
	if first := table.Of("cell")[0].Text; first != "service-137" {
		t.Errorf("the first service is %s, want the one with the highest burn rate", first)
	}
	for service, want := range map[string]string{
		"service-137": "service-137, 38.40 red, -62.0% red, 99.838%, availability, 3 red, 3 green, 2.5.0, 2 orange, team-b, 2",
		"service-088": "service-088, 6.20 orange, -5.0% red, 99.895%, availability, 1 red, 0 red, team-d, 2", // no instance, so no version
		"service-027": "service-027, 0.65 green, 95.9% green, 99.996%, availability, 0 green, 3 green, 1.6.0, 1 green, team-k, 2",
	} {
		if got := row(table, service); got != want {
			t.Errorf("row of %s:\n got %s\nwant %s", service, got, want)
		}
	}
	for title, want := range map[string]string{
		"Services": "200 blue", "Services without instances": "1 red", "Services with burn rate > 1": "7 orange", "Services without error budget": "2 red", "Firing alerts": "6 red",
	} {
		if got := picture.Shown(title)[0].Of("value"); len(got) != 1 || got[0].Text+" "+got[0].Color != want {
			t.Errorf("%s: %v, want %s", title, got, want)
		}
	}
	if got := picture.Shown("Burn rate (1h, top 10)")[0].Series; len(got) != 10 || !slices.Contains(got, "service-137") {
		t.Errorf("the graph has %q, want ten services", got)
	}
	var svg bytes.Buffer
	if err := picture.SVG(&svg); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "../docs/pictures/fleet.svg", svg.Bytes())
	const said = `a fleet dashboard of 200 services in two environments \|[^|]*\| `
	golden.Figure(t, "../docs/benchmarks.md", said+`(\d+) queries`, float64(picture.Queries), 0)
	golden.Figure(t, "../docs/benchmarks.md", said+`\d+ queries, ([\d,]+) samples`, float64(samples), 0)
}

// Another environment does not show the services of prod.
func TestFleetHasOneEnvironment(t *testing.T) {
	t.Parallel()
	picture, _ := drawFleet(t, "dev")
	table := picture.Shown("All services")[0]
	if got, want := row(table, table.Of("cell")[0].Text), "service-005, 500.00 red"; !strings.HasPrefix(got, want) {
		t.Errorf("the first row is %s, want %s", got, want)
	}
	if got := picture.Shown("Firing alerts")[0].Of("value"); got[0].Text != "2" {
		t.Errorf("firing alerts: %v, want 2", got)
	}
}
