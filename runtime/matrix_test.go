package runtime_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	goruntime "runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
)

const (
	// matrixLasts is the duration of each of 64 measurements; all of them take less than 45 s.
	matrixLasts = 400 * time.Millisecond
	// matrixRounds of compute take about 0.2 ms.
	matrixRounds = 75_000
	// matrixDeadline is the default of HTTP_REQUEST_TIMEOUT.
	matrixDeadline = 30 * time.Second
)

var computed atomic.Uint64

// compute runs the given number of rounds of xorshift.
func compute(rounds int) {
	x := uint64(88172645463325252)
	for range rounds {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	computed.Add(x)
}

// computing adds a route that computes and responds with JSON.
func computing(router *chi.Mux) *chi.Mux {
	router.Get("/orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		compute(matrixRounds)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"id": chi.URLParam(r, "id"), "items": []string{"tea", "milk"}, "total": 995})
	})
	return router
}

// driven has the results of a closed loop.
type driven struct {
	Requests, Rejected int
	P99                time.Duration
}

// drive runs clients that send sequential requests. A response other than 200 counts as rejected.
func drive(clients int, last time.Duration, client func() (request func() int)) driven {
	var mu sync.Mutex
	var got driven
	var took []time.Duration
	var all sync.WaitGroup
	end := time.Now().Add(last)
	for range clients {
		all.Go(func() {
			request := client()
			var mine []time.Duration
			rejected := 0
			for began := time.Now(); began.Before(end); {
				if request() != http.StatusOK {
					rejected++
				}
				now := time.Now()
				mine = append(mine, now.Sub(began))
				began = now
			}
			mu.Lock()
			defer mu.Unlock()
			got.Rejected += rejected
			took = append(took, mine...)
		})
	}
	all.Wait()
	slices.Sort(took)
	got.Requests, got.P99 = len(took), took[(len(took)-1)*99/100]
	return got
}

type matrixCase struct {
	network    bool // over loopback, from this process; otherwise in the process of the service
	clients    int
	gomaxprocs int
	limited    bool
}

func (c matrixCase) run(b *testing.B) driven {
	b.Helper()
	env := fmt.Sprintf("GOMAXPROCS=%d", c.gomaxprocs)
	plan := childPlan{Role: roleCall, Limited: c.limited, Clients: c.clients, Lasts: matrixLasts}
	if c.network {
		plan.Role = roleServe
	}
	server := startChild(b, plan, nil, env)
	var got driven
	if !c.network {
		if err := json.NewDecoder(server.stdout).Decode(&got); err != nil { //nolint:musttag // both ends are in this package
			b.Fatal(err)
		}
	} else {
		transport := &http.Transport{MaxIdleConnsPerHost: c.clients}
		defer transport.CloseIdleConnections()
		got = drive(c.clients, matrixLasts, func() func() int {
			return func() int { return get(transport, server.url+"/orders/1") }
		})
		transport.CloseIdleConnections()
	}
	if err := server.end(); err != nil {
		b.Error(err)
	}
	return got
}

func get(transport http.RoundTripper, url string) int {
	r, err := http.NewRequest(http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0
	}
	res, err := transport.RoundTrip(r)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// BenchmarkRejectionsBesideBareChi runs 1 to 64 clients against a complete service and against
// bare chi, on one and two CPUs, with and without other load on all CPUs. If bare chi meets the
// deadline, the service must not reject any request.
func BenchmarkRejectionsBesideBareChi(b *testing.B) {
	for _, burning := range []bool{false, true} {
		for _, network := range []bool{false, true} {
			for _, gomaxprocs := range []int{1, 2} {
				for _, clients := range []int{1, 4, 16, 64} {
					name := fmt.Sprintf("burning=%t/loopback=%t/gomaxprocs=%d/clients=%d", burning, network, gomaxprocs, clients)
					b.Run(name, func(b *testing.B) {
						if burning {
							burnEveryCPU(b)
						}
						compare(b, matrixCase{network: network, clients: clients, gomaxprocs: gomaxprocs})
					})
				}
			}
		}
	}
}

func burnEveryCPU(b *testing.B) {
	b.Helper()
	for range goruntime.NumCPU() {
		startChild(b, childPlan{Role: roleSpin}, nil, "GOMAXPROCS=1")
	}
}

// compare runs the case on bare chi and on the service.
func compare(b *testing.B, c matrixCase) {
	b.Helper()
	var all, bare driven
	for b.Loop() {
		c.limited = false
		bare.P99 = max(bare.P99, c.run(b).P99)
		c.limited = true
		got := c.run(b)
		all.Requests += got.Requests
		all.Rejected += got.Rejected
		all.P99 = max(all.P99, got.P99)
	}
	b.ReportMetric(0, "ns/op") // the length of the case is fixed
	b.ReportMetric(float64(all.Requests), "requests")
	b.ReportMetric(float64(all.Rejected), "rejected")
	b.ReportMetric(all.P99.Seconds()*1e3, "p99-ms")
	b.ReportMetric(bare.P99.Seconds()*1e3, "bare-p99-ms")
	if all.Rejected > 0 && bare.P99 < matrixDeadline {
		b.Errorf("%d of %d requests were rejected, while bare chi has a p99 of %s", all.Rejected, all.Requests, bare.P99)
	}
}
