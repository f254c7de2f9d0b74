package alertsim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/promsim/synthetic"
	"github.com/observability-first/scaffold/slo"
)

// healthyWeek simulates seven days with a deploy each day, restarts in place, one lost scrape in a hundred,
// and a fifth of each budget spent. No alert may fire.
func (d Simulation) healthyWeek(ctx context.Context, r *record) error {
	const end = 7 * day
	w := d.newWorld(end)
	rnd := rand.New(rand.NewPCG(7, 7))
	for n := range d.Fleet.replicas() {
		from := time.Duration(0)
		for version := range 7 {
			to := time.Duration(version+1)*day + time.Duration(n)*40*time.Second
			seed, born := rnd.Uint64(), from
			restart := from + 5*time.Hour + time.Duration(n)*time.Hour
			p := process{
				environment: production, name: fmt.Sprintf("v%d-%d", version, n), from: from, to: to, vanishes: true,
				traffic: d.week(from),
				lost:    func(t time.Duration) bool { return (uint64(t/time.Second)*0x9E3779B97F4A7C15^seed)>>32%100 == 0 }, //nolint:gosec // no time is negative here
				started: func(t time.Duration) time.Duration {
					if t < restart {
						return born
					}
					return restart
				},
			}
			if version == 6 {
				p.to, p.vanishes = 0, false
			}
			if err := w.add(p); err != nil {
				return err
			}
			from = to - 20*time.Second // its successor starts before it stops
		}
	}
	ev, err := w.evaluator(d.madeOf(every))
	if err != nil {
		return err
	}
	if _, err := ev.RunRange(ctx, at(0), at(end)); err != nil {
		return err
	}
	r.judge("no alert in a healthy week", fmt.Sprintf("seven deploys, %d restarts, one scrape in a hundred lost, a fifth of each error budget spent", 7*d.Fleet.replicas()),
		silent(ev, d.looksAt))
	return nil
}

// week spends a fifth of each budget.
func (d Simulation) week(time.Duration) map[string]events {
	out := map[string]events{}
	for _, o := range d.Rules.Spec.SLOs {
		budget := 0.0
		if target, ok := o.Target.Rat(); ok {
			percent, _ := target.Float64()
			budget = 1 - percent/100
		}
		out[o.Name] = healthy(20, budget/5)
	}
	return out
}

// madeOf selects alerts and every rule that they read, directly or through others.
func (d Simulation) madeOf(wanted func(slo.Alert) bool) func(rulesim.Rule) bool {
	var names []string
	for _, a := range d.Rules.Alerts {
		if wanted(a) {
			names = append(names, a.Name)
		}
	}
	inputs := rulesim.Inputs(d.Groups, names...)
	return func(r rulesim.Rule) bool { return inputs[r.Name] }
}

// every selects all alerts of the specification. User-defined alerts may fire for other reasons.
func every(slo.Alert) bool { return true }

// looksAt reports whether an alert belongs to an objective that has traffic in this simulation, or to the
// service as a whole. Other alerts fire because they have no data.
func (d Simulation) looksAt(f rulesim.Firing) bool {
	objective := f.Labels.Get(slo.LabelObjective)
	return d.firing(every)(f) && (objective == "" || slices.ContainsFunc(d.Rules.Spec.SLOs, func(o slo.Objective) bool { return o.Name == objective }))
}

// silent returns an error if an alert that counts has fired.
func silent(ev *rulesim.Evaluator, counts func(rulesim.Firing) bool) error {
	var problems []error
	for _, f := range ev.History() {
		if counts(f) {
			problems = append(problems, fmt.Errorf("%s fires after %s with the value %v", f.Labels, f.FiredAt.Sub(at(0)), f.Value))
		}
	}
	if len(problems) > 5 {
		problems = append(problems[:5], fmt.Errorf("and %d more times", len(problems)-5))
	}
	return errors.Join(problems...)
}

// littleTraffic runs each objective at the traffic below which its rules no longer page for a total outage.
// One failure must not page, and an outage must.
func (d Simulation) littleTraffic(ctx context.Context, r *record) error {
	for _, o := range d.Rules.Spec.SLOs {
		perHour, ok := d.Rules.MinTraffic(o.Name)
		if !ok {
			perHour = 60
		}
		const from = 7*time.Hour + intoTheMinute
		w := d.newWorld(from + 7*time.Hour)
		if perHour == math.Trunc(perHour) {
			w.repeat(time.Hour, from)
		}
		if err := w.replicas(production, 1, map[string]events{o.Name: failures(perHour/3600, from)}); err != nil {
			return err
		}
		ev, err := d.objectiveEvaluator(ctx, w, o)
		if err != nil {
			return err
		}
		r.judge(fmt.Sprintf("no alert for one failure of %s at %.0f events per hour", o.Name, perHour), "no alert fires", silent(ev, d.firing(d.burns(o.Name))))
		if ok {
			if err := d.outageOfLittle(ctx, r, o, perHour); err != nil {
				return err
			}
		}
		if err := d.fewFailures(ctx, r, o); err != nil {
			return err
		}
	}
	return nil
}

// fewFailures simulates failures at one event per hour. Each failure is a large share of the traffic, but
// only as many as the guard requires may fire an alert.
func (d Simulation) fewFailures(ctx context.Context, r *record, o slo.Objective) error {
	guard := slo.DefaultMinBadEvents
	if o.MinBadEvents != nil {
		guard = *o.MinBadEvents
	}
	if guard < 2 {
		return nil // without the guard each failure fires
	}
	for _, n := range []int{guard - 1, guard} {
		const from = 37*time.Hour + intoTheMinute
		at := make([]time.Duration, n)
		for i := range at {
			at[i] = from + time.Duration(i)*time.Minute
		}
		w := d.newWorld(from + 2*time.Hour)
		w.repeat(time.Hour, from)
		if err := w.replicas(production, 1, map[string]events{o.Name: failures(1.0/3600, at...)}); err != nil {
			return err
		}
		ev, err := d.objectiveEvaluator(ctx, w, o)
		if err != nil {
			return err
		}
		claim := fmt.Sprintf("%d failures of %s at one event per hour", n, o.Name)
		if n < guard {
			r.judge("no alert for "+claim, "no alert fires", silent(ev, d.firing(d.burns(o.Name))))
			continue
		}
		var problem error
		if missing := d.quietOf(ev, o.Name); len(missing) > 0 {
			problem = fmt.Errorf("%s stay silent", strings.Join(missing, ", "))
		}
		r.judge("every alert for "+claim, "all fire", problem)
	}
	return nil
}

// quietOf returns the burn alerts of an objective that have not fired.
func (d Simulation) quietOf(ev *rulesim.Evaluator, objective string) []string {
	var out []string
	for _, a := range d.Rules.Alerts {
		fired := func(f rulesim.Firing) bool { return a.Is(f.Labels.Get) }
		if d.burns(objective)(a) && !slices.ContainsFunc(ev.History(), fired) {
			out = append(out, a.String())
		}
	}
	return out
}

// youngService has errors in its first hours. It must page without a ticket: the three-day window has only
// one hour of data, and an error that spends a month's budget in that hour may be over.
func (d Simulation) youngService(ctx context.Context, r *record) error {
	const end = 6 * time.Hour
	w := d.newWorld(end)
	if err := w.replicas(production, 1, d.all(incident(incidentRate, 1, time.Hour, 90*time.Minute))); err != nil {
		return err
	}
	tickets := func(a slo.Alert) bool { return a.Burn != nil && a.Tier == slo.TierTicket }
	ev, err := w.evaluator(d.madeOf(tickets))
	if err != nil {
		return err
	}
	if _, err := ev.RunRange(ctx, at(0), at(end)); err != nil {
		return err
	}
	r.judge("no ticket in the first hours of a service", "a total outage of half an hour pages and opens no ticket", silent(ev, d.firing(tickets)))
	return nil
}

// outageOfLittle simulates a total outage at twice the minimum traffic: events come one by one, and the guard
// counts whole events.
func (d Simulation) outageOfLittle(ctx context.Context, r *record, o slo.Objective, perHour float64) error {
	const from = 7*time.Hour + intoTheMinute
	w := d.newWorld(from + 30*time.Minute)
	if err := w.replicas(production, 1, map[string]events{o.Name: incident(2*perHour/3600, 1, from, w.end)}); err != nil {
		return err
	}
	ev, err := d.objectiveEvaluator(ctx, w, o)
	if err != nil {
		return err
	}
	first, ok := d.firstPage(ev)
	var problem error
	after := first.FiredAt.Sub(at(from))
	switch {
	case !ok:
		problem = errors.New("nothing pages within half an hour")
	case after > 10*time.Minute || after < 0:
		problem = fmt.Errorf("%s fires %s after the start; the limit is ten minutes", d.named(first), after)
	}
	r.judge(fmt.Sprintf("page for a total outage of %s at %.0f events per hour", o.Name, 2*perHour), fmt.Sprintf("%s fires after %s", d.named(first), after), problem)
	return nil
}

// objectiveEvaluator returns an evaluator for a world in which only one objective has traffic.
func (d Simulation) objectiveEvaluator(ctx context.Context, w *world, o slo.Objective) (*rulesim.Evaluator, error) {
	ev, err := w.evaluator(d.madeOf(d.burns(o.Name)))
	if err != nil {
		return nil, err
	}
	_, err = ev.RunRange(ctx, at(0), at(w.end))
	return ev, err
}

// burns selects the burn alerts of an objective.
func (d Simulation) burns(objective string) func(slo.Alert) bool {
	return func(a slo.Alert) bool { return a.Burn != nil && d.Rules.Spec.SLOs[a.SLO].Name == objective }
}

// freshProcesses each fail one event soon after their start. Every failure must count, because failures are
// most likely in a new process.
func (d Simulation) freshProcesses(ctx context.Context, r *record) error {
	const processes, end = 5, 2 * time.Hour
	w := d.newWorld(end)
	for i := range processes {
		from := time.Duration(15+11*i)*time.Minute + time.Duration(i*3)*time.Second
		failure := time.Duration(80+9*i) * time.Second // after its second scrape at any interval
		if d.Rules.Spec.Runtime && i%2 == 0 {
			failure = time.Millisecond // before the first scrape
		}
		e := failures(1, from+failure)
		e.good = synthetic.Steady(0).Then(from, 1)
		if err := w.add(process{environment: production, name: fmt.Sprint("fresh", i), from: from, traffic: d.all(e)}); err != nil {
			return err
		}
	}
	bad := slo.BadRecord("6h")
	inputs := rulesim.Inputs(d.Groups, bad)
	ev, err := w.evaluator(func(rule rulesim.Rule) bool { return inputs[rule.Name] })
	if err != nil {
		return err
	}
	if _, err := ev.RunRange(ctx, at(0), at(end)); err != nil {
		return err
	}
	for _, o := range d.Rules.Spec.SLOs {
		if len(o.GroupBy) > 0 {
			continue // has no page increases
		}
		v, err := ev.Query(ctx, fmt.Sprintf("sum(%s{%s=%q})", bad, slo.LabelObjective, o.Name), at(end-time.Minute))
		if err != nil {
			return err
		}
		counted := math.NaN()
		if len(v) == 1 {
			counted = v[0].F
		}
		var problem error
		if math.IsNaN(counted) || math.Abs(counted-processes) > 0.01 {
			problem = fmt.Errorf("the rules count %v failures", counted)
		}
		r.judge(fmt.Sprintf("the first failure of each of %d new instances counts for %s", processes, o.Name), fmt.Sprintf("%.3f are counted", counted), problem)
	}
	return nil
}

// idleNight has no traffic before the first request and for an hour after some requests. No recorded value
// may be NaN, and no alert may fire.
func (d Simulation) idleNight(ctx context.Context, r *record) error {
	const end = 2 * time.Hour
	w := d.newWorld(end)
	traffic := d.all(events{synthetic.Steady(0).Then(25*time.Minute, 20).Then(45*time.Minute, 0).Then(105*time.Minute, 20), synthetic.Steady(0)})
	for n := range d.Fleet.replicas() {
		if err := w.add(process{environment: production, name: fmt.Sprint("p", n), traffic: traffic, unborn: true}); err != nil {
			return err
		}
	}
	ours := d.madeOf(every)
	ev, err := w.evaluator(func(rule rulesim.Rule) bool { return !rule.IsAlert || ours(rule) })
	if err != nil {
		return err
	}
	left, err := ev.RunRange(ctx, at(0), at(end))
	if err != nil {
		return err
	}
	rest, err := w.evaluator(func(rule rulesim.Rule) bool { return slices.Contains(left, rule.Name) })
	if err != nil {
		return err
	}
	if err := rest.Run(ctx, at(0), at(end)); err != nil {
		return err
	}
	recorded, problem := d.numbers(ctx, ev, end)
	if recorded == 0 && problem == nil {
		problem = errors.New("nothing was recorded")
	}
	r.judge("no NaN in a night without traffic", fmt.Sprintf("%d samples recorded", recorded), errors.Join(problem, silent(ev, d.looksAt)))
	return nil
}

// numbers checks everything that was recorded, every two minutes.
func (d Simulation) numbers(ctx context.Context, ev *rulesim.Evaluator, end time.Duration) (recorded int, problem error) {
	for now := time.Duration(0); now <= end; now += 2 * time.Minute {
		v, err := ev.Query(ctx, `{__name__=~"slo:.+|service:.+|ALERTS"}`, at(now))
		if err != nil {
			return recorded, err
		}
		for _, s := range v {
			recorded++
			if math.IsNaN(s.F) || math.IsInf(s.F, 0) {
				return recorded, fmt.Errorf("%s is %v after %s", s.Metric, s.F, now)
			}
		}
	}
	return recorded, nil
}
