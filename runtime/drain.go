package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// Phases of a stop, as the label of runtime_drain_phase_seconds.
const (
	phaseAnnounce = "announce"
	phaseDelay    = "delay"
	phaseRequests = "requests"
	phaseWorkers  = "workers"
	phaseFlush    = "flush"
	phaseClose    = "close"
)

// reserve is the part of the budget kept for flushing and closing, however long
// requests and workers take: telemetry about a bad stop is worth most.
const reserve = 5 // a fifth

// stopping is one stop under way.
type stopping struct {
	*running
	span   trace.Span
	ctx    context.Context // ends with the budget
	work   context.Context // ends a reserve earlier, or at a second signal
	phases *prometheus.GaugeVec
	errs   []error
}

func (r *running) stop(ctx context.Context, signals <-chan os.Signal) error {
	budget := r.settings.Lifecycle.StopTimeout
	base := context.WithoutCancel(ctx)
	whole, cancel := context.WithTimeout(base, budget)
	defer cancel()
	work, cancelWork := context.WithTimeout(whole, budget-budget/reserve)
	defer cancelWork()
	finished := make(chan struct{})
	defer close(finished)
	go func() {
		select {
		case sig := <-signals:
			r.Logger().Warn("second signal: skipping the wait", "signal", sig.String())
			cancelWork()
		case <-finished:
		}
	}()

	s := &stopping{running: r, ctx: whole, work: work, phases: r.drainPhases}
	_, s.span = r.telemetry.TracerProvider().Tracer("github.com/observability-first/scaffold/runtime").Start(base, "shutdown")
	s.must(phaseAnnounce, s.announce)
	s.must(phaseDelay, s.delay)
	s.must(phaseRequests, s.finishRequests)
	s.must(phaseWorkers, s.finishWorkers)
	// The flush takes the span along: it can still say that it begins, and the
	// closing is told by log and metric alone (ADR 013).
	s.span.AddEvent(phaseFlush)
	s.span.End()
	// Telemetry that could not be delivered is a warning in the log and a count
	// in the metrics. The service did its work: the status stays 0.
	_ = s.phase(phaseFlush, s.flush)
	s.must(phaseClose, s.closeAll)
	if r.admin != nil {
		s.errs = append(s.errs, r.admin.Close(whole))
	}
	return errors.Join(s.errs...)
}

// must runs a phase whose failure is one of the service.
func (s *stopping) must(name string, run func() error) {
	if err := s.phase(name, run); err != nil {
		s.errs = append(s.errs, fmt.Errorf("stop, %s: %w", name, err))
	}
}

// phase runs one phase and reports it as log line, metric and span event. After a failed start,
// phases that succeed are logged at debug level, so that the error of the start stays the last line.
func (s *stopping) phase(name string, run func() error) error {
	began := time.Now()
	err := run()
	took := time.Since(began)
	s.phases.WithLabelValues(name).Set(took.Seconds())
	s.span.AddEvent(name, trace.WithAttributes(attribute.Float64("seconds", took.Seconds())))
	attrs := []slog.Attr{slog.String("phase", name), slog.Float64("duration_seconds", took.Seconds())}
	level := slog.LevelInfo
	switch {
	case err != nil:
		level = slog.LevelWarn
		attrs = append(attrs, slog.Any("error", err))
	case !s.started:
		level = slog.LevelDebug
	}
	s.Logger().LogAttrs(s.ctx, level, "drain phase done", attrs...)
	return err
}

func (s *stopping) announce() error {
	s.health.Drain()
	close(s.draining)
	if s.server != nil {
		s.server.Drain()
	}
	return all(s.work, s.drains)
}

// all runs the hooks at the same time and returns when they do or the context
// ends.
func all(ctx context.Context, hooks []hook) error {
	return await(ctx, func() error {
		errs := make([]error, len(hooks))
		var wg sync.WaitGroup
		for i, h := range hooks {
			wg.Go(func() { errs[i] = named(h, guard(ctx, h)) })
		}
		wg.Wait()
		return errors.Join(errs...)
	})
}

func named(h hook, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", h.name, err)
}

// moment is what a phase gets although the time for it is over: enough to say
// that there was nothing to do.
const moment = 50 * time.Millisecond

// await returns what f does, or the context's error when it ends first. An f
// that hangs is left behind: the process is about to exit.
func await(ctx context.Context, f func() error) error {
	_, err := awaitWith(ctx, moment, f)
	return err
}

// awaitWith waits that long beyond the context's end, and says whether it left f
// behind.
func awaitWith(ctx context.Context, patience time.Duration, f func() error) (left bool, err error) {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return false, err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return false, err
	case <-time.After(patience):
		return true, ctx.Err()
	}
}

// delay goes on serving until balancers have noticed.
func (s *stopping) delay() error {
	if s.server == nil || s.settings.Lifecycle.DrainDelay == 0 {
		return nil
	}
	timer := time.NewTimer(s.settings.Lifecycle.DrainDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.work.Done():
	}
	return nil
}

func (s *stopping) finishRequests() error {
	err := await(s.work, func() error {
		s.Service.work.Wait()
		return nil
	})
	if err != nil {
		err = fmt.Errorf("work was still in flight: %w", err)
	}
	if s.server == nil {
		return err
	}
	return errors.Join(s.server.Shutdown(s.work), err)
}

func (s *stopping) finishWorkers() error {
	if s.stopWorkers == nil {
		return nil
	}
	s.stopWorkers()
	err := await(s.work, func() error {
		s.workersDone.Wait()
		s.health.Stop()
		return nil
	})
	if err != nil {
		return fmt.Errorf("workers still ran: %w", err)
	}
	return nil
}

// flush gets the reserve of the budget, or half of what is left when that is less, so
// that a backend that never responds does not hold up the exit, and closing gets its
// share too.
func (s *stopping) flush() error {
	share := s.settings.Lifecycle.StopTimeout / reserve
	if deadline, ok := s.ctx.Deadline(); ok {
		share = min(share, time.Until(deadline)/2)
	}
	ctx, cancel := context.WithTimeout(s.ctx, share)
	defer cancel()
	return s.telemetry.Shutdown(ctx)
}

func (s *stopping) closeAll() error {
	var errs []error
	for _, h := range slices.Backward(s.stops) {
		err := await(s.ctx, func() error { return guard(s.ctx, h) })
		errs = append(errs, named(h, err))
	}
	return errors.Join(errs...)
}
