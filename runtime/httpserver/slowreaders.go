package httpserver

import (
	"net/http"
	"sync"
	"time"
)

// cutAfter is how long a write of up to writeChunk must have blocked to be ended when
// memory is short. A lost packet is sent again within a second.
const cutAfter = time.Second

// slowReaders are the responses that their clients do not read: a write of each is
// blocked.
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

// CutSlowReaders ends the responses of which their clients have not read 64 KiB within a
// second. It frees the memory that they hold, where otherwise requests of other clients
// would be rejected.
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
