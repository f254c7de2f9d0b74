package httpserver

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// recorder notes what goes out. It has the optional interfaces of the writer
// below it and no others: a handler that asks for a Flusher or a Hijacker gets
// the answer that the connection gives.
type recorder struct {
	http.ResponseWriter
	status   int
	bytes    int64
	err      error // the first failed write
	hijacked bool
	streams  bool    // the answer is a stream, whose length is not a latency
	onStream func()  // of who wants to know when that begins
	frames   *frames // of a procedure whose status does not tell
	exchange *exchange
}

// wrap returns the recorder in the form that fits the writer: connections of
// HTTP/1 can be hijacked and take files without copying; those of HTTP/2 cannot,
// but may push.
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

// Unwrap serves http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (r *recorder) WriteHeader(status int) {
	// 1xx are announcements; the answer is still to come. 101 is the answer.
	if r.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		r.status = status
		// An upgrade has a Connection header of its own, without which it is none.
		if status != http.StatusSwitchingProtocols && r.exchange.observer.draining.Load() {
			r.Header().Set("Connection", "close")
		}
		contentType := first(r.Header(), "Content-Type")
		if table := r.exchange.observer.table; table.procedure(r.exchange.request) != nil {
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
	r.ensureHeader()
	n, err := r.ResponseWriter.Write(b)
	if r.frames != nil {
		r.frames.write(b[:n])
	}
	r.count(int64(n), err)
	return n, err
}

// WriteString implements [io.StringWriter].
func (r *recorder) WriteString(s string) (int, error) {
	r.ensureHeader()
	if r.frames != nil {
		return r.Write([]byte(s))
	}
	n, err := io.WriteString(r.ResponseWriter, s)
	r.count(int64(n), err)
	return n, err
}

func (r *recorder) ensureHeader() {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
}

func (r *recorder) count(n int64, err error) {
	r.bytes += n
	if err != nil && r.err == nil {
		r.err = err
	}
}

// truncated says whether fewer bytes went out than Content-Length announced.
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
	r.exchange.lift()
	if r.exchange.request.Method == http.MethodHead {
		r.exchange.arm().cancel() // the client has its response, and waits for no stream
	}
	if r.onStream != nil {
		r.onStream()
	}
}

// OnStream has f called when the answer turns out to be a stream: an upgraded
// connection, server-sent events, a stream of connect; at once for a procedure that is
// declared to be one. It is for one who counts requests in flight.
func (r *recorder) OnStream(f func()) {
	if r.streams {
		f()
		return
	}
	r.onStream = f
}

// Streams says whether the answer is a stream.
func (r *recorder) Streams() bool { return r.streams }

// Begun says whether the answer is on its way, and cannot be replaced.
func (r *recorder) Begun() bool { return r.status != 0 }

type flushRecorder struct{ *recorder }

// Flush implements [http.Flusher].
func (r flushRecorder) Flush() {
	r.ensureHeader()
	r.ResponseWriter.(http.Flusher).Flush()
}

// FlushError is what http.ResponseController asks for, to learn that the caller
// is gone.
func (r flushRecorder) FlushError() error {
	r.ensureHeader()
	return http.NewResponseController(r.ResponseWriter).Flush()
}

type http2Recorder struct{ flushRecorder }

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

// ReadFrom implements [io.ReaderFrom], which lets the kernel copy files.
func (r http1Recorder) ReadFrom(src io.Reader) (int64, error) {
	r.ensureHeader()
	if r.frames != nil {
		return io.Copy(struct{ io.Writer }{r.recorder}, src)
	}
	n, err := r.ResponseWriter.(io.ReaderFrom).ReadFrom(src)
	r.count(n, err)
	return n, err
}

// Media types of answers that are streams by definition.
const (
	eventStream   = "text/event-stream"
	connectStream = "application/connect+"
)
