package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/spec"
)

// showArtifacts counts the generated observability files and runs scaffold check.
func (d *demo) showArtifacts(ctx context.Context) error {
	d.title("Generated observability files")
	for _, kind := range []struct{ name, pattern string }{
		{"rule files", "observability/rules/*.rules.yaml"},
		{"rule tests", "observability/rules/*.test.yaml"},
		{"dashboards", "observability/dashboards/*.json"},
		{"runbooks", "observability/runbooks/*.md"},
	} {
		found, err := filepath.Glob(filepath.Join(d.dir, kind.pattern))
		if err != nil {
			return err
		}
		d.sayf("  %3d %-11s %s", len(found), kind.name, kind.pattern)
	}
	signals, err := os.ReadFile(filepath.Join(d.dir, "observability", "telemetry.json"))
	if err != nil {
		return err
	}
	d.sayf("  %3d KiB of declared signals in observability/telemetry.json", len(signals)/1024)
	out, err := d.command(ctx, d.dir, "scaffold check", d.cli, "check")
	for line := range strings.Lines(out) {
		d.sayf("  %s", strings.TrimRight(line, "\n"))
	}
	return err
}

// showPages lists the alerts that would page at this error ratio and the calculated
// time until they fire.
func (d *demo) showPages(errorRatio float64) error {
	name := filepath.Join(d.dir, spec.FileName)
	src, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	service, err := spec.Parse(name, src)
	if err != nil {
		return err
	}
	rules, err := slo.Compile(service.SLO())
	if err != nil {
		return err
	}
	paged := 0
	for _, page := range rules.Detections(errorRatio) {
		if page.Pair.Tier == slo.TierPage && page.SLO == "availability" && page.Fires {
			paged++
			d.sayf("  %s would page after %.1f to %.1f min", page.Alert,
				page.FiresAfter.Minutes(), (page.FiresAfter + rules.Delay(slo.TierPage)).Minutes())
		}
	}
	if paged == 0 {
		return fmt.Errorf("no alert would page at an error ratio of %.0f %%", 100*errorRatio)
	}
	return nil
}
