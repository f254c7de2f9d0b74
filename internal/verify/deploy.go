package verify

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/report"
)

// deployedVersion is the version of the second build. The variable main.version is a convention of generated
// services.
const (
	deployedVersion = "verify-second"
	versionFlag     = "-X main.version=" + deployedVersion
)

// deployedFor is the simulated time after the deployment.
const deployedFor = 10 * time.Minute

// deployment is the replacement of the service by another version.
type deployment struct {
	at       time.Time // simulated time of the last scrape before it; zero without a deployment
	end      time.Time // of the requests after it
	replaced *child
	stopped  error // of the replaced child
}

// errNotDeployed means that no service runs anymore.
var errNotDeployed = errors.New("the second version did not start")

// deploy replaces the service by another version, and sends requests to that.
func (s *session) deploy(ctx context.Context) error {
	printed, noVersion := s.commandOf(ctx, s.second, "version")
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if noVersion != nil || !strings.Contains(string(printed), deployedVersion) {
		s.checks.Add(report.Check{Section: sectionDashboards, Name: "deployments are marked", Status: report.Skipped,
			Detail: "the build flag " + versionFlag + " does not set the version of this program, so no second version is deployed"})
		return nil //nolint:nilerr // it is a skipped check
	}
	began := s.watch.time()
	if err := s.replace(ctx); err != nil {
		return err
	}
	var err error
	if s.deployed.end, err = s.driveFor(ctx, deployedFor, calmMix(s.think())); err != nil {
		return err
	}
	s.entered("new version", began.Add(-timeBefore))
	return nil
}

// replace stops the service and starts the second build, between two scrapes.
func (s *session) replace(ctx context.Context) error {
	old := s.child
	var problem error
	err := s.watch.replace(func() (*child, metricstore.Target, error) {
		s.deployed = deployment{at: s.watch.time(), replaced: old, stopped: old.stop(cmp.Or(s.options.StopWithin, stopWithin))}
		var next *child
		next, problem = launch(ctx, s.second, s.subject.Dir, s.env, cmp.Or(s.options.StartWithin, startWithin))
		if problem != nil {
			return nil, metricstore.Target{}, problem
		}
		s.child = next
		return next, s.target(next), nil
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case problem != nil:
		s.checks.Failf(sectionService, "another version starts and becomes ready", "%s", problem)
		return errNotDeployed
	case err != nil:
		return err
	}
	s.driver.client.CloseIdleConnections()
	s.driver.base = s.child.api
	return nil
}

// log returns the log lines of all versions.
func (s *session) log() []line {
	if s.deployed.replaced == nil {
		return s.child.log()
	}
	return append(s.deployed.replaced.log(), s.child.log()...)
}

// childAt returns the child that ran at a simulated time.
func (s *session) childAt(at time.Time) *child {
	if s.deployed.replaced != nil && !at.After(s.deployed.at) {
		return s.deployed.replaced
	}
	return s.child
}
