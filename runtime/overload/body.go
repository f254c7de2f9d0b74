package overload

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/observability-first/scaffold/runtime/apierror"
)

const (
	// smallBody is the maximum size of a body that is read before its request takes a slot.
	// Nearly all JSON bodies are smaller.
	smallBody = 64 << 10
	// firstBuffer is the initial buffer of a small body. It grows as bytes arrive, so that a
	// client must send what the service buffers.
	firstBuffer = 4 << 10
	// bodyBudget limits the memory of all small bodies, and the announced size of the large ones
	// that are received concurrently. Twice this is an eighth of the 256 MiB in generated
	// manifests.
	bodyBudget = 16 << 20
	// defaultBodyLimit is the default of HTTP_BODY_LIMIT.
	defaultBodyLimit = 1 << 20
	// bodyWait is the maximum time that a large body waits for a permit. It equals the time that
	// a body has to arrive, so that neither delays a shutdown for longer.
	bodyWait = 5 * time.Second
)

// bodies keeps slow clients from occupying slots: a request counts as in flight only after its
// body has arrived.
type bodies struct {
	limit     int64        // maximum size of a body
	buffered  atomic.Int64 // bytes of small bodies
	receiving *semaphore.Weighted
}

func newBodies(limit int64) *bodies {
	return &bodies{limit: cmp.Or(limit, defaultBodyLimit), receiving: semaphore.NewWeighted(bodyBudget)}
}

// errNoBuffer means that small bodies use all memory allowed for them.
var errNoBuffer = errors.New("no memory for another small body")

// errLate is the error for a body that arrived after the deadline of the request.
var errLate = apierror.New(apierror.CodeTimeout, "the request body arrived after the request's deadline; send it faster or with a longer timeout")

// body is the rest of a request body, preceded by the bytes already read.
type body struct {
	io.Reader
	io.Closer
}

// buffer reads a small body into memory and returns the number of reserved bytes. It is
// incomplete if the body turns out to be large or no memory is left. Then the request gets a body
// of the bytes read and the rest.
func (b *bodies) buffer(r *http.Request) (reserved int64, complete bool, err error) {
	var data []byte
	for err == nil {
		if len(data) == cap(data) {
			if len(data) >= smallBody {
				break
			}
			grown := grownBuffer(cap(data), r.ContentLength)
			if b.buffered.Add(int64(grown-cap(data))) > bodyBudget {
				b.buffered.Add(int64(cap(data) - grown))
				err = errNoBuffer
				break
			}
			reserved += int64(grown - cap(data))
			data = append(make([]byte, 0, grown), data...)
		}
		var n int
		n, err = r.Body.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
	}
	switch {
	case err == io.EOF: // not an error that wraps it
		r.Body = body{bytes.NewReader(data), r.Body}
		return reserved, true, nil
	case err == nil || errors.Is(err, errNoBuffer):
		r.Body = body{io.MultiReader(bytes.NewReader(data), r.Body), r.Body}
		return reserved, false, nil
	}
	return reserved, false, err
}

// grownBuffer returns the next size of a buffer for a body of the announced length. The last one
// has room for the end of the body, which may need another read.
func grownBuffer(size int, length int64) int {
	grown := max(firstBuffer, 2*size)
	if int64(size) <= length && length <= int64(grown) {
		return int(length) + 1
	}
	return grown
}

// isSmall reports whether the body may be read before its handler runs. Over HTTP/2, a body
// without a length may be a bidirectional stream. A client that sends Expect waits for the
// handler's decision.
func isSmall(r *http.Request) bool {
	if len(r.Header["Expect"]) > 0 {
		return false
	}
	return r.ContentLength > 0 && r.ContentLength <= smallBody || r.ContentLength < 0 && r.ProtoMajor == 1
}

// unreadable returns the error for a body that could not be read. It is always a client error.
func unreadable(err error) error {
	if e := apierror.From(err); e.Code != apierror.CodeInternal {
		return e
	}
	return apierror.New(apierror.CodeMalformed, "the request body is incomplete or malformed").WithCause(err)
}

func hasBody(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
}

// arrival is a large body that arrives while its handler runs. The request has a body permit
// until the last byte. It is in flight except while the handler waits for the body.
type arrival struct {
	io.ReadCloser
	limiter *Limiter
	weight  int64
	length  int64 // announced length; -1 without one

	mu       sync.Mutex // handlers may read on other goroutines
	received int64
	released bool // the body permit was released
	reads    int  // reads that wait for the client; the first one released the slot
	detached bool // the slot was released for good
	ended    bool
	permit   Permit
}

// receive acquires a permit for a large body and waits up to bodyWait.
func (l *Limiter) receive(ctx context.Context, r *http.Request, p Priority) (*arrival, error) {
	if r.ContentLength > l.bodies.limit {
		return nil, unreadable(&http.MaxBytesError{Limit: l.bodies.limit})
	}
	a := &arrival{ReadCloser: r.Body, limiter: l, weight: min(r.ContentLength, bodyBudget), length: r.ContentLength}
	if r.ContentLength < 0 {
		a.weight = min(l.bodies.limit, bodyBudget)
	}
	if l.bodies.receiving.TryAcquire(a.weight) {
		return a, nil
	}
	if l.config.Mode == ModeObserve {
		l.wouldShed[p.index()][ReasonBodies.index()].Inc()
		a.weight = 0
		return a, nil
	}
	deadline, _ := ctx.Deadline()
	waiting, cancel := context.WithTimeout(ctx, min(bodyWait, l.patience(time.Now(), deadline)))
	defer cancel()
	if err := l.bodies.receiving.Acquire(waiting, a.weight); err == nil {
		return a, nil
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return nil, ctx.Err()
	case ctx.Err() != nil:
		return nil, l.rejected(p, ReasonDeadline)
	}
	return nil, l.rejected(p, ReasonBodies)
}

// Read implements [io.Reader].
func (a *arrival) Read(p []byte) (int, error) {
	paused := a.pause()
	n, err := a.ReadCloser.Read(p)
	a.mu.Lock()
	defer a.mu.Unlock()
	if paused {
		a.resumeLocked()
	}
	a.received += int64(n)
	// Over HTTP/2 the end of the body may come long after its last byte.
	if err != nil || a.length >= 0 && a.received >= a.length {
		a.releaseLocked()
	}
	return n, err
}

// pause releases the slot while the handler waits for its client, and reports whether the read
// has to call resumeLocked.
func (a *arrival) pause() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.released || a.detached || a.ended {
		return false
	}
	a.reads++
	if a.reads == 1 {
		a.permit.Forget()
	}
	return true
}

// resumeLocked makes the request in flight again once no read waits. It is not rejected, because
// its work has begun.
func (a *arrival) resumeLocked() {
	a.reads--
	if a.reads == 0 && !a.detached && !a.ended {
		a.permit = a.limiter.enter()
	}
}

func (a *arrival) release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.releaseLocked()
}

func (a *arrival) releaseLocked() {
	if !a.released {
		a.released = true
		a.limiter.bodies.receiving.Release(a.weight)
	}
}

// releaseSlot releases the slot for good, and the body permit: the response has begun and may
// last long.
func (a *arrival) releaseSlot() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended || a.detached {
		return
	}
	a.detached = true
	if a.reads > 0 {
		a.limiter.enter()
	}
	a.limiter.releaseSlot()
	a.releaseLocked()
}

// end is called after the handler has returned. It returns the permit of a request in flight.
func (a *arrival) end() (Permit, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	if a.detached {
		a.limiter.back()
	}
	return a.permit, !a.detached && a.reads == 0
}
