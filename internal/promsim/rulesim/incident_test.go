//go:build !race

package rulesim_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/promsim/synthetic"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

const threeReplicas = "replicas: {min: 3}"

func TestErrorsInStagingNeverPageForProduction(t *testing.T) {
	t.Parallel()
	rules := compile(t, specOf(15*time.Second, threeReplicas))
	w := newWorld(t, 15*time.Second, 3*time.Hour)
	w.replicas("production", 3, synthetic.Steady(100), synthetic.Steady(0))
	good, bad := synthetic.Incident(100, 1, time.Hour, 90*time.Minute)
	for i := range 3 {
		w.add(pod{env: "staging", name: fmt.Sprint("s", i), good: good.Times(1.0 / 3), bad: bad.Times(1.0 / 3), up: until(2 * time.Hour)})
	}
	ev := w.evaluator(rules, rulesim.Options{})
	runRange(t, ev, 0, w.end)
	seen := map[string]bool{}
	for _, f := range ev.History() {
		seen[f.Alert] = true
		if env := f.Labels.Get("environment"); env != "staging" {
			t.Errorf("%s fires for %q", f.Alert, env)
		}
	}
	if !seen["OrdersAvailabilityErrorBudgetBurn"] || !seen["OrdersDown"] {
		t.Errorf("staging failed and went down, and only %v fired", seen)
	}
}

// Clusters of one environment page separately, even if their instances have the same names.
func TestClustersPageSeparately(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]func(good, bad synthetic.Flow) pod{
		"requests fail":       func(good, bad synthetic.Flow) pod { return pod{good: good, bad: bad} },
		"processes disappear": func(good, _ synthetic.Flow) pod { return pod{good: good, up: until(3 * time.Hour)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := compile(t, specOf(15*time.Second, threeReplicas+"\ngroupBy: [cluster]"))
			w := newWorld(t, 15*time.Second, 5*time.Hour)
			good, bad := synthetic.Incident(100, 0.5, 3*time.Hour+7*time.Second, 4*time.Hour)
			for i := range 3 {
				p := fails(good.Times(1.0/3), bad.Times(1.0/3))
				p.env, p.cluster, p.name = "production", "eu", fmt.Sprint("p", i)
				w.add(p)
				w.add(pod{env: "production", cluster: "us", name: p.name, good: synthetic.Steady(30), bad: synthetic.Steady(0)})
			}
			ev := w.evaluator(rules, rulesim.Options{})
			runRange(t, ev, 0, w.end)
			for _, f := range ev.History() {
				if cluster := f.Labels.Get("cluster"); cluster != "eu" {
					t.Errorf("%s fires for cluster %q", f.Alert, cluster)
				}
			}
			if got := pages(t, rules, ev, w.end); len(got) != 1 {
				t.Errorf("%d pages: %v; want one", len(got), got)
			}
		})
	}
}

func TestOneIncidentPagesOnce(t *testing.T) {
	t.Parallel()
	for _, share := range []float64{0.05, 0.1, 0.5, 1} {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			t.Parallel()
			rules := compile(t, specOf(15*time.Second, threeReplicas))
			w, from := failing(t, share)
			ev := w.evaluator(rules, rulesim.Options{})
			runRange(t, ev, 0, w.end)
			got := pages(t, rules, ev, w.end)
			if len(got) != 1 {
				t.Fatalf("%d pages: %v; want one", len(got), got)
			}
			if got[0].At.Before(at(from)) {
				t.Errorf("paged before the incident: %v", got[0])
			}
		})
	}
}

// failing adds three hours of good traffic and half an hour of errors.
func failing(t *testing.T, share float64) (w *world, from time.Duration) {
	t.Helper()
	from = 3*time.Hour + 7*time.Second
	good, bad := synthetic.Incident(100, share, from, from+30*time.Minute)
	w = newWorld(t, 15*time.Second, 5*time.Hour)
	w.replicas("production", 3, good, bad)
	return w, from
}

// Processes that are out of service fail the requests that still reach them. Inhibition prevents a second
// page for that; without the inhibition rules the same incident pages twice.
func TestConsequencesOfAnIncidentDoNotPageAgain(t *testing.T) {
	t.Parallel()
	const from = time.Hour
	rules := compile(t, specOf(15*time.Second, threeReplicas))
	w := newWorld(t, 15*time.Second, 2*time.Hour)
	for i := range 3 {
		w.add(pod{
			env: "production", name: fmt.Sprint("p", i), ready: until(from),
			good: synthetic.Steady(30).Then(from+10*time.Minute, 0),
			bad:  synthetic.Steady(0).Then(from+10*time.Minute, 30),
		})
	}
	ev := w.evaluator(rules, rulesim.Options{})
	runRange(t, ev, 0, w.end)
	if got := pages(t, rules, ev, w.end); len(got) != 1 {
		t.Errorf("%d pages: %v; want one", len(got), got)
	}
	uninhibited, _, found := bytes.Cut(rules.Alertmanager(), []byte("inhibit_rules:"))
	if !found {
		t.Fatal("the routes hold no inhibition")
	}
	routing, err := rulesim.ParseRouting(uninhibited)
	check(t, err)
	opened := 0
	for _, n := range routing.Notifications(ev.History(), at(w.end)) {
		if n.Receiver == "page" && n.Reason == rulesim.Opened {
			opened++
		}
	}
	if opened < 2 {
		t.Errorf("without inhibitions there are %d pages, so the test shows nothing", opened)
	}
}

func TestReplicatedServersDecideTheSame(t *testing.T) {
	t.Parallel()
	rules := compile(t, specOf(15*time.Second, threeReplicas))
	missed := rand.New(rand.NewPCG(1, 1))
	reference := fastPage(t, rules, rulesim.Options{})
	for _, tc := range []struct {
		name    string
		options rulesim.Options
		slack   time.Duration
	}{
		{"a replica that evaluates 13 s later", rulesim.Options{Phase: 13 * time.Second}, 30 * time.Second},
		{"a server that misses one evaluation in ten", rulesim.Options{
			Skip: func(rulesim.Group, time.Time) bool { return missed.IntN(10) == 0 },
		}, time.Minute},
	} {
		got := fastPage(t, rules, tc.options)
		if d := got.FiredAt.Sub(reference.FiredAt).Abs(); d > tc.slack {
			t.Errorf("%s fires %s apart, want at most %s", tc.name, d, tc.slack)
		}
		if d := got.ResolvedAt.Sub(reference.ResolvedAt).Abs(); d > tc.slack {
			t.Errorf("%s resolves %s apart, want at most %s", tc.name, d, tc.slack)
		}
	}
}

func fastPage(t *testing.T, rules slo.Rules, options rulesim.Options) rulesim.Firing {
	t.Helper()
	w, _ := failing(t, 0.1)
	options.Only = func(r rulesim.Rule) bool {
		return isWindow(r) || strings.HasSuffix(r.Name, "ErrorBudgetBurn") && r.Labels.Get("long") == "1h"
	}
	ev := w.evaluator(rules, options)
	check(t, ev.Run(t.Context(), at(0), at(w.end)))
	var found []rulesim.Firing
	for _, f := range ev.History() {
		if strings.HasSuffix(f.Alert, "ErrorBudgetBurn") {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		t.Fatalf("the fast page fires %d times, want once", len(found))
	}
	return found[0]
}

func TestRestartedServerKeepsPagingDuringAnIncident(t *testing.T) {
	t.Parallel()
	rules := compile(t, specOf(15*time.Second, threeReplicas))
	w, from := failing(t, 0.5)
	stop, start := from+15*time.Minute, from+18*time.Minute
	before := w.evaluator(rules, rulesim.Options{})
	check(t, before.Run(t.Context(), at(0), at(stop)))
	after := w.evaluator(rules, rulesim.Options{})
	check(t, after.Run(t.Context(), at(start), at(w.end)))
	if !pagesAt(before, stop) {
		t.Fatal("no page before the restart")
	}
	if !pagesAt(after, start+30*time.Second) {
		t.Errorf("no page at the first evaluation after the restart: %v", after.History())
	}
	if got := pages(t, rules, after, w.end); len(got) != 1 {
		t.Errorf("%d pages after the restart: %v; want one", len(got), got)
	}
	if pagesAt(after, w.end) {
		t.Error("a page lasts for an hour after the incident")
	}
}

func TestLateSamplesAreCounted(t *testing.T) {
	t.Parallel()
	rules := compile(t, specOf(15*time.Second, ""))
	store := metricstore.New()
	w := &world{t: t, store: store, scrape: 15 * time.Second}
	ev := w.evaluator(rules, rulesim.Options{Only: isWindow})
	l := labels.FromStrings("__name__", semconv.HTTPServerRoutedRequests, "job", "orders", semconv.LabelOutcome, semconv.OutcomeServerError)
	const late = 14 * time.Second
	for now := time.Duration(0); now < time.Hour; now += time.Second {
		if taken := now - late; taken >= 0 && taken%w.scrape == 0 {
			check(t, store.Append(l, taken.Milliseconds(), taken.Seconds()))
		}
		check(t, ev.Run(t.Context(), at(now), at(now+time.Second)))
	}
	// from the first increase with two samples to the last before the end
	near(t, "late samples", value1(t, ev, "sum_over_time(slo:sli_bad:increase30s[30m])", 50*time.Minute), 1800, 1e-6)
}

func TestFewFailuresAtLowTrafficDoNotPage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		failures int
		want     int
	}{
		{"one failure", 1, 0},
		{"four failures, a minute apart", 4, 0},
		{"five failures, a minute apart", 5, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			rules := compile(t, specOf(15*time.Second, ""))
			w := newWorld(t, 15*time.Second, 9*time.Hour)
			bad := []synthetic.Segment{{}}
			for i := range tc.failures {
				from := 7*time.Hour + time.Duration(i)*time.Minute + 7*time.Second
				bad = append(bad, synthetic.Segment{From: from, Rate: 1}, synthetic.Segment{From: from + time.Second, Rate: 0})
			}
			w.replicas("production", 1, synthetic.Steady(1.0/60), synthetic.NewFlow(bad...))
			ev := w.evaluator(rules, rulesim.Options{})
			runRange(t, ev, 0, w.end)
			if got := pages(t, rules, ev, w.end); len(got) != tc.want {
				t.Errorf("%d pages: %v; want %d", len(got), got, tc.want)
			}
		})
	}
}

// until returns a state that is true until end.
func until(end time.Duration) func(time.Duration) bool {
	return func(t time.Duration) bool { return t < end }
}

func pagesAt(ev *rulesim.Evaluator, now time.Duration) bool {
	for _, f := range ev.History() {
		if f.Labels.Get("severity") == "critical" && f.At(at(now)) {
			return true
		}
	}
	return false
}
