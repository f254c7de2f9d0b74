package alertsim

import (
	"context"
	"slices"
)

// Some runs the scenarios with the given names.
func (d Simulation) Some(ctx context.Context, names ...string) (Result, error) {
	all, err := d.scenarios(intervalParts(), otherParts())
	if err != nil {
		return Result{}, err
	}
	all = append(all, scenario{"the cost of the rules", d.cost})
	return d.run(ctx, slices.DeleteFunc(all, func(r scenario) bool { return !slices.Contains(names, r.name) }))
}

// Core runs what depends on an objective: every share of bad events, low traffic, and a healthy week.
func (d Simulation) Core(ctx context.Context) (Result, error) {
	return d.run(ctx, append(d.shares(), scenario{"little traffic", d.littleTraffic}, scenario{"a healthy week", d.healthyWeek}))
}
