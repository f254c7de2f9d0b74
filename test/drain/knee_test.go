package drain

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// The knee is looked for with a closed loop: twice the callers each step, until
// they are not answered more for it or wait too long. It takes seconds, which is
// the bound of a test and not the care of a load test.
const (
	kneeStep    = time.Second
	kneeCallers = 64                     // at most
	kneeGain    = 1.1                    // less is no gain
	kneePatient = 250 * time.Millisecond // p99 beyond which more answers are no good
	slowestRate = 250                    // below it, 10,000 requests take too long
	fastestRate = 600                    // beyond it the test says no more
)

// knee is the most requests a second that the fleet answers in good time.
func (f *fleet) knee(t *testing.T) float64 {
	t.Helper()
	best := 0.0
	for n := 1; n <= kneeCallers; n *= 2 {
		rate, p99 := f.closedLoop(t, n)
		t.Logf("%d callers: %.0f requests a second, p99 %s", n, rate, p99)
		if p99 > kneePatient {
			break
		}
		gained := rate > best*kneeGain
		best = max(best, rate)
		if !gained {
			break
		}
	}
	if best == 0 {
		t.Fatalf("a single caller waits longer than %s", kneePatient)
	}
	return best
}

// closedLoop is what so many callers get, each asking again when it is answered.
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
				asked := time.Now()
				l.one(client, f.url, n)
				mu.Lock()
				times = append(times, time.Since(asked))
				mu.Unlock()
			}
		})
	}
	l.callers.Wait()
	took := time.Since(began)
	if len(l.failures) > 0 {
		t.Fatalf("looking for the knee: %s", l.failures[0].what)
	}
	slices.Sort(times)
	return float64(len(times)) / took.Seconds(), times[len(times)*99/100]
}

// halfTheKnee is the rate of the restarts, in requests a second.
func halfTheKnee(knee float64) int { return int(min(max(knee/2, slowestRate), fastestRate)) }
