package slo

import "time"

// Names of recorded series. Those with a window are [RatioRecord], [TotalRecord],
// [BadRecord] and [CoverageRecord].
const (
	RecordObjective  = recordObjective  // ratio of good events that is required
	RecordBudget     = recordBudget     // error budget: ratio of events that may be bad
	RecordBurn       = recordBurn       // current burn rate
	RecordPeriodBurn = recordPeriodBurn // burn rate over the period
	RecordRemaining  = recordRemaining  // remaining error budget, from 1 down
	RecordTargets    = recordTargets    // instances that respond, by environment
	// RecordLastSeen is when an environment last had an instance. It ends six hours after the last one.
	RecordLastSeen = recordEnvironment
)

// Labels of recorded series and of alerts.
const (
	LabelService     = labelService // service, on every recorded series and alert
	LabelObjective   = labelSLO     // objective, on its series and alerts
	LabelSLI         = labelSLI     // what is counted, on increases and coverage
	LabelWindow      = labelWindow  // window of a ratio
	LabelLong        = labelLong    // long window of a burn alert
	LabelShort       = labelShort   // its short window
	LabelAlertName   = labelAlertName
	LabelEnvironment = labelEnvironment // environment, on alerts
	LabelSeverity    = labelSeverity
	LabelTeam        = labelTeam // owner, on alerts and [RecordObjective]
)

// SLIRequests is the sli label of objectives on the requests of all routes.
const SLIRequests = "http requests"

// SLILatency is the sli label of objectives on the latency of all routes.
const SLILatency = "http latency"

// RatioWindows lists the windows of recorded error ratios, shortest first, without the
// periods of objectives.
func RatioWindows() []string {
	var out []string
	for _, w := range []time.Duration{5 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, day, 3 * day} {
		out = append(out, window(w))
	}
	return out
}

// RatioRecord is the ratio of bad events over a window, such as 5m or 30d.
func RatioRecord(window string) string { return recordRatio + window }

// TotalRecord is the number of events over a window.
func TotalRecord(window string) string { return recordTotal + window }

// BadRecord is the number of bad events over a window.
func BadRecord(window string) string { return recordBad + window }

// CoverageRecord is the part of a window with data, for 1h or a period.
func CoverageRecord(window string) string { return recordCoverage + window }
