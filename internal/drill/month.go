package drill

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/observability-first/scaffold/internal/proof"
	"github.com/observability-first/scaffold/internal/rulelab"
	"github.com/observability-first/scaffold/slo"
)

// budgetError is how far a budget may be from the true count.
const budgetError = 0.001

// shape is a daily rhythm of traffic that an average of ratios gets wrong, with
// an hour of 20 % failures on one day.
type shape struct {
	name       string
	day, night float64 // events a second
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

// traffic has its day from 8 to 20 o'clock.
func (s shape) traffic(failing, end time.Duration) events {
	var good, bad []segment
	for t := time.Duration(0); t < end; t += 30 * time.Minute {
		rate := s.night
		if hour := t % day; hour >= 8*time.Hour && hour < 20*time.Hour {
			rate = s.day
		}
		share := 0.0
		if t >= failing && t < failing+time.Hour {
			share = 0.2
		}
		good, bad = append(good, segment{t, rate * (1 - share)}), append(bad, segment{t, rate * share})
	}
	return events{newFlow(good...), newFlow(bad...)}
}

// budget compares what a period sums up to with the true count.
func (d Drill) budget(ctx context.Context, r *record) error {
	for _, s := range shapes() {
		for _, o := range d.Rules.Spec.SLOs {
			period := o.Window.Duration()
			end := period + day
			e := s.traffic(end-10*day+time.Duration(s.incident*float64(time.Hour)), end)
			if o.Window == "7d" {
				e = s.traffic(end-3*day+time.Duration(s.incident*float64(time.Hour)), end)
			}
			now := end - d.Rules.Spec.ScrapeInterval
			bad, total, err := d.period(ctx, o, e, end, now)
			if err != nil {
				return err
			}
			wantBad := e.bad.between(now-period, now)
			wantTotal := wantBad + e.good.between(now-period, now)
			r.judge(fmt.Sprintf("budget of %s over %s, %s", o.Name, o.Window, s.name),
				fmt.Sprintf("%.0f of %.0f events are bad; counted %.0f of %.0f", wantBad, wantTotal, bad, total),
				errors.Join(near("bad events", bad, wantBad), near("events", total, wantTotal), near("the share of bad events", bad/total, wantBad/wantTotal)))
		}
	}
	return nil
}

// outageInBudget wants an outage of 43 minutes, a whole month's budget at 99.9 %,
// to be in the budget five minutes after it ended.
func (d Drill) outageInBudget(ctx context.Context, r *record) error {
	const long, soon = 43 * time.Minute, 5 * time.Minute
	for _, o := range d.Rules.Spec.SLOs {
		period := o.Window.Duration()
		from := period + 10*time.Minute
		end := from + long + soon
		now := end - d.Rules.Spec.ScrapeInterval
		bad, total, err := d.period(ctx, o, incident(50, 1, from, from+long), end, now)
		if err != nil {
			return err
		}
		want := long.Hours() / period.Hours()
		r.judge(fmt.Sprintf("an outage of 43 minutes in the budget of %s within 5 minutes", o.Name),
			fmt.Sprintf("%.4f %% of the period's events are bad, %.4f %% counted", want*100, bad/total*100), near("the share of bad events", bad/total, want))
	}
	return nil
}

// period records one objective's tiles and hours until end, and reads what its
// period sums up to at now.
func (d Drill) period(ctx context.Context, o slo.Objective, e events, end, now time.Duration) (bad, total float64, err error) {
	w := d.newWorld(end + time.Hour)
	if err := w.replicas(production, 2, map[string]events{o.Name: e}); err != nil {
		return 0, 0, err
	}
	sums := []string{slo.BadRecord(string(o.Window)), slo.TotalRecord(string(o.Window))}
	inputs := rulelab.Inputs(d.Groups, sums...)
	tiles, err := w.lab(func(r rulelab.Rule) bool { return !r.IsAlert && inputs[r.Name] })
	if err != nil {
		return 0, 0, err
	}
	if _, err := tiles.Rehearse(ctx, at(0), at(end+1)); err != nil {
		return 0, 0, err
	}
	last, err := w.lab(func(r rulelab.Rule) bool { return !r.IsAlert && (r.Name == sums[0] || r.Name == sums[1]) })
	if err != nil {
		return 0, 0, err
	}
	if err := last.Run(ctx, at(end), at(end+5*time.Minute)); err != nil {
		return 0, 0, err
	}
	for i, into := range []*float64{&bad, &total} {
		v, err := last.Query(ctx, "sum("+sums[i]+")", at(now))
		if err != nil {
			return 0, 0, err
		}
		if len(v) == 1 {
			*into = v[0].F
		}
	}
	return bad, total, nil
}

func near(what string, got, want float64) error {
	if math.IsNaN(got) || math.Abs(got-want) > budgetError*want {
		return fmt.Errorf("%s: %v counted, %v happened; %g %% apart is too far", what, got, want, budgetError*100)
	}
	return nil
}

// The reference fleet of the cost: what one objective may read on it is a
// promise. Rules on raw windows read 208,480 samples a second there.
const (
	ReferenceSeries = 180 // 20 routes, 3 processes, 3 outcomes
	DefaultMaxCost  = 200 // samples a second for one objective
)

// cost counts what the engine reads for the rules in an hour that follows a
// month, on counters as many as the service has.
func (d Drill) cost(ctx context.Context, r *record) error {
	const end = 31 * day
	w := d.newWorld(end)
	w.routes = d.Fleet.routes()
	if err := w.replicas(production, d.Fleet.replicas(), d.all(healthy(incidentRate, 0.0001))); err != nil {
		return err
	}
	// The tiles of a month, then an hour as it runs.
	tiles, err := w.lab(func(rule rulelab.Rule) bool { return !rule.IsAlert })
	if err != nil {
		return err
	}
	if _, err := tiles.Rehearse(ctx, at(0), at(end-time.Hour)); err != nil {
		return err
	}
	lab, err := w.lab(nil)
	if err != nil {
		return err
	}
	if err := lab.Run(ctx, at(end-time.Hour), at(end)); err != nil {
		return err
	}
	limit := d.MaxCost
	if limit == 0 {
		limit = DefaultMaxCost
	}
	r.cost = proof.Cost{Series: w.series, Objectives: len(d.Rules.Spec.SLOs), Limit: limit * math.Max(1, float64(w.series)/ReferenceSeries)}
	for _, c := range lab.Costs() {
		r.cost.SamplesPerSecond += c.PerSecond()
	}
	var problem error
	if r.cost.Objectives > 0 && r.cost.PerObjective() > r.cost.Limit {
		problem = fmt.Errorf("%.1f samples a second for each of %d objectives on %d counters; the limit is %.0f", r.cost.PerObjective(), r.cost.Objectives, w.series, r.cost.Limit)
	}
	r.judge("cost of the rules", fmt.Sprintf("%.1f samples a second for each of %d objectives on %d counters", r.cost.PerObjective(), r.cost.Objectives, w.series), problem)
	return nil
}
