package alertsim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/slo"
)

// Section is the name of the simulation's checks in a report.
const Section = "alert simulation"

// Simulation is the rules of one service and the settings of their simulation.
type Simulation struct {
	// Rules is compiled from the specification and predicts each alert.
	Rules slo.Rules
	// Groups are the rules to simulate, loaded from the disk.
	Groups []rulesim.Group
	// Routing decides who is paged.
	Routing *rulesim.Routing
	Fleet   Fleet
	// MaxCost is the maximum number of samples per second that one objective may read on up to
	// [ReferenceSeries] counters; the limit grows in proportion beyond that. 0 means [DefaultMaxCost].
	MaxCost float64
	// Progress is called at the start of each scenario; may be nil.
	Progress func(what string)

	// unrouted adds the metrics of all requests, which dashboards read, to those of requests on known routes.
	unrouted bool
}

// Fleet is the size of the service.
type Fleet struct {
	Routes   []string // such as "GET /v1/orders"
	Replicas int      // 0 means 3
}

func (f Fleet) routes() []string {
	if len(f.Routes) == 0 {
		return []string{"GET /"}
	}
	return f.Routes
}

func (f Fleet) replicas() int {
	if f.Replicas == 0 {
		return 3
	}
	return f.Replicas
}

// Result is the result of a simulation.
type Result struct {
	Checks []report.Check
	Alerts []report.SimulatedAlert // at the declared scrape interval
	Cost   report.Cost
}

// scenario is one part of a simulation.
type scenario struct {
	name string
	run  func(context.Context, *record) error
}

// parts are the scenarios that run for each batch of objectives, and those that run once because one batch is
// enough.
type parts struct{ each, once func(Simulation) []scenario }

// intervalParts depend on the scrape interval.
func intervalParts() parts {
	return parts{
		each: func(d Simulation) []scenario {
			return append(d.shares(), scenario{"a service that fails from its first request", d.fromTheFirst})
		},
		once: func(d Simulation) []scenario {
			return []scenario{{"lost and unready instances", d.outages}, {"tickets", d.tickets}}
		},
	}
}

func (d Simulation) shares() []scenario {
	var all []scenario
	for _, share := range slo.DetectionRatios() {
		all = append(all, scenario{fmt.Sprintf("incident with an error ratio of %g %%", share*100), func(ctx context.Context, r *record) error { return d.burn(ctx, r, share) }})
	}
	return all
}

// otherParts depend on the scrape interval only through the increases.
func otherParts() parts {
	return parts{
		each: func(d Simulation) []scenario {
			return []scenario{
				{"one incident, one page", d.onePage},
				{"a healthy week", d.healthyWeek},
				{"little traffic", d.littleTraffic},
				{"a new service", d.youngService},
				{"new instances", d.freshProcesses},
				{"a night without traffic", d.idleNight},
				{"a month's budget", d.budget},
				{"a short outage in the budget", d.outageInBudget},
			}
		},
		once: func(d Simulation) []scenario {
			return []scenario{{"the time after a loss of instances", d.aftermath}}
		},
	}
}

// scenarios returns the scenarios of the parts for each batch of objectives.
func (d Simulation) scenarios(all ...parts) ([]scenario, error) {
	batches := d.batches()
	if len(batches) == 0 {
		batches = [][]slo.Objective{nil}
	}
	var out []scenario
	for i, batch := range batches {
		some, err := d.of(batch)
		if err != nil {
			return nil, err
		}
		for _, p := range all {
			if len(batch) > 0 {
				out = append(out, p.each(some)...)
			}
			if i == 0 {
				out = append(out, p.once(some)...)
			}
		}
	}
	return out, nil
}

// Run runs all scenarios. An error means that the simulation stopped, for example because the engine rejected
// a rule; the result then has the completed scenarios.
func (d Simulation) Run(ctx context.Context) (Result, error) {
	all, err := d.scenarios(intervalParts(), otherParts())
	if err != nil {
		return Result{}, err
	}
	return d.run(ctx, append(all, scenario{"the cost of the rules", d.cost}))
}

// quickParts are shares of bad events, low traffic and a healthy week.
func quickParts() parts {
	return parts{
		each: func(d Simulation) []scenario {
			return append(d.shares(), scenario{"little traffic", d.littleTraffic}, scenario{"a healthy week", d.healthyWeek})
		},
		once: func(Simulation) []scenario { return nil },
	}
}

// Quick simulates shares of bad events, low traffic and a healthy week for each objective.
func (d Simulation) Quick(ctx context.Context) (Result, error) {
	all, err := d.scenarios(quickParts())
	if err != nil {
		return Result{}, err
	}
	return d.run(ctx, all)
}

// Counts returns the numbers of scenarios in Run, Quick and Timetable.
func (d Simulation) Counts() (run, quick, timetable int, err error) {
	var counts [3]int
	for i, p := range [][]parts{{intervalParts(), otherParts()}, {quickParts()}, {intervalParts()}} {
		all, err := d.scenarios(p...)
		if err != nil {
			return 0, 0, 0, err
		}
		counts[i] = len(all)
	}
	return counts[0] + 1, counts[1], counts[2], nil // 1 for the cost of the rules
}

// Timetable simulates only what depends on the scrape interval: shares of bad events, and processes that are
// not ready.
func (d Simulation) Timetable(ctx context.Context) (Result, error) {
	all, err := d.scenarios(intervalParts())
	if err != nil {
		return Result{}, err
	}
	return d.run(ctx, all)
}

// At returns the simulation of the same objectives with rules compiled for another scrape interval.
func (d Simulation) At(scrape time.Duration) (Simulation, error) {
	spec := d.Rules.Spec
	spec.ScrapeInterval = scrape
	rules, err := slo.Compile(spec)
	if err != nil {
		return Simulation{}, err
	}
	d.Rules, d.Groups = rules, nil
	for _, f := range rules.RuleFiles() {
		groups, err := rulesim.Load(f.Name, f.Data)
		if err != nil {
			return Simulation{}, err
		}
		d.Groups = append(d.Groups, groups...)
	}
	return d, nil
}

// Intervals returns the scrape intervals that rules must support.
func Intervals() []time.Duration {
	return []time.Duration{10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}
}

// workers is the number of parallel scenarios; each uses one goroutine.
const workers = 2

func (d Simulation) run(ctx context.Context, all []scenario) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	records := make([]record, len(all))
	completed := make([]bool, len(all))
	next := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				if d.Progress != nil {
					d.Progress(all[i].name)
				}
				if err := all[i].run(ctx, &records[i]); err != nil {
					cancel(fmt.Errorf("simulate %s: %w", all[i].name, err))
					continue
				}
				completed[i] = ctx.Err() == nil
			}
		})
	}
	for i := range all {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	var out Result
	for i, r := range records {
		if !completed[i] {
			continue
		}
		out.Checks = append(out.Checks, r.checks...)
		out.Alerts = append(out.Alerts, r.alerts...)
		if r.cost.Series > 0 {
			out.Cost = r.cost
		}
	}
	return out, context.Cause(ctx)
}

// record is the result of one scenario.
type record struct {
	checks []report.Check
	alerts []report.SimulatedAlert
	cost   report.Cost
}

func (r *record) judge(claim, evidence string, problem error) {
	p := report.Check{Section: Section, Name: claim, Status: report.Passed, Detail: evidence}
	if problem != nil {
		p.Status, p.Detail = report.Failed, problem.Error()
	}
	r.checks = append(r.checks, p)
}

// pages returns the notifications to the pager, ordered by time, without repeats. Alerts that match no route
// go to the default receiver and do not page.
func (d Simulation) pages(ev *rulesim.Evaluator, until time.Duration) []rulesim.Notification {
	var out []rulesim.Notification
	for _, n := range d.Routing.Notifications(ev.History(), at(until)) {
		if n.Reason == rulesim.Opened && slices.ContainsFunc(n.Alerts, d.isPage) && n.Receiver != d.Routing.Default() {
			out = append(out, n)
		}
	}
	return out
}

// alertOf returns the alert of the specification that has fired, or false for a user-defined alert.
func (d Simulation) alertOf(f rulesim.Firing) (slo.Alert, bool) {
	i := slices.IndexFunc(d.Rules.Alerts, func(a slo.Alert) bool { return a.Is(f.Labels.Get) })
	if i < 0 {
		return slo.Alert{}, false
	}
	return d.Rules.Alerts[i], true
}

// firing selects firing alerts by their definition.
func (d Simulation) firing(accept func(slo.Alert) bool) func(rulesim.Firing) bool {
	return func(f rulesim.Firing) bool {
		a, ok := d.alertOf(f)
		return ok && accept(a)
	}
}

// named returns the names of firing alerts for messages.
func (d Simulation) named(firing ...rulesim.Firing) string {
	var out []string
	for _, f := range firing {
		name := f.Alert
		if a, ok := d.alertOf(f); ok {
			name = a.String()
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}

func isPage(a slo.Alert) bool { return a.Tier == slo.TierPage }

func (d Simulation) isPage(f rulesim.Firing) bool { return d.firing(isPage)(f) }

// pageFires reports whether any page fires at a time, inhibited or not.
func (d Simulation) pageFires(ev *rulesim.Evaluator, now time.Duration) bool {
	return slices.ContainsFunc(ev.History(), func(f rulesim.Firing) bool { return d.isPage(f) && f.At(at(now)) })
}
