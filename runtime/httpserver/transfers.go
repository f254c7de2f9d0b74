package httpserver

import (
	"errors"
	"sync"
	"time"
)

// States of requestState.registered.
const (
	unregistered int32 = iota
	registered
	over // the request has ended
)

// errCut is the error of a request in flight when a stop cuts transfers.
var errCut = errors.New("cut by the stop")

// transfers holds requests with a read or write that blocked, or that began during a stop.
type transfers struct {
	mu       sync.Mutex
	requests map[*requestState]struct{}
}

// add registers a request. A read on another goroutine may outlast its handler.
func (t *transfers) add(x *requestState) {
	if x.registered.Load() != unregistered {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !x.registered.CompareAndSwap(unregistered, registered) {
		return
	}
	if t.requests == nil {
		t.requests = map[*requestState]struct{}{}
	}
	t.requests[x] = struct{}{}
}

// remove notes that a request has ended. One that was not registered takes no lock.
func (t *transfers) remove(x *requestState) {
	if x.registered.Swap(over) != registered {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.requests, x)
}

// progress returns how far each request is, without streams: a stop waits for them.
func (t *transfers) progress() map[*requestState]progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make(map[*requestState]progress, len(t.requests))
	for x := range t.requests {
		if !x.endless.Load() {
			all[x] = x.progress()
		}
	}
	return all
}

// progress is what a request has read from its client and written to it.
type progress struct {
	spent time.Duration // in reads and writes, the ones under way included
	ended int           // reads and writes
}

func (x *requestState) progress() progress {
	var read, written progress
	now := time.Now()
	if x.body != nil {
		read = x.body.timer.total(now)
	}
	if slow := x.recorder.slow.Load(); slow != nil {
		written = slow.timer.total(now)
	}
	return progress{read.spent + written.spent, read.ended + written.ended}
}

// stopPoller polls the requests in flight during a stop.
type stopPoller struct {
	observer *Observer
	at       time.Time // of the last look
	before   map[*requestState]progress
}

// look reports whether every request in flight is a transfer: it has spent at least half of
// the time since the last look on reads and writes. It also reports whether a read or a write
// of any of them has ended since.
func (w *stopPoller) look() (onlyTransfers, moved bool) {
	now, all := time.Now(), w.observer.transfers.progress()
	transfers := int64(0)
	for x, p := range all {
		before, seen := w.before[x]
		if seen && p.spent-before.spent >= now.Sub(w.at)/2 {
			transfers++
		}
		moved = moved || p.ended != before.ended
	}
	w.at, w.before = now, all
	return w.observer.metrics.active.Load() <= transfers, moved
}
