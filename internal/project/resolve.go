package project

import (
	"context"
	"errors"
	"slices"

	"github.com/observability-first/scaffold/internal/workspace"
)

// Resolve records that conflicts in files are resolved, those with names relative to the service or else all. It
// returns the files.
func (g Generator) Resolve(ctx context.Context, w *workspace.Workspace, t Target, names []string) (done []string, err error) {
	atRoot := t.rootNames(names)
	inService := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return atRoot[name] != "" })
	if len(names) == 0 || len(inService) > 0 {
		p, err := w.PlanResolve(t.Tree, inService)
		if err != nil {
			return nil, err
		}
		if err := w.Apply(ctx, p); err != nil {
			return nil, err
		}
		for _, c := range p.Resolved() {
			done = append(done, c.Path)
		}
	}
	if t.AtRoot == nil || len(names) > 0 && len(atRoot) == 0 {
		return done, nil
	}
	more, err := g.resolveRoot(ctx, t, atRoot)
	return append(done, more...), err
}

// rootNames returns the paths at the root of those names that are there.
func (t Target) rootNames(names []string) map[string]string {
	out := map[string]string{}
	if t.AtRoot == nil {
		return out
	}
	for _, f := range t.AtRoot.Tree {
		if at := t.FromService(f.Path); slices.Contains(names, at) {
			out[at] = f.Path
		}
	}
	return out
}

func (g Generator) resolveRoot(ctx context.Context, t Target, named map[string]string) (done []string, err error) {
	w, err := g.openRoot(t.AtRoot.Dir, t.Service.Deploy.Directory)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	var names []string
	for _, name := range named {
		names = append(names, name)
	}
	p, err := w.PlanResolve(t.AtRoot.Tree, names)
	if unresolved, ok := errors.AsType[*workspace.UnresolvedError](err); ok {
		t.fromService(unresolved.Files)
	}
	if err != nil {
		return nil, err
	}
	for _, c := range p.Resolved() {
		done = append(done, t.FromService(c.Path))
	}
	return done, w.Apply(ctx, p)
}
