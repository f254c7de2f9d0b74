package overload

import (
	"context"
	"errors"
	goruntime "runtime"
	"sync"
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// Options are what the program decides.
type Options struct {
	Config  Config
	Metrics *telemetry.Registry // required
	// Memory is the share of the memory limit that is in use; read from Go when
	// nil. It is called a hundred times a second at the most.
	Memory func() float64
	// BodyLimit is the size in bytes of the largest body that the server reads; 1 MiB
	// when 0. A request that announces more is rejected before it takes a body permit.
	BodyLimit int64
	// Relieve is called once a second while requests that are not sheddable are rejected
	// for memory, after the first second; it may free what slow clients hold. Memory in use alone does not cause
	// a call. It is nil when there is nothing to free.
	Relieve func()
	// Timeout is told the timeout that a client sent with a request; nil for nobody.
	Timeout func(context.Context, time.Duration)
	// Objective is the latency objective. That requests miss deadlines which leave them less
	// time does not lower the limit; 0 lets every deadline do so.
	Objective time.Duration
	// Failed says whether the request of that context has been answered with a
	// failure of ours; nil when nobody knows. What failed says nothing about how
	// fast the service works: a dependency that is refused at once would look like
	// a service that became fast.
	Failed func(context.Context) bool
}

// Limiter decides who is worked on. It is safe for concurrent use.
type Limiter struct {
	config    Config
	failed    func(context.Context) bool
	shed      shedCounters
	wouldShed shedCounters // in ModeObserve

	mu       sync.Mutex
	memory   memory
	sched    scheduler
	rule     rule
	queue    queue
	inFlight int
	away     int // requests that are served and hold no place

	bodies    *bodies
	objective time.Duration
	timeout   func(context.Context, time.Duration)
}

// New returns a limiter and declares its metrics. It starts nothing.
func New(opts Options) (*Limiter, error) {
	if opts.Metrics == nil {
		return nil, errors.New("overload: Options.Metrics is nil; pass the service's Metrics()")
	}
	cfg := opts.Config.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	failed := opts.Failed
	if opts.Relieve == nil {
		opts.Relieve = func() {}
	}
	if opts.Timeout == nil {
		opts.Timeout = func(context.Context, time.Duration) {}
	}
	if failed == nil {
		failed = func(context.Context) bool { return false }
	}
	l := &Limiter{config: cfg, failed: failed, rule: newRule(cfg), memory: newMemory(cfg, opts.Memory, opts.Relieve), sched: newScheduler(cfg), bodies: newBodies(opts.BodyLimit), objective: opts.Objective, timeout: opts.Timeout}
	var err error
	if l.shed, err = declareShed(opts.Metrics, semconv.RuntimeOverloadShed, "Requests that were rejected to protect the others."); err != nil {
		return nil, err
	}
	l.wouldShed, err = declareShed(opts.Metrics, semconv.RuntimeOverloadWouldShed, "Requests that would have been rejected if OVERLOAD_MODE were enforce.")
	if err != nil {
		return nil, err
	}
	if err := l.declareGauges(opts.Metrics); err != nil {
		return nil, err
	}
	return l, nil
}

// Permit is a request that is being worked on. Give it back with Release.
type Permit struct {
	limiter  *Limiter
	came     time.Time
	admitted time.Time
	priority Priority
}

// Acquire lets one request in, now or after a wait in the queue, or says why
// not: a [Reason], or the context's error when its caller left while it waited.
// The context's deadline is that of the request.
func (l *Limiter) Acquire(ctx context.Context, p Priority) (Permit, error) {
	switch l.config.Mode {
	case ModeOff:
		return Permit{}, nil
	case ModeObserve:
		return l.observe(ctx, p), nil
	}
	deadline, _ := ctx.Deadline()
	now := time.Now()
	l.mu.Lock()
	if reason := l.earlyRejection(now, deadline, p); reason != admitted {
		if reason == ReasonMemory {
			l.memory.reject(now, p)
		}
		l.mu.Unlock()
		return Permit{}, l.rejected(p, reason)
	}
	if l.inFlight < l.rule.allowed() && l.queue.empty() {
		l.admit()
		yield := l.sched.late(now)
		l.mu.Unlock()
		if yield {
			goruntime.Gosched()
		}
		return Permit{l, now, now, p}, nil
	}
	l.rule.crowded()
	w, reason := l.enqueue(now, deadline, p)
	l.mu.Unlock()
	if reason != admitted {
		return Permit{}, l.rejected(p, reason)
	}
	return l.await(ctx, w)
}

// earlyRejection returns the reason to reject a request before it is queued.
func (l *Limiter) earlyRejection(now, deadline time.Time, p Priority) Reason {
	switch {
	case !deadline.IsZero() && !now.Before(deadline):
		return ReasonDeadline
	case l.memory.short(now, p) && l.inFlight+l.away >= l.config.InitialLimit:
		// Below the initial limit every request is admitted: it is not the number of
		// requests that uses the memory, and a process that leaks must not reject for
		// ever instead of being restarted.
		return ReasonMemory
	}
	return admitted
}

// observe admits a request and counts it when it would have been rejected. What is in
// flight above the limit is what the queue would hold.
func (l *Limiter) observe(ctx context.Context, p Priority) Permit {
	deadline, _ := ctx.Deadline()
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	reason := l.earlyRejection(now, deadline, p)
	if waiting := l.inFlight - l.rule.allowed(); reason == admitted && waiting >= 0 {
		l.rule.crowded()
		l.queue.overload.visit(now)
		if patience := l.patience(now, deadline); waiting >= l.room(now, patience) {
			l.unserved(now, p, patience)
			reason = ReasonQueueFull
		}
	}
	if reason != admitted {
		l.wouldShed[p.index()][reason.index()].Inc()
	}
	l.admit()
	return Permit{l, now, now, p}
}

func (l *Limiter) admit() {
	l.inFlight++
	l.rule.begun(l.inFlight)
}

// enter admits a request whose work has begun already.
func (l *Limiter) enter() Permit {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.admit()
	return Permit{l, now, now, Default}
}

// releaseSlot gives a place back whose request goes on: it streams, or its client does not
// read. It still uses memory.
func (l *Limiter) releaseSlot() {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.away++
	l.rule.forgotten(now)
	l.dispatch(now)
}

// back ends a request that went away.
func (l *Limiter) back() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away--
}

// Release says that the work is over. Late means that its deadline passed
// before: how long it took then says how patient the caller was, not how fast
// the service is.
func (p Permit) Release(late bool) { p.release(late, late) }

// release is Release for a request whose client may have left: then how long it took says
// something only if a request can take that long.
func (p Permit) release(left, late bool) {
	l := p.limiter
	if l == nil {
		return // the limiter is off
	}
	now := time.Now()
	l.mu.Lock()
	l.inFlight--
	l.ended(now, p, left)
	if left && now.Sub(p.admitted).Seconds() < tolerance*l.rule.unqueued {
		l.rule.forgotten(now) // no request is done in so little time: its client is impatient
	} else {
		l.rule.ended(p.admitted, now, late, l.inFlight)
	}
	l.dispatch(now)
	l.mu.Unlock()
}

// Forget gives the permit back without learning from it: for a failure, which may be
// over before any work was done, and while the handler waits for its client to send the
// body, whose time is no latency.
func (p Permit) Forget() {
	l := p.limiter
	if l == nil {
		return
	}
	now := time.Now()
	l.mu.Lock()
	l.inFlight--
	l.rule.forgotten(now)
	l.dispatch(now)
	l.mu.Unlock()
}

// refused counts a refusal.
func (l *Limiter) rejected(p Priority, r Reason) error {
	l.shed[p.index()][r.index()].Inc()
	return r
}
