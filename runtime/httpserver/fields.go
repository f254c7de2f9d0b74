package httpserver

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

const (
	// maxHeader is the maximum size of a header in bytes: request line and fields as in HTTP/1.
	// It is the default of Node.js.
	maxHeader = 16 << 10
	// maxFields is the maximum number of fields in a header. Each field takes about 100 bytes of
	// memory in addition to its text. Apache and Envoy allow 100.
	maxFields = 128
	// maxHeaderOfNetHTTP is the limit of net/http. Over HTTP/2, a larger field closes the
	// connection, and with it the requests of all clients behind the same proxy. So the limit
	// must exceed the 60 KiB that Envoy allows for a header.
	maxHeaderOfNetHTTP = 64 << 10
	// headerLogInterval is the minimum time between two log lines about headers.
	headerLogInterval = time.Minute
)

// http2Preface begins an HTTP/2 connection (RFC 9113, section 3.4).
const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// headerTooLarge is the response before anything is parsed, in the form of net/http's.
var headerTooLarge = fmt.Sprintf("HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"+
	"431 Request Header Fields Too Large: at most %d bytes and %d fields", maxHeader, maxFields)

// arrival counts the bytes and lines of an HTTP/1 header as they arrive. Without it, net/http
// would buffer up to maxHeaderOfNetHTTP.
type arrival struct {
	preface      int  // bytes of http2Preface that have arrived; -1 if the connection began with other bytes
	header       bool // the next byte belongs to a header
	bytes, lines int  // of the header
}

func (a *arrival) http2() bool { return a.preface == len(http2Preface) }

func (a *arrival) begin() {
	if !a.http2() {
		a.header, a.bytes, a.lines = true, 0, 0
	}
}

// end is called when net/http has read a header.
func (a *arrival) end() {
	if !a.http2() {
		a.header = false
	}
}

// add counts received bytes. They may extend beyond the end of the header: only net/http parses
// it, and calls end.
func (a *arrival) add(p []byte) {
	if a.preface >= 0 && !a.http2() {
		a.addPreface(p)
	}
	a.bytes += len(p)
	a.lines += bytes.Count(p, []byte("\n"))
}

func (a *arrival) addPreface(p []byte) {
	rest := http2Preface[a.preface:]
	n := min(len(p), len(rest))
	if rest[:n] != string(p[:n]) {
		a.preface = -1
		return
	}
	a.preface += n
	a.header = !a.http2()
}

// tooLarge reports whether the incomplete header is already too large. The request line and the
// empty last line are not fields.
func (a *arrival) tooLarge() bool {
	return a.header && (a.bytes >= maxHeader+len("\r\n") || a.lines > 1+maxFields)
}

// Read implements [io.Reader].
func (c *connection) Read(p []byte) (int, error) {
	if c.arrival.tooLarge() {
		c.rejectHeader()
		return 0, io.EOF // makes net/http close the connection
	}
	n, err := c.TCPConn.Read(p)
	if c.arrival.header {
		c.arrival.add(p[:n])
	}
	return n, err
}

// rejectHeader responds and reads on for a moment. Closing a connection with unread bytes resets
// it, and the client may lose the response.
func (c *connection) rejectHeader() {
	c.listener.rejected(semconv.MethodOther, c.RemoteAddr().String())
	_ = c.SetDeadline(time.Now().Add(lingering))
	_, _ = io.WriteString(c.TCPConn, headerTooLarge)
	_ = c.CloseWrite()
	_, _ = io.Copy(io.Discard, c.TCPConn)
}

// reject responds with a status and no body, and frees the header first. It is called before any
// state for the request exists. Without a body, a client that reads slowly cannot delay the
// response.
func reject(w http.ResponseWriter, r *http.Request, status int) {
	// net/http keeps the request until the response is written. That may take as long as the
	// garbage collector needs to free the headers of other requests.
	r.Method, r.Header, r.Host, r.RequestURI, *r.URL = methodLabel(r.Method), nil, "", "", url.URL{}
	if r.ProtoMajor == 1 { // do not wait for the body
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(lingering))
	}
	w.WriteHeader(status)
}

// countRejected counts and logs a header that is too large. It logs once per headerLogInterval
// instead of one access line per request, so that an attack does not flood the log.
func (o *Observer) countRejected(method, addr string) {
	o.metrics.requests.WithLabelValues(method, semconv.RouteUnmatched, semconv.OutcomeClientError).Inc()
	if o.headers.take(time.Now(), headerLogInterval) {
		o.log.Warn("request header too large, rejected with 431", "max_bytes", maxHeader, "max_fields", maxFields, keyPeer, host(addr))
	}
}

// isTooLarge reports whether the header of a request has too many bytes or fields.
func isTooLarge(r *http.Request) bool {
	const line, field = len("  HTTP/1.1\r\n"), len(": \r\n")
	size, fields := len(r.Method)+len(r.RequestURI)+line, 0
	count := func(name, value string) {
		size += len(name) + len(value) + field
		fields++
	}
	if r.Host != "" {
		count("Host", r.Host) // net/http removes it from Header
	}
	for name, values := range r.Header {
		for _, value := range values {
			count(name, value)
		}
	}
	return size > maxHeader || fields > maxFields
}
