package cli

import (
	"context"
	"errors"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/project/monorepo"
	"github.com/observability-first/scaffold/internal/project/specedit"
	"github.com/observability-first/scaffold/templates/spec"
)

type renameOptions struct {
	componentOptions
	name, module string
}

func newRenameCommand(g *globals) *cobra.Command {
	var o renameOptions
	cmd := &cobra.Command{
		Use:   "rename NEW",
		Short: "Rename a service",
		Long: "Rename a service with everything that has its name: the command and its directory, the Go\n" +
			"module and the imports in your code, manifests, rules, alerts, dashboards and pipelines. Your\n" +
			"edits move along. The resource and its database tables, the owner, and the directory of the\n" +
			"service keep their names. Nothing is changed if a file cannot follow, for example because\n" +
			"you edited a line with the name.\n\n" +
			"Deployments, rules and dashboards that are already installed under the old name stay there\n" +
			"until you remove them. Counters of the new name begin at zero, and error budgets are full.\n\n" +
			"Exit codes: 0 no errors; 3 errors found, files written; 2 nothing written because of files\n" +
			"that cannot follow; 1 any other error.",
		Example: "  scaffold rename sales\n  scaffold rename sales --module example.com/shop/sales",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(cmd, "%d names are given; give the new one, such as sales", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name = args[0]
			if err := spec.CheckName(o.name); err != nil {
				return usage(cmd, "NEW: %w", err)
			}
			return asUsage(cmd, runRename(cmd.Context(), g, o))
		},
	}
	addChangeFlags(cmd, &o.componentOptions)
	cmd.Flags().StringVar(&o.module, "module", "", "Go module path (default: the present one, with the new name at its end if it ends in the old one)")
	return cmd
}

func runRename(ctx context.Context, g *globals, o renameOptions) error {
	dir, err := project.FindService(o.Dir)
	if err != nil {
		return err
	}
	before, err := project.LoadSpec(dir, o.Defaults)
	if err != nil {
		return err
	}
	module := o.module
	switch {
	case before.ModuleDirectory != "" && module != "":
		return &UsageError{Err: errors.New("--module: the service is part of the module in a directory above, which has the module path; rename that module instead")}
	case module == "":
		module = before.Module
		if before.ModuleDirectory == "" && path.Base(module) == before.Name {
			module = path.Join(path.Dir(module), o.name)
		}
	}
	if before.Name == o.name && before.Module == module {
		return &UsageError{Err: errors.New("NEW: the service has this name already")}
	}
	if err := o.isFree(ctx, dir, before.Name); err != nil {
		return err
	}
	o.Rename, o.rename = true, true
	o.Edit = func(s *specedit.Spec) error { return s.Rename(o.name, module) }
	return runComponents(ctx, g, o.componentOptions)
}

// isFree rejects a new name that another service of the repository has.
func (o renameOptions) isFree(ctx context.Context, dir, before string) error {
	if o.name == before {
		return nil
	}
	at, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	root, kept := monorepo.Root(at)
	if !kept {
		return nil
	}
	return nameIsFree(ctx, root, o.name)
}
