package slo

import (
	"cmp"
	"math/big"
	"slices"
	"strconv"
	"time"
)

// Tier is how urgent the alerts of a group are, and so how often its rules run.
type Tier string

// The tiers. A page wakes somebody up; a ticket waits for working hours.
const (
	TierPage   Tier = "page"
	TierTicket Tier = "ticket"
	// TierInstances is the group of the pages on instance health. It runs more often
	// than increases are long, because instance health needs no increase. Alerts
	// themselves are pages or tickets.
	TierInstances Tier = "instances"
)

// Rules is what one specification compiles to. It must not be modified.
type Rules struct {
	// Spec is what was compiled, with its defaults.
	Spec Spec
	// Groups hold one page group, one ticket group and one on instance health, in this
	// order; a group without rules is left out.
	Groups []Group
	// Notes say what was left out and why, for people to read.
	Notes []string
	// Alerts describes each alert: objective by objective, then the service.
	Alerts []Alert
}

// Group is a list of rules that are evaluated together, in order: a rule sees
// what the rules before it have just recorded.
type Group struct {
	Name     string
	Tier     Tier
	Interval time.Duration
	// QueryOffset delays the group by one scrape, so that the newest samples of
	// every target are there: an increase that was counted too early stays short.
	QueryOffset time.Duration
	// Limit is the number of series that one rule may produce, 0 for any. It
	// bounds objectives that are grouped by a label.
	Limit int
	Rules []Rule
}

// Rule is a recording rule or an alert.
type Rule struct {
	Record string // name of the recorded series; empty for an alert
	Alert  string // name of the alert; empty for a recording
	Expr   string // PromQL
	For    time.Duration
	// KeepFiringFor is how long an alert fires on without its condition.
	KeepFiringFor time.Duration
	Labels        []Label
	Annotations   []Label
}

// Name is the record's or the alert's name.
func (r Rule) Name() string { return cmp.Or(r.Record, r.Alert) }

// Label is a name and a value. Lists of labels are sorted by name.
type Label struct{ Name, Value string }

// labelSet sorts labels by name.
func labelSet(labels ...Label) []Label {
	slices.SortFunc(labels, func(a, b Label) int { return cmp.Compare(a.Name, b.Name) })
	return labels
}

// Kind is what an alert is about.
type Kind string

// The kinds of alerts. Their texts are the names of the alerts in words.
const (
	KindErrorBudgetBurn               Kind = "budget burn"                      // an error budget burns too fast
	KindSLONoData                     Kind = "SLO no data"                      // an objective has nothing to measure
	KindSLODataIncomplete             Kind = "SLO data incomplete"              // rules did not run, or had no data
	KindDown                          Kind = "down"                             // too few instances respond to scrapes
	KindCrashLooping                  Kind = "crash looping"                    // instances start and crash repeatedly
	KindNotReady                      Kind = "not ready"                        // instances run but accept no requests
	KindScrapeIntervalMismatch        Kind = "scrape interval mismatch"         // samples come at another interval than declared
	KindHealthCheckFailing            Kind = "health check failing"             // a health check fails
	KindTelemetryDropped              Kind = "telemetry dropped"                // traces, logs or profiles are lost
	KindLogsDropped                   Kind = "logs dropped"                     // the standard output is not read
	KindMetricCardinalityLimitReached Kind = "metric cardinality limit reached" // a label has more values than its limit
	KindConcurrencyLimitAtMinimum     Kind = "concurrency limit at minimum"     // shedding no longer helps
	KindDBConnectionPoolSaturated     Kind = "DB connection pool saturated"     // callers wait for connections
	KindHpaMaxedOut                   Kind = "HPA maxed out"                    // the autoscaler may add no more instances
	KindCPUHigh                       Kind = "CPU high"                         // Go uses all CPU that it may
	KindMemoryNearLimit               Kind = "memory near limit"                // Go is at GOMEMLIMIT
)

// Alert is one alert, with what detections, runbooks and dashboards need to
// know beside the rule itself.
type Alert struct {
	Name string
	Kind Kind
	Tier Tier
	// SLO is the index of the objective in the specification, -1 for alerts on
	// the service as a whole.
	SLO int
	// Burn is set for [KindErrorBudgetBurn].
	Burn *Burn
	// Check is the query that tells whether the alert is real, and Expect is
	// what it returns when all is well.
	Check, Expect string
	// Where is the query that narrows the cause down; empty when none can.
	Where string
	Rule  Rule
}

// String is the alert as a series selector without the service: the name, and for a burn
// alert the long window that tells the alerts of one objective apart.
func (a Alert) String() string {
	if a.Burn == nil {
		return a.Name
	}
	return a.Name + "{" + a.long() + "}"
}

func (a Alert) long() string { return labelLong + "=" + strconv.Quote(window(a.Burn.Long)) }

// matchers select the alert in ALERTS.
func (a Alert) matchers() string {
	if a.Burn == nil {
		return named(a.Name)
	}
	return named(a.Name) + "," + a.long()
}

func named(alert string) string { return labelAlertName + "=" + strconv.Quote(alert) }

// Is reports whether labels, read by name, are those of an instance of the alert.
func (a Alert) Is(label func(name string) string) bool {
	return label(labelAlertName) == a.Name && (a.Burn == nil || label(labelLong) == window(a.Burn.Long))
}

// Burn is one pair of windows that an error budget is watched with.
type Burn struct {
	Pair
	// Threshold is the error ratio above which both windows must be.
	Threshold *big.Rat
	// MinBadEvents is how many bad events the long window must hold.
	MinBadEvents int
	ratio        float64 // Threshold
}
