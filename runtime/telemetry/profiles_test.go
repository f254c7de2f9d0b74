package telemetry

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grafana/pyroscope-go/upstream"
	"github.com/grafana/pyroscope-go/upstream/remote"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// The profiler reports a full queue only in text. This test checks the text of the linked
// version.
func TestProfilesBeyondTheQueueAreCounted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel, err := New(Options{Service: "orders", Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	queue := queueOf(t, tel)
	log := profilerLog{tel, queue}
	const room, uploads = 20, 50 // the queue is not started
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

func queueOf(t *testing.T, tel *Telemetry) *uploads {
	t.Helper()
	u := &uploads{client: http.DefaultClient, drop: tel.dropper(semconv.SignalProfiles)}
	var err error
	if u.Remote, err = remote.NewRemote(remote.Config{Address: "http://127.0.0.1:9", Threads: 1, Logger: profilerLog{tel, u}, HTTPClient: u}); err != nil {
		t.Fatal(err)
	}
	return u
}

// A shutdown that runs out of time counts each remaining profile, and not again when its upload
// fails later.
func TestProfilesLeftBehindAreCounted(t *testing.T) {
	t.Parallel()
	tel, err := New(Options{Service: "orders", Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	queue := queueOf(t, tel)
	const uploads = 7
	for range uploads {
		queue.Upload(&upstream.UploadJob{})
	}
	queue.abandon()
	queue.Start() // the uploads fail now
	queue.Flush()
	queue.Stop()
	for reason, want := range map[string]float64{semconv.DropShutdown: uploads, semconv.DropExportFailed: 0} {
		if got := testutil.ToFloat64(tel.dropped[semconv.SignalProfiles][reason]); got != want {
			t.Errorf("%v profiles count as dropped for %s, want %v", got, reason, want)
		}
	}
}

// Queued profiles are delivered during a shutdown.
func TestProfilesInTheQueueArriveAtAStop(t *testing.T) {
	t.Parallel()
	var arrived atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived.Add(1) }))
	defer server.Close()
	tel, err := New(Options{Service: "orders", Stdout: io.Discard, Config: Config{PyroscopeAddress: server.URL, PyroscopeInterval: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	u := &uploads{client: http.DefaultClient, drop: tel.dropper(semconv.SignalProfiles)}
	session, err := tel.startProfiling(u)
	if err != nil {
		t.Fatal(err)
	}
	const uploads = 15
	for range uploads {
		u.Upload(&upstream.UploadJob{})
	}
	if err := u.deliver(session); err != nil {
		t.Fatal(err)
	}
	if arrived.Load() < uploads || u.onWay.Load() != 0 {
		t.Errorf("%d uploads arrived, %d are pending", arrived.Load(), u.onWay.Load())
	}
}
