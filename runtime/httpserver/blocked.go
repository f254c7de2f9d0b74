package httpserver

import (
	"sync"
	"time"
)

// blockedAfter is how long a read from a client or a write to it may block until the client
// counts as slow.
const blockedAfter = 50 * time.Millisecond

// blockedTimer detects that a read or a write blocks.
type blockedTimer struct {
	mu      sync.Mutex
	timer   *time.Timer
	started time.Time // start of the current read or write; zero without one
	blocked bool      // the current one has blocked for blockedAfter

	done progress // of completed reads or writes
}

// start starts the timer for a read or write. After blockedAfter, noteBlocked is called on
// another goroutine; it calls block.
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

// block calls count and returns true, unless the read or write has ended.
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

// stop stops the timer and reports whether block has called count.
func (t *blockedTimer) stop() (blocked bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer.Stop()
	if !t.started.IsZero() { // zero if another goroutine's read has ended meanwhile
		t.done.spent += time.Since(t.started)
	}
	t.done.ended++
	blocked = t.blocked
	t.started, t.blocked = time.Time{}, false
	return blocked
}

// total returns the time spent in all reads or writes, including the current one, and the number
// of completed ones.
func (t *blockedTimer) total(now time.Time) progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.done
	if !t.started.IsZero() {
		all.spent += now.Sub(t.started)
	}
	return all
}
