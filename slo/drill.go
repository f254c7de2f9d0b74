package slo

import (
	"math"
	"slices"
	"sort"
	"time"
)

// Drill says what one alert does while a constant share of events is bad.
type Drill struct {
	Alert Alert
	SLO   string
	Pair  Pair
	// ErrorShare is the share of bad events during the incident, from 0 to 1.
	ErrorShare float64
	// Fires says whether the alert fires at all. If it does, FiresAfter is
	// counted from the start of an incident that meets full windows of good
	// events, and ResolvesAfter from the end of one that outlasted the short
	// window. Both are the earliest time; see [Rules.Delay].
	Fires                     bool
	FiresAfter, ResolvesAfter time.Duration
}

// DrillShares are the shares of bad events that a drill goes through.
func DrillShares() []float64 { return []float64{0.002, 0.01, 0.1, 0.5, 1} }

// Drill computes in closed form when each burn alert fires and resolves at each
// share of bad events. There is enough traffic for the guard on bad events.
//
// The long window holds share x elapsed / long, which passes the threshold at
// threshold x long / share; the short one, shorter at the same threshold, was
// there first. Once full of bad events, the short window falls below it when
// threshold / share of its length is left.
func (r Rules) Drill(shares ...float64) []Drill {
	var burns []*Alert
	for i := range r.Alerts {
		if r.Alerts[i].Burn != nil {
			burns = append(burns, &r.Alerts[i])
		}
	}
	out := make([]Drill, 0, len(shares)*len(burns))
	for _, share := range shares {
		for _, a := range burns {
			out = append(out, r.drill(a, share))
		}
	}
	return out
}

func (r Rules) drill(a *Alert, share float64) Drill {
	threshold := a.Burn.ratio
	d := Drill{
		Alert: *a, SLO: r.Spec.SLOs[a.SLO].Name, Pair: a.Burn.Pair,
		ErrorShare: share, Fires: share > threshold,
	}
	if d.Fires {
		d.FiresAfter = scaled(a.Burn.Long, threshold/share)
		d.ResolvesAfter = scaled(a.Burn.Short, 1-threshold/share)
	}
	return d
}

func scaled(d time.Duration, by float64) time.Duration {
	return time.Duration(math.Round(float64(d) * by)).Round(time.Second)
}

// Lag is what lies between an event and the evaluation that can count it: the
// next scrape and the offset that waits for it.
func (r Rules) Lag(tier Tier) time.Duration {
	return r.Spec.ScrapeInterval + r.group(tier).QueryOffset
}

// Evaluation is the time between two evaluations of the alerts of a tier, or between
// two scrapes if that is longer: what is counted changes with each. An alert keeps to
// its drill when it comes within one of them, before or after, of what [Rules.Drill]
// gives and [Rules.Lag].
func (r Rules) Evaluation(tier Tier) time.Duration {
	return max(r.group(tier).Interval, r.Spec.ScrapeInterval)
}

// Delay is the longest time that an alert of the tier adds to its drill: the lag
// and the next evaluation. For [TierInstances], whose alerts are no part of a drill,
// it is what comes before their own delay.
func (r Rules) Delay(tier Tier) time.Duration { return r.Lag(tier) + r.Evaluation(tier) }

// group is that of the tier, which every set of rules has.
func (r Rules) group(tier Tier) Group {
	index := slices.IndexFunc(r.Groups, func(g Group) bool { return g.Tier == tier })
	if index < 0 {
		return Group{}
	}
	return r.Groups[index]
}

// quietWithin is how long a total outage may stay without a page.
const quietWithin = 10 * time.Minute

// MinTraffic is the number of events per hour below which a total outage no
// longer pages within ten minutes, because too few of them are bad by then.
// It reports false for an objective that never pages that soon: its threshold
// is too high, or its alerts are tickets.
func (r Rules) MinTraffic(objective string) (perHour float64, ok bool) {
	left := quietWithin - r.Delay(TierPage)
	alerts := r.alertsOf(objective)
	for i := range alerts {
		a := &alerts[i]
		if a.Burn == nil || a.Tier != TierPage {
			continue
		}
		if d := r.drill(a, 1); !d.Fires || d.FiresAfter > left {
			continue
		}
		// One bad event is enough without the guard.
		need := math.Max(float64(a.Burn.MinBadEvents)-0.5, 1)
		if rate := need / left.Hours(); !ok || rate < perHour {
			perHour, ok = rate, true
		}
	}
	return perHour, ok
}

// alertsOf are the alerts of one objective, which stand together.
func (r Rules) alertsOf(objective string) []Alert {
	index := slices.IndexFunc(r.Spec.SLOs, func(o Objective) bool { return o.Name == objective })
	if index < 0 {
		return nil
	}
	// Alerts on the service as a whole come last and have no index.
	from := func(index int) int {
		return sort.Search(len(r.Alerts), func(i int) bool { return r.Alerts[i].SLO < 0 || r.Alerts[i].SLO >= index })
	}
	return r.Alerts[from(index):from(index+1)]
}
