package httpserver

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

const (
	// maxHeaderBytes bounds the header of a request: 16 KiB over HTTP/1, as in Node.js,
	// of which net/http adds 4 KiB (initialReadLimitSize). Over HTTP/2 a field counts 32 bytes
	// more (RFC 9113, 6.5.2).
	maxHeaderBytes = 12 << 10
	// maxFields bounds the fields of a header. Each one costs some 100 bytes of memory beside
	// its own. Apache and Envoy allow 100.
	maxFields = 128
)

// http2Preface begins a connection of HTTP/2 (RFC 9113, 3.4).
const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// tooManyFields is the response where nothing has been parsed, in the form of net/http's.
const tooManyFields = "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" +
	"431 Request Header Fields Too Large"

// fieldCount counts the fields of a header of HTTP/1 while it arrives, because net/http parses
// as many as fit and keeps them in memory until the request ends.
type fieldCount struct {
	preface int  // bytes of http2Preface that have arrived
	http2   bool // all of them have
	header  bool // a header is read, or its first byte awaited
	lines   int  // of the header
	line    line // so far
}

// line is what a line has so far.
type line int

const (
	unclear line = iota // net/http may have its beginning in a buffer
	empty
	onlyCR
	text
)

// with returns the line with more bytes.
func (l line) with(p []byte) line {
	switch {
	case len(p) == 0:
		return l
	case l == empty && string(p) == "\r":
		return onlyCR
	}
	return text
}

// begin notes that the next header begins.
func (c *fieldCount) begin() {
	if !c.http2 {
		c.header, c.lines, c.line = true, 0, unclear
	}
}

// end notes that net/http has read a header.
func (c *fieldCount) end() {
	if !c.http2 {
		c.header = false
	}
}

// add counts what arrived, and reports whether there are too many fields. What follows the
// blank line at the end of a header is no field.
func (c *fieldCount) add(p []byte) (tooMany bool) {
	if !c.header || c.isPreface(p) {
		return false
	}
	for len(p) > 0 {
		more, rest, complete := bytes.Cut(p, []byte("\n"))
		c.line = c.line.with(more)
		if !complete {
			return false
		}
		if c.line == empty || c.line == onlyCR {
			c.header = false
			return false
		}
		c.lines++
		if c.lines > maxFields+1 { // the first is no field
			return true
		}
		p, c.line = rest, empty
	}
	return false
}

// isPreface reports whether p goes on with the preface of HTTP/2. net/http reads it in two
// parts before it reads anything else.
func (c *fieldCount) isPreface(p []byte) bool {
	end := c.preface + len(p)
	if c.preface < 0 || end > len(http2Preface) || http2Preface[c.preface:end] != string(p) {
		c.preface = -1
		return false
	}
	c.preface = end
	c.http2 = end == len(http2Preface)
	if c.http2 {
		c.header = false
	}
	return true
}

// Read implements [io.Reader].
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if c.fields.header && c.fields.add(p[:n]) {
		c.rejectFields()
		return 0, io.EOF // net/http closes the connection
	}
	return n, err
}

// rejectFields responds, and reads on for a moment: the connection is reset if it closes
// while something is unread, and the client may lose the response.
func (c *connection) rejectFields() {
	_ = c.SetDeadline(time.Now().Add(lingering))
	_, _ = io.WriteString(c.TCPConn, tooManyFields)
	_ = c.CloseWrite()
	_, _ = io.Copy(io.Discard, c.TCPConn)
}

// rejectFields is the handler for requests with too many fields: those of HTTP/2 have been
// parsed, and end at once.
func rejectFields(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusRequestHeaderFieldsTooLarge)
}
