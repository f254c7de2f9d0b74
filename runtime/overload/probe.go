package overload

import "time"

const (
	// probeEvery is how often a full server asks how long a request takes without
	// a queue, and probeRest how much longer than a probe the time between two is.
	// A probe takes away half of the limit, so one time in twenty costs a fortieth
	// at the most; usually what it takes away was a queue, and it costs nothing.
	probeEvery = 5 * time.Second
	probeRest  = 20
	// probeSoon is the time to the next one while they still find something.
	probeSoon = time.Second
	// unmoved is the share of the latency that is left at half the limit from
	// which on the limit is not what makes requests slow: the service is.
	unmoved = 0.85
	// probePatience is how many latencies a probe may take to see requests that
	// were begun under the lower limit; and at least a second.
	probePatience = 20
	// probeSpan is how many latencies a probe lasts at least: the requests that
	// end first are the short ones.
	probeSpan = 2
)

// probe halves the limit for a moment to see what that does to latency: a queue
// halves it as well, a slow service does not care.
type probe struct {
	next   time.Time
	began  time.Time // zero when no probe is running
	settle time.Time // since when no more are in flight than the limit allows
	limit  int
	before float64 // seconds that a request took
}

func (p *probe) running() bool { return !p.began.IsZero() }

// rest puts the next probe off: there is no queue to look behind.
func (p *probe) rest(now time.Time) { p.next = now.Add(probeSoon) }

// consider begins a probe when it is time. It may go below the lowest limit, for a
// moment: at that limit too it must be found out whether a queue is what is slow.
func (p *probe) consider(now time.Time, limit, mean float64, w *window) {
	if p.next.IsZero() {
		p.rest(now)
	}
	if now.Before(p.next) {
		return
	}
	*p = probe{began: now, limit: int(max(1, limit/2)), before: mean}
	*w = window{}
}

// counts says whether a request was begun under the lower limit.
func (p *probe) counts(admitted, now time.Time, inFlight int) bool {
	if p.settle.IsZero() && inFlight <= p.limit {
		p.settle = now
	}
	return !p.settle.IsZero() && !admitted.Before(p.settle)
}

// overdue says that the probe has waited too long.
func (p *probe) overdue(now time.Time) bool {
	return now.Sub(p.began) > max(time.Second, p.latencies(probePatience))
}

// lasted says that not only short requests had the time to end.
func (p *probe) lasted(now time.Time) bool { return now.Sub(p.settle) >= p.latencies(probeSpan) }

func (p *probe) latencies(n float64) time.Duration {
	return time.Duration(n * p.before * float64(time.Second))
}

// end sets the time of the next probe.
func (p *probe) end(now time.Time, found bool) {
	wait := max(probeEvery, probeRest*now.Sub(p.began))
	if found {
		wait = probeSoon
	}
	*p = probe{next: now.Add(wait)}
}

// probed is ended while a probe runs.
func (r *rule) probed(admitted, now time.Time, late bool, inFlight int) {
	if r.probe.counts(admitted, now, inFlight) {
		r.window.add(now, now.Sub(admitted).Seconds(), late)
	}
	found, done := false, r.probe.overdue(now)
	if r.window.complete(now) && r.probe.lasted(now) {
		found, done = r.learn(r.window), true
	}
	if done {
		r.probe.end(now, found)
		r.window = window{began: now, busiest: inFlight}
	}
}

// forgotten notes that a request ended that nothing is learned from. A probe that
// sees only such requests must end as well, or its limit would stay.
func (r *rule) forgotten(now time.Time) {
	if r.probe.running() && r.probe.overdue(now) {
		r.probe.end(now, false)
		r.window = window{began: now}
	}
}

// learn takes from a probe how long requests take without a queue, and reports whether
// another one should follow soon: when that is news, or when half the limit explains
// only a part of the latency, as one window of few requests may show by chance.
func (r *rule) learn(w window) (found bool) {
	mean, old := w.mean(), r.unqueued
	if w.mostlyLate() {
		return false
	}
	if mean < r.unqueued || mean > unmoved*r.probe.before {
		r.unqueued = mean
	}
	r.fastest = w.fastest
	return r.unqueued < 0.9*old || r.unqueued > 1.1*old || mean > tolerance*r.unqueued
}
