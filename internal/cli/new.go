package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/diag"
	"github.com/observability-first/scaffold/internal/repository"
	"github.com/observability-first/scaffold/internal/workspace"
	"github.com/observability-first/scaffold/templates/spec"
)

// newOptions is what scaffold new was told.
type newOptions struct {
	choices  spec.Choices
	dir      string
	defaults string
	runtime  string
	folder   string
	inModule bool
	dryRun   bool
	yes      bool
	given    func(flag string) bool // by flag or variable
}

func newNewCommand(g *globals) *cobra.Command {
	var o newOptions
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Make a new service",
		Long: "Makes a new service in ./NAME, or in the folder that --dir names.\n\n" +
			"On a terminal it asks for name, module, owner, resource, plural, components and\n" +
			"pipelines where no flag answers, and shows a summary before it writes. Each flag has\n" +
			"a variable: SCAFFOLD_OWNER stands in for --owner, SCAFFOLD_NAME for NAME.",
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
	f.StringVar(&o.dir, "dir", "", "folder of the service (default ./NAME)")
	f.StringVar(&o.choices.Module, "module", "", "Go module path (default: from the git remote)")
	f.StringVar(&o.choices.Pattern, "pattern", "", "kind of service: "+strings.Join(spec.Patterns(), ", "))
	f.StringSliceVar(&o.choices.Components, "with", nil, "components, joined by commas: "+strings.Join(spec.ComponentNames(), ", "))
	f.StringSliceVar(&o.choices.Pipelines, "pipeline", nil, "pipelines, joined by commas: "+strings.Join(spec.Pipelines(), ", ")+"; none with '' (default github)")
	f.StringVar(&o.choices.Owner, "owner", "", "team that is paged (default team-NAME)")
	f.StringVar(&o.folder, "folder", "", "folder of the service below the root of its repository; . when it is one of its own (default: from git)")
	f.StringVar(&o.choices.Resource, "resource", "", "what the first endpoints serve, a singular noun (default: from NAME)")
	f.StringVar(&o.choices.Plural, "plural", "", "plural of the resource")
	f.StringVar(&o.defaults, "defaults", "", "file of defaults of your organisation")
	f.BoolVar(&o.inModule, "in-module", false, "make it a part of the Go module above, without a go.mod of its own")
	f.StringVar(&o.runtime, "runtime", "", "folder of the runtime, for a scaffold built in a checkout")
	f.BoolVar(&o.dryRun, "dry-run", false, "show what would be written")
	f.BoolVar(&o.yes, "yes", false, "ask nothing")
	offer(cmd, "pattern", spec.Patterns())
	offer(cmd, "with", spec.ComponentNames())
	offer(cmd, "pipeline", spec.Pipelines())
	return cmd
}

// created is the document of scaffold new. Its keys are public.
type created struct {
	Service   string             `json:"service"`
	Directory string             `json:"directory"`
	Module    string             `json:"module"`
	Resource  string             `json:"resource"`
	DryRun    bool               `json:"dryRun"`
	Files     []workspace.Change `json:"files"`
	// Repository tells of the root of the repository that the service is a folder
	// of, Owners of the line in its CODEOWNERS, and GitLab of that in its .gitlab-ci.yml.
	Repository *repositoryChanges `json:"repository,omitempty"`
	Owners     *createdEdit       `json:"codeOwners,omitempty"`
	GitLab     *createdEdit       `json:"gitlab,omitempty"`
	Next       []string           `json:"next"`   // commands to type now
	Replay     string             `json:"replay"` // the command that makes the same service without questions
}

func runNew(ctx context.Context, g *globals, o *newOptions) (err error) {
	defaults, err := loadDefaults(o.defaults)
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
	w, err := g.openWorkspace(o.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	t, err := g.plan(w, Target{Dir: o.dir, Service: s}, defaults, s.YAML(), o.runtime)
	if err != nil {
		return err
	}
	if conflicts := t.conflicts(); len(conflicts) > 0 {
		return &ConflictError{conflicts}
	}
	shared, err := planShared(ctx, t)
	if err != nil {
		return err
	}
	require, err := g.requireCommands(s, o.dir, module, o.runtime)
	if err != nil {
		return err
	}
	if o.asks(g) && !o.dryRun {
		if err := g.confirm(ctx, t); err != nil {
			return err
		}
	}
	if !o.dryRun {
		if err := g.apply(ctx, w, t); err != nil {
			return err
		}
		if err := shared.write(); err != nil {
			return fmt.Errorf("the service in %s is written, but not all that the repository says of it: %w", o.dir, err)
		}
	}
	g.printCreated(t, shared, o, assumed, require)
	return nil
}

// alone says why there is no place for a service of that name: it would lie in
// another one, or the repository has one of the same name, whose rules and
// boards would be taken for each other.
func alone(ctx context.Context, dir, root, name string) error {
	at, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if around, inside := repository.ServiceAround(at); inside {
		return fmt.Errorf("%s lies in the service of %s; a service holds no other, so choose a folder beside it with --dir",
			dir, nearer(filepath.Join(around, spec.FileName)))
	}
	if root == "" {
		return nil
	}
	services, err := repository.Services(ctx, root)
	if err != nil {
		return err
	}
	for _, other := range services {
		if other.Name == name {
			return fmt.Errorf("the repository has a service %s already, in %s; rules, alerts and boards go by the name, so choose another",
				name, nearer(filepath.Join(root, filepath.FromSlash(other.Dir))))
		}
	}
	return nil
}

// nearer is a path as somebody in the working directory would write it.
func nearer(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	relative, err := filepath.Rel(here, path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(relative)
}

// complete settles what no flag said: by questions on a terminal, by proposals
// elsewhere. It returns the flags whose values nobody chose.
func complete(ctx context.Context, g *globals, o *newOptions, defaults spec.Defaults) (assumed []string, err error) {
	asking := o.asks(g)
	if o.choices.Name == "" {
		if !asking {
			return nil, &UsageError{Err: errors.New("which service? Write scaffold new NAME, such as scaffold new orders")}
		}
		name := Question{Flag: "name", Title: "Name", Help: "of the service, such as orders", Value: &o.choices.Name, Check: spec.CheckName}
		if err := g.Prompt(ctx, g.Streams, []Question{name}); err != nil {
			return nil, err
		}
	}
	// The name is about to be part of a path.
	if err := spec.CheckName(o.choices.Name); err != nil {
		return nil, badChoices(diag.List{{Path: "service", Message: err.Error()}})
	}
	if o.dir == "" {
		o.dir = o.choices.Name
	}
	if o.choices.Module == "" {
		o.choices.Module = moduleFor(ctx, o.dir)
	}
	if o.choices.Module == "" {
		o.choices.Module = "example.com/" + o.choices.Name
		assumed = append(assumed, "module")
	}
	if asking {
		return nil, o.ask(ctx, g, defaults)
	}
	if o.choices.Owner == "" {
		assumed = append(assumed, "owner")
	}
	if o.choices.Resource == "" {
		assumed = append(assumed, "resource")
	}
	return assumed, nil
}

// asks reports whether somebody answers questions.
func (o *newOptions) asks(g *globals) bool { return g.Streams.Terminal && !o.yes && g.output != "json" }

// ask puts the questions that no flag answered. What a flag said and is wrong is
// reported before the first one.
func (o *newOptions) ask(ctx context.Context, g *globals, defaults spec.Defaults) error {
	proposed, err := defaults.New(o.choices)
	if err != nil {
		return badChoices(err)
	}
	c := &o.choices
	c.Owner = proposed.Owner
	resource, pipelines := proposed.Resource, slices.Clone(proposed.Deploy.Pipelines)
	err = o.put(ctx, g,
		Question{Flag: "module", Title: "Module", Help: "Go module path", Value: &c.Module, Check: spec.CheckModule},
		Question{Flag: "owner", Title: "Owner", Help: "the team that is paged", Value: &c.Owner, Check: spec.CheckOwner},
		Question{Flag: "resource", Title: "Resource", Help: "what the first endpoints serve, a singular noun", Value: &resource, Check: spec.CheckResource},
		Question{Flag: "with", Title: "Components", Help: "what the service depends on", Choices: spec.ComponentNames(), Values: &c.Components},
		Question{Flag: "pipeline", Title: "Pipelines", Help: "the systems that build and deploy it", Choices: spec.Pipelines(), Values: &pipelines},
	)
	if err != nil {
		return err
	}
	// A proposal that was taken is left to the spec's own defaults.
	if resource != proposed.Resource {
		c.Resource = resource
	}
	if !slices.Equal(pipelines, proposed.Deploy.Pipelines) {
		c.Pipelines = append([]string{}, pipelines...)
	}
	return o.askPlural(ctx, g, defaults, resource)
}

// askPlural asks once the resource is known.
func (o *newOptions) askPlural(ctx context.Context, g *globals, defaults spec.Defaults, resource string) error {
	proposal := "" // where the regular plural is no name
	if proposed, err := defaults.New(o.choices); err == nil {
		proposal = proposed.Plural
	}
	plural := proposal
	check := func(plural string) error { return spec.CheckPlural(resource, plural) }
	help := "of " + resource + ", for paths such as /v1/" + cmp.Or(plural, "orders")
	err := o.put(ctx, g, Question{Flag: "plural", Title: "Plural", Help: help, Value: &plural, Check: check})
	if err == nil && plural != proposal {
		o.choices.Plural = plural
	}
	return err
}

// put asks those questions that no flag answered.
func (o *newOptions) put(ctx context.Context, g *globals, questions ...Question) error {
	open := slices.DeleteFunc(questions, func(q Question) bool { return o.given(q.Flag) || q.Flag == "module" && o.inModule })
	if len(open) == 0 {
		return nil
	}
	return g.Prompt(ctx, g.Streams, open)
}

// confirm shows what is about to be written and asks whether to.
func (g *globals) confirm(ctx context.Context, t Target) error {
	s := t.Service
	none := func(list []string) string { return cmp.Or(strings.Join(list, ", "), "none") }
	g.printf("\n")
	for _, line := range [][2]string{
		{"Service", s.Name},
		{"Directory", t.Dir},
		{"Module", s.Module},
		{"Owner", s.Owner},
		{"Resource", s.Resource + ", at /v1/" + s.Plural},
		{"Components", none(s.Components.Names())},
		{"Pipelines", none(s.Deploy.Pipelines)},
		{"Files", strconv.Itoa(t.Plan.Count(workspace.Create)) + t.andAtRoot(func(at *AtRoot) int { return at.Plan.Count(workspace.Create) })},
	} {
		g.printf("  %-10s  %s\n", line[0], line[1])
	}
	g.printf("\n")
	write := true
	question := Question{Flag: "yes", Title: "Write it?", Help: "nothing has been written yet", Confirm: &write}
	if err := g.Prompt(ctx, g.Streams, []Question{question}); err != nil {
		return err
	}
	if !write {
		return errAborted
	}
	return nil
}

// badChoices names flags where the spec has keys.
func badChoices(err error) error {
	var list diag.List
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
		case "deploy.folder":
			flags[i].Path = "--folder"
		default:
			flags[i].Path = "--" + key
		}
	}
	return &UsageError{Err: flags}
}

// asUsage fills in the command of a usage error that came from below.
func asUsage(cmd *cobra.Command, err error) error {
	if misuse := (*UsageError)(nil); errors.As(err, &misuse) {
		misuse.Command = cmd.CommandPath()
	}
	return err
}

// printCreated tells what was made and what to type next: first what the module
// above has to be told, if the service is a part of one.
func (g *globals) printCreated(t Target, shared sharedEdits, o *newOptions, assumed, require []string) {
	next := []string{"make run", "make test"}
	switch {
	case len(require) > 0:
		next = slices.Concat(require, []string{"cd " + quote(t.Service.ModuleFolder)}, next)
	case filepath.Clean(t.Dir) != ".":
		next = append([]string{"cd " + quote(t.Dir)}, next...)
	}
	if g.emit(created{
		Service: t.Service.Name, Directory: t.Dir, Module: t.Service.Module, Resource: t.Service.Resource, DryRun: o.dryRun,
		Files: t.Plan.Changes, Repository: t.repositoryChanges(), Owners: describeEdit(shared.owners), GitLab: describeEdit(shared.gitlab), Next: next, Replay: o.replay(),
	}) {
		return
	}
	if o.dryRun {
		g.printChanges(t.Plan.Changes)
		g.printChanges(t.rootChanges())
		g.printShared(t, shared)
		g.printf("Nothing was written: this was a dry run.\n")
		return
	}
	written := t.andAtRoot(func(at *AtRoot) int { return at.Plan.Count(workspace.Create) })
	g.printf("Made %s in %s: %s%s.\n\n", t.Service.Name, folder(t.Dir), plural(t.Plan.Count(workspace.Create), "file"), written)
	for _, c := range slices.Concat(t.Plan.Changes, t.rootChanges()) {
		if c.Action == workspace.Keep {
			g.printf("Kept your %s.\n\n", c.Path)
		}
	}
	g.printShared(t, shared)
	for _, command := range next {
		g.printf("  %s\n", command)
	}
	g.printf("\n")
	if slices.Contains(assumed, "module") && !o.inModule {
		g.printf("No git remote names a module; using module %s (set --module to change it).\n", t.Service.Module)
	}
	if slices.Contains(assumed, "owner") {
		g.printf("Using owner %s (set --owner to change it).\n", t.Service.Owner)
	}
	if slices.Contains(assumed, "resource") {
		g.printf("Using resource %s at /v1/%s (set --resource to change it).\n", t.Service.Resource, t.Service.Plural)
	}
	g.printf("To reproduce: %s\n", o.replay())
}

func folder(dir string) string {
	if filepath.Clean(dir) == "." {
		return "this folder"
	}
	return dir
}

// replay is the command that makes the same service without a question.
func (o *newOptions) replay() string {
	c := o.choices
	command := []string{"scaffold new", quote(c.Name)}
	add := func(flag, value string) {
		if value != "" {
			command = append(command, "--"+flag+" "+quote(value))
		}
	}
	if o.dir != c.Name {
		add("dir", o.dir)
	}
	add("folder", o.folder)
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

// quote writes a word as a POSIX shell reads it back.
func quote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,@+=", r)
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
