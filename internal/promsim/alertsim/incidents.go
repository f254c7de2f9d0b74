package alertsim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/slo"
)

// Incident is an incident of the simulation at a time at which its alert fires.
type Incident struct {
	Name string
	// Pages reports whether a page must fire at At; otherwise a ticket.
	Pages       bool
	Environment string
	At          time.Time
	// Store has the series that alerts read. Series of other metrics may be added before [Incident.Evaluate].
	Store     *metricstore.Store
	Instances []Instance

	world *world
}

// Instance is a process of the service.
type Instance struct {
	Environment, Name string
	// Alive reports whether a scrape finds it.
	Alive func(time.Time) bool
}

// Evaluate returns the rules with what they recorded in the hours before At.
func (i Incident) Evaluate(ctx context.Context) (*rulesim.Evaluator, error) {
	const shown = 3 * time.Hour
	ev, err := i.world.evaluator(nil)
	if err != nil {
		return nil, err
	}
	left, err := ev.RunRangeFrom(ctx, at(0), i.At.Add(-shown), i.At)
	if err != nil {
		return nil, err
	}
	rest, err := i.world.evaluator(func(r rulesim.Rule) bool { return slices.Contains(left, r.Name) })
	if err != nil {
		return nil, err
	}
	return ev, rest.Run(ctx, i.At.Add(-shown), i.At)
}

// Incidents returns what [Simulation.Run] simulates and alerts must report: shares of bad events, a failure from the
// first request, outages, and what opens a ticket.
func (d Simulation) Incidents() ([]Incident, error) {
	d.unrouted = true
	var out []Incident
	add := func(name string, pages bool, now time.Duration, w *world, err error) error {
		if err == nil {
			out = append(out, Incident{name, pages, production, at(now), w.store, w.instances, w})
		}
		return err
	}
	for _, share := range slo.DetectionRatios() {
		now, pages, ok := d.firstAlert(share)
		if !ok {
			continue
		}
		w := d.newWorld(now + time.Hour)
		w.repeat(steady, warmUp, w.end)
		err := w.replicas(production, 1, d.all(incident(incidentRate, share, warmUp, w.end)))
		if err := add(fmt.Sprintf("%g %% of all requests fail", share*100), pages, now, w, err); err != nil {
			return nil, err
		}
	}
	const soon = 20 * time.Minute
	w := d.newWorld(time.Hour)
	err := w.replicas(production, 2, d.all(incident(incidentRate, 1, 0, time.Hour)))
	if err := add("failing from the first request", true, soon, w, err); err != nil {
		return nil, err
	}
	for _, way := range outages() {
		if way.runtime && !d.Rules.Spec.Runtime || way.scraped && d.pushed() {
			continue
		}
		w, err := d.lost(way)
		if err := add(way.name, true, outageFrom+soon, w, err); err != nil {
			return nil, err
		}
	}
	for _, t := range d.troubles() {
		t, _, ok := d.alertFor(t)
		if !ok {
			continue
		}
		w, from, _, err := d.troubled(t)
		if err := add(t.name, false, from+t.within, w, err); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// firstAlert returns when the first page fires at a share of bad events, or without one the first ticket.
func (d Simulation) firstAlert(share float64) (at time.Duration, pages, ok bool) {
	for _, row := range d.Rules.Detections(share) {
		page, after := row.Pair.Tier == slo.TierPage, row.FiresAfter+d.Rules.Delay(row.Pair.Tier)
		if row.Fires && (!ok || page && !pages || page == pages && after < at) {
			at, pages, ok = after, page, true
		}
	}
	const certain = 2 * time.Minute // evaluations
	return warmUp + at + certain, pages, ok
}
