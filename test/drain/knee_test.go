package drain

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// The maximum rate is measured in a closed loop: each step doubles the callers, until
// the rate does not grow or the latency is too high. It takes a few seconds and is
// therefore less precise than a load test.
const (
	kneeStep    = time.Second
	kneeCallers = 64                     // maximum
	kneeGain    = 1.1                    // a smaller factor is not growth
	kneeLatency = 250 * time.Millisecond // maximum p99 latency
	slowestRate = 250                    // lower rates take too long for 10,000 requests
	fastestRate = 600                    // higher rates do not make the test stronger
)

// knee returns the maximum rate, in requests a second, at an acceptable latency.
func (f *fleet) knee(t *testing.T) float64 {
	t.Helper()
	best := 0.0
	for n := 1; n <= kneeCallers; n *= 2 {
		rate, p99 := f.closedLoop(t, n)
		t.Logf("%d callers: %.0f requests/s, p99 %s", n, rate, p99)
		if p99 > kneeLatency {
			break
		}
		gained := rate > best*kneeGain
		best = max(best, rate)
		if !gained {
			break
		}
	}
	if best == 0 {
		t.Fatalf("p99 latency with one caller is above %s; run the test on a less loaded machine", kneeLatency)
	}
	return best
}

// closedLoop measures callers that each send the next request after a response.
func (f *fleet) closedLoop(t *testing.T, callers int) (rate float64, p99 time.Duration) {
	t.Helper()
	l := &load{}
	var mu sync.Mutex
	var times []time.Duration
	began := time.Now()
	for range callers {
		l.callers.Go(func() {
			client := &http.Client{Timeout: patience, Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for n := 1; time.Since(began) < kneeStep; n++ {
				sent := time.Now()
				l.one(client, f.url, n)
				mu.Lock()
				times = append(times, time.Since(sent))
				mu.Unlock()
			}
		})
	}
	l.callers.Wait()
	took := time.Since(began)
	if len(l.failures) > 0 {
		t.Fatalf("measuring the maximum rate: %s", l.failures[0].what)
	}
	slices.Sort(times)
	return float64(len(times)) / took.Seconds(), times[len(times)*99/100]
}

// halfTheKnee returns the request rate during the restarts.
func halfTheKnee(knee float64) int { return int(min(max(knee/2, slowestRate), fastestRate)) }
