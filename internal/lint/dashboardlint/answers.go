package dashboardlint

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/promlint"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
)

// answers finds panels that have data and tell a reader something wrong. Each rule is a defect that was seen in
// a Grafana during an incident.
func (l *linter) answers(p dashboardfile.Panel, at lint.Finding) {
	switch p.Type {
	case "stat", "gauge", "singlestat":
		l.headline(p, at)
	case "timeseries":
		l.graph(p, at)
		l.meaning(p, at)
	case "bargauge":
		l.barNames(p, at)
	case "table":
		l.window(p, at)
		if len(p.Targets) > 0 && !p.Style.Renamed {
			l.reportf("dashboard-table-headers", at, "the headers are names of labels and Value; name the columns with the transformation organize")
		}
	case "alertlist":
		if strings.Contains(p.Style.AlertSource, "$") {
			l.reportf("dashboard-alertlist-datasource", at, `Grafana does not replace %s here, so the list is always empty; write "datasource": ""`, p.Style.AlertSource)
		}
	case "flamegraph":
		l.profile(p, at)
	}
}

func isRatio(unit string) bool { return unit == "percentunit" || unit == "percent" }

// window finds numbers that depend on the time range, other than totals of the whole range.
func (l *linter) window(p dashboardfile.Panel, at lint.Finding) {
	for _, t := range p.Targets {
		if t.Datasource.Prometheus() && strings.Contains(t.Expr, "interval") && !strings.Contains(t.Expr, "$__range") && rates.MatchString(dashboardfile.WithoutTexts(t.Expr)) {
			l.reportf("dashboard-headline-window", at, "the number depends on the time range; use an instant query over a fixed window such as [5m]")
			break
		}
	}
}

// headline finds numbers that depend on the time range, and ratios that have no color of their own.
func (l *linter) headline(p dashboardfile.Panel, at lint.Finding) {
	l.window(p, at)
	if !isRatio(p.Unit) {
		return
	}
	switch {
	case strings.HasPrefix(p.Style.ColorMode, "palette"):
		l.reportf("dashboard-headline-color", at, "the color depends on the order of the series, so a bad ratio may be green; set the color mode to thresholds, and add thresholds")
	case !p.Style.HasThresholds && (p.Style.ColorMode == "" || p.Style.ColorMode == "thresholds"):
		l.reportf("dashboard-headline-color", at, "the ratio has no thresholds, so a bad one is green; set thresholds")
	}
}

// graph finds axes on which the values, or the thresholds that are drawn, cannot be read.
func (l *linter) graph(p dashboardfile.Panel, at lint.Finding) {
	s := p.Style
	if isRatio(p.Unit) && s.Max == nil && s.SoftMax == nil && !s.Logarithmic && len(p.Targets) > 0 {
		l.reportf("dashboard-ratio-axis", at, "Grafana draws a ratio that is always zero on an axis to 10,000 %%; set axisSoftMax, or max for a ratio of at most 1")
	}
	if s.Lines && len(s.Thresholds) > 0 && !s.Logarithmic {
		highest := slices.Max(s.Thresholds)
		switch {
		case s.Max != nil && *s.Max < highest:
			l.reportf("dashboard-threshold-scale", at, "the threshold %v is above max %v, so its line is not drawn; set a higher max", highest, *s.Max)
		case s.Max == nil && (s.SoftMax == nil || *s.SoftMax < highest):
			l.reportf("dashboard-threshold-scale", at, "the axis may end below the threshold %v, whose line is not drawn then; set axisSoftMax to it", highest)
		}
	}
	if s.RightAxis {
		l.reportf("dashboard-threshold-axis", at, "thresholds of the left axis are drawn on the right one, too; add thresholdsStyle off to the override of the right axis")
	}
	if s.Logarithmic && s.NoValue != "" {
		l.reportf("dashboard-log-novalue", at, "Grafana writes noValue along a logarithmic axis; remove noValue")
	}
}

// meaningful are labels whose values are good or bad.
func meaningful() []string {
	return []string{"outcome", "status", "status_code", "code", "http_response_status_code", "severity", "result"}
}

// meaning finds series that are good or bad and have the colors of a palette.
func (l *linter) meaning(p dashboardfile.Panel, at lint.Finding) {
	if p.Style.Colored || p.Style.ColorMode != "" && !strings.HasPrefix(p.Style.ColorMode, "palette") {
		return
	}
	for _, t := range p.Targets {
		tree, err := parse(t)
		if err != nil || tree == nil {
			continue
		}
		label := ""
		parser.Inspect(tree, func(n parser.Node, path []parser.Node) error {
			if a, ok := n.(*parser.AggregateExpr); ok && !a.Without && len(path) == 0 {
				for _, by := range a.Grouping {
					if slices.Contains(meaningful(), by) {
						label = by
					}
				}
			}
			return nil
		})
		if label != "" {
			l.reportf("dashboard-color-meaning", at, "values of %s are good or bad, but their colors follow the order of the series; color them with overrides: bad red, good green", label)
			return
		}
	}
}

// barNames finds bar gauges that have no room for the names of their bars.
func (l *linter) barNames(p dashboardfile.Panel, at lint.Finding) {
	const least = 6 // columns; a name of twenty characters and a bar need about 300 pixels
	if p.Style.Width > 0 && p.Style.Width < least {
		l.reportf("dashboard-bargauge-names", at, "the panel is %d columns wide, so names of bars are cut; make it %d wide", p.Style.Width, least)
	}
}

// profile finds flame graphs of gauges, whose profiles Grafana adds up.
func (l *linter) profile(p dashboardfile.Panel, at lint.Finding) {
	for _, t := range p.Targets {
		gauge := strings.Contains(t.ProfileType, ":inuse_") || strings.HasPrefix(t.ProfileType, "goroutine")
		if gauge && p.Style.Range == "" {
			l.reportf("dashboard-profile-sum", at, "Grafana adds up all profiles of the time range, although each has the whole %s; set timeFrom to the interval of uploads, such as 15s", strings.SplitN(t.ProfileType, ":", 3)[1])
			return
		}
	}
}

// environments finds a variable that averages over environments.
func (l *linter) environments() {
	for _, v := range l.dashboard.Variables {
		named := v.Name == "environment" || v.Name == "env" || v.Name == "stage"
		if v.Type == "query" && named && (v.IncludeAll || v.Multi) {
			l.reportf("dashboard-environment-all", variableAt(v), "%s can select several environments, whose average hides an incident in one; remove includeAll and multi", v.Name)
		}
	}
}

// offsetVaries matches an offset that follows the step.
var offsetVaries = regexp.MustCompile(`\boffset\s+\$`)

// marks finds annotations that mark a moment with a region: a condition that holds longer than a step.
func (l *linter) marks() {
	for _, a := range l.dashboard.Annotations {
		tree, err := parse(a)
		if err != nil || tree == nil || a.Hidden {
			continue
		}
		step, err := model.ParseDuration(a.Step)
		if err != nil {
			step = model.Duration(time.Minute) // Grafana's default
		}
		parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
			b, ok := n.(*parser.BinaryExpr)
			if !ok || b.Op != parser.LUNLESS || offsetVaries.MatchString(a.Expr) {
				return nil
			}
			for _, s := range promlint.Selectors(b.RHS) {
				if s.OriginalOffset > time.Duration(step) {
					l.reportf("dashboard-annotation-region", lint.Finding{Line: a.Line, Column: a.Column}, "annotation %s is a region of %s that hides data; write offset $__interval for a line", a.RefID, model.Duration(s.OriginalOffset))
					return nil
				}
			}
			return nil
		})
	}
}

// answersCatalog lists the rules of this file.
func answersCatalog() []lint.Rule {
	return []lint.Rule{
		{Name: "dashboard-alertlist-datasource", Means: "The data source of an alert list is a variable, which Grafana does not replace: the list is always empty.", Do: "Write \"datasource\": \"\"."},
		{Name: "dashboard-annotation-region", Warning: true, Means: "An annotation compares with a time that is more than a step ago, so each event is a region that hides data.", Do: "Write offset $__interval."},
		{Name: "dashboard-bargauge-names", Warning: true, Means: "A bar gauge is too narrow for the names of its bars.", Do: "Make it six columns wide."},
		{Name: "dashboard-color-meaning", Warning: true, Means: "Series by outcome, status or severity have the colors of a palette: an error may be green.", Do: "Color them with overrides."},
		{Name: "dashboard-environment-all", Warning: true, Means: "A variable selects several environments at once, whose average hides an incident in one.", Do: "Select one environment."},
		{Name: "dashboard-headline-color", Warning: true, Means: "A single ratio has no thresholds, or is colored by the order of series: a bad one may be green.", Do: "Set thresholds and color by them."},
		{Name: "dashboard-headline-window", Warning: true, Means: "A number of a stat or table has a window that follows the time range, so each reader sees another number.", Do: "Use an instant query over a fixed window."},
		{Name: "dashboard-log-novalue", Warning: true, Means: "A graph with a logarithmic axis has noValue, which Grafana writes along the axis.", Do: "Remove noValue."},
		{Name: "dashboard-profile-sum", Warning: true, Means: "A flame graph of goroutines or of memory in use adds up all profiles of the time range.", Do: "Set timeFrom to the interval of uploads."},
		{Name: "dashboard-ratio-axis", Warning: true, Means: "The axis of a ratio has no maximum: Grafana draws zero errors on an axis to 10,000 %.", Do: "Set axisSoftMax or max."},
		{Name: "dashboard-table-headers", Warning: true, Means: "The headers of a table are names of labels, and Value.", Do: "Name the columns."},
		{Name: "dashboard-threshold-axis", Warning: true, Means: "Thresholds of the left axis are drawn on the right axis, too.", Do: "Turn them off in the override of the right axis."},
		{Name: "dashboard-threshold-scale", Warning: true, Means: "A threshold is drawn as a line, but the axis may end below it.", Do: "Set axisSoftMax to the threshold, or a higher max."},
	}
}
