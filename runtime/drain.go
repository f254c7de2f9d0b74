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

// Phases of a shutdown, as the label of runtime_drain_phase_seconds.
const (
	phaseAnnounce = "announce"
	phaseDelay    = "delay"
	phaseRequests = "requests"
	phaseWorkers  = "workers"
	phaseFlush    = "flush"
	phaseClose    = "close"
)

// reserve is the part of the budget for flush and close, however long requests and workers take:
// telemetry of a failed shutdown matters most.
const reserve = 5 // a fifth

// stopping is a shutdown in progress.
type stopping struct {
	*running
	span   trace.Span
	ctx    context.Context // ends with the budget
	work   context.Context // ends earlier by the reserve, or at a second signal
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
			r.Logger().Warn("second signal, skipping the wait", "signal", sig.String())
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
	// The flush exports the span, so its event must be before it. The close phase is only in log
	// and metric (ADR 013).
	s.span.AddEvent(phaseFlush)
	s.span.End()
	// Telemetry that was not delivered is logged and counted. It does not change the exit code.
	_ = s.phase(phaseFlush, s.flush)
	s.must(phaseClose, s.closeAll)
	if r.admin != nil {
		s.errs = append(s.errs, r.admin.Close(whole))
	}
	return errors.Join(s.errs...)
}

// must runs a phase whose error is an error of the service.
func (s *stopping) must(name string, run func() error) {
	if err := s.phase(name, run); err != nil {
		s.errs = append(s.errs, fmt.Errorf("shutdown, %s: %w", name, err))
	}
}

// phase runs a phase and reports it as log line, metric and span event. After a failed start,
// successful phases are logged at debug level, so that the error of the start is the last line.
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

// all runs the hooks concurrently. It returns when all have returned or the context ends.
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

// moment is the minimum time of a phase, even if the budget is over. It suffices if there is
// nothing to do.
const moment = 50 * time.Millisecond

// await returns the result of f, or the context's error if it ends first. Then f is abandoned:
// the process is about to exit.
func await(ctx context.Context, f func() error) error {
	_, err := awaitWith(ctx, moment, f)
	return err
}

// awaitWith waits until patience after the end of the context, and reports whether it abandoned
// f.
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

// delay keeps serving until load balancers have noticed.
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
		err = fmt.Errorf("work still in flight: %w", err)
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
		return fmt.Errorf("workers still running: %w", err)
	}
	return nil
}

// flush gets the reserve of the budget, or half of the remaining time if that is less. So a
// backend that does not respond cannot delay the exit, and close has time, too.
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
