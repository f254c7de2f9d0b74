package overload

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
)

// response is a writer that reports what is written.
type response interface {
	// OnRelease registers f, which is called once when the response no longer depends on the
	// service: it is a stream, or its client does not read it.
	OnRelease(f func())
	// Keep prevents that call. It returns false if the call was or is being made.
	Keep() bool
	// Claim returns false if another limiter already uses this writer.
	Claim() bool
	Streams() bool // reports whether the response is a stream
	Begun() bool   // reports whether the header was written
}

// watched returns the writer if it implements response, else a watcher around it.
func watched(w http.ResponseWriter) (http.ResponseWriter, response) {
	if a, ok := w.(response); ok && a.Claim() {
		return w, a
	}
	a := &watcher{ResponseWriter: w}
	return a.as(), a
}

// watcher records whether a response has begun and whether it is a stream. The response decides
// and not the request: a request header must not bypass the limit.
type watcher struct {
	http.ResponseWriter

	begun     bool
	streams   bool
	onRelease func()
}

// OnRelease implements [response].
func (w *watcher) OnRelease(f func()) { w.onRelease = f }

// Claim implements [response].
func (*watcher) Claim() bool { return false }

// Keep implements [response].
func (w *watcher) Keep() bool { return !w.streams }

// Streams implements [response].
func (w *watcher) Streams() bool { return w.streams }

// Begun implements [response].
func (w *watcher) Begun() bool { return w.begun }

// as returns the watcher with the optional interfaces of the wrapped writer.
func (w *watcher) as() http.ResponseWriter {
	_, flushes := w.ResponseWriter.(http.Flusher)
	_, hijacks := w.ResponseWriter.(http.Hijacker)
	_, reads := w.ResponseWriter.(io.ReaderFrom)
	_, pushes := w.ResponseWriter.(http.Pusher)
	switch {
	case flushes && hijacks && reads:
		return http1Watcher{flushWatcher{w}}
	case flushes && pushes:
		return http2Watcher{flushWatcher{w}}
	case flushes:
		return flushWatcher{w}
	}
	return w
}

func (w *watcher) begin(status int) {
	if status < http.StatusOK && status != http.StatusSwitchingProtocols {
		return // an informational response
	}
	if w.begun {
		return
	}
	w.begun = true
	w.streams = status == http.StatusSwitchingProtocols || lasts(w.Header().Get("Content-Type"))
	if w.streams && w.onRelease != nil {
		w.onRelease()
	}
}

// lasts reports whether a response of this type is a stream.
func lasts(contentType string) bool {
	return strings.HasPrefix(contentType, "text/event-stream") || strings.HasPrefix(contentType, "application/connect+")
}

// Unwrap is for [http.ResponseController].
func (w *watcher) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (w *watcher) WriteHeader(status int) {
	w.begin(status)
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *watcher) Write(b []byte) (int, error) {
	w.begin(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

type flushWatcher struct{ *watcher }

// Flush implements [http.Flusher].
func (w flushWatcher) Flush() { _ = w.FlushError() }

// FlushError is called by [http.ResponseController].
func (w flushWatcher) FlushError() error {
	w.begin(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

type http1Watcher struct{ flushWatcher }

// Hijack implements [http.Hijacker].
func (w http1Watcher) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := w.ResponseWriter.(http.Hijacker).Hijack()
	if err == nil {
		w.begin(http.StatusSwitchingProtocols)
	}
	return conn, buf, err
}

// ReadFrom implements [io.ReaderFrom], so that the kernel can copy files.
func (w http1Watcher) ReadFrom(src io.Reader) (int64, error) {
	w.begin(http.StatusOK)
	return w.ResponseWriter.(io.ReaderFrom).ReadFrom(src)
}

type http2Watcher struct{ flushWatcher }

// Push implements [http.Pusher].
func (w http2Watcher) Push(target string, opts *http.PushOptions) error {
	return w.ResponseWriter.(http.Pusher).Push(target, opts)
}
