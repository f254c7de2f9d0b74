package dashboards

import (
	"errors"
	"fmt"
	"slices"

	"github.com/observability-first/scaffold/slo"
)

// Histograms says how the service exposes latencies, which decides how they are
// queried: a query cannot ask for both.
type Histograms string

// The kinds of histograms. Both are queried as classic ones, since a store may
// keep either.
const (
	Classic Histograms = "classic"
	Native  Histograms = "native"
	Both    Histograms = "both"
)

// DefaultAdminPort is where a service shows its metrics.
const DefaultAdminPort = 9464

// Input is what dashboards need to know about a service.
type Input struct {
	// Rules are the compiled objectives. Their specification names the service,
	// how its series are found, its links, and whether it has the metrics of the
	// scaffold runtime.
	Rules slo.Rules
	// Histograms is empty for [Classic].
	Histograms Histograms
	// HasPostgres and HasHTTPClient add what the service depends on. Each adds
	// queries for metrics that only such a service declares.
	HasPostgres   bool
	HasHTTPClient bool
	// Scaling is what the autoscaler aims at.
	Scaling Scaling
	// AdminPort is where the service shows its metrics, 0 for [DefaultAdminPort].
	// Only [Provisioning] reads it.
	AdminPort int
}

// check reports what would make dashboards that are wrong.
func (in Input) check() error {
	if in.Rules.Spec.Service == "" {
		return errors.New("dashboards: the rules name no service; compile them with slo.Compile")
	}
	known := []Histograms{"", Classic, Native, Both}
	if !slices.Contains(known, in.Histograms) {
		return fmt.Errorf("dashboards of %q: histograms %q are not known; write classic, both or native", in.Rules.Spec.Service, in.Histograms)
	}
	return nil
}

// Compile returns the dashboards of a service: its overview and its objectives; for a
// service on the scaffold runtime also its saturation, the Go runtime, and what it depends on
// when there is something.
func Compile(in Input) ([]Dashboard, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	s := NewScope(in)
	dashboards := []Dashboard{overview(s)}
	if in.Rules.Spec.Runtime {
		dashboards = append(dashboards, saturation(s), goRuntime(s))
	}
	if len(in.Rules.Spec.SLOs) > 0 {
		dashboards = append(dashboards, objectives(s))
	}
	if in.HasPostgres || in.HasHTTPClient {
		dashboards = append(dashboards, dependencies(s))
	}
	for _, d := range dashboards {
		if err := d.check(); err != nil {
			return nil, err
		}
	}
	return dashboards, nil
}
