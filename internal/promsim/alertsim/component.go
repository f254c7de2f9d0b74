package alertsim

import (
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/synthetic"
	"github.com/observability-first/scaffold/slo"
)

// troubles returns those of any service, and the faults of the components.
func (d Simulation) troubles() []trouble {
	out := commonTroubles()
	for _, c := range d.Rules.Spec.ComponentAlerts {
		for _, f := range c.Faults {
			const rates = 5 * time.Minute // what a query looks back, and more
			out = append(out, trouble{
				slo.KindComponent, f.Name, true, c.For + 30*time.Minute, c.For + 3*rates, 4 * rates,
				func(_ *world, p *process, from, to time.Duration) { p.fault = &fault{f, from, to} },
			})
		}
	}
	return out
}

// state is a series of a process, with labels besides those of its target.
type state struct {
	name string
	more map[string]string
	read func(time.Duration) float64
}

// fault is a fault of a component between two times.
type fault struct {
	slo.Fault

	from, to time.Duration
}

// componentStates are the counters in which faults of components appear, each once. Alerts may share them.
func (w *world) componentStates(p process) []state {
	var all []slo.Fault
	for _, c := range w.simulation.Rules.Spec.ComponentAlerts {
		all = append(all, c.Faults...)
	}
	var out []state
	made := map[string]bool{}
	for _, g := range growths(p.fault, all) {
		if key := g.Metric + labels.FromMap(g.Labels).String(); !made[key] {
			made[key] = true
			out = append(out, state{g.Metric, g.Labels, p.fault.count(g)})
		}
	}
	return out
}

// growths returns the counters of all faults, those of the current one first.
func growths(current *fault, all []slo.Fault) []slo.Growth {
	var first, rest []slo.Growth
	for _, f := range all {
		if current != nil && f.Name == current.Name {
			first = f.Series
			continue
		}
		for _, g := range f.Series {
			g.Faulty = g.Healthy
			rest = append(rest, g)
		}
	}
	return append(slices.Clone(first), rest...)
}

// count returns the count of a counter.
func (f *fault) count(g slo.Growth) func(time.Duration) float64 {
	if f == nil {
		return synthetic.Steady(g.Healthy).Count
	}
	return synthetic.Steady(g.Healthy).Then(f.from, g.Faulty).Then(f.to, g.Healthy).Count
}
