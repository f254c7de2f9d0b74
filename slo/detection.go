package slo

import (
	"math"
	"slices"
	"sort"
	"time"
)

// Detection is when one alert fires and resolves while a constant ratio of events is bad.
type Detection struct {
	Alert Alert
	SLO   string
	Pair  Pair
	// ErrorRatio is the ratio of bad events during the incident, from 0 to 1.
	ErrorRatio float64
	// Fires reports whether the alert fires. FiresAfter is then the time from the start
	// of an incident after full windows of good events, and ResolvesAfter the time from
	// the end of an incident longer than the short window. Both are the earliest times;
	// see [Rules.Delay].
	Fires                     bool
	FiresAfter, ResolvesAfter time.Duration
}

// DetectionRatios are the error ratios of runbooks and alert simulations.
func DetectionRatios() []float64 { return []float64{0.002, 0.01, 0.1, 0.5, 1} }

// Detections computes in closed form when each burn alert fires and resolves at each
// error ratio, with enough traffic for minBadEvents.
//
// During the incident, the error ratio of the long window is ratio x elapsed / long. It
// exceeds the threshold after threshold x long / ratio; the short window exceeds it
// earlier. After the incident, a short window of only bad events falls below the
// threshold when threshold / ratio of its length is left.
func (r Rules) Detections(ratios ...float64) []Detection {
	var burns []*Alert
	for i := range r.Alerts {
		if r.Alerts[i].Burn != nil {
			burns = append(burns, &r.Alerts[i])
		}
	}
	out := make([]Detection, 0, len(ratios)*len(burns))
	for _, ratio := range ratios {
		for _, a := range burns {
			out = append(out, r.detection(a, ratio))
		}
	}
	return out
}

func (r Rules) detection(a *Alert, ratio float64) Detection {
	threshold := a.Burn.ratio
	d := Detection{
		Alert: *a, SLO: r.Spec.SLOs[a.SLO].Name, Pair: a.Burn.Pair,
		ErrorRatio: ratio, Fires: ratio > threshold,
	}
	if d.Fires {
		d.FiresAfter = scaled(a.Burn.Long, threshold/ratio)
		d.ResolvesAfter = scaled(a.Burn.Short, 1-threshold/ratio)
	}
	return d
}

func scaled(d time.Duration, by float64) time.Duration {
	return time.Duration(math.Round(float64(d) * by)).Round(time.Second)
}

// Lag returns the time from an event until an evaluation can count it: the next scrape,
// and the query offset of the group.
func (r Rules) Lag(tier Tier) time.Duration {
	return r.Spec.ScrapeInterval + r.group(tier).QueryOffset
}

// Evaluation returns the interval of the group of a tier, or the scrape interval if that is
// longer. An alert is on time if it fires within one such interval of the prediction of
// [Rules.Detections] plus [Rules.Lag], before or after.
func (r Rules) Evaluation(tier Tier) time.Duration {
	return max(r.group(tier).Interval, r.Spec.ScrapeInterval)
}

// Delay returns the longest time that scrapes and evaluations add to [Detection.FiresAfter].
// For [TierInstances], it is the time before the "for" of the alerts begins.
func (r Rules) Delay(tier Tier) time.Duration { return r.Lag(tier) + r.Evaluation(tier) }

// group returns the group of a tier.
func (r Rules) group(tier Tier) Group {
	index := slices.IndexFunc(r.Groups, func(g Group) bool { return g.Tier == tier })
	if index < 0 {
		return Group{}
	}
	return r.Groups[index]
}

// pageWithin is the time within which a total outage should page.
const pageWithin = 10 * time.Minute

// MinTraffic returns the number of events per hour that a total outage needs to page
// within ten minutes: with fewer, minBadEvents delays the alert. It reports false for an
// objective that never pages within that time, because its threshold is too high or its
// alerts are tickets.
func (r Rules) MinTraffic(objective string) (perHour float64, ok bool) {
	left := pageWithin - r.Delay(TierPage)
	alerts := r.alertsOf(objective)
	for i := range alerts {
		a := &alerts[i]
		if a.Burn == nil || a.Tier != TierPage {
			continue
		}
		if d := r.detection(a, 1); !d.Fires || d.FiresAfter > left {
			continue
		}
		// Without minBadEvents, one bad event is enough.
		need := math.Max(float64(a.Burn.MinBadEvents)-0.5, 1)
		if rate := need / left.Hours(); !ok || rate < perHour {
			perHour, ok = rate, true
		}
	}
	return perHour, ok
}

// alertsOf returns the alerts of one objective, which are adjacent.
func (r Rules) alertsOf(objective string) []Alert {
	index := slices.IndexFunc(r.Spec.SLOs, func(o Objective) bool { return o.Name == objective })
	if index < 0 {
		return nil
	}
	// Alerts of the service as a whole come last and have the index -1.
	from := func(index int) int {
		return sort.Search(len(r.Alerts), func(i int) bool { return r.Alerts[i].SLO < 0 || r.Alerts[i].SLO >= index })
	}
	return r.Alerts[from(index):from(index+1)]
}
