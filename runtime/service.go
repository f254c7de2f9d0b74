package runtime

import (
	"cmp"
	"context"
	"errors"
	"io"
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

// Service is passed to the run function of a program. Its methods declare; declared functions do
// not run before [Service.Run]. The methods are not safe for concurrent use before Run.
type Service struct {
	info     Info
	defaults Defaults
	process  Process
	mode     mode
	settings settings
	loader   *config.Loader
	problems []error // of the configuration; returned by Load or Run

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
	work     sync.WaitGroup // units counted by Track
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
	verb string // verbServe etc., or the name of a declared command
}

const verbServe = "serve"

// describes reports whether the process only prints a description of the service. Then a missing
// environment variable is no error.
func (m mode) describes() bool {
	return slices.Contains([]string{verbTelemetry, verbConfig, verbOpenAPI, verbHelp}, m.verb)
}

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
		// Wiring continues with the defaults, so that the service's own configuration is checked
		// in the same run.
		s.settings = defaults.settings()
	}
	s.settings.takePort(s.loader.EnvVars())
	if err := s.build(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Service) build() error {
	var err error
	s.telemetry, err = telemetry.New(telemetry.Options{
		Service: s.info.Name, Version: s.info.Version, Revision: revision(),
		Config:   s.settings.Telemetry,
		Sampling: telemetry.Sampling{Ratio: s.settings.Telemetry.TraceRatio, TrustRemote: s.settings.HTTP.TrustedParent},
		Mode:     s.defaults.Histograms,
		Stdout:   s.logs(),
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
	s.drainPhases, err = s.telemetry.Metrics().Gauge(semconv.RuntimeDrainPhase, "Duration of each phase of the shutdown.", semconv.LabelPhase)
	if err != nil {
		return err
	}
	s.health, err = health.New(health.Options{
		Config: s.settings.Health, Registry: s.telemetry.Metrics(), Logger: s.telemetry.Logger(),
	})
	return err
}

// logs is where log lines go. The standard output of a command that describes the service is a document.
func (s *Service) logs() io.Writer {
	if s.mode.describes() && s.process.Stderr != nil {
		return s.process.Stderr
	}
	return s.process.Stdout
}

// Load loads cfg, a pointer to a struct with the tags of package config. The error has all
// problems, including those of the runtime's own environment variables; return it from run to
// exit with code 64. Load returns nil in a process that runs a command: then cfg may be
// incomplete, and Run returns the problems before the command runs.
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

// Handle serves h on the service's port and observes its requests. Call it once; combine several
// handlers with a router. The options declare routes that a router cannot list.
func (s *Service) Handle(h http.Handler, options ...httpserver.Option) {
	if h == nil {
		s.problems = append(s.problems, errors.New("Handle: the handler is nil; pass a router"))
	}
	if s.handler != nil {
		s.problems = append(s.problems, errors.New("Handle was called twice; combine the handlers with one router"))
	}
	s.handler, s.routes = h, options
}

// Go runs a worker while the service serves. Its context ends after the last request in flight.
// An error or panic of a worker stops the service. A worker may return nil when it has finished.
func (s *Service) Go(name string, work func(context.Context) error) {
	s.workers = append(s.workers, hook{name, work})
}

// OnStart registers a hook that runs before the service is ready, in the order of declaration. An
// error stops the service.
func (s *Service) OnStart(name string, start func(context.Context) error) {
	s.starts = append(s.starts, hook{name, start})
}

// OnStop registers a hook that runs after all requests and workers have ended, in the reverse
// order of declaration.
func (s *Service) OnStop(name string, stop func(context.Context) error) {
	s.stops = append(s.stops, hook{name, stop})
}

// OnDrain registers a hook that runs when the shutdown begins, while the service still serves.
// Use it to close long-lived connections.
func (s *Service) OnDrain(name string, drain func(context.Context) error) {
	s.drains = append(s.drains, hook{name, drain})
}

// Draining returns a channel that is closed when the shutdown begins. Consumers then stop
// fetching.
func (s *Service) Draining() <-chan struct{} { return s.draining }

// Track counts a unit of work in flight, such as a message, until done is called. A shutdown
// waits for it as for requests.
func (s *Service) Track() (done func()) {
	s.work.Add(1)
	return sync.OnceFunc(s.work.Done)
}

// Check runs a check of a dependency that all replicas share in the background. The service is
// not ready until it has succeeded once. Later failures degrade the service but do not make it
// unready: if all replicas became unready, the outage would be worse.
func (s *Service) Check(name string, check func(context.Context) error) {
	s.health.Add(name, check)
}

// CheckOptional runs a check of another service in the background. The service becomes ready without it, so that
// services that call each other can start in any order.
func (s *Service) CheckOptional(name string, check func(context.Context) error) {
	s.health.Add(name, check, health.Optional)
}

// Waiting shows err on /readyz as the reason why the check with that name has not succeeded yet.
// Start hooks that wait for a dependency call it, since checks run only after the hooks.
func (s *Service) Waiting(check string, err error) { s.health.Waiting(check, err) }

// CheckCritical runs a check of a resource of this replica, such as a disk or a lease. While it
// fails, the replica is not ready. Do not use it for a dependency that all replicas share.
func (s *Service) CheckCritical(name string, check func(context.Context) error) {
	s.health.Add(name, check, health.Critical)
}

// Command declares a command of the binary, such as `orders migrate`. It runs instead of the
// service, without start hooks.
func (s *Service) Command(name, help string, run func(context.Context) error) {
	s.commands = append(s.commands, command{hook{name, run}, help})
}

// Telemetry returns the telemetry of the service.
func (s *Service) Telemetry() *telemetry.Telemetry { return s.telemetry }

// Metrics returns the registry for the service's own metrics.
func (s *Service) Metrics() *telemetry.Registry { return s.telemetry.Metrics() }

// Logger returns the logger of the service.
func (s *Service) Logger() *slog.Logger { return s.telemetry.Logger() }

// Name returns the service name of all signals.
func (s *Service) Name() string { return s.telemetry.Service() }

// usageError is an error of usage or configuration: exit code 64.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }
