// Package checks finds mistakes in a service on disk, and in rule files and dashboards of any
// origin by what is known of the metrics that they read.
package checks

import (
	"context"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/templates/spec"
)

// Check looks for one kind of error in a generated service, without network.
type Check interface {
	// Name is a word for the kind, as in drift. It is public.
	Name() string
	// Run returns what it found. An error means that it had no way to look.
	Run(context.Context, project.Target) ([]lint.Finding, error)
}

// All are the checks of a service beside [Drift], in the order of their reports.
func All() []Check {
	return []Check{
		namesCheck{}, routesCheck{}, lintCheck{}, signalsCheck{}, variablesCheck{}, goVersionCheck{}, replaceCheck{}, rulesCheck{}, deployCheck{},
	}
}

// Drift finds files that are not what generating would write.
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
		return found, nil // files that generating would not write have not drifted
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
