package httpserver

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/observability-first/scaffold/runtime/apierror"
	"github.com/observability-first/scaffold/runtime/semconv"
)

const (
	// A request body has bodyGrace from the first read, and a second more for each
	// bodyRate of bytes that arrived, up to the deadline of the request, or to an earlier one
	// that the handler sets with http.ResponseController. Both are the defaults of Kestrel
	// (ASP.NET Core, MinRequestBodyDataRate).
	bodyGrace = 5 * time.Second
	bodyRate  = 240 // bytes a second

	// lingering is how long the rest of a body that no handler read may take to
	// arrive, so that a client that sends its whole request first gets the response: what
	// net/http grants for the same reason (rstAvoidanceDelay).
	lingering = 500 * time.Millisecond
)

// requestBody counts what the handler reads, and rejects what is over the limit or
// arrives too slowly. A nil one is the body of a request that has none.
type requestBody struct {
	state   *requestState
	source  io.ReadCloser
	bytes   atomic.Int64
	bounded bool      // net/http counts the rest of it
	first   time.Time // when the first read began
	timer   blockedTimer
	arrived atomic.Bool
	failure atomic.Pointer[error] // that the client caused

	deadlines sync.Mutex // a handler may set one while it reads
	readBy    time.Time  // when the next bytes have to have arrived; zero for a stream
	own       time.Time  // the handler's; zero without one
}

// size is how much of the body was read.
func (b *requestBody) size() int64 {
	if b == nil {
		return 0
	}
	return b.bytes.Load()
}

// waited is the time for which the request has waited for its body.
func (b *requestBody) waited(now time.Time) time.Duration {
	if b == nil {
		return 0
	}
	return b.timer.total(now).spent
}

// failed is the error of reading the body that the client caused, nil without one.
func (b *requestBody) failed() error {
	if b == nil || b.failure.Load() == nil {
		return nil
	}
	return *b.failure.Load()
}

// Read implements [io.Reader]. An error that the client caused is an [apierror.Error],
// whatever the handler makes of it.
func (b *requestBody) Read(p []byte) (int, error) {
	observer := b.state.observer
	limit := observer.config.BodyLimit
	if room := limit - b.bytes.Load(); int64(len(p)) > room && !b.bounded {
		// Only net/http's own reader can make it close the connection of a sender
		// that would go on and on, so the end of the room is left to it. It wants
		// the writer as net/http made it.
		b.bounded = true
		b.source = http.MaxBytesReader(b.state.recorder.ResponseWriter, b.source, room)
	}
	b.limitRead()
	b.state.beginTransfer()
	b.timer.start(b)
	n, err := b.source.Read(p)
	b.timer.stop()
	b.bytes.Add(int64(n))
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		b.arrived.Store(true)
		return n, err
	case b.bounded:
		err = withLimit(err, limit)
	}
	return n, b.fail(err)
}

// noteBlocked runs while the read goes on.
func (b *requestBody) noteBlocked() {
	b.timer.block(func() { b.state.observer.transfers.add(b.state) })
}

// limitRead sets the time by which the next bytes have to arrive. Few reads move it.
func (b *requestBody) limitRead() {
	x := b.state
	if x.endless.Load() {
		return
	}
	if b.first.IsZero() {
		b.first = time.Now()
	}
	arrived := min(b.bytes.Load(), 1<<30) // so that the product fits into a Duration
	by := b.first.Add(bodyGrace + time.Duration(arrived)*time.Second/bodyRate)
	if end, limited := x.Deadline(); limited && end.Before(by) {
		by = end
	}
	b.deadlines.Lock()
	defer b.deadlines.Unlock()
	if by.Sub(b.readBy) < time.Second {
		return
	}
	b.readBy = by
	_ = b.endBy(by) // writers of tests have no deadlines; those of net/http do
}

// setDeadline sets the handler's own deadline, or none. It shortens the time of the body and
// does not extend it, because frameworks set one for every request. A body that has arrived
// needs none: net/http reads on to notice a client that leaves, and a deadline would end the
// request as if it had.
func (b *requestBody) setDeadline(own time.Time) error {
	if b == nil || b.arrived.Load() {
		return nil
	}
	b.deadlines.Lock()
	defer b.deadlines.Unlock()
	b.own = own
	return b.endBy(b.readBy)
}

// lift leaves the body of a stream no deadline but the handler's.
func (b *requestBody) lift() {
	b.deadlines.Lock()
	defer b.deadlines.Unlock()
	b.readBy = time.Time{}
	_ = b.endBy(b.readBy)
}

// endBy ends reads at the given time, zero for never, or at the handler's own deadline if
// that is earlier.
func (b *requestBody) endBy(by time.Time) error {
	if !b.own.IsZero() && (by.IsZero() || b.own.Before(by)) {
		by = b.own
	}
	return http.NewResponseController(b.state.recorder.ResponseWriter).SetReadDeadline(by)
}

// fail records an error of reading.
func (b *requestBody) fail(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		b.state.observer.metrics.slow(semconv.SlowRequestBody)
	}
	err = bodyError(err)
	if _, clients := errors.AsType[*apierror.Error](err); clients {
		b.failure.CompareAndSwap(nil, &err)
	}
	return err
}

// limitRest bounds the time that net/http waits for a body which the handler has not read
// when it answers.
func (b *requestBody) limitRest() {
	if b == nil || b.arrived.Load() || b.state.endless.Load() || b.state.recorder.duplex || b.state.request.ProtoMajor != 1 {
		return
	}
	b.deadlines.Lock()
	defer b.deadlines.Unlock()
	_ = b.endBy(time.Now().Add(lingering))
}

// withLimit names the whole limit where net/http knows the rest of it.
func withLimit(err error, limit int64) error {
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return &http.MaxBytesError{Limit: limit}
	}
	return err
}

// Close implements [io.Closer].
func (b *requestBody) Close() error { return b.source.Close() }
