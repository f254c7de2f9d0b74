package dashboards

import (
	"fmt"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Dependency is what a service calls, such as a database.
type Dependency struct {
	// Name is unique in a service, such as cache. A shared set has the rows of each name once.
	Name string
	// Rows returns its rows on the dependencies dashboard.
	Rows func(Scope) []Row
	// Utilization returns what the resources dashboard shows of it, such as the connections of a pool. Optional.
	Utilization func(Scope) Utilization
}

// checkDependencies reports dependencies that the dashboards cannot show.
func (in Input) checkDependencies() error {
	var problem string
	names := map[string]bool{}
	for i, d := range in.Dependencies {
		switch {
		case d.Name == "":
			problem = fmt.Sprintf("Dependencies[%d] has no name; set Name", i)
		case names[d.Name]:
			problem = fmt.Sprintf("two dependencies have the name %q; remove or rename one", d.Name)
		case d.Rows == nil:
			problem = fmt.Sprintf("dependency %q has no rows; set Rows", d.Name)
		case d.Utilization != nil && !d.Utilization(NewScope(in)).complete():
			problem = fmt.Sprintf("the utilization of dependency %q is incomplete; set all fields but EmptyUntil", d.Name)
		}
		if problem != "" {
			return fmt.Errorf("dashboards of %q: %s", in.Rules.Spec.Service, problem)
		}
		names[d.Name] = true
	}
	return nil
}

// dependencies shows whether something that the service calls makes it slow.
func dependencies(s Scope) Dashboard {
	rows := []Row{s.checksRow()}
	for _, d := range s.in.Dependencies {
		rows = append(rows, d.Rows(s)...)
	}
	return New(s, dashboardDependencies, "Dependencies",
		"Health, latency and errors of what the service calls.", rows...)
}

func (s Scope) checksRow() Row {
	checks := Panel{
		Title: "Dependency health", Kind: Timeline, EmptyUntil: "the service has a check",
		Mappings: []ValueMapping{{0, "unhealthy", Failing}, {1, "healthy", Good}},
		Targets:  []Target{{Expr: s.Metric(semconv.RuntimeHealthCheckUp).Expr().Min(semconv.LabelCheck), Legend: Legend(semconv.LabelCheck)}},
	}.Describe("Health checks of dependencies; red while one fails on any instance.",
		"Call the owner of the dependency; the panels below show its latency and errors.").LinkTo(s.OverviewLink())
	return Row{Height: 4, Panels: []Panel{checks}}
}

// RED returns graphs of the rate, errors and duration of outgoing requests, from a histogram with the label error_type: the
// ten largest by labels. Titles begin with what, such as Query. emptyUntil is as in [Panel].
func (s Scope) RED(what, histogram string, unit Unit, emptyUntil string, by ...string) (rate, errors, duration Panel) {
	d := s.Histogram(histogram)
	total := d.Rate().Sum(by...)
	failed := Distribution{Selector: d.With(Not(semconv.LabelErrorType, "")), native: d.native}
	graph := func(title string, unit Unit, e Expr) Panel {
		return Panel{
			Title: title + " (top 10)", Kind: TimeSeries, Unit: unit, EmptyUntil: emptyUntil, LegendTable: true,
			Targets: []Target{{Expr: e.TopInRange(10, by...), Legend: Legend(by...)}},
		}
	}
	rate = graph(what+" rate", unit, total)
	rate.SoftMax = fewRequests
	errors = graph(what+" error ratio", Ratio, failed.Rate().Sum(by...).OrZero(total).Over(total))
	errors.Thresholds, errors.Line, errors.SoftMax = []Threshold{{0.001, Warning}, {0.01, Failing}}, true, 0.01
	duration = graph(what+" latency, p95", Seconds, d.Quantile(0.95, by...))
	duration.Targets[0].Exemplars = true
	return rate, errors, duration
}
