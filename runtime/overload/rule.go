package overload

import "time"

// Constants of the rule. What is called measured was found in the simulation of
// goodput_test.go.
const (
	// tolerance is how much longer than without a queue requests may take. Netflix'
	// gradient2 has 1.5, and its neighbours lose goodput (measured).
	tolerance = 1.5
	// smoothing is the share of a new limit in the next one, as in gradient2.
	smoothing = 0.2
	// steepest is the least gradient of one window, as in gradient2: with the
	// smoothing, a limit falls by a tenth a window at most.
	steepest = 0.5
	// hurry is the same where the gradient is the steepest: a slow service has few
	// windows a second, and would need many seconds to leave the initial limit.
	hurry = 0.5
	// headroom is added to every new limit, as gradient2's queue. It is what lets
	// a limit grow at all.
	headroom = 4.0
	// calm is the latency, over the one without a queue, below which a limit that
	// is used up may grow by a tenth a window: nothing says that it is near.
	calm = 1.2

	// A window is long enough to hold what is judged: a tenth of a second and 30
	// requests, so that the mean of a skewed latency is known to a tenth.
	windowLength  = 100 * time.Millisecond
	windowSamples = 30

	// tick is the least time, in seconds, that a request takes: a coarse clock sees
	// none, and the gradient divides by it.
	tick = 1e-9

	// drift is the weight of one window in the latency without a queue, while
	// there is none: five seconds to follow a service that became slower.
	drift = 1.0 / 50

	// rateWeight is the weight of one window in the rate at which requests end, where it
	// lowers that rate.
	rateWeight = 0.1

	// lateShare is the share of requests that end past their deadline above which
	// the limit does not grow: steady timeouts look like a steady latency.
	lateShare = 0.1
)

// rule turns finished requests into a limit. It is the published gradient2 rule
// (the latency of late against the latency of long, with a tolerance) with one
// change: under overload the long average is not taken from what is measured
// then. In gradient2 it is, so that a long overload is learned as normal and the
// limit creeps up without end; with a minimum instead, a service that became
// slower for good is starved for good. Here, while the limit is used up, the
// latency without a queue is asked for: see probe.
//
// A rule is not safe for concurrent use.
type rule struct {
	low, high float64
	limit     float64

	unqueued float64 // seconds that a request takes without a queue; 0 when unknown
	fastest  float64 // seconds that the fastest of the last window took
	recent   float64 // seconds that the mean one took
	rate     float64 // requests that ended, a second, in the better ones of some ten windows
	windows  int     // that were judged

	window window
	probe  probe
}

// window is the requests that ended in a stretch of time.
type window struct {
	began   time.Time
	count   int
	late    int
	sum     float64 // seconds
	fastest float64 // seconds
	busiest int     // most in flight
	full    bool    // somebody had to wait or was refused
}

func newRule(c Config) rule {
	return rule{low: float64(c.MinLimit), high: float64(c.MaxLimit), limit: float64(c.InitialLimit)}
}

// allowed is how many may be in flight now.
func (r *rule) allowed() int {
	if r.probe.running() {
		return r.probe.limit
	}
	return int(r.limit)
}

// capacity is the number of requests a second that can be done: as many as have ended
// of late, or as would end if the limit were used up. The first is too low while few
// arrive, and the second after the limit was lowered. It is not known before some windows
// were judged: one may hold a stall.
func (r *rule) capacity() (perSecond float64, known bool) {
	if r.windows < 1/rateWeight {
		return 0, false
	}
	return max(r.rate, float64(r.allowed())/r.recent), true
}

// begun notes how many are in flight after one was admitted.
func (r *rule) begun(inFlight int) { r.window.busiest = max(r.window.busiest, inFlight) }

// crowded notes that somebody could not be admitted at once.
func (r *rule) crowded() { r.window.full = true }

// ended learns from a request that was admitted at that time and is over. Late
// means that its deadline had passed. inFlight does not hold it any more.
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

// turn moves the limit after a window.
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
		// What is measured now holds a queue, or the patience of callers.
	case mean < r.unqueued/2:
		r.unqueued = mean // became fast at once, as after a cold start
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

// move applies gradient2 to a limit that is in use; of one that is not, latency
// says nothing.
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
