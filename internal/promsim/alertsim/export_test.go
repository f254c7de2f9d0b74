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
