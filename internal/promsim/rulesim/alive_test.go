//go:build !race

package rulesim_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/rulesim"
	"github.com/observability-first/scaffold/internal/promsim/synthetic"
	"github.com/observability-first/scaffold/slo"
)

// pageWithin is the maximum time until a page when requests reach no process.
const pageWithin = 3 * time.Minute

// loop is a process that crashes and restarts again and again from a given time.
type loop struct {
	from       time.Duration
	life, away time.Duration
	// readyAfter is the time from start to readiness. A process with a shorter life is never ready.
	readyAfter time.Duration
}

// at returns the age of the process at t, and whether it runs. The first crash is at the start of the
// incident.
func (l loop) at(t time.Duration) (age time.Duration, alive bool) {
	into := (t - l.from) % (l.life + l.away)
	return into - l.away, into >= l.away
}

func (l loop) onto(p *pod) {
	p.up = func(t time.Duration) bool { _, alive := l.at(t); return t < l.from || alive }
	p.ready = func(t time.Duration) bool { age, _ := l.at(t); return t < l.from || age >= l.readyAfter }
	p.started = func(t time.Duration) time.Duration {
		if t < l.from {
			return p.from
		}
		age, _ := l.at(t)
		return t - age
	}
}

func lossOfProcesses(from, scrape time.Duration) map[string]func(p *pod, n int) {
	loops := func(life, away, ready time.Duration) func(*pod, int) {
		return func(p *pod, n int) { loop{from + time.Duration(n)*3*time.Second, life, away, ready}.onto(p) }
	}
	second := time.Second
	return map[string]func(p *pod, n int){
		"every replica stops responding":                     func(p *pod, _ int) { p.up = until(from) },
		"every replica and its target disappear":             func(p *pod, _ int) { p.to, p.vanishes = from, true },
		"every replica responds but is not ready":            func(p *pod, _ int) { p.ready = until(from) },
		"crashes soon after each start":                      loops(4*second, 10*second, time.Hour),
		"ready between two crashes":                          loops(9*second, 2*second, second),
		"ready for a short while between two crashes":        loops(4*second, 10*second, second),
		"ready for most of a scrape":                         loops(scrape*8/10, scrape/10, second),
		"scrapes alternate between up and down":              loops(scrape/2, scrape*3/7, second),
		"scrapes alternate between up and down, never ready": loops(scrape/2, scrape*3/7, time.Hour),
		"down for three of four scrapes":                     loops(scrape/4, scrape*3/4, 0),
		"crashes every 90 seconds and is never ready":        loops(80*second, 10*second, time.Hour),
	}
}

// Every way to lose all processes pages in time, once, and until it ends, at every scrape interval and scrape
// phase.
func TestLossOfAllProcessesPagesOnceUntilItEnds(t *testing.T) {
	t.Parallel()
	for _, scrape := range scrapes() {
		for name := range lossOfProcesses(0, scrape) {
			t.Run(name+" at scrapes of "+scrape.String(), func(t *testing.T) {
				t.Parallel()
				lose := func(phase float64, replicas int, options rulesim.Options) {
					loseProcesses(t, name, scrape, time.Duration(phase*float64(scrape)), replicas, options)
				}
				for _, phase := range []float64{0.02, 0.5, 0.99} {
					lose(phase, 1, rulesim.Options{Only: onProcesses})
				}
				lose(0.35, 3, rulesim.Options{Only: onProcesses})
				if scrape%(45*time.Second) == 15*time.Second { // every 15 s and every minute
					lose(0.68, 3, rulesim.Options{}) // nothing else pages at the same time
				}
			})
		}
	}
}

func loseProcesses(t *testing.T, name string, scrape, phase time.Duration, replicas int, options rulesim.Options) {
	t.Helper()
	from := 20*time.Minute + phase
	what := fmt.Sprintf("%d replicas, %s after the minute", replicas, phase)
	rules := compile(t, specOf(scrape, fmt.Sprintf("replicas: {min: %d}", replicas)))
	w := newWorld(t, scrape, 50*time.Minute)
	for n := range replicas {
		p := pod{env: "production", name: fmt.Sprint("p", n), good: synthetic.Steady(30).Then(from, 0)}
		lossOfProcesses(from, scrape)[name](&p, n)
		w.add(p)
	}
	ev := w.evaluator(rules, options)
	runRange(t, ev, 0, w.end)
	got := pages(t, rules, ev, w.end)
	if len(got) != 1 {
		t.Errorf("%s: %d pages: %v; want one", what, len(got), got)
		return
	}
	if after := got[0].At.Sub(at(from)); after < 0 || after > pageWithin+10*time.Second {
		t.Errorf("%s: %s pages after %s, want at most %s and the 10s that a group waits", what, names(got[0]), after, pageWithin)
	}
	for now := got[0].At; now.Before(at(w.end)); now = now.Add(15 * time.Second) {
		if !pagesAt(ev, now.Sub(at(0))) {
			t.Errorf("%s: no page at %s, although the incident lasts", what, now.Sub(at(from)))
			return
		}
	}
}

// onProcesses reports whether the rule is in the group of process alerts.
func onProcesses(r rulesim.Rule) bool {
	return r.KeepFiringFor > 0 || r.Name == slo.RecordTargets || r.Name == "service:last_seen:timestamp_seconds"
}

// Routine events must not page.
func TestRoutineEventsDoNotPage(t *testing.T) {
	t.Parallel()
	for _, scrape := range scrapes() {
		for name, worlds := range quietWeeks(scrape) {
			t.Run(name+" at scrapes of "+scrape.String(), func(t *testing.T) {
				t.Parallel()
				rules := compile(t, specOf(scrape, threeReplicas))
				for phase := range 4 {
					w := newWorld(t, scrape, 27*time.Minute)
					for _, p := range worlds(15*time.Minute + time.Duration(phase)*scrape/4 + time.Second) {
						if p.good = synthetic.Steady(30); p.env == "" {
							p.env = "production"
						}
						w.add(p)
					}
					ev := w.evaluator(rules, rulesim.Options{Only: onProcesses})
					runRange(t, ev, time.Minute, w.end)
					for _, f := range ev.History() {
						t.Errorf("phase %d: %s fires after %s", phase, f.Alert, f.FiredAt.Sub(at(15*time.Minute)))
					}
				}
			})
		}
	}
}

// quietWeeks returns the pods of routine events that start at a given time.
func quietWeeks(scrape time.Duration) map[string]func(from time.Duration) []pod {
	named := func(n int) string { return fmt.Sprint("p", n) }
	restart := func(n int, when, away time.Duration) pod {
		l := loop{from: when, life: 100 * time.Hour, away: away, readyAfter: 2 * time.Second}
		p := pod{name: named(n)}
		l.onto(&p)
		return p
	}
	return map[string]func(from time.Duration) []pod{
		"one of three replicas restarts in place": func(from time.Duration) []pod {
			return []pod{restart(0, from, 5*time.Second), {name: "p1"}, {name: "p2"}}
		},
		"each replica restarts in place, one after the other": func(from time.Duration) (out []pod) {
			for n := range 3 {
				out = append(out, restart(n, from+time.Duration(n)*15*time.Second, 12*time.Second))
			}
			return out
		},
		"all replicas restart in place at once": func(from time.Duration) (out []pod) {
			for n := range 3 {
				out = append(out, restart(n, from, scrape/2-time.Second))
			}
			return out
		},
		"the only replica restarts in place": func(from time.Duration) []pod {
			return []pod{restart(0, from, scrape/2-time.Second)}
		},
		"a deploy replaces each replica": func(from time.Duration) (out []pod) {
			for n := range 3 {
				when := from + time.Duration(n)*20*time.Second
				out = append(out, pod{name: named(n), to: when, vanishes: true, ready: until(when - 10*time.Second)},
					pod{name: "new-" + named(n), from: when - 15*time.Second, ready: func(t time.Duration) bool { return t > when-12*time.Second }})
			}
			return out
		},
		"a deploy and a rollback": func(from time.Duration) (out []pod) {
			for n := range 3 {
				first, second := from+time.Duration(n)*10*time.Second, from+3*time.Minute+time.Duration(n)*10*time.Second
				out = append(out, pod{name: named(n), to: first, vanishes: true},
					pod{name: "bad-" + named(n), from: first - 5*time.Second, to: second, vanishes: true},
					pod{name: "back-" + named(n), from: second - 5*time.Second})
			}
			return out
		},
		"every replica loses one scrape": func(from time.Duration) (out []pod) {
			for n := range 3 {
				out = append(out, pod{name: named(n), up: func(t time.Duration) bool { return t < from || t >= from+scrape }})
			}
			return out
		},
		"one scrape of every replica is skipped": func(from time.Duration) (out []pod) {
			for n := range 3 {
				out = append(out, pod{name: named(n), lost: func(t time.Duration) bool { return t >= from && t < from+scrape }})
			}
			return out
		},
		"a new replica loses a scrape soon after its start": func(from time.Duration) []pod {
			return []pod{
				{name: "old", to: from, vanishes: true},
				{name: "new", from: from - 5*time.Second, up: func(t time.Duration) bool { return t < from+scrape || t >= from+2*scrape }},
			}
		},
		"the system clock is set back and forth": func(time.Duration) (out []pod) {
			for n := range 3 {
				out = append(out, pod{name: named(n), started: func(t time.Duration) time.Duration {
					if t%(2*scrape) < scrape {
						return 0
					}
					return time.Second
				}})
			}
			return out
		},
		"one of three replicas is in a crash loop": func(from time.Duration) []pod {
			p := pod{name: "p0"}
			loop{from, 9 * time.Second, 2 * time.Second, time.Second}.onto(&p)
			return []pod{p, {name: "p1"}, {name: "p2"}}
		},
		"a new environment pulls its images slowly": func(from time.Duration) (out []pod) {
			out = append(out, pod{env: "staging", name: "s0"})
			for n := range 3 {
				began := from + time.Duration(n)*10*time.Second + 50*time.Second
				out = append(out, pod{name: named(n), from: from, up: func(t time.Duration) bool { return t >= began }, started: func(time.Duration) time.Duration { return began }})
			}
			return out
		},
	}
}

// A scraper that was down has no samples until it has scraped again.
func TestRestartedScraperDoesNotPage(t *testing.T) {
	t.Parallel()
	for _, scrape := range scrapes() {
		rules := compile(t, specOf(scrape, threeReplicas))
		w := newWorld(t, scrape, 2*time.Hour)
		stop, start := time.Hour, time.Hour+10*time.Minute
		for n := range 3 {
			w.add(pod{env: "production", name: fmt.Sprint("p", n), lost: func(t time.Duration) bool { return t >= stop && t < start }})
		}
		ev := w.evaluator(rules, rulesim.Options{Skip: func(_ rulesim.Group, now time.Time) bool {
			return !now.Before(at(stop)) && now.Before(at(start))
		}})
		check(t, ev.Run(t.Context(), at(time.Minute), at(w.end)))
		for _, f := range ev.History() {
			t.Errorf("%s scrapes: %s fires %s after the restart", scrape, f.Alert, f.FiredAt.Sub(at(start)))
		}
	}
}

// A crash loop whose period is shorter than the scrape interval pages at any phase; docs/adr/008 describes
// the loop that takes one scrape longer.
func TestCrashLoopShorterThanAScrapePages(t *testing.T) {
	t.Parallel()
	const loops = 30
	rnd := rand.New(rand.NewPCG(3, 3))
	for _, scrape := range scrapes() {
		late := 0
		for range loops {
			period := time.Duration(float64(scrape) * (0.1 + 0.9*rnd.Float64()))
			life := time.Duration(float64(period) * (0.05 + 0.95*rnd.Float64()))
			from := 20*time.Minute + time.Duration(rnd.Int64N(int64(scrape)))
			p := pod{env: "production", name: "p0", good: synthetic.Steady(30)}
			loop{from, life, period - life, 0}.onto(&p)
			rules := compile(t, specOf(scrape, ""))
			w := newWorld(t, scrape, from+20*time.Minute)
			w.add(p)
			ev := w.evaluator(rules, rulesim.Options{Only: onProcesses})
			runRange(t, ev, time.Minute, w.end)
			first := pageWithin * 10
			if h := ev.History(); len(h) > 0 {
				first = h[0].FiredAt.Sub(at(from))
			}
			if first > pageWithin+15*time.Second {
				t.Errorf("%s scrapes, life %s of %s: pages after %s", scrape, life, period, first)
			}
			if first > pageWithin {
				late++
				if scrape < time.Minute || life < scrape/2 {
					t.Errorf("%s scrapes, life %s of %s: pages after %s", scrape, life, period, first)
				}
			}
			for now := from + first; now < w.end; now += 15 * time.Second {
				if !pagesAt(ev, now) {
					t.Errorf("%s scrapes, life %s of %s: no page after %s", scrape, life, period, now-from)
					break
				}
			}
		}
		t.Logf("%s scrapes: %d of %d loops page up to 15 s late", scrape, late, loops)
	}
}
