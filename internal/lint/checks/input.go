package checks

import (
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/dashboardlint"
	"github.com/observability-first/scaffold/internal/lint/metricnames"
	"github.com/observability-first/scaffold/internal/lint/promlint"
	"github.com/observability-first/scaffold/internal/lint/rulelint"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/exposition"
	"github.com/observability-first/scaffold/internal/source/rulefile"
	"github.com/observability-first/scaffold/runtime/declared"
)

// LintInput is rules and dashboards, and the metrics that are known.
type LintInput struct {
	Rules      []rulefile.File
	Dashboards []dashboardfile.Dashboard
	// HelmTemplates are skipped files, which Helm has to render first.
	HelmTemplates []string
	broken        []lint.Finding // files that do not parse
	read          map[string]bool
	searched      []string // directories
	exclusions    []lint.Exclusion
	// Signals is nil if nothing declares metrics.
	Signals *exposition.Page
	stale   bool // generated files are from other signals
	// InPrometheus has names of series whose labels are unknown.
	InPrometheus      []string
	TypesInPrometheus []exposition.Metric

	TargetLabels        []string // labels that the scrape adds
	Scrape              time.Duration
	OnlyDeclaredMetrics bool // no metrics exist except those in Signals
	AllRules            bool // no rules exist except those in Rules
	// TargetLabels and Scrape are defaults.
	TargetGuessed, ScrapeGuessed bool
	LabelsOfPages                bool // labels are from a scraped page, not declared
	// someFilesUnread means that an unused exclusion may be for a file that was not read.
	someFilesUnread bool
	runbooks        bool
}

// Rules returns all lint rules, in the order of docs/checks.md.
func Rules() []lint.Rule {
	return slices.Concat(metricnames.Catalog(), rulelint.Catalog(), promlint.Catalog(), dashboardlint.Catalog(), lint.Catalog())
}

func ruleNames(of []lint.Rule) []string {
	out := make([]string, len(of))
	for i, r := range of {
		out[i] = r.Name
	}
	return out
}

// addRules reads a rule file.
func (o *LintInput) addRules(name string, src []byte) {
	for _, doc := range rulefile.Documents(src) {
		file, err := rulefile.ParsePart(name, doc)
		if _, isOther := errors.AsType[*rulefile.OtherError](err); isOther {
			if !o.inDirectory(name) {
				o.broken = append(o.broken, lint.ParseFindings("rule-file", name, err)...)
			}
			continue
		}
		if rule, found := file.LogQL(); found {
			line, column := rule.ExprPlace(0)
			o.broken = append(o.broken, lint.Finding{Rule: "rule-file", File: name, Line: line, Column: column, Warning: true, Message: "LogQL rule; rules of Loki are not checked"})
			file.Groups, err = nil, nil
		}
		if err != nil {
			o.broken = append(o.broken, lint.ParseFindings("rule-file", name, err)...)
		}
		o.Rules = append(o.Rules, file)
	}
}

// inDirectory reports whether a file was found in a directory and not named.
func (o *LintInput) inDirectory(file string) bool {
	return slices.ContainsFunc(o.searched, func(dir string) bool { return lint.IsBelow(dir, file) })
}

func (o *LintInput) addExclusions(name string, src []byte) {
	if path.Base(name) != lint.FileName {
		o.broken = append(o.broken, lint.Finding{Rule: "exclusion-file", File: name, Warning: true, Message: "ignored; rename the file to " + lint.FileName})
		return
	}
	exclusions, err := lint.ParseExclusions(name, src, ruleNames(Rules()))
	if err != nil {
		o.broken = append(o.broken, lint.ParseFindings("exclusion-file", name, err)...)
		return
	}
	o.exclusions = append(o.exclusions, exclusions...)
}

// known returns the names that queries may use.
func (o *LintInput) known() metricnames.Known {
	_, recorded := o.queries()
	known := metricnames.OnlyRecords(recorded)
	if o.Signals != nil {
		known = metricnames.NewKnown(*o.Signals, recorded, o.TargetLabels).WithNames(o.InPrometheus)
	}
	if !o.OnlyDeclaredMetrics {
		known = known.OtherMetrics()
	}
	switch {
	case o.TargetGuessed:
		known = known.OtherLabels()
	case o.LabelsOfPages:
		known = known.LabelsOfPages()
	}
	if !o.AllRules {
		known = known.WithoutRules()
	}
	return known
}

func (o *LintInput) queries() (queries []metricnames.Query, recorded []metricnames.Recorded) {
	for _, f := range o.Rules {
		q, r := metricnames.RuleQueries(f)
		queries, recorded = append(queries, q...), append(recorded, r...)
	}
	for _, b := range o.Dashboards {
		queries = append(queries, metricnames.DashboardQueries(b)...)
	}
	return queries, recorded
}

// unknownNames finds names in queries that are neither declared nor recorded.
func (o *LintInput) unknownNames() []lint.Finding {
	queries, _ := o.queries()
	found := slices.DeleteFunc(o.known().Check(queries), func(f lint.Finding) bool {
		return f.Rule == "query-syntax" && (f.Panel != "" || strings.HasPrefix(f.Part, "variable ")) // target-promql and template-label-promql report it
	})
	return o.classify(found, metricnames.Catalog())
}

// lints runs all lints of rules and dashboards.
func (o *LintInput) lints() []lint.Finding {
	world := promlint.NewWorld(o.declared(), o.Scrape)
	world.ScrapeGuessed, world.OtherMetrics = o.ScrapeGuessed, !o.OnlyDeclaredMetrics
	world.OtherRecords = !o.AllRules || !o.OnlyDeclaredMetrics
	for _, f := range o.Rules {
		for _, g := range f.Groups {
			for _, r := range g.Rules {
				if r.Record != "" {
					world.Record(promlint.Record{Name: r.Record, Labels: r.Labels, Tree: r.Tree, Interval: g.Interval})
				}
			}
		}
	}
	known := o.known()
	found := slices.Concat(o.broken, rulelint.Check(rulelint.Input{
		Files: o.Rules, World: world, Known: &known, Elsewhere: o.dashboardQueries(), Runbooks: o.runbooks,
	}), dashboardlint.Check(dashboardlint.Input{Dashboards: o.Dashboards, World: world, OneGrafana: o.OnlyDeclaredMetrics}))
	return o.classify(found, slices.Concat(rulelint.Catalog(), promlint.Catalog(), dashboardlint.Catalog(), lint.Catalog()))
}

func (o *LintInput) declared() []declared.Metric {
	if o.Signals == nil {
		return nil
	}
	out := []declared.Metric{}
	for _, m := range slices.Concat(o.TypesInPrometheus, o.Signals.Metrics) {
		out = append(out, m.Metric)
	}
	return out
}

// dashboardQueries returns the queries of all dashboards, nil if there are no dashboards.
func (o *LintInput) dashboardQueries() []string {
	var out []string
	for _, b := range o.Dashboards {
		out = append(out, "")
		for _, t := range b.All() {
			out = append(out, t.Expr)
		}
		for _, a := range b.Annotations {
			out = append(out, a.Expr)
		}
		for _, v := range b.Variables {
			out = append(out, v.Query)
		}
	}
	return out
}

// classify removes excluded findings and marks findings of warning rules. It ignores exclusions
// of rules in other catalogs.
func (o *LintInput) classify(found []lint.Finding, catalog []lint.Rule) []lint.Finding {
	names := ruleNames(catalog)
	var exclusions []lint.Exclusion
	for _, e := range o.exclusions {
		if slices.Contains(names, e.Rule) {
			exclusions = append(exclusions, e)
		}
	}
	found = lint.Exclude(found, exclusions, o.checked)
	lint.Sort(found)
	for i, f := range found {
		at := slices.IndexFunc(catalog, func(r lint.Rule) bool { return r.Name == f.Rule })
		found[i].Warning = f.Warning || at >= 0 && catalog[at].Warning
	}
	return found
}

// checked reports whether this run had the files, metrics and settings that findings of an
// exclusion's rule depend on. If not, an unused exclusion is not reported.
func (o *LintInput) checked(e lint.Exclusion) bool {
	isIn := func(catalog []lint.Rule) bool { return slices.Contains(ruleNames(catalog), e.Rule) }
	rules, dashboards := len(o.Rules) > 0, len(o.Dashboards) > 0
	switch {
	case o.someFilesUnread,
		!dashboards && (e.Dashboard != "" || e.Panel != "" || isIn(dashboardlint.Catalog())),
		!rules && (e.Group != "" || e.Alert != "" || e.Record != "" || isIn(rulelint.Catalog())):
		return false
	}
	switch e.Rule {
	case "record-unused":
		return dashboards
	case "record-unknown":
		return o.AllRules
	case "rate-range":
		return !o.ScrapeGuessed
	case "unknown-metric":
		return o.Signals != nil
	case "unknown-label":
		return o.labelsKnown() && !o.TargetGuessed
	case "unknown-value", "alert-template":
		return o.labelsKnown()
	case "counter-rate", "delta-counter", "rate-gauge", "rate-sum", "impossible-comparison", "panel-unit-mismatch", "target-counter-agg":
		return len(o.declared()) > 0
	}
	return true
}

// labelsKnown reports whether labels of metrics are known. A Prometheus provides names and types
// only.
func (o *LintInput) labelsKnown() bool { return o.Signals != nil && len(o.Signals.Metrics) > 0 }

// GuessTarget adds to TargetLabels each label that queries use with two metrics or more and that
// no metric has, unless the labels were given. It returns the added labels.
func (o *LintInput) GuessTarget() []string {
	if !o.TargetGuessed || o.Signals == nil {
		return nil
	}
	queries, _ := o.queries()
	guessed := o.known().TargetLabels(queries)
	o.TargetLabels = slices.Concat(o.TargetLabels, guessed)
	return guessed
}

// Findings returns all findings, sorted.
func (o *LintInput) Findings() []lint.Finding {
	found := slices.Concat(lint.WithCheck(namesCheck{}.Name(), o.unknownNames()), lint.WithCheck(lintCheck{}.Name(), o.lints()))
	lint.Sort(found)
	return found
}
