package drill

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/observability-first/scaffold/internal/rulelab"
	"github.com/observability-first/scaffold/slo"
)

// pageWithin is how soon somebody is woken when requests reach no process: no
// request metric tells, so every minute is one in which all of them are lost.
const pageWithin = 3 * time.Minute

// outage is a way to lose every process at a moment.
type outage struct {
	name string
	// runtime says that only services on the runtime can tell.
	runtime bool
	// scraped says that only a scraper can tell: what is pushed just stops.
	scraped bool
	// fails says that what still reaches a process fails ten minutes later. Who
	// was woken is not to be woken again for that.
	fails bool
	// spares is how many processes are not lost, and alone says that there is only
	// one: what it shows is not smoothed by others.
	spares int
	alone  bool
	lose   func(p *process, from time.Duration, n int)
}

func outages() []outage {
	stops := func(p *process, from time.Duration, _ int) { p.up = before(from) }
	unready := func(p *process, from time.Duration, _ int) { p.ready = before(from) }
	return []outage{
		{name: "every process stops answering", lose: stops},
		{name: "every process and its target are gone", lose: func(p *process, from time.Duration, _ int) { p.to, p.vanishes = from, true }},
		{name: "most processes stop answering and the last fails", spares: 1, fails: true, lose: stops},
		{name: "every process runs and takes no requests", runtime: true, lose: unready},
		{name: "most processes take no requests", runtime: true, spares: 1, lose: unready},
		{name: "every process takes no requests and fails what still comes", runtime: true, fails: true, lose: unready},
		{name: "every process crashes soon after each start", runtime: true, scraped: true, lose: func(p *process, from time.Duration, n int) {
			crashLoop(p, from, n)
			p.ready = before(from)
		}},
		{name: "every process crashes soon after it said that it is ready", runtime: true, scraped: true, lose: crashLoop},
		{name: "the only process crashes again and again", runtime: true, scraped: true, alone: true, lose: func(p *process, from time.Duration, _ int) { crashLoop(p, from, 6) }},
		{name: "every process crashes again and again and fails what reaches it", runtime: true, scraped: true, fails: true, lose: crashLoop},
	}
}

func before(end time.Duration) func(time.Duration) bool {
	return func(t time.Duration) bool { return t < end }
}

// Crash loops shorter than a scrape: a program lives for some four seconds of seven,
// so that scrapes meet now a living one and now none. No two processes keep step,
// and none keeps step with its scraper.
func crashLoop(p *process, from time.Duration, n int) {
	every := 7*time.Second + time.Duration(n)*1300*time.Millisecond
	lives := every * 4 / 7
	began := from + time.Duration(n)*time.Second
	p.up = func(t time.Duration) bool { return t < began || (t-began)%every < lives }
	p.started = func(t time.Duration) time.Duration {
		if t < began {
			return 0
		}
		return t - (t-began)%every
	}
}

// outages takes all processes away in every way. Each pages in time, once, and
// as long as it lasts.
func (d Drill) outages(ctx context.Context, r *record) error {
	for _, way := range outages() {
		if way.runtime && !d.Rules.Spec.Runtime || way.scraped && d.Rules.Spec.Metrics == slo.MetricsPush {
			continue
		}
		if 2*way.spares >= d.Rules.Spec.Replicas.Min && way.spares > 0 {
			continue // those that are left are enough
		}
		problem, after, err := d.outage(ctx, way)
		if err != nil {
			return err
		}
		r.judge("page when "+way.name, fmt.Sprintf("the pager hears of it %s after it began, once, and it lasts", after.Round(time.Second)), problem)
	}
	return nil
}

func (d Drill) outage(ctx context.Context, way outage) (problem error, after time.Duration, err error) { //nolint:revive,staticcheck // the problem is a finding
	const from = 2*time.Hour + intoTheMinute
	w := d.newWorld(from + time.Hour)
	traffic := events{newFlow(segment{0, 30}, segment{from, 0}), steady(0)}
	if way.fails {
		traffic.bad = newFlow(segment{0, 0}, segment{from + 10*time.Minute, 30})
	}
	processes := d.Fleet.replicas()
	if way.alone {
		processes = 1
	}
	for n := range processes {
		p := process{environment: production, name: fmt.Sprint("p", n), traffic: d.all(traffic)}
		if n >= way.spares {
			way.lose(&p, from, n)
		}
		if err := w.add(p); err != nil {
			return nil, 0, err
		}
	}
	// Staging goes on, so that absence has to be told by environment.
	if err := w.replicas(staging, 1, d.all(healthy(1, 0))); err != nil {
		return nil, 0, err
	}
	lab, err := w.lab(notPeriod)
	if err != nil {
		return nil, 0, err
	}
	if _, err := lab.Rehearse(ctx, at(0), at(w.end)); err != nil {
		return nil, 0, err
	}
	first, ok := d.firstPage(lab)
	if !ok {
		return errors.New("nothing pages for an hour"), 0, nil
	}
	after = first.FiredAt.Sub(at(from))
	switch got := d.pages(lab, w.end); {
	case after < 0:
		problem = fmt.Errorf("%s fires %s before it began", first.Alert, -after)
	case after > pageWithin:
		problem = fmt.Errorf("%s fires after %s, later than %s", first.Alert, after, pageWithin)
	case first.Labels.Get("environment") != production:
		problem = fmt.Errorf("%s fires for %q, which is well", first.Alert, first.Labels.Get("environment"))
	case len(got) != 1:
		problem = fmt.Errorf("one incident reaches the pager %d times: %v", len(got), alertsOf(got))
	default:
		problem = d.gapInPages(lab, from+after, w.end)
	}
	return problem, after, nil
}

// notPeriod leaves out what sums up whole periods: no page reads it, and an hour
// would not fill it.
func notPeriod(r rulelab.Rule) bool {
	return r.IsAlert || !strings.HasSuffix(r.Name, "d") || !strings.Contains(r.Name, "increase")
}

func (d Drill) firstPage(lab *rulelab.Lab) (rulelab.Firing, bool) {
	for _, f := range lab.History() {
		if d.isPage(f.Alert) {
			return f, true
		}
	}
	return rulelab.Firing{}, false
}

// gapInPages looks for a moment within the incident at which no page fires.
func (d Drill) gapInPages(lab *rulelab.Lab, from, to time.Duration) error {
	for now := from; now < to; now += time.Second {
		if !d.pageFires(lab, now) {
			return fmt.Errorf("no page fires %s after the first, although the incident lasts", now-from)
		}
	}
	return nil
}
