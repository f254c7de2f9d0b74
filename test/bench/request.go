package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
)

// user is the response of every stack.
type user struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

func userOf(id string) user { return user{ID: id, Name: "Ada", Email: "ada@example.com"} }

// respond is the handler of all stacks with net/http handlers.
func respond(w http.ResponseWriter, id string) {
	body, err := json.Marshal(userOf(id))
	if err != nil { // not possible for three strings
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

// unsampledParent is a traceparent header with the sampled flag unset.
const unsampledParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

func newRequest(m mode) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/users/42", http.NoBody)
	r.Header.Set("User-Agent", "bench/1")
	if m == remoteUnsampled {
		r.Header.Set("traceparent", unsampledParent)
	}
	return r
}

// sink is a response writer that keeps only the status. It has the optional interfaces
// of the net/http writer for HTTP/1, because wrappers check for them.
type sink struct {
	header http.Header
	status int
}

func newSink() *sink { return &sink{header: http.Header{}} }

func (s *sink) reset() {
	clear(s.header)
	s.status = 0
}

// Header implements [http.ResponseWriter].
func (s *sink) Header() http.Header { return s.header }

// WriteHeader implements [http.ResponseWriter].
func (s *sink) WriteHeader(status int) { s.status = status }

// Write implements [http.ResponseWriter].
func (s *sink) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	return len(b), nil
}

// WriteString implements [io.StringWriter].
func (s *sink) WriteString(text string) (int, error) { return s.Write([]byte(text)) }

// ReadFrom implements [io.ReaderFrom].
func (*sink) ReadFrom(r io.Reader) (int64, error) { return io.Copy(io.Discard, r) }

// Flush implements [http.Flusher].
func (*sink) Flush() {}

// Hijack implements [http.Hijacker].
func (*sink) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, errors.New("a sink has no connection")
}
