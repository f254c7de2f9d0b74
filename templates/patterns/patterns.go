// Package patterns lists the patterns of services.
package patterns

import (
	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/patterns/service"
)

// Named is a pattern with its name, the value of the key pattern in scaffold.yaml.
type Named struct {
	Name string
	// Parts returns what the pattern adds to a service.
	Parts func(component.Service) component.Parts
}

// All returns every pattern. The first is the default.
func All() []Named {
	return []Named{
		{"service", service.Parts},
	}
}
