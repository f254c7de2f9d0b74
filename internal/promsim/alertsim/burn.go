package alertsim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/report"
	"github.com/observability-first/scaffold/slo"
)

// The event rate of incidents is far above every guard on bad events. The healthy time before fills the
// longest window.
const (
	incidentRate = 100 // events per second
	warmUp       = 73 * time.Hour
)

// intoTheMinute shifts incidents off the evaluation times.
const intoTheMinute = 7 * time.Second

// burn makes a share of the events of every objective bad and compares each burn alert with its timetable.
func (d Simulation) burn(ctx context.Context, r *record, share float64) error {
	table := d.Rules.Detections(share)
	from := warmUp + intoTheMinute
	to, after := from, time.Hour
	for _, row := range table {
		if row.Fires {
			slack := d.Rules.Delay(row.Pair.Tier) + time.Minute
			to = max(to, from+row.FiresAfter+slack, from+row.Pair.Short+slack)
			after = max(after, row.ResolvesAfter+slack)
		}
	}
	to = max(to, from+4*time.Hour) // wait long enough to see alerts that must not fire
	end := to + after + time.Hour
	w := d.newWorld(end)
	w.repeat(steady, from, to, end)
	if err := w.replicas(production, 1, d.all(incident(incidentRate, share, from, to))); err != nil {
		return err
	}
	var alerts []string
	for _, row := range table {
		alerts = append(alerts, row.Alert.Name)
	}
	inputs := rulesim.Inputs(d.Groups, alerts...)
	ev, err := w.evaluator(func(rule rulesim.Rule) bool { return inputs[rule.Name] })
	if err != nil {
		return err
	}
	if _, err := ev.RunRangeFrom(ctx, at(0), at(from-time.Hour), at(end)); err != nil {
		return err
	}
	for _, row := range table {
		r.hold(d.Rules, row, ev.History(), from, to)
	}
	r.judge(fmt.Sprintf("one notification at a time for each objective, at an error ratio of %g %%", share*100),
		"the others are inhibited", d.oneVoice(ev.History(), end))
	return nil
}

// oneVoice checks that no notification contains two burn alerts of one objective, and that no ticket opens
// while a page for the same objective fires. The page already covers the ticket.
func (d Simulation) oneVoice(history []rulesim.Firing, end time.Duration) error {
	for _, n := range d.Routing.Notifications(history, at(end)) {
		for _, o := range d.Rules.Spec.SLOs {
			burns := d.firing(d.burns(o.Name))
			named := slices.DeleteFunc(slices.Clone(n.Alerts), func(f rulesim.Firing) bool { return !burns(f) })
			if list := d.named(named...); strings.Contains(list, ", ") {
				return fmt.Errorf("one notification has %s: the first must inhibit the others", list)
			}
			if len(named) == 0 || n.Reason != rulesim.Opened || d.isPage(named[0]) {
				continue
			}
			i := slices.IndexFunc(history, func(f rulesim.Firing) bool { return f.At(n.At) && burns(f) && d.isPage(f) })
			if i >= 0 {
				return fmt.Errorf("%s opens a ticket while %s pages: the page must inhibit it", d.named(named...), d.named(history[i]))
			}
		}
	}
	return nil
}

// hold compares one alert with its timetable.
func (r *record) hold(rules slo.Rules, want slo.Detection, history []rulesim.Firing, from, to time.Duration) {
	every := rules.Evaluation(want.Pair.Tier)
	lag := rules.Lag(want.Pair.Tier)
	fires, resolves := deadline{want.FiresAfter, lag, every}, deadline{want.ResolvesAfter, lag, every}
	row := report.SimulatedAlert{
		Alert: want.Alert.Name, Long: want.Pair.LongWindow(), Objective: want.SLO, ErrorRatio: want.ErrorRatio, Tolerance: every.Seconds(),
		Predicted: moment(want.Fires, fires.expected(), resolves.expected()),
	}
	var fired []rulesim.Firing
	for _, f := range history {
		if want.Alert.Is(f.Labels.Get) {
			fired = append(fired, f)
		}
	}
	var problem error
	switch {
	case !want.Fires && len(fired) > 0:
		problem = fmt.Errorf("it fires %s after the start of the incident, but must not fire", fired[0].FiredAt.Sub(at(from)))
	case want.Fires && len(fired) == 0:
		problem = fmt.Errorf("it never fires; predicted %s after the start of the incident", fires.expected())
	case len(fired) > 1:
		problem = fmt.Errorf("it fires %d times in one incident", len(fired))
	case len(fired) == 1:
		began, ended := fired[0].FiredAt.Sub(at(from)), fired[0].ResolvedAt.Sub(at(to))
		row.Measured, problem = moment(true, began, ended), errors.Join(fires.hold("fires", began), resolves.hold("resolves", ended))
		if fired[0].ResolvedAt.IsZero() {
			row.Measured = report.Timing{Fires: true, After: began.Seconds(), Unresolved: true}
			problem = errors.Join(fires.hold("fires", began), errors.New("it does not resolve after the incident"))
		}
	}
	row.Passed = problem == nil
	r.alerts = append(r.alerts, row)
	evidence := "stays silent"
	if want.Fires {
		evidence = fmt.Sprintf("fires %s after the start and resolves %s after the end; predicted %s and %s, each within %s",
			seconds(row.Measured.After), seconds(row.Measured.Resolves), fires.expected(), resolves.expected(), every)
	}
	r.judge(fmt.Sprintf("%s at an error ratio of %g %%", want.Alert, want.ErrorRatio*100), evidence, problem)
}

// deadline is a predicted time.
type deadline struct {
	earliest time.Duration // computed without counting delay
	lag      time.Duration // counting delay
	every    time.Duration // evaluation interval
}

func (d deadline) expected() time.Duration { return d.earliest + d.lag }

// hold checks that got is at most one evaluation away from the expected time and not before the earliest
// time: events cannot be counted sooner.
func (d deadline) hold(what string, got time.Duration) error {
	if got < d.earliest || (got-d.expected()).Abs() > d.every {
		return fmt.Errorf("it %s after %s; predicted %s, within %s", what, got, d.expected(), d.every)
	}
	return nil
}

func moment(fires bool, after, resolves time.Duration) report.Timing {
	if !fires {
		return report.Timing{}
	}
	return report.Timing{Fires: true, After: after.Seconds(), Resolves: resolves.Seconds()}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// onePage fails all events of one objective after another. Each incident may page once.
func (d Simulation) onePage(ctx context.Context, r *record) error {
	for _, o := range d.Rules.Spec.SLOs {
		soonest, ok := d.soonestPage(o.Name)
		if !ok {
			continue
		}
		// Tickets need data for half of their three-day window.
		from := 37*time.Hour + intoTheMinute
		lasts := max(40*time.Minute, soonest+d.Rules.Delay(slo.TierPage)+10*time.Minute).Round(time.Minute)
		to := from + lasts
		end := to + 7*time.Hour
		w := d.newWorld(end)
		w.repeat(steady, from, to, end)
		traffic := d.all(healthy(incidentRate, 0))
		traffic[o.Name] = incident(incidentRate, 1, from, to)
		if err := w.replicas(production, 2, traffic); err != nil {
			return err
		}
		ev, err := w.evaluator(func(rule rulesim.Rule) bool { return !strings.HasSuffix(rule.Name, string(o.Window)) })
		if err != nil {
			return err
		}
		if _, err := ev.RunRange(ctx, at(0), at(end)); err != nil {
			return err
		}
		got := d.pages(ev, end)
		var problem error
		evidence := ""
		switch {
		case len(got) != 1:
			problem = fmt.Errorf("a total outage of %s pages %d times: %v", lasts, len(got), alertsOf(got))
		case got[0].At.Before(at(from)):
			problem = fmt.Errorf("it pages at %s, before it began", got[0].At.Sub(at(from)))
		default:
			evidence = fmt.Sprintf("%s pages %s after the start of a total outage, and no other alert does", d.named(got[0].Alerts...), got[0].At.Sub(at(from)).Round(time.Second))
		}
		r.judge("one page for a total outage of "+o.Name, evidence, problem)
	}
	return nil
}

// fromTheFirst fails every event of a service from the first one, before any good event was counted. It must
// page like any outage.
func (d Simulation) fromTheFirst(ctx context.Context, r *record) error {
	const end = time.Hour
	w := d.newWorld(end)
	if err := w.replicas(production, 2, d.all(incident(incidentRate, 1, 0, end))); err != nil {
		return err
	}
	ev, err := w.evaluator(notPeriod)
	if err != nil {
		return err
	}
	if _, err := ev.RunRange(ctx, at(0), at(end)); err != nil {
		return err
	}
	for _, o := range d.Rules.Spec.SLOs {
		soonest, ok := d.soonestPage(o.Name)
		if !ok {
			continue
		}
		first, found := time.Duration(0), false
		for _, f := range ev.History() {
			if d.isPage(f) && d.firing(d.burns(o.Name))(f) && !found {
				first, found = f.FiredAt.Sub(at(0)), true
			}
		}
		var problem error
		switch {
		case !found:
			problem = errors.New("nothing pages within an hour")
		case first > soonest+d.Rules.Delay(slo.TierPage):
			problem = fmt.Errorf("it takes %s to page, later than %s", first, soonest+d.Rules.Delay(slo.TierPage))
		}
		r.judge("page when "+o.Name+" fails from the first request", fmt.Sprintf("fires after %s", first), problem)
	}
	return nil
}

// soonestPage returns when the first page of an objective fires in a total outage, if any fires.
func (d Simulation) soonestPage(objective string) (after time.Duration, ok bool) {
	for _, row := range d.Rules.Detections(1) {
		if row.SLO == objective && row.Fires && row.Pair.Tier == slo.TierPage && (!ok || row.FiresAfter < after) {
			after, ok = row.FiresAfter, true
		}
	}
	return after, ok
}

func alertsOf(list []rulesim.Notification) []rulesim.Firing {
	var out []rulesim.Firing
	for _, n := range list {
		out = append(out, n.Alerts...)
	}
	return out
}
