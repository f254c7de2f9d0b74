package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/workspace"
	"github.com/observability-first/scaffold/templates"
)

type diffOptions struct {
	project.Options
	stat bool
}

func newDiffCommand(g *globals) *cobra.Command {
	var o diffOptions
	cmd := &cobra.Command{
		Use:   "diff [DIR]",
		Short: "Show what scaffold generate would change",
		Long: "Show what scaffold generate would change, as unified diffs by ownership: generated, merged\n" +
			"and user-owned files. The diff of a user-owned file that you edited is what its template\n" +
			"changed, for you to apply by hand; to decline it, run scaffold resolve FILE.\n\n" +
			"Exit codes: 0 nothing would change; 3 files would change; 2 there are conflicts, or edits\n" +
			"of generated files; 1 any other error.",
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.Dir = args[0]
			}
			return runDiff(cmd.Context(), g, o)
		},
	}
	addServiceFlags(cmd, &o.Options)
	cmd.Flags().BoolVar(&o.stat, "stat", false, "print the number of changed lines of each file only")
	return cmd
}

// differences is the JSON document of scaffold diff. Its keys are public.
type differences struct {
	Service    string                 `json:"service"`
	Directory  string                 `json:"directory"`
	Files      []difference           `json:"files"`
	Unresolved []workspace.Unresolved `json:"unresolved,omitempty"`
}

type difference struct {
	workspace.Change

	Added   int    `json:"added"`   // lines
	Removed int    `json:"removed"` // lines
	Diff    string `json:"diff,omitempty"`
}

func runDiff(_ context.Context, g *globals, o diffOptions) (err error) {
	o.Unresolved = true
	t, w, err := g.Open(o.Options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	report := differences{Service: t.Service.Name, Directory: t.Dir, Files: []difference{}, Unresolved: t.Unresolved}
	for _, d := range byOwner(t.Diffs()) {
		report.Files = append(report.Files, describeDiff(d, o.stat))
	}
	conflicts := t.With(workspace.Conflict)
	for _, c := range conflicts {
		report.Files = append(report.Files, difference{Change: c})
	}
	if !g.emit(report) {
		g.printDifferences(t, report)
	}
	switch {
	case len(t.Unresolved)+len(conflicts)+len(t.Overwrites())+len(t.Conflicted()) > 0:
		return &ReportedError{ExitConflict}
	case len(report.Files) > 0:
		return &ReportedError{ExitDrift}
	}
	return nil
}

// byOwner sorts generated files first, then merged and user-owned ones.
func byOwner(diffs []workspace.Diff) []workspace.Diff {
	slices.SortStableFunc(diffs, func(a, b workspace.Diff) int {
		return cmp.Compare(slices.Index(templates.Owners(), a.Owner), slices.Index(templates.Owners(), b.Owner))
	})
	return diffs
}

func describeDiff(d workspace.Diff, stat bool) difference {
	out := difference{Change: d.Change}
	edits := udiff.Lines(string(d.Before), string(d.After))
	text := unified(d, edits)
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "+++ "), strings.HasPrefix(line, "--- "):
		case strings.HasPrefix(line, "+"):
			out.Added++
		case strings.HasPrefix(line, "-"):
			out.Removed++
		}
	}
	if !stat {
		out.Diff = text
	}
	return out
}

// unified returns the diff with names that git apply and patch understand.
func unified(d workspace.Diff, edits []udiff.Edit) string {
	if !utf8.Valid(d.Before) || !utf8.Valid(d.After) || bytes.ContainsRune(slices.Concat(d.Before, d.After), 0) {
		return "Binary files a/" + d.Path + " and b/" + d.Path + " differ\n"
	}
	before, after := "a/"+d.Path, "b/"+d.Path
	if d.Before == nil {
		before = "/dev/null"
	}
	if d.After == nil {
		after = "/dev/null"
	}
	text, err := udiff.ToUnified(before, after, string(d.Before), edits, udiff.DefaultContextLines)
	if err != nil { // the edits are those of the text
		return ""
	}
	return text
}

func (g *globals) printDifferences(t project.Target, r differences) {
	owner := templates.Owner("")
	added, removed := 0, 0
	for _, d := range r.Files {
		if d.Owner != owner {
			owner = d.Owner
			g.printf("%s files\n", cmp.Or(map[templates.Owner]string{templates.Block: "partly generated"}[owner], string(owner)))
		}
		note := ""
		if d.Note != "" {
			note = "  (" + d.Note + ")"
		}
		g.printf("%s %s  +%d -%d%s\n", g.paint(actionColor(d.Action), fmt.Sprintf("%-8s", d.Action)), d.Path, d.Added, d.Removed, note)
		g.printColored(d.Diff)
		added, removed = added+d.Added, removed+d.Removed
	}
	if len(r.Files)+len(r.Unresolved) == 0 {
		g.printf("%s is up to date: scaffold generate would change nothing.\n", t.Service.Name)
		return
	}
	if len(r.Files) > 0 {
		g.printf("\n%s, %s added, %d removed\n", plural(len(r.Files), "file"), plural(added, "line"), removed)
	}
	for _, u := range r.Unresolved {
		g.printf("%s\n", &workspace.UnresolvedError{Files: []workspace.Unresolved{u}})
	}
}

// printColored prints a unified diff.
func (g *globals) printColored(diff string) {
	for line := range strings.Lines(diff) {
		text := strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(text, "+"):
			g.printf("%s\n", g.paint(green, printable(text)))
		case strings.HasPrefix(text, "-"):
			g.printf("%s\n", g.paint(red, printable(text)))
		default:
			g.printf("%s\n", text)
		}
	}
}

func (g *globals) printDiff(d workspace.Diff) { g.printColored(describeDiff(d, false).Diff) }

// printOffers prints what templates changed in user-owned files with edits.
func (g *globals) printOffers(t project.Target) {
	for _, d := range t.Diffs() {
		if d.Action == workspace.Edited {
			g.printf("\nYou edited %s, so it stays as it is. Apply this change by hand, then run scaffold resolve %s:\n\n", d.Path, project.ShellQuote(d.Path))
			g.printDiff(d)
		}
	}
}
