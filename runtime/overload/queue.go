package overload

import (
	"container/list"
	"context"
	"errors"
	"time"
)

const (
	// standing is how many of the longest waits a queue may be there before it is no
	// burst any more but the load itself. With the default wait that is CoDel's
	// interval of 100 ms (RFC 8289, 4.3).
	standing = 2
	// calmAgain is how long nobody may have waited for the next queue to be a burst.
	calmAgain = 100 * time.Millisecond
	// standingWait is the longest wait in such a queue; CoDel's target. It keeps
	// workers busy and costs latency for nothing beyond that.
	standingWait = 5 * time.Millisecond
)

// waiter is a request in the queue. Its fate is sent once.
type waiter struct {
	priority Priority
	until    time.Time // when it has waited long enough
	place    *list.Element
	fate     chan Permit // closed, with reason set, when it is refused
	reason   Reason
}

// queue holds those who wait, by priority, oldest first.
type queue struct {
	waiting [priorities]list.List
	length  int
	burst   time.Duration // how long a burst may last
	since   time.Time     // when the burst began
	busy    time.Time     // when somebody last waited
}

func newQueue(c Config) queue { return queue{burst: standing * c.QueueWait} }

func (q *queue) empty() bool { return q.length == 0 }

func (q *queue) push(w *waiter) {
	w.place = q.waiting[w.priority.index()].PushBack(w)
	q.length++
}

// visit notes that somebody wants to wait.
func (q *queue) visit(now time.Time) {
	if q.length == 0 && now.Sub(q.busy) > calmAgain {
		q.since = now
	}
	q.busy = now
}

// stands says whether the queue is the load itself.
func (q *queue) stands(now time.Time) bool { return now.Sub(q.since) > q.burst }

func (q *queue) remove(w *waiter) {
	q.waiting[w.priority.index()].Remove(w.place)
	w.place = nil
	q.length--
}

// first is the oldest of the most important.
func (q *queue) first() *waiter {
	for i := priorities - 1; i >= 0; i-- {
		if e := q.waiting[i].Front(); e != nil {
			return e.Value.(*waiter)
		}
	}
	return nil
}

// lesser is the youngest of the least important below that priority.
func (q *queue) lesser(p Priority) *waiter {
	for i := range p.index() {
		if e := q.waiting[i].Back(); e != nil {
			return e.Value.(*waiter)
		}
	}
	return nil
}

// enqueue gives a request a place in the queue, at the cost of a less important
// one when there is no room, or says why not.
func (l *Limiter) enqueue(now, deadline time.Time, p Priority) (*waiter, Reason) {
	l.queue.visit(now)
	until, expired := now.Add(l.config.QueueWait), admitted
	if !deadline.IsZero() {
		latest := deadline.Add(-seconds(l.rule.fastest))
		if !now.Before(latest) {
			return nil, ReasonDeadline
		}
		if latest.Before(until) {
			until, expired = latest, ReasonDeadline
		}
	}
	if l.queue.length >= l.room(now) {
		victim := l.queue.lesser(p)
		if victim == nil {
			return nil, ReasonQueueFull
		}
		l.turnAway(victim, ReasonQueueFull)
	}
	w := &waiter{priority: p, until: until, reason: expired, fate: make(chan Permit, 1)}
	l.queue.push(w)
	return w, admitted
}

// room is how many may wait: as many as get their turn in the time that they may
// wait, at the rate at which requests end.
func (l *Limiter) room(now time.Time) int {
	wait := l.config.QueueWait
	if l.queue.stands(now) {
		wait = min(wait, standingWait)
	}
	if l.rule.recent == 0 {
		return l.config.Queue // nobody knows the rate yet
	}
	turns := wait.Seconds() / l.rule.recent * float64(l.rule.allowed())
	return max(1, int(min(turns, float64(l.config.Queue))))
}

// dispatch begins as many of those who wait as there is room for.
func (l *Limiter) dispatch(now time.Time) {
	for l.inFlight < l.rule.allowed() {
		w := l.queue.first()
		if w == nil {
			return
		}
		if !now.Before(w.until) {
			l.turnAway(w, w.expired())
			continue
		}
		l.queue.remove(w)
		l.admit()
		w.fate <- Permit{l, now}
	}
}

// expired is why a request that has waited long enough is refused.
func (w *waiter) expired() Reason {
	if w.reason == admitted {
		return ReasonLimit
	}
	return w.reason
}

func (l *Limiter) turnAway(w *waiter, r Reason) {
	l.queue.remove(w)
	w.reason = r
	close(w.fate)
}

// await waits for the fate of a request in the queue.
func (l *Limiter) await(ctx context.Context, w *waiter) (Permit, error) {
	timer := time.NewTimer(time.Until(w.until))
	defer timer.Stop()
	select {
	case permit, ok := <-w.fate:
		return l.decided(w, permit, ok)
	case <-ctx.Done():
	case <-timer.C:
	}
	l.mu.Lock()
	if w.place == nil { // decided in the meantime
		l.mu.Unlock()
		permit, ok := <-w.fate
		return l.decided(w, permit, ok)
	}
	l.queue.remove(w)
	l.mu.Unlock()
	if errors.Is(ctx.Err(), context.Canceled) {
		return Permit{}, ctx.Err()
	}
	return Permit{}, l.refused(w.priority, w.expired())
}

func (l *Limiter) decided(w *waiter, permit Permit, ok bool) (Permit, error) {
	if !ok {
		return Permit{}, l.refused(w.priority, w.reason)
	}
	return permit, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
