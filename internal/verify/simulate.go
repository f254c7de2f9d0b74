package verify

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/alertsim"
	"github.com/observability-first/scaffold/internal/report"
)

// simulate runs the alert simulation, in parallel with the live checks: it does not need the service.
func (s *session) simulate(ctx context.Context) error {
	if !s.selected(alertsim.Section) {
		return nil
	}
	if s.subject.Simulation == nil {
		s.simulated = append(s.simulated, report.Check{Section: alertsim.Section, Name: "alerts fire and resolve when predicted", Status: report.Skipped, Detail: "there are no objectives; set --slo to their file"})
		s.finish(alertsim.Section)
		return nil
	}
	d := *s.subject.Simulation
	run, quick, timetable, err := d.Counts()
	if err != nil {
		return err
	}
	d.Progress = s.counting(run + timetable*s.elsewhere())
	simulate := alertsim.Simulation.Run
	if s.options.Quick {
		d.Progress = s.counting(quick)
		simulate = alertsim.Simulation.Quick
	}
	result, err := simulate(d, ctx)
	s.simulated = result.Checks
	s.checks.SetSimulation(result.Alerts, result.Cost)
	if err == nil && !s.options.Quick {
		err = s.simulateElsewhere(ctx, d)
	}
	if err == nil {
		s.finish(alertsim.Section)
	}
	return err
}

// counting returns a function that reports each simulation with its number.
func (s *session) counting(count int) func(what string) {
	var begun atomic.Int64
	return func(what string) {
		if s.options.Simulating != nil {
			s.options.Simulating(int(begun.Add(1)), count, what)
		}
	}
}

// elsewhere returns the number of scrape intervals other than the declared one.
func (s *session) elsewhere() int {
	return len(slices.DeleteFunc(alertsim.Intervals(), func(i time.Duration) bool { return i == s.subject.ScrapeInterval }))
}

// simulateElsewhere compiles and simulates the objectives at the other scrape intervals: a change of the
// interval must not change the alerts.
func (s *session) simulateElsewhere(ctx context.Context, declared alertsim.Simulation) error {
	for _, interval := range alertsim.Intervals() {
		if interval == s.subject.ScrapeInterval {
			continue
		}
		d, err := declared.At(interval)
		if err != nil {
			return err
		}
		result, err := d.Timetable(ctx)
		for _, p := range result.Checks {
			p.Name += fmt.Sprintf(", at a scrape interval of %s", interval)
			s.simulated = append(s.simulated, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
