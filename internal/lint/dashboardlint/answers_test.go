package dashboardlint_test

import (
	"compress/gzip"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/observability-first/scaffold/internal/lint/dashboardlint"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
)

// The dashboards of commit e1cf93e had data in each panel, and told an engineer on call what was not so. The
// rules find it.
func TestDefectsOfTheRunInGrafanaAreFound(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../dashboards/render/testdata/e1cf93e/orders-*.json.gz")
	if err != nil || len(files) != 5 {
		t.Fatalf("%v, %v", files, err)
	}
	var in dashboardlint.Input
	for _, file := range files {
		in.Dashboards = append(in.Dashboards, unzipped(t, file))
	}
	found := map[string]int{}
	for _, f := range dashboardlint.Check(in) {
		found[f.Rule]++
	}
	for _, rule := range []string{
		"dashboard-alertlist-datasource", "dashboard-annotation-region", "dashboard-bargauge-names", "dashboard-environment-all",
		"dashboard-headline-color", "dashboard-headline-window", "dashboard-log-novalue", "dashboard-profile-sum",
		"dashboard-ratio-axis", "dashboard-threshold-axis", "dashboard-threshold-scale",
	} {
		if found[rule] == 0 {
			t.Errorf("%s finds nothing", rule)
		}
	}
	t.Log(slices.Sorted(maps.Keys(found)), found)
}

func unzipped(t *testing.T, path string) dashboardfile.Dashboard {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	src, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	b, err := dashboardfile.Parse(filepath.Base(path), src)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
