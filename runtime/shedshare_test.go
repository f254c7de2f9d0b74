//go:build unix && !race

package runtime

import (
	"context"
	"encoding/json"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/postgres"
	"github.com/observability-first/scaffold/runtime/postgres/postgrestest"
)

// oneRow answers with a row of the database, read by its key: the least that a
// service with a database does.
func oneRow(db *postgres.DB) http.HandlerFunc {
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

// withDatabase gives the service a database that holds one user.
func withDatabase(t *testing.T, s *Service) *postgres.DB {
	t.Helper()
	db, err := postgres.New(s, postgres.Config{URL: postgres.URL(postgrestest.Start(t).Database(t))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range s.starts {
		if err := h.run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, h := range s.stops {
			if err := h.run(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		}
	})
	for _, statement := range []string{
		"CREATE TABLE users (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL)",
		"INSERT INTO users VALUES ('7', 'Ada', 'ada@example.com')",
	} {
		if _, err := db.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// Beside an answer that reads one row of a database, a refusal costs a fifth at
// the most, through the whole service: of the processor time of this process, in
// which the database's does not count, and of the allocations. Of the bytes it is
// a third, because the exchange and its request, 640 bytes, are the same for both.
func TestAllocationsOfARefusalAreAFifthOfThoseOfARow(t *testing.T) { //nolint:paralleltest // counts allocations
	open, _ := wholeService(t, map[string]string{})
	served := spentOn(t, behind(t, open, oneRow(withDatabase(t, open))), http.StatusOK)
	s, closed := wholeService(t, onePlace())
	full(t, s.limiter, s)
	shed := spentOn(t, closed, http.StatusServiceUnavailable)
	t.Logf("served: %+v; shed: %+v; shares: %.3f of the allocations, %.3f of the bytes, %.3f of the processor time", served, shed,
		shed.allocs/served.allocs, shed.bytes/served.bytes, shed.processor/served.processor)
	if shed.processor > served.processor/5 || shed.allocs > served.allocs/5 || shed.bytes > served.bytes/3 {
		t.Error("a refusal costs more than a fifth of an answer")
	}
}

// spending is what one request takes on average.
type spending struct{ allocs, bytes, processor float64 } // processor in microseconds

func spentOn(t *testing.T, h http.Handler, want int) spending {
	t.Helper()
	n := 0
	counting := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n++; h.ServeHTTP(w, r) })
	before := processorTime(t)
	result := costOf(t, counting, want)
	spent := processorTime(t) - before
	return spending{float64(result.AllocsPerOp()), float64(result.AllocedBytesPerOp()), float64(spent.Microseconds()) / float64(n)}
}

// processorTime is what this process has used, for itself and in the kernel.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
