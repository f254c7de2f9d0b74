package generated

import "testing"

// A level that is added to a factor needs rows that hold it with all others.
func TestRowsHoldEveryPair(t *testing.T) {
	list := factors()
	held := map[[4]int]bool{}
	for _, row := range rows() {
		for f := range row {
			for g := range row {
				held[[4]int{f, row[f], g, row[g]}] = true
			}
		}
	}
	for f := range list {
		for g := range f {
			for a, one := range list[f].levels {
				for b, other := range list[g].levels {
					if !held[[4]int{f, a, g, b}] {
						t.Errorf("no row holds %q with %q", one, other)
					}
				}
			}
		}
	}
}
