package telemetry_test

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/runtime/telemetry"
)

// brokenWriter is a connection that accepts nothing.
type brokenWriter struct {
	http.ResponseWriter

	err error
}

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestAScraperThatLeavesIsNoError(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err    error
		logged bool
	}{
		"it closed the connection":        {&net.OpError{Op: "write", Net: "tcp", Err: errors.New("broken pipe")}, false},
		"a collector reaches no database": {&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}, true},
		"anything else":                   {errors.New("a value is not valid"), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: &out})
			if err != nil {
				t.Fatal(err)
			}
			tel.Handler().ServeHTTP(brokenWriter{httptest.NewRecorder(), tc.err}, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
			if logged := strings.Contains(out.String(), "was left out of the scrape"); logged != tc.logged {
				t.Errorf("the log is %q", out.String())
			}
		})
	}
}
