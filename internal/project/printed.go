package project

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/internal/workspace"
	"github.com/observability-first/scaffold/templates"
)

// TelemetryPath is a generated file with output of the service: the rendered one is correct
// only until a route or a metric is added.
const TelemetryPath = "observability/telemetry.json"

// TelemetryVerb is the command that prints it.
const TelemetryVerb = "telemetry"

// keepPrinted replaces the rendered signals, which have only the routes and metrics of a new
// service, by the last output of the service.
func keepPrinted(tree templates.Tree, dir string) (templates.Tree, error) {
	last, err := userfile.Read(filepath.Join(dir, filepath.FromSlash(TelemetryPath)), userfile.LargeLimit)
	if err != nil {
		return tree, nil //nolint:nilerr // an unreadable file is written again
	}
	return replaceSignals(tree, last)
}

func replaceSignals(tree templates.Tree, data []byte) (templates.Tree, error) {
	files := slices.Clone(tree)
	for i := range files {
		if files[i].Path == TelemetryPath {
			files[i].Data = data
		}
	}
	return templates.NewTree(files...)
}

// print runs the telemetry command of the service and returns the plan that writes its output.
func (g Generator) print(ctx context.Context, w *workspace.Workspace, t Target) (workspace.Plan, error) {
	printed, err := g.Ask(ctx, t.Dir, t.Service.Binary(), []string{TelemetryVerb}) // the other files are up to date
	now := printed[TelemetryVerb]
	switch err = errors.Join(err, now.Err); {
	case err != nil && ctx.Err() != nil: // interrupted; the service is not the cause
		return workspace.Plan{}, fmt.Errorf("stopped before %s: %w; the other files are complete; run scaffold generate again", TelemetryPath, context.Cause(ctx))
	case err != nil:
		return workspace.Plan{}, fmt.Errorf("%s was not updated: %w\nfix the service and run scaffold generate again", TelemetryPath, err)
	}
	tree, err := replaceSignals(t.Tree, now.Out)
	if err != nil {
		return workspace.Plan{}, err
	}
	return w.Plan(tree)
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
