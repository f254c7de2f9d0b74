package httpserver

import (
	"sync"
	"time"
)

// blockedAfter is how long a read from a client or a write to it may block until the
// client counts as slow.
const blockedAfter = 50 * time.Millisecond

// blockedTimer notices that a read or a write blocks.
type blockedTimer struct {
	mu      sync.Mutex
	timer   *time.Timer
	started time.Time // the read or write under way; zero without one
	blocked bool      // it has blocked for blockedAfter

	done progress // by those that have ended
}

// start begins to measure a read or write. When it has blocked for blockedAfter,
// noteBlocked is called on a goroutine of its own; it calls block.
func (t *blockedTimer) start(operation interface{ noteBlocked() }) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.started = time.Now()
	if t.timer == nil {
		t.timer = time.AfterFunc(blockedAfter, operation.noteBlocked)
		return
	}
	t.timer.Reset(blockedAfter)
}

// block calls count and reports true, unless what blocked has ended in the meantime.
func (t *blockedTimer) block(count func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.started.IsZero() || time.Since(t.started) < blockedAfter {
		return false
	}
	t.blocked = true
	count()
	return true
}

// stop ends the measurement, and reports whether block has called count.
func (t *blockedTimer) stop() (blocked bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer.Stop()
	if !t.started.IsZero() { // or another goroutine's read has ended in the meantime
		t.done.spent += time.Since(t.started)
	}
	t.done.ended++
	blocked = t.blocked
	t.started, t.blocked = time.Time{}, false
	return blocked
}

// total is what all reads or writes took, the one under way included, and how many have ended.
func (t *blockedTimer) total(now time.Time) progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.done
	if !t.started.IsZero() {
		all.spent += now.Sub(t.started)
	}
	return all
}
