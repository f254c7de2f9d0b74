package dashboards_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
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

// The dashboard of custom metrics has the panels that a type, a unit and labels ask for.
func TestCustomMetrics(t *testing.T) {
	t.Parallel()
	all := dashboardsOf(t, inputs(t)["custom"])
	dashboard := all[len(all)-1]
	var got strings.Builder
	fmt.Fprintln(&got, dashboard.Name(), dashboard.Title())
	for _, q := range dashboard.Queries() {
		fmt.Fprintf(&got, "%s\n  %s\n", q.Panel, q.Expr)
	}
	golden.Compare(t, filepath.Join("testdata", "custom.txt"), []byte(got.String()))
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
