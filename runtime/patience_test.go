package runtime_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/observability-first/scaffold/runtime"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/servicetest"
)

// Bounds of a comparison. What waits for an exporter waits half a second at least,
// and what a loaded machine adds it adds to all sides, since they are asked in turns.
const (
	patientMore  = 250 * time.Millisecond // of the slowest in a hundred
	patientAsked = 120                    // requests to each side, and more
	patientTries = 3                      // before a machine's bad moment counts
	// patientFor is how long a service is asked at least: profiles are uploaded once
	// a second.
	patientFor = 1200 * time.Millisecond
	// patientBurst is more than a queue of 2048, the batch of 512 that is on its way
	// and the next one take together.
	patientBurst = 4000
)

// sender is a service that sends all its signals to backends of one kind.
type sender struct {
	*servicetest.Service

	way   string
	holds bool
	began time.Time
	times []time.Duration
}

// The slowest request in a hundred is no slower with a backend that is broken
// than with one that is well, asked in the same moments: a collector over either
// protocol, and a profile server alone.
func TestEndToEndNoRequestIsSlowerForABrokenBackend(t *testing.T) {
	t.Parallel()
	client := &http.Client{Timeout: hurtRequest, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	well := map[string]*sender{}
	for _, s := range startSending(t, fault{open: responding(faulty{})}) {
		well[s.way] = s
	}
	for name, f := range faults() {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // one comparison at a time
			broken := startSending(t, f)
			fill(t, client, broken)
			for _, s := range slower(t, client, broken, well) {
				t.Errorf("over %s p99 is %s with a backend that is well and %s with this one, in %d tries",
					s.way, well[s.way].p99(), s.p99(), patientTries)
			}
			checkFull(t, broken)
			stopAll(t, broken)
		})
	}
}

// startSending starts a service for each way that the fault can be at the end of,
// with nothing where the other ways lead.
func startSending(t *testing.T, f fault) []*sender {
	t.Helper()
	var all []*sender
	for _, way := range f.ways() {
		profiles := ""
		if way == profilesOnly {
			profiles, _ = f.open(t, overHTTP)
		}
		collector, _ := f.openCollector(t, way)
		s := &sender{way: way, holds: f.holds && way != profilesOnly, began: time.Now()}
		s.Service = servicetest.Start(t, info, runtime.Defaults{}, bursting, append(sending(way, collector, profiles, time.Second),
			"OTEL_BSP_SCHEDULE_DELAY=100")...)
		all = append(all, s)
	}
	return all
}

// bursting has requests that make one span and one line, and one that makes more
// than find room.
func bursting(ctx context.Context, svc *runtime.Service) error {
	tracer := svc.Telemetry().TracerProvider().Tracer("test")
	router := httpserver.NewRouter()
	router.Get("/orders", func(http.ResponseWriter, *http.Request) {})
	router.Get("/burst", func(_ http.ResponseWriter, r *http.Request) {
		for range patientBurst {
			ctx, span := tracer.Start(r.Context(), "work")
			svc.Logger().InfoContext(ctx, "worked")
			span.End()
		}
	})
	svc.Handle(router)
	return svc.Run(ctx)
}

// fill leaves no room in the queues of those that get rid of nothing.
func fill(t *testing.T, client *http.Client, broken []*sender) {
	t.Helper()
	for _, s := range broken {
		if s.holds {
			ask(t, client, s.URL+"/burst")
		}
	}
}

// checkFull wants what found no room counted, for each signal that has a queue.
func checkFull(t *testing.T, broken []*sender) {
	t.Helper()
	for _, s := range broken {
		if !s.holds {
			continue
		}
		for _, signal := range []string{semconv.SignalTraces, semconv.SignalLogs} {
			labels := map[string]string{semconv.LabelSignal: signal, semconv.LabelReason: semconv.DropQueueFull}
			if n, _ := s.Metric(semconv.RuntimeTelemetryDropped, labels); n < 1 {
				t.Errorf("over %s no %s count as dropped for a full queue", s.way, signal)
			}
		}
	}
}

// slower returns those that are slower than who is well over the same way, in
// every try.
func slower(t *testing.T, client *http.Client, broken []*sender, well map[string]*sender) []*sender {
	t.Helper()
	for range patientTries {
		askInTurns(t, client, broken, well)
		broken = slices.DeleteFunc(slices.Clone(broken), func(s *sender) bool {
			t.Logf("over %s p99 %s with a backend that is well, %s with this one, of %d", s.way, well[s.way].p99(), s.p99(), len(s.times))
			return s.p99() <= well[s.way].p99()+patientMore
		})
		if len(broken) == 0 {
			break
		}
	}
	return broken
}

// askInTurns asks each of the broken, and right before it who is well.
func askInTurns(t *testing.T, client *http.Client, broken []*sender, well map[string]*sender) {
	t.Helper()
	for _, s := range broken {
		s.times, well[s.way].times = nil, nil
	}
	for asked := 0; asked < patientAsked || time.Since(broken[len(broken)-1].began) < patientFor; asked++ {
		for _, s := range broken {
			for _, one := range []*sender{well[s.way], s} {
				one.times = append(one.times, ask(t, client, one.URL+"/orders"))
			}
		}
	}
	for _, s := range broken {
		slices.Sort(s.times)
		slices.Sort(well[s.way].times)
	}
}

// p99 is the time that one request in a hundred exceeds.
func (s *sender) p99() time.Duration { return s.times[len(s.times)*99/100] }

func ask(t *testing.T, client *http.Client, url string) time.Duration {
	t.Helper()
	began := time.Now()
	res, err := client.Get(url)
	if err != nil {
		t.Fatalf("a request failed: %v", err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("a request got %d", res.StatusCode)
	}
	return time.Since(began)
}

// stopAll lets all use up the time that they have for it at once.
func stopAll(t *testing.T, senders []*sender) {
	t.Helper()
	for _, s := range senders {
		s.Signal(syscall.SIGTERM)
	}
	for _, s := range senders {
		if status := s.Wait(); status != 0 {
			t.Errorf("over %s status %d: %s", s.way, status, s.Stderr())
		}
	}
}
