package overload

import "time"

// Constants of the rule. Those marked as measured were found in the simulation of
// goodput_test.go.
const (
	// tolerance is the allowed ratio of the latency to that without a queue. Netflix's gradient2
	// uses 1.5; other values lose goodput (measured).
	tolerance = 1.5
	// smoothing is the weight of a new limit, as in gradient2.
	smoothing = 0.2
	// steepest is the minimum gradient of a window, as in gradient2: with the smoothing, a limit
	// falls by at most a tenth per window.
	steepest = 0.5
	// hurry is the smoothing at the minimum gradient: a slow service has few windows per second,
	// and would take long to leave the initial limit.
	hurry = 0.5
	// headroom is added to every new limit, as the queue of gradient2. It lets a limit grow.
	headroom = 4.0
	// calm is the ratio of the latency to that without a queue below which a limit that is used
	// up may grow by a tenth per window.
	calm = 1.2

	// A window has at least a tenth of a second and 30 requests, so that the error of a mean of
	// skewed latencies is about a tenth.
	windowLength  = 100 * time.Millisecond
	windowSamples = 30

	// tick is the minimum duration of a request in seconds. A coarse clock measures zero, and the
	// gradient divides by it.
	tick = 1e-9

	// drift is the weight of a window in the latency without a queue while there is none. It
	// takes five seconds to follow a service that became slower.
	drift = 1.0 / 50

	// rateWeight is the weight of a window in the rate of completed requests if it lowers that
	// rate.
	rateWeight = 0.1

	// lateShare is the ratio of requests that miss their deadline above which the limit does not
	// grow: steady timeouts look like a steady latency.
	lateShare = 0.1
)

// rule computes the limit from completed requests. It is the published gradient2 rule (the ratio
// of long-term to recent latency, with a tolerance) with one change: the long-term latency is not
// measured under overload. In gradient2 it is, so that a long overload is learned as normal and
// the limit grows without end. With a minimum instead, a service that became slower for good
// would be starved. Here, while the limit is used up, probes measure the latency without a queue:
// see probe.
//
// A rule is not safe for concurrent use.
type rule struct {
	low, high float64
	limit     float64

	unqueued float64 // latency without a queue in seconds; 0 if unknown
	fastest  float64 // fastest request of the last window in seconds
	recent   float64 // mean latency of the last window in seconds
	rate     float64 // completed requests per second, in the better ones of about ten windows
	windows  int     // number of windows so far

	window window
	probe  probe
}

// window has the requests that ended in an interval.
type window struct {
	began   time.Time
	count   int
	late    int
	sum     float64 // seconds
	fastest float64 // seconds
	busiest int     // maximum in flight
	full    bool    // a request had to wait or was rejected
}

func newRule(c Config) rule {
	return rule{low: float64(c.MinLimit), high: float64(c.MaxLimit), limit: float64(c.InitialLimit)}
}

func (r *rule) allowed() int {
	if r.probe.running() {
		return r.probe.limit
	}
	return int(r.limit)
}

// capacity returns the requests per second that can be completed: the recent rate, or the rate if
// the limit were used up. The first is too low while few requests arrive, the second after the
// limit was lowered. It is unknown before some windows, since one may have a stall.
func (r *rule) capacity() (perSecond float64, known bool) {
	if r.windows < 1/rateWeight {
		return 0, false
	}
	return max(r.rate, float64(r.allowed())/r.recent), true
}

// begun records the requests in flight after an admission.
func (r *rule) begun(inFlight int) { r.window.busiest = max(r.window.busiest, inFlight) }

// crowded records that a request could not be admitted immediately.
func (r *rule) crowded() { r.window.full = true }

// ended learns from a request that was admitted at that time and has ended. late reports that its
// deadline had passed. inFlight excludes it.
func (r *rule) ended(admitted, now time.Time, late bool, inFlight int) {
	if r.probe.running() {
		r.probed(admitted, now, late, inFlight)
		return
	}
	r.window.add(now, now.Sub(admitted).Seconds(), late)
	if !r.window.complete(now) {
		return
	}
	w := r.window
	r.window = window{began: now, busiest: inFlight}
	r.turn(w, now)
}

func (w *window) add(now time.Time, took float64, late bool) {
	took = max(took, tick)
	if w.began.IsZero() {
		w.began = now
	}
	if w.count == 0 || took < w.fastest {
		w.fastest = took
	}
	w.count++
	w.sum += took
	if late {
		w.late++
	}
}

func (w *window) complete(now time.Time) bool {
	return w.count >= windowSamples && now.Sub(w.began) >= windowLength
}

func (w *window) mean() float64 { return w.sum / float64(w.count) }

func (w *window) mostlyLate() bool { return float64(w.late) > lateShare*float64(w.count) }

// turn updates the limit after a window.
func (r *rule) turn(w window, now time.Time) {
	mean := w.mean()
	r.recent, r.fastest = mean, w.fastest
	r.windows++
	rate := float64(w.count) / now.Sub(w.began).Seconds()
	r.rate = max(rate, r.rate+(rate-r.rate)*rateWeight)
	switch {
	case r.unqueued == 0:
		r.unqueued = mean
	case w.full || w.mostlyLate():
		// The latency now includes a queue or the timeouts of clients.
	case mean < r.unqueued/2:
		r.unqueued = mean // became fast, as after a cold start
	default:
		r.unqueued += (mean - r.unqueued) * drift
	}
	if float64(w.busiest) >= r.limit/2 {
		r.move(w, mean)
	}
	if w.full && r.low < r.high {
		r.probe.consider(now, r.limit, mean, &r.window)
	}
	if !w.full {
		r.probe.rest(now)
	}
}

// move applies gradient2 to a limit that is used up. Otherwise latency says nothing about the
// limit.
func (r *rule) move(w window, mean float64) {
	gradient, weight := max(steepest, min(1, tolerance*r.unqueued/mean)), smoothing
	grow := headroom
	if gradient == steepest {
		weight = hurry
	}
	switch {
	case w.mostlyLate():
		gradient, grow = min(gradient, 0.9), 0
	case w.full && mean < calm*r.unqueued:
		grow = max(headroom, r.limit/2)
	}
	next := r.limit*gradient + grow
	r.limit = min(r.high, max(r.low, r.limit+(next-r.limit)*weight))
}
