package render

import (
	"fmt"
	"slices"
	"strings"
)

// problem is why a part of the dashboard is not drawn.
type problem struct{ where, why string }

// report records what is missing in the picture.
func (r *renderer) report(where, why string) {
	where, why = strings.Map(printable, cut(where, maxProblem)), strings.Map(printable, cut(why, maxProblem)) // one line each
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if len(r.problems) < maxReported {
		r.problems = append(r.problems, problem{where, why})
	}
}

// manyPlaces is the number of places with the same problem from which on they are counted.
const manyPlaces = 4

// grouped returns a line for each problem; one that is in many places, such as a store that does not
// respond, once. Of more than [maxProblems] it returns the number.
func grouped(problems []problem) []string {
	places, seen := map[string][]string{}, map[problem]bool{}
	for _, p := range problems {
		if !seen[p] {
			places[p.why] = append(places[p.why], p.where)
		}
		seen[p] = true
	}
	var out []string
	for why, where := range places {
		switch {
		case why == "":
			out = append(out, where...)
		case len(where) >= manyPlaces:
			slices.Sort(where)
			out = append(out, fmt.Sprintf("%s and %d others: %s", where[0], len(where)-1, why))
		default:
			for _, one := range where {
				out = append(out, one+": "+why)
			}
		}
	}
	slices.Sort(out)
	if more := len(out) - maxProblems; more > 0 {
		out = append(out[:maxProblems], fmt.Sprintf("%d more problems", more))
	}
	return out
}
