// Package pairwise picks few combinations of options that together hold every
// pair of option values: most faults of generated code need two options to meet,
// and trying every combination would take days.
//
// [Cover] gives the combinations, [Each] those that hold every single value.
package pairwise

// Cover returns rows for factors with that many values each. Row r gives factor
// f the value r[f], counted from 0, and for any two factors each pair of their
// values stands in some row. The same sizes give the same rows.
//
// The rows are greedy, as in AETG (Cohen et al., 1997): each begins with the
// first pair that is missing, and every further factor takes the value that
// completes the most missing pairs.
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

// Each returns as few rows as hold every value of every factor.
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
