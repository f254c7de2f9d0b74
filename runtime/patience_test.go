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

// Parameters of the comparison. A request that waits for an exporter takes at least half a second
// longer. Load on the machine affects all sides, since they get requests in turns.
const (
	patientMore  = 250 * time.Millisecond // difference of the p99
	patientAsked = 120                    // minimum number of requests to each side
	patientTries = 3                      // attempts, because the machine may be busy
	// patientFor is the minimum time of requests to a service: profiles are uploaded once a
	// second.
	patientFor = 1200 * time.Millisecond
	// patientBurst exceeds a queue of 2048 plus the batch of 512 in flight and the next one.
	patientBurst = 4000
)

// sender is a service that exports all its signals to backends of one kind.
type sender struct {
	*servicetest.Service

	way   string
	holds bool
	began time.Time
	times []time.Duration
}

// The p99 of requests is no higher with a broken backend than with a working one, measured at the
// same time: for a collector over both protocols, and for a profile server alone.
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
				t.Errorf("over %s, p99 is %s with a working backend and %s with this one, in %d attempts",
					s.way, well[s.way].p99(), s.p99(), patientTries)
			}
			checkFull(t, broken)
			stopAll(t, broken)
		})
	}
}

// startSending starts a service for each export path of the fault. The other paths have no
// backend.
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

// bursting has a route with one span and one line per request, and one with more of them than the
// queues hold.
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

// fill fills the queues of the services whose exports hang.
func fill(t *testing.T, client *http.Client, broken []*sender) {
	t.Helper()
	for _, s := range broken {
		if s.holds {
			ask(t, client, s.URL+"/burst")
		}
	}
}

// checkFull checks that drops are counted for each signal that has a queue.
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

// slower returns the services that are slower than the one with a working backend on the same
// path, in every attempt.
func slower(t *testing.T, client *http.Client, broken []*sender, well map[string]*sender) []*sender {
	t.Helper()
	for range patientTries {
		askInTurns(t, client, broken, well)
		broken = slices.DeleteFunc(slices.Clone(broken), func(s *sender) bool {
			t.Logf("over %s, p99 is %s with a working backend, %s with this one, of %d", s.way, well[s.way].p99(), s.p99(), len(s.times))
			return s.p99() <= well[s.way].p99()+patientMore
		})
		if len(broken) == 0 {
			break
		}
	}
	return broken
}

// askInTurns sends requests to each of the broken ones, each after one to the working one.
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

// stopAll stops all services concurrently, which may use all of their time.
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
