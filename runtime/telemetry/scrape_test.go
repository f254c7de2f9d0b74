package telemetry_test

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/observability-first/scaffold/runtime/telemetry"
)

type brokenWriter struct {
	http.ResponseWriter

	err error
}

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

// lostDatabase is a collector whose database becomes unavailable.
type lostDatabase struct {
	desc *prometheus.Desc
	lost atomic.Bool
}

func (c *lostDatabase) Describe(to chan<- *prometheus.Desc) { to <- c.desc }

func (c *lostDatabase) Collect(to chan<- prometheus.Metric) {
	if c.lost.Load() {
		to <- prometheus.NewInvalidMetric(c.desc, brokenPipe())
		return
	}
	to <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, 1)
}

func brokenPipe() error {
	return &net.OpError{Op: "write", Net: "tcp", Err: errors.New("broken pipe")}
}

func TestDisconnectedScraperIsNoError(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		writes error
		lost   bool
		logged bool
	}{
		"the scraper closed the connection": {brokenPipe(), false, false},
		"it accepts nothing":                {errors.New("no space left on device"), false, true},
		"a collector lost its database":     {nil, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			tel, err := telemetry.New(telemetry.Options{Service: "orders", Stdout: &out})
			if err != nil {
				t.Fatal(err)
			}
			database := &lostDatabase{desc: prometheus.NewDesc("queue_jobs", "Jobs in the queue.", nil, nil)}
			if err := tel.Metrics().Register(database); err != nil {
				t.Fatal(err)
			}
			database.lost.Store(tc.lost)
			var w http.ResponseWriter = httptest.NewRecorder()
			if tc.writes != nil {
				w = brokenWriter{w, tc.writes}
			}
			tel.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
			if logged := strings.Contains(out.String(), "omitted from the scrape"); logged != tc.logged {
				t.Errorf("the log is %q", out.String())
			}
		})
	}
}
