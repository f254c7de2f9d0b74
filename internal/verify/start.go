package verify

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"time"

	"github.com/observability-first/scaffold/internal/source/openapi"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/servicetest"
	"github.com/observability-first/scaffold/templates"
)

// faultTag compiles fault injection into the runtime's server.
const faultTag = "scaffold_faults"

// buildStopsWithin is how long an interrupted build may take to clean up.
const buildStopsWithin = 5 * time.Second

// build builds the real binary, and links it again with another version for the check of deployments.
func (s *session) build(ctx context.Context) error {
	s.options.Progress("building " + s.subject.Package)
	s.binary, s.second = filepath.Join(s.temp, "service"), filepath.Join(s.temp, "service-second")
	if goruntime.GOOS == "windows" {
		s.binary, s.second = s.binary+".exe", s.second+".exe"
	}
	err := s.compile(ctx, s.binary, "-w")
	if err == nil && s.deploys() {
		err = s.compile(ctx, s.second, "-w "+versionFlag)
	}
	return err
}

// compile runs go build.
func (s *session) compile(ctx context.Context, binary, linkerFlags string) error {
	args := slices.Concat([]string{"build", "-ldflags=" + linkerFlags, "-tags", faultTag, "-o", binary}, s.options.BuildFlags, []string{s.subject.Package})
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = s.subject.Dir
	// The go tool removes its files when it is interrupted. If it does not get to that, they are removed with
	// s.temp.
	cmd.Env = append(os.Environ(), "GOTMPDIR="+s.temp)
	tie(cmd) // the compiler and the linker end with it
	cmd.Cancel = func() error { return interrupt(cmd) }
	cmd.WaitDelay = buildStopsWithin
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", s.subject.Package, err, bytes.TrimSpace(out))
	}
	return nil
}

// start starts what the service connects to, and the service. If the service does not start, that is a failed check, not an
// error, and child is nil.
func (s *session) start(ctx context.Context) error {
	env := s.environment()
	more, err := s.startDoubles(ctx)
	if err != nil {
		return err
	}
	env = append(env, more...)
	receiver, stop := servicetest.ListenReceiver()
	s.receiver, s.stopReceiver = receiver, stop
	env = append(env,
		"OTEL_EXPORTER_OTLP_ENDPOINT="+receiver.URL, "PYROSCOPE_SERVER_ADDRESS="+receiver.URL,
		"PYROSCOPE_UPLOAD_INTERVAL=3s", "OTEL_BSP_SCHEDULE_DELAY=500",
	)
	s.options.Progress("starting the service")
	s.env = slices.Concat(env, s.options.Env)
	c, err := launch(ctx, s.binary, s.subject.Dir, s.env, cmp.Or(s.options.StartWithin, startWithin))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.checks.Record(sectionService, "it starts and becomes ready", "started with a trace ratio of 1", err)
	if err != nil {
		return nil //nolint:nilerr // it is a failed check
	}
	s.child = c
	return s.prepare(c)
}

// prepare creates the watch, the driver and the prober of the running service.
func (s *session) prepare(c *child) error {
	var err error
	if s.watch, err = newWatch(c, s.subject.ScrapeInterval, s.target(c), s.subject.Rules, s.options.QueryWithin); err != nil {
		return err
	}
	s.driver = newDriver(c.api, s.document, s.signals.Routes, s.subject.Requests, s.subject.Slow)
	s.driver.seen.now = s.watch.time
	s.prober = &prober{watch: s.watch, from: s.watch.time(), known: s.declared(), labels: s.declaredLabels()}
	return nil
}

// environment returns the environment variables of the service: free ports, all traces, JSON log lines, and
// short check intervals.
func (s *session) environment() []string {
	return append(os.Environ(),
		"HTTP_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0", "DRAIN_DELAY=0s",
		"TRACE_RATIO=1", "OTEL_TRACES_SAMPLER=always_on", "ACCESS_LOG=all", "LOG_FORMAT=json",
		"HEALTH_INTERVAL=200ms", "HEALTH_TIMEOUT=500ms", "HEALTH_FAILURES=2",
		"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name="+Environment,
	)
}

// describe reads the description of the service with commands of the binary that need neither network nor
// stores.
func (s *session) describe(ctx context.Context) error {
	s.options.Progress("reading the declarations of the service")
	telemetry, err := s.command(ctx, "telemetry")
	if err != nil {
		return fmt.Errorf("%w\nscaffold verify runs programs on runtime.Main only, which have this command", err)
	}
	if s.signals, err = templates.ParseSignals("the service's telemetry command", telemetry); err != nil {
		return err
	}
	s.subject.withDefaults(s.signals)
	if document, err := s.command(ctx, "openapi"); err == nil {
		if s.document, err = openapi.Parse(document); err != nil {
			return err
		}
	}
	table, err := s.command(ctx, "config")
	if err != nil {
		return err
	}
	for row := range strings.Lines(string(table)) {
		if fields := strings.Fields(row); len(fields) > 0 {
			s.settings = append(s.settings, fields[0])
		}
	}
	return nil
}

// command runs one command of the binary.
func (s *session) command(ctx context.Context, verb string) ([]byte, error) {
	return s.commandOf(ctx, s.binary, verb)
}

// commandWithin is the maximum time for a command that only prints.
const commandWithin = 30 * time.Second

func (s *session) commandOf(ctx context.Context, binary, verb string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, commandWithin, fmt.Errorf("it did not end within %s", commandWithin))
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, verb)
	cmd.WaitDelay = outputWithin
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stderr = s.subject.Dir, &stderr
	tie(cmd)
	out, err := cmd.Output()
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("%s %s: %w\n%s", filepath.Base(s.subject.Package), verb, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}

// declared returns the metrics that may appear.
func (s *session) declared() []string {
	out := slices.Sorted(maps.Keys(s.declaredLabels()))
	out = append(out, "ALERTS", "ALERTS_FOR_STATE")
	for _, g := range s.subject.Rules {
		for _, r := range g.Rules {
			if !r.IsAlert {
				out = append(out, r.Name)
			}
		}
	}
	return out
}

// declaredLabels returns the labels of each metric that the service declares.
func (s *session) declaredLabels() map[string][]string {
	out := map[string][]string{}
	for _, m := range s.signals.Metrics {
		out[m.Name] = m.Labels
		if m.Type == declared.Histogram || m.Type == "summary" {
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				out[m.Name+suffix] = m.Labels
			}
		}
	}
	return out
}
