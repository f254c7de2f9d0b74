package checks

import (
	"slices"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/dashboardlint"
	"github.com/observability-first/scaffold/internal/lint/promlint"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/exposition"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/templates/spec"
)

// PanelUnit returns the Grafana unit of a query on the metrics of a service: short for counts, and if the unit is unknown.
func PanelUnit(service spec.Service, signals declared.Signals, query string) string {
	o := ofPanel(service, signals)
	tree, err := dashboardfile.ParsePromQL(query)
	if err != nil {
		return "" // the caller reports it
	}
	unit, _ := promlint.NewWorld(o.declared(), o.Scrape).UnitOf(tree)
	return dashboardlint.Fitting(unit)
}

// CheckPanel returns the errors of one panel of a dashboard. It does not know the rules of the service.
func CheckPanel(service spec.Service, signals declared.Signals, file string, dashboard []byte, title string) []lint.Finding {
	o := ofPanel(service, signals)
	o.addDashboard(file, dashboard, false)
	return slices.DeleteFunc(o.Findings(), func(f lint.Finding) bool { return f.Warning || f.Panel != title })
}

func ofPanel(service spec.Service, signals declared.Signals) LintInput {
	known := exposition.DeclaredAs(signals, service.Telemetry.Histograms)
	return LintInput{Signals: &known, TargetLabels: targetLabels(service), Scrape: service.Telemetry.ScrapeInterval, OnlyDeclaredMetrics: true}
}
