package overload

import "time"

const (
	// probeEvery is how often a full server probes the latency without a queue. A probe halves
	// the limit. It takes a twentieth of the time at most, so it costs at most a fortieth of the
	// capacity; usually it only shortens a queue and costs nothing.
	probeEvery = 5 * time.Second
	probeRest  = 20
	// probeSoon is the time to the next probe while probes still find something.
	probeSoon = time.Second
	// unmoved is the ratio of the latency at half the limit to the latency before from which the
	// service is slow and not the limit too high.
	unmoved = 0.85
	// probePatience is how many latencies a probe waits for requests admitted under the lower
	// limit, and at least a second.
	probePatience = 20
	// probeSpan is the minimum length of a probe in latencies: short requests end first.
	probeSpan = 2
)

// probe halves the limit for a moment to measure the effect on latency: it halves the latency
// that a queue causes, but not that of a slow service.
type probe struct {
	next   time.Time
	began  time.Time // zero if no probe is running
	settle time.Time // when the requests in flight fell to the limit
	limit  int
	before float64 // latency before the probe in seconds
}

func (p *probe) running() bool { return !p.began.IsZero() }

// rest postpones the next probe: there is no queue.
func (p *probe) rest(now time.Time) { p.next = now.Add(probeSoon) }

// consider begins a probe when it is time. It may go below the minimum limit for a moment, to
// find a queue at that limit, too.
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

// counts reports whether a request was admitted under the lower limit.
func (p *probe) counts(admitted, now time.Time, inFlight int) bool {
	if p.settle.IsZero() && inFlight <= p.limit {
		p.settle = now
	}
	return !p.settle.IsZero() && !admitted.Before(p.settle)
}

func (p *probe) overdue(now time.Time) bool {
	return now.Sub(p.began) > max(time.Second, p.latencies(probePatience))
}

// lasted reports whether requests of average length had time to end.
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

// forgotten records the end of a request that the rule does not learn from. A probe with only
// such requests must end, too, or its limit would stay.
func (r *rule) forgotten(now time.Time) {
	if r.probe.running() && r.probe.overdue(now) {
		r.probe.end(now, false)
		r.window = window{began: now}
	}
}

// learn updates the latency without a queue after a probe. It reports whether another probe
// should follow soon: if the latency changed, or if half the limit explains only part of the
// latency, which may be chance in a window of few requests.
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
