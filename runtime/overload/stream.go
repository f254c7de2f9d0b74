package overload

import (
	"bufio"
	"net"
	"net/http"
	"strings"
)

// place is the permit of one request, until a stream gives it back early.
type place struct {
	permit Permit
	left   bool
}

func (p *place) leave() {
	if !p.left {
		p.left = true
		p.permit.Forget()
	}
}

func (p *place) giveBack(late bool) {
	if !p.left {
		p.permit.Release(late)
	}
}

// watched gives the place back when a stream begins. Whoever only asks for one,
// and gets an ordinary answer, keeps it: a header must not lead past the limit.
func watched(w http.ResponseWriter, p *place) http.ResponseWriter {
	s := &streamWriter{ResponseWriter: w, place: p}
	if _, hijacks := w.(http.Hijacker); hijacks {
		return hijackWriter{s}
	}
	return s
}

type streamWriter struct {
	http.ResponseWriter

	place *place
}

// WriteHeader implements [http.ResponseWriter].
func (s *streamWriter) WriteHeader(status int) {
	if status == http.StatusSwitchingProtocols || status >= http.StatusOK && lasts(s.Header().Get("Content-Type")) {
		s.place.leave()
	}
	s.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (s *streamWriter) Write(b []byte) (int, error) {
	if lasts(s.Header().Get("Content-Type")) {
		s.place.leave()
	}
	return s.ResponseWriter.Write(b)
}

// Flush implements [http.Flusher].
func (s *streamWriter) Flush() {
	if lasts(s.Header().Get("Content-Type")) {
		s.place.leave()
	}
	_ = http.NewResponseController(s.ResponseWriter).Flush() // a writer that does not flush has nothing to do
}

// Unwrap is what [http.ResponseController] asks for.
func (s *streamWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// lasts says whether an answer of this type is a stream.
func lasts(contentType string) bool {
	return strings.HasPrefix(contentType, "text/event-stream") || strings.HasPrefix(contentType, "application/connect+")
}

type hijackWriter struct{ *streamWriter }

// Hijack implements [http.Hijacker].
func (h hijackWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := h.ResponseWriter.(http.Hijacker).Hijack()
	if err == nil {
		h.place.leave()
	}
	return conn, buf, err
}
