package alertsim

import (
	"context"
	"slices"
)

// Some runs the rehearsals that have one of the names.
func (d Drill) Some(ctx context.Context, names ...string) (Result, error) {
	all, err := d.rehearsals(intervalParts(), otherParts())
	if err != nil {
		return Result{}, err
	}
	all = append(all, rehearsal{"the cost of the rules", d.cost})
	return d.run(ctx, slices.DeleteFunc(all, func(r rehearsal) bool { return !slices.Contains(names, r.name) }))
}

// Core is what an objective is about: every share of bad events, little traffic, and a healthy week.
func (d Drill) Core(ctx context.Context) (Result, error) {
	return d.run(ctx, append(d.shares(), rehearsal{"little traffic", d.littleTraffic}, rehearsal{"a healthy week", d.healthyWeek}))
}
