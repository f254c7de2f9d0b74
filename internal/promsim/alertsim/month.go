package alertsim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/promsim/synthetic"
	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/slo"
)

// budgetError is the maximum deviation of a budget from the true count.
const budgetError = 0.001

// shape is daily traffic for which an average of ratios is wrong, with one hour of 20 % failures on one day.
type shape struct {
	name       string
	day, night float64 // events per second
	incident   float64 // hour of the day
}

func shapes() []shape {
	return []shape{
		{"flat traffic", 100, 100, 12},
		{"less traffic at night, incident at noon", 100, 5, 12},
		{"less traffic at night, incident at night", 100, 5, 2},
		{"no traffic at night, incident at sunset", 100, 0, 19.5},
	}
}

// traffic returns events with day traffic from 8 to 20 o'clock, and the times at which the rate changes.
func (s shape) traffic(failing, end time.Duration) (e events, changes []time.Duration) {
	var good, bad []synthetic.Segment
	for t := time.Duration(0); t < end; t += 30 * time.Minute {
		rate := s.night
		if hour := t % day; hour >= 8*time.Hour && hour < 20*time.Hour {
			rate = s.day
		}
		share := 0.0
		if t >= failing && t < failing+time.Hour {
			share = 0.2
		}
		next := synthetic.Segment{From: t, Rate: rate * (1 - share)}
		if n := len(good); n > 0 && good[n-1].Rate != next.Rate {
			changes = append(changes, t)
		}
		good, bad = append(good, next), append(bad, synthetic.Segment{From: t, Rate: rate * share})
	}
	return events{synthetic.NewFlow(good...), synthetic.NewFlow(bad...)}, append(changes, end)
}

// budget compares the sums of the period with the true count.
func (d Simulation) budget(ctx context.Context, r *record) error {
	for _, window := range d.Rules.Spec.Periods() {
		period := window.Duration()
		end := period + day
		now := end - d.Rules.Spec.ScrapeInterval
		for _, s := range shapes() {
			e, changes := s.traffic(end-2*day+time.Duration(s.incident*float64(time.Hour)), end)
			w := d.newWorld(end + time.Hour)
			w.repeat(day, end-2*day)
			w.repeat(steady, changes...)
			counted, err := d.period(ctx, w, window, e, now)
			if err != nil {
				return err
			}
			bad := e.bad.Between(now-period, now)
			total := bad + e.good.Between(now-period, now)
			for _, c := range counted {
				r.judge(fmt.Sprintf("budget of %s over %s, %s", c.objective, window, s.name),
					fmt.Sprintf("%.0f of %.0f events are bad; the rules count %.0f of %.0f", bad, total, c.bad, c.total),
					errors.Join(near("bad events", c.bad, bad), near("events", c.total, total), near("the error ratio", c.bad/c.total, bad/total),
						d.judgeBudget(c, bad/total)))
			}
		}
	}
	return nil
}

// judgeBudget compares the recorded budget with the one that follows from the objective and the true share of
// bad events.
func (d Simulation) judgeBudget(c sum, share float64) error {
	i := slices.IndexFunc(d.Rules.Spec.SLOs, func(o slo.Objective) bool { return o.Name == c.objective })
	target, ok := d.Rules.Spec.SLOs[i].Target.Rat()
	if !ok {
		return fmt.Errorf("objective %s is not a percentage", d.Rules.Spec.SLOs[i].Target)
	}
	percent, _ := target.Float64()
	budget := 1 - percent/100
	return errors.Join(
		near(slo.RecordBudget, c.budget, budget), near(slo.RecordObjective, c.target, percent/100),
		near(slo.RecordPeriodBurn, c.burn, share/budget), near("what "+slo.RecordRemaining+" has spent", 1-c.remaining, share/budget))
}

// outageInBudget checks that an outage of 43 minutes, a whole month's budget at 99.9 %, is in the budget five
// minutes after its end.
func (d Simulation) outageInBudget(ctx context.Context, r *record) error {
	const long, soon = 43 * time.Minute, 5 * time.Minute
	for _, window := range d.Rules.Spec.Periods() {
		period := window.Duration()
		from := period + 8*time.Minute // all ticket groups are evaluated at the end
		end := from + long + soon
		w := d.newWorld(end + time.Hour)
		w.repeat(steady, from)
		counted, err := d.period(ctx, w, window, incident(50, 1, from, from+long), end-d.Rules.Spec.ScrapeInterval)
		if err != nil {
			return err
		}
		want := long.Hours() / period.Hours()
		for _, c := range counted {
			r.judge(fmt.Sprintf("an outage of 43 minutes in the budget of %s within 5 minutes", c.objective),
				fmt.Sprintf("%.4f %% of all events are bad; the rules count %.4f %%", want*100, c.bad/c.total*100), near("the error ratio", c.bad/c.total, want))
		}
	}
	return nil
}

// sum is the result of the period for one objective.
type sum struct {
	objective       string
	bad, total      float64
	budget, target  float64 // as recorded
	burn, remaining float64 // of the period, as recorded
}

// period records the increases and hours of all objectives until an hour before the end of the world, and
// reads the sums of the period at now.
func (d Simulation) period(ctx context.Context, w *world, window slo.Window, e events, now time.Duration) ([]sum, error) {
	end := w.end - time.Hour
	if err := w.replicas(production, 2, d.all(e)); err != nil {
		return nil, err
	}
	bad, total := slo.BadRecord(string(window)), slo.TotalRecord(string(window))
	inputs := rulesim.Inputs(d.Groups, bad, total)
	increases, err := w.evaluator(func(r rulesim.Rule) bool { return inputs[r.Name] })
	if err != nil {
		return nil, err
	}
	if _, err := increases.RunRange(ctx, at(0), at(end+1)); err != nil {
		return nil, err
	}
	ends := []string{bad, total, slo.RatioRecord(string(window)), slo.RecordBudget, slo.RecordObjective, slo.RecordPeriodBurn, slo.RecordRemaining}
	last, err := w.evaluator(func(r rulesim.Rule) bool { return slices.Contains(ends, r.Name) })
	if err != nil {
		return nil, err
	}
	if err := last.Run(ctx, at(end), at(end+1)); err != nil {
		return nil, err
	}
	var out []sum
	for _, o := range d.Rules.Spec.SLOs {
		if o.Window != window {
			continue
		}
		one := sum{objective: o.Name}
		if err := one.read(ctx, last, bad, total, at(now)); err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// read queries the sums and the values recorded from them. A missing value is NaN.
func (s *sum) read(ctx context.Context, ev *rulesim.Evaluator, bad, total string, now time.Time) error {
	of := fmt.Sprintf("{%s=%q}", slo.LabelObjective, s.objective)
	for query, into := range map[string]*float64{
		bad + of: &s.bad,
		total + " and on (" + slo.LabelSLI + ") " + bad + of: &s.total, // objectives may share a total
		slo.RecordBudget + of:                                &s.budget,
		slo.RecordObjective + of:                             &s.target,
		slo.RecordPeriodBurn + of:                            &s.burn,
		slo.RecordRemaining + of:                             &s.remaining,
	} {
		v, err := ev.Query(ctx, "sum("+query+")", now)
		if err != nil {
			return err
		}
		*into = math.NaN()
		if len(v) == 1 {
			*into = v[0].F
		}
	}
	return nil
}

func near(what string, got, want float64) error {
	if math.IsNaN(got) || math.Abs(got-want) > budgetError*want {
		return fmt.Errorf("%s: the rules count %v, but there were %v; they differ by more than %g %%", what, got, want, budgetError*100)
	}
	return nil
}

// The reference fleet of the cost limit. Rules on raw windows read 208,480 samples per second on it.
const (
	ReferenceSeries = 180 // 20 routes, 3 processes, 3 outcomes
	DefaultMaxCost  = 200 // samples per second for one objective
)

// cost counts what the engine reads for the rules in one hour after a month, on as many counters as the
// service has. One process with one route records the month, since the rules record the same series for it as
// for the fleet.
func (d Simulation) cost(ctx context.Context, r *record) error {
	const end, counted = 31 * day, time.Hour
	w := d.newWorld(end)
	before := process{environment: production, name: "before", to: end - counted, vanishes: true, traffic: d.all(healthy(incidentRate, 0.0001))}
	if err := w.add(before); err != nil {
		return err
	}
	w.repeat(time.Hour, end-counted-5*time.Minute) // 0.01 events per second
	w.routes, w.series = d.Fleet.routes(), 0
	for n := range d.Fleet.replicas() {
		p := process{environment: production, name: fmt.Sprint("p", n), from: end - counted - 5*time.Minute, traffic: before.traffic}
		if err := w.add(p); err != nil {
			return err
		}
	}
	var sums []string
	for _, window := range d.Rules.Spec.Periods() {
		sums = append(sums, slo.BadRecord(string(window)), slo.TotalRecord(string(window)), slo.CoverageRecord(string(window)))
	}
	inputs := rulesim.Inputs(d.Groups, sums...)
	increases, err := w.evaluator(func(rule rulesim.Rule) bool { return inputs[rule.Name] && !slices.Contains(sums, rule.Name) })
	if err != nil {
		return err
	}
	if _, err := increases.RunRange(ctx, at(0), at(end-counted)); err != nil {
		return err
	}
	ev, err := w.evaluator(nil)
	if err != nil {
		return err
	}
	if err := ev.Run(ctx, at(end-counted), at(end)); err != nil {
		return err
	}
	limit := d.MaxCost
	if limit == 0 {
		limit = DefaultMaxCost
	}
	r.cost = report.Cost{Series: w.series, Objectives: len(d.Rules.Spec.SLOs), Limit: limit * math.Max(1, float64(w.series)/ReferenceSeries)}
	for _, c := range ev.Costs() {
		r.cost.SamplesPerSecond += c.PerSecond()
	}
	var problem error
	if r.cost.Objectives > 0 && r.cost.PerObjective() > r.cost.Limit {
		problem = fmt.Errorf("%.1f samples per second for each of %d objectives on %d counters; the limit is %.0f", r.cost.PerObjective(), r.cost.Objectives, w.series, r.cost.Limit)
	}
	r.judge("cost of the rules", fmt.Sprintf("%.1f samples per second for each of %d objectives on %d counters", r.cost.PerObjective(), r.cost.Objectives, w.series), problem)
	return nil
}
