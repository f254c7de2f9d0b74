package cli

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/project/grow"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/workspace"
)

// addGrowFlags adds the flags of commands that add to the code of a service.
func addGrowFlags(cmd *cobra.Command, o *generateOptions) {
	cmd.Flags().StringVar(&o.Dir, "dir", "", "directory of the service (default: the one around the working directory)")
	addServiceFlags(cmd, &o.Options)
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print changes without writing them")
}

// named requires one name, with an example for the error.
func named(example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage(cmd, "%d names are given; give one, %s", len(args), example)
		}
		return nil
	}
}

// asArgument makes the errors of arguments and flags, which have no file, errors of usage.
func asArgument(cmd *cobra.Command, err error) error {
	list, ok := errors.AsType[diagnostic.List](err)
	if !ok || slices.ContainsFunc(list, func(p diagnostic.Problem) bool { return p.File != "" }) {
		return err
	}
	return &UsageError{Command: cmd.CommandPath(), Err: list}
}

// runGrow writes what an addition returns, and regenerates the files that follow from it.
func runGrow(ctx context.Context, g *globals, o generateOptions, add func(grow.Service) (grow.Change, error)) error {
	done, next, err := g.grow(ctx, o, add)
	if err != nil {
		return err
	}
	o.edits, o.next = done, next
	return runGenerate(ctx, g, o)
}

// grow writes the files of an addition.
func (g *globals) grow(ctx context.Context, o generateOptions, add func(grow.Service) (grow.Change, error)) (p workspace.Plan, next []string, err error) {
	open := g.Lock
	if o.dryRun {
		open = g.Open
	}
	t, w, err := open(o.Options)
	if err != nil {
		return workspace.Plan{}, nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if err := g.mayWrite(t, o); err != nil { // before anything is written
		return workspace.Plan{}, nil, err
	}
	change, err := add(grow.Service{Dir: t.Dir, Files: os.DirFS(t.Dir), Spec: t.Service})
	if err != nil {
		return workspace.Plan{}, nil, err
	}
	if p, err = w.PlanEdits(change.Files); err != nil {
		return workspace.Plan{}, nil, err
	}
	if conflicts := p.Conflicts(); len(conflicts) > 0 {
		return workspace.Plan{}, nil, &ConflictError{conflicts}
	}
	if o.dryRun {
		return p, change.Next, nil
	}
	return p, change.Next, w.Apply(ctx, p)
}
