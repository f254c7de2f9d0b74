package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/workspace"
)

// generateOptions is what scaffold generate was told.
type generateOptions struct {
	serviceFlags
	dryRun bool
}

func newGenerateCommand(g *globals) *cobra.Command {
	var o generateOptions
	cmd := &cobra.Command{
		Use:   "generate [DIR]",
		Short: "Bring a service's generated files up to date with its spec",
		Long: "Renders the service again from scaffold.yaml. Managed files are rewritten, files that\n" +
			"you edited stay as they are, and files that are yours are not touched.",
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.dir = args[0]
			}
			return runGenerate(cmd.Context(), g, o)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "show what would be written")
	return cmd
}

func (s *serviceFlags) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.defaults, "defaults", "", "file of defaults of your organisation (default: the one used last)")
	cmd.Flags().StringVar(&s.runtime, "runtime", "", "folder of the runtime, for a scaffold built in a checkout")
}

// generated is the document of scaffold generate. Its keys are public.
type generated struct {
	Service   string             `json:"service"`
	Directory string             `json:"directory"`
	DryRun    bool               `json:"dryRun"`
	Files     []workspace.Change `json:"files"`
	// Repository tells of the root of the repository that the service is a folder of.
	Repository *repositoryChanges `json:"repository,omitempty"`
}

func runGenerate(ctx context.Context, g *globals, o generateOptions) (err error) {
	t, w, err := g.open(o.serviceFlags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if err := t.CodeChanges.Err(); err != nil {
		return err
	}
	if conflicts := t.conflicts(); len(conflicts) > 0 {
		return &ConflictError{conflicts}
	}
	if !o.dryRun {
		if err := g.apply(ctx, w, t); err != nil {
			return err
		}
	}
	plan := t.Plan
	if !o.dryRun && g.Ask != nil {
		if plan, err = g.reprint(ctx, t); err != nil {
			return err
		}
	}
	if g.emit(generated{Service: t.Service.Name, Directory: t.Dir, DryRun: o.dryRun, Files: plan.Changes, Repository: t.repositoryChanges()}) {
		return nil
	}
	g.printChanges(plan.Changes)
	g.printChanges(t.rootChanges())
	switch {
	case plan.Empty() && (t.AtRoot == nil || t.AtRoot.Plan.Empty()):
		g.printf("%s is up to date: %s%s.\n", t.Service.Name, plural(len(t.Tree), "file"), t.andAtRoot(func(at *AtRoot) int { return len(at.Tree) }))
	case o.dryRun:
		g.printf("Nothing was written: this was a dry run.\n")
	}
	return nil
}

// reprint lets the service, with its files brought up to date, print what it
// declares, and returns the changes of both steps.
func (g *globals) reprint(ctx context.Context, t Target) (plan workspace.Plan, err error) {
	// The state on disk is that of the first step.
	w, err := g.openWorkspace(t.Dir)
	if err != nil {
		return workspace.Plan{}, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	second, err := g.print(ctx, w, t)
	if err != nil {
		return workspace.Plan{}, err
	}
	if err := w.Apply(ctx, second); err != nil {
		return workspace.Plan{}, err
	}
	return t.Plan.Then(second), nil
}
