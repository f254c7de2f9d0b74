package pairwise_test

import (
	"reflect"
	"testing"

	"github.com/observability-first/scaffold/internal/testkit/pairwise"
)

func TestCoverHasAllPairs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		sizes []int
		most  int // rows; the least possible is the product of the two largest
	}{
		{[]int{2, 2}, 4},
		{[]int{3, 1, 2}, 6},
		{[]int{2, 2, 2, 2, 2, 2, 2, 2}, 9},
		{[]int{1, 2, 3, 2, 3, 2, 2, 3, 3, 2, 2, 2, 3}, 20},
		{[]int{5, 4, 3, 2}, 24},
	} {
		rows := pairwise.Cover(tt.sizes...)
		if len(rows) > tt.most {
			t.Errorf("%v: %d rows, want at most %d", tt.sizes, len(rows), tt.most)
		}
		for f := range tt.sizes {
			for g := f + 1; g < len(tt.sizes); g++ {
				seen := map[[2]int]bool{}
				for _, row := range rows {
					seen[[2]int{row[f], row[g]}] = true
				}
				if len(seen) != tt.sizes[f]*tt.sizes[g] {
					t.Errorf("%v: factors %d and %d meet in %d of %d ways", tt.sizes, f, g, len(seen), tt.sizes[f]*tt.sizes[g])
				}
			}
		}
		if !reflect.DeepEqual(rows, pairwise.Cover(tt.sizes...)) {
			t.Errorf("%v: a second run returns other rows", tt.sizes)
		}
	}
}

func TestEachHasAllValues(t *testing.T) {
	t.Parallel()
	want := [][]int{{0, 0, 0}, {1, 0, 1}, {2, 0, 0}}
	if got := pairwise.Each(3, 1, 2); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := pairwise.Cover(2); !reflect.DeepEqual(got, [][]int{{0}, {1}}) {
		t.Errorf("one factor: got %v", got)
	}
	if got := pairwise.Cover(); got != nil {
		t.Errorf("no factor: got %v", got)
	}
}
