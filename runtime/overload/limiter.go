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

// Options configure a [Limiter].
type Options struct {
	Config  Config
	Metrics *telemetry.Registry // required
	// Memory returns the ratio of the memory limit in use. If nil, it is read from Go's runtime.
	// It is called at most a hundred times a second.
	Memory func() float64
	// BodyLimit is the maximum size of a body in bytes; 0 means 1 MiB. A request that announces
	// more is rejected before it takes a body permit.
	BodyLimit int64
	// Relieve frees memory that slow clients hold, if it is not nil. It is called once a second,
	// after the first second in which requests that are not sheddable are rejected for memory.
	Relieve func()
	// Timeout is called with the timeout that a client sent, if it is not nil.
	Timeout func(context.Context, time.Duration)
	// Objective is the latency objective. Missed deadlines do not lower the limit if the client
	// left less time than this.
	Objective time.Duration
	// Failed reports whether the response to the request of the context is a server error. It may
	// be nil. The limiter does not learn from failed requests: if a dependency fails immediately,
	// the service would look fast.
	Failed func(context.Context) bool
}

// Limiter limits the requests in flight. It is safe for concurrent use.
type Limiter struct {
	config    Config
	failed    func(context.Context) bool
	shed      shedCounters
	wouldShed shedCounters // for ModeObserve

	mu       sync.Mutex
	memory   memory
	sched    scheduler
	rule     rule
	queue    queue
	inFlight int
	detached int // requests that are served without a slot

	bodies    *bodies
	objective time.Duration
	timeout   func(context.Context, time.Duration)
}

// New returns a Limiter and registers its metrics.
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
	if l.shed, err = declareShed(opts.Metrics, semconv.RuntimeOverloadShed, "Requests rejected to protect other requests."); err != nil {
		return nil, err
	}
	l.wouldShed, err = declareShed(opts.Metrics, semconv.RuntimeOverloadWouldShed, "Requests that OVERLOAD_MODE=enforce would have rejected.")
	if err != nil {
		return nil, err
	}
	if err := l.declareGauges(opts.Metrics); err != nil {
		return nil, err
	}
	return l, nil
}

// Permit is the permission to work on a request. Return it with Release or Forget.
type Permit struct {
	limiter  *Limiter
	came     time.Time
	admitted time.Time
	priority Priority
}

// Acquire admits a request, possibly after a wait in the queue. The deadline of the request is
// that of the context. The error is a [Reason], or the context's error if it was canceled during
// the wait.
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
	case l.memory.short(now, p) && l.inFlight+l.detached >= l.config.InitialLimit:
		// Below the initial limit every request is admitted: the memory is not used by requests,
		// and a process that leaks must be restarted instead of rejecting requests forever.
		return ReasonMemory
	}
	return admitted
}

// observe admits a request and counts it if it would have been rejected. Requests in flight above
// the limit count as queued.
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

// enter admits a request whose work has already begun.
func (l *Limiter) enter() Permit {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.admit()
	return Permit{l, now, now, Default}
}

// releaseSlot releases the slot of a request that continues: it streams, or its client does not
// read. It still uses memory.
func (l *Limiter) releaseSlot() {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.detached++
	l.rule.forgotten(now)
	l.dispatch(now)
}

// back ends a request without a slot.
func (l *Limiter) back() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.detached--
}

// Release returns the permit. late reports that the deadline passed before: the duration then
// depends on the client and says nothing about the speed of the service.
func (p Permit) Release(late bool) { p.release(late, late) }

// release is Release for a request whose client may have disconnected. Its duration counts only
// if a request can take that long.
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
		l.rule.forgotten(now) // no request completes in so little time: the client is impatient
	} else {
		l.rule.ended(p.admitted, now, late, l.inFlight)
	}
	l.dispatch(now)
	l.mu.Unlock()
}

// Forget returns the permit without learning from it. It is for a failure, which may have
// happened before any work, and while the handler waits for its client to send the body, which is
// no latency.
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

func (l *Limiter) rejected(p Priority, r Reason) error {
	l.shed[p.index()][r.index()].Inc()
	return r
}
