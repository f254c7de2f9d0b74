// Package storetest opens a new database for each test of a store, with the service's migrations
// and a real connection pool, on a temporary server that the tests of the binary share.
//
//	func open(t *testing.T) order.Store {
//		return store.New(storetest.Open(t, migrations.FS))
//	}
package storetest

import (
	"context"
	"io"
	"io/fs"
	"testing"

	"github.com/observability-first/scaffold/runtime/postgres"
	"github.com/observability-first/scaffold/runtime/postgres/postgrestest"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// Open returns a database with the migrations applied. It is dropped after the test. Without
// PostgreSQL server binaries, the test is skipped, or fails if the environment variable CI is
// set.
func Open(tb testing.TB, migrations fs.FS) *postgres.DB {
	tb.Helper()
	url := postgrestest.Database(tb)
	tel, err := telemetry.New(telemetry.Options{Service: "storetest", Stdout: io.Discard})
	if err != nil {
		tb.Fatal(err)
	}
	h := &host{telemetry: tel}
	db, err := postgres.New(h, postgres.Config{URL: postgres.URL(url), Migrate: true}, migrations)
	if err != nil {
		tb.Fatal(err)
	}
	for _, start := range h.starts {
		if err := start(tb.Context()); err != nil {
			tb.Fatal(err)
		}
	}
	tb.Cleanup(func() {
		for _, stop := range h.stops {
			if err := stop(context.WithoutCancel(tb.Context())); err != nil {
				tb.Errorf("close the database: %v", err)
			}
		}
	})
	return db
}

type host struct {
	telemetry     *telemetry.Telemetry
	starts, stops []func(context.Context) error
}

// Telemetry implements [postgres.Host].
func (h *host) Telemetry() *telemetry.Telemetry { return h.telemetry }

// OnStart implements [postgres.Host].
func (h *host) OnStart(_ string, start func(context.Context) error) {
	h.starts = append(h.starts, start)
}

// OnStop implements [postgres.Host].
func (h *host) OnStop(_ string, stop func(context.Context) error) { h.stops = append(h.stops, stop) }

// Waiting implements [postgres.Host]; a test has no probes.
func (*host) Waiting(string, error)                     {}
func (*host) Check(string, func(context.Context) error) {}

// Command implements [postgres.Host]; a test has no commands.
func (*host) Command(_, _ string, _ func(context.Context) error) {}
