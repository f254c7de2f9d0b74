package overload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// closedLoop is a number of clients that each send one request after the other to a server with
// that many CPUs, which other processes use now and then.
type closedLoop struct {
	clients int
	cpus    int
	takes   time.Duration // CPU time per request
	timeout time.Duration // deadline of a request
	stolen  time.Duration // longest time that another process uses a CPU
}

// run returns the number of rejections and the longest duration of a request.
func (c closedLoop) run(t *testing.T, l *Limiter) (rejected int64, longest time.Duration) {
	t.Helper()
	requests := int64(20_000)
	if raceEnabled {
		requests = 2_000
	}
	random := rand.New(rand.NewPCG(1, 7))
	var mu sync.Mutex
	pause := func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		if c.stolen == 0 || random.IntN(100) > 0 {
			return 0
		}
		return time.Duration(random.Int64N(int64(c.stolen)))
	}
	cpus := make(chan struct{}, c.cpus)
	var left, bad atomic.Int64
	left.Store(requests)
	var clients sync.WaitGroup
	for range c.clients {
		clients.Go(func() {
			for left.Add(-1) >= 0 {
				ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
				began := time.Now()
				permit, err := l.Acquire(ctx, Default)
				if err != nil {
					bad.Add(1)
					time.Sleep(100 * time.Millisecond) // a client that spins would stop simulated time
				} else {
					cpus <- struct{}{}
					time.Sleep(c.takes + pause())
					<-cpus
					permit.Release(ctx.Err() != nil)
				}
				cancel()
				mu.Lock()
				longest = max(longest, time.Since(began))
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	return bad.Load(), longest
}

// If every request meets its deadline without a limit, none is rejected with one, for any number
// of clients and any other use of the CPU.
func TestNoRequestIsRejectedThatWouldMeetItsDeadline(t *testing.T) {
	t.Parallel()
	for _, clients := range []int{1, 2, 8, 64, 500} {
		for _, cpus := range []int{1, 2, 16} {
			for _, stolen := range []time.Duration{0, 300 * time.Millisecond} {
				for _, timeout := range []time.Duration{30 * time.Second, 4 * time.Second} {
					c := closedLoop{clients: clients, cpus: cpus, takes: time.Millisecond, timeout: timeout, stolen: stolen}
					t.Run(fmt.Sprintf("clients=%d,cpus=%d,stolen=%s,timeout=%s", clients, cpus, stolen, timeout), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							_, bare := c.run(t, simLimiter(t, Config{Mode: ModeOff}))
							if bare > timeout/2 {
								t.Skipf("without a limit a request takes %s", bare)
							}
							rejected, limited := c.run(t, simLimiter(t, Config{}))
							t.Logf("slowest request: %s without a limit, %s with one", bare, limited)
							if rejected != 0 {
								t.Errorf("%d requests were rejected", rejected)
							}
						})
					})
				}
			}
		}
	}
}

// After a stall longer than any request may wait, clients that retry immediately look like
// overload. That ends within two minutes.
func TestAStallIsNotTakenForOverloadForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := simLimiter(t, Config{})
		c := closedLoop{clients: 500, cpus: 1, takes: time.Millisecond, timeout: 4 * time.Second}
		l.queue.overload.begin(time.Now())
		for began := time.Now(); ; {
			if rejected, _ := c.run(t, l); rejected == 0 {
				return
			}
			if time.Since(began) > 2*time.Minute {
				t.Fatal("requests are still rejected")
			}
		}
	})
}

// ModeObserve admits every request immediately. Under overload it counts what would have been
// rejected, and nothing below capacity.
func TestObserveRejectsNothing(t *testing.T) {
	t.Parallel()
	for _, load := range []float64{0.7, 3} {
		synctest.Test(t, func(t *testing.T) {
			l := simLimiter(t, Config{Mode: ModeObserve, QueueWait: simPatience / 2})
			s := &simulation{
				scenario: scenario{load: steady(load), slow: steady(1), span: 5 * time.Second, capacity: 1, patience: simPatience},
				limiter:  l, random: rand.New(rand.NewPCG(1, 7)), begun: time.Now(), work: make(chan job, 1<<20),
			}
			if r := s.run(); r.shed != 0 {
				t.Errorf("at %g of the capacity %.2f %% are rejected", load, 100*r.shed)
			}
			would := testutil.ToFloat64(l.wouldShed[Default.index()][ReasonQueueFull.index()])
			if (would > 0) != (load > 1) {
				t.Errorf("at %g of the capacity %g would be rejected", load, would)
			}
			wantShed(t, l, Default, ReasonQueueFull, 0)
			if l.inFlight != 0 {
				t.Errorf("%d requests are still in flight", l.inFlight)
			}
		})
	}
}

// A client with a short timeout is rejected while others wait longer and are served. That neither
// begins nor prolongs an overload: the others are not rejected.
func TestImpatientClientsCauseNoOverload(t *testing.T) {
	t.Parallel()
	for _, overloaded := range []bool{false, true} {
		for _, timeout := range []time.Duration{22 * time.Millisecond, 100 * time.Millisecond, 140 * time.Millisecond} {
			t.Run(fmt.Sprintf("overloaded=%t,timeout=%s", overloaded, timeout), func(t *testing.T) {
				t.Parallel()
				expectNoHarm(t, overloaded, func(t *testing.T, l *Limiter) func() int { return impatientClient(t, l, timeout) })
			})
		}
	}
}

// expectNoHarm checks that no request of 300 clients is rejected while another client sends
// requests. stop returns how many of its own were rejected or left the queue.
func expectNoHarm[N int | int64](t *testing.T, overloaded bool, client func(*testing.T, *Limiter) (stop func() N)) {
	t.Helper()
	if overloaded && raceEnabled {
		t.Skip("half a minute of requests takes too long with the race detector")
	}
	synctest.Test(t, func(t *testing.T) {
		l := simLimiter(t, Config{MinLimit: 64, InitialLimit: 64, MaxLimit: 64})
		c := closedLoop{clients: 300, cpus: 64, takes: 20 * time.Millisecond, timeout: 30 * time.Second}
		stop := client(t, l)
		if overloaded {
			l.queue.overload.begin(time.Now())
			for began := time.Now(); time.Since(began) < 30*time.Second; {
				c.run(t, l)
			}
		}
		for began := time.Now(); time.Since(began) < 2*longestBurst; { // rejections of one burst begin no overload
			if rejected, _ := c.run(t, l); rejected != 0 {
				t.Errorf("%d requests of other clients were rejected", rejected)
			}
		}
		if stop() == 0 {
			t.Error("no request of the one client was rejected or left")
		}
	})
}

// A client that resets its requests before those of others have been admitted says nothing about
// the load. That neither begins nor prolongs an overload: the others are not rejected.
func TestClientsThatLeaveEarlyCauseNoOverload(t *testing.T) {
	t.Parallel()
	for _, overloaded := range []bool{false, true} {
		for _, after := range []time.Duration{5 * time.Millisecond, 50 * time.Millisecond} {
			t.Run(fmt.Sprintf("overloaded=%t,after=%s", overloaded, after), func(t *testing.T) {
				t.Parallel()
				expectNoHarm(t, overloaded, func(t *testing.T, l *Limiter) func() int64 { return leavingClient(t, l, after) })
			})
		}
	}
}

// A client that resets its requests while they are in flight, and so has waited as long as the
// others, begins no overload if it has less than half of all requests.
func TestAClientThatLeavesDuringTheWorkCausesNoOverload(t *testing.T) {
	t.Parallel()
	for _, pause := range []time.Duration{3 * time.Millisecond, time.Millisecond} { // 10 and 31 % of the capacity
		t.Run(pause.String(), func(t *testing.T) {
			t.Parallel()
			expectNoHarm(t, false, func(t *testing.T, l *Limiter) func() int64 {
				t.Helper()
				var requests sync.WaitGroup
				var left atomic.Int64
				stopped, cancel := context.WithCancel(t.Context())
				requests.Go(func() {
					for stopped.Err() == nil {
						requests.Go(func() {
							if permit, err := l.Acquire(t.Context(), Default); err == nil {
								time.Sleep(time.Millisecond)
								permit.release(true, false)
								left.Add(1)
							}
						})
						time.Sleep(pause)
					}
				})
				return func() int64 {
					cancel()
					requests.Wait()
					return left.Load()
				}
			})
		})
	}
}

// Clients that left the queue in an incident begin no overload in a short queue on the next day.
func TestClientsThatLeftLongAgoCauseNoOverload(t *testing.T) {
	t.Parallel()
	for pause, want := range map[time.Duration]bool{time.Second: true, 9 * time.Hour: false} {
		var o overloaded
		now := time.Now()
		for range endSamples/2 + 1 {
			o.visit(now)
			o.end(now, true)
		}
		now = now.Add(pause)
		for range endSamples/2 - 1 {
			o.visit(now)
			o.end(now, false)
		}
		if got := o.active(now); got != want {
			t.Errorf("overloaded after a pause of %s: %t, want %t", pause, got, want)
		}
	}
}

// A stall in which no request is admitted is no overload either: the requests of a client that
// resets them early are younger than those of the others, which are still waiting.
func TestClientsThatLeaveEarlyInAStallCauseNoOverload(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{5 * time.Millisecond, 50 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			l := simLimiter(t, Config{MinLimit: 64, InitialLimit: 64, MaxLimit: 64})
			stop := leavingClient(t, l, after)
			began := time.Now()
			var others sync.WaitGroup
			var rejected atomic.Int64
			for range 300 {
				others.Go(func() {
					for time.Since(began) < 5500*time.Millisecond {
						ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
						permit, err := l.Acquire(ctx, Default)
						cancel()
						if err != nil {
							rejected.Add(1)
							time.Sleep(100 * time.Millisecond)
							continue
						}
						time.Sleep(20 * time.Millisecond)
						if at := time.Since(began); at > 2*time.Second && at < 5*time.Second {
							time.Sleep(5*time.Second - at)
						}
						permit.Release(false)
					}
				})
			}
			others.Wait()
			if n := rejected.Load(); n != 0 {
				t.Errorf("%d requests of other clients were rejected next to one that leaves after %s", n, after)
			}
			if stop() == 0 {
				t.Error("no request of the one client left")
			}
		})
	}
}

// Bursts of requests that are reset before the latency objective are no overload: their client is
// impatient, and the queue is not too long. A pool of 8 connections serves each request in 5 ms;
// another client always has 100 requests waiting.
func TestBurstsThatAreResetCauseNoOverload(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{40 * time.Millisecond, 150 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			l := simLimiter(t, Config{})
			l.objective = 200 * time.Millisecond
			pool := make(chan struct{}, 8)
			ctx, end := context.WithCancel(t.Context())
			time.AfterFunc(20*time.Second, end)
			request := func(ctx context.Context) (rejected bool) {
				permit, err := l.Acquire(ctx, Default)
				if err != nil {
					return ctx.Err() == nil
				}
				defer permit.Release(false)
				select {
				case pool <- struct{}{}:
					time.Sleep(5 * time.Millisecond)
					<-pool
				case <-ctx.Done():
				}
				return false
			}
			var clients sync.WaitGroup
			var rejected atomic.Int64
			for range 20 { // ordinary clients
				clients.Go(func() {
					for ctx.Err() == nil {
						if request(t.Context()) {
							rejected.Add(1)
						}
						time.Sleep(20 * time.Millisecond)
					}
				})
			}
			for range 100 { // a client whose requests wait and are not reset
				clients.Go(func() {
					for ctx.Err() == nil {
						request(t.Context())
						time.Sleep(time.Millisecond)
					}
				})
			}
			for ctx.Err() == nil {
				for range 300 {
					clients.Go(func() {
						ctx, reset := context.WithCancel(t.Context())
						defer reset()
						defer time.AfterFunc(after, reset).Stop()
						request(ctx)
					})
				}
				time.Sleep(500 * time.Millisecond)
			}
			clients.Wait()
			if n := rejected.Load(); n != 0 {
				t.Errorf("reset after %s: %d requests of other clients were rejected", after, n)
			}
		})
	}
}

// One long wait suppresses the effect of impatient clients for two windows, not forever.
func TestAnOldLongWaitHidesNoOverload(t *testing.T) {
	t.Parallel()
	const patience, burst = 500 * time.Millisecond, longestBurst
	var o overloaded
	now := time.Unix(1e9, 0)
	o.start(now, now.Add(-10*time.Second))
	now = now.Add(time.Hour)
	for began := now; now.Sub(began) < 10*time.Second; now = now.Add(50 * time.Millisecond) {
		o.reject(now, patience, burst)
	}
	if !o.active(now) && o.ended.IsZero() {
		t.Error("ten seconds of rejections are no overload, because of a wait an hour ago")
	}
}

// Clients may declare their requests sheddable, which starve next to others. If they disconnect,
// time out or lose their place in the queue, no overload begins: the others are not rejected.
func TestSheddableRequestsCauseNoOverload(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		clients int
		timeout time.Duration
		leave   time.Duration
		pause   time.Duration // before the next request
	}{
		"clients leave":     {100, time.Minute, 150 * time.Millisecond, time.Millisecond},
		"requests time out": {100, 300 * time.Millisecond, time.Minute, time.Millisecond},
		"the queue is full": {1200, time.Minute, time.Minute, 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := simLimiter(t, Config{MinLimit: 64, InitialLimit: 64, MaxLimit: 64})
				c := closedLoop{clients: 300, cpus: 64, takes: 20 * time.Millisecond, timeout: 30 * time.Second}
				attack, stop := context.WithCancel(t.Context())
				var attackers sync.WaitGroup
				for i := range tc.clients {
					attackers.Go(func() {
						time.Sleep(time.Duration(i) * time.Millisecond)
						for attack.Err() == nil {
							ctx, leave := context.WithCancel(attack)
							timer := time.AfterFunc(tc.leave, leave)
							ctx, cancel := context.WithTimeout(ctx, tc.timeout)
							if permit, err := l.Acquire(ctx, Sheddable); err == nil {
								permit.Release(false)
							}
							timer.Stop()
							cancel()
							leave()
							time.Sleep(tc.pause)
						}
					})
				}
				for range 3 {
					if rejected, _ := c.run(t, l); rejected != 0 {
						t.Errorf("%d requests of other clients were rejected", rejected)
					}
				}
				stop()
				attackers.Wait()
			})
		})
	}
}

// leavingClient sends a request every millisecond and resets it after that time. It returns a
// function that stops it and returns the number of its requests that left the queue.
func leavingClient(t *testing.T, l *Limiter, after time.Duration) (stop func() int64) {
	t.Helper()
	var requests sync.WaitGroup
	var left atomic.Int64
	stopped, cancel := context.WithCancel(t.Context())
	requests.Go(func() {
		for stopped.Err() == nil {
			requests.Go(func() {
				ctx, reset := context.WithCancel(t.Context())
				defer reset()
				defer time.AfterFunc(after, reset).Stop()
				permit, err := l.Acquire(ctx, Default)
				if err != nil {
					left.Add(1)
					return
				}
				permit.Release(false)
			})
			time.Sleep(time.Millisecond)
		}
	})
	return func() int64 {
		cancel()
		requests.Wait()
		return left.Load()
	}
}

// impatientClient sends one request after the other with that timeout. It returns a function that
// stops it and returns the number of rejected requests.
func impatientClient(t *testing.T, l *Limiter, timeout time.Duration) (stop func() (rejected int)) {
	t.Helper()
	var client sync.WaitGroup
	stopped, cancel := context.WithCancel(t.Context())
	rejected := 0
	client.Go(func() {
		for stopped.Err() == nil {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			permit, err := l.Acquire(ctx, Default)
			if err != nil {
				rejected++
			} else {
				permit.Release(true)
			}
			cancel()
			time.Sleep(time.Millisecond)
		}
	})
	return func() int {
		cancel()
		client.Wait()
		return rejected
	}
}
