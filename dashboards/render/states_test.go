package render_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/dashboards"
	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/promsim/alertsim"
	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/queryapi"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/testkit/golden"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/components"
	"github.com/observability-first/scaffold/templates/components/httpclient"
	"github.com/observability-first/scaffold/templates/components/postgres"
)

// serviceState is a state of a service in which its dashboards are drawn.
type serviceState struct {
	name      string
	replicas  []replica
	groupBy   string        // a label, or none
	scrape    string        // 15s if empty
	evaluated time.Duration // how long the rules have run; an hour if zero
	span      time.Duration // of the dashboards; three hours if zero
	variables map[string]string
	failing   bool // an alert fires
	repeats   [][]rulesim.Repetition
}

const day = 24 * time.Hour

func serviceStates() []serviceState {
	const long = 7 * time.Hour
	healthy := func(n, routes int) []replica { return some(n, "prod", long, someRoutes(routes)) }
	broken := func(list []replica, share float64) []replica {
		for i := range list {
			list[i].routes = slices.Clone(list[i].routes)
			for j := range list[i].routes {
				list[i].routes[j].bad, list[i].routes[j].badFrom = share, stateEnd().Add(-40*time.Minute)
			}
		}
		return list
	}
	idle := healthy(2, 3)
	for i := range idle[0].routes {
		idle[0].routes[i].rate, idle[1].routes[i].rate = 0, 0
	}
	many := healthy(1, 500)
	for i := range many[0].routes {
		if i%7 == 3 {
			many[0].routes[i].bad, many[0].routes[i].badFrom = .3, stateEnd().Add(-30*time.Minute)
		}
	}
	instances := healthy(50, 3)
	broken(instances[17:22], .5)
	environments := slices.Concat(healthy(2, 3), some(1, "staging", long, someRoutes(3)), broken(some(1, "dev", long, someRoutes(3)), .5))
	clusters := slices.Concat(inCluster("eu-1", healthy(2, 3)), inCluster("us-1", broken(healthy(2, 3), .3)))
	month := some(1, "prod", 31*day, someRoutes(1))
	month[0].scrape = time.Minute
	from, to, cycle := stateEnd().Add(-200*time.Hour), stateEnd().Add(-190*time.Hour), 20*time.Minute
	month[0].routes[0].bad, month[0].routes[0].badFrom, month[0].routes[0].badTo = .02, from, to
	repeats := [][]rulesim.Repetition{{{From: month[0].from, To: from, Every: cycle}, {From: from, To: to, Every: cycle}, {From: to, To: stateEnd(), Every: cycle}}}
	in := func(name, value string) map[string]string { return map[string]string{name: value} }
	return []serviceState{
		{name: "no data", failing: true},
		{name: "0 routes", replicas: healthy(1, 0), failing: true}, // its SLOs have no data
		{name: "no requests yet", replicas: idle},
		{name: "1 route, 1 instance", replicas: healthy(1, 1)},
		{name: "500 routes", replicas: many, span: time.Hour, failing: true},
		{name: "healthy", replicas: healthy(3, 7)},
		{name: "50 instances", replicas: instances, span: time.Hour, failing: true},
		{name: "started one hour ago", replicas: some(2, "prod", time.Hour, someRoutes(3))},
		{name: "30 days", replicas: month, scrape: "1m", evaluated: 31 * day, span: 30 * day, repeats: repeats},
		{name: "three environments, prod", replicas: environments},
		{name: "three environments, dev", replicas: environments, variables: in("environment", "dev"), failing: true},
		{name: "two clusters", replicas: clusters, groupBy: "cluster", failing: true},
		{name: "two clusters, eu-1", replicas: clusters, groupBy: "cluster", variables: in("cluster", "eu-1")},
		{name: "two clusters, us-1", replicas: clusters, groupBy: "cluster", variables: in("cluster", "us-1"), failing: true},
	}
}

// inCluster renames the instances, which have other addresses in another cluster.
func inCluster(name string, list []replica) []replica {
	for i := range list {
		list[i].cluster, list[i].instance = name, name+"-"+list[i].instance
	}
	return list
}

// compiledState returns the rules of a state, and by name its dashboards and the shared ones.
func compiledState(t *testing.T, scrape, groupBy string) (slo.Rules, map[string][]byte) {
	t.Helper()
	if scrape == "" {
		scrape = "15s"
	}
	spec, err := slo.Parse("orders.slo.yaml", []byte(`apiVersion: scaffold.slo/v1
service: orders
owner: team-checkout
runtime: true
groupBy: [`+groupBy+`]
scrapeInterval: `+scrape+`
replicas: {min: 1, max: 60}
slos:
  - {name: availability, objective: 99.9, indicator: {availability: {}}}
  - {name: latency, objective: 99, indicator: {latency: {threshold: 200ms}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range components.All() {
		spec.ComponentAlerts = append(spec.ComponentAlerts, c.Parts(component.Service{}).Alerts...)
	}
	rules, err := slo.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	in := dashboards.Input{Rules: rules, Scaling: dashboards.Scaling{CPU: .7, InFlight: 10}, Dependencies: []dashboards.Dependency{postgres.Dependency(), httpclient.Dependency()}}
	own, err := dashboards.Compile(in)
	shared, sharedErr := dashboards.Shared(in)
	if err := errors.Join(err, sharedErr); err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for prefix, list := range map[string][]dashboards.Dashboard{"": own, ofSet: shared} {
		for _, d := range list {
			src, err := d.JSON()
			if err != nil {
				t.Fatal(err)
			}
			out[prefix+strings.TrimPrefix(d.Name(), "orders-")] = src
		}
	}
	return rules, out
}

// evaluate adds the series of a state, and runs the rules.
func (s serviceState) evaluate(t *testing.T, rules slo.Rules) *queryapi.Prometheus {
	t.Helper()
	store := metricstore.New()
	w := plant{t, store, stateEnd()}
	for _, r := range s.replicas {
		w.replica(r)
	}
	evaluated, every := cmp.Or(s.evaluated, 70*time.Minute), time.Minute
	if s.span > day {
		every = 30 * time.Minute // the step of a graph
	}
	groups, from := groupsOf(t, rules), stateEnd().Add(-evaluated)
	first, err := rulesim.New(store, groups, rulesim.Options{Repeats: s.repeats})
	if err != nil {
		t.Fatal(err)
	}
	left, err := first.RunRange(t.Context(), from, stateEnd())
	if err != nil {
		t.Fatal(err)
	}
	rest, err := rulesim.New(store, groups, rulesim.Options{Interval: every, Only: func(r rulesim.Rule) bool { return slices.Contains(left, r.Name) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := rest.Run(t.Context(), from, stateEnd().Add(1)); err != nil {
		t.Fatal(err)
	}
	return &queryapi.Prometheus{Store: store, Rules: first}
}

func groupsOf(t *testing.T, rules slo.Rules) []rulesim.Group {
	t.Helper()
	var out []rulesim.Group
	for _, f := range rules.RuleFiles() {
		groups, err := rulesim.Load(f.Name, f.Data)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, groups...)
	}
	return out
}

// drawState draws the dashboards. Logs, traces and profiles have no data.
func drawState(t *testing.T, prometheus *queryapi.Prometheus, files map[string][]byte, now time.Time, span time.Duration, variables map[string]string) map[string]*render.Picture {
	t.Helper()
	source := func(ctx context.Context, q render.Query) (render.Result, error) {
		if q.Store != render.Prometheus {
			return render.Result{}, nil
		}
		return prometheus.Query(ctx, q)
	}
	if span == 0 {
		span = 3 * time.Hour
	}
	o := render.Options{Location: time.UTC, Width: 1600, OpenRows: true, Now: now, To: now, From: now.Add(-span), Variables: map[string][]string{}}
	for name, value := range variables {
		o.Variables[name] = []string{value}
	}
	out := map[string]*render.Picture{}
	for name, src := range files {
		var err error
		if out[name], err = render.Dashboard(t.Context(), name, src, source, o); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestStates draws all dashboards with all rows open, of services in many states.
func TestStates(t *testing.T) {
	t.Parallel()
	states := serviceStates()
	if raceDetector { // `make simulations` draws all
		const cheap = 5
		states = states[len(states)-cheap:]
	}
	for _, s := range states {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			rules, files := compiledState(t, s.scrape, s.groupBy)
			pictures := drawState(t, s.evaluate(t, rules), files, stateEnd(), s.span, s.variables)
			judge(t, pictures, s.failing)
			keep(t, s.name, pictures)
		})
	}
}

// TestIncidentStates draws all dashboards in each incident of the alert simulation.
func TestIncidentStates(t *testing.T) {
	t.Parallel()
	rules, files := compiledState(t, "", "")
	maps.DeleteFunc(files, func(name string, _ []byte) bool { return strings.HasPrefix(name, ofSet) })
	routing, err := rulesim.ParseRouting(rules.Alertmanager())
	if err != nil {
		t.Fatal(err)
	}
	simulation := alertsim.Simulation{Rules: rules, Groups: groupsOf(t, rules), Routing: routing, Fleet: alertsim.Fleet{Routes: []string{"GET /v1/orders", "POST /v1/orders"}, Replicas: 3}}
	incidents, err := simulation.Incidents()
	if err != nil {
		t.Fatal(err)
	}
	if raceDetector {
		const few = 4
		incidents = incidents[len(incidents)-few:]
	}
	for _, i := range incidents {
		t.Run(i.Name, func(t *testing.T) {
			t.Parallel()
			w := plant{t, i.Store, i.At}
			for _, one := range i.Instances {
				w.replica(replica{instance: one.Name, environment: one.Environment, version: "1.5.0", from: time.Unix(0, 0).UTC(), scrape: 15 * time.Second, alive: one.Alive, routes: someRoutes(1)})
			}
			ev, err := i.Evaluate(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			paged := slices.ContainsFunc(ev.Alerts(), func(a rulesim.Alert) bool { return a.Firing && a.Labels.Get("severity") == "critical" })
			if paged != i.Pages {
				t.Errorf("a page fires: %t, want %t", paged, i.Pages)
			}
			variables := map[string]string{"environment": i.Environment}
			span := min(3*time.Hour, i.At.Sub(time.Unix(0, 0))-time.Second)
			pictures := drawState(t, &queryapi.Prometheus{Store: i.Store, Rules: ev}, files, i.At, span, variables)
			judge(t, pictures, true)
			keep(t, "incident "+i.Name, pictures)
		})
	}
}

// keep writes the pictures to the directory PICTURES, to look at them.
func keep(t *testing.T, state string, pictures map[string]*render.Picture) {
	t.Helper()
	directory := os.Getenv("PICTURES")
	if directory == "" {
		return
	}
	for name, p := range pictures {
		var svg bytes.Buffer
		if err := p.SVG(&svg); err != nil {
			t.Fatal(err)
		}
		file := strings.NewReplacer(" ", "-", ",", "", "%", "").Replace(state + "-" + name + ".svg")
		if err := os.WriteFile(filepath.Join(directory, file), svg.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// judge fails the test for what no picture may show.
func judge(t *testing.T, pictures map[string]*render.Picture, failing bool) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(pictures)) {
		p := pictures[name]
		for _, defect := range slices.Concat(p.Problems, p.Defects(), contents(p)) {
			t.Errorf("%s: %s", name, defect)
		}
		if !failing {
			for _, title := range redPanels(p) {
				t.Errorf("%s: %s is red", name, title)
			}
		}
	}
	for _, name := range []string{"overview", ofSet + "fleet"} {
		if p := pictures[name]; failing && p != nil && !p.Shown("Firing alerts")[0].Has("red") {
			t.Errorf("%s: the number of firing alerts is not red: %v", name, p.Shown("Firing alerts")[0].Texts)
		}
	}
}

func redPanels(p *render.Picture) []string {
	var out []string
	for _, place := range p.Places() {
		if place.Kind == "timeseries" || place.Title == "Alert history" { // lines of limits are red, and legends of failures
			continue
		}
		for _, s := range p.Shown(place.Title) {
			if s.Has("red") {
				out = append(out, place.Title)
			}
		}
	}
	return out
}

// The first screen of the overview, on the fleet with which the cost of rules is counted: 3 instances, 20 routes.
func TestCostOfTheOverview(t *testing.T) {
	t.Parallel()
	fleet := serviceState{replicas: some(3, "prod", 7*time.Hour, someRoutes(20))}
	for i := range fleet.replicas {
		fleet.replicas[i].allBuckets = true
	}
	rules, files := compiledState(t, "", "")
	prometheus := fleet.evaluate(t, rules)
	before := prometheus.Rules.Read()
	picture, err := render.Dashboard(t.Context(), "overview", files["overview"], prometheus.Query, render.Options{
		Location: time.UTC, Width: 1600, Now: stateEnd(), To: stateEnd(), From: stateEnd().Add(-3 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	const said = `the overview of 3 instances with 20 routes \|[^|]*\| `
	golden.Figure(t, "../../docs/benchmarks.md", said+`(\d+) queries`, float64(picture.Queries), 0)
	golden.Figure(t, "../../docs/benchmarks.md", said+`\d+ queries, ([\d,]+) samples`, float64(prometheus.Rules.Read()-before), 0)
}
