package checks

import (
	"context"
	"fmt"

	"path/filepath"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/metricnames"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/exposition"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// specDocument is the parsed scaffold.yaml.
type specDocument struct {
	*yamldoc.Document

	objectives []slo.Objective
}

// readSpec reads the keys of the spec that rules depend on.
func readSpec(dir string) (specDocument, error) {
	src, err := userfile.Read(filepath.Join(dir, spec.FileName), userfile.Limit)
	if err != nil {
		return specDocument{}, fmt.Errorf("read the spec: %w", err)
	}
	doc, err := yamldoc.Parse(spec.FileName, src, "apiVersion: scaffold")
	if err != nil {
		return specDocument{}, fmt.Errorf("read the spec: %w", err)
	}
	out := specDocument{Document: doc}
	doc.DecodeKey("slos", &out.objectives)
	doc.DecodeKey("telemetry", &spec.Telemetry{})
	return out, nil
}

// at returns a finding at the place of a key.
func (d specDocument) at(path string) lint.Finding {
	f := lint.Finding{File: spec.FileName, Part: path}
	f.Line, f.Column = d.Place(path, 0)
	return f
}

// inSpec finds names in the spec that are not declared, which would be repeated in many generated
// rules and dashboards.
func inSpec(t project.Target, signals exposition.Page) ([]lint.Finding, error) {
	doc, err := readSpec(t.Dir)
	if err != nil {
		return nil, err
	}
	known := metricnames.NewKnown(signals, nil, targetLabels(t.Service))
	rules := t.Service.SLO()
	rules.SLOs = doc.objectives
	reads := rules.Reads()
	var found []lint.Finding
	for i, o := range doc.objectives {
		path := fmt.Sprintf("slos[%d]", i)
		own := slices.DeleteFunc(slices.Clone(reads), func(r slo.Read) bool { return !strings.HasPrefix(r.Path, path+".") })
		if wrong := doc.notHistograms(own, signals); len(wrong) > 0 {
			found = append(found, wrong...)
			continue
		}
		found = append(found, doc.objective(path, o, own, known)...)
	}
	return append(howToDeclare(found), doc.unusualLabels(t.Service.Telemetry.GroupBy)...), nil
}

// notHistograms finds metrics that an objective reads buckets of and that are not histograms.
func (d specDocument) notHistograms(reads []slo.Read, signals exposition.Page) []lint.Finding {
	var found []lint.Finding
	for _, r := range reads {
		m, declared := signals.Find(r.Metric)
		if message := notHistogram(m); declared && r.Bound > 0 && message != "" {
			f := d.at(r.Path)
			f.Rule, f.Message = "unknown-metric", message
			found = append(found, f)
		}
	}
	return found
}

// objective finds unknown names in one objective. If the metric is unknown, it does not check its
// threshold and labels.
func (d specDocument) objective(path string, o slo.Objective, reads []slo.Read, known metricnames.Known) []lint.Finding {
	for _, r := range reads {
		queries := []metricnames.Query{{At: d.at(r.Path), Expr: r.Selector()}}
		known := known
		if r.Bound > 0 { // the selector has the histogram's name without suffix
			known = known.AnyForm()
		}
		// The runtime creates buckets for the thresholds of its own latency.
		if r.Bound > 0 && o.Indicator.Custom() {
			queries = append(queries, metricnames.Query{At: d.at(r.BoundPath), Expr: r.Bucket()})
		}
		for _, q := range queries {
			if found := known.Check([]metricnames.Query{q}); len(found) > 0 {
				return found
			}
		}
	}
	var found []lint.Finding
	for i, label := range o.GroupBy {
		by := metricnames.Query{At: d.at(fmt.Sprintf("%s.groupBy[%d]", path, i)), Expr: reads[0].Metric, Label: label}
		found = append(found, known.AnyForm().Check([]metricnames.Query{by})...)
	}
	return found
}

// usualLabels returns common labels that scrapes add.
func usualLabels() []string {
	return []string{
		"cluster", "namespace", "region", "zone", "availability_zone", "tenant", "datacenter", "stage", "account", "project",
		"k8s_cluster_name", "k8s_namespace_name", "cloud_region", "cloud_availability_zone",
	}
}

// unusualLabels warns of labels that are likely misspelled. Labels that a scrape adds are not
// declared.
func (d specDocument) unusualLabels(groupBy []string) []lint.Finding {
	var found []lint.Finding
	for i, label := range groupBy {
		if hint := diagnostic.DidYouMean(label, usualLabels()); hint != "" && !slices.Contains(usualLabels(), label) {
			f := d.at(fmt.Sprintf("telemetry.groupBy[%d]", i)).WithMessagef("%s is an unusual label of a scrape%s", label, hint)
			f.Rule, f.Warning = "unknown-label", true
			found = append(found, f)
		}
	}
	return found
}

// withoutConsequences removes findings in unedited generated files if the spec has errors or the
// service declares other signals now, which cause them.
func (o *LintInput) withoutConsequences(found []lint.Finding, t project.Target, inSpec []lint.Finding) []lint.Finding {
	if lint.CountErrors(inSpec) == 0 && !o.stale {
		return found
	}
	edited := map[string]bool{}
	for _, d := range t.Plan.Drift() {
		edited[d.Path] = true
	}
	return slices.DeleteFunc(found, func(f lint.Finding) bool {
		return strings.HasPrefix(f.File, "observability/") && userOwned(f.File) == 0 && !edited[f.File] && f.Rule != lint.Unused
	})
}

// CheckSpec returns the findings in the spec that depend on the declared signals of the last
// generation. It returns none if these are unknown.
func CheckSpec(ctx context.Context, t project.Target) ([]lint.Finding, error) {
	src, err := userfile.ReadOptional(filepath.Join(t.Dir, filepath.FromSlash(project.TelemetryPath)), userfile.LargeLimit)
	if err != nil || src == nil {
		return nil, err
	}
	signals, err := templates.ParseSignals(project.TelemetryPath, src)
	if err != nil {
		return nil, nil //nolint:nilerr // check reports it
	}
	found, err := inSpec(t, exposition.DeclaredAs(signals, t.Service.Telemetry.Histograms))
	if err != nil {
		return nil, err
	}
	routes, err := routesCheck{}.Run(ctx, t)
	return append(found, routes...), err
}
