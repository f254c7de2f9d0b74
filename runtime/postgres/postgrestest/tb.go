package postgrestest

import (
	"context"
	"errors"
	"os"
	"sync"
)

// TB is the required part of testing.TB, so that programs that call [Serve] do not get the flags
// of package testing.
type TB interface {
	Helper()
	Name() string
	Context() context.Context
	Cleanup(func())
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

// shared is the server of [Database]. It is package state because package testing has no other
// place for what all tests of a binary share: each server costs a second, half a CPU and 40 MB.
// Its watcher closes it when the process has ended.
var shared = sync.OnceValues(func() (*Server, error) { return New(context.Background()) })

// Database returns the URL of a new, empty database for a test. All tests of a binary share one
// server, which the first call starts and which stops with the process. Use [Start] for a test
// that stops or pauses its server. Without server binaries, Database behaves like Start.
func Database(tb TB) string {
	tb.Helper()
	s, err := shared()
	if err != nil {
		decline(tb, err, os.Getenv("CI") != "")
		return ""
	}
	return s.Database(tb)
}

// Start starts a server that stops with the test. Without server binaries it skips the test with
// the command that installs them. In CI, where the environment variable CI is set, it fails the
// test instead: a missing dependency must not look like success.
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
		tb.Skipf("%s skipped: %v", tb.Name(), err)
		return
	}
	tb.Fatalf("%s: %v", tb.Name(), err)
}

// Database returns the URL of a new database for a test: empty, or a copy of the template of
// [Server.Template]. It is dropped after the test, unless the server is stopped.
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
		// The test's own context has ended.
		if err := s.exec(context.WithoutCancel(tb.Context()), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			tb.Fatalf("%s: drop database %s: %v", tb.Name(), name, err)
		}
	})
	return s.url(name)
}
