//go:build unix

package overload

import (
	"net/http"
	"testing"
	"time"
)

// A pool of eight connections behind a real server, at three times its capacity: with the limiter
// the goodput is the pool's capacity, without it almost nothing.
func TestARealServerHoldsItsGoodput(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("TestARealServerHoldsItsGoodput: loads a real process for six seconds; make simulations runs it without the race detector")
	}
	const (
		workers  = 8
		takes    = 20 * time.Millisecond
		capacity = workers / 0.020
		patience = 200 * time.Millisecond
		last     = 3 * time.Second
		settled  = 5 * time.Second // as in TestAStepIsSettledInFiveSeconds
	)
	goodput := func(mode Mode) float64 {
		p := startChild(t, childPlan{Limiter: Config{Mode: mode}, Workers: workers, Takes: takes})
		offer(t.Context(), p.url, 3*capacity, settled, patience, false)
		a := offer(t.Context(), p.url, 3*capacity, last, patience, false)
		r, ok := p.end(t)
		if !ok {
			t.Fatal("the server died")
		}
		share := float64(a.good) / (capacity * last.Seconds())
		t.Logf("mode %s: goodput %.0f %% of the capacity; %s; limit %d", mode, 100*share, a, r.Limit)
		return share
	}
	with, without := goodput(ModeEnforce), goodput(ModeOff)
	if with < 0.7 || with < 3*without {
		t.Errorf("goodput is %.2f of the capacity with the limiter and %.2f without", with, without)
	}
}

// One core is the hard case: a request waits for the CPU before the handler runs, and a limit on
// requests in flight does not see it. The wait of goroutines for a CPU shows it.
// docs/adr/011-overload.md describes alternatives.
func TestOneCore(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("TestOneCore: loads a real process for a quarter of a minute; make simulations runs it without the race detector")
	}
	const (
		patience = 100 * time.Millisecond
		settled  = 5 * time.Second // as in TestAStepIsSettledInFiveSeconds
		last     = 2 * time.Second
		spins    = 2_000_000
	)
	goodput := func(capacity float64, mode Mode, load float64) float64 {
		p := startChild(t, childPlan{Spins: spins, Limiter: Config{Mode: mode}}, "GOMAXPROCS=1")
		for began := time.Now(); time.Since(began) < time.Second; { // warm up
			offer(t.Context(), p.url, 1000, time.Millisecond, time.Second, false)
		}
		offer(t.Context(), p.url, load*capacity, settled, patience, false)
		a := offer(t.Context(), p.url, load*capacity, last, patience, false)
		r, ok := p.end(t)
		if !ok {
			t.Fatal("the server died")
		}
		share := float64(a.good) / (capacity * last.Seconds())
		t.Logf("mode %s, load %g: goodput %.0f %% of the capacity; %s; age of the served %.0f ms, scheduler p99 %.0f ms, limit %d",
			mode, load, 100*share, a, 1e3*r.ServedAge, 1e3*r.SchedulerP99, r.Limit)
		return share
	}
	// Other processes on this machine use the core, too, and change the measured capacity: one of
	// three attempts has to succeed.
	helps := func(load float64) bool {
		capacity := capacityOf(t, childPlan{Spins: spins})
		t.Logf("sequential requests: %.0f/s", capacity)
		return goodput(capacity, ModeEnforce, load) >= 2*goodput(capacity, ModeOff, load)
	}
	for _, load := range []float64{2, 4} {
		for tries := 1; !helps(load); tries++ {
			if tries == 3 {
				t.Errorf("at %gx goodput with the limiter was never twice of what it is without", load)
				break
			}
		}
	}
}

// capacityOf returns the requests per second of a server with one client.
func capacityOf(t *testing.T, plan childPlan) float64 {
	t.Helper()
	p := startChild(t, plan, "GOMAXPROCS=1")
	succeeded, began := 0, time.Now()
	for time.Since(began) < time.Second {
		succeeded += offer(t.Context(), p.url, 1000, time.Millisecond, time.Second, false).good
	}
	rate := float64(succeeded) / time.Since(began).Seconds()
	if _, ok := p.end(t); !ok || succeeded == 0 {
		t.Fatal("no request succeeded")
	}
	return rate
}

// A rejection must cost much less than a response. The test compares the CPU time of the same
// process for the same number of requests.
func TestRejectionCostsAFifthOfAResponse(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("TestRejectionCostsAFifthOfAResponse: loads a real process for a few seconds; make simulations runs it without the race detector")
	}
	const requests = 400
	cost := func(full bool) float64 {
		p := startChild(t, childPlan{Spins: 500_000, Full: full, Limiter: Config{MinLimit: 8, MemoryShedRatio: 0.8}})
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		for range requests {
			ask(t.Context(), transport, p.url, 10*time.Second, false)
		}
		r, ok := p.end(t)
		if !ok || r.Served+r.Shed != requests || r.Served != 0 && r.Shed != 0 {
			t.Fatalf("the server saw %+v", r)
		}
		return (r.CPU - r.CPUBefore) / requests
	}
	response, rejection := cost(false), cost(true)
	t.Logf("a response takes %.0f us, a rejection %.0f us: 1/%.1f", 1e6*response, 1e6*rejection, response/rejection)
	if rejection > response/5 {
		t.Errorf("a rejection costs %.2f of a response", rejection/response)
	}
}
