package dashboards_test

import (
	"testing"

	"github.com/observability-first/scaffold/dashboards"
	"github.com/observability-first/scaffold/slo"
)

func scope(histograms dashboards.Histograms) dashboards.Scope {
	return dashboards.NewScope(dashboards.Input{
		Rules:      slo.Rules{Spec: slo.Spec{Service: "orders", Selector: map[string]string{"job": "orders", "cluster": "a"}, EnvironmentLabel: "env"}},
		Histograms: histograms,
	})
}

const within = `{cluster="a",env="$environment",instance=~"$instance",job="orders"}`

func TestExpressions(t *testing.T) {
	t.Parallel()
	m := dashboards.Selector{Metric: "m"}
	total := m.Rate().Sum("route")
	for want, got := range map[string]dashboards.Expr{
		"m":                          m.Expr(),
		`m{a="1",b!="2",c=~"3|4"}`:   m.With(dashboards.OneOf("c", "3", "4"), dashboards.Not("b", "2"), dashboards.Is("a", "1")).Expr(),
		`m{a="quote \" and \\"}`:     m.With(dashboards.Is("a", `quote " and \`)).Expr(),
		"rate(m[$__rate_interval])":  m.Rate(),
		"topk(3, max by (x, y) (m))": m.Expr().Max("x", "y").Top(3),
		"(m) and on (x) topk(3, max_over_time((m)[$__range:$__interval] @ end()))": m.Expr().TopInRange(3, "x"),
		"count(m)":       m.Expr().Count(),
		"min by (x) (m)": m.Expr().Min("x"),
		"(a or 0 * sum by (route) (rate(m[$__rate_interval]))) / (sum by (route) (rate(m[$__rate_interval])) > 0)": dashboards.Expr("a").OrZero(total).Over(total),
	} {
		if string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestHistogramForms(t *testing.T) {
	t.Parallel()
	classic, native := scope(dashboards.Both).Histogram("h"), scope(dashboards.Native).Histogram("h")
	for name, tc := range map[string]struct{ got, want dashboards.Expr }{
		"classic quantile": {classic.Quantile(0.95, "route"), "histogram_quantile(0.95, sum by (route, le) (rate(h_bucket" + within + "[$__rate_interval]))) >= 0"},
		"native quantile":  {native.Quantile(0.95, "route"), "histogram_quantile(0.95, sum by (route) (rate(h" + within + "[$__rate_interval]))) >= 0"},
		"classic rate":     {classic.Rate(), "rate(h_count" + within + "[$__rate_interval])"},
		"native rate":      {native.Rate(), "histogram_count(rate(h" + within + "[$__rate_interval]))"},
		"classic buckets":  {classic.Buckets(), "sum by (le) (rate(h_bucket" + within + "[$__rate_interval]))"},
		"native buckets":   {native.Buckets(), "sum(rate(h" + within + "[$__rate_interval]))"},
		"native share":     {native.RateAbove(0.2), "sum(histogram_count(rate(h" + within + "[$__rate_interval]))) * (1 - histogram_fraction(0, 0.2, sum(rate(h" + within + "[$__rate_interval]))))"},
		"an integer bound has two spellings": {
			classic.RateAbove(1),
			"sum(rate(h_count" + within + `[$__rate_interval])) - sum(rate(h_bucket{cluster="a",env="$environment",instance=~"$instance",job="orders",le=~"1|1\\.0"}[$__rate_interval]))`,
		},
		"a fractional bound has one spelling": {
			classic.RateAbove(0.25),
			"sum(rate(h_count" + within + `[$__rate_interval])) - sum(rate(h_bucket{cluster="a",env="$environment",instance=~"$instance",job="orders",le="0.25"}[$__rate_interval]))`,
		},
	} {
		if tc.got != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, tc.got, tc.want)
		}
	}
}
