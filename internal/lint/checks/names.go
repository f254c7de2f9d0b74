package checks

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/project/monorepo"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/exposition"
	"github.com/observability-first/scaffold/internal/source/rulefile"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

// namesCheck finds metrics and labels in rules and dashboards that the service does not declare.
type namesCheck struct{}

func (namesCheck) Name() string { return "names" }

func (namesCheck) Run(ctx context.Context, t project.Target) ([]lint.Finding, error) {
	o, err := readService(ctx, t)
	if err != nil {
		return []lint.Finding{{File: project.TelemetryPath, Message: err.Error()}}, nil //nolint:nilerr // the error is the finding
	}
	if o.Signals == nil {
		return nil, nil // Drift reports it
	}
	inSpec, err := inSpec(t, *o.Signals)
	return append(inSpec, howToDeclare(o.withoutConsequences(o.unknownNames(), t, inSpec))...), err
}

// howToDeclare adds advice to findings of undeclared metrics without a similar name. Metrics of
// another registry are not scraped.
func howToDeclare(found []lint.Finding) []lint.Finding {
	const end, advice = " is not declared", "; declare it with svc.Metrics(), see A metric in README.md"
	for i, f := range found {
		if f.Rule == "unknown-metric" && strings.HasSuffix(f.Message, end) {
			found[i].Message += advice
			found[i].Shape += advice
		}
	}
	return found
}

// lintCheck runs the lints of rules and dashboards.
type lintCheck struct{}

func (lintCheck) Name() string { return "lint" }

func (lintCheck) Run(ctx context.Context, t project.Target) ([]lint.Finding, error) {
	o, err := readService(ctx, t)
	if err != nil {
		return nil, nil //nolint:nilerr // namesCheck reports it
	}
	if o.Signals == nil {
		return o.lints(), nil
	}
	inSpec, err := inSpec(t, *o.Signals)
	return o.withoutConsequences(o.lints(), t, inSpec), err
}

// readService reads all rules and dashboards of a service. The error is about the declared signals.
func readService(ctx context.Context, t project.Target) (LintInput, error) {
	links := t.Service.SLO().Links
	o := LintInput{
		TargetLabels: targetLabels(t.Service),
		Scrape:       t.Service.Telemetry.ScrapeInterval, OnlyDeclaredMetrics: true, AllRules: true, runbooks: links.Runbooks != "" || links.Repository != "",
	}
	o.exclusions = generatedExclusions(t.Service)
	read := func(dir string, endings []string, add func(name string, src []byte)) {
		for _, file := range FindFiles(t.Dir, dir, endings...) {
			src, err := userfile.Read(filepath.Join(t.Dir, filepath.FromSlash(file)), userfile.LargeLimit)
			if err != nil {
				o.broken = append(o.broken, lint.ParseFindings("rule-file", file, err)...)
				continue
			}
			add(file, src)
		}
	}
	read("observability/rules", ruleEndings(), o.addRules)
	read("observability/dashboards", dashboardEndings(), func(name string, src []byte) { o.addDashboard(name, src, false) })
	read("observability", lint.FileNames(), o.addExclusions)
	// User-owned dashboards last: of two with the same uid, the last one is reported.
	slices.SortStableFunc(o.Dashboards, func(a, b dashboardfile.Dashboard) int { return cmp.Compare(userOwned(a.File), userOwned(b.File)) })
	src, err := userfile.Read(filepath.Join(t.Dir, filepath.FromSlash(project.TelemetryPath)), userfile.LargeLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return o, err
	}
	signals, err := templates.ParseSignals(project.TelemetryPath, src)
	if now, ok := declaredNow(ctx, t); err == nil && ok {
		o.stale = len(changed(signals, now)) > 0
		signals = withPlatformMetrics(now, signals)
	} else {
		o.stale = t.Ask != nil // the service does not build: its signals are unknown
	}
	known := exposition.DeclaredAs(signals, t.Service.Telemetry.Histograms)
	o.Signals = &known
	return o, err
}

// declaredNow returns the signals that the service declares, which may differ from those of the
// last generation. It is not ok if the service does not build, which signalsCheck reports.
func declaredNow(ctx context.Context, t project.Target) (signals declared.Signals, ok bool) {
	if t.Ask == nil {
		return signals, false
	}
	printed, err := t.Ask(ctx, project.TelemetryVerb)
	if err != nil {
		return signals, false
	}
	signals, err = templates.ParseSignals(project.TelemetryPath, printed)
	return signals, err == nil
}

// withPlatformMetrics adds the platform metrics of the last generation, which may have run on
// another operating system.
func withPlatformMetrics(now, before declared.Signals) declared.Signals {
	for _, m := range before.Metrics {
		if _, known := now.Find(m.Name); !known && isPlatformMetric(m.Name) {
			now.Metrics = append(now.Metrics, m)
		}
	}
	return now
}

// targetLabels returns the labels that the scrape of a service adds.
func targetLabels(s spec.Service) []string {
	return slices.Concat(slices.Collect(maps.Keys(s.Telemetry.Selector)), s.SLO().Identity())
}

// userOwned is 1 for a user-owned file, else 0.
func userOwned(file string) int { return strings.Count(file, "/own/") }

func ruleEndings() []string      { return []string{".yaml", ".yml"} }
func dashboardEndings() []string { return []string{".json"} }

// FindFiles returns the files below dir/subdir with one of the endings, relative to dir and
// sorted. It skips rule tests, hidden directories, and those of other programs. It returns none
// if the directory does not exist.
func FindFiles(dir, subdir string, endings ...string) []string {
	var files []string
	root := filepath.Join(dir, filepath.FromSlash(subdir))
	if target, err := filepath.EvalSymlinks(root); err == nil {
		root = target
	}
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && path != root && monorepo.Skips(entry.Name()) {
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() || !hasEnding(entry.Name(), endings) || rulefile.IsTest(path) {
			return nil //nolint:nilerr // nothing to check
		}
		if name, err := filepath.Rel(root, path); err == nil {
			files = append(files, filepath.ToSlash(filepath.Join(subdir, name)))
		}
		return nil
	})
	slices.Sort(files)
	return files
}

// hasEnding reports whether a file name is or ends in one of the endings. Exclusion files are
// found by their full name only.
func hasEnding(name string, endings []string) bool {
	return slices.Contains(endings, name) || !slices.Contains(lint.FileNames(), name) && slices.Contains(endings, filepath.Ext(name))
}

// generatedExclusions returns exclusions for generated files. They do not cover user-owned files.
func generatedExclusions(service spec.Service) []lint.Exclusion {
	if !slices.Contains(service.Compatibility, slo.CompatibilitySloth) {
		return nil
	}
	var out []lint.Exclusion
	for _, record := range []string{"slo:time_period:days", "sloth_slo_info"} {
		out = append(out, lint.Exclusion{
			Rule: "record-unused", File: "observability/rules/*.ticket.rules.yaml", Record: record,
			Reason: "Sloth's dashboards read it.",
		})
	}
	return out
}
