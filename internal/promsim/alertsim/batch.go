package alertsim

import (
	"slices"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/slo"
)

// batches splits the objectives so that no two in a batch count the same metric. Otherwise an event of one
// objective would also be an event of another, and an incident could not be limited to one.
func (d Simulation) batches() [][]slo.Objective {
	var out [][]slo.Objective
	var counted []map[string]bool
	for _, o := range d.Rules.Spec.SLOs {
		metrics := d.metricsOf(o)
		i := slices.IndexFunc(counted, func(taken map[string]bool) bool {
			return !slices.ContainsFunc(metrics, func(m string) bool { return taken[m] })
		})
		if i < 0 {
			i = len(out)
			out, counted = append(out, nil), append(counted, map[string]bool{})
		}
		out[i] = append(out[i], o)
		for _, m := range metrics {
			counted[i][m] = true
		}
	}
	return out
}

func (d Simulation) metricsOf(o slo.Objective) []string {
	var out []string
	for _, f := range d.Rules.Flows(o.Name, nil) {
		out = append(out, f.Series[model.MetricNameLabel])
	}
	return out
}

// of returns a simulation in which only the given objectives have traffic and are checked. The loaded rules
// stay the same.
func (d Simulation) of(objectives []slo.Objective) (Simulation, error) {
	spec := d.Rules.Spec
	spec.SLOs = objectives
	rules, err := slo.Compile(spec)
	if err != nil {
		return Simulation{}, err
	}
	d.Rules = rules
	return d, nil
}
