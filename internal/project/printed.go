package project

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/internal/workspace"
	"github.com/observability-first/scaffold/templates"
)

// TelemetryPath is a generated file with output of the service: the rendered one is correct
// only until a route or a metric is added.
const TelemetryPath = "observability/telemetry.json"

// TelemetryVerb is the command that prints it.
const TelemetryVerb = "telemetry"

// printedBefore returns the last output of the service, or nothing if it is missing or damaged: it is then
// written again.
func printedBefore(dir string) []byte {
	last, err := userfile.Read(filepath.Join(dir, filepath.FromSlash(TelemetryPath)), userfile.LargeLimit)
	if err == nil {
		_, err = templates.ParseSignals(TelemetryPath, last)
	}
	if err != nil {
		return nil
	}
	return last
}

// print runs the telemetry command of the service and returns the plan that writes its output and what follows
// from it.
func (g Generator) print(ctx context.Context, w *workspace.Workspace, t Target) (workspace.Plan, error) {
	printed, err := g.Ask(ctx, t.Dir, t.Service.Binary(), []string{TelemetryVerb}) // the other files are up to date
	now := printed[TelemetryVerb]
	err = errors.Join(err, now.Err)
	var tree templates.Tree
	if err == nil {
		tree, err = t.render(now.Out)
	}
	switch {
	case err != nil && ctx.Err() != nil: // interrupted; the service is not the cause
		return workspace.Plan{}, fmt.Errorf("stopped before %s: %w; the other files are complete; run scaffold generate again", TelemetryPath, context.Cause(ctx))
	case err != nil:
		return workspace.Plan{}, fmt.Errorf("%s was not updated: %w\nfix the service and run scaffold generate again", TelemetryPath, err)
	}
	return w.PlanFor(tree, workspace.Request{Edits: t.request.Edits})
}

// Reprint runs the service after its plan was applied to the workspace, and returns the changes of both
// steps.
func (g Generator) Reprint(ctx context.Context, w *workspace.Workspace, t Target) (workspace.Plan, error) {
	second, err := g.print(ctx, w, t)
	if err != nil {
		return workspace.Plan{}, err
	}
	if err := w.Apply(ctx, second); err != nil {
		return workspace.Plan{}, err
	}
	return t.Plan.Then(second), nil
}
