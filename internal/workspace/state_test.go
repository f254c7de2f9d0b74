package workspace

import (
	"testing"

	"github.com/observability-first/scaffold/templates"
)

// Neither tree changes or removes files of the other.
func TestTreesWithDifferentStatesShareADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(state string) *Workspace {
		opts := options("v0.1.0")
		opts.State = state
		w, err := Open(dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.Close() })
		return w
	}
	bring := func(state string, next templates.Tree) Plan {
		w := at(state)
		p, err := w.Plan(next)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Apply(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	one, two := "services/a/.scaffold/repository", "services/b/.scaffold/repository"
	bring(one, tree(t, file("generated", ".github/workflows/a.yml", "1\n"), file("merged", "shared.txt", "1\n")))
	bring(two, tree(t, file("generated", ".github/workflows/b.yml", "1\n")))
	for _, name := range []string{one + "/manifest.json", one + "/base.txtar", two + "/manifest.json"} {
		if _, ok := snapshot(t, dir)[name]; !ok {
			t.Errorf("there is no %s", name)
		}
	}
	if _, ok := snapshot(t, dir)[recordPath]; ok {
		t.Error("an unexpected state was written")
	}

	put(t, dir, ".github/workflows/a.yml", "mine\n")
	p := bring(two, tree(t, file("generated", ".github/workflows/b.yml", "2\n")))
	equal(t, []Change{{Path: ".github/workflows/b.yml", Owner: templates.Generated, Action: Update}}, p.Changes)
	p = bring(one, tree(t, file("generated", ".github/workflows/a.yml", "1\n"), file("merged", "shared.txt", "1\n")))
	equal(t, 1, p.Count(Rewrite))
	bring(one, tree(t))
	if _, ok := snapshot(t, dir)[".github/workflows/b.yml"]; !ok {
		t.Error("the file of the other tree was removed")
	}
	if _, err := at(one).Plan(tree(t, file("generated", one+"/manifest.json", ""))); err == nil {
		t.Error("a tree may write into its own state")
	}
}
