package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/internal/workspace"
	"github.com/observability-first/scaffold/templates"
)

// telemetryPath is a managed file whose content the service itself prints: the
// rendered one is right until somebody adds a route or a metric.
const telemetryPath = "observability/telemetry.json"

// telemetryVerb is the command that prints it.
const telemetryVerb = "telemetry"

// keepPrinted puts what the service printed last in the place of what rendering
// gives, which knows only the routes and metrics of a new service.
func keepPrinted(tree templates.Tree, dir string) (templates.Tree, error) {
	last, err := userfile.Read(filepath.Join(dir, filepath.FromSlash(telemetryPath)), userfile.LargeLimit)
	if err != nil {
		return tree, nil //nolint:nilerr // a file that cannot be read is written again
	}
	return replaceSignals(tree, last)
}

func replaceSignals(tree templates.Tree, data []byte) (templates.Tree, error) {
	files := slices.Clone(tree)
	for i := range files {
		if files[i].Path == telemetryPath {
			files[i].Data = data
		}
	}
	return templates.NewTree(files...)
}

// print asks the service for its signals and returns the plan that writes them.
func (g *globals) print(ctx context.Context, w *workspace.Workspace, t Target) (workspace.Plan, error) {
	now, err := asking(g.Ask, t.Dir, t.Service.Binary())(ctx, telemetryVerb) // with the files brought up to date
	if err != nil {
		return workspace.Plan{}, fmt.Errorf("%s was not updated: %w\nfix the service and run scaffold generate again", telemetryPath, err)
	}
	tree, err := replaceSignals(t.Tree, now)
	if err != nil {
		return workspace.Plan{}, err
	}
	return w.Plan(tree)
}
