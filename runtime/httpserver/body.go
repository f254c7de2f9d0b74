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
	// A request body has bodyGrace from the first read plus a second for each bodyRate bytes
	// received, up to the deadline of the request or an earlier one that the handler sets with
	// http.ResponseController. Both are the defaults of Kestrel (ASP.NET Core,
	// MinRequestBodyDataRate).
	bodyGrace = 5 * time.Second
	bodyRate  = 240 // bytes per second

	// lingering is how long the rest of an unread body may take to arrive, so that a client that
	// sends its whole request first gets the response. net/http has the same delay
	// (rstAvoidanceDelay).
	lingering = 500 * time.Millisecond
)

// requestBody counts the bytes that the handler reads, and rejects bodies that exceed the limit
// or arrive too slowly. It is nil for a request without a body.
type requestBody struct {
	state   *requestState
	source  io.ReadCloser
	bytes   atomic.Int64
	bounded bool      // net/http counts the rest
	first   time.Time // start of the first read
	timer   blockedTimer
	arrived atomic.Bool
	failure atomic.Pointer[error] // caused by the client

	deadlines sync.Mutex // a handler may set a deadline while it reads
	readBy    time.Time  // deadline of the next bytes; zero for a stream
	own       time.Time  // the handler's deadline; zero without one
}

func (b *requestBody) size() int64 {
	if b == nil {
		return 0
	}
	return b.bytes.Load()
}

// waited returns how long the request has waited for its body.
func (b *requestBody) waited(now time.Time) time.Duration {
	if b == nil {
		return 0
	}
	return b.timer.total(now).spent
}

func (b *requestBody) failed() error {
	if b == nil || b.failure.Load() == nil {
		return nil
	}
	return *b.failure.Load()
}

// Read implements [io.Reader]. An error that the client caused is an [apierror.Error], even if
// the handler does not return it.
func (b *requestBody) Read(p []byte) (int, error) {
	observer := b.state.observer
	limit := observer.config.BodyLimit
	if room := limit - b.bytes.Load(); int64(len(p)) > room && !b.bounded {
		// Only the reader of net/http can make net/http close the connection of a client that
		// exceeds the limit. It needs net/http's own writer.
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

// noteBlocked is called during the read.
func (b *requestBody) noteBlocked() {
	b.timer.block(func() { b.state.observer.transfers.add(b.state) })
}

// limitRead sets the deadline of the next bytes. Few reads change it.
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
	_ = b.endBy(by) // writers in tests have no deadlines
}

// setDeadline sets the handler's own deadline, or none. It shortens the time for the body and
// does not extend it, because frameworks set a deadline for every request. It ignores a body that
// has arrived: net/http keeps reading to detect that the client disconnects, and a deadline would
// end the request.
func (b *requestBody) setDeadline(own time.Time) error {
	if b == nil || b.arrived.Load() {
		return nil
	}
	b.deadlines.Lock()
	defer b.deadlines.Unlock()
	b.own = own
	return b.endBy(b.readBy)
}

// lift removes the deadline of a stream, except the handler's own.
func (b *requestBody) lift() {
	b.deadlines.Lock()
	defer b.deadlines.Unlock()
	b.readBy = time.Time{}
	_ = b.endBy(b.readBy)
}

// endBy sets the read deadline to the given time, zero for none, or to the handler's own deadline
// if that is earlier.
func (b *requestBody) endBy(by time.Time) error {
	if !b.own.IsZero() && (by.IsZero() || b.own.Before(by)) {
		by = b.own
	}
	return http.NewResponseController(b.state.recorder.ResponseWriter).SetReadDeadline(by)
}

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

// limitRest limits how long net/http waits for the unread rest of a body after the response.
func (b *requestBody) limitRest() {
	if b == nil || b.arrived.Load() || b.state.endless.Load() || b.state.recorder.duplex || b.state.request.ProtoMajor != 1 {
		return
	}
	b.deadlines.Lock()
	defer b.deadlines.Unlock()
	_ = b.endBy(time.Now().Add(lingering))
}

// withLimit sets the whole limit in an error of net/http, which knows only the rest.
func withLimit(err error, limit int64) error {
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return &http.MaxBytesError{Limit: limit}
	}
	return err
}

// Close implements [io.Closer].
func (b *requestBody) Close() error { return b.source.Close() }
