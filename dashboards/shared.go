package dashboards

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

const (
	sharedTitle = "Services"
	sharedTag   = "services"
	// sharedUID begins the uids of shared dashboards. No service has an underscore in its name.
	sharedUID = "shared_"
	// sharedPeriod is the period whose burn rates color the shared dashboards.
	sharedPeriod = slo.Window("30d")
	// usualObjectives is the number of SLOs that the table of a shared dashboard has room for.
	usualObjectives = 3
)

// Shared returns one set of dashboards for all services: those of [Compile] with a variable for the service, and
// the fleet dashboard, which lists every service. The set has what any of the services has. They have to agree on
// labels and on the form of histograms. Services that are deployed later need no other set.
//
// The set has neither thresholds of error ratios and latencies nor the parts of a budget that routes and versions spent,
// which differ between services. Burn rates are red from that of a page for a period of 30 days.
func Shared(services ...Input) ([]Dashboard, error) {
	in, err := merged(services)
	if err != nil {
		return nil, err
	}
	s := NewScope(in)
	s.shared = true
	out := []Dashboard{fleet(s), overview(s), objectives(s)}
	if s.spec.Runtime {
		out = append(out, resources(s), goRuntime(s))
	}
	if len(in.Dependencies) > 0 {
		out = append(out, dependencies(s))
	}
	for _, d := range out {
		if err := d.check(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// merged returns the input of a service whose name is a variable.
func merged(services []Input) (Input, error) {
	if len(services) == 0 {
		return Input{}, errors.New("shared dashboards: no service; pass at least one")
	}
	first := services[0].Rules.Spec
	out := Input{Histograms: cmp.Or(services[0].Histograms, Classic)}
	out.Rules.Spec = slo.Spec{
		Service: "$" + varService, EnvironmentLabel: first.EnvironmentLabel, GroupBy: first.GroupBy, Metrics: first.Metrics,
		Selector: map[string]string{semconv.LabelJob: "$" + varService},
	}
	for _, in := range services {
		if err := in.check(); err != nil {
			return Input{}, err
		}
		if err := agree(services[0], in); err != nil {
			return Input{}, err
		}
		for _, d := range in.Dependencies {
			if !slices.ContainsFunc(out.Dependencies, func(known Dependency) bool { return known.Name == d.Name }) {
				out.Dependencies = append(out.Dependencies, d)
			}
		}
		out.Rules.Spec.Runtime = out.Rules.Spec.Runtime || in.Rules.Spec.Runtime
	}
	return out, nil
}

// agree reports why a service cannot have the same dashboards as another.
func agree(a, b Input) error {
	one, other := a.Rules.Spec, b.Rules.Spec
	for _, field := range []struct{ name, a, b string }{
		{"environmentLabel", one.EnvironmentLabel, other.EnvironmentLabel},
		{"groupBy", fmt.Sprint(one.GroupBy), fmt.Sprint(other.GroupBy)},
		{"metrics", one.Metrics, other.Metrics},
		{"histograms", string(cmp.Or(a.Histograms, Classic)), string(cmp.Or(b.Histograms, Classic))},
	} {
		if field.a != field.b {
			return fmt.Errorf("shared dashboards: %s of %q is %s, and that of %q is %s; make them equal, or write a set for each",
				field.name, one.Service, field.a, other.Service, field.b)
		}
	}
	if job := other.Selector[semconv.LabelJob]; other.Runtime && (len(other.Selector) != 1 || job != other.Service) {
		return fmt.Errorf("shared dashboards: the selector of %q is not job: %s; write its own dashboards without --shared", other.Service, other.Service)
	}
	return nil
}

// uid returns the uid of a dashboard in the scope.
func (s Scope) uid(dashboard string) string {
	if s.shared {
		return sharedUID + dashboard
	}
	return slo.DashboardUID(s.spec.Service, dashboard)
}

// unlessShared returns a sentence about thresholds, which shared dashboards do not have.
func (s Scope) unlessShared(text string) string {
	if s.shared {
		return ""
	}
	return text
}

// periods are those that the chosen SLO may have.
func (s Scope) periods() []slo.Window {
	if s.shared {
		return slo.Windows()
	}
	return s.spec.Periods()
}

// ofPeriod selects a recorded series of the chosen SLO if it has the period.
func (s Scope) ofPeriod(w slo.Window, name string) Expr {
	if s.shared {
		return s.havingPeriod(w, s.recorded(name, chosen()).Expr())
	}
	var names []string
	for _, o := range s.spec.SLOs {
		if o.Window == w {
			names = append(names, o.Name)
		}
	}
	return s.recorded(name, OneOf(slo.LabelObjective, names...), chosen()).Expr()
}

// havingPeriod keeps the series of the chosen SLO if it has the period: only then a ratio over it is recorded.
func (s Scope) havingPeriod(w slo.Window, e Expr) Expr {
	return "(" + e + " and on (" + onObjective + ") " + s.recorded(slo.RatioRecord(string(w)), chosen()).Expr() + ")"
}

// exists has a value if the chosen SLO has the alert of the pair.
func (s Scope) exists(p alertPair) Expr {
	budget := s.constant(slo.RecordBudget, append(p.matchers(), chosen())...)
	if s.shared {
		return s.havingPeriod(p.period, budget)
	}
	return budget
}

// sharedPairs are the pairs of windows of all periods, with the tier as the severity, whose name services may change.
func sharedPairs() []alertPair {
	var out []alertPair
	for _, w := range slo.Windows() {
		for _, p := range slo.Pairs() {
			if p.Suits(w) {
				out = append(out, alertPair{severity: string(p.Tier), long: p.LongWindow(), short: p.ShortWindow(), factor: factorText(p, w), page: p.Tier == slo.TierPage, period: w})
			}
		}
	}
	return out
}

// sharedFactors are the burn rates above which alerts fire for a period of 30 days, lowest first.
func sharedFactors() []Threshold {
	var out []Threshold
	for _, p := range slices.Backward(slo.Pairs()) {
		factor, _ := p.Factor(sharedPeriod).Float64()
		color := Warning
		if p.Tier == slo.TierPage {
			color = Failing
		}
		out = append(out, Threshold{factor, color})
	}
	return out
}

// currentBurn colors each SLO by its own budget.
func (s Scope) currentBurn() Panel {
	return Panel{
		Title: "Burn rate (5m)", Kind: Stat, Unit: Factor, Decimals: 2, Thresholds: s.burnThresholds(), EmptyUntil: untilRules,
		Targets: []Target{{Expr: s.recorded(slo.RecordBurn).Expr().Max(slo.LabelObjective), Legend: Legend(slo.LabelObjective), Instant: true}},
	}.Describe("Burn rate of each SLO in the last five minutes: orange above 1, where the budget does not last for its period; red from the page of a period of 30 days.",
		"If it is red, users notice: find the cause below.").LinkTo(s.dashboard(dashboardObjectives, "SLO"))
}

// requestBudget is the lowest error budget of the SLOs on the requests of all routes.
func (s Scope) requestBudget() Expr {
	budget := s.constant(slo.RecordBudget) + " and on (" + onObjective + ") " + s.recorded(slo.BadRecord("1h"), Is(slo.LabelSLI, slo.SLIRequests)).Expr()
	return budget.Min()
}
