package httpserver

import (
	"net/http"
	"sync"
	"time"
)

// cutAfter is how long a write of up to writeChunk must have blocked to be cut when memory is
// short. A lost packet is retransmitted within a second.
const cutAfter = time.Second

// slowReaders are the responses with a blocked write.
type slowReaders struct {
	mu      sync.Mutex
	blocked map[*recorder]time.Time // since when
}

func (s *slowReaders) add(r *recorder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blocked == nil {
		s.blocked = map[*recorder]time.Time{}
	}
	s.blocked[r] = time.Now()
}

func (s *slowReaders) remove(r *recorder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.blocked, r)
}

// CutSlowReaders ends the responses whose clients have not read 64 KiB within a second. It frees
// their memory, so that requests of other clients need not be rejected.
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
