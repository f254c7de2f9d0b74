package alertsim

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/promsim/synthetic"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

// production and staging are the environments of every scenario.
const (
	production = "production"
	staging    = "staging"
)

// at converts to a time in the simulation, which starts at the epoch.
func at(t time.Duration) time.Time { return time.Unix(0, 0).Add(t) }

// process is one replica as its scraper sees it.
type process struct {
	environment, name string
	from, to          time.Duration // its lifetime; to 0 is forever
	// traffic is the events that this process counts, by objective.
	traffic map[string]events
	// up, ready and lost return the state at a time; nil means up, ready and not lost. A lost scrape leaves
	// no sample and no trace.
	up, ready, lost func(t time.Duration) bool
	// started returns the start time of the program that runs at t; nil means that it never restarts.
	started func(t time.Duration) time.Duration
	// failing reports whether a health check fails; nil means that none fails.
	failing func(t time.Duration) bool
	// dropped counts lost telemetry, blocked counts dropped log lines, and overflowed counts label values above
	// the limit; nil means none.
	dropped, blocked, overflowed func(t time.Duration) float64
	fault                        *fault // of a component; nil means none
	// worked counts CPU seconds used; nil means 10 %.
	worked func(t time.Duration) float64
	// full reports whether memory use is near GOMEMLIMIT; nil means that it is 10 %.
	full func(t time.Duration) bool
	// atFloor reports whether the concurrency limit is at its minimum; nil means never.
	atFloor  func(t time.Duration) bool
	vanishes bool // its target disappears with it
	silent   bool // it exports no event counters
	// unborn means that series of bad events start with the first bad event, like the histograms of services
	// on the runtime: there is no zero before.
	unborn bool
}

// world is a store that processes fill, scraped at one interval.
type world struct {
	simulation Simulation
	store      *metricstore.Store
	end        time.Duration
	routes     []string // routes of the traffic
	count      int
	series     int // number of event counters
	instances  []Instance
	made       map[string]bool // series of counters
	// repeats are the phases in which all processes repeat their samples, see rulesim.Options.
	repeats [][]rulesim.Repetition
}

// newWorld returns a world with one route, because increases first sum over routes. Scenarios that depend on
// the number of series set routes.
func (d Simulation) newWorld(end time.Duration) *world {
	return &world{simulation: d, store: metricstore.New(), end: end, routes: d.Fleet.routes()[:1], made: map[string]bool{}}
}

func (w *world) scrape() time.Duration { return w.simulation.Rules.Spec.ScrapeInterval }

// repeat declares phases in which all processes repeat their events after each every: from the start until
// the first time, and then between successive times. The scrapes must repeat too. Declare shorter cycles
// inside these afterwards.
func (w *world) repeat(every time.Duration, until ...time.Duration) {
	cycle := every
	for cycle%w.scrape() != 0 {
		cycle += every
	}
	from, level := time.Duration(0), []rulesim.Repetition(nil)
	for _, t := range until {
		level = append(level, rulesim.Repetition{From: at(from), To: at(t), Every: cycle})
		from = t
	}
	w.repeats = append(w.repeats, level)
}

// add generates the series of a process. Each process has its own scrape phase.
func (w *world) add(p process) error {
	w.count++
	if p.to == 0 {
		p.to = w.end
	}
	w.instances = append(w.instances, Instance{p.environment, p.name, func(t time.Time) bool {
		since := t.Sub(at(0))
		return since >= p.from && p.alive(since)
	}})
	scrape := w.scrape()
	first := p.from.Truncate(scrape) + time.Duration(w.count)*4100*time.Millisecond%scrape
	if first < p.from {
		first += scrape
	}
	for _, o := range w.simulation.Rules.Spec.SLOs {
		traffic, ok := p.traffic[o.Name]
		if !ok || p.silent {
			continue
		}
		if err := w.addTraffic(p, first, o, traffic); err != nil {
			return err
		}
	}
	if err := w.addRequests(p, first); err != nil {
		return err
	}
	return w.addState(p, first)
}

// addRequests adds the request counters that every service on the runtime has from its start, for routes
// whose objectives do not count them.
func (w *world) addRequests(p process, first time.Duration) error {
	if !w.simulation.Rules.Spec.Runtime || p.silent || len(p.traffic) == 0 {
		return nil
	}
	for _, o := range w.simulation.Rules.Spec.SLOs {
		l := w.labelsOf(p)
		l[model.MetricNameLabel], l[semconv.LabelOutcome] = semconv.HTTPServerRequests, semconv.OutcomeSuccess
		method, route, _ := strings.Cut(w.routes[0], " ")
		l[semconv.LabelMethod], l[semconv.LabelRoute] = cmp.Or(o.Method, method), cmp.Or(o.Route, route)
		key := labels.FromMap(l).String()
		if w.made[key] {
			continue
		}
		w.made[key] = true
		if err := w.generate(p, first, l, p.alive, func(time.Duration) float64 { return 0 }); err != nil {
			return err
		}
	}
	return nil
}

// addTraffic spreads the events of one objective over the routes.
func (w *world) addTraffic(p process, first time.Duration, o slo.Objective, e events) error {
	for _, route := range w.routes {
		more := w.labelsOf(p)
		more[semconv.LabelMethod], more[semconv.LabelRoute], _ = strings.Cut(route, " ")
		if w.simulation.Rules.Spec.Runtime { // if the rules do not specify it
			more[semconv.LabelOutcome] = semconv.OutcomeSuccess
		}
		for _, label := range o.GroupBy {
			if more[label] == "" {
				more[label] = "a"
			}
		}
		flows := w.simulation.Rules.Flows(o.Name, more)
		if flows == nil {
			return fmt.Errorf("no series can be generated that the objective %s counts", o.Name)
		}
		for _, f := range flows {
			// Objectives may count the same events.
			key := labels.FromMap(f.Series).String()
			if w.made[key] {
				continue
			}
			w.made[key] = true
			good, bad := e.good.Count(p.from), e.bad.Count(p.from)
			grown := func(t time.Duration) float64 {
				n := 0.0
				if f.Good {
					n += e.good.Count(t) - good
				}
				if f.Bad {
					n += e.bad.Count(t) - bad
				}
				return math.Floor(n/float64(len(w.routes)) + 1e-9)
			}
			exists := p.alive
			if p.unborn && (f.Bad && !f.Good || o.Indicator.Custom() || strings.HasPrefix(f.Series[model.MetricNameLabel], semconv.HTTPServerRequestDuration)) {
				exists = func(t time.Duration) bool { return p.alive(t) && grown(t) > 0 }
			}
			if err := w.generate(p, first, f.Series, exists, grown); err != nil {
				return err
			}
			w.series++
			if err := w.addUnrouted(p, first, f.Series, exists, grown); err != nil {
				return err
			}
		}
	}
	return nil
}

// addUnrouted adds the series of all requests that belongs to a series of requests on known routes.
func (w *world) addUnrouted(p process, first time.Duration, routed map[string]string, exists func(time.Duration) bool, read func(time.Duration) float64) error {
	all := maps.Clone(routed)
	all[model.MetricNameLabel] = strings.Replace(routed[model.MetricNameLabel], "_routed_", "_", 1)
	name, isCount := strings.CutSuffix(all[model.MetricNameLabel], "_count")
	if !w.simulation.unrouted || w.made[labels.FromMap(all).String()] {
		return nil
	}
	w.made[labels.FromMap(all).String()] = true
	if err := w.generate(p, first, all, exists, read); err != nil || !isCount {
		return err
	}
	all[model.MetricNameLabel], all[semconv.LabelLessOrEqual] = name+"_bucket", "+Inf" // quantiles need it
	return w.generate(p, first, all, exists, read)
}

func (p process) alive(t time.Duration) bool { return t < p.to && (p.up == nil || p.up(t)) }

// labelsOf returns the target labels of a process.
func (w *world) labelsOf(p process) map[string]string {
	out := maps.Clone(w.simulation.Rules.Spec.Selector)
	out[w.simulation.Rules.Spec.EnvironmentLabel] = p.environment
	out[semconv.LabelInstance] = p.name
	for _, label := range w.simulation.Rules.Spec.GroupBy {
		out[label] = "a"
	}
	return out
}

// addState adds the series that process alerts read.
func (w *world) addState(p process, first time.Duration) error {
	always := func(t time.Duration) bool { return !p.vanishes || t < p.to }
	presence := w.simulation.Rules.Presence(w.labelsOf(p))
	if presence[model.MetricNameLabel] != semconv.Up {
		always = p.alive // pushed metrics have no failed scrapes
	}
	if err := w.generate(p, first, presence, always, func(t time.Duration) float64 { return synthetic.Number(p.alive(t)) }); err != nil {
		return err
	}
	start := func(t time.Duration) float64 {
		if p.started != nil {
			return p.started(t).Seconds()
		}
		return p.from.Seconds()
	}
	states := append(w.componentStates(p), []state{
		{semconv.ProcessStartTime, nil, start},
		{semconv.RuntimeReady, nil, func(t time.Duration) float64 { return synthetic.Number(p.ready == nil || p.ready(t)) }},
		{semconv.RuntimeHealthCheckUp, map[string]string{semconv.LabelCheck: "store"}, func(t time.Duration) float64 { return synthetic.Number(p.failing == nil || !p.failing(t)) }},
		{semconv.RuntimeOverloadAtMinLimit, nil, func(t time.Duration) float64 { return synthetic.Number(p.atFloor != nil && p.atFloor(t)) }},
		{semconv.RuntimeTelemetryDropped, map[string]string{semconv.LabelSignal: semconv.SignalTraces, semconv.LabelReason: semconv.DropQueueFull}, orNone(p.dropped)},
		{semconv.RuntimeTelemetryDropped, map[string]string{semconv.LabelSignal: semconv.SignalLogs, semconv.LabelReason: semconv.DropBlocked}, orNone(p.blocked)},
		{semconv.RuntimeCardinalityOverflow, map[string]string{semconv.LabelMetric: "orders_total", semconv.LabelLabel: "customer"}, orNone(p.overflowed)},
		{semconv.ProcessCPU, nil, orTenth(p.worked)},
		{semconv.GoMaxProcs, nil, func(time.Duration) float64 { return 1 }},
		{semconv.GoMemoryLimit, nil, func(time.Duration) float64 { return memoryLimit }},
		{semconv.GoMemoryTotal, nil, func(t time.Duration) float64 {
			return memoryLimit * (0.1 + 0.88*synthetic.Number(p.full != nil && p.full(t)))
		}},
		{semconv.GoMemoryReleased, nil, func(time.Duration) float64 { return 0 }},
		{semconv.HTTPServerActiveRequests, nil, func(time.Duration) float64 { return 1 }},
	}...)
	for _, s := range states {
		l := w.labelsOf(p)
		maps.Copy(l, s.more)
		l[model.MetricNameLabel] = s.name
		if err := w.generate(p, first, l, p.alive, s.read); err != nil {
			return err
		}
	}
	return nil
}

// memoryLimit is GOMEMLIMIT of every process.
const memoryLimit = 1 << 28

// orTenth returns the count of worked seconds, by default 10 % of the time.
func orTenth(worked func(time.Duration) float64) func(time.Duration) float64 {
	if worked == nil {
		return synthetic.Steady(0.1).Count
	}
	return worked
}

// orNone returns the count, by default always zero.
func orNone(count func(time.Duration) float64) func(time.Duration) float64 {
	if count == nil {
		return func(time.Duration) float64 { return 0 }
	}
	return count
}

func (w *world) generate(p process, first time.Duration, l map[string]string, exists func(time.Duration) bool, read func(time.Duration) float64) error {
	return w.store.Generate(labels.FromMap(l), synthetic.Series{
		First: first, Last: min(w.end, p.to+2*w.scrape()), Every: w.scrape(), Lost: p.lost, Exists: exists, Read: read,
	}.Generator())
}

// replicas adds processes that share the traffic evenly for the whole time.
func (w *world) replicas(environment string, n int, traffic map[string]events) error {
	for i := range n {
		share := map[string]events{}
		for name, e := range traffic {
			share[name] = e.times(1 / float64(n))
		}
		if err := w.add(process{environment: environment, name: fmt.Sprintf("%s-%d", environment, i), traffic: share}); err != nil {
			return err
		}
	}
	return nil
}

// evaluator loads the rules over the world.
func (w *world) evaluator(only func(rulesim.Rule) bool) (*rulesim.Evaluator, error) {
	return rulesim.New(w.store, w.simulation.Groups, rulesim.Options{Only: only, Repeats: w.repeats})
}

// all gives every objective the same events.
func (d Simulation) all(e events) map[string]events {
	out := map[string]events{}
	for _, o := range d.Rules.Spec.SLOs {
		out[o.Name] = e
	}
	return out
}
