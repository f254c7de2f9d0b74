package drill

import (
	"context"
	"slices"
)

// Some runs the rehearsals that have one of the names.
func (d Drill) Some(ctx context.Context, names ...string) (Result, error) {
	all := slices.Concat(d.timed(), d.rest())
	return d.run(ctx, slices.DeleteFunc(all, func(r rehearsal) bool { return !slices.Contains(names, r.name) }))
}
