package verify

import (
	"slices"

	"github.com/observability-first/scaffold/internal/promsim/alertsim"
	"github.com/observability-first/scaffold/internal/report"
)

// Sections of the report, in the order of the checks.
const (
	sectionService    = "service"
	sectionTraffic    = "traffic"
	sectionTrail      = "one request"
	sectionDependency = "dependency"
	sectionRules      = "rules"
	sectionDashboards = "dashboards"
	sectionLinks      = "links"
)

// Sections returns the sections of a report.
func Sections() []string {
	return []string{sectionService, sectionTraffic, sectionTrail, sectionDependency, sectionRules, sectionDashboards, sectionLinks, alertsim.Section}
}

// selected reports whether the section is selected.
func (s *session) selected(section string) bool {
	return len(s.options.Only) == 0 || slices.Contains(s.options.Only, section)
}

// anyOf reports whether any of the sections is selected.
func (s *session) anyOf(sections ...string) bool { return slices.ContainsFunc(sections, s.selected) }

// needsService reports whether a selected section needs the running service.
func (s *session) needsService() bool {
	return s.anyOf(slices.DeleteFunc(Sections(), func(section string) bool { return section == alertsim.Section })...)
}

// deploys reports whether another version is deployed, which dashboards mark.
func (s *session) deploys() bool { return s.selected(sectionDashboards) }

// skipped returns checks for the sections that are not selected, and for what a quick run leaves out.
func (s *session) skipped(made report.Report) []report.Check {
	var out []report.Check
	for _, section := range Sections() {
		if !s.selected(section) && len(made.Of(section)) == 0 {
			out = append(out, report.Check{Section: section, Name: "all checks of " + section, Status: report.Skipped, Detail: "not selected with --only"})
		}
	}
	if s.options.Quick && s.selected(alertsim.Section) && s.subject.Simulation != nil {
		out = append(out, report.Check{Section: alertsim.Section, Name: "not part of a quick run", Status: report.Skipped, Detail: LeftOut})
	}
	return out
}

// LeftOut describes what a quick run leaves out.
const LeftOut = "other scrape intervals, lost instances, tickets, repeated pages, new services and instances, a night without traffic, error budgets, cost of the rules"

// finish marks sections whose checks have all run.
func (s *session) finish(sections ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finished = append(s.finished, sections...)
}

// notRun returns the checks that an interrupted run did not complete.
func (s *session) notRun() []report.Check {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []report.Check
	for _, section := range Sections() {
		if s.selected(section) && !slices.Contains(s.finished, section) {
			out = append(out, report.Check{Section: section, Name: "the remaining checks of " + section, Status: report.NotRun, Detail: "the run was interrupted"})
		}
	}
	return out
}
