package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	goruntime "runtime"
	"slices"
	"sync"

	"github.com/observability-first/scaffold/runtime/config"
	"github.com/observability-first/scaffold/runtime/httpserver"
)

// Run runs the service until ctx ends, a signal stops it, or a component fails. Then it shuts
// everything down and returns all errors.
//
// Start: telemetry, both listeners (so that an address in use is reported immediately), the start
// hooks in order, workers, requests. The service is ready when its checks have succeeded.
//
// A shutdown has one budget (STOP_TIMEOUT). Each phase is a log line and a value of
// runtime_drain_phase_seconds. Each phase before the flush, which exports the shutdown span, is
// also an event of that span:
//
//  1. announce: /readyz responds with 503, consumers stop fetching, OnDrain hooks run, and
//     responses ask clients to close the connection.
//  2. delay: DRAIN_DELAY, until load balancers have noticed.
//  3. requests: the listener closes; requests and tracked work in flight end.
//  4. workers: their context ends.
//  5. flush: all signals concurrently, for at most a fifth of the budget. Telemetry that is not
//     delivered is a warning and counted, but no error.
//  6. close: OnStop hooks run in reverse order.
//
// The admin listener closes last. A shutdown without an error ends with the log line "stopped". A
// second signal skips the waits of the remaining phases.
func (s *Service) Run(ctx context.Context) error {
	if s.mode.verb != verbServe {
		return s.serveCommand(ctx)
	}
	if err := errors.Join(append(s.problems, s.loader.Check(), s.settings.Lifecycle.check())...); err != nil {
		return usageError{err}
	}
	r := &running{Service: s, failed: make(chan error, len(s.workers)+2)}
	return r.run(ctx)
}

type running struct {
	*Service
	server *httpserver.Server
	admin  *adminServer

	workersCtx  context.Context
	stopWorkers context.CancelFunc
	workersDone sync.WaitGroup

	failed  chan error // of workers and servers
	started bool
}

func (r *running) run(ctx context.Context) error {
	signals, release := r.process.notify()
	defer release()
	// The first signal ends ctx, also during start hooks; stop handles a second one.
	ctx, stopRequested := context.WithCancelCause(ctx)
	defer stopRequested(nil)
	go func() {
		select {
		case sig := <-signals:
			stopRequested(fmt.Errorf("signal: %s", sig))
		case <-ctx.Done():
		}
	}()

	err := r.start(ctx)
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-r.failed:
			r.Logger().Error("component failed, shutting down", "error", err)
		}
	}
	if ctx.Err() != nil {
		r.Logger().Info("stop requested", "reason", context.Cause(ctx).Error())
		err = nil // errors of an interrupted start do not count
	}
	if err = errors.Join(err, r.stop(ctx, signals)); err == nil {
		r.Logger().Info("stopped")
	}
	return err
}

func (r *running) start(ctx context.Context) error {
	if err := r.telemetry.Start(ctx); err != nil {
		return err
	}
	r.telemetry.SetGlobals()
	r.followMemoryLimit()
	if err := r.listen(ctx); err != nil {
		return usageError{err}
	}
	if r.admin != nil {
		r.serve("admin listener", r.admin.Serve)
	}
	r.workersCtx, r.stopWorkers = context.WithCancel(context.WithoutCancel(ctx))
	go r.tuneCollector(r.workersCtx)
	for _, h := range r.starts {
		if err := r.startHook(ctx, h); err != nil {
			return fmt.Errorf("start %s: %w", h.name, err)
		}
	}
	for _, w := range r.workers {
		r.workersDone.Go(func() {
			if err := guard(r.workersCtx, w); r.workersCtx.Err() == nil {
				r.report("worker "+w.name, err)
			}
		})
	}
	if r.server != nil {
		r.serve("http listener", r.server.Serve)
	}
	if err := r.health.Start(r.workersCtx); err != nil {
		return err
	}
	if httpserver.FaultsCompiledIn {
		r.Logger().Warn("fault injection is enabled in this build; do not use it in production", "tag", "scaffold_faults")
	}
	r.started = true
	r.Logger().InfoContext(ctx, "service started", r.startedAttrs()...)
	r.explainSampling()
	r.announceAddrs()
	return nil
}

// explainSampling logs why a configured ratio samples no trace.
func (r *running) explainSampling() {
	set := func(v config.EnvVar) bool {
		return v.Name == "TRACE_RATIO" && (v.Origin == config.FromEnvironment || v.Origin == config.FromFile)
	}
	if slices.ContainsFunc(r.loader.EnvVars(), set) && !r.settings.Telemetry.ExportsTraces() {
		r.Logger().Info("TRACE_RATIO has no effect because traces are not exported; set OTEL_EXPORTER_OTLP_ENDPOINT to a collector such as http://127.0.0.1:4318")
	}
}

// startHook runs a start hook. A hook that does not return when ctx ends is abandoned after the
// reserve of the budget, so that the process needs no SIGKILL.
func (r *running) startHook(ctx context.Context, h hook) error {
	left, err := awaitWith(ctx, r.settings.Lifecycle.StopTimeout/reserve, func() error { return guard(ctx, h) })
	if left {
		r.Logger().Warn("start hook did not stop", "hook", h.name)
	}
	return err
}

// listen binds the addresses and reports all that are in use.
func (r *running) listen(ctx context.Context) error {
	var err error
	if r.handler != nil {
		if r.server, err = httpserver.New(r.observer, r.protected(r.handler), r.routes...); err != nil {
			return err
		}
	}
	if r.settings.Admin.off() {
		r.serveProbesOnRequestPort()
	} else {
		r.admin = newAdminServer(r.Service)
		err = r.admin.Listen(ctx)
	}
	if r.server != nil {
		err = errors.Join(err, r.server.Listen(ctx))
	}
	return err
}

func (r *running) serve(name string, serve func() error) {
	go func() { r.report(name, serve()) }()
}

// report reports a failed component to the main loop. nil is no failure.
func (r *running) report(part string, err error) {
	if err != nil {
		r.failed <- fmt.Errorf("%s: %w", part, err)
	}
}

func (r *running) startedAttrs() []any {
	var attrs []any
	if r.server != nil {
		attrs = append(attrs, slog.String("http_addr", r.server.Addr().String()))
	}
	if r.admin != nil {
		attrs = append(attrs, slog.String("admin_addr", r.admin.Addr().String()))
	}
	return append(attrs,
		slog.String("service", r.Name()), slog.String("version", r.telemetry.Version()),
		slog.String("owner", r.defaults.Owner), slog.Int("pid", os.Getpid()),
		slog.Int("gomaxprocs", goruntime.GOMAXPROCS(0)), slog.String("overload_mode", string(r.settings.Overload.Mode)),
	)
}

func (r *running) announceAddrs() {
	if r.process.Started == nil {
		return
	}
	var http, admin net.Addr
	if r.server != nil {
		http = r.server.Addr()
	}
	if r.admin != nil {
		admin = r.admin.Addr()
	}
	r.process.Started(http, admin)
}

// guard turns a panic of a hook into an error with the stack.
func guard(ctx context.Context, h hook) (err error) {
	defer func() {
		if p := recover(); p != nil {
			stack := make([]byte, 8<<10)
			err = fmt.Errorf("panic: %v\n%s", p, stack[:goruntime.Stack(stack, false)])
		}
	}()
	return h.run(ctx)
}
