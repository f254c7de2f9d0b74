package httpserver

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// recorder records what is written. It has exactly the optional interfaces of the wrapped writer,
// so that a handler sees whether it can flush or hijack.
type recorder struct {
	http.ResponseWriter
	bytes     int64
	err       error   // first failed write
	frames    *frames // of a procedure whose status is always 200
	state     *requestState
	begun     time.Duration // time from the start of the request to the header
	onRelease func()        // see OnRelease

	slow     atomic.Pointer[slowWrite] // nil until a write may block
	status   int32                     // 0 until the header is written
	left     atomic.Bool
	hijacked bool
	streams  bool // the response is a stream, whose duration is no latency
	watching bool // a write that may block has begun
	duplex   bool // the handler reads while it writes
	claimed  bool // see Claim
	late     bool // the write deadline had passed before the client could block the write
}

type slowWrite struct {
	timer   blockedTimer
	writeBy time.Duration // deadline of writes to a stream, since the start of the request
}

// writeBuffer is the size of net/http's buffer in front of the connection
// (bufferBeforeChunkingSize).
const writeBuffer = 2048

// wrap returns the recorder with the optional interfaces of the writer: HTTP/1 connections can be
// hijacked and copy files in the kernel, HTTP/2 connections can push.
func wrap(rec *recorder) http.ResponseWriter {
	_, hijacks := rec.ResponseWriter.(http.Hijacker)
	_, reads := rec.ResponseWriter.(io.ReaderFrom)
	_, flushes := rec.ResponseWriter.(http.Flusher)
	_, pushes := rec.ResponseWriter.(http.Pusher)
	switch {
	case hijacks && reads && flushes:
		return http1Recorder{flushRecorder{rec}}
	case pushes && flushes:
		return http2Recorder{flushRecorder{rec}}
	case flushes:
		return flushRecorder{rec}
	}
	return rec
}

// Unwrap is for [http.ResponseController].
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (r *recorder) WriteHeader(status int) {
	if r.status != 0 && r.err != nil {
		return // net/http would log a superfluous status
	}
	// 1xx are informational, except 101, which is the response.
	if r.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		r.status = int32(status) //nolint:gosec // three digits
		// An upgrade needs its own Connection header.
		if status != http.StatusSwitchingProtocols && r.state.observer.closes() {
			r.Header().Set("Connection", "close")
		}
		r.state.body.limitRest()
		r.begin()
		contentType := first(r.Header(), "Content-Type")
		if table := r.state.observer.table; table.procedure(r.state.request) != nil {
			r.frames = framesOf(contentType)
		}
		if status == http.StatusSwitchingProtocols || strings.HasPrefix(contentType, eventStream) || strings.HasPrefix(contentType, connectStream) {
			r.beginStream()
		}
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (r *recorder) Write(b []byte) (int, error) {
	n, err := inChunks(r, b, r.write)
	if r.frames != nil {
		r.frames.write(b[:n])
	}
	return n, err
}

func (r *recorder) write(b []byte) (int, error) {
	r.ensureHeader()
	r.watch(int64(len(b)))
	n, err := r.ResponseWriter.Write(b)
	r.written(int64(n), err)
	return n, err
}

// WriteString implements [io.StringWriter].
func (r *recorder) WriteString(s string) (int, error) {
	r.ensureHeader()
	if r.frames != nil {
		return r.Write([]byte(s))
	}
	return inChunks(r, s, r.writeString)
}

func (r *recorder) writeString(s string) (int, error) {
	r.watch(int64(len(s)))
	n, err := io.WriteString(r.ResponseWriter, s)
	r.written(int64(n), err)
	return n, err
}

func (r *recorder) ensureHeader() {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
}

// watch is called before a write of n bytes. If the write may reach the connection, it starts a
// timer: while the write blocks, the request waits for its client.
func (r *recorder) watch(n int64) {
	if r.streams {
		r.limitWrite()
		return
	}
	if r.bytes+n <= writeBuffer {
		return
	}
	r.watching = true
	r.state.beginTransfer()
	r.slowly().timer.start(r)
}

func (r *recorder) slowly() *slowWrite {
	slow := r.slow.Load()
	if slow == nil {
		slow = &slowWrite{}
		r.slow.Store(slow)
	}
	return slow
}

// begin extends the write deadline of a response that begins after the deadline of the request:
// the handler ignored the deadline, and the client still waits.
func (r *recorder) begin() {
	x := r.state
	r.begun = time.Since(x.started)
	if r.begun > x.observer.config.RequestTimeout && x.request.ProtoMajor == 1 {
		_ = http.NewResponseController(r.ResponseWriter).SetWriteDeadline(time.Now().Add(writeGrace))
	}
}

// endWrite stops the timer of a write, also after a panic. It reports whether the write has
// blocked.
func (r *recorder) endWrite() (blocked bool) {
	if !r.watching {
		return false
	}
	r.watching = false
	if blocked = r.slow.Load().timer.stop(); blocked {
		r.state.observer.slowReaders.remove(r)
	}
	return blocked
}

// noteBlocked is called during the write.
func (r *recorder) noteBlocked() {
	blocked := r.slow.Load().timer.block(func() {
		r.state.observer.slowReaders.add(r)
		r.state.observer.transfers.add(r.state)
	})
	if blocked {
		r.releaseSlot()
	}
}

func (r *recorder) written(n int64, err error) {
	blocked := r.endWrite()
	r.bytes += n
	if err == nil || r.err != nil {
		return
	}
	r.err = err
	switch {
	case !r.missedDeadline(err):
	case blocked || r.streams || r.slowly().timer.total(time.Now()).spent >= writeGrace:
		r.state.observer.metrics.slow(semconv.SlowResponse)
	default:
		r.late = true
	}
}

// missedDeadline reports whether a write failed because of its deadline. Over HTTP/2, net/http
// resets the stream, and the error does not show the reason.
func (r *recorder) missedDeadline(err error) bool {
	x := r.state
	return errors.Is(err, os.ErrDeadlineExceeded) ||
		x.request.ProtoMajor != 1 && !r.streams && time.Since(x.started) > x.observer.config.writeTimeout()
}

// limitWrite gives each write to a stream the request timeout. Over HTTP/2, a deadline would end
// an idle stream.
func (r *recorder) limitWrite() {
	if r.state.request.ProtoMajor != 1 || r.hijacked {
		return
	}
	x := r.state
	slow, by := r.slowly(), time.Since(x.started)+x.observer.config.RequestTimeout
	if by-slow.writeBy < min(time.Second, x.observer.config.RequestTimeout/4) {
		return
	}
	slow.writeBy = by
	_ = http.NewResponseController(r.ResponseWriter).SetWriteDeadline(x.started.Add(by))
}

// liftDeadlines removes the server's deadlines from a stream.
func (r *recorder) liftDeadlines() {
	control := http.NewResponseController(r.ResponseWriter)
	_ = control.SetWriteDeadline(time.Time{})
	if r.state.body == nil {
		_ = control.SetReadDeadline(time.Time{})
		return
	}
	r.state.body.lift()
}

// truncated reports whether fewer bytes than Content-Length were written.
func (r *recorder) truncated(method string) bool {
	if r.hijacked || method == http.MethodHead || r.status == http.StatusNoContent || r.status == http.StatusNotModified {
		return false
	}
	length := first(r.Header(), "Content-Length")
	if length == "" {
		return false
	}
	announced, err := strconv.ParseInt(length, 10, 64)
	return err == nil && r.bytes < announced
}

func (r *recorder) beginStream() {
	if r.streams {
		return
	}
	r.streams = true
	r.state.lift()
	if r.state.request.Method == http.MethodHead {
		r.state.arm().cancel() // the client has its response and waits for no stream
	}
	if !r.hijacked { // net/http has removed them from a hijacked connection
		r.liftDeadlines()
	}
	r.releaseSlot()
}

// OnRelease registers f, which is called once when the response no longer depends on the service:
// it is a stream (an upgraded connection, server-sent events, a connect stream), or its client
// does not read it. For a procedure declared as a stream, f is called at once. It is for limiters
// of requests in flight. If a write blocks, f is called on another goroutine.
func (r *recorder) OnRelease(f func()) {
	r.onRelease = f
	if r.streams {
		r.releaseSlot()
	}
}

// Claim returns true for the first limiter that calls it. A request has one OnRelease.
func (r *recorder) Claim() bool {
	first := !r.claimed
	r.claimed = true
	return first
}

// Keep prevents the call of the function registered with OnRelease. It returns false if the
// function was or is being called.
func (r *recorder) Keep() bool { return r.left.CompareAndSwap(false, true) }

// releaseSlot calls the function registered with OnRelease, unless Keep prevents it.
func (r *recorder) releaseSlot() {
	if r.onRelease != nil && r.left.CompareAndSwap(false, true) {
		r.onRelease()
	}
}

// Streams reports whether the response is a stream.
func (r *recorder) Streams() bool { return r.streams }

// Begun reports whether the response has begun and cannot be replaced.
func (r *recorder) Begun() bool { return r.status != 0 }

type flushRecorder struct{ *recorder }

// Flush implements [http.Flusher].
func (r flushRecorder) Flush() {
	_ = r.FlushError()
}

// FlushError is called by [http.ResponseController].
func (r flushRecorder) FlushError() error {
	r.ensureHeader()
	r.watch(writeBuffer + 1)
	err := http.NewResponseController(r.ResponseWriter).Flush()
	r.written(0, err)
	return err
}

type http2Recorder struct{ flushRecorder }

// SetReadDeadline is called by [http.ResponseController].
func (r http2Recorder) SetReadDeadline(by time.Time) error { return r.state.body.setDeadline(by) }

// Push implements [http.Pusher].
func (r http2Recorder) Push(target string, opts *http.PushOptions) error {
	return r.ResponseWriter.(http.Pusher).Push(target, opts)
}

type http1Recorder struct{ flushRecorder }

// Hijack implements [http.Hijacker].
func (r http1Recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := r.ResponseWriter.(http.Hijacker).Hijack()
	if err == nil {
		r.hijacked = true
		if r.status == 0 {
			r.status = http.StatusSwitchingProtocols
		}
		r.beginStream()
	}
	return conn, buf, err
}

// SetReadDeadline is called by [http.ResponseController].
func (r http1Recorder) SetReadDeadline(by time.Time) error { return r.state.body.setDeadline(by) }

// ReadFrom implements [io.ReaderFrom], so that the kernel can copy files.
func (r http1Recorder) ReadFrom(src io.Reader) (int64, error) {
	r.ensureHeader()
	if r.frames != nil || !isFile(src) { // timed by write, without the time of src
		return io.Copy(struct{ io.Writer }{r.recorder}, src)
	}
	return r.readFile(src)
}

// EnableFullDuplex is called by [http.ResponseController].
func (r http1Recorder) EnableFullDuplex() error {
	r.duplex = true
	return http.NewResponseController(r.ResponseWriter).EnableFullDuplex()
}

// Media types of streams.
const (
	eventStream   = "text/event-stream"
	connectStream = "application/connect+"
)
