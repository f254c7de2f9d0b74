package alertsim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/promsim/synthetic"
)

// overwhelmedAfter is when the remaining process starts to fail.
const overwhelmedAfter = 10 * time.Minute

// routed is the maximum time that Alertmanager waits to group alerts before it pages.
const routed = 30 * time.Second

// aftermath stops two of three processes, which pages. Later the remaining process is overloaded and fails
// every request. That is the same incident and must not page again.
func (d Simulation) aftermath(ctx context.Context, r *record) error {
	for _, way := range []struct {
		outage

		declared bool // only if the minimum number of replicas is declared
	}{
		{outage{"most instances stop responding", false, true, func(p *process, from time.Duration, _ int) { p.up = before(from) }}, true},
		{outage{"most instances run but are not ready", true, false, func(p *process, from time.Duration, _ int) { p.ready = before(from) }}, false},
		{outage{"most instances crash repeatedly", true, true, crashLoop}, false},
	} {
		if way.runtime && !d.Rules.Spec.Runtime || way.scraped && d.pushed() || way.declared && d.Rules.Spec.Replicas.Min < 3 {
			continue
		}
		evidence, problem, err := d.after(ctx, way.outage)
		if err != nil {
			return err
		}
		r.judge("one page when "+way.name+" and the rest fail", evidence, problem)
	}
	return nil
}

func (d Simulation) after(ctx context.Context, way outage) (evidence string, problem, err error) {
	const from = 2*time.Hour + intoTheMinute
	w := d.newWorld(from + time.Hour)
	w.repeat(steady, from)
	failing := events{
		good: synthetic.Steady(30).Then(from+overwhelmedAfter, 0),
		bad:  synthetic.Steady(0).Then(from+overwhelmedAfter, 30),
	}
	for n := range max(3, d.Fleet.replicas(), d.Rules.Spec.Replicas.Min) {
		p := process{environment: production, name: fmt.Sprint("p", n), traffic: d.all(failing)}
		if n > 0 {
			way.lose(&p, from, n)
		}
		if err := w.add(p); err != nil {
			return "", nil, err
		}
	}
	ev, err := w.evaluator(d.madeOf(every))
	if err != nil {
		return "", nil, err
	}
	if _, err := ev.RunRange(ctx, at(0), at(w.end)); err != nil {
		return "", nil, err
	}
	got := d.pages(ev, w.end)
	switch {
	case len(got) == 0:
		return "", errors.New("nothing pages for an hour"), nil
	case got[0].At.Sub(at(from)) > pageWithin+routed:
		return "", fmt.Errorf("%s pages after %s, later than %s", d.named(got[0].Alerts...), got[0].At.Sub(at(from)).Round(time.Second), pageWithin), nil
	case len(got) > 1:
		return "", fmt.Errorf("it pages %d times: %v; the first page must inhibit the others", len(got), alertsOf(got)), nil
	}
	return fmt.Sprintf("%s pages after %s and inhibits later alerts: %s", d.named(got[0].Alerts...), got[0].At.Sub(at(from)).Round(time.Second), laterPages(d, ev, got[0])), nil, nil
}

// laterPages counts the pages that fire after the first one and are inhibited.
func laterPages(d Simulation, ev *rulesim.Evaluator, first rulesim.Notification) string {
	n := 0
	for _, f := range ev.History() {
		if d.isPage(f) && f.FiredAt.After(first.At) {
			n++
		}
	}
	return fmt.Sprintf("%d pages", n)
}
