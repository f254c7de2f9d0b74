package httpserver

import (
	"net/http"
	"sync"
	"time"
)

// cutAfter is how long a write must have blocked to be ended when memory is short. A
// lost packet is sent again within a second.
const cutAfter = time.Second

// slowReaders are the responses that their clients do not read: a write of each is
// blocked.
type slowReaders struct {
	mu      sync.Mutex
	blocked map[*recorder]time.Time // since when
}

// add notes that a write is blocked, unless it has ended in the meantime.
func (s *slowReaders) add(r *recorder) (added bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.slow.unblocked > 0 {
		r.slow.unblocked--
		return false
	}
	if s.blocked == nil {
		s.blocked = map[*recorder]time.Time{}
	}
	s.blocked[r] = time.Now()
	return true
}

// remove notes that a write which add knows, or will hear of, has ended.
func (s *slowReaders) remove(r *recorder) (removed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.blocked[r]; !known {
		r.slow.unblocked++
		return false
	}
	delete(s.blocked, r)
	return true
}

// CutSlowReaders ends the responses that their clients have not read for a second. It
// frees the memory that they hold, where otherwise requests of other clients would be
// rejected.
func (o *Observer) CutSlowReaders() {
	s, now := &o.slowReaders, time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for r, since := range s.blocked {
		if now.Sub(since) >= cutAfter {
			_ = http.NewResponseController(r.ResponseWriter).SetWriteDeadline(now)
		}
	}
}
