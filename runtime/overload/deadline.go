package overload

import (
	"net/http"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// longestTimeout caps the timeout of a client, so that arithmetic does not overflow. The server's
// own timeout is far below.
const longestTimeout = 24 * time.Hour

// Timeout returns the timeout that the client sent: the shortest valid one of
// [semconv.HeaderGRPCTimeout], [semconv.HeaderConnectTimeout] and [semconv.HeaderTimeout]. Zero,
// which Envoy sends for no timeout, and invalid values are ignored. A client can only shorten the
// time that it gets, so the headers need no trust.
func Timeout(h http.Header) (time.Duration, bool) {
	shortest := time.Duration(0)
	consider := func(d time.Duration, ok bool) {
		if ok && d > 0 && (shortest == 0 || d < shortest) {
			shortest = d
		}
	}
	if text, ok := single(h, semconv.HeaderTimeout); ok {
		consider(milliseconds(text))
	}
	if text, ok := single(h, semconv.HeaderGRPCTimeout); ok {
		consider(parseGRPC(text))
	}
	if text, ok := single(h, semconv.HeaderConnectTimeout); ok {
		consider(milliseconds(text))
	}
	return shortest, shortest > 0
}

// single returns a header that was sent once. A header with several values is ignored.
func single(h http.Header, canonical string) (string, bool) {
	values := h[canonical]
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// milliseconds parses up to ten digits, the limit of Connect.
func milliseconds(text string) (time.Duration, bool) {
	n, ok := digits(text, 10)
	return capped(n, time.Millisecond), ok
}

// parseGRPC parses up to eight digits and a unit, as in gRPC.
func parseGRPC(text string) (time.Duration, bool) {
	if text == "" {
		return 0, false
	}
	last := len(text) - 1
	n, ok := digits(text[:last], 8)
	var unit time.Duration
	switch text[last] {
	case 'H':
		unit = time.Hour
	case 'M':
		unit = time.Minute
	case 'S':
		unit = time.Second
	case 'm':
		unit = time.Millisecond
	case 'u':
		unit = time.Microsecond
	case 'n':
		unit = time.Nanosecond
	default:
		return 0, false
	}
	return capped(n, unit), ok
}

// digits parses a whole number of at most that many ASCII digits. strconv would also accept a
// sign, and allocate an error.
func digits(text string, most int) (int64, bool) {
	if text == "" || len(text) > most {
		return 0, false
	}
	n := int64(0)
	for i := range len(text) {
		c := text[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

func capped(n int64, unit time.Duration) time.Duration {
	if n > int64(longestTimeout/unit) {
		return longestTimeout
	}
	return time.Duration(n) * unit
}
