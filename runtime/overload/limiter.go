package overload

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/observability-first/scaffold/runtime/telemetry"
)

// Options are what the program decides.
type Options struct {
	Config  Config
	Metrics *telemetry.Registry // required
	// Memory is the share of the memory limit that is in use; read from Go when
	// nil. It is called a hundred times a second at the most.
	Memory func() float64
	// Failed says whether the request of that context has been answered with a
	// failure of ours; nil when nobody knows. What failed says nothing about how
	// fast the service works: a dependency that is refused at once would look like
	// a service that became fast.
	Failed func(context.Context) bool
}

// Limiter decides who is worked on. It is safe for concurrent use.
type Limiter struct {
	config Config
	failed func(context.Context) bool
	shed   shedCounters

	mu       sync.Mutex
	memory   memory
	sched    scheduler
	rule     rule
	queue    queue
	inFlight int
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
	if failed == nil {
		failed = func(context.Context) bool { return false }
	}
	l := &Limiter{config: cfg, failed: failed, rule: newRule(cfg), queue: newQueue(cfg), memory: newMemory(cfg, opts.Memory), sched: newScheduler(cfg)}
	var err error
	l.shed, err = l.declare(opts.Metrics)
	return l, err
}

// Permit is a request that is being worked on. Give it back with Release.
type Permit struct {
	limiter  *Limiter
	admitted time.Time
}

// Acquire lets one request in, now or after a wait in the queue, or says why
// not: a [Reason], or the context's error when its caller left while it waited.
// The context's deadline is that of the request.
func (l *Limiter) Acquire(ctx context.Context, p Priority) (Permit, error) {
	if !l.config.Enabled {
		return Permit{}, nil
	}
	deadline, _ := ctx.Deadline()
	now := time.Now()
	l.mu.Lock()
	if reason := l.hopeless(now, deadline, p); reason != admitted {
		l.mu.Unlock()
		return Permit{}, l.refused(p, reason)
	}
	if l.inFlight < l.rule.allowed() && l.queue.empty() {
		l.admit()
		l.mu.Unlock()
		return Permit{l, now}, nil
	}
	l.rule.crowded()
	w, reason := l.enqueue(now, deadline, p)
	l.mu.Unlock()
	if reason != admitted {
		return Permit{}, l.refused(p, reason)
	}
	return l.await(ctx, w)
}

// hopeless says why a request is not even worth a place in the queue.
func (l *Limiter) hopeless(now, deadline time.Time, p Priority) Reason {
	switch {
	case !deadline.IsZero() && !now.Before(deadline):
		return ReasonDeadline
	case l.memory.short(now, p) && l.inFlight >= l.config.MinLimit:
		// Below the floor everybody is let in: a process that leaks must not
		// refuse for ever instead of being restarted.
		return ReasonMemory
	case l.sched.late(now, p):
		return ReasonScheduler
	}
	return admitted
}

func (l *Limiter) admit() {
	l.inFlight++
	l.rule.begun(l.inFlight)
}

// Release says that the work is over. Late means that its deadline passed
// before: how long it took then says how patient the caller was, not how fast
// the service is.
func (p Permit) Release(late bool) {
	l := p.limiter
	if l == nil {
		return // the limiter is off
	}
	now := time.Now()
	l.mu.Lock()
	l.inFlight--
	l.rule.ended(p.admitted, now, late, l.inFlight)
	l.dispatch(now)
	l.mu.Unlock()
}

// Forget gives the permit back without learning from it: for a stream, which was
// let in like everybody and lasts as long as it lasts, and for a failure, which
// may be over before any work was done.
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
func (l *Limiter) refused(p Priority, r Reason) error {
	l.shed[p.index()][r.index()].Inc()
	return r
}
