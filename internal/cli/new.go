package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/workspace"
	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/components"
	"github.com/observability-first/scaffold/templates/patterns"
	"github.com/observability-first/scaffold/templates/spec"
)

type newOptions struct {
	choices   spec.Choices
	dir       string
	defaults  string
	runtime   string
	directory string
	inModule  bool
	dryRun    bool
	yes       bool
	given     func(flag string) bool // by flag or environment variable
}

func newNewCommand(g *globals) *cobra.Command {
	var o newOptions
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Create a new service",
		Long: "Create a service in ./NAME, or in the directory set with --dir.\n\n" +
			"On a terminal it prompts for the values that no flag sets, and shows a summary before\n" +
			"it writes. Every flag has an environment variable: SCAFFOLD_OWNER for --owner,\n" +
			"SCAFFOLD_NAME for NAME.",
		Example: "  scaffold new orders\n  scaffold new orders --with postgres --owner team-checkout --module github.com/acme/orders",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.choices.Name = g.Getenv(variable("name"))
			if len(args) > 0 {
				o.choices.Name = args[0]
			}
			o.given = cmd.Flags().Changed
			return asUsage(cmd, runNew(cmd.Context(), g, &o))
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "dir", "", "service directory (default: ./NAME)")
	f.StringVar(&o.choices.Module, "module", "", "Go module path (default: from the git remote)")
	f.StringVar(&o.choices.Pattern, "pattern", "", "kind of service: "+describedPatterns())
	f.StringSliceVar(&o.choices.Components, "with", nil, "components, separated by commas: "+strings.Join(components.Names(), ", "))
	f.StringSliceVar(&o.choices.Pipelines, "pipeline", nil, "pipelines, separated by commas: "+strings.Join(spec.Pipelines(), ", ")+"; none with '' (default github)")
	f.StringVar(&o.choices.Owner, "owner", "", "team that is paged (default: team-NAME)")
	f.StringVar(&o.directory, "deploy-directory", "", "service directory relative to the root of the repository; . for the root (default: from git)")
	f.StringVar(&o.choices.Resource, "resource", "", "singular name of the example resource (default: from NAME)")
	f.StringVar(&o.choices.Plural, "plural", "", "plural name of the example resource (default: from the singular name)")
	f.StringVar(&o.defaults, "defaults", "", "file with defaults of your organization")
	f.BoolVar(&o.inModule, "in-module", false, "use the Go module of a parent directory instead of a new go.mod")
	f.StringVar(&o.runtime, "runtime", "", runtimeUsage)
	f.BoolVar(&o.dryRun, "dry-run", false, "print changes without writing them")
	f.BoolVar(&o.yes, "yes", false, "do not prompt")
	f.Lookup("pattern").Hidden = len(spec.Patterns()) == 1
	offer(cmd, "pattern", spec.Patterns())
	offer(cmd, "with", components.Names())
	offer(cmd, "pipeline", spec.Pipelines())
	return cmd
}

// describedPatterns lists the patterns with their summaries.
func describedPatterns() string {
	var out []string
	for _, p := range patterns.All() {
		out = append(out, p.Name+" ("+p.Parts(component.Service{}).Summary+")")
	}
	return strings.Join(out, ", ")
}

// created is the JSON document of scaffold new. Its keys are public.
type created struct {
	Service   string             `json:"service"`
	Directory string             `json:"directory"`
	Module    string             `json:"module"`
	Resource  string             `json:"resource"`
	DryRun    bool               `json:"dryRun"`
	Files     []workspace.Change `json:"files"`
	// Repository has the changes at the root of a repository with several services, Owners the
	// line in its CODEOWNERS, and GitLab the line in its .gitlab-ci.yml.
	Repository *repositoryChanges `json:"repository,omitempty"`
	Owners     *createdEdit       `json:"codeOwners,omitempty"`
	GitLab     *createdEdit       `json:"gitlab,omitempty"`
	Next       []string           `json:"next"`   // commands to run now
	Replay     string             `json:"replay"` // command that creates the same service without questions
}

func runNew(ctx context.Context, g *globals, o *newOptions) (err error) {
	defaults, err := project.LoadDefaults(o.defaults)
	if err != nil {
		return err
	}
	assumed, err := complete(ctx, g, o, defaults)
	if err != nil {
		return err
	}
	root, err := o.place(ctx)
	if err != nil {
		return err
	}
	module, err := o.joinModule(root)
	if err != nil {
		return err
	}
	s, err := defaults.New(o.choices)
	if err != nil {
		return badChoices(err)
	}
	if err := workspace.Fresh(o.dir); err != nil {
		return err
	}
	if err := alone(ctx, o.dir, root, s.Name); err != nil {
		return err
	}
	w, err := g.openFresh(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	t, err := g.Plan(w, project.Target{Dir: o.dir, Service: s}, defaults, s.YAML(), o.runtime)
	if err != nil {
		return err
	}
	if conflicts := t.With(workspace.Conflict); len(conflicts) > 0 {
		return &ConflictError{conflicts}
	}
	shared, err := project.PlanShared(ctx, t)
	if err != nil {
		return err
	}
	require, err := g.RequireCommands(s, o.dir, module, o.runtime)
	if err != nil {
		return err
	}
	if err := g.make(ctx, w, t, o); err != nil {
		return err
	}
	g.printCreated(t, shared, o, assumed, require)
	return nil
}

// openFresh opens the directory of the new service.
func (g *globals) openFresh(o *newOptions) (*workspace.Workspace, error) {
	open := g.LockWorkspace
	if o.dryRun {
		open = g.OpenWorkspace
	}
	w, err := open(o.dir)
	if err != nil {
		return nil, err
	}
	// Again: before this run had the lock, another one may have created a service.
	if err := workspace.Fresh(o.dir); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// make writes the service, except with --dry-run or if the user rejects the summary.
func (g *globals) make(ctx context.Context, w *workspace.Workspace, t project.Target, o *newOptions) error {
	if o.dryRun {
		return nil
	}
	if o.asks(g) {
		if err := g.confirm(ctx, t); err != nil {
			return err
		}
	}
	if err := g.Apply(ctx, w, t); err != nil {
		return err
	}
	if err := project.WriteShared(ctx, t); err != nil {
		return fmt.Errorf("created the service in %s, but not all shared files of the repository: %w", o.dir, err)
	}
	return nil
}

// badChoices replaces the keys of the spec by flags.
func badChoices(err error) error {
	var list diagnostic.List
	if !errors.As(err, &list) {
		return err
	}
	flags := slices.Clone(list)
	for i, p := range flags {
		switch key, _, _ := strings.Cut(p.Path, "["); key {
		case "service":
			flags[i].Path = "NAME"
		case "components":
			flags[i].Path = "--with"
		case "deploy.directory":
			flags[i].Path = "--deploy-directory"
		default:
			flags[i].Path = "--" + key
		}
	}
	return &UsageError{Err: flags}
}

// asUsage adds the command to a usage error of a function that does not know it.
func asUsage(cmd *cobra.Command, err error) error {
	if misuse := (*UsageError)(nil); errors.As(err, &misuse) {
		misuse.Command = cmd.CommandPath()
	}
	return err
}

// printCreated lists what was written and the next commands. If the service is part of a
// module, the commands that add its requirements come first.
func (g *globals) printCreated(t project.Target, shared project.SharedEdits, o *newOptions, assumed, require []string) {
	next := []string{"make run", "make verify"}
	switch {
	case len(require) > 0:
		next = slices.Concat(require, []string{"cd " + project.ShellQuote(t.Service.ModuleDirectory)}, next)
	case filepath.Clean(t.Dir) != ".":
		next = append([]string{"cd " + project.ShellQuote(t.Dir)}, next...)
	}
	if g.emit(created{
		Service: t.Service.Name, Directory: t.Dir, Module: t.Service.Module, Resource: t.Service.Resource, DryRun: o.dryRun,
		Files: t.Plan.Changes, Repository: repositoryChangesOf(t), Owners: describeEdit(shared.Owners), GitLab: describeEdit(shared.GitLab), Next: next, Replay: o.replay(),
	}) {
		return
	}
	if o.dryRun {
		g.printChanges(t.Plan.Changes)
		g.printChanges(t.RootChanges())
		g.printShared(t, shared)
		g.printf("Nothing was written: this was a dry run.\n")
		return
	}
	written := andAtRoot(t, func(at *project.AtRoot) int { return at.Plan.Count(workspace.Create) })
	g.printf("Created %s in %s: %s%s.\n\n", t.Service.Name, directory(t.Dir), plural(t.Plan.Count(workspace.Create), "file"), written)
	for _, c := range slices.Concat(t.Plan.Changes, t.RootChanges()) {
		if c.Action == workspace.Keep {
			g.printf("Kept your %s.\n\n", c.Path)
		}
	}
	g.printShared(t, shared)
	for _, command := range next {
		g.printf("  %s\n", command)
	}
	g.printf("\nBefore production, set alerting.receivers in %s: until then alerts are not delivered. See README.md, \"Before production\".\n\n", spec.FileName)
	if slices.Contains(assumed, "module") && !o.inModule {
		g.printf("No git remote found; using module %s (set --module to change it).\n", t.Service.Module)
	}
	if slices.Contains(assumed, "owner") {
		g.printf("Using owner %s (set --owner to change it).\n", t.Service.Owner)
	}
	if slices.Contains(assumed, "resource") {
		g.printf("Using resource %s (set --resource to change it).\n", resourceAt(t.Service, " at "))
	}
	g.printf("To reproduce: %s\n", o.replay())
}

// resourceAt returns the resource, and after the separator the path that serves it, if any.
func resourceAt(s spec.Service, separator string) string {
	if path := s.ResourcePath(); path != "" {
		return s.Resource + separator + path
	}
	return s.Resource
}

func directory(dir string) string {
	if filepath.Clean(dir) == "." {
		return "this directory"
	}
	return dir
}

// replay returns the command that creates the same service without questions.
func (o *newOptions) replay() string {
	c := o.choices
	command := []string{"scaffold new", project.ShellQuote(c.Name)}
	add := func(flag, value string) {
		if value != "" {
			command = append(command, "--"+flag+" "+project.ShellQuote(value))
		}
	}
	if o.dir != c.Name {
		add("dir", o.dir)
	}
	add("deploy-directory", o.directory)
	if o.inModule {
		command = append(command, "--in-module")
	} else {
		add("module", c.Module)
	}
	add("pattern", c.Pattern)
	add("with", strings.Join(c.Components, ","))
	add("pipeline", strings.Join(c.Pipelines, ","))
	if c.Pipelines != nil && len(c.Pipelines) == 0 {
		command = append(command, "--pipeline ''")
	}
	add("owner", c.Owner)
	add("resource", c.Resource)
	add("plural", c.Plural)
	add("defaults", o.defaults)
	add("runtime", o.runtime)
	return strings.Join(append(command, "--yes"), " ")
}
