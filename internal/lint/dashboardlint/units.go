package dashboardlint

import (
	"slices"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/promlint"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
)

// unitOf returns the unit of a Grafana unit. Others may be used for any values.
func unitOf(name string) (promlint.Unit, bool) {
	seconds := promlint.Unit{Seconds: 1, Scale: 1}
	bytes := promlint.Unit{Bytes: 1, Scale: 1}
	perSecond := promlint.Unit{Seconds: -1, Scale: 1}
	u, ok := map[string]promlint.Unit{
		"s": seconds, "dtdurations": seconds, "clocks": seconds, "ms": {Seconds: 1, Scale: 1000}, "dtdurationms": {Seconds: 1, Scale: 1000},
		"bytes": bytes, "decbytes": bytes, "bits": {Bytes: 1, Scale: 8}, "decbits": {Bytes: 1, Scale: 8},
		"Bps": {Bytes: 1, Seconds: -1, Scale: 1}, "binBps": {Bytes: 1, Seconds: -1, Scale: 1}, "bps": {Bytes: 1, Seconds: -1, Scale: 8}, "binbps": {Bytes: 1, Seconds: -1, Scale: 8},
		"reqps": perSecond, "rps": perSecond, "ops": perSecond, "cps": perSecond, "wps": perSecond, "iops": perSecond,
		"percentunit": {Scale: 1}, "percent": {Scale: 100},
	}[name]
	return u, ok
}

// plainUnits returns the Grafana units of plain numbers.
func plainUnits() []string { return []string{"short", "none", "locale", "sci"} }

// unit compares the unit of a panel with that of its query. It skips panels with transformations,
// overrides or a unit for each axis.
func (l *linter) unit(p dashboardfile.Panel, tree parser.Expr, at lint.Finding) {
	if p.Units || p.Transformed || slices.Contains([]string{"heatmap", "histogram"}, p.Type) {
		return
	}
	got, sure := l.World.UnitOf(tree)
	if !sure {
		return
	}
	want, known := unitOf(p.Unit)
	switch {
	case slices.Contains(plainUnits(), p.Unit):
		if got.Seconds == 1 || got.Bytes != 0 {
			l.reportGuessf("panel-unit-mismatch", at, l.World.OtherMetrics, "the unit is %s, but the query returns %s; set %s", p.Unit, got, Fitting(got))
		}
	case !known || fits(got, want):
	default:
		// Seconds per second are a ratio, but many people show them as seconds.
		guessed := got.Guessed || got.MayBeRate && got.Bytes == want.Bytes && got.Seconds != want.Seconds || l.World.OtherMetrics && got.Bytes == 0 && got.Seconds == 0 && want.Seconds == 1
		l.reportGuessf("panel-unit-mismatch", at, guessed, "the unit %s is for %s, but the query returns %s; set %s", p.Unit, want, got, Fitting(got))
	}
}

func fits(got, want promlint.Unit) bool {
	if got.Number && want.Bytes == 0 && want.Seconds == 0 {
		return false // a count is not a ratio
	}
	return got.Bytes == want.Bytes && got.Seconds == want.Seconds && near(got.Scale, want.Scale)
}

// near tolerates rounding of factors such as 1/60.
func near(a, b float64) bool { return a/b > 0.999 && a/b < 1.001 }

// Fitting returns the Grafana unit of a unit, short for plain numbers and unusual units.
func Fitting(u promlint.Unit) string {
	for _, name := range []string{"s", "ms", "bytes", "bits", "Bps", "bps", "ops", "percentunit", "percent"} {
		if want, _ := unitOf(name); fits(u, want) {
			return name
		}
	}
	return "short"
}
