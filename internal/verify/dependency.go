package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

// Simulated time of the outage and of the recovery. The fast page and the ticket about the dependency need
// less.
const (
	outage    = 30 * time.Minute
	recovery  = 10 * time.Minute
	recoverIn = 15 * time.Second // real time in which the service must recover
)

// dependencies stops each double under load, one after the other, and checks which alerts fire.
func (s *session) dependencies(ctx context.Context) error {
	for _, d := range s.doubles {
		if err := s.dependency(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) dependency(ctx context.Context, d double) error {
	s.options.Progress("stopping " + d.Name)
	driving, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.driver.drive(driving, calmMix(s.think()))
	}()
	defer func() { stop(); <-done }()

	before, err := s.startTime(ctx)
	if err != nil {
		return err
	}
	from := s.watch.time()
	if err := d.server.Stop(); err != nil {
		return err
	}
	if err := s.watch.pass(ctx, outage); err != nil {
		return err
	}
	s.entered("stopped "+d.Name, from.Add(-timeBefore))
	s.judgeReadiness(ctx, d)
	s.judgeTold(ctx, d, from)
	if err := d.server.Restart(ctx); err != nil {
		return err
	}
	return s.judgeRecovery(ctx, d, before)
}

func (s *session) judgeReadiness(ctx context.Context, d double) {
	var problem error
	if status := statusOf(ctx, s.child.admin+"/readyz"); status != http.StatusOK {
		problem = fmt.Errorf("/readyz responds with %d: an outage of %s would remove all instances from the load balancer", status, d.Name)
	}
	s.checks.Record(sectionDependency, "the service stays ready while "+d.Name+" is stopped", "/readyz responds with 200", problem)
}

// judgeTold checks that an alert pages in time if requests fail, and that a ticket and a panel name the stopped server.
func (s *session) judgeTold(ctx context.Context, d double, from time.Time) {
	if d.Required {
		s.judgeFires(from, "an outage of "+d.Name+" pages", fmt.Sprintf("no burn-rate alert pages within %s of simulated time", outage), func(f rulesim.Firing) bool {
			return strings.HasSuffix(f.Alert, "ErrorBudgetBurn") && f.Labels.Get(slo.LabelLong) == "1h"
		})
	}
	if d.Alert != "" {
		s.judgeFires(from, "an outage of "+d.Name+" opens a ticket", fmt.Sprintf("no alert %s fires within %s of simulated time", d.Alert, outage), func(f rulesim.Firing) bool {
			return strings.HasSuffix(f.Alert, d.Alert) && hasLabels(f.Labels, d.AlertLabels)
		})
	}
	s.judgeFires(from, "a ticket names "+d.Name, "no alert names the failing check "+d.Check, func(f rulesim.Firing) bool { return f.Labels.Get(semconv.LabelCheck) == d.Check })
	panel, value, err := s.panelOnChecks(ctx, d.Check)
	s.checks.Record(sectionDependency, "a panel names "+d.Name, fmt.Sprintf("panel %s shows %s", panel, value), err)
}

func hasLabels(l labels.Labels, want map[string]string) bool {
	for name, value := range want {
		if l.Get(name) != value {
			return false
		}
	}
	return true
}

// judgeFires checks that an alert fires since a time.
func (s *session) judgeFires(from time.Time, name, otherwise string, accept func(rulesim.Firing) bool) {
	f, ok := s.firstSince(from, accept)
	var problem error
	if !ok {
		problem = errors.New(otherwise)
	}
	s.checks.Record(sectionDependency, name, fmt.Sprintf("%s fires %s after it was stopped", f.Alert, f.FiredAt.Sub(from)), problem)
}

func (s *session) firstSince(from time.Time, accept func(rulesim.Firing) bool) (rulesim.Firing, bool) {
	for _, f := range s.watch.history() {
		if f.FiredAt.After(from) && accept(f) {
			return f, true
		}
	}
	return rulesim.Firing{}, false
}

// panelOnChecks returns a panel that shows a failing health check in red, and what it shows.
func (s *session) panelOnChecks(ctx context.Context, check string) (panel, value string, err error) {
	s.prober.reach()
	failing, err := s.watch.query(ctx, fmt.Sprintf("%s{%s=%q} == 0", semconv.RuntimeHealthCheckUp, semconv.LabelCheck, check))
	if err != nil || len(failing) == 0 {
		return "", "", errors.Join(fmt.Errorf("the health check %s does not fail", check), err)
	}
	for _, b := range s.subject.Dashboards {
		for p, t := range b.All() {
			if !strings.Contains(t.Expr, semconv.RuntimeHealthCheckUp) {
				continue
			}
			picture, err := s.drawn(ctx, b, s.prober.to)
			if err != nil {
				return "", "", err
			}
			for _, shown := range picture.Shown(p.Title) {
				if slices.Contains(shown.Series, check) && shown.Has("red") {
					return p.Title, "the check " + check + " in red", nil
				}
			}
		}
	}
	return "", "", fmt.Errorf("no panel shows the failing check %s in red", check)
}

// startTime returns when the service process was started, in seconds since the epoch, according to its
// metrics.
func (s *session) startTime(ctx context.Context) (float64, error) {
	v, err := s.watch.query(ctx, "max("+semconv.ProcessStartTime+")")
	switch {
	case err != nil:
		return 0, err
	case len(v) != 1:
		return 0, fmt.Errorf("%s/metrics has no %s, which every service on runtime.Main exposes", s.child.admin, semconv.ProcessStartTime)
	}
	return v[0].F, nil
}

// judgeRecovery checks that the service recovers without a restart.
func (s *session) judgeRecovery(ctx context.Context, d double, before float64) error {
	waiting, cancel := context.WithTimeout(ctx, recoverIn)
	defer cancel()
	good, bad := 0.0, 0.0
	problem := until(waiting, "requests succeed again", func() bool {
		g, b := s.lately(ctx)
		healthy := g > good && b == bad
		good, bad = g, b
		pause(waiting, 300*time.Millisecond)
		return healthy
	}, s.watch.trouble)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := s.watch.pass(ctx, recovery); err != nil {
		return err
	}
	after, err := s.startTime(ctx)
	if err == nil && after != before {
		err = errors.New("the service restarted")
	}
	s.checks.Record(sectionDependency, "the service recovers from an outage of "+d.Name+" without a restart", "requests succeed again in the same process", errors.Join(problem, err))
	return nil
}

// lately returns how many requests have succeeded and failed so far.
func (s *session) lately(ctx context.Context) (good, bad float64) {
	for outcome, into := range map[string]*float64{semconv.OutcomeSuccess: &good, semconv.OutcomeServerError: &bad} {
		v, err := s.watch.query(ctx, fmt.Sprintf("sum(%s{%s=%q})", semconv.HTTPServerRequests, semconv.LabelOutcome, outcome))
		if err == nil && len(v) == 1 {
			*into = v[0].F
		}
	}
	return good, bad
}
