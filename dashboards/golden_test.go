package dashboards_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/observability-first/scaffold/internal/testkit/golden"
)

func TestDashboardsAreGolden(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"orders", "checkout"} {
		for _, b := range dashboardsOf(t, inputs(t)[name]) {
			got, err := b.JSON()
			if err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, filepath.Join("testdata", name, b.Name()+".json"), got)
		}
	}
}

func TestOutputIsDeterministic(t *testing.T) {
	t.Parallel()
	in := inputs(t)["orders"]
	first := dashboardsOf(t, in)
	for i, b := range dashboardsOf(t, in) {
		one, err1 := first[i].JSON()
		two, err2 := b.JSON()
		if err1 != nil || err2 != nil || !bytes.Equal(one, two) {
			t.Errorf("%s differs between two runs (%v, %v)", b.Name(), err1, err2)
		}
	}
}
