package generated

import "testing"

// A new level needs rows that combine it with the levels of all other factors.
func TestRowsHoldEveryPair(t *testing.T) {
	list := factors()
	pairs := map[[4]int]bool{}
	for _, row := range rows() {
		for f := range row {
			for g := range row {
				pairs[[4]int{f, row[f], g, row[g]}] = true
			}
		}
	}
	for f := range list {
		for g := range f {
			for a, one := range list[f].levels {
				for b, other := range list[g].levels {
					if !pairs[[4]int{f, a, g, b}] {
						t.Errorf("no row combines %q with %q", one, other)
					}
				}
			}
		}
	}
}
