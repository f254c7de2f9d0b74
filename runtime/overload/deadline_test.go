package overload

import (
	"net/http"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
)

func TestTimeout(t *testing.T) {
	t.Parallel()
	const envoy, grpc, connect = semconv.HeaderTimeout, semconv.HeaderGRPCTimeout, semconv.HeaderConnectTimeout
	for _, tc := range []struct {
		name, value string
		want        time.Duration // 0 for none
	}{
		{envoy, "1", time.Millisecond}, {envoy, "0", 0}, {envoy, "", 0}, {envoy, "-5", 0}, {envoy, "+5", 0}, {envoy, "5.0", 0}, {envoy, "5ms", 0},
		{envoy, " 5", 0}, {envoy, "0x5", 0}, {envoy, "٣", 0}, {envoy, "9999999999", longestTimeout}, {envoy, "99999999999", 0},
		{grpc, "1n", time.Nanosecond}, {grpc, "2u", 2 * time.Microsecond}, {grpc, "3m", 3 * time.Millisecond}, {grpc, "4S", 4 * time.Second},
		{grpc, "5M", 5 * time.Minute}, {grpc, "6H", 6 * time.Hour}, {grpc, "99999999H", longestTimeout}, {grpc, "999999999n", 0},
		{grpc, "S", 0}, {grpc, "5", 0}, {grpc, "5s", 0}, {grpc, "-5S", 0}, {grpc, "0n", 0},
		{connect, "1500", 1500 * time.Millisecond}, {connect, "1e3", 0},
	} {
		got, ok := Timeout(http.Header{tc.name: {tc.value}})
		if got != tc.want || ok != (tc.want > 0) {
			t.Errorf("%s: %s is %s, %t; want %s", tc.name, tc.value, got, ok, tc.want)
		}
	}
	if got, ok := Timeout(http.Header{envoy: {"5", "6"}}); ok {
		t.Errorf("a repeated header is %s", got)
	}
}

// The result is none or a time in range, for any input, without an allocation.
func FuzzTimeout(f *testing.F) {
	for _, seed := range []string{"", "0", "250", "250m", "99999999H", "9999999999", "-1", "1e9", "\xff", "٣"} {
		f.Add(seed, seed, seed)
	}
	f.Fuzz(func(t *testing.T, envoy, grpc, connect string) {
		h := http.Header{semconv.HeaderTimeout: {envoy}, semconv.HeaderGRPCTimeout: {grpc}, semconv.HeaderConnectTimeout: {connect}}
		got, ok := Timeout(h)
		if ok != (got > 0) || got < 0 || got > longestTimeout {
			t.Errorf("%q %q %q: %s, %t", envoy, grpc, connect, got, ok)
		}
		if n := testing.AllocsPerRun(1, func() { Timeout(h) }); n != 0 {
			t.Errorf("%q %q %q: %g allocations", envoy, grpc, connect, n)
		}
	})
}

// Only the three texts are priorities, and a caller that is not trusted never gets a higher one.
func FuzzParsePriority(f *testing.F) {
	for _, seed := range []string{"", "critical", "default", "sheddable", "Critical", "critical,critical", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		trusted, not := ParsePriority(text, true), ParsePriority(text, false)
		if trusted.String() != text && trusted != Default {
			t.Errorf("%q is %s", text, trusted)
		}
		if not > Default || not > trusted {
			t.Errorf("%q raises an untrusted caller to %s", text, not)
		}
	})
}
