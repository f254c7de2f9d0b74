package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/checks"
	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/workspace"
)

type generateOptions struct {
	project.Options
	dryRun bool
}

func newGenerateCommand(g *globals) *cobra.Command {
	var o generateOptions
	cmd := &cobra.Command{
		Use:   "generate [DIR]",
		Short: "Regenerate a service from its spec",
		Long: "Render the service again from scaffold.yaml. Generated files are rewritten. Changes of\n" +
			"merged files are merged with your edits; a file where both changed the same part stays\n" +
			"as it is and is reported. User-owned files are not changed.\n\n" +
			"Objectives with unknown metrics, labels or routes are errors, reported at their line in\n" +
			"scaffold.yaml. The files are written all the same.\n\n" +
			"Exit codes: 0 no errors; 3 errors found, files written; 2 existing files conflict, nothing\n" +
			"written; 1 any other error, for example because scaffold.yaml is invalid.",
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.Dir = args[0]
			}
			return runGenerate(cmd.Context(), g, o)
		},
	}
	addServiceFlags(cmd, &o.Options)
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print changes without writing them")
	return cmd
}

// runtimeUsage describes --runtime.
const runtimeUsage = "clone of scaffold for the replace directive in go.mod (default: the one in go.mod, else the clone that contains the current directory, else the one that scaffold was built in)"

// addServiceFlags adds the flags of commands that work on an existing service.
func addServiceFlags(cmd *cobra.Command, o *project.Options) {
	cmd.Flags().StringVar(&o.Defaults, "defaults", "", "file with defaults of your organization (default: the one last used)")
	cmd.Flags().StringVar(&o.Runtime, "runtime", "", runtimeUsage)
}

// generated is the JSON document of scaffold generate. Its keys are public.
type generated struct {
	Service   string             `json:"service"`
	Directory string             `json:"directory"`
	DryRun    bool               `json:"dryRun"`
	Files     []workspace.Change `json:"files"`
	// Repository has the changes at the root of a repository with several services.
	Repository *repositoryChanges `json:"repository,omitempty"`
	Findings   []lint.Finding     `json:"findings,omitempty"` // in the spec
}

func runGenerate(ctx context.Context, g *globals, o generateOptions) (err error) {
	open := g.Lock
	if o.dryRun {
		open = g.Open
	}
	t, w, err := open(o.Options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if err := t.Own.Err(); err != nil {
		return err
	}
	if err := t.CodeChanges.Err(); err != nil {
		return err
	}
	if conflicts := t.Conflicts(); len(conflicts) > 0 {
		return &ConflictError{conflicts}
	}
	if !o.dryRun {
		if err := g.Apply(ctx, w, t); err != nil {
			return err
		}
	}
	plan := t.Plan
	if !o.dryRun && g.Ask != nil {
		if plan, err = g.Reprint(ctx, w, t); err != nil {
			g.printChanges(t.Plan.Changes)
			g.printChanges(t.RootChanges())
			return &UnprintedError{slices.Concat(t.Plan.Changes, t.RootChanges()), err}
		}
	}
	found, err := checks.CheckSpec(ctx, t)
	if err != nil {
		return err
	}
	report := generated{Service: t.Service.Name, Directory: t.Dir, DryRun: o.dryRun, Files: plan.Changes, Repository: repositoryChangesOf(t), Findings: found}
	if !g.emit(report) {
		g.printGenerated(t, report)
	}
	if n := lint.CountErrors(found); n > 0 {
		return &FindingsError{n}
	}
	return nil
}

func (g *globals) printGenerated(t project.Target, r generated) {
	g.printRenovate(t)
	g.printChanges(r.Files)
	g.printChanges(t.RootChanges())
	switch {
	case (workspace.Plan{Changes: r.Files}).Empty() && (t.AtRoot == nil || t.AtRoot.Plan.Empty()):
		g.printf("%s is up to date: %s%s.\n", t.Service.Name, plural(len(t.Tree), "file"), andAtRoot(t, func(at *project.AtRoot) int { return len(at.Tree) }))
	case r.DryRun:
		g.printf("Nothing was written: this was a dry run.\n")
	}
	g.printFindings(r.Findings)
}
