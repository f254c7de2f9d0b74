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
	// offers prints the changes of templates that user-owned files with edits do not get.
	offers bool
	// rename writes nothing if a file has conflicts, and prints where the old name is left.
	rename bool
	// edits were written before, and next is what the user does with them.
	edits workspace.Plan
	next  []string
}

func newGenerateCommand(g *globals) *cobra.Command {
	var o generateOptions
	cmd := &cobra.Command{
		Use:   "generate [DIR]",
		Short: "Regenerate a service from its spec",
		Long: "Render the service again from scaffold.yaml. Generated files are rewritten. Merged files\n" +
			"are merged with your edits, and get conflict markers where both changed the same part.\n" +
			"User-owned files are rewritten only if you never edited them; scaffold diff shows the\n" +
			"changes for those that you did edit.\n\n" +
			"If you edited a generated file, the edit is shown and nothing is written. --force\n" +
			"overwrites it and keeps a copy in .scaffold/rejected.\n\n" +
			"Objectives with unknown metrics, labels or routes are errors, reported at their line in\n" +
			"scaffold.yaml. The files are written all the same.\n\n" +
			"Exit codes: 0 no errors; 3 errors found, files written; 2 files written with conflicts to\n" +
			"resolve, or nothing written because of existing files or edits; 1 any other error, for\n" +
			"example because scaffold.yaml is invalid.",
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
	cmd.Flags().BoolVar(&o.Overwrite, "force", false, "overwrite edits of generated files, keep copies in .scaffold/rejected")
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
	Repository *repositoryChanges     `json:"repository,omitempty"`
	Unresolved []workspace.Unresolved `json:"unresolved,omitempty"` // conflicts that were written
	Findings   []lint.Finding         `json:"findings,omitempty"`   // in the spec
	Next       []string               `json:"next,omitempty"`       // what to do with added code
	Mentions   []project.Mention      `json:"mentions,omitempty"`   // of the old name, after a rename
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
	if err := g.mayWrite(t, o); err != nil {
		return err
	}
	report := generated{Service: t.Service.Name, Directory: t.Dir, DryRun: o.dryRun, Files: o.edits.Then(t.Plan).Changes, Repository: repositoryChangesOf(t), Next: o.next}
	if report.Mentions, err = t.Mentions(); err != nil {
		return err
	}
	if o.dryRun {
		return g.reportGenerated(ctx, t, report, o)
	}
	if err := g.Apply(ctx, w, t); err != nil {
		return err
	}
	if conflicts := t.Conflicted(); len(conflicts) > 0 {
		if report.Unresolved = conflicts; g.emit(report) {
			return &ReportedError{ExitConflict}
		}
		g.printGenerated(t, report, o)
		return &workspace.UnresolvedError{Files: conflicts} // the service does not build
	}
	if g.Ask != nil {
		plan, err := g.Reprint(ctx, w, t)
		if err != nil {
			g.printGenerated(t, report, o)
			return &UnprintedError{slices.Concat(t.Plan.Changes, t.RootChanges()), err}
		}
		report.Files = o.edits.Then(plan).Changes
	}
	return g.reportGenerated(ctx, t, report, o)
}

// mayWrite returns an error if the plan must not be applied.
func (g *globals) mayWrite(t project.Target, o generateOptions) error {
	if err := t.Own.Err(); err != nil {
		return err
	}
	if err := t.CodeChanges.Err(); err != nil {
		return err
	}
	conflicts := t.With(workspace.Conflict)
	if o.rename {
		conflicts = append(conflicts, g.renameConflicts(t)...)
	}
	if len(conflicts) > 0 {
		return &ConflictError{conflicts}
	}
	edited := t.Overwrites()
	if len(edited) == 0 || o.Overwrite || o.dryRun {
		return nil
	}
	for _, d := range t.Diffs() {
		if slices.ContainsFunc(edited, func(c workspace.Change) bool { return c.Path == d.Path }) {
			g.printDiff(d)
		}
	}
	return &EditedError{edited}
}

// renameConflicts returns the files that cannot follow a rename, and prints where.
func (g *globals) renameConflicts(t project.Target) []workspace.Change {
	conflicts := t.With(workspace.Unmerged)
	for i := range conflicts {
		conflicts[i].Note += "; undo your edit of it, rename the service, then edit it again"
	}
	for _, d := range t.Diffs() {
		if d.Action == workspace.Unmerged {
			g.printDiff(d)
		}
	}
	return conflicts
}

func (g *globals) reportGenerated(ctx context.Context, t project.Target, report generated, o generateOptions) (err error) {
	if report.Findings, err = checks.CheckSpec(ctx, t); err != nil {
		return err
	}
	if !g.emit(report) {
		g.printGenerated(t, report, o)
	}
	if n := lint.CountErrors(report.Findings); n > 0 {
		return &FindingsError{n}
	}
	return nil
}

func (g *globals) printGenerated(t project.Target, r generated, o generateOptions) {
	g.printRenovate(t)
	g.printChanges(r.Files)
	g.printChanges(t.RootChanges())
	if o.offers {
		g.printOffers(t)
	}
	switch {
	case (workspace.Plan{Changes: r.Files}).Empty() && (t.AtRoot == nil || t.AtRoot.Plan.Empty()):
		g.printf("%s is up to date: %s%s.\n", t.Service.Name, plural(len(t.Tree), "file"), andAtRoot(t, func(at *project.AtRoot) int { return len(at.Tree) }))
	case r.DryRun:
		g.printf("Nothing was written: this was a dry run.\n")
	}
	for i, step := range r.Next {
		if i == 0 {
			g.printf("\n")
		}
		g.printf("%s\n", step)
	}
	for i, m := range r.Mentions {
		if i == 0 {
			g.printf("\nThese lines of yours have the old name. Change them if they mean the service:\n")
		}
		g.printf("  %s:%d\n", m.Path, m.Line)
	}
	g.printFindings(r.Findings)
}
