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

// errCut is the error of a transfer cut during a shutdown.
var errCut = errors.New("cut during shutdown")

// transfers has the requests with a read or write that blocked or that began during a shutdown.
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

// remove removes a request that has ended. It takes no lock if the request was not registered.
func (t *transfers) remove(x *requestState) {
	if x.registered.Swap(over) != registered {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.requests, x)
}

// progress returns the progress of each request except streams.
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

// progress is the time and number of reads from a client and writes to it.
type progress struct {
	spent time.Duration // in reads and writes, including current ones
	ended int           // completed reads and writes
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

// stopPoller polls the requests in flight during a shutdown.
type stopPoller struct {
	observer *Observer
	at       time.Time // last poll
	before   map[*requestState]progress
}

// look reports whether every request in flight is a transfer: it has spent at least half of the
// time since the last poll in reads and writes. It also reports whether any of their reads or
// writes has completed since.
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
