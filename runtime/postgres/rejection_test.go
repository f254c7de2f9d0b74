//go:build unix && !race

package postgres

import (
	"encoding/json"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/overload"
)

type user struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// oneRow responds with a row of the database, read by its primary key: the minimum for a service
// with a database.
func oneRow(db *DB) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var u user
		err := db.QueryRow(r.Context(), "SELECT id, name, email FROM users WHERE id = $1", chi.URLParam(r, "id")).Scan(&u.ID, &u.Name, &u.Email)
		if err != nil {
			httpserver.WriteProblem(w, r, err)
			return
		}
		body, err := json.Marshal(u)
		if err != nil {
			httpserver.WriteProblem(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}
}

// limited returns a handler with the middleware of package runtime.
func limited(t *testing.T, h *host, l *overload.Limiter, handle http.HandlerFunc) http.Handler {
	t.Helper()
	observer, err := httpserver.NewObserver(httpserver.Options{Telemetry: h.telemetry})
	if err != nil {
		t.Fatal(err)
	}
	router := httpserver.NewRouter()
	router.Get("/users/{id}", handle)
	handler, err := observer.Wrap(l.Wrap(router, func(w http.ResponseWriter, r *http.Request, err error) {
		httpserver.MarkShed(r.Context())
		w.Header().Set("Retry-After", overload.RetryAfter())
		httpserver.WriteProblem(w, r, err)
	}))
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// A rejection costs at most a fifth of a response that reads one row, in CPU time of this
// process, without the database, and in allocations. It costs a third of the bytes, because the
// request state and the request, 640 bytes, are the same for both.
func TestAllocationsOfARejectionAreAFifthOfThoseOfARow(t *testing.T) { //nolint:paralleltest // counts allocations
	g := open(t, Config{URL: database(t)})
	g.exec(t, "CREATE TABLE users (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL)")
	g.exec(t, "INSERT INTO users VALUES ('7', 'Ada', 'ada@example.com')")
	memory := 0.0
	l, err := overload.New(overload.Options{
		Config:  overload.Config{MinLimit: 1, InitialLimit: 1, MemoryShedRatio: 0.8},
		Metrics: g.host.telemetry.Metrics(), Failed: httpserver.Failed, Memory: func() float64 { return memory },
	})
	if err != nil {
		t.Fatal(err)
	}
	h := limited(t, g.host, l, oneRow(g.DB))
	served := spentOn(t, h, http.StatusOK)
	if _, err := l.Acquire(t.Context(), overload.Default); err != nil { // below the initial limit no request is rejected
		t.Fatal(err)
	}
	memory = 1
	for deadline := time.Now().Add(patience); ; { // memory is checked at intervals
		w := &sink{header: http.Header{}}
		h.ServeHTTP(w, request(t))
		if w.status == http.StatusServiceUnavailable {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no request is rejected for memory")
		}
	}
	shed := spentOn(t, h, http.StatusServiceUnavailable)
	t.Logf("served: %+v; shed: %+v; ratios: %.3f of the allocations, %.3f of the bytes, %.3f of the CPU time", served, shed,
		shed.allocs/served.allocs, shed.bytes/served.bytes, shed.cpu/served.cpu)
	if shed.cpu > served.cpu/5 || shed.allocs > served.allocs/5 || shed.bytes > served.bytes/3 {
		t.Error("a rejection costs more than a fifth of a response")
	}
}

// spending is the average cost of a request.
type spending struct{ allocs, bytes, cpu float64 } // in microseconds

// sink is a writer that stores only the status.
type sink struct {
	header http.Header
	status int
}

func (w *sink) Header() http.Header       { return w.header }
func (*sink) Write(b []byte) (int, error) { return len(b), nil }
func (w *sink) WriteHeader(status int)    { w.status = status }

func request(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/users/7", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.RemoteAddr = "192.0.2.1:1234"
	return r
}

func spentOn(t *testing.T, h http.Handler, want int) spending {
	t.Helper()
	r, w, n := request(t), &sink{header: http.Header{}}, 0
	before := cpuTime(t)
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n++
			clear(w.header)
			h.ServeHTTP(w, r)
			if w.status != want {
				b.Fatalf("status %d, want %d", w.status, want)
			}
		}
	})
	spent := cpuTime(t) - before
	return spending{float64(result.AllocsPerOp()), float64(result.AllocedBytesPerOp()), float64(spent.Microseconds()) / float64(n)}
}

// cpuTime returns the CPU time of this process, user and system.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
