package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/observability-first/scaffold/internal/workspace"
	"github.com/observability-first/scaffold/templates"
)

// telemetryPath is a managed file whose content the service itself prints: the
// rendered one is right until somebody adds a route or a metric.
const telemetryPath = "observability/telemetry.json"

// telemetryVerb is the command that prints it.
const telemetryVerb = "telemetry"

// AskService runs a command of the service in dir with the go tool and returns
// what it printed.
func AskService(ctx context.Context, dir, binary, verb string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", "run", "./cmd/"+binary, verb)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go run ./cmd/%s %s: %w\n%s", binary, verb, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

// keepPrinted puts what the service printed last in the place of what rendering
// gives, which knows only the routes and metrics of a new service.
func keepPrinted(tree templates.Tree, dir string) (templates.Tree, error) {
	last, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(telemetryPath)))
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
	now, err := g.Ask(ctx, t.Dir, t.Service.Binary(), telemetryVerb)
	if err != nil {
		return workspace.Plan{}, fmt.Errorf("%s was not printed again: %w\nmend the service and run scaffold generate once more", telemetryPath, err)
	}
	tree, err := replaceSignals(t.Tree, now)
	if err != nil {
		return workspace.Plan{}, err
	}
	return w.Plan(tree)
}
