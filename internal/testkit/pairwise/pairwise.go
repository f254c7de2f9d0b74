// Package pairwise chooses few combinations of options that cover all pairs of option values. Most
// errors of generated code depend on two options, and testing all combinations would take days.
package pairwise

// Cover returns rows for factors with the given numbers of values. In row r, factor f has the value
// r[f], from 0. For any two factors, each pair of values is in a row. The result is deterministic.
//
// The algorithm is greedy, as AETG (Cohen et al., 1997): a row begins with the first missing pair, and
// each other factor gets the value that adds the most missing pairs.
func Cover(sizes ...int) [][]int {
	missing := map[pair]bool{}
	var order []pair
	for f := range sizes {
		for g := f + 1; g < len(sizes); g++ {
			for a := range sizes[f] {
				for b := range sizes[g] {
					p := pair{f, a, g, b}
					missing[p] = true
					order = append(order, p)
				}
			}
		}
	}
	if len(sizes) < 2 {
		return Each(sizes...)
	}
	var rows [][]int
	for _, p := range order {
		if !missing[p] {
			continue
		}
		row := fill(p, sizes, missing)
		for f := range row {
			for g := f + 1; g < len(row); g++ {
				delete(missing, pair{f, row[f], g, row[g]})
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// Each returns the fewest rows that have all values of all factors.
func Each(sizes ...int) [][]int {
	longest := 0
	for _, n := range sizes {
		longest = max(longest, n)
	}
	var rows [][]int
	for r := range longest {
		row := make([]int, len(sizes))
		for f, n := range sizes {
			row[f] = r % n
		}
		rows = append(rows, row)
	}
	return rows
}

// pair is value a of factor f with value b of factor g, where f < g.
type pair struct{ f, a, g, b int }

func fill(first pair, sizes []int, missing map[pair]bool) []int {
	const open = -1
	row := make([]int, len(sizes))
	for f := range row {
		row[f] = open
	}
	row[first.f], row[first.g] = first.a, first.b
	for f := range row {
		if row[f] != open {
			continue
		}
		best, most := 0, -1
		for value := range sizes[f] {
			gain := 0
			for g, other := range row {
				switch {
				case other == open:
				case g < f && missing[pair{g, other, f, value}], g > f && missing[pair{f, value, g, other}]:
					gain++
				}
			}
			if gain > most {
				best, most = value, gain
			}
		}
		row[f] = best
	}
	return row
}
