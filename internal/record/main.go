// Command record runs what the templates give and records what only a running
// service or a network can tell: module requirements and declared signals.
// `scaffold new` then writes them from memory. The variables that a service reads
// go into docs/.
//
// Run it from the repository's root after a change of the runtime or of a
// dependency: `make golden`. With names of components as arguments, it records
// only these.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/components"
	"github.com/observability-first/scaffold/templates/spec"
)

// service names what is recorded. Its signals are those of any service but for the
// name and the routes.
const service = "zzservice"

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string) error {
	if len(names) > 0 {
		return recordComponents(ctx, names)
	}
	for _, name := range spec.Patterns() {
		if err := record(ctx, name, "templates/patterns/", spec.Choices{Pattern: name}); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := recordComponents(ctx, components.Names()); err != nil {
		return err
	}
	// A released scaffold writes the sum of this file into go.sum.
	mod, err := os.ReadFile("runtime/go.mod")
	if err != nil {
		return err
	}
	return os.WriteFile("templates/files/recorded/runtime.mod", mod, 0o644) //nolint:gosec // a constant path; only the content is read
}

func recordComponents(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := record(ctx, name, "templates/components/", spec.Choices{Components: []string{name}}); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// record renders a service with a pattern or component, tidies it and keeps what it prints.
func record(ctx context.Context, name, parent string, choices spec.Choices) error {
	dir, err := os.MkdirTemp("", "scaffold-record-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := render(dir, choices); err != nil {
		return err
	}
	if _, err := command(ctx, dir, "mod", "tidy"); err != nil {
		return err
	}
	requires, err := requirements(filepath.Join(dir, "go.mod"))
	if err != nil {
		return err
	}
	sums, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		return err
	}
	signals, err := command(ctx, dir, "run", "./cmd/"+service, "telemetry")
	if err != nil {
		return err
	}
	variables, err := command(ctx, dir, "run", "./cmd/"+service, "config")
	if err != nil {
		return err
	}
	recorded := parent + name + "/recorded/"
	written := map[string][]byte{"docs/variables." + name + ".txt": variables, recorded + "signals.json": signals}
	base, err := os.ReadFile("templates/patterns/" + spec.Patterns()[0] + "/recorded/go.mod.txt")
	if err != nil {
		return err
	}
	if choices.Pattern != "" || !bytes.Equal(base, requires) {
		written[recorded+"go.mod.txt"], written[recorded+"go.sum.txt"] = requires, sums
	}
	for name, data := range written {
		if err := os.WriteFile(filepath.FromSlash(name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func render(dir string, choices spec.Choices) error {
	choices.Name, choices.Description, choices.Resource, choices.Plural = service, "zzdescription", "zzone", templates.RecordedPlural
	s, err := spec.New(choices)
	if err != nil {
		return err
	}
	runtime, err := filepath.Abs("runtime")
	if err != nil {
		return err
	}
	tree, err := templates.Render(s, templates.RenderOptions{RuntimeReplace: filepath.ToSlash(runtime)})
	if err != nil {
		return err
	}
	for _, f := range tree {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.Data, f.Mode); err != nil {
			return err
		}
	}
	return nil
}

// command runs the go tool in the service and returns what it printed.
func command(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return stdout.Bytes(), nil
}

// requirements returns the require blocks of a go.mod file as they stand.
func requirements(path string) ([]byte, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	file, err := modfile.Parse(path, src, nil)
	if err != nil {
		return nil, err
	}
	var kept []modfile.Expr
	for _, statement := range file.Syntax.Stmt {
		if firstWord(statement) == "require" {
			kept = append(kept, statement)
		}
	}
	file.Syntax.Stmt = kept
	return append(bytes.TrimSpace(modfile.Format(file.Syntax)), '\n'), nil
}

func firstWord(statement modfile.Expr) string {
	switch s := statement.(type) {
	case *modfile.Line:
		return s.Token[0]
	case *modfile.LineBlock:
		return s.Token[0]
	}
	return ""
}
