package cli

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"

	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/project/monorepo"
	"github.com/observability-first/scaffold/templates/spec"
)

// place determines the repository and directory of the service. It returns the root, or "" if
// the directory is in no git repository.
func (o *newOptions) place(ctx context.Context) (root string, err error) {
	at, err := filepath.Abs(o.dir)
	if err != nil {
		return "", err
	}
	root, kept := monorepo.Root(at)
	if !kept || monorepo.Ignored(ctx, root, at) {
		root = ""
	}
	switch {
	case o.directory == "." || o.directory == "" && root == "":
		return root, nil
	case o.directory != "":
		o.choices.Directory = o.directory
		if valid := spec.CheckDirectory(o.directory) == nil; !valid {
			return root, nil // reported with the other problems
		}
		if _, err := project.RootAbove(o.dir, o.directory); err != nil {
			return "", &UsageError{Err: fmt.Errorf("--deploy-directory: %w", err)}
		}
		return root, nil
	}
	below, err := filepath.Rel(root, at)
	if err != nil {
		return "", err
	}
	if below != "." {
		o.choices.Directory = filepath.ToSlash(below)
	}
	return root, nil
}

// joinModule makes the service part of the module above it in the repository, if requested. It
// returns the directory of that module.
func (o *newOptions) joinModule(root string) (string, error) {
	if !o.inModule {
		return "", nil
	}
	if o.given("module") {
		return "", &UsageError{Err: errors.New("--in-module and --module exclude each other")}
	}
	if root == "" {
		return "", &UsageError{Err: fmt.Errorf("--in-module: %s is not in a git repository; run git init in the root of the module", o.dir)}
	}
	at, err := filepath.Abs(o.dir)
	if err != nil {
		return "", err
	}
	module, name, err := project.ModuleAbove(root, at)
	if err != nil {
		return "", err
	}
	if module == "" {
		return "", &UsageError{Err: fmt.Errorf("--in-module: no go.mod above %s in its repository; remove the flag, or run go mod init", o.dir)}
	}
	below, err := filepath.Rel(module, at)
	if err != nil {
		return "", err
	}
	o.choices.ModuleDirectory = filepath.ToSlash(below)
	o.choices.Module = path.Join(name, o.choices.ModuleDirectory)
	return module, nil
}

// alone rejects a directory inside another service, and a name that another service of the
// repository has: their rules and dashboards would select the same metrics.
func alone(ctx context.Context, dir, root, name string) error {
	at, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if around, inside := monorepo.ServiceAround(at); inside {
		return fmt.Errorf("%s is inside the service of %s; set --dir to a directory outside it",
			dir, project.RelPath(filepath.Join(around, spec.FileName)))
	}
	return nameIsFree(ctx, root, name)
}

// nameIsFree rejects a name that another service of the repository has. Outside of a repository, root is empty.
func nameIsFree(ctx context.Context, root, name string) error {
	if root == "" {
		return nil
	}
	services, err := monorepo.Services(ctx, root)
	if err != nil {
		return err
	}
	for _, other := range services {
		if other.Name == name {
			return fmt.Errorf("service %s already exists in %s; rules, alerts and dashboards are named after it, so choose another name",
				name, project.RelPath(filepath.Join(root, filepath.FromSlash(other.Dir))))
		}
	}
	return nil
}
