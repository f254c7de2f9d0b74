package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/cli"
)

// A service passes its tests with metrics of each type, an objective and panels on them. Metrics without an own panel are on the
// dashboard of custom metrics.
func TestEndToEndAddMetric(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds a service")
	}
	s := newService(t, "shop")
	for _, args := range [][]string{
		{"counter", "gadgets_shipped_total", "--label", "result"}, {"counter", "gadgets_lost_total"},
		{"gauge", "shelf_items", "--label", "shelf,side"}, {"gauge", "shelf_bytes"},
		{"histogram", "packing_seconds", "--label", "result"}, {"histogram", "parcel_items"},
	} {
		out := s.run(append([]string{"add", "metric", "--description", "Test of " + args[1] + "."}, args...)...)
		if !strings.Contains(out, "update   observability/telemetry.json") || !strings.Contains(s.read("observability/telemetry.json"), `"`+args[1]+`"`) {
			t.Errorf("%s is not declared:\n%s", args[1], out)
		}
		if text := s.read("observability/dashboards/shop-custom.json"); !strings.Contains(text, args[1]) {
			t.Errorf("the custom metrics have no panel of %s", args[1])
		}
	}
	s.run("add", "slo", "shipping", "--objective", "99.5", "--total", "gadgets_shipped_total", "--bad", `gadgets_shipped_total{result="failed"}`)
	s.run("add", "panel", "Shipped gadgets", "--expr", "sum by (result) (rate(gadgets_shipped_total[$__rate_interval]))")
	s.run("add", "panel", "Packing time", "--expr", "histogram_quantile(0.99, sum by (le) (rate(packing_seconds_bucket[$__rate_interval])))")
	s.run("add", "panel", "Failures", "--expr", `sum(rate(gadgets_shipped_total{result="failed"}[$__rate_interval])) / sum(rate(gadgets_shipped_total[$__rate_interval]))`)
	out := s.run("add", "panel", "Shelf", "--expr", "max by (shelf) (shelf_items)", "--dashboard", "shelves")
	if !strings.Contains(out, "create   observability/dashboards/own/shelves.json") {
		t.Errorf("no new dashboard:\n%s", out)
	}
	s.passes()
	team := s.read("observability/dashboards/own/team.json")
	for _, unit := range []string{"ops", "s", "percentunit"} {
		if strings.Count(team, `"unit": "`+unit+`"`) != 1 {
			t.Errorf("no panel has the unit %s:\n%s", unit, team)
		}
	}
	for line := range strings.Lines(s.check(cli.ExitDone)) {
		if strings.Contains(line, "dashboards/own") {
			t.Errorf("the panels have a finding: %s", line)
		}
	}
	if text := s.read("observability/dashboards/shop-custom.json"); strings.Contains(text, "shelf_items") || !strings.Contains(text, "gadgets_lost_total") {
		t.Error("the custom metrics have to be those without another panel")
	}
}

// Errors that scaffold check would find are errors of the flags, and nothing is written.
func TestEndToEndAddInvalidPanel(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds a service")
	}
	s := newService(t, "shop")
	for _, tc := range []struct {
		want  string
		flags []string
	}{
		{"--expr: http_server_requests_total is a counter; show rate(http_server_requests_total[$__rate_interval])", []string{"--expr", "sum(http_server_requests_total)"}},
		{"--expr: metric gadgets_total is not declared", []string{"--expr", "rate(gadgets_total[5m])"}},
		{"has no label rout", []string{"--expr", "sum by (rout) (rate(http_server_requests_total[5m]))"}},
		{"--unit: the unit s is for seconds", []string{"--expr", "go_gc_heap_live_bytes", "--unit", "s"}},
		{`--dashboard: "../sum(" is not a file name`, []string{"--expr", "up", "--dashboard", "../sum("}},
	} {
		status, _, errs := s.scaffold(append([]string{"add", "panel", "A", "--dir", s.dir}, tc.flags...)...)
		if status != 64 || !strings.Contains(errs, tc.want) {
			t.Errorf("%q: status %d, %s\nwant %s", tc.flags, status, errs, tc.want)
		}
	}
	if _, err := os.Stat(filepath.Join(s.dir, "observability/dashboards/own")); !os.IsNotExist(err) {
		t.Errorf("there are dashboards: %v", err)
	}
}
