package httpserver

import (
	"context"
	"net/http"
	"strings"
	"unicode"
)

// requestIDHeader has an id that a client can give to support.
const requestIDHeader = "X-Request-Id"

// maxRequestID limits what a caller can put into every log line.
const maxRequestID = 64

// setRequestID uses the caller's id if it is valid, else the trace id.
func (x *requestState) setRequestID(r *http.Request) {
	x.id[0] = first(r.Header, requestIDHeader)
	x.callersID = harmless(x.id[0])
	if !x.callersID {
		x.id[0] = x.ids.traceID.String()
	}
	x.recorder.Header()[requestIDHeader] = x.id[:]
}

func harmless(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	return !strings.ContainsFunc(id, func(c rune) bool {
		return c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("-_.", c)
	})
}

// RequestID returns the id of the request that the context belongs to, or "".
func RequestID(ctx context.Context) string {
	if x := stateOf(ctx); x != nil {
		return x.id[0]
	}
	return ""
}
