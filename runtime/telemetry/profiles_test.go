package telemetry

import (
	"bytes"
	"testing"

	"github.com/grafana/pyroscope-go/upstream"
	"github.com/grafana/pyroscope-go/upstream/remote"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// The profiler itself tells when its queue is full, and only in words; this holds
// our reading of them against the version that is linked.
func TestProfilesThatFindNoPlaceAreCounted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel, err := New(Options{Service: "orders", Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	log := profilerLog{tel.logger, tel.dropper(semconv.SignalProfiles)}
	queue, err := remote.NewRemote(remote.Config{Address: "http://127.0.0.1:9", Threads: 1, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	const room, uploads = 20, 50 // the queue's, and nobody takes from it
	for range uploads {
		queue.Upload(&upstream.UploadJob{})
	}
	if got := testutil.ToFloat64(tel.dropped[semconv.SignalProfiles][semconv.DropQueueFull]); got != uploads-room {
		t.Errorf("%v profiles count as dropped, want %d", got, uploads-room)
	}
	log.Errorf("upload profile: %s", "refused")
	if got := testutil.ToFloat64(tel.dropped[semconv.SignalProfiles][semconv.DropQueueFull]); got != uploads-room {
		t.Errorf("another error of the profiler counts as a full queue: %v", got)
	}
}
