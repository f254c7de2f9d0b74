package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/promsim/alertsim"
	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/httpfile"
	"github.com/observability-first/scaffold/internal/source/openapi"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/servicetest"
	"github.com/observability-first/scaffold/templates/component"
)

// Subject is the service to check, with everything that was generated for it.
type Subject struct {
	Dir     string // directory of its module
	Package string // main package, such as ./cmd/orders
	Service string // name in every signal

	Selector         map[string]string // target labels
	EnvironmentLabel string
	ScrapeInterval   time.Duration // declared
	Pushes           bool          // metrics are pushed, so that Prometheus has no scrape job
	// Counted are the objectives of availability, whose events are the responses that clients see, by name.
	Counted map[string]Counted
	Slow    time.Duration // longer than every latency threshold; duration of slow requests

	Rules      []rulesim.Group
	Dashboards []dashboardfile.Dashboard
	Runbooks   []Runbook
	// Provisioned is the service's own stack: the configuration of Prometheus, and Grafana's data sources.
	// Missing files are nil.
	Provisioned struct{ Prometheus, Datasources []byte }
	Requests    httpfile.File // of verify.http
	// RequestsFile is the name of that file for messages, or empty.
	RequestsFile string
	// Simulation of the alerts; nil skips it.
	Simulation *alertsim.Simulation
	// Doubles are what the service connects to; nil means those of all components with their default options. A
	// double starts if the service reads its variable.
	Doubles []component.Double
}

// Counted is an objective of availability.
type Counted struct {
	Budget        float64 // ratio of requests that may fail, above 0
	Route, Method string  // empty means any
}

// Runbook is one runbook file.
type Runbook struct {
	File string // name for messages
	Data []byte
}

// Options configure a run.
type Options struct {
	// Env adds environment variables for the service, as NAME=value, and BuildFlags adds flags of go build.
	Env, BuildFlags []string
	// Only is the [Sections] to run; empty runs all.
	Only []string
	// Quick leaves out what [LeftOut] describes.
	Quick bool
	// Progress is called at the start of each step; may be nil.
	Progress func(what string)
	// Simulating is called at the start of each alert simulation; may be nil.
	Simulating func(number, count int, what string)
	// StartWithin and StopWithin limit the start and the stop of the service, and TrailWithin the search for
	// a request that is in all signals; 0 means 60, 30 and 20 s.
	StartWithin, StopWithin, TrailWithin time.Duration
	// QueryWithin limits one query of a rule or a dashboard; 0 means 10 s. Prometheus allows two minutes, but
	// a rule that needs more than a few seconds on one process is wrong.
	QueryWithin time.Duration
	// Snapshot is called with the results of the queries of all dashboards, if they ran; may be nil.
	Snapshot func(render.Snapshot)
	// Page is called with what the HTML report shows besides the report, as far as the run has it; may be nil.
	Page func(report.Page)
}

// Run checks a service. Problems of the service are in the report. An error means that the run could not
// check it: the service does not build, the machine lacks what the stores need, or the run was interrupted.
// With an [InterruptedError] the report has the completed checks. Run leaves no processes or files behind.
func Run(ctx context.Context, subject Subject, o Options) (_ report.Report, err error) {
	s, err := newSession(subject, o)
	if err != nil {
		return report.Report{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.temp)) }()
	// Drop failures after an interrupt, which caused them. Keep the failure of a service that does not run,
	// even if its section is not selected.
	s.checks.Filter(func(p report.Check) bool {
		return ctx.Err() == nil && (s.selected(p.Section) || p.Section == sectionService && p.Failed())
	})
	began := time.Now()
	if err = s.build(ctx); err == nil {
		err = s.describe(ctx)
	}
	if err == nil {
		began = time.Now()
		err = s.run(ctx)
	}
	if ctx.Err() == nil && err != nil {
		return report.Report{}, err
	}
	made := s.checks.Report(s.subject.Service, time.Since(began))
	made.Quick = o.Quick
	made.Checks = append(made.Checks, s.simulated...)
	if ctx.Err() != nil {
		made.Interrupted = true
		made.Checks = append(made.Checks, s.notRun()...)
	}
	made.Checks = append(made.Checks, s.skipped(made)...)
	slices.SortStableFunc(made.Checks, func(a, b report.Check) int {
		return slices.Index(Sections(), a.Section) - slices.Index(Sections(), b.Section)
	})
	return made, interrupted(ctx, err)
}

// run runs the checks that need a running service, and in parallel those that do not.
func (s *session) run(ctx context.Context) error {
	simulated := make(chan error, 1)
	go func() { simulated <- s.simulate(ctx) }()
	var err error
	if s.needsService() {
		err = s.live(ctx)
		if err == nil && ctx.Err() == nil {
			s.finish(sectionService)
		}
	}
	return errors.Join(err, <-simulated)
}

// interrupted returns an [InterruptedError] if the context was canceled, else err.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return &InterruptedError{context.Cause(ctx)}
}

// InterruptedError means that the run was stopped before its end.
type InterruptedError struct{ Cause error }

func (e *InterruptedError) Error() string { return fmt.Sprintf("interrupted: %v", e.Cause) }

// Unwrap returns the cause of the context.
func (e *InterruptedError) Unwrap() error { return e.Cause }

// newSession returns a session with a temporary directory.
func newSession(subject Subject, o Options) (*session, error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	temp, err := os.MkdirTemp("", "scaffold-verify-")
	return &session{subject: subject, options: o, temp: temp}, err
}

// session is one run.
type session struct {
	subject   Subject
	options   Options
	temp      string // directory that is removed at the end of the run
	binary    string
	second    string   // the binary with another version
	env       []string // of the service
	checks    report.Recorder
	simulated []report.Check // of the simulation, which runs in parallel

	signals  declared.Signals
	document openapi.Document
	settings []string // names of the environment variables that the service reads
	doubles  []double
	receiver *servicetest.Receiver
	// stopReceiver stops the receiver after the service, to receive the last signals.
	stopReceiver func()
	child        *child
	watch        *watch
	driver       *driver
	prober       *prober
	// healthy, broken and recovered are the ends of the parts of the traffic.
	healthy, broken, recovered time.Time
	deployed                   deployment

	mu       sync.Mutex
	finished []string // sections whose checks have all run

	states   []state // of the service, for the HTML report
	followed *trail  // the request that is in all signals; nil without one

	seen       *metricstore.Store     // store of the exemplars; nil means that of the watch
	exemplarOf map[string]observation // each request with an exemplar, by trace id
	parsed     int                    // number of uploads read
	uploads    []upload
}

// live starts the service and runs every check that needs it. It stops at the first failure that makes the
// others pointless.
func (s *session) live(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := s.start(ctx); err != nil {
		return errors.Join(err, s.close())
	}
	if s.child == nil {
		return s.close() // it did not start, which is a failed check
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		_ = s.watch.run(ctx) // the error is read from s.watch.trouble
	}()
	for _, step := range []struct {
		name string // empty if it reports its own progress
		run  func(context.Context) error
		// needed reports whether a selected section includes the step or has queries that need its data.
		needed   bool
		finishes []string
	}{
		{"checking that the metrics come from this process", s.identity, true, nil},
		{"sending requests to every route", s.traffic, s.anyOf(sectionTraffic, sectionDependency, sectionRules, sectionDashboards, sectionLinks), []string{sectionTraffic}},
		{"following one request through all signals", s.trail, s.anyOf(sectionTrail, sectionRules, sectionDashboards, sectionLinks), []string{sectionTrail}},
		{"", s.dependencies, s.anyOf(sectionDependency, sectionRules, sectionDashboards, sectionLinks), []string{sectionDependency}},
		{"deploying another version", s.deploy, s.deploys(), nil},
		{"running all queries", s.queries, s.anyOf(sectionRules, sectionDashboards, sectionLinks), []string{sectionRules, sectionDashboards}},
		{"resolving links", s.links, s.selected(sectionLinks), []string{sectionLinks}},
	} {
		if !step.needed {
			continue
		}
		if step.name != "" {
			s.options.Progress(step.name)
		}
		err := step.run(ctx)
		if trouble := s.watch.trouble(); trouble != nil && ctx.Err() == nil {
			s.fail(trouble)
			break
		}
		if errors.Is(err, errNotOurs) || errors.Is(err, errNotDeployed) {
			break
		}
		if err != nil {
			cancel()
			<-watched
			return errors.Join(err, s.close())
		}
		if ctx.Err() == nil {
			s.finish(step.finishes...)
		}
	}
	s.page(ctx)
	cancel()
	<-watched
	s.options.Progress("stopping the service")
	s.stop()
	return s.close()
}

// errNotOurs means that another program responds, so that nothing can be checked.
var errNotOurs = errors.New("another program uses this address")

// identity checks that the metrics come from the process that was started: those of another program must not
// make checks pass.
func (s *session) identity(ctx context.Context) error {
	if err := s.watch.pass(ctx, s.subject.ScrapeInterval); err != nil {
		return err
	}
	started, err := s.startTime(ctx)
	// The kernel counts from a boot time in whole seconds, which changes when the clock is set.
	const exact = 5
	if since := started - float64(s.child.began.UnixMilli())/1000; err == nil && (since < -exact || since > exact+startWithin.Seconds()) {
		err = fmt.Errorf("%s/metrics comes from a process that started at %s, but the service started at %s: another program uses this address",
			s.child.admin, time.Unix(int64(started), 0).UTC().Format(time.RFC3339), s.child.began.UTC().Format(time.RFC3339))
	}
	s.checks.Record(sectionService, "the metrics come from this process", "by the start time of the process", err)
	if err != nil {
		return errNotOurs
	}
	return nil
}

// fail reports why the watch has stopped.
func (s *session) fail(trouble error) {
	if _, rule := errors.AsType[ruleError](trouble); rule {
		s.checks.Failf(sectionService, "every rule evaluates", "%s", trouble)
		return
	}
	s.checks.Failf(sectionService, "it keeps running and responds to every scrape", "%s", trouble)
}

// stop stops the service as its platform would.
func (s *session) stop() {
	err := s.deployed.stopped
	if s.child != s.deployed.replaced {
		err = errors.Join(err, s.child.stop(cmp.Or(s.options.StopWithin, stopWithin)))
	}
	s.checks.Record(sectionService, "it stops on SIGTERM", "exit status 0", err)
}

// close stops everything that still runs.
func (s *session) close() error {
	var errs []error
	if s.child != nil {
		errs = append(errs, s.child.kill())
	}
	if s.stopReceiver != nil {
		s.stopReceiver()
	}
	return errors.Join(append(errs, s.closeDoubles())...)
}

// queries runs all queries on what has been seen so far.
func (s *session) queries(ctx context.Context) error {
	s.prober.reach()
	s.kept()
	if s.selected(sectionRules) {
		s.rules(ctx)
		s.objectiveSeries(ctx)
		s.scrapeInterval()
		s.runbooks(ctx)
	}
	if s.selected(sectionDashboards) {
		s.dashboards(ctx)
		s.answers(ctx)
		s.snapshot(ctx)
	}
	if s.selected(sectionLinks) {
		s.datasources(ctx)
	}
	return ctx.Err()
}

// kept fails if the service exposed more than the store can hold: panels may lack the evicted samples.
func (s *session) kept() {
	if stats := s.watch.store.Stats(); stats.EvictedSamples > 0 {
		s.checks.Failf(sectionService, "all scrapes fit into the store", "%d samples of %d series take more than %d MB; the oldest %d were dropped; expose fewer series",
			stats.Samples+stats.EvictedSamples, stats.Series, storeBytes>>20, stats.EvictedSamples)
	}
}
