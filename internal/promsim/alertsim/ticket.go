package alertsim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/promsim/synthetic"
	"github.com/observability-first/scaffold/slo"
)

// trouble is a problem that opens a ticket: how to simulate it, and which alert must fire within which time.
type trouble struct {
	kind    slo.Kind
	name    string
	runtime bool // only on the runtime
	lasts   time.Duration
	within  time.Duration // from the start until the alert
	after   time.Duration // from the end until it resolves
	make    func(w *world, p *process, from, to time.Duration)
}

// between returns a state that is true between the two times.
func between(from, to time.Duration) func(time.Duration) bool {
	return func(t time.Duration) bool { return t >= from && t < to }
}

// growing counts two per second between two times.
func growing(from, to time.Duration) func(time.Duration) float64 {
	return synthetic.Steady(0).Then(from, 2).Then(to, 0).Count
}

func commonTroubles() []trouble {
	return []trouble{
		{slo.KindHealthCheckFailing, "a dependency fails", true, 30 * time.Minute, 15 * time.Minute, 10 * time.Minute,
			func(_ *world, p *process, from, to time.Duration) { p.failing = between(from, to) }},
		{slo.KindTelemetryDropped, "telemetry is dropped", true, 40 * time.Minute, 25 * time.Minute, 25 * time.Minute,
			func(_ *world, p *process, from, to time.Duration) { p.dropped = growing(from, to) }},
		{slo.KindLogsDropped, "the log is blocked", true, 30 * time.Minute, 20 * time.Minute, 20 * time.Minute,
			func(_ *world, p *process, from, to time.Duration) { p.blocked = growing(from, to) }},
		{slo.KindMetricCardinalityLimitReached, "a label exceeds its limit of values", true, 40 * time.Minute, 25 * time.Minute, 25 * time.Minute,
			func(_ *world, p *process, from, to time.Duration) { p.overflowed = growing(from, to) }},
		{slo.KindConcurrencyLimitAtMinimum, "the concurrency limit is at its minimum", true, 30 * time.Minute, 15 * time.Minute, 10 * time.Minute,
			func(_ *world, p *process, from, to time.Duration) { p.atFloor = between(from, to) }},
		{slo.KindScrapeIntervalMismatch, "the scrape interval is twice the declared one", false, time.Hour, 45 * time.Minute, 30 * time.Minute,
			func(w *world, p *process, from, to time.Duration) {
				p.lost = func(t time.Duration) bool { return between(from, to)(t) && t/w.scrape()%2 == 1 }
			}},
		{slo.KindHpaMaxedOut, "the autoscaler is at its maximum", true, 40 * time.Minute, 25 * time.Minute, 20 * time.Minute, nil},
		{slo.KindCPUHigh, "instances use all CPUs", true, 45 * time.Minute, 30 * time.Minute, 20 * time.Minute,
			func(_ *world, p *process, from, to time.Duration) {
				p.worked = synthetic.Steady(0.1).Then(from, 1).Then(to, 0.1).Count
			}},
		{slo.KindMemoryNearLimit, "an instance reaches GOMEMLIMIT", true, 40 * time.Minute, 25 * time.Minute, 20 * time.Minute,
			func(_ *world, p *process, from, to time.Duration) { p.full = between(from, to) }},
		{slo.KindSLONoData, "an instance counts no requests", false, 40 * time.Minute, 25 * time.Minute, 20 * time.Minute, nil},
		{slo.KindSLODataIncomplete, "no scrapes for three hours", false, 3 * time.Hour, 4 * time.Hour, 26 * time.Hour,
			func(_ *world, p *process, from, to time.Duration) { p.lost = between(from, to) }},
	}
}

// tickets simulates every problem that can wait for working hours. Its alert must fire, last as long as the
// problem, and resolve.
func (d Simulation) tickets(ctx context.Context, r *record) error {
	for _, t := range d.troubles() {
		t, alert, ok := d.alertFor(t)
		if !ok {
			continue
		}
		if err := d.ticket(ctx, r, t, alert); err != nil {
			return err
		}
	}
	return nil
}

// alertFor returns the alert of a trouble, if the service has one, and the trouble with the times of that alert.
func (d Simulation) alertFor(t trouble) (trouble, slo.Alert, bool) {
	i := slices.IndexFunc(d.Rules.Alerts, func(a slo.Alert) bool {
		ofComponent := a.Component == nil || slices.ContainsFunc(a.Component.Faults, func(f slo.Fault) bool { return f.Name == t.name })
		return a.Kind == t.kind && ofComponent
	})
	if i < 0 || t.runtime && !d.Rules.Spec.Runtime || t.kind == slo.KindScrapeIntervalMismatch && d.pushed() {
		return t, slo.Alert{}, false
	}
	alert := d.Rules.Alerts[i]
	if t.kind == slo.KindSLONoData && d.Rules.Spec.SLOs[alert.SLO].Indicator.Custom() {
		t.lasts, t.within = 26*time.Hour, 25*time.Hour // nights are idle
	}
	return t, alert, true
}

func (d Simulation) ticket(ctx context.Context, r *record, t trouble, alert slo.Alert) error {
	w, from, to, err := d.troubled(t)
	if err != nil {
		return err
	}
	inputs := rulesim.Inputs(d.Groups, alert.Name)
	ev, err := w.evaluator(func(rule rulesim.Rule) bool { return inputs[rule.Name] })
	if err != nil {
		return err
	}
	if _, err := ev.RunRange(ctx, at(0), at(w.end)); err != nil {
		return err
	}
	var fired []rulesim.Firing
	for _, f := range ev.History() {
		if alert.Is(f.Labels.Get) && d.looksAt(f) {
			fired = append(fired, f)
		}
	}
	problem := t.judge(fired, from, to, alert.Rule.For)
	evidence := ""
	if problem == nil {
		evidence = fmt.Sprintf("fires %s after the start and resolves %s after the end", fired[0].FiredAt.Sub(at(from)).Round(time.Second), fired[0].ResolvedAt.Sub(at(to)).Round(time.Second))
	}
	r.judge(alert.Name+" when "+t.name, evidence, problem)
	return nil
}

// troubled returns the world of a trouble, and when it begins and ends.
func (d Simulation) troubled(t trouble) (w *world, from, to time.Duration, err error) {
	from = 90*time.Minute + intoTheMinute
	if t.lasts > 2*time.Hour { // it compares with the day before
		from = 26*time.Hour + intoTheMinute
	}
	to = from + t.lasts
	w = d.newWorld(to + t.after + time.Hour)
	w.repeat(steady, from-handover)
	return w, from, to, w.troubled(d, t, from, to)
}

// handover is how long a process and its successor run in parallel.
const handover = time.Minute

// troubled adds processes, the first of which has the trouble, or as many processes as an autoscaler may add.
// For missing data, the single process is replaced by one that counts nothing, and that by one that counts
// again.
func (w *world) troubled(d Simulation, t trouble, from, to time.Duration) error {
	if t.make != nil {
		for n := range 2 {
			p := process{environment: production, name: fmt.Sprint("p", n), traffic: d.all(healthy(20, 0))}
			if n == 0 || t.kind != slo.KindHealthCheckFailing {
				t.make(w, &p, from, to)
			}
			if err := w.add(p); err != nil {
				return err
			}
		}
		return nil
	}
	if t.kind == slo.KindHpaMaxedOut {
		for n := range d.Rules.Spec.Replicas.Max {
			p := process{environment: production, name: fmt.Sprint("p", n), traffic: d.all(healthy(20, 0))}
			if n >= d.Rules.Spec.Replicas.Min {
				p.from, p.to, p.vanishes = from, to, true
			}
			if err := w.add(p); err != nil {
				return err
			}
		}
		return nil
	}
	for _, p := range []process{
		{name: "before", to: from, vanishes: true},
		{name: "silent", from: from - handover, to: to, vanishes: true, silent: true},
		{name: "after", from: to - handover},
	} {
		p.environment, p.traffic = production, d.all(healthy(20, 0))
		if err := w.add(p); err != nil {
			return err
		}
	}
	return nil
}

func (t trouble) judge(fired []rulesim.Firing, from, to, wait time.Duration) error {
	if len(fired) == 0 {
		return errors.New("it never fires")
	}
	f := fired[0]
	begun, ended := f.FiredAt.Sub(at(from)), f.ResolvedAt.Sub(at(to))
	switch {
	case begun < 0:
		return fmt.Errorf("it fires %s before the start", -begun)
	case begun < wait:
		return fmt.Errorf("it fires after %s, before its waiting time of %s", begun, wait)
	case begun > t.within:
		return fmt.Errorf("it fires after %s, later than %s", begun, t.within)
	case f.ResolvedAt.IsZero():
		return errors.New("it still fires long after the end")
	case ended < -handover:
		return fmt.Errorf("it resolves %s before the end", -ended)
	case ended > t.after:
		return fmt.Errorf("it resolves after %s, later than %s", ended, t.after)
	}
	return nil
}
