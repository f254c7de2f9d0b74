package runtime_test

import (
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// Bounds of a comparison. What waits for an exporter waits a second at least, and
// what a loaded machine adds it adds to both sides, since they are asked in turns.
const (
	patientMore  = 250 * time.Millisecond // of the slowest in a hundred
	patientAsked = 200                    // requests to each side
	patientTries = 3                      // before a machine's bad moment counts
)

// The slowest request in a hundred is no slower with a backend that is broken
// than with one that is well, asked in the same moments.
func TestNoRequestIsSlowerForABrokenBackend(t *testing.T) {
	t.Parallel()
	well := startSending(t, answering(faulty{}))
	for name, f := range faults() {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // one comparison at a time
			broken := startSending(t, f.open)
			var healthy, hurting time.Duration
			for range patientTries {
				healthy, hurting = slowest(t, well.URL, broken.URL)
				t.Logf("p99 %s with a backend that is well, %s with this one", healthy, hurting)
				if hurting <= healthy+patientMore {
					break
				}
			}
			if hurting > healthy+patientMore {
				t.Errorf("p99 is %s with a backend that is well and %s with this one, in %d tries", healthy, hurting, patientTries)
			}
			if status := broken.Stop(); status != 0 {
				t.Errorf("status %d: %s", status, broken.Stderr())
			}
		})
	}
}

// startSending starts a service that sends all signals, as often as it can, to
// backends of that kind.
func startSending(t *testing.T, open func(*testing.T, string) (string, func() int)) *servicetest.Service {
	t.Helper()
	collector, _ := open(t, "http/protobuf")
	profiles, _ := open(t, "http/protobuf")
	return servicetest.Start(t, info, runtime.Defaults{}, simple,
		"OTEL_EXPORTER_OTLP_ENDPOINT="+collector, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "PYROSCOPE_SERVER_ADDRESS="+profiles,
		"PYROSCOPE_UPLOAD_INTERVAL=1s", "METRICS_PUSH_INTERVAL=1s", "OTEL_METRICS_EXPORTER=otlp", "OTEL_LOGS_EXPORTER=otlp",
		"OTEL_TRACES_SAMPLER=always_on", "STOP_TIMEOUT=1s")
}

// slowest asks both in turns and returns the time that one request in a hundred
// exceeds at each.
func slowest(t *testing.T, one, other string) (p99, otherP99 time.Duration) {
	t.Helper()
	client := &http.Client{Timeout: hurtRequest, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	var times [2][]time.Duration
	for range patientAsked {
		for i, url := range []string{one, other} {
			began := time.Now()
			res, err := client.Get(url + "/orders")
			if err != nil {
				t.Fatalf("a request failed: %v", err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			times[i] = append(times[i], time.Since(began))
		}
	}
	const rank = patientAsked * 99 / 100
	slices.Sort(times[0])
	slices.Sort(times[1])
	return times[0][rank], times[1][rank]
}
