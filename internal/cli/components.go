package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/project/monorepo"
	"github.com/observability-first/scaffold/internal/project/specedit"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/templates/components"
	"github.com/observability-first/scaffold/templates/spec"
)

// componentOptions are the flags of scaffold add and scaffold remove.
type componentOptions struct {
	generateOptions
	options    []string // of the component, as key=value
	allowDirty bool
}

func newRemoveCommand(g *globals) *cobra.Command {
	var o componentOptions
	cmd := &cobra.Command{
		Use:   "remove COMPONENT...",
		Short: "Remove components from a service",
		Long: "Remove components from scaffold.yaml and from the files of the service. Your edits of other\n" +
			"parts stay, and so do files of the component that you edited. Nothing is changed if your\n" +
			"code imports what the component has.\n\n" + changeHelp,
		Example:           "  scaffold remove postgres",
		ValidArgsFunction: cobra.FixedCompletions(components.Names(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkComponents(cmd, args); err != nil {
				return err
			}
			o.Edit = func(s *specedit.Spec) error { return eachComponent(args, s.RemoveComponent) }
			return runComponents(cmd.Context(), g, o)
		},
	}
	addChangeFlags(cmd, &o)
	return cmd
}

// changeHelp describes what add, remove and rename have in common.
const changeHelp = "Where you and the template changed the same part of a file, both versions are between\n" +
	"conflict markers: see scaffold resolve.\n\n" +
	"Exit codes: 0 no errors; 3 errors found, files written; 2 files written with conflicts to\n" +
	"resolve, or nothing written because of existing files or edits; 1 any other error."

// addChangeFlags adds the flags of add, remove and rename.
func addChangeFlags(cmd *cobra.Command, o *componentOptions) {
	cmd.Flags().StringVar(&o.Dir, "dir", "", "directory of the service (default: the one around the working directory)")
	addServiceFlags(cmd, &o.Options)
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print changes without writing them")
	cmd.Flags().BoolVar(&o.allowDirty, "allow-dirty", false, "run with uncommitted changes, too")
}

func runAddComponents(cmd *cobra.Command, g *globals, o componentOptions, args []string) error {
	if err := checkComponents(cmd, args); err != nil {
		return err
	}
	if len(o.options) > 0 && len(args) > 1 {
		return usage(cmd, "--set is for one component, and %d are named", len(args))
	}
	for _, option := range o.options {
		if key, _, ok := strings.Cut(option, "="); !ok || key == "" {
			return usage(cmd, "--set: %q is not an option; write key=value, such as connections=50", option)
		}
	}
	o.Edit = func(s *specedit.Spec) error {
		return eachComponent(args, func(name string) error { return badOptions(name, o.options, s.AddComponent(name, o.options)) })
	}
	return asUsage(cmd, runComponents(cmd.Context(), g, o))
}

// badOptions replaces the keys of the spec by those of --set. They are not in the file.
func badOptions(name string, options []string, err error) error {
	list, ok := errors.AsType[diagnostic.List](err)
	if !ok || len(options) == 0 {
		return err
	}
	flags := slices.Clone(list)
	for i, p := range flags {
		key, found := strings.CutPrefix(p.Path, "components."+name+".")
		if !found {
			return err
		}
		flags[i] = diagnostic.Problem{Path: "--set " + key, Message: p.Message}
	}
	return &UsageError{Err: flags}
}

// checkComponents reports all unknown and duplicate names.
func checkComponents(cmd *cobra.Command, names []string) error {
	if len(names) == 0 {
		return usage(cmd, "no component is named; name one of: %s", strings.Join(components.Names(), ", "))
	}
	var problems []string
	for i, name := range names {
		if err := spec.CheckComponent(name); err != nil {
			problems = append(problems, err.Error())
		}
		if slices.Contains(names[:i], name) {
			problems = append(problems, fmt.Sprintf("duplicate component %q", name))
		}
	}
	if len(problems) > 0 {
		return usage(cmd, "%s", strings.Join(problems, "\n"))
	}
	return nil
}

// eachComponent returns the errors of all components.
func eachComponent(names []string, edit func(string) error) error {
	var errs []error
	for _, name := range names {
		errs = append(errs, edit(name))
	}
	return joinProblems(errs)
}

func runComponents(ctx context.Context, g *globals, o componentOptions) error {
	dir, err := project.FindService(o.Dir)
	if err != nil {
		return err
	}
	if _, err := project.LoadSpec(dir, o.Defaults); err != nil { // restores what a killed run changed
		return err
	}
	if !o.allowDirty && !o.dryRun {
		if err := committed(ctx, dir); err != nil {
			return err
		}
	}
	o.offers = true
	return runGenerate(ctx, g, o.generateOptions)
}

// committed returns an error if files of the service have changes that git could not restore. Outside of a repository, and
// before the first commit, there is nothing to restore.
func committed(ctx context.Context, dir string) error {
	out, err := monorepo.Within(ctx, dir, "--no-optional-locks", "status", "--porcelain", "--untracked-files=no", "--", ".")
	if err != nil {
		return fmt.Errorf("%w\nwithout git, nothing can undo this command; run it with --allow-dirty if that is right", err)
	}
	if out == "" {
		return nil
	}
	const shown = 5
	files := strings.Split(out, "\n")
	more := ""
	if len(files) > shown {
		more = fmt.Sprintf("\n  and %d more", len(files)-shown)
		files = files[:shown]
	}
	return fmt.Errorf("the service has uncommitted changes:\n  %s%s\ncommit or stash them, so that git can undo this command, or run it with --allow-dirty", strings.Join(files, "\n  "), more)
}

// joinProblems returns one list for errors with positions.
func joinProblems(errs []error) error {
	var list diagnostic.List
	for _, err := range errs {
		found, ok := errors.AsType[diagnostic.List](err)
		if err != nil && (!ok || is[*UsageError](err)) {
			return errors.Join(errs...)
		}
		list = append(list, found...)
	}
	return list.Err()
}
