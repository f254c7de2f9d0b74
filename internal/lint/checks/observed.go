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

// Observed is rules and dashboards with what is known of the metrics that they read.
type Observed struct {
	Rules      []rulefile.File
	Dashboards []dashboardfile.Dashboard
	// HelmTemplates are files of directories that Helm has to render first.
	HelmTemplates []string
	broken        []lint.Finding // files that do not parse
	read          map[string]bool
	searched      []string // directories
	exclusions    []lint.Exclusion
	// Signals are nil when nothing declares metrics.
	Signals *exposition.Page
	stale   bool // the generated files were made from other signals
	// InPrometheus are names of series with labels that nothing declares.
	InPrometheus      []string
	TypesInPrometheus []exposition.Metric

	TargetLabels        []string // labels that a scrape adds
	Scrape              time.Duration
	OnlyDeclaredMetrics bool // there are none beside those of the signals
	AllRules            bool // there are none beside those that were read
	// Set when a default was assumed.
	TargetGuessed, ScrapeGuessed bool
	LabelsOfPages                bool // and not of a declaration
	// someFilesUnread says that exclusions may be for files that were not read.
	someFilesUnread bool
	runbooks        bool
}

// Rules lists every rule that rules and dashboards are checked by, in the order
// of their documentation.
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

// addRules reads one file of rules.
func (o *Observed) addRules(name string, src []byte) {
	for _, doc := range rulefile.Documents(src) {
		file, err := rulefile.ParsePart(name, doc)
		if _, isOther := errors.AsType[*rulefile.OtherError](err); isOther {
			if !o.inSearched(name) {
				o.broken = append(o.broken, lint.Broken("rule-file", name, err)...)
			}
			continue
		}
		if rule, found := file.LogQL(); found {
			line, column := rule.ExprPlace(0)
			o.broken = append(o.broken, lint.Finding{Rule: "rule-file", File: name, Line: line, Column: column, Warning: true, Message: "the rule is LogQL; rules of Loki are not checked"})
			file.Groups, err = nil, nil
		}
		if err != nil {
			o.broken = append(o.broken, lint.Broken("rule-file", name, err)...)
		}
		o.Rules = append(o.Rules, file)
	}
}

// inSearched says whether a file was found in a directory, and not named.
func (o *Observed) inSearched(file string) bool {
	return slices.ContainsFunc(o.searched, func(dir string) bool { return lint.IsBelow(dir, file) })
}

func (o *Observed) addExclusions(name string, src []byte) {
	if path.Base(name) != lint.FileName {
		o.broken = append(o.broken, lint.Finding{Rule: "exclusion-file", File: name, Warning: true, Message: "the file is not read; rename it to " + lint.FileName})
		return
	}
	exclusions, err := lint.ParseExclusions(name, src, ruleNames(Rules()))
	if err != nil {
		o.broken = append(o.broken, lint.Broken("exclusion-file", name, err)...)
		return
	}
	o.exclusions = append(o.exclusions, exclusions...)
}

// known is every name that a query may use.
func (o *Observed) known() metricnames.Known {
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

func (o *Observed) queries() (queries []metricnames.Query, recorded []metricnames.Recorded) {
	for _, f := range o.Rules {
		q, r := metricnames.RuleQueries(f)
		queries, recorded = append(queries, q...), append(recorded, r...)
	}
	for _, b := range o.Dashboards {
		queries = append(queries, metricnames.DashboardQueries(b)...)
	}
	return queries, recorded
}

// unknownNames compares every query with what is declared and recorded.
func (o *Observed) unknownNames() []lint.Finding {
	queries, _ := o.queries()
	found := slices.DeleteFunc(o.known().Check(queries), func(f lint.Finding) bool {
		return f.Rule == "query-syntax" && (f.Panel != "" || strings.HasPrefix(f.Part, "variable ")) // target-promql and template-label-promql report it
	})
	return o.classify(found, metricnames.Catalog())
}

// lints runs every lint of rules and dashboards.
func (o *Observed) lints() []lint.Finding {
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
		Files: o.Rules, World: world, Known: &known, Elsewhere: o.elsewhere(), Runbooks: o.runbooks,
	}), dashboardlint.Check(dashboardlint.Input{Dashboards: o.Dashboards, World: world, OneGrafana: o.OnlyDeclaredMetrics}))
	return o.classify(found, slices.Concat(rulelint.Catalog(), promlint.Catalog(), dashboardlint.Catalog(), lint.Catalog()))
}

func (o *Observed) declared() []declared.Metric {
	if o.Signals == nil {
		return nil
	}
	out := []declared.Metric{}
	for _, m := range slices.Concat(o.TypesInPrometheus, o.Signals.Metrics) {
		out = append(out, m.Metric)
	}
	return out
}

// elsewhere are the queries of dashboards, nil without dashboards.
func (o *Observed) elsewhere() []string {
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

// classify leaves out what is excluded and says which of the rest are errors.
// Exclusions of rules that are not of this catalog are left to another call.
func (o *Observed) classify(found []lint.Finding, catalog []lint.Rule) []lint.Finding {
	mine := ruleNames(catalog)
	var exclusions []lint.Exclusion
	for _, e := range o.exclusions {
		if slices.Contains(mine, e.Rule) {
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

// checked says whether this run could have found what an exclusion is for: it had the
// files, the metrics and the settings that findings of the rule depend on.
func (o *Observed) checked(e lint.Exclusion) bool {
	of := func(catalog []lint.Rule) bool { return slices.Contains(ruleNames(catalog), e.Rule) }
	rules, dashboards := len(o.Rules) > 0, len(o.Dashboards) > 0
	switch {
	case o.someFilesUnread,
		!dashboards && (e.Dashboard != "" || e.Panel != "" || of(dashboardlint.Catalog())),
		!rules && (e.Group != "" || e.Alert != "" || e.Record != "" || of(rulelint.Catalog())):
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

// labelsKnown says whether a declaration or a page was read. A Prometheus was asked for
// names and types only.
func (o *Observed) labelsKnown() bool { return o.Signals != nil && len(o.Signals.Metrics) > 0 }

// GuessTarget adds labels to those of the scrape that the queries use of several
// metrics and that none has, unless the labels were listed. It returns them.
func (o *Observed) GuessTarget() []string {
	if !o.TargetGuessed || o.Signals == nil {
		return nil
	}
	queries, _ := o.queries()
	guessed := o.known().TargetLabels(queries)
	o.TargetLabels = slices.Concat(o.TargetLabels, guessed)
	return guessed
}

// Findings are unknown names and lints, sorted.
func (o *Observed) Findings() []lint.Finding {
	found := slices.Concat(lint.WithCheck(namesCheck{}.Name(), o.unknownNames()), lint.WithCheck(lintCheck{}.Name(), o.lints()))
	lint.Sort(found)
	return found
}
