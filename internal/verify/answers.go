package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/observability-first/scaffold/dashboards/render"
	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/slo"
)

// scene is a dashboard as a reader sees it at a time of the run, with what is true at that time.
type scene struct {
	session *session
	ctx     context.Context //nolint:containedctx // of one check
	at      time.Time
	picture *render.Picture
}

// answer is what a reader must see in a panel of a generated dashboard.
type answer struct {
	dashboard, panel, claim string
	check                   func(scene, render.Shown) error
	// needs is a query without which the panel does not exist, or has nothing to show.
	needs string
}

func (a answer) of(b dashboardfile.Dashboard) bool { return strings.HasSuffix(b.UID, "-"+a.dashboard) }

// answers judges what the generated dashboards show while the service is healthy, broken, and recovered. A query
// with data is not enough: the numbers must be true, and bad ones red.
func (s *session) answers(ctx context.Context) {
	if s.healthy.IsZero() {
		return // no traffic was sent
	}
	for _, b := range s.subject.Dashboards {
		if !slices.Contains(b.Tags, "scaffold") {
			continue // a team's own, about which nothing is known
		}
		if !s.broken.IsZero() {
			s.isolated(ctx, b)
		}
		for _, when := range []struct {
			name string
			at   time.Time
			list []answer
		}{{"healthy", s.healthy, healthyAnswers()}, {"broken", s.broken, brokenAnswers()}, {"recovered", s.recovered, recoveredAnswers()}, {"deployed", s.deployed.end, deployedAnswers()}} {
			if !when.at.IsZero() {
				s.judge(ctx, b, when.name, when.at, when.list)
			}
		}
	}
}

// judge draws a dashboard at a time and checks the answers that it has to give.
func (s *session) judge(ctx context.Context, b dashboardfile.Dashboard, when string, at time.Time, list []answer) {
	problem := func(name, detail string, line int) {
		s.checks.Add(report.Check{Section: sectionDashboards, Kind: report.Answer, Name: name, File: b.File, Line: line, Status: report.Failed, Detail: detail})
	}
	if !slices.ContainsFunc(list, func(a answer) bool { return a.of(b) }) {
		return
	}
	one := scene{session: s, ctx: ctx, at: at}
	var err error
	if one.picture, err = s.drawnFrom(ctx, b, at, s.besideStaging(at), unchanged); err != nil {
		problem("answers when "+when, err.Error(), 0)
		return
	}
	for _, a := range list {
		if !a.of(b) {
			continue
		}
		name := fmt.Sprintf("%s: panel %s: %s", when, titled(b, a.panel), a.claim)
		if a.needs != "" {
			if needed, err := one.exists(a.needs); err != nil {
				problem(name, err.Error(), 0)
				continue
			} else if !needed {
				continue
			}
		}
		line := lineOf(b, a.panel)
		shown := one.picture.Shown(titled(b, a.panel))
		if len(shown) == 0 {
			problem(name, "the panel does not exist; it was renamed, or its row is collapsed", 0)
			continue
		}
		if err := a.check(one, shown[0]); err != nil {
			problem(name, err.Error(), line)
			continue
		}
		s.checks.Add(report.Check{Section: sectionDashboards, Kind: report.Answer, Name: name, File: b.File, Line: line, Status: report.Passed, Detail: summary(shown[0])})
	}
	marks := report.Check{Section: sectionDashboards, Kind: report.Answer, Name: when + ": deployments are marked", File: b.File, Status: report.Passed}
	if marks.Detail, err = one.marks(); err != nil {
		marks.Status, marks.Detail = report.Failed, err.Error()
	}
	s.checks.Add(marks)
}

// markedWithin is the time from the first scrape after a deployment to the end of its mark: two steps of the
// annotation.
const markedWithin = 2 * time.Minute

// marks checks that the deployment is marked at its time, and that nothing else is.
func (s scene) marks() (evidence string, err error) {
	deployed := s.session.deployed.at
	var marked []string
	for _, m := range s.picture.Annotations() {
		at := m.From.Format(time.TimeOnly)
		if deployed.IsZero() || s.at.Before(deployed) || !strings.Contains(m.Text, deployedVersion) {
			return "", fmt.Errorf("%q is marked at %s, but that was not deployed", m.Text, at)
		}
		if m.From.Before(deployed) || m.To.After(deployed.Add(s.session.subject.ScrapeInterval+markedWithin)) {
			return "", fmt.Errorf("%q is marked from %s to %s, but was deployed at %s", m.Text, at, m.To.Format(time.TimeOnly), deployed.Format(time.TimeOnly))
		}
		marked = append(marked, m.Text+" at "+at)
	}
	switch {
	case deployed.IsZero() || s.at.Before(deployed):
		return "no deployment, and no mark", nil
	case len(marked) != 1:
		return "", fmt.Errorf("%s was deployed at %s, but there are %d marks", deployedVersion, deployed.Format(time.TimeOnly), len(marked))
	}
	return marked[0], nil
}

// summary is what a panel shows first.
func summary(shown render.Shown) string {
	for _, class := range []string{"value", "cell", "alert", "legend", "axis"} {
		if texts := shown.Of(class); len(texts) > 0 {
			var out []string
			for _, t := range texts[:min(len(texts), 4)] {
				out = append(out, t.Text)
			}
			return strings.Join(out, ", ")
		}
	}
	return "nothing"
}

// titled completes a title.
func titled(b dashboardfile.Dashboard, title string) string {
	for _, p := range b.Panels {
		if title == remaining && strings.HasPrefix(p.Title, title) {
			return p.Title
		}
	}
	return title
}

func lineOf(b dashboardfile.Dashboard, title string) int {
	for _, p := range b.Panels {
		if p.Title == titled(b, title) {
			return p.Line
		}
	}
	return 0
}

// pictured reaches back to the start of the run, which is no deployment.
const pictured = 2 * time.Hour

// drawn draws a dashboard at a time.
func (s *session) drawn(ctx context.Context, b dashboardfile.Dashboard, at time.Time) (*render.Picture, error) {
	return s.drawnFrom(ctx, b, at, s.stateSource(at), unchanged)
}

// atOnce is the tolerance for a ratio in percent while requests arrive: a scrape does not read all counters at the same
// time, and those of routes and their sum differ by what arrived meanwhile.
const atOnce = 1.5

// Titles of panels that several answers name.
const (
	headline  = "Error ratio (5m)"
	remaining = "Error budget remaining (" // and the period
	alertsNow = "Firing alerts"
	routesNow = "Routes (5m, top 10)"
	allSLOs   = "All SLOs"
)

func healthyAnswers() []answer {
	return []answer{
		{dashboard: "overview", panel: headline, claim: "the true ratio, and zero in green", check: value(greenBelow(truth(badRatio), 1e-9), truth(badRatio), 100, .01)},
		{dashboard: "overview", panel: "p99 latency (5m)", claim: "in green if it is short", check: colored(shortInGreen), needs: ofLatency},
		{dashboard: "overview", panel: alertsNow, claim: "the true number, and none in green", check: value(greenBelow(truth(alertsFiring), 1), truth(alertsFiring), 1, 0)},
		{dashboard: "overview", panel: "Ready instances", claim: "1 of 1, in green", check: reads("1 of 1", always("green"))},
		{dashboard: "overview", panel: remaining, claim: "what is left of each SLO", check: remainingBudgets, needs: slo.RecordRemaining},
		{dashboard: "overview", panel: "Error ratio by outcome", claim: "on an axis that ends near the threshold of a page", check: sensibleAxis},
		{dashboard: "overview", panel: "Latency percentiles", claim: "with the objective on the axis", check: linesOnAxis, needs: ofLatency},
		{dashboard: "overview", panel: "Dependency health", claim: "in green", check: allHealthy},
		{dashboard: "slo", panel: "Burn rate (1h)", claim: "in green if it is below 1", check: colored(greenBelow(truth("max("+slo.RatioRecord("1h")+" / on (service, slo) group_left () "+slo.RecordBudget+")"), 1))},
		{dashboard: "slo", panel: "Alert windows", claim: "the alerts that fire", check: firingWindows, needs: burnAlerts},
		{dashboard: "resources", panel: "Highest utilization (5m)", claim: "with an instance", check: namesInstance},
	}
}

// recoveredAnswers are of a time at which an hour still contains failures, and five minutes do not.
func recoveredAnswers() []answer {
	return []answer{
		{dashboard: "overview", panel: headline, claim: "the true ratio, and zero in green", check: value(greenBelow(truth(badRatio), 1e-9), truth(badRatio), 100, .01)},
		{dashboard: "overview", panel: alertsNow, claim: "the true number", check: value(greenBelow(truth(alertsFiring), 1), truth(alertsFiring), 1, 0)},
		{dashboard: "overview", panel: remaining, claim: "what is left of each SLO", check: remainingBudgets, needs: slo.RecordRemaining},
		{dashboard: "slo", panel: "Alert windows", claim: "the alerts that fire", check: firingWindows, needs: burnAlerts},
		{dashboard: "slo", panel: allSLOs, claim: "each SLO with its budget", check: listsObjectives},
	}
}

// deployedAnswers are of a time soon after another version replaced the one before.
func deployedAnswers() []answer {
	return []answer{
		{dashboard: "overview", panel: "Instances by version", claim: "both versions", check: bothVersions},
		{dashboard: "overview", panel: "Ready instances", claim: "1 of 1, in green", check: reads("1 of 1", always("green"))},
		{dashboard: "overview", panel: remaining, claim: "what is left of each SLO", check: remainingBudgets, needs: slo.RecordRemaining},
		{dashboard: "slo", panel: allSLOs, claim: "each SLO with its budget", check: listsObjectives},
	}
}

func brokenAnswers() []answer {
	return []answer{
		{dashboard: "overview", panel: headline, claim: "the true ratio, in red if a page fires", check: value(redWhile(pageFires+" and on (slo) "+ofAvailability), truth(badRatio), 100, atOnce)},
		{dashboard: "overview", panel: "p99 latency (5m)", claim: "in red if a page fires", check: colored(redWhile(pageFires + " and on (slo) " + ofLatency))},
		{dashboard: "overview", panel: "Request rate (5m)", claim: "the true rate, in blue", check: colored(always("blue"))},
		{dashboard: "overview", panel: alertsNow, claim: "the true number, in red", check: value(redWhile(`ALERTS{alertstate="firing"}`), truth(alertsFiring), 1, 0)},
		{dashboard: "overview", panel: "Alerts", claim: "each firing alert", check: namesAlerts},
		{dashboard: "overview", panel: remaining, claim: "what is left of each SLO", check: remainingBudgets, needs: slo.RecordRemaining},
		{dashboard: "overview", panel: routesNow, claim: "the worst route first, with its true part of all bad requests", check: worstRoute},
		{dashboard: "overview", panel: "Error ratio by outcome", claim: "failed in red and rejected requests in orange", check: bothOutcomes},
		{dashboard: "overview", panel: "Error ratio by outcome", claim: "with its thresholds on the axis", check: linesOnAxis},
		{dashboard: "overview", panel: "Request rate by outcome", claim: "successes in green, and failures in red", check: successAndFailure},
		{dashboard: "slo", panel: "Alert windows", claim: "the alerts that fire", check: firingWindows, needs: burnAlerts},
		{dashboard: "slo", panel: allSLOs, claim: "each SLO with its budget", check: listsObjectives},
		{dashboard: "slo", panel: "Burn rate (1h)", claim: "in red if a page fires", check: colored(redWhile(pageFires + " and on (slo) " + sliBad + `{slo="$slo"}`))},
		{dashboard: "slo", panel: "Budget spent by route", claim: "a route with failures first", check: spentByRoute, needs: ofRequests},
		{dashboard: "slo", panel: "Budget spent by version", claim: "the version that runs", check: spentByVersion, needs: ofRequests},
		{dashboard: "slo", panel: "Burn rate by window", claim: "with a threshold on the axis", check: lineOnAxis, needs: burnAlerts},
	}
}
