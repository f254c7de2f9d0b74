package slo

import (
	"fmt"
	"hash/fnv"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Names of recorded series. Those of ratios, budgets and burn rates are sloth's.
const (
	recordTotal       = "slo:sli_total:increase"            // and the interval or window
	recordBad         = "slo:sli_bad:increase"              // and the interval or window
	recordTotalHour   = "slo:sli_total:increase_clock_hour" // the last completed hour of the clock
	recordBadHour     = "slo:sli_bad:increase_clock_hour"   // the last completed hour of the clock
	recordRatio       = "slo:sli_error:ratio_rate"          // and the window
	recordTicketRatio = "slo:sli_error:ratio_rate6h_ticket" // six hours of ticket increases
	recordCoverage    = "slo:sli_coverage:ratio"            // and the window
	recordObjective   = "slo:objective:ratio"
	recordBudget      = "slo:error_budget:ratio"
	recordBurn        = "slo:current_burn_rate:ratio"
	recordPeriodBurn  = "slo:period_burn_rate:ratio"
	recordRemaining   = "slo:period_error_budget_remaining:ratio"
	recordTargets     = "service:up:sum"                      // instances that respond, by environment
	recordEnvironment = "service:last_seen:timestamp_seconds" // when an environment last had an instance
)

// Labels and annotations of alerts.
const (
	labelAlertName   = "alertname"
	labelEnvironment = "environment"
	labelService     = "service"
	labelSeverity    = "severity"
	labelSLO         = "slo"
	labelTeam        = "team"
	labelSLI         = "sli"
	labelWindow      = "window" // of a ratio
	labelLong        = "long"   // the two windows of a burn alert
	labelShort       = "short"

	annotationSummary     = "summary"
	annotationDescription = "description"
	annotationRunbook     = "runbook_url"
	annotationDashboard   = "dashboard_url"
)

// camel converts a name for alert names: checkout-api becomes CheckoutApi.
func camel(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "-") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// maxUID is the length limit of Grafana for dashboard UIDs.
const maxUID = 40

// DashboardUID returns the UID of a dashboard, such as orders-overview. If it is too long for
// Grafana, it is truncated and ends in a hash.
func DashboardUID(service, dashboard string) string {
	uid := service + "-" + dashboard
	if len(uid) <= maxUID {
		return uid
	}
	hash := fnv.New32a()
	hash.Write([]byte(uid))
	suffix := fmt.Sprintf("-%08x", hash.Sum32())
	return uid[:maxUID-len(suffix)] + suffix
}

// number formats a constant of a condition in PromQL.
func number(n float64) string { return strconv.FormatFloat(n, 'g', -1, 64) }

// inPercent formats a ratio.
func inPercent(ratio float64) string { return fmt.Sprintf("%.4g %%", ratio*100) }

// inWords formats a duration with the largest unit that divides it, such as 90 seconds.
func inWords(d time.Duration) string {
	length, unit := d/time.Second, "second"
	for _, u := range []struct {
		length time.Duration
		name   string
	}{{time.Minute, "minute"}, {time.Hour, "hour"}, {day, "day"}} {
		if d > 0 && d%u.length == 0 {
			length, unit = d/u.length, u.name
		}
	}
	if length != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", length, unit)
}

// fractionDigits is the number of digits of fractions without a finite decimal form.
const fractionDigits = 12

// decimal formats a number with up to [fractionDigits] digits.
func decimal(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	text := r.FloatString(fractionDigits)
	return strings.TrimRight(strings.TrimRight(text, "0"), ".")
}
