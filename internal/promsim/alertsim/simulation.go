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

// Simulation is one service's rules and what they are simulated on.
type Simulation struct {
	// Rules is what the specification compiles to: it knows what each alert
	// should do.
	Rules slo.Rules
	// Groups are the rules that are simulated, as they lie on the disk.
	Groups []rulesim.Group
	// Routing decides who is paged.
	Routing *rulesim.Routing
	Fleet   Fleet
	// MaxCost is how many samples a second one objective may read on up to
	// [ReferenceSeries] counters; more in proportion beyond. 0 means
	// [DefaultMaxCost].
	MaxCost float64
	// Progress is told what is being simulated; nil tells nobody.
	Progress func(what string)
}

// Fleet is the shape of the service.
type Fleet struct {
	Routes   []string // as in "GET /v1/orders"
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

// Result is what a simulation showed.
type Result struct {
	Checks []report.Check
	Alerts []report.SimulatedAlert // of the declared scrape interval
	Cost   report.Cost
}

// scenario is one part of a simulation.
type scenario struct {
	name string
	run  func(context.Context, *record) error
}

// parts are scenarios that depend on objectives, and those of the service as a
// whole, which one batch of objectives is enough for.
type parts struct{ each, once func(Simulation) []scenario }

// intervalParts depend on the scrape interval.
func intervalParts() parts {
	return parts{
		each: func(d Simulation) []scenario {
			return append(d.shares(), scenario{"a service that fails from its first request", d.fromTheFirst})
		},
		once: func(d Simulation) []scenario {
			return []scenario{{"instances without requests", d.outages}, {"tickets", d.tickets}}
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

// otherParts are the same at every scrape interval but for the increases.
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

// scenarios goes through the parts with each batch of objectives.
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

// Run simulates everything and returns what it showed. The error is for what
// kept it from looking, such as a rule that the engine refuses; the result holds
// the scenarios that were completed before it.
func (d Simulation) Run(ctx context.Context) (Result, error) {
	all, err := d.scenarios(intervalParts(), otherParts())
	if err != nil {
		return Result{}, err
	}
	return d.run(ctx, append(all, scenario{"the cost of the rules", d.cost}))
}

// quickParts are the shares of bad events, little traffic and a healthy week.
func quickParts() parts {
	return parts{
		each: func(d Simulation) []scenario {
			return append(d.shares(), scenario{"little traffic", d.littleTraffic}, scenario{"a healthy week", d.healthyWeek})
		},
		once: func(Simulation) []scenario { return nil },
	}
}

// Quick simulates, for each objective, shares of bad events, little traffic and a healthy week.
func (d Simulation) Quick(ctx context.Context) (Result, error) {
	all, err := d.scenarios(quickParts())
	if err != nil {
		return Result{}, err
	}
	return d.run(ctx, all)
}

// Counts are how many scenarios Run, Quick and Timetable have.
func (d Simulation) Counts() (run, quick, timetable int, err error) {
	var counts [3]int
	for i, p := range [][]parts{{intervalParts(), otherParts()}, {quickParts()}, {intervalParts()}} {
		all, err := d.scenarios(p...)
		if err != nil {
			return 0, 0, 0, err
		}
		counts[i] = len(all)
	}
	return counts[0] + 1, counts[1], counts[2], nil // 1: the cost of the rules
}

// Timetable simulates only what the scrape interval decides: shares of bad
// events and processes that take no requests.
func (d Simulation) Timetable(ctx context.Context) (Result, error) {
	all, err := d.scenarios(intervalParts())
	if err != nil {
		return Result{}, err
	}
	return d.run(ctx, all)
}

// At is the simulation of the same objectives at another scrape interval: what the
// rules would be if the specification said so.
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

// Intervals are the scrape intervals that rules have to hold at.
func Intervals() []time.Duration {
	return []time.Duration{10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}
}

// workers is how many scenarios run at a time: each is one goroutine's work.
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

// record is what one scenario showed.
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

// pages lists what reaches the pager, in the order of time, without repeats. What
// no route asks for goes to the receiver of all, where nobody waits for it.
func (d Simulation) pages(ev *rulesim.Evaluator, until time.Duration) []rulesim.Notification {
	var out []rulesim.Notification
	for _, n := range d.Routing.Notifications(ev.History(), at(until)) {
		if n.Reason == rulesim.Opened && slices.ContainsFunc(n.Alerts, d.isPage) && n.Receiver != d.Routing.Default() {
			out = append(out, n)
		}
	}
	return out
}

// alertOf is the alert of the rules that has fired, and false for a user's own.
func (d Simulation) alertOf(f rulesim.Firing) (slo.Alert, bool) {
	i := slices.IndexFunc(d.Rules.Alerts, func(a slo.Alert) bool { return a.Is(f.Labels.Get) })
	if i < 0 {
		return slo.Alert{}, false
	}
	return d.Rules.Alerts[i], true
}

// firing selects what fires by its alert.
func (d Simulation) firing(accept func(slo.Alert) bool) func(rulesim.Firing) bool {
	return func(f rulesim.Firing) bool {
		a, ok := d.alertOf(f)
		return ok && accept(a)
	}
}

// named lists alerts that fire as people tell them apart.
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
