package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/internal/project"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/workspace"
	"github.com/observability-first/scaffold/templates/components"
	"github.com/observability-first/scaffold/templates/spec"
)

// complete sets what no flag sets: from prompts on a terminal, from proposals elsewhere. It
// returns the flags whose values were assumed.
func complete(ctx context.Context, g *globals, o *newOptions, defaults spec.Defaults) (assumed []string, err error) {
	asking := o.asks(g)
	if o.choices.Name == "" {
		if !asking {
			return nil, &UsageError{Err: errors.New("the name of the service is missing; run scaffold new NAME, for example scaffold new orders")}
		}
		name := Question{Flag: "name", Title: "Name", Help: "of the service, such as orders", Value: &o.choices.Name, Check: spec.CheckName}
		if err := g.Prompt(ctx, g.Streams, []Question{name}); err != nil {
			return nil, err
		}
	}
	// The name becomes part of a path below.
	if err := spec.CheckName(o.choices.Name); err != nil {
		return nil, badChoices(diagnostic.List{{Path: "service", Message: err.Error()}})
	}
	if o.dir == "" {
		o.dir = o.choices.Name
	}
	if o.choices.Module == "" {
		o.choices.Module = project.ModuleFor(ctx, o.dir)
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

// asks reports whether prompts are allowed.
func (o *newOptions) asks(g *globals) bool { return g.Streams.Terminal && !o.yes && g.output != "json" }

// ask shows prompts for what no flag sets, as two forms, because each must fit a terminal of 24
// lines. It reports invalid flags before the first prompt.
func (o *newOptions) ask(ctx context.Context, g *globals, defaults spec.Defaults) error {
	proposed, err := defaults.New(o.choices)
	if err != nil {
		return badChoices(err)
	}
	c := &o.choices
	c.Owner = proposed.Owner
	resource := proposed.Resource
	err = o.put(ctx, g,
		Question{Flag: "module", Title: "Module", Help: "Go module path", Value: &c.Module, Check: spec.CheckModule},
		Question{Flag: "owner", Title: "Owner", Help: "the team that is paged", Value: &c.Owner, Check: spec.CheckOwner},
		Question{Flag: "resource", Title: "Resource", Help: "singular name of the example resource", Value: &resource, Check: spec.CheckResource},
	)
	if err != nil {
		return err
	}
	// An accepted proposal stays out of the spec, so that the spec's defaults apply.
	if resource != proposed.Resource {
		c.Resource = resource
	}
	return o.askMore(ctx, g, defaults, resource, proposed)
}

// askMore asks for values that depend on the resource, and for choices from lists.
func (o *newOptions) askMore(ctx context.Context, g *globals, defaults spec.Defaults, resource string, first spec.Service) error {
	c := &o.choices
	proposal := "" // empty if the regular plural is not a valid name
	if proposed, err := defaults.New(*c); err == nil {
		proposal = proposed.Plural
	}
	plural, pipelines := proposal, slices.Clone(first.Deploy.Pipelines)
	check := func(plural string) error { return spec.CheckPlural(resource, plural) }
	help := "of " + resource
	first.Plural = cmp.Or(plural, "orders")
	if path := first.ResourcePath(); path != "" {
		help += ", for paths such as " + path
	}
	err := o.put(ctx, g,
		Question{Flag: "plural", Title: "Plural", Help: help, Value: &plural, Check: check},
		Question{Flag: "with", Title: "Components", Help: "what the service depends on", Choices: components.Names(), Values: &c.Components},
		Question{Flag: "pipeline", Title: "Pipelines", Help: "the systems that build and deploy it", Choices: spec.Pipelines(), Values: &pipelines},
	)
	if err != nil {
		return err
	}
	if plural != proposal {
		c.Plural = plural
	}
	if !slices.Equal(pipelines, first.Deploy.Pipelines) {
		c.Pipelines = append([]string{}, pipelines...)
	}
	return nil
}

// put shows the prompts whose flags are not set.
func (o *newOptions) put(ctx context.Context, g *globals, questions ...Question) error {
	open := slices.DeleteFunc(questions, func(q Question) bool { return o.given(q.Flag) || q.Flag == "module" && o.inModule })
	if len(open) == 0 {
		return nil
	}
	return g.Prompt(ctx, g.Streams, open)
}

// confirm shows what will be written and asks for confirmation.
func (g *globals) confirm(ctx context.Context, t project.Target) error {
	s := t.Service
	none := func(list []string) string { return cmp.Or(strings.Join(list, ", "), "none") }
	g.printf("\n")
	for _, line := range [][2]string{
		{"Service", s.Name},
		{"Directory", t.Dir},
		{"Module", s.Module},
		{"Owner", s.Owner},
		{"Resource", resourceAt(s, ", at ")},
		{"Components", none(s.Components.Names())},
		{"Pipelines", none(s.Deploy.Pipelines)},
		{"Files", strconv.Itoa(t.Plan.Count(workspace.Create)) + andAtRoot(t, func(at *project.AtRoot) int { return at.Plan.Count(workspace.Create) })},
	} {
		g.printf("  %-10s  %s\n", line[0], line[1])
	}
	g.printf("\n")
	write := true
	question := Question{Flag: "yes", Title: "Create it?", Help: "no files have been written yet", Confirm: &write}
	if err := g.Prompt(ctx, g.Streams, []Question{question}); err != nil {
		return err
	}
	if !write {
		return errAborted
	}
	return nil
}
