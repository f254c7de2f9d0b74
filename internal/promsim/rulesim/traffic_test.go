package rulesim_test

import (
	"fmt"
	"math"
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

const day = 24 * time.Hour

// pod is one process as its scraper sees it.
type pod struct {
	env, name  string
	from, to   time.Duration  // its lifetime
	good, bad  synthetic.Flow // of the whole pod
	ready      func(t time.Duration) bool
	up         func(t time.Duration) bool          // nil: responds all its life
	started    func(t time.Duration) time.Duration // start of the process that runs at t; nil: from
	lost       func(t time.Duration) bool          // a scrape that leaves no trace
	vanishes   bool                                // its target disappears with it
	unreported bool                                // without request metrics
	cluster    string
}

// world is a store that pods fill, scraped at one interval.
type world struct {
	t      testing.TB
	store  *metricstore.Store
	scrape time.Duration
	end    time.Duration
	pods   int
}

func newWorld(t testing.TB, scrape, end time.Duration) *world {
	t.Helper()
	return &world{t: t, store: metricstore.New(), scrape: scrape, end: end}
}

// add generates the series of a pod. Each pod has its own scrape phase.
func (w *world) add(p pod) {
	w.t.Helper()
	w.pods++
	if p.to == 0 {
		p.to = w.end
	}
	phase := time.Duration(w.pods) * 4100 * time.Millisecond % w.scrape
	first := p.from.Truncate(w.scrape) + phase
	if first < p.from {
		first += w.scrape
	}
	alive := func(t time.Duration) bool { return t < p.to && (p.up == nil || p.up(t)) }
	if !p.unreported {
		for outcome, f := range map[string]synthetic.Flow{semconv.OutcomeSuccess: p.good, semconv.OutcomeServerError: p.bad} {
			w.series(p, first, semconv.HTTPServerRoutedRequests, alive, func(t time.Duration) float64 { return math.Floor(f.Between(p.from, t)) },
				semconv.LabelOutcome, outcome)
		}
	}
	always := func(t time.Duration) bool { return !p.vanishes || t < p.to }
	w.series(p, first, semconv.Up, always, func(t time.Duration) float64 { return synthetic.Number(alive(t)) })
	w.series(p, first, semconv.ProcessStartTime, alive, func(t time.Duration) float64 {
		if p.started == nil {
			return p.from.Seconds()
		}
		return p.started(t).Seconds()
	})
	w.series(p, first, semconv.RuntimeReady, alive, func(t time.Duration) float64 { return synthetic.Number(p.ready == nil || p.ready(t)) })
}

func (w *world) series(p pod, first time.Duration, name string, exists func(time.Duration) bool, read func(time.Duration) float64, more ...string) {
	w.t.Helper()
	if p.cluster != "" {
		more = append(more, "cluster", p.cluster)
	}
	l := labels.FromStrings(append([]string{"__name__", name, "job", "orders", "instance", p.name, "deployment_environment_name", p.env}, more...)...)
	check(w.t, w.store.Generate(l, synthetic.Series{
		First: first, Last: w.end, Every: w.scrape, Lost: p.lost, Exists: exists, Read: read,
	}.Generator()))
}

// replicas adds pods that share a flow evenly for the whole time.
func (w *world) replicas(env string, n int, good, bad synthetic.Flow) {
	w.t.Helper()
	for i := range n {
		w.add(pod{env: env, name: fmt.Sprintf("%s-%d", env, i), good: good.Times(1 / float64(n)), bad: bad.Times(1 / float64(n))})
	}
}

func specOf(scrape time.Duration, more string) string {
	return fmt.Sprintf(`apiVersion: scaffold.slo/v1
service: orders
owner: team-checkout
runtime: true
scrapeInterval: %s
%s
slos:
  - {name: availability, objective: 99.9, indicator: {availability: {}}}
`, scrape, more)
}

func compile(t testing.TB, src string) slo.Rules {
	t.Helper()
	spec, err := slo.Parse("test.slo.yaml", []byte(src))
	check(t, err)
	rules, err := slo.Compile(spec)
	check(t, err)
	return rules
}

// evaluator loads compiled rules over the world.
func (w *world) evaluator(rules slo.Rules, options rulesim.Options) *rulesim.Evaluator {
	w.t.Helper()
	var files []string
	for _, f := range rules.RuleFiles() {
		files = append(files, string(f.Data))
	}
	return newEvaluator(w.t, w.store, options, files...)
}

// pages runs the Alertmanager file over the alert history and returns the notifications to the pager, without
// repeats.
func pages(t testing.TB, rules slo.Rules, ev *rulesim.Evaluator, until time.Duration) []rulesim.Notification {
	t.Helper()
	routing, err := rulesim.ParseRouting(rules.Alertmanager())
	check(t, err)
	var out []rulesim.Notification
	for _, n := range routing.Notifications(ev.History(), at(until)) {
		if n.Receiver == "page" && n.Reason == rulesim.Opened {
			out = append(out, n)
		}
	}
	return out
}

// scrapes returns common scrape intervals.
func scrapes() []time.Duration {
	return []time.Duration{10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}
}

// isWindow reports whether burn alerts read the recording rule. The rules of the period and of the service
// read their own past.
func isWindow(r rulesim.Rule) bool {
	return !r.IsAlert && (strings.HasPrefix(r.Name, "slo:sli_bad:") || strings.HasPrefix(r.Name, "slo:sli_total:") ||
		strings.HasPrefix(r.Name, "slo:sli_error:") || r.Name == "slo:sli_coverage:ratio1h") &&
		!strings.HasSuffix(r.Name, "30d") && !strings.HasSuffix(r.Name, "clock_hour")
}

// runRange runs an evaluator with RunRange.
func runRange(t testing.TB, ev *rulesim.Evaluator, from, to time.Duration) {
	t.Helper()
	_, err := ev.RunRange(t.Context(), at(from), at(to))
	check(t, err)
}
