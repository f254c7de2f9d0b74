package overload

import (
	"net/http"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// longestTimeout is the longest time a caller can ask for; the server's own
// timeout is far below. It keeps arithmetic on hostile values away from overflow.
const longestTimeout = 24 * time.Hour

// Timeout is how long the caller waits, by its headers: the shortest that is
// well-formed of [semconv.HeaderGRPCTimeout], [semconv.HeaderConnectTimeout] and
// [semconv.HeaderTimeout]. Anything else, and zero, which Envoy writes for "for
// ever", is no timeout. Nothing has to be trusted: a caller can only shorten the
// time that it gets.
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

// single returns a header that was sent once: two different deadlines are none.
func single(h http.Header, canonical string) (string, bool) {
	values := h[canonical]
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// milliseconds reads up to ten digits, which is what Connect allows.
func milliseconds(text string) (time.Duration, bool) {
	n, ok := digits(text, 10)
	return capped(n, time.Millisecond), ok
}

// parseGRPC reads up to eight digits and a unit, as gRPC's protocol has it.
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

// digits reads a whole number of at most that many ASCII digits: strconv would
// also take a sign, and allocate for what is wrong.
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
