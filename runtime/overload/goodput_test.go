package overload

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/observability-first/scaffold/runtime/telemetry"
)

// The model of every scenario runs in simulated time, so that the result does not depend on the
// machine: open-loop Poisson arrivals, a pool of workers behind an unbounded queue, lognormal
// service times, clients with a timeout, and a handler that does not detect that its client has
// disconnected.
const (
	simWorkers  = 16
	simMean     = 10 * time.Millisecond
	simPatience = 100 * time.Millisecond
	simCapacity = float64(simWorkers) / 0.010 // requests per second
)

// scenario is the load over time. Loads and slowness are multiples of the initial capacity and
// service time.
type scenario struct {
	name         string
	load         func(t time.Duration) float64
	slow         func(t time.Duration) float64 // 1 if nil
	warm         time.Duration                 // not counted
	span         time.Duration                 // counted
	capacity     float64                       // in the counted span; 1 if 0
	patience     time.Duration                 // simPatience if 0
	sendsTimeout bool                          // clients send their timeout
	leaves       bool                          // clients disconnect after their timeout
	unseen       time.Duration                 // longest delay until the server detects that a client disconnected
	timeout      time.Duration                 // deadline of every request, as HTTP_REQUEST_TIMEOUT; none if 0
	priority     func(*rand.Rand) Priority     // Default if nil
	config       Config
}

type tally struct {
	offered, shed int
}

type result struct {
	goodput float64 // responses in time, relative to the capacity
	shed    float64 // ratio of the offered requests
	p50     time.Duration
	p99     time.Duration // of admitted requests, including their wait
	limit   float64
	by      [priorities]tally
}

func (r result) String() string {
	return fmt.Sprintf("goodput %5.1f%% shed %5.2f%% p50 %5.1fms p99 %5.1fms limit %.0f", 100*r.goodput, 100*r.shed,
		r.p50.Seconds()*1e3, r.p99.Seconds()*1e3, r.limit)
}

func steady(load float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return load }
}

func simLimiter(t *testing.T, cfg Config) *Limiter {
	t.Helper()
	l, err := New(Options{Config: cfg, Metrics: telemetry.NewRegistry(telemetry.Classic)})
	if err != nil {
		t.Fatal(err)
	}
	l.sched = scheduler{} // that of the machine does not apply to the model
	return l
}

type simulation struct {
	scenario

	limiter *Limiter
	random  *rand.Rand
	begun   time.Time
	work    chan job

	mu     sync.Mutex
	good   int
	took   []time.Duration
	result result
}

type job struct {
	takes time.Duration
	done  chan struct{}
}

func simulate(t *testing.T, sc scenario, seed uint64) result {
	t.Helper()
	if sc.slow == nil {
		sc.slow = steady(1)
	}
	if sc.capacity == 0 {
		sc.capacity = 1
	}
	if sc.patience == 0 {
		sc.patience = simPatience
	}
	if sc.config.QueueWait == 0 && sc.timeout == 0 && !sc.sendsTimeout {
		sc.config.QueueWait = simPatience / 2 // the limiter has no other deadline
	}
	var out result
	synctest.Test(t, func(t *testing.T) {
		s := &simulation{
			scenario: sc, limiter: simLimiter(t, sc.config),
			random: rand.New(rand.NewPCG(1, seed)), begun: time.Now(), work: make(chan job, 1<<20),
		}
		out = s.run()
	})
	return out
}

func (s *simulation) run() result {
	for range simWorkers {
		go func() {
			for j := range s.work {
				time.Sleep(j.takes)
				close(j.done)
			}
		}()
	}
	var requests sync.WaitGroup
	next := s.begun
	for time.Since(s.begun) < s.warm+s.span {
		at := time.Since(s.begun)
		next = next.Add(time.Duration(s.random.ExpFloat64() / (simCapacity * s.load(at)) * 1e9))
		time.Sleep(time.Until(next))
		takes := time.Duration(math.Exp(s.random.NormFloat64()*0.5-0.125) * float64(simMean) * s.slow(time.Since(s.begun)))
		p := Default
		if s.priority != nil {
			p = s.priority(s.random)
		}
		unseen := time.Duration(0)
		if s.unseen > 0 {
			unseen = time.Duration(s.random.Int64N(int64(s.unseen)))
		}
		requests.Go(func() { s.request(takes, unseen, p) })
	}
	s.limiter.mu.Lock()
	s.result.limit = s.limiter.rule.limit
	s.limiter.mu.Unlock()
	requests.Wait()
	close(s.work)
	return s.summary()
}

func (s *simulation) request(takes, unseen time.Duration, p Priority) {
	began := time.Now()
	ctx := context.Background()
	var cancel context.CancelFunc
	if s.sendsTimeout {
		ctx, cancel = context.WithTimeout(ctx, s.patience)
		defer cancel()
	}
	if s.timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	if s.leaves {
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		defer time.AfterFunc(s.patience+unseen, cancel).Stop()
	}
	permit, err := s.limiter.Acquire(ctx, p)
	if err == nil {
		j := job{takes, make(chan struct{})}
		s.work <- j
		<-j.done
		left := ctx.Err() != nil
		permit.release(left, left && !s.leaves) // as Wrap does: a disconnected client is no missed deadline
	}
	s.note(began, p, err)
}

func (s *simulation) note(began time.Time, p Priority, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	took, ended := time.Since(began), time.Since(s.begun)
	if err == nil && ended >= s.warm && ended < s.warm+s.span && took <= s.patience {
		s.good++
	}
	if began.Sub(s.begun) < s.warm {
		return
	}
	s.result.by[p.index()].offered++
	if err != nil {
		s.result.by[p.index()].shed++
		return
	}
	s.took = append(s.took, took)
}

func (s *simulation) summary() result {
	r := s.result
	var all tally
	for _, t := range r.by {
		all.offered += t.offered
		all.shed += t.shed
	}
	r.goodput = float64(s.good) / (simCapacity * s.capacity * s.span.Seconds())
	r.shed = float64(all.shed) / float64(all.offered)
	slices.Sort(s.took)
	if n := len(s.took); n > 0 {
		r.p50, r.p99 = s.took[n/2], s.took[n*99/100]
	}
	return r
}

// seeds returns five seeds, of which the worst result counts. `make simulations` runs them. With
// the race detector there is one.
func seeds() []uint64 {
	if testing.Short() || raceEnabled {
		return []uint64{7}
	}
	return []uint64{1, 7, 42, 1001, 20261125}
}

// eachSeed runs a scenario once per seed.
func eachSeed(t *testing.T, sc scenario, check func(t *testing.T, r result)) {
	t.Helper()
	runSeeds(t, seeds(), sc, check)
}

func runSeeds(t *testing.T, seeds []uint64, sc scenario, check func(t *testing.T, r result)) {
	t.Helper()
	if raceEnabled && sc.warm+sc.span > 12*time.Second {
		t.Skip("long scenarios take minutes with the race detector; make simulations runs them")
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("%s/seed=%d", sc.name, seed), func(t *testing.T) {
			t.Parallel()
			r := simulate(t, sc, seed)
			t.Log(r)
			check(t, r)
		})
	}
}

const (
	leastGoodput = 0.95
	longestP99   = simPatience * 6 / 10
)

func wantGoodput(t *testing.T, r result) {
	t.Helper()
	if r.goodput < leastGoodput {
		t.Errorf("goodput is %.1f %% of the capacity, less than %.0f %%", 100*r.goodput, 100*leastGoodput)
	}
}

func wantP99(t *testing.T, r result) {
	t.Helper()
	if r.p99 > longestP99 {
		t.Errorf("p99 of the admitted is %s, more than %s", r.p99, longestP99)
	}
}

// Under any load, the service completes as much as it can, in time. Clients send no timeout, so
// that only the rule can learn it.
func TestGoodputUnderOverload(t *testing.T) {
	t.Parallel()
	for _, load := range []float64{1.5, 2, 5, 10} {
		eachSeed(t, scenario{
			name: fmt.Sprintf("load=%g", load), load: steady(load), warm: 5 * time.Second, span: 6 * time.Second,
		}, func(t *testing.T, r result) {
			wantGoodput(t, r)
			wantP99(t, r)
		})
	}
}

// Behind httpserver every request has a deadline of 30 s, whatever its client's timeout. The
// queue has to fill, or clients have to disconnect, before waits become brief; the goodput lost
// until then is not counted.
func TestGoodputUnderOverloadWithTheDefaults(t *testing.T) {
	t.Parallel()
	for _, leaves := range []bool{true, false} {
		for _, load := range []float64{1.5, 5} {
			eachSeed(t, scenario{
				name: fmt.Sprintf("leaves=%t,load=%g", leaves, load), load: steady(load),
				timeout: 30 * time.Second, leaves: leaves, warm: 9 * time.Second, span: 6 * time.Second,
			}, wantGoodput)
		}
	}
}

// The server detects a closed connection a little later, and after different times. The longest
// wait of an admitted request is then longer than the waits of most clients that disconnected.
func TestGoodputUnderOverloadWhereClientsAreSeenToLeaveLate(t *testing.T) {
	t.Parallel()
	for _, unseen := range []time.Duration{time.Millisecond, 20 * time.Millisecond, simPatience} {
		for _, load := range []float64{1.5, 3} {
			eachSeed(t, scenario{
				name: fmt.Sprintf("unseen=%s,load=%g", unseen, load), load: steady(load),
				timeout: 30 * time.Second, leaves: true, unseen: unseen, warm: 9 * time.Second, span: 6 * time.Second,
			}, wantGoodput)
		}
	}
}

// Clients that send a timeout, as Envoy does, disconnect after it. The rejection of their
// requests still counts towards an overload.
func TestGoodputUnderOverloadOfClientsThatSendATimeout(t *testing.T) {
	t.Parallel()
	for _, load := range []float64{1.5, 5} {
		eachSeed(t, scenario{
			name: fmt.Sprintf("load=%g", load), load: steady(load), sendsTimeout: true, warm: 5 * time.Second, span: 6 * time.Second,
		}, wantGoodput)
	}
}

// A service below its capacity rejects no request, from the first one.
func TestNothingIsShedBelowCapacity(t *testing.T) {
	t.Parallel()
	for _, sendsTimeout := range []bool{false, true} {
		eachSeed(t, scenario{
			name: fmt.Sprintf("sendsTimeout=%t", sendsTimeout), load: steady(0.7), span: 30 * time.Second, sendsTimeout: sendsTimeout,
		}, func(t *testing.T, r result) {
			if r.shed != 0 {
				t.Errorf("%.3f %% were shed", 100*r.shed)
			}
		})
	}
}

// Half of the workers' speed is lost at 5 s, while the load stays.
func TestGoodputAfterCapacityHalves(t *testing.T) {
	t.Parallel()
	eachSeed(t, scenario{
		name: "halved", load: steady(0.9), capacity: 0.5, warm: 15 * time.Second, span: 10 * time.Second,
		slow: func(at time.Duration) float64 {
			if at > 5*time.Second {
				return 2
			}
			return 1
		},
	}, func(t *testing.T, r result) {
		wantGoodput(t, r)
	})
}

// The published gradient2 learns a long overload as normal, and latency grows. Here the last ten
// seconds of two minutes are like the first.
func TestLongOverloadIsNotLearnedAsNormal(t *testing.T) {
	t.Parallel()
	runSeeds(t, seeds()[:1], scenario{
		name: "2min", load: steady(1.5), warm: 110 * time.Second, span: 10 * time.Second,
	}, func(t *testing.T, r result) {
		wantGoodput(t, r)
		wantP99(t, r)
	})
}

// A service that became four times slower has a quarter of the capacity and is not overloaded: a
// minimum as the baseline would starve it. So would a minimum limit below its capacity, if the
// limiter learned nothing there.
func TestGoodputAfterCapacityQuarters(t *testing.T) {
	t.Parallel()
	for _, minLimit := range []int{4, simWorkers * 3 / 4} {
		eachSeed(t, scenario{
			name: fmt.Sprintf("minimum=%d", minLimit), load: steady(0.9), capacity: 0.25, warm: 25 * time.Second, span: 10 * time.Second,
			patience: 400 * time.Millisecond, config: Config{MinLimit: minLimit},
			slow: func(at time.Duration) float64 {
				if at > 5*time.Second {
					return 4
				}
				return 1
			},
		}, wantGoodput)
	}
}

// Five seconds after a step to twice the capacity, the goodput is settled.
func TestAStepIsSettledInFiveSeconds(t *testing.T) {
	t.Parallel()
	eachSeed(t, scenario{
		name: "step", warm: 15 * time.Second, span: 5 * time.Second,
		load: func(at time.Duration) float64 {
			if at > 10*time.Second {
				return 2
			}
			return 0.6
		},
	}, func(t *testing.T, r result) {
		wantGoodput(t, r)
		wantP99(t, r)
	})
}

// bursts offers 0.4 of the capacity, and three times the capacity for a while every five seconds.
// On average, the capacity is sufficient.
func bursts(length time.Duration) func(time.Duration) float64 {
	return func(at time.Duration) float64 {
		if at%(5*time.Second) < length {
			return 3
		}
		return 0.4
	}
}

// Queued requests are served after the burst. How many can wait depends on the timeout of the
// clients: a burst of a second outlasts timeouts of 100 ms with any queue, where the queue must
// do no harm.
func TestTheQueueCarriesBursts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		length   time.Duration
		patience time.Duration
		wait     time.Duration
		most     float64 // relative to what is shed without a queue
	}{
		{"30ms", 30 * time.Millisecond, simPatience, 50 * time.Millisecond, 0.1},
		{"1s, impatient callers", time.Second, simPatience, 50 * time.Millisecond, 1.01},
		{"1s, patient callers", time.Second, 5 * time.Second, 2 * time.Second, 0.2},
	} {
		sc := scenario{load: bursts(tc.length), warm: 5 * time.Second, span: 10 * time.Second, patience: tc.patience, sendsTimeout: true}
		sc.config = Config{Queue: 10000, QueueWait: tc.wait}
		without := sc
		without.config = Config{Queue: 1, QueueWait: time.Millisecond}
		for _, seed := range seeds() {
			t.Run(fmt.Sprintf("%s/seed=%d", tc.name, seed), func(t *testing.T) {
				t.Parallel()
				with, bare := simulate(t, sc, seed), simulate(t, without, seed)
				t.Logf("with %s, without %s", with, bare)
				if bare.shed == 0 || with.shed > tc.most*bare.shed {
					t.Errorf("with a queue %.2f %% are shed, without %.2f %%; want at most %.2f of that", 100*with.shed, 100*bare.shed, tc.most)
				}
				if with.goodput < 0.99*bare.goodput {
					t.Errorf("goodput fell from %.1f %% to %.1f %%", 100*bare.goodput, 100*with.goodput)
				}
			})
		}
	}
}

// At twice the capacity, critical requests are not rejected; sheddable ones are.
func TestTheImportantLoseNothing(t *testing.T) {
	t.Parallel()
	eachSeed(t, scenario{
		name: "2x", load: steady(2), warm: 5 * time.Second, span: 10 * time.Second,
		priority: func(r *rand.Rand) Priority {
			switch n := r.IntN(10); {
			case n < 2:
				return Critical
			case n < 8:
				return Default
			}
			return Sheddable
		},
	}, func(t *testing.T, r result) {
		wantGoodput(t, r)
		lost := func(p Priority) float64 {
			n := r.by[p.index()]
			return float64(n.shed) / float64(n.offered)
		}
		t.Logf("critical lose %.3f %%, default %.1f %%, sheddable %.1f %%", 100*lost(Critical), 100*lost(Default), 100*lost(Sheddable))
		if lost(Critical) >= 0.01 {
			t.Errorf("%.2f %% of the critical were shed", 100*lost(Critical))
		}
		if lost(Critical) >= lost(Default) || lost(Default) >= lost(Sheddable) {
			t.Errorf("rejected are %v, least important first", r.by)
		}
	})
}

// A service all of whose requests time out looks steady. Its limit must not grow: that would use
// memory without any success.
func TestSteadyTimeoutsDoNotRaiseTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := simLimiter(t, Config{})
		var requests sync.WaitGroup
		for range 60_000 { // a minute at 1000 requests per second
			time.Sleep(time.Millisecond)
			requests.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), simPatience)
				defer cancel()
				permit, err := l.Acquire(ctx, Default)
				if err == nil {
					<-ctx.Done()
					permit.Release(true)
				}
			})
		}
		requests.Wait()
		if limit := l.rule.allowed(); limit > 64 {
			t.Errorf("the limit rose to %d while no request succeeded", limit)
		}
	})
}
