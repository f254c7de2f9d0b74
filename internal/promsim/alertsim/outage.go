package alertsim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/promsim/synthetic"
	"github.com/observability-first/scaffold/slo"
)

// pageWithin is the maximum time until a page when requests reach no process. No request metric shows this,
// and all requests fail meanwhile.
const pageWithin = 3 * time.Minute

// outage is a way to lose every process.
type outage struct {
	name string
	// runtime limits the outage to services on the runtime.
	runtime bool
	// scraped limits the outage to scraped services: pushed metrics just stop.
	scraped bool
	lose    func(p *process, from time.Duration, n int)
}

func outages() []outage {
	return []outage{
		{"every instance stops responding", false, false, func(p *process, from time.Duration, _ int) { p.up = before(from) }},
		{"every instance and its target disappear", false, false, func(p *process, from time.Duration, _ int) { p.to, p.vanishes = from, true }},
		{"every instance runs but is not ready", true, false, func(p *process, from time.Duration, _ int) { p.ready = before(from) }},
		{"every instance crashes soon after each start", true, true, func(p *process, from time.Duration, n int) {
			crashLoop(p, from, n)
			p.ready = before(from)
		}},
		{"every instance crashes soon after it became ready", true, true, crashLoop},
		{"every instance runs for less time than it is down", true, true, shortLived},
	}
}

func before(end time.Duration) func(time.Duration) bool {
	return func(t time.Duration) bool { return t < end }
}

// Crash loops shorter than a scrape interval: a program runs for four of seven seconds, so that only some
// scrapes find it running.
const (
	crashEvery = 7 * time.Second
	crashAfter = 4 * time.Second
)

func crashLoop(p *process, from time.Duration, n int) {
	loop(p, from+time.Duration(n)*time.Second, crashEvery, crashAfter)
}

// shortLived is a crash loop that most scrapes miss. The scrapes alternate between up and down, but the page
// must not.
func shortLived(p *process, from time.Duration, n int) {
	loop(p, from+time.Duration(n)*3*time.Second, 2*crashEvery, crashAfter)
}

func loop(p *process, began, every, lives time.Duration) {
	p.up = func(t time.Duration) bool { return t < began || (t-began)%every < lives }
	p.started = func(t time.Duration) time.Duration {
		if t < began {
			return 0
		}
		return t - (t-began)%every
	}
}

// outages loses all processes in every way. Each outage must page in time, once, and until it ends.
func (d Simulation) outages(ctx context.Context, r *record) error {
	for _, way := range outages() {
		if way.runtime && !d.Rules.Spec.Runtime || way.scraped && d.pushed() {
			continue
		}
		problem, after, err := d.outage(ctx, way)
		if err != nil {
			return err
		}
		r.judge("page when "+way.name, fmt.Sprintf("pages %s after the start, once, until the end", after.Round(time.Second)), problem)
	}
	return nil
}

// pushed reports whether the service pushes its metrics, so that no scraper reports that it is down.
func (d Simulation) pushed() bool { return d.Rules.Spec.Metrics == slo.MetricsPush }

func (d Simulation) outage(ctx context.Context, way outage) (problem error, after time.Duration, err error) {
	const from = outageFrom
	w, err := d.lost(way)
	if err != nil {
		return nil, 0, err
	}
	ev, err := w.evaluator(notPeriod)
	if err != nil {
		return nil, 0, err
	}
	if _, err := ev.RunRange(ctx, at(0), at(w.end)); err != nil {
		return nil, 0, err
	}
	first, ok := d.firstPage(ev)
	if !ok {
		return errors.New("nothing pages for an hour"), 0, nil
	}
	after = first.FiredAt.Sub(at(from))
	switch got := d.pages(ev, w.end); {
	case after < 0:
		problem = fmt.Errorf("%s fires %s before it began", d.named(first), -after)
	case after > pageWithin:
		problem = fmt.Errorf("%s fires after %s, later than %s", d.named(first), after, pageWithin)
	case first.Labels.Get("environment") != production:
		problem = fmt.Errorf("%s fires for %q, which is healthy", d.named(first), first.Labels.Get("environment"))
	case len(got) != 1:
		problem = fmt.Errorf("one incident pages %d times: %s", len(got), d.named(alertsOf(got)...))
	default:
		problem = d.gapInPages(ev, from+after, w.end)
	}
	return problem, after, nil
}

// outageFrom is when an outage begins.
const outageFrom = 2*time.Hour + intoTheMinute

// lost returns the world of an outage of all processes of production.
func (d Simulation) lost(way outage) (*world, error) {
	const from = outageFrom
	w := d.newWorld(from + time.Hour)
	w.repeat(steady, from)
	for n := range d.Fleet.replicas() {
		p := process{
			environment: production, name: fmt.Sprint("p", n),
			traffic: d.all(events{synthetic.Steady(30).Then(from, 0), synthetic.Steady(0)}),
		}
		way.lose(&p, from, n)
		if err := w.add(p); err != nil {
			return nil, err
		}
	}
	// Staging keeps running, so absence must be detected per environment.
	return w, w.replicas(staging, 1, d.all(healthy(1, 0)))
}

// notPeriod excludes the rules that sum up whole periods: no page reads them, and one hour does not fill a
// period.
func notPeriod(r rulesim.Rule) bool {
	return r.IsAlert || !strings.HasSuffix(r.Name, "d") || !strings.Contains(r.Name, "increase")
}

func (d Simulation) firstPage(ev *rulesim.Evaluator) (rulesim.Firing, bool) {
	for _, f := range ev.History() {
		if d.isPage(f) {
			return f, true
		}
	}
	return rulesim.Firing{}, false
}

// gapInPages returns an error if no page fires at some time during the incident.
func (d Simulation) gapInPages(ev *rulesim.Evaluator, from, to time.Duration) error {
	for now := from; now < to; now += time.Second {
		if !d.pageFires(ev, now) {
			return fmt.Errorf("no page fires %s after the first, but the incident continues", now-from)
		}
	}
	return nil
}
