package runtime

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/observability-first/scaffold/runtime/config"
	"github.com/observability-first/scaffold/runtime/health"
	"github.com/observability-first/scaffold/runtime/httpserver"
	"github.com/observability-first/scaffold/runtime/overload"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/runtime/telemetry"
)

// Service is what a program's run function wires. Its methods declare; nothing
// they are given runs before [Service.Run]. Wire from one goroutine.
type Service struct {
	info     Info
	defaults Defaults
	process  Process
	mode     mode
	settings settings
	loader   *config.Loader
	problems []error // of the configuration; Load or Run returns them

	telemetry *telemetry.Telemetry
	observer  *httpserver.Observer
	health    *health.Monitor
	limiter   *overload.Limiter

	handler  http.Handler
	routes   []httpserver.Option
	starts   []hook
	stops    []hook
	drains   []hook
	workers  []hook
	commands []command

	drainPhases *prometheus.GaugeVec

	draining chan struct{}
	work     sync.WaitGroup // units that Track counts
}

type hook struct {
	name string
	run  func(context.Context) error
}

type command struct {
	hook
	help string
}

// mode is what this process was started for.
type mode struct {
	verb string // verbServe and its siblings, else the name of a declared command
}

const verbServe = "serve"

// describes says whether the process only tells about the service: then a
// missing variable is no problem.
func (m mode) describes() bool {
	return slices.Contains([]string{verbTelemetry, verbConfig, verbOpenAPI, verbHelp}, m.verb)
}

// isCommand reports whether the process was started for a command that the service has to
// declare.
func (m mode) isCommand() bool { return m.verb != verbServe && !m.describes() }

func newService(p Process, info Info, defaults Defaults, verb string) (*Service, error) {
	s := &Service{
		info: info, defaults: defaults, process: p, mode: mode{verb},
		settings: defaults.settings(),
		loader:   config.NewLoader(config.Source{Lookup: p.LookupEnv}),
		draining: make(chan struct{}),
	}
	if err := s.loader.Load(&s.settings); err != nil {
		s.problems = append(s.problems, err)
		// Wiring goes on with the spec's values, so that the service's own
		// configuration is checked in the same run.
		s.settings = defaults.settings()
	}
	s.settings.takePort(s.loader.EnvVars())
	if err := s.build(); err != nil {
		return nil, err
	}
	return s, nil
}

// build makes the parts that every service has.
func (s *Service) build() error {
	var err error
	s.telemetry, err = telemetry.New(telemetry.Options{
		Service: s.info.Name, Version: s.info.Version, Revision: revision(),
		Config:   s.settings.Telemetry,
		Sampling: telemetry.Sampling{Ratio: s.settings.Telemetry.TraceRatio, TrustRemote: s.settings.HTTP.TrustedParent},
		Mode:     s.defaults.Histograms,
		Stdout:   s.process.Stdout,
	})
	if err != nil {
		return usageError{err}
	}
	s.observer, err = httpserver.NewObserver(httpserver.Options{
		Config: s.settings.HTTP, Telemetry: s.telemetry,
		SlowAfter: s.defaults.slowAfter(), Bounds: s.defaults.LatencyBounds,
	})
	if err != nil {
		return err
	}
	s.limiter, err = overload.New(overload.Options{
		Config: s.settings.Overload, Metrics: s.telemetry.Metrics(),
		BodyLimit: s.settings.HTTP.BodyLimit, Timeout: httpserver.RecordTimeout, Relieve: s.observer.CutSlowReaders, Failed: httpserver.Failed,
		Objective: min(cmp.Or(s.defaults.slowAfter(), withoutObjective), s.settings.HTTP.RequestTimeout/2),
	})
	if err != nil {
		return usageError{err}
	}
	s.drainPhases, err = s.telemetry.Metrics().Gauge(semconv.RuntimeDrainPhase, "Time that each phase of the stop took.", semconv.LabelPhase)
	if err != nil {
		return err
	}
	s.health, err = health.New(health.Options{
		Config: s.settings.Health, Registry: s.telemetry.Metrics(), Logger: s.telemetry.Logger(),
	})
	return err
}

// Load fills cfg, a pointer to a struct with the tags of package config, from
// the environment. The error holds every problem at once, those of the
// runtime's own variables included; returning it from run ends the process with
// status 64. It is nil in a process that runs a command: cfg may then be incomplete
// while the service is wired, and Run returns the problems before the command runs.
func (s *Service) Load(cfg any) error {
	err := s.loader.Load(cfg)
	_, wrong := errors.AsType[*config.Error](err)
	if s.mode.describes() && err != nil && !wrong {
		return err
	}
	s.problems = append(s.problems, err)
	if s.mode.describes() {
		return nil
	}
	if s.mode.isCommand() {
		return nil // Run returns the problems once it knows that the command exists
	}
	if err := errors.Join(s.problems...); err != nil {
		return usageError{err}
	}
	return nil
}

// Handle serves h on the service's port, observed. Call it once; compose
// several handlers with a router. The options declare routes that a router
// cannot list.
func (s *Service) Handle(h http.Handler, options ...httpserver.Option) {
	if h == nil {
		s.problems = append(s.problems, errors.New("Handle was given no handler; pass a router"))
	}
	if s.handler != nil {
		s.problems = append(s.problems, errors.New("Handle was called twice; compose the handlers with one router"))
	}
	s.handler, s.routes = h, options
}

// Go runs a worker while the service serves. Its context ends after the last
// request in flight was answered. A worker that returns an error or panics
// stops the service; one that returns nil has done its work.
func (s *Service) Go(name string, work func(context.Context) error) {
	s.workers = append(s.workers, hook{name, work})
}

// OnStart runs start before the service is ready, after the hooks that were
// declared before it. An error stops the service.
func (s *Service) OnStart(name string, start func(context.Context) error) {
	s.starts = append(s.starts, hook{name, start})
}

// OnStop runs stop once nothing uses the service any more, in the reverse order
// of declaration.
func (s *Service) OnStop(name string, stop func(context.Context) error) {
	s.stops = append(s.stops, hook{name, stop})
}

// OnDrain runs drain when the service begins to stop, while it still serves:
// the place to say goodbye on long connections.
func (s *Service) OnDrain(name string, drain func(context.Context) error) {
	s.drains = append(s.drains, hook{name, drain})
}

// Draining is closed when the service begins to stop: consumers stop fetching.
func (s *Service) Draining() <-chan struct{} { return s.draining }

// Track counts one unit of work in flight, a message for example, until the
// returned function is called. A stop waits for it as it waits for requests.
func (s *Service) Track() (done func()) {
	s.work.Add(1)
	return sync.OnceFunc(s.work.Done)
}

// Check watches something that all replicas share, in the background. It gates
// the start; after that a failure degrades the service and is shown, but does
// not make it unready: an outage that empties the balancer helps nobody.
func (s *Service) Check(name string, check func(context.Context) error) {
	s.health.Add(name, check)
}

// Waiting shows err on /readyz as the reason why the check of that name has not
// succeeded yet. A start hook that waits for something calls it, since checks run only
// after the hooks.
func (s *Service) Waiting(check string, err error) { s.health.Waiting(check, err) }

// CheckCritical watches something that this replica alone may lose, a disk or a
// lease: while the check fails, the replica is not ready. Never use it for what
// all replicas share.
func (s *Service) CheckCritical(name string, check func(context.Context) error) {
	s.health.Add(name, check, health.Critical)
}

// Command declares a sub-command of the binary, as in `orders migrate`. It runs
// instead of the service, with the wiring done and no start hook run.
func (s *Service) Command(name, help string, run func(context.Context) error) {
	s.commands = append(s.commands, command{hook{name, run}, help})
}

// Telemetry gives the four signals to what is wired.
func (s *Service) Telemetry() *telemetry.Telemetry { return s.telemetry }

// Metrics is where the service declares metrics of its own.
func (s *Service) Metrics() *telemetry.Registry { return s.telemetry.Metrics() }

// Logger writes the service's log lines.
func (s *Service) Logger() *slog.Logger { return s.telemetry.Logger() }

// Name is the name that the service goes by on every signal.
func (s *Service) Name() string { return s.telemetry.Service() }

// usageError is a mistake of whoever started the process: status 64, no stack.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }
