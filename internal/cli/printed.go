package cli

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/internal/workspace"
	"github.com/observability-first/scaffold/templates"
)

// printedFile is a managed file whose content the service itself prints: the
// rendered one is right until somebody adds a route or a metric.
type printedFile struct{ path, verb string }

func printedFiles() []printedFile {
	return []printedFile{
		{path: telemetryPath, verb: "telemetry"},
		{path: "api/openapi.json", verb: "openapi"},
	}
}

const telemetryPath = "observability/telemetry.json"

// keepPrinted puts what the service printed last in the place of what rendering
// gives, which knows only the routes and metrics of a new service.
func keepPrinted(tree templates.Tree, dir string) (templates.Tree, error) {
	last := map[string][]byte{}
	for _, f := range printedFiles() {
		data, err := userfile.Read(filepath.Join(dir, filepath.FromSlash(f.path)), userfile.LargeLimit)
		if err == nil {
			last[f.path] = data
		}
	}
	return replaceData(tree, last)
}

func replaceData(tree templates.Tree, data map[string][]byte) (templates.Tree, error) {
	files := make([]templates.File, len(tree))
	for i, f := range tree {
		if d, ok := data[f.Path]; ok {
			f.Data = d
		}
		files[i] = f
	}
	return templates.NewTree(files...)
}

// print asks the service for its signals and its API document and returns the
// plan that writes them.
func (g *globals) print(ctx context.Context, w *workspace.Workspace, t Target) (workspace.Plan, error) {
	now := map[string][]byte{}
	ask := asking(g.Ask, t.Dir, t.Service.Binary()) // with the files brought up to date
	for _, f := range printedFiles() {
		data, err := ask(ctx, f.verb)
		if err != nil {
			return workspace.Plan{}, fmt.Errorf("could not update %s: %w\nfix the service and run scaffold generate again", f.path, err)
		}
		now[f.path] = data
	}
	tree, err := replaceData(t.Tree, now)
	if err != nil {
		return workspace.Plan{}, err
	}
	return w.Plan(tree)
}
