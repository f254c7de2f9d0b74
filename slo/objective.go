package slo

import (
	"math/big"
	"regexp"
	"strings"
	"time"
)

// DefaultMinBadEvents is the default of [Objective.MinBadEvents]. At one request per
// minute, a single failure is 1.7 % of an hour and would page; five are an incident.
const DefaultMinBadEvents = 5

// DefaultWindow is the default of [Objective.Window].
const DefaultWindow Window = "30d"

// Objective is one SLO: the ratio of events that should be good within a period.
//
// The keys are public; scaffold.yaml has them too.
type Objective struct {
	Name        string    `yaml:"name"`        // DNS label, unique within the service
	Description string    `yaml:"description"` // what the objective means to users
	Target      Percent   `yaml:"objective"`   // ratio of good events, in percent
	Window      Window    `yaml:"window"`      // one of [Windows]; default [DefaultWindow]
	Indicator   Indicator `yaml:"indicator"`
	// Route and Method restrict availability and latency to one route pattern, such as
	// /v1/orders/{id}, to one method, or both. Empty means any.
	Route  string `yaml:"route"`
	Method string `yaml:"method"`
	// GroupBy lists up to [MaxGroupLabels] labels, such as http_route, whose values have
	// separate error budgets. All alerts of a grouped objective are tickets.
	GroupBy []string `yaml:"groupBy"`
	// MinBadEvents is the number of bad events in the long window without which no alert
	// fires. 0 disables it, nil means [DefaultMinBadEvents].
	MinBadEvents *int `yaml:"minBadEvents"`
}

// WithDefaults returns the objective with defaults for empty fields.
func (o Objective) WithDefaults() Objective {
	if o.Window == "" {
		o.Window = DefaultWindow
	}
	if o.MinBadEvents == nil {
		o.MinBadEvents = new(DefaultMinBadEvents)
	}
	return o
}

func (o Objective) minBadEvents() int {
	if o.MinBadEvents == nil {
		return DefaultMinBadEvents
	}
	return *o.MinBadEvents
}

// byRoute reports whether the objective needs metrics with the route label.
func (o Objective) byRoute() bool { return o.Route != "" || o.Method != "" || len(o.GroupBy) > 0 }

// Indicator defines which events count and which of them are bad. Exactly one field is set.
type Indicator struct {
	Availability *Availability `yaml:"availability"`
	Latency      *Latency      `yaml:"latency"`
	Ratio        *Ratio        `yaml:"ratio"`
}

// Custom reports whether the events are counted by metrics of the service instead of the
// runtime. These may not exist before the first event.
func (in Indicator) Custom() bool {
	return in.Ratio != nil || in.Latency != nil && in.Latency.Histogram != ""
}

// Availability counts requests on known routes, with the metrics of the runtime. Those
// with the outcome server_error or shed are bad.
type Availability struct{}

// Latency counts requests, of which the slow ones are bad.
type Latency struct {
	// Threshold is the longest good duration. It must be a bucket bound of the histogram.
	Threshold time.Duration `yaml:"threshold"`
	// Histogram selects a classic histogram, without _bucket or _count, in seconds or in
	// the unit of its name. Empty means successful requests in the runtime's histogram.
	Histogram string `yaml:"histogram" synonym:"metric"`
}

// Ratio counts events with two selectors of counters: Total, and either Bad or Good.
type Ratio struct {
	Total string `yaml:"total"` // all events
	Bad   string `yaml:"bad"`   // bad events, a subset of Total
	Good  string `yaml:"good"`  // good events, a subset of Total
}

// Percent is a percentage as an exact decimal number, so that the error budget of 99.9 is
// exactly 0.001.
type Percent string

// percentSyntax allows six decimals: 99.999999 is 2.6 seconds in 30 days.
var percentSyntax = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,6})?$`)

// Rat returns the percentage, and whether it is a valid number.
func (p Percent) Rat() (*big.Rat, bool) {
	if !percentSyntax.MatchString(string(p)) {
		return nil, false
	}
	return new(big.Rat).SetString(string(p))
}

// String returns the number without trailing zeros.
func (p Percent) String() string {
	if whole, decimals, ok := strings.Cut(string(p), "."); ok {
		if decimals = strings.TrimRight(decimals, "0"); decimals != "" {
			return whole + "." + decimals
		}
		return whole
	}
	return string(p)
}

// objective returns the ratio of good events, from 0 to 1.
func (p Percent) objective() *big.Rat {
	r, ok := p.Rat()
	if !ok {
		return new(big.Rat)
	}
	return r.Quo(r, big.NewRat(100, 1))
}

// budget returns the error budget, from 0 to 1.
func (p Percent) budget() *big.Rat {
	return new(big.Rat).Sub(big.NewRat(1, 1), p.objective())
}

// Window is the rolling period of an error budget.
type Window string

// Windows lists the periods. Calendar months are not supported: a budget that is reset on
// the first of the month does not reflect what users experience.
func Windows() []Window { return []Window{"7d", "14d", "28d", "30d"} }

// Days returns the length of the period, or 0 if it is not one of [Windows].
func (w Window) Days() int {
	switch w {
	case "7d":
		return 7
	case "14d":
		return 14
	case "28d":
		return 28
	case "30d":
		return 30
	}
	return 0
}

// Duration returns the length of the period.
func (w Window) Duration() time.Duration { return time.Duration(w.Days()) * day }

const day = 24 * time.Hour
