package slo

import (
	"cmp"
	"math/big"
	"slices"
	"strconv"
	"time"
)

// Tier is the urgency of the alerts of a group, which determines the group interval.
type Tier string

// The tiers. A page needs a response at once, a ticket within working hours.
const (
	TierPage   Tier = "page"
	TierTicket Tier = "ticket"
	// TierInstances is the group of the alerts on instance health. These are pages, but need
	// no increases, so the group has a shorter interval.
	TierInstances Tier = "instances"
)

// Rules is a compiled specification. It must not be modified.
type Rules struct {
	// Spec is the specification, with defaults.
	Spec Spec
	// Groups are those of pages, tickets and instance health, in this order, without
	// empty groups.
	Groups []Group
	// Notes say what was left out and why.
	Notes []string
	// Alerts are those of each objective, then those of the service.
	Alerts []Alert
}

// Group is a rule group. Its rules are evaluated in order, so that a rule can read the
// records of the rules before it.
type Group struct {
	Name     string
	Tier     Tier
	Interval time.Duration
	// QueryOffset is one scrape interval, so that the newest samples of all targets are
	// complete. Otherwise increases would miss events.
	QueryOffset time.Duration
	// Limit is the maximum number of results of a rule, 0 for no limit. It bounds
	// objectives with GroupBy.
	Limit int
	Rules []Rule
}

// Rule is a recording rule or an alert.
type Rule struct {
	Record string // name of the recorded series; empty for an alert
	Alert  string // name of the alert; empty for a recording
	Expr   string // PromQL
	For    time.Duration
	// KeepFiringFor is how long an alert keeps firing after its condition ends.
	KeepFiringFor time.Duration
	Labels        []Label
	Annotations   []Label
}

// Name returns the name of the record or alert.
func (r Rule) Name() string { return cmp.Or(r.Record, r.Alert) }

// Label is a label or annotation. Lists are sorted by name.
type Label struct{ Name, Value string }

// labelSet sorts labels by name.
func labelSet(labels ...Label) []Label {
	slices.SortFunc(labels, func(a, b Label) int { return cmp.Compare(a.Name, b.Name) })
	return labels
}

// Kind is the kind of an alert.
type Kind string

// The kinds of alerts.
const (
	KindErrorBudgetBurn               Kind = "budget burn"                      // an error budget burns too fast
	KindSLONoData                     Kind = "SLO no data"                      // the metrics of an objective have no data
	KindSLODataIncomplete             Kind = "SLO data incomplete"              // rules did not run, or had no data
	KindDown                          Kind = "down"                             // too few instances respond to scrapes
	KindCrashLooping                  Kind = "crash looping"                    // instances start and crash repeatedly
	KindNotReady                      Kind = "not ready"                        // instances run but accept no requests
	KindScrapeIntervalMismatch        Kind = "scrape interval mismatch"         // the scrape interval is not the declared one
	KindHealthCheckFailing            Kind = "health check failing"             // a health check fails
	KindTelemetryDropped              Kind = "telemetry dropped"                // traces, logs or profiles are lost
	KindLogsDropped                   Kind = "logs dropped"                     // the standard output is not read
	KindMetricCardinalityLimitReached Kind = "metric cardinality limit reached" // a label has more values than its limit
	KindConcurrencyLimitAtMinimum     Kind = "concurrency limit at minimum"     // shedding no longer helps
	KindComponent                     Kind = "component"                        // that of a component, see [ComponentAlert]
	KindHpaMaxedOut                   Kind = "HPA maxed out"                    // the autoscaler may add no more instances
	KindCPUHigh                       Kind = "CPU high"                         // Go uses nearly all of its CPU
	KindMemoryNearLimit               Kind = "memory near limit"                // memory is near GOMEMLIMIT
)

// Alert is one alert, with data for detections, runbooks and dashboards.
type Alert struct {
	Name string
	Kind Kind
	Tier Tier
	// SLO is the index of the objective in the specification, -1 for alerts on
	// the service as a whole.
	SLO int
	// Burn is set for [KindErrorBudgetBurn].
	Burn *Burn
	// Component is set for [KindComponent].
	Component *ComponentAlert
	// Condition is the alert condition as an English sentence. It is empty if Burn is set.
	Condition string
	// Check is the query of the alert condition, and Expect its result without an incident.
	Check, Expect string
	// Where is a query that narrows down the cause; it may be empty.
	Where string
	Rule  Rule
}

// String returns the name of the alert, and for burn alerts the label with the long window,
// which differs between the alerts of one objective.
func (a Alert) String() string {
	if a.Burn == nil {
		return a.Name
	}
	return a.Name + "{" + a.long() + "}"
}

func (a Alert) long() string { return labelLong + "=" + strconv.Quote(window(a.Burn.Long)) }

// matchers returns the matchers for the alert in ALERTS.
func (a Alert) matchers() string {
	if a.Burn == nil {
		return named(a.Name)
	}
	return named(a.Name) + "," + a.long()
}

func named(alert string) string { return labelAlertName + "=" + strconv.Quote(alert) }

// Is reports whether label returns the labels of this alert.
func (a Alert) Is(label func(name string) string) bool {
	return label(labelAlertName) == a.Name && (a.Burn == nil || label(labelLong) == window(a.Burn.Long))
}

// Burn is the condition of a burn alert.
type Burn struct {
	Pair
	// Threshold is the error ratio that both windows must exceed.
	Threshold *big.Rat
	// MinBadEvents is the number of bad events that the long window must have.
	MinBadEvents int
	ratio        float64 // Threshold
}
