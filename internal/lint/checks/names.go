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

// namesCheck wants every metric and label that rules and dashboards name, the
// user's own included, among the declared signals.
type namesCheck struct{}

func (namesCheck) Name() string { return "names" }

func (namesCheck) Run(ctx context.Context, t project.Target) ([]lint.Finding, error) {
	o, err := observe(ctx, t)
	if err != nil {
		return []lint.Finding{{File: project.TelemetryPath, Message: err.Error()}}, nil //nolint:nilerr // what is wrong with a file is a finding
	}
	if o.Signals == nil {
		return nil, nil // the check for drift reports it
	}
	inSpec, err := inSpec(t, *o.Signals)
	return append(inSpec, howToDeclare(o.withoutCaused(o.unknownNames(), t, inSpec))...), err
}

// howToDeclare adds advice to findings about undeclared metrics without a similar name. Metrics of
// another registry are not scraped.
func howToDeclare(found []lint.Finding) []lint.Finding {
	const end, advice = " is not declared", "; declare it with svc.Metrics(), see README.md, section Add a metric"
	for i, f := range found {
		if f.Rule == "unknown-metric" && strings.HasSuffix(f.Message, end) {
			found[i].Message += advice
			found[i].Shape += advice
		}
	}
	return found
}

// lintCheck looks for rules and dashboards that cannot mean what they say.
type lintCheck struct{}

func (lintCheck) Name() string { return "lint" }

func (lintCheck) Run(ctx context.Context, t project.Target) ([]lint.Finding, error) {
	o, err := observe(ctx, t)
	if err != nil {
		return nil, nil //nolint:nilerr // the check of the names reports it
	}
	if o.Signals == nil {
		return o.lints(), nil
	}
	inSpec, err := inSpec(t, *o.Signals)
	return o.withoutCaused(o.lints(), t, inSpec), err
}

// observe reads the rules and dashboards of a service, its own and the user's. The
// error is about the declared signals.
func observe(ctx context.Context, t project.Target) (Observed, error) {
	links := t.Service.SLO().Links
	o := Observed{
		TargetLabels: targetLabels(t.Service),
		Scrape:       t.Service.Telemetry.ScrapeInterval, OnlyDeclaredMetrics: true, AllRules: true, runbooks: links.Runbooks != "" || links.Repository != "",
	}
	o.exclusions = generatedExclusions(t.Service)
	read := func(folder string, endings []string, add func(name string, src []byte)) {
		for _, file := range Below(t.Dir, folder, endings...) {
			src, err := userfile.Read(filepath.Join(t.Dir, filepath.FromSlash(file)), userfile.LargeLimit)
			if err != nil {
				o.broken = append(o.broken, lint.Broken("rule-file", file, err)...)
				continue
			}
			add(file, src)
		}
	}
	read("observability/rules", ruleEndings(), o.addRules)
	read("observability/dashboards", dashboardEndings(), func(name string, src []byte) { o.addDashboard(name, src, false) })
	read("observability", lint.FileNames(), o.addExclusions)
	// Of two dashboards with one uid, the user's own is the one to change.
	slices.SortStableFunc(o.Dashboards, func(a, b dashboardfile.Dashboard) int { return cmp.Compare(owned(a.File), owned(b.File)) })
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
		signals = withForeign(now, signals)
	} else {
		o.stale = t.Ask != nil // what a service that does not build will declare is not known
	}
	known := exposition.DeclaredAs(signals, t.Service.Telemetry.Histograms)
	o.Signals = &known
	return o, err
}

// declaredNow returns the signals that the service declares, which may be others than those of
// the last generation. It is not ok for a service that does not build, which the check of the signals reports.
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

// withForeign adds the foreign metrics of the last generation, which may have run on another
// operating system.
func withForeign(now, before declared.Signals) declared.Signals {
	for _, m := range before.Metrics {
		if _, known := now.Find(m.Name); !known && foreign(m.Name) {
			now.Metrics = append(now.Metrics, m)
		}
	}
	return now
}

// targetLabels are the labels that the scrape of a service adds.
func targetLabels(s spec.Service) []string {
	return slices.Concat(slices.Collect(maps.Keys(s.Telemetry.Selector)), s.SLO().Identity())
}

// owned is 1 for a file of the user's own.
func owned(file string) int { return strings.Count(file, "/own/") }

func ruleEndings() []string      { return []string{".yaml", ".yml"} }
func dashboardEndings() []string { return []string{".json"} }

// Below lists the files with one of the endings below dir/folder, relative to
// dir and sorted, without tests of rules. It skips hidden directories and those of other
// programs. A folder that is not there holds none.
func Below(dir, folder string, endings ...string) []string {
	var files []string
	root := filepath.Join(dir, filepath.FromSlash(folder))
	if target, err := filepath.EvalSymlinks(root); err == nil {
		root = target
	}
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && path != root && monorepo.Skips(entry.Name()) {
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() || !ends(entry.Name(), endings) || rulefile.IsTest(path) {
			return nil //nolint:nilerr // what has no name here has nothing to check
		}
		if name, err := filepath.Rel(root, path); err == nil {
			files = append(files, filepath.ToSlash(filepath.Join(folder, name)))
		}
		return nil
	})
	slices.Sort(files)
	return files
}

// ends says whether a file has one of the endings, or one of them for its name. A
// file of exclusions is found by its name only.
func ends(name string, endings []string) bool {
	return slices.Contains(endings, name) || !slices.Contains(lint.FileNames(), name) && slices.Contains(endings, filepath.Ext(name))
}

// generatedExclusions excuse what scaffold itself generates, each for a reason
// that is true of every such service. They do not reach into the user's own files.
func generatedExclusions(service spec.Service) []lint.Exclusion {
	if !slices.Contains(service.Compatibility, slo.CompatibilitySloth) {
		return nil
	}
	var out []lint.Exclusion
	for _, record := range []string{"slo:time_period:days", "sloth_slo_info"} {
		out = append(out, lint.Exclusion{
			Rule: "record-unused", File: "observability/rules/*.ticket.rules.yaml", Record: record,
			Reason: "Dashboards made for sloth read it.",
		})
	}
	return out
}
