package slo

import (
	"math/big"
	"regexp"
	"strings"
	"time"
)

// DefaultMinBadEvents is how many bad events the long window of an alert must
// hold. One failure of a service that gets a request a minute is 1.7 % of its
// hour and would page somebody; five failures are an incident.
const DefaultMinBadEvents = 5

// DefaultWindow is the period of an objective that names none.
const DefaultWindow Window = "30d"

// Objective is one SLO as its author writes it: the share of events that should
// be good within a period.
//
// The keys are public: a specification of a service embeds them too.
type Objective struct {
	Name        string    `yaml:"name"`        // DNS label, unique within the service
	Description string    `yaml:"description"` // any text: what the objective means to users
	Target      Percent   `yaml:"objective"`   // share of good events
	Window      Window    `yaml:"window"`      // one of [Windows]; default [DefaultWindow]
	Indicator   Indicator `yaml:"indicator"`
	// Route and Method restrict availability and latency to one route, written as the
	// router has it (/v1/orders/{id}), to one method, or to both. Empty means any.
	Route  string `yaml:"route"`
	Method string `yaml:"method"`
	// GroupBy keeps a budget for each value of these labels, such as http_route,
	// at most [MaxGroupLabels]. The alerts of a grouped objective are tickets.
	GroupBy []string `yaml:"groupBy"`
	// MinBadEvents is the number of bad events below which no alert fires; 0
	// switches the guard off, nil means [DefaultMinBadEvents].
	MinBadEvents *int `yaml:"minBadEvents"`
}

// WithDefaults returns the objective with every key that its author left out.
func (o Objective) WithDefaults() Objective {
	if o.Window == "" {
		o.Window = DefaultWindow
	}
	if o.MinBadEvents == nil {
		o.MinBadEvents = new(DefaultMinBadEvents)
	}
	return o
}

// minBadEvents is the guard of an objective with or without defaults.
func (o Objective) minBadEvents() int {
	if o.MinBadEvents == nil {
		return DefaultMinBadEvents
	}
	return *o.MinBadEvents
}

// byRoute reports whether the objective needs counters that tell routes apart.
func (o Objective) byRoute() bool { return o.Route != "" || o.Method != "" || len(o.GroupBy) > 0 }

// Indicator says which events count and which of them are bad. Exactly one
// field is set.
type Indicator struct {
	Availability *Availability `yaml:"availability"`
	Latency      *Latency      `yaml:"latency"`
	Ratio        *Ratio        `yaml:"ratio"`
}

// Custom reports whether the events are counted by metrics of the service's own, which
// may not exist before the first event, and not by those of the runtime.
func (in Indicator) Custom() bool {
	return in.Ratio != nil || in.Latency != nil && in.Latency.Histogram != ""
}

// Availability counts requests on known routes. Those that ended as
// server_error or were shed are bad. Its metric is the runtime's own.
type Availability struct{}

// Latency counts requests by how long they took.
type Latency struct {
	// Threshold is the longest time that is still good. It must be a bound of
	// the histogram.
	Threshold time.Duration `yaml:"threshold"`
	// Histogram selects a classic histogram, in seconds unless its name says
	// otherwise and without _bucket or _count. Empty means the successful
	// requests of the runtime's own.
	Histogram string `yaml:"histogram" synonym:"metric"`
}

// Ratio counts events with two selectors of counters: Total, and one of the others.
type Ratio struct {
	Total string `yaml:"total"` // every event
	Bad   string `yaml:"bad"`   // those that spend the budget; part of Total
	Good  string `yaml:"good"`  // those that do not; part of Total
}

// Percent is a share in percent as an exact decimal: 99.9 stays 99.9, and its
// budget is 0.001 instead of the nearest binary fraction.
type Percent string

// percentSyntax allows six decimals: 99.999999 is 2.6 seconds in 30 days, and
// no service measures less.
var percentSyntax = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,6})?$`)

// Rat returns the percentage, and whether the text is a decimal number.
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

// objective is the share of good events, from 0 to 1.
func (p Percent) objective() *big.Rat {
	r, ok := p.Rat()
	if !ok {
		return new(big.Rat)
	}
	return r.Quo(r, big.NewRat(100, 1))
}

// budget is the share of events that may be bad, from 0 to 1.
func (p Percent) budget() *big.Rat {
	return new(big.Rat).Sub(big.NewRat(1, 1), p.objective())
}

// Window is the rolling period that an error budget lasts for.
type Window string

// Windows lists the periods. Calendar months are no period: a budget that is
// full again on the first of the month says nothing about users.
func Windows() []Window { return []Window{"7d", "14d", "28d", "30d"} }

// Days is the length of the period, 0 for one that is not in [Windows].
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

// Duration is the length of the period.
func (w Window) Duration() time.Duration { return time.Duration(w.Days()) * day }

const day = 24 * time.Hour
