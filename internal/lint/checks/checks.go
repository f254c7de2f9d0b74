// Package checks finds errors in generated services, and in rule files and dashboards of any
// origin.
package checks

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/workspace"
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
	for _, u := range t.Unresolved {
		found = append(found, lint.Finding{File: u.Path, Line: u.Line, Message: u.Advice()})
	}
	for _, p := range t.CodeChanges {
		message := p.Message
		if p.Path != "" {
			message = p.Path + ": " + message
		}
		found = append(found, lint.Finding{File: strings.TrimPrefix(p.File, filepath.ToSlash(t.Dir)+"/"), Line: p.Line, Column: p.Column, Message: message})
	}
	if len(found) > 0 {
		return found, nil // scaffold generate writes no files
	}
	for _, p := range t.Own.Clashes {
		found = append(found, lint.Finding{File: strings.TrimPrefix(p.File, filepath.ToSlash(t.Dir)+"/"), Line: p.Line, Message: p.Message})
	}
	for _, d := range t.Plan.Drift() {
		if t.Own.Err() == nil || !slices.Contains([]string{"observability/kubernetes/ownrules.yaml", "observability/kustomization.yaml"}, d.Path) {
			found = append(found, lint.Finding{File: d.Path, Message: d.Reason + "; " + driftAdvice(d)})
		}
	}
	if t.AtRoot == nil {
		return found, nil
	}
	for _, d := range t.AtRoot.Plan.Drift() {
		found = append(found, lint.Finding{File: t.FromService(d.Path), Message: d.Reason + "; " + driftAdvice(d)})
	}
	return found, nil
}

// driftAdvice returns what to do about an outdated file. A generated file keeps no edit, so the advice
// names the place that does.
func driftAdvice(d workspace.Drift) string {
	if !d.Discards || strings.HasPrefix(d.Path, workspace.DefaultState+"/") {
		return "run scaffold generate"
	}
	keep := "put the edit into " + spec.FileName
	switch {
	case strings.HasPrefix(d.Path, "observability/runbooks/"):
		keep = "move the edit to the notes of the team"
	case d.Path == "ci":
		keep = "put the edit into the Makefile"
	case strings.HasPrefix(d.Path, "observability/rules/"), d.Path == "observability/kubernetes/ownrules.yaml":
		keep = "move the edit to a file in observability/rules/own"
	case strings.HasPrefix(d.Path, "observability/dashboards/"):
		keep = "move the edit to a file in observability/dashboards/own"
	case strings.HasPrefix(d.Path, "deploy/"), strings.HasPrefix(d.Path, "observability/kubernetes/"), d.Path == "observability/kustomization.yaml":
		keep = "put the edit into an overlay or into " + spec.FileName
	}
	return keep + ", then run scaffold generate --force"
}
