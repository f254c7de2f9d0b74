package httpserver_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	goruntime "runtime"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// maxHeader is the server's limit.
const maxHeader = 16 << 10

// Limits of the cost of a 16 KiB header. Baggage is the most expensive: up to 180 members are
// parsed, with two or three allocations each.
const (
	hostileAllocs = 1_000
	hostileBytes  = 64 << 10
)

// No header value causes a panic, is echoed, or is accepted out of range.
func FuzzHeaders(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "vendor=1", "user=ada", "call-7")
	f.Add("ff-00-00-00", strings.Repeat("a=b,", 40), "k=%zz;p=1,=,;", "evil\r\nid")
	f.Add("", "=", strings.Repeat("k=v,", 3000), strings.Repeat("a", 65))
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff", "", "", "\xff")
	var inside *http.Request
	p := newPass(f, telemetry.Sampling{Ratio: 0.5}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inside = r }))
	f.Fuzz(func(t *testing.T, traceparent, tracestate, bag, id string) {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.Header["Traceparent"] = []string{traceparent}
		r.Header["Tracestate"] = []string{tracestate}
		r.Header["Baggage"] = []string{bag}
		r.Header["X-Request-Id"] = []string{id}
		rec := p.serve(r)
		sc := trace.SpanContextFromContext(inside.Context())
		if !sc.IsValid() || sc.IsRemote() || sc.TraceFlags()&^(trace.FlagsSampled|trace.FlagsRandom) != 0 {
			t.Errorf("the span is %+v", sc)
		}
		got := httpserver.RequestID(inside.Context())
		if got != rec.Header().Get("X-Request-Id") || got == "" || len(got) > 64 || strings.ContainsFunc(got, func(c rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", c)
		}) {
			t.Errorf("the request id is %q", got)
		}
		if b := baggage.FromContext(inside.Context()); len(b.String()) > 3*(8<<10) || b.Len() > 180 {
			t.Errorf("%d members of baggage in %d bytes are accepted", b.Len(), len(b.String()))
		}
		if n := len(sc.TraceState().String()); n > 8<<10 || sc.TraceState().Len() > 32 {
			t.Errorf("a tracestate of %d bytes is accepted", n)
		}
	})
}

// The largest allowed header causes few allocations.
func TestLargeHeadersAreCheap(t *testing.T) {
	fill := func(part string) string { return strings.Repeat(part, maxHeader/len(part)) }
	members := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < maxHeader-32; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	parent := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for name, header := range map[string][]string{
		"traceparent":             {"traceparent", fill("0")},
		"a later traceparent":     {"traceparent", "01-" + fill("00-")},
		"tracestate":              {"traceparent", parent, "tracestate", members("k%d=v,")},
		"tracestate of 8 KiB":     {"traceparent", parent, "tracestate", members("k%d=v,")[:8<<10]},
		"baggage in two headers":  {"baggage", members("k%d=v,")[:8<<10-4], "baggage", "a=b"},
		"baggage":                 {"baggage", members("k%d=v,")},
		"baggage of 8 KiB":        {"baggage", members("k%d=v,")[:8<<10]},
		"baggage that is broken":  {"baggage", fill("=;,")[:8<<10]},
		"baggage of 180 members":  {"baggage", strings.TrimSuffix(strings.Repeat("k=v,", 180), ",")},
		"broken, of 180 members":  {"baggage", strings.Repeat("=,", 179)},
		"baggage with properties": {"baggage", "k=v" + fill(";p=1")[:8100]},
		"baggage that is escaped": {"baggage", "k=" + fill("%41")[:8100]},
		"request id":              {"x-request-id", fill("a")},
		"user agent":              {"user-agent", fill("a")},
		"accept":                  {"accept", fill("text/html,")},
		"an upgrade":              {"upgrade", fill("a")},
		"a header of connect's":   {"content-type", "application/connect+" + fill("a")},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPass(t, telemetry.Sampling{Ratio: 1}, http.HandlerFunc(silent))
			r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
			for i := 0; i+1 < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			serve := func() { p.handler.ServeHTTP(httptest.NewRecorder(), r) }
			const runs = 20
			allocs := testing.AllocsPerRun(runs, serve)
			bytes := bytesPerRun(runs, serve)
			t.Logf("%v allocations, %v bytes", allocs, bytes)
			if allocs > hostileAllocs || bytes > hostileBytes {
				t.Errorf("the request costs %v allocations and %v bytes, want at most %d and %d", allocs, bytes, hostileAllocs, hostileBytes)
			}
		})
	}
}

func bytesPerRun(runs int, f func()) uint64 {
	var before, after goruntime.MemStats
	goruntime.ReadMemStats(&before)
	for range runs {
		f()
	}
	goruntime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / uint64(runs)
}
