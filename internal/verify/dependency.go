package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

// Simulated time of the outage and of the recovery. The fast page and the ticket about the dependency need
// less.
const (
	awayFor   = 30 * time.Minute
	backFor   = 10 * time.Minute
	recoverIn = 15 * time.Second // real time in which the service must recover
)

// dependency stops the database under load and checks which alerts fire.
func (s *session) dependency(ctx context.Context) error {
	if s.store == nil {
		return nil // there is no database to stop, and no alert or panel about it
	}
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
	if err := s.store.server.Stop(); err != nil {
		return err
	}
	if err := s.watch.pass(ctx, awayFor); err != nil {
		return err
	}
	s.entered("stopped database", from.Add(-timeBefore))
	s.judgeReadiness(ctx)
	s.judgeTold(ctx, from)
	if err := s.store.server.Restart(ctx); err != nil {
		return err
	}
	return s.judgeRecovery(ctx, before)
}

func (s *session) judgeReadiness(ctx context.Context) {
	var problem error
	if status := statusOf(ctx, s.child.admin+"/readyz"); status != http.StatusOK {
		problem = fmt.Errorf("/readyz responds with %d: an outage of the database would remove all instances from the load balancer", status)
	}
	s.checks.Record(sectionDependency, "the service stays ready while the database is stopped", "/readyz responds with 200", problem)
}

// judgeTold checks that an alert pages in time, and that a ticket and a panel name the database.
func (s *session) judgeTold(ctx context.Context, from time.Time) {
	page, ok := s.firstSince(from, func(f rulesim.Firing) bool {
		return strings.HasSuffix(f.Alert, "ErrorBudgetBurn") && f.Labels.Get(slo.LabelLong) == "1h"
	})
	var problem error
	if !ok {
		problem = fmt.Errorf("no burn-rate alert pages within %s of simulated time", awayFor)
	}
	s.checks.Record(sectionDependency, "an outage of the database pages", fmt.Sprintf("%s fires %s after it was stopped", page.Alert, page.FiredAt.Sub(from)), problem)

	ticket, ok := s.firstSince(from, func(f rulesim.Firing) bool { return f.Labels.Get(semconv.LabelCheck) != "" })
	if problem = nil; !ok {
		problem = errors.New("no alert names the failing check")
	}
	s.checks.Record(sectionDependency, "a ticket names the database", fmt.Sprintf("%s names %s", ticket.Alert, ticket.Labels.Get(semconv.LabelCheck)), problem)

	panel, value, err := s.panelOnChecks(ctx)
	s.checks.Record(sectionDependency, "a panel names the database", fmt.Sprintf("panel %s shows %s", panel, value), err)
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
func (s *session) panelOnChecks(ctx context.Context) (panel, value string, err error) {
	s.prober.reach()
	failing, err := s.watch.query(ctx, semconv.RuntimeHealthCheckUp+" == 0")
	if err != nil || len(failing) == 0 {
		return "", "", errors.Join(errors.New("no health check fails"), err)
	}
	check := failing[0].Metric.Get(semconv.LabelCheck)
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
func (s *session) judgeRecovery(ctx context.Context, before float64) error {
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
	if err := s.watch.pass(ctx, backFor); err != nil {
		return err
	}
	after, err := s.startTime(ctx)
	if err == nil && after != before {
		err = errors.New("the service restarted")
	}
	s.checks.Record(sectionDependency, "the service recovers without a restart", "requests succeed again in the same process", errors.Join(problem, err))
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
