package dashboards

import (
	"errors"
	"fmt"
	"slices"

	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/slo"
)

// Histograms is the form in which the service exposes histograms, and so the form of
// the queries.
type Histograms string

// The forms of histograms. Both is queried as Classic.
const (
	Classic Histograms = "classic"
	Native  Histograms = "native"
	Both    Histograms = "both"
)

// DefaultAdminPort is the default port of the metrics endpoint.
const DefaultAdminPort = 9464

// Input describes a service.
type Input struct {
	// Rules are the compiled objectives. Their specification has the name of the
	// service, its selector and links, and whether it has the metrics of the runtime.
	Rules slo.Rules
	// Histograms defaults to [Classic].
	Histograms Histograms
	// Dependencies are what the service calls, in the order of their rows.
	Dependencies []Dependency
	// Custom are the metrics that only the service itself declares, for a dashboard of their own.
	Custom []declared.Metric
	// Scaling is the target of the autoscaler.
	Scaling Scaling
	// AdminPort is the port of the metrics endpoint, 0 for [DefaultAdminPort]. Only
	// [Provisioning] uses it.
	AdminPort int
}

// check reports an invalid input.
func (in Input) check() error {
	if in.Rules.Spec.Service == "" {
		return errors.New("dashboards: the rules have no service; compile them with slo.Compile")
	}
	known := []Histograms{"", Classic, Native, Both}
	if !slices.Contains(known, in.Histograms) {
		return fmt.Errorf("dashboards of %q: unknown histograms %q; use classic, both or native", in.Rules.Spec.Service, in.Histograms)
	}
	return in.checkDependencies()
}

// Compile returns the dashboards of a service: overview and SLO; for a service on the
// scaffold runtime also resources and Go runtime; dependencies and custom metrics, if it
// has any.
func Compile(in Input) ([]Dashboard, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	s := NewScope(in)
	dashboards := []Dashboard{overview(s)}
	if in.Rules.Spec.Runtime {
		dashboards = append(dashboards, resources(s), goRuntime(s))
	}
	if len(in.Rules.Spec.SLOs) > 0 {
		dashboards = append(dashboards, objectives(s))
	}
	if len(in.Dependencies) > 0 {
		dashboards = append(dashboards, dependencies(s))
	}
	if len(in.Custom) > 0 {
		dashboards = append(dashboards, custom(s))
	}
	for _, d := range dashboards {
		if err := d.check(); err != nil {
			return nil, err
		}
	}
	return dashboards, nil
}
