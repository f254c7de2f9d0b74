package postgrestest

import (
	"context"
	"errors"
	"os"
	"sync"
)

// TB is what is needed of testing.TB. A program that calls [Serve] should not
// get the flags of package testing with it.
type TB interface {
	Helper()
	Name() string
	Context() context.Context
	Cleanup(func())
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

// shared is the server of [Database]. It is package state because package testing has no
// other place for what all tests of a binary share: each server costs a second, half a CPU
// and 40 MB. Nothing closes it: its watcher does once the process has ended.
var shared = sync.OnceValues(func() (*Server, error) { return New(context.Background()) })

// Database returns the URL of a new, empty database for one test. All tests of a binary
// share one server, which the first call starts and which ends with the process, however
// that ends. Use [Start] for a test that stops or pauses its server. Where the machine has
// no PostgreSQL, Database does the same as Start.
func Database(tb TB) string {
	tb.Helper()
	s, err := shared()
	if err != nil {
		decline(tb, err, os.Getenv("CI") != "")
		return ""
	}
	return s.Database(tb)
}

// Start starts a server that ends with the test. Where the machine has none,
// the test is skipped, and the message names the command that installs one; in
// CI, where the variable CI is set, it fails: a missing dependency must not
// read as a pass.
func Start(tb TB) *Server {
	tb.Helper()
	s, err := New(tb.Context())
	if err != nil {
		decline(tb, err, os.Getenv("CI") != "")
		return nil
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Fatalf("%s: %v", tb.Name(), err)
		}
	})
	return s
}

func decline(tb TB, err error, ci bool) {
	tb.Helper()
	if errors.Is(err, ErrNotFound) && !ci {
		tb.Skipf("%s did not run: %v", tb.Name(), err)
		return
	}
	tb.Fatalf("%s: %v", tb.Name(), err)
}

// Database returns the URL of a new database for one test, empty or a copy of
// what [Server.Template] prepared. It is dropped with the test, unless the
// server is stopped by then.
func (s *Server) Database(tb TB) string {
	tb.Helper()
	name, err := s.create(tb.Context())
	if err != nil {
		tb.Fatalf("%s: %v", tb.Name(), err)
	}
	tb.Cleanup(func() {
		if s.running(func(*process) error { return nil }) != nil {
			return
		}
		// The test's own context has ended by now.
		if err := s.exec(context.WithoutCancel(tb.Context()), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			tb.Fatalf("%s: drop database %s: %v", tb.Name(), name, err)
		}
	})
	return s.url(name)
}
