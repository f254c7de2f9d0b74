// Package checks finds errors in generated services, and in rule files and dashboards of any
// origin.
package checks

import (
	"context"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/templates/spec"
)

// Check finds one kind of error in a generated service, without network.
type Check interface {
	// Name returns the public name of the check, as in drift.
	Name() string
	// Run returns the findings, or an error if it cannot check the service.
	Run(context.Context, project.Target) ([]lint.Finding, error)
}

// All returns the checks of a service except [Drift], in the order of their reports.
func All() []Check {
	return []Check{
		namesCheck{}, routesCheck{}, lintCheck{}, signalsCheck{}, variablesCheck{}, goVersionCheck{}, replaceCheck{}, rulesCheck{}, deployCheck{},
	}
}

// Drift finds files that differ from what scaffold generate would write.
type Drift struct{}

// Name implements [Check].
func (Drift) Name() string { return "drift" }

// Run implements [Check].
func (Drift) Run(_ context.Context, t project.Target) ([]lint.Finding, error) {
	var found []lint.Finding
	for _, p := range t.CodeChanges {
		found = append(found, lint.Finding{File: spec.FileName, Line: p.Line, Column: p.Column, Message: p.Path + ": " + p.Message})
	}
	if len(found) > 0 {
		return found, nil // scaffold generate rejects the spec and writes no files
	}
	for _, d := range t.Plan.Drift() {
		found = append(found, lint.Finding{File: d.Path, Message: d.Reason + "; run scaffold generate"})
	}
	if t.AtRoot == nil {
		return found, nil
	}
	for _, d := range t.AtRoot.Plan.Drift() {
		found = append(found, lint.Finding{File: t.FromService(d.Path), Message: d.Reason + "; run scaffold generate"})
	}
	return found, nil
}
