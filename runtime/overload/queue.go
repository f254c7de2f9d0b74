package overload

import (
	"cmp"
	"container/list"
	"context"
	"errors"
	"time"
)

const (
	// patienceShare divides the time until its deadline that a request may spend in the queue.
	// The other half is for its own work.
	patienceShare = 2
	// untoldPatience is the maximum time in the queue without a deadline and without
	// OVERLOAD_QUEUE_WAIT.
	untoldPatience = time.Second
	// briefWait is the maximum time in the queue of an overloaded service: the target of CoDel
	// (RFC 8289, section 4.3). It keeps workers busy; a longer wait only adds latency.
	briefWait = 5 * time.Millisecond
	// calmAgain is the time without a queue after which a service is no longer overloaded, and
	// the time without a rejection after which the next one begins a new run of rejections: the
	// interval of CoDel (RFC 8289, section 4.3).
	calmAgain = 100 * time.Millisecond

	// longestBurst is how long requests may be rejected before the service is overloaded.
	// OVERLOAD_QUEUE_WAIT applies if it is shorter.
	longestBurst = time.Second
	// firstSpell is how long a service first counts as overloaded, and longestSpell the maximum.
	// Clients that retry immediately look like a permanent load, so only an attempt with longer
	// waits shows whether the load has fallen. After a spell, requests may wait for a
	// probationShare of it: a failed attempt costs a few per cent of the goodput.
	firstSpell     = time.Second
	longestSpell   = time.Minute
	probation      = time.Second
	probationShare = 64

	// leftSamples is the number of requests within leftWindow from which clients that disconnect
	// may begin an overload: if they are more than lateShare of the requests, the queue is too
	// long.
	leftWindow  = time.Second
	leftSamples = 50

	// endSamples is the number of requests from the queue that are judged together by whether
	// their clients disconnected. A client that sends two fifths of the requests has more than
	// half of 200 once in 500 times.
	endSamples = 200
)

// waiter is a request in the queue. Its decision is sent once.
type waiter struct {
	priority Priority
	came     time.Time
	until    time.Time // end of its maximum wait
	place    *list.Element
	decision chan Permit // closed on rejection
	reason   Reason      // of its rejection; until then, the reason for a rejection at the end of its wait
}

// queue has the waiting requests by priority, oldest first.
type queue struct {
	waiting  [priorities]list.List
	length   int
	overload overloaded
}

// overloaded is the state in which more requests arrive than can be served in time. It begins
// when requests have been rejected for longer than a burst lasts, or when enough clients have
// disconnected. A long queue alone is no overload: as many clients as the queue holds, each with
// one request at a time, keep it full and miss no deadline.
//
// Sheddable requests do not count: they starve if others use all of the capacity, and any client
// may declare its requests sheddable.
type overloaded struct {
	until time.Time     // end of the spell; zero if not overloaded
	ended time.Time     // end of the last spell
	spell time.Duration // length of the last spell
	busy  time.Time     // last time that a request had to wait

	rejecting time.Time // start of the current run of rejections
	rejected  time.Time // last rejection

	counted     time.Time     // start of the window for begun and left
	begun, left int           // requests admitted from the queue, and those whose clients left it
	longest     time.Duration // maximum time in the queue of admitted requests
	before      time.Duration // longest of the previous window

	done, abandoned int // completed requests from the queue, and those whose clients disconnected because of the wait
}

// maxWait returns the maximum time in the queue of a request with the given patience.
func (o *overloaded) maxWait(now time.Time, patience time.Duration) time.Duration {
	switch {
	case o.active(now):
		return min(patience, briefWait)
	case o.onProbation(now):
		return min(patience/2, o.spell/probationShare)
	}
	return patience
}

func (o *overloaded) onProbation(now time.Time) bool {
	return o.until.IsZero() && now.Sub(o.ended) < probation
}

// active reports whether the service is overloaded, and ends a spell that is over.
func (o *overloaded) active(now time.Time) bool {
	if !o.until.IsZero() && (!now.Before(o.until) || now.Sub(o.busy) > calmAgain) {
		o.until, o.ended = time.Time{}, now
	}
	return !o.until.IsZero()
}

// visit records that a request has to wait. After a long time without a queue, it resets the
// state.
func (o *overloaded) visit(now time.Time) {
	o.active(now)
	if now.Sub(o.busy) > longestSpell {
		o.done, o.abandoned = 0, 0
	}
	o.busy = now
}

// reject records a rejection. patience is the maximum time in the queue of the request.
func (o *overloaded) reject(now time.Time, patience, burst time.Duration) {
	o.count(now)
	if o.impatient(now, patience, burst) {
		return
	}
	if now.Sub(o.rejected) > calmAgain {
		o.rejecting = now
	}
	o.rejected = now
	if o.onProbation(now) || now.Sub(o.rejecting) >= burst {
		o.begin(now)
	}
}

// impatient reports whether a request that left the queue after waited is no sign of overload. It
// is none if the wait is shorter than the longest recent wait of an admitted request: with more
// patience, the request would have been admitted, too. On probation there is no such wait yet;
// the limit is twice the maximum time in the queue.
func (o *overloaded) impatient(now time.Time, waited, burst time.Duration) bool {
	if o.onProbation(now) {
		return waited < min(burst, 2*o.spell/probationShare)
	}
	return waited < max(o.longest, o.before)
}

// begin starts a spell. It is twice as long as the last one if that ended recently.
func (o *overloaded) begin(now time.Time) {
	if !o.until.IsZero() {
		return
	}
	if now.Sub(o.ended) > longestSpell {
		o.spell = 0
	}
	o.spell = min(longestSpell, cmp.Or(2*o.spell, firstSpell))
	o.until = now.Add(o.spell)
}

// start records that a queued request that arrived at came is admitted.
func (o *overloaded) start(now, came time.Time) {
	o.count(now)
	o.begun++
	o.longest = max(o.longest, now.Sub(came))
}

// leave records that a client left the queue after it had waited this long.
func (o *overloaded) leave(now time.Time, waited, burst time.Duration) {
	o.count(now)
	if o.impatient(now, waited, burst) {
		return
	}
	o.left++
	if all := o.begun + o.left; all >= leftSamples && float64(o.left) > lateShare*float64(all) {
		o.begin(now)
	}
}

// end records the end of a request that was admitted from the queue, and whether its client had
// disconnected because of the wait. It decides once per endSamples requests. Half of them have to
// be abandoned, since one client alone must not begin an overload.
func (o *overloaded) end(now time.Time, abandoned bool) {
	o.done++
	if abandoned {
		o.abandoned++
	}
	if o.done < endSamples {
		return
	}
	if 2*o.abandoned > o.done {
		o.begin(now)
	}
	o.done, o.abandoned = 0, 0
}

// count begins a new window if the last one is over. A wait from before the last window is
// dropped.
func (o *overloaded) count(now time.Time) {
	passed := now.Sub(o.counted)
	if passed <= leftWindow {
		return
	}
	o.before, o.longest = o.longest, 0
	if passed > 2*leftWindow {
		o.before = 0
	}
	o.counted, o.begun, o.left = now, 0, 0
}

func (q *queue) empty() bool { return q.length == 0 }

func (q *queue) push(w *waiter) {
	w.place = q.waiting[w.priority.index()].PushBack(w)
	q.length++
}

func (q *queue) remove(w *waiter) {
	q.waiting[w.priority.index()].Remove(w.place)
	w.place = nil
	q.length--
}

// first returns the oldest request of the highest priority.
func (q *queue) first() *waiter {
	for i := priorities - 1; i >= 0; i-- {
		if e := q.waiting[i].Front(); e != nil {
			return e.Value.(*waiter)
		}
	}
	return nil
}

// lesser returns the youngest request of the lowest priority below p.
func (q *queue) lesser(p Priority) *waiter {
	for i := range p.index() {
		if e := q.waiting[i].Back(); e != nil {
			return e.Value.(*waiter)
		}
	}
	return nil
}

// outwaits reports whether the oldest request of that priority has waited more than twice as
// long. If it has, a request that left or was rejected after this wait was impatient, and is no
// sign of overload. This also covers a stall, in which no request is admitted and impatient has
// no longest wait. The factor is two because clients that arrived together disconnect in any
// order.
func (q *queue) outwaits(now time.Time, p Priority, waited time.Duration) bool {
	e := q.waiting[p.index()].Front()
	return e != nil && now.Sub(e.Value.(*waiter).came) > 2*waited
}

// enqueue adds a request to the queue. If the queue is full, it replaces a less important request
// or returns the reason of the rejection.
func (l *Limiter) enqueue(now, deadline time.Time, p Priority) (*waiter, Reason) {
	l.queue.overload.visit(now)
	patience := l.patience(now, deadline)
	until, expired := now.Add(patience), ReasonLimit
	if !deadline.IsZero() {
		latest := deadline.Add(-seconds(l.rule.fastest))
		if !now.Before(latest) {
			return nil, ReasonDeadline
		}
		if latest.Before(until) {
			until, expired = latest, ReasonDeadline
		}
	}
	if l.queue.length >= l.room(now, patience) {
		victim := l.queue.lesser(p)
		if victim == nil {
			l.unserved(now, p, patience)
			return nil, ReasonQueueFull
		}
		l.unserved(now, victim.priority, victim.until.Sub(victim.came))
		l.turnAway(victim, ReasonQueueFull)
	}
	w := &waiter{priority: p, came: now, until: until, reason: expired, decision: make(chan Permit, 1)}
	l.queue.push(w)
	return w, admitted
}

// patience returns the maximum time in the queue of a request.
func (l *Limiter) patience(now, deadline time.Time) time.Duration {
	switch {
	case l.config.QueueWait > 0:
		return l.config.QueueWait
	case deadline.IsZero():
		return untoldPatience
	}
	return deadline.Sub(now) / patienceShare
}

// room returns the number of requests that may wait: as many as are admitted within the patience
// of the next one.
func (l *Limiter) room(now time.Time, patience time.Duration) int {
	patience = l.queue.overload.maxWait(now, patience)
	capacity, known := l.rule.capacity()
	if !known {
		return l.config.Queue
	}
	return max(1, int(min(patience.Seconds()*capacity, float64(l.config.Queue))))
}

// dispatch admits queued requests up to the limit.
func (l *Limiter) dispatch(now time.Time) {
	for l.inFlight < l.rule.allowed() {
		w := l.queue.first()
		if w == nil {
			return
		}
		if !now.Before(w.until) {
			l.turnAway(w, w.reason)
			l.unserved(now, w.priority, w.until.Sub(w.came))
			continue
		}
		l.queue.remove(w)
		l.queue.overload.start(now, w.came)
		l.admit()
		w.decision <- Permit{l, w.came, now, w.priority}
	}
}

// unserved records that a request of that priority and patience is rejected.
func (l *Limiter) unserved(now time.Time, p Priority, patience time.Duration) {
	if p != Sheddable && !l.queue.outwaits(now, p, patience) {
		l.queue.overload.reject(now, patience, l.burst())
	}
}

// left records that a client left the queue. A client that leaves within the latency objective is
// impatient, and no sign that the queue is too long.
func (l *Limiter) left(now time.Time, w *waiter) {
	waited := now.Sub(w.came)
	if w.priority != Sheddable && waited >= l.objective && !l.queue.outwaits(now, w.priority, waited) {
		l.queue.overload.leave(now, waited, l.burst())
	}
}

// ended records the end of a request. Its client had disconnected because of the wait if the
// request waited longer in the queue than it was in flight. If all clients have the same timeout,
// only this shows an overload: an admitted request waited about as long as those of the clients
// that left the queue, so impatient ignores all of these.
func (l *Limiter) ended(now time.Time, p Permit, left bool) {
	waited, inFlight := p.admitted.Sub(p.came), now.Sub(p.admitted)
	if waited > 0 && p.priority != Sheddable {
		l.queue.overload.end(now, left && waited > inFlight && waited+inFlight >= l.objective)
	}
}

func (l *Limiter) burst() time.Duration {
	return min(longestBurst, cmp.Or(l.config.QueueWait, longestBurst))
}

func (l *Limiter) turnAway(w *waiter, r Reason) {
	l.queue.remove(w)
	w.reason = r
	close(w.decision)
}

func (l *Limiter) await(ctx context.Context, w *waiter) (Permit, error) {
	timer := time.NewTimer(time.Until(w.until))
	defer timer.Stop()
	select {
	case permit, ok := <-w.decision:
		return l.decided(w, permit, ok)
	case <-ctx.Done():
	case <-timer.C:
	}
	l.mu.Lock()
	if w.place == nil { // decided meanwhile
		l.mu.Unlock()
		permit, ok := <-w.decision
		return l.decided(w, permit, ok)
	}
	l.queue.remove(w)
	left := errors.Is(ctx.Err(), context.Canceled)
	if now := time.Now(); left {
		l.left(now, w)
	} else {
		l.unserved(now, w.priority, w.until.Sub(w.came))
	}
	l.mu.Unlock()
	if left {
		return Permit{}, ctx.Err()
	}
	return Permit{}, l.rejected(w.priority, w.reason)
}

func (l *Limiter) decided(w *waiter, permit Permit, ok bool) (Permit, error) {
	if !ok {
		return Permit{}, l.rejected(w.priority, w.reason)
	}
	return permit, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
