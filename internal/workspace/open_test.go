package workspace

import (
	"errors"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/templates"
)

// resolve closes the open files as scaffold resolve does.
func resolve(t *testing.T, dir string, next templates.Tree, names ...string) {
	t.Helper()
	w, err := Open(dir, locked("v0.1.0"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.PlanResolve(next, names)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Apply(t.Context(), p), w.Close()); err != nil {
		t.Fatal(err)
	}
}

func conflicted(t *testing.T) (dir string, next templates.Tree) {
	t.Helper()
	dir = t.TempDir()
	apply(t, dir, tree(t, file("merged", "Makefile", "one\n"), file("merged", "a.json", "1\n"), file("merged", "z.md", "one\n")))
	put(t, dir, "Makefile", "mine\n")
	put(t, dir, "a.json", "2\n")
	next = tree(t, file("merged", "Makefile", "two\n"), file("merged", "a.json", "3\n"), file("merged", "z.md", "two\n"))
	apply(t, dir, next)
	return dir, next
}

func TestConflictsAreOpenUntilResolved(t *testing.T) {
	t.Parallel()
	dir, next := conflicted(t)
	manifest := snapshot(t, dir)[recordPath]
	open1, err := open(t, dir).Unresolved()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, []Unresolved{{Path: "Makefile", Line: 1}, {Path: "a.json", Template: ".scaffold/open/a.json"}}, open1)
	equal(t, "two\n", contents(t, dir)["z.md"])
	equal(t, "-- Makefile --\none\n-- a.json --\n1\n-- z.md --\ntwo\n", basesOf(t, dir))

	_, err = open(t, dir).PlanResolve(next, nil)
	unresolved, ok := errors.AsType[*UnresolvedError](err)
	if !ok || len(unresolved.Files) != 2 || !strings.Contains(err.Error(), "Makefile:1: conflict: ") || !strings.Contains(err.Error(), "compare it with .scaffold/open/a.json and") {
		t.Fatalf("got %v, want both conflicts with their places", err)
	}
	put(t, dir, "Makefile", "both\n")
	resolve(t, dir, next, "Makefile", "a.json")
	equal(t, map[string]string{"Makefile": "both\n", "a.json": "2\n", "z.md": "two\n"}, contents(t, dir))
	equal(t, "-- Makefile --\ntwo\n-- a.json --\n3\n-- z.md --\ntwo\n", basesOf(t, dir))
	if p := plan(t, dir, next); !p.Empty() || len(p.writes) > 0 || manifest == snapshot(t, dir)[recordPath] {
		t.Errorf("after resolve, another run would change %v", p.Changes)
	}
	for name := range snapshot(t, dir) {
		if strings.HasPrefix(name, ".scaffold/open") {
			t.Errorf("%s is left", name)
		}
	}
	if _, err := open(t, dir).PlanResolve(next, []string{"z.md"}); err == nil || !strings.HasPrefix(err.Error(), "z.md: no conflict to resolve") {
		t.Errorf("got %v, want an error for a file without a conflict", err)
	}
}

func TestAnOfferCanBeDeclined(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	apply(t, dir, tree(t, file("user-owned", "a.go", "one\n")))
	put(t, dir, "a.go", "mine\n")
	next := tree(t, file("user-owned", "a.go", "two\n"))
	apply(t, dir, next)
	p := plan(t, dir, next)
	edited := Change{"a.go", "user-owned", Edited, "you edited it and its template changed: see scaffold diff"}
	equal(t, []Diff{{edited, []byte("one\n"), []byte("two\n")}}, p.Diffs())
	resolve(t, dir, next, "a.go")
	equal(t, []Change(nil), notable(plan(t, dir, next)))
	equal(t, map[string]string{"a.go": "mine\n"}, contents(t, dir))
}

func TestEditsMoveAlong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	apply(t, dir, tree(t, file("merged", "cmd/a/main.go", "a\nb\nc\n"), file("user-owned", "cmd/a/x.go", "one\n"), file("generated", "cmd/a/g.go", "one\n"), file("merged", "cmd/a/dropped", "one\n")))
	put(t, dir, "cmd/a/main.go", "mine\nb\nc\n")
	put(t, dir, "cmd/a/x.go", "mine\n")
	remove(t, dir, "cmd/a/dropped")
	next := tree(t, file("merged", "cmd/b/main.go", "a\nb\nnew\n"), file("user-owned", "cmd/b/x.go", "one\n"), file("generated", "cmd/b/g.go", "one\n"), file("merged", "cmd/b/dropped", "one\n"))
	moves := map[string]string{}
	for _, name := range []string{"main.go", "x.go", "g.go", "dropped"} {
		moves["cmd/a/"+name] = "cmd/b/" + name
	}
	w, err := Open(dir, locked("v0.1.0"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.PlanFor(next, Request{Moves: moves})
	if err := errors.Join(err, w.Apply(t.Context(), p), w.Close()); err != nil {
		t.Fatal(err)
	}
	equal(t, []Change{
		{"cmd/b/dropped", "merged", Deleted, "you deleted it"}, {"cmd/b/g.go", "generated", Move, "moved from cmd/a/g.go"},
		{"cmd/b/main.go", "merged", Merge, "moved from cmd/a/main.go"}, {"cmd/b/x.go", "user-owned", Move, "moved from cmd/a/x.go"},
	}, notable(p))
	equal(t, map[string]string{"cmd/b/main.go": "mine\nb\nnew\n", "cmd/b/x.go": "mine\n", "cmd/b/g.go": "one\n"}, contents(t, dir))
	if p := plan(t, dir, next); !p.Empty() || len(p.writes) > 0 {
		t.Errorf("another run would change %v", p.Changes)
	}
	if _, left := snapshot(t, dir)["cmd/a"]; left {
		t.Error("the empty directory is left")
	}
}

func TestOverwrittenEditsAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one := tree(t, file("generated", "ci", "one\n"), file("block", "r.md", facts("one")+"\nnotes\n"))
	apply(t, dir, one)
	for _, mine := range []string{"first\n", "second\n"} {
		put(t, dir, "ci", mine)
		put(t, dir, "r.md", facts(mine)+"\nours\n")
		w, err := Open(dir, locked("v0.1.0"))
		if err != nil {
			t.Fatal(err)
		}
		p, err := w.PlanFor(one, Request{Overwrite: true})
		if err := errors.Join(err, w.Apply(t.Context(), p), w.Close()); err != nil {
			t.Fatal(err)
		}
	}
	got := snapshot(t, dir)
	for name, want := range map[string]string{
		"ci": "one\n", ".scaffold/rejected/ci": "first\n", ".scaffold/rejected/ci.2": "second\n",
		"r.md": facts("one") + "\nours\n", ".scaffold/rejected/r.md": facts("first\n") + "\nours\n",
	} {
		if !strings.HasSuffix(got[name], " "+want) {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
}

func TestEditsOfTheSpec(t *testing.T) {
	t.Parallel()
	opts := locked("v0.1.0")
	opts.Spec = "spec.yaml"
	for _, mine := range []string{"", "mine\n"} {
		dir := t.TempDir()
		write := func(text string, edits ...templates.File) Plan {
			w, err := Open(dir, opts)
			if err != nil {
				t.Fatal(err)
			}
			p, err := w.PlanFor(tree(t, file("user-owned", "spec.yaml", text), file("generated", "a", text)), Request{Edits: edits})
			if err := errors.Join(err, w.Apply(t.Context(), p), w.Close()); err != nil {
				t.Fatal(err)
			}
			return p
		}
		write("one\n")
		if mine != "" {
			put(t, dir, "spec.yaml", mine)
			write(mine)
		}
		before := snapshot(t, dir)
		p := write("two\n", file("user-owned", "spec.yaml", "two\n"))
		equal(t, []Change{{"a", "generated", Update, ""}, {"spec.yaml", "user-owned", Update, ""}}, notable(p))
		equal(t, map[string]string{"spec.yaml": "two\n", "a": "two\n"}, contents(t, dir))
		back := "one\n"
		if mine != "" {
			back = mine
		}
		write(back, file("user-owned", "spec.yaml", back))
		equal(t, before, snapshot(t, dir)) // also the manifest
	}
}

// Markers of a git merge would be merged again.
func TestMarkersOfGitStopThePlan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	apply(t, dir, tree(t, file("merged", "Makefile", "one\n")))
	put(t, dir, "Makefile", "a\n<<<<<<< HEAD\none\n=======\nmine\n>>>>>>> branch\n")
	equal(t, []Change{{"Makefile", "merged", Conflict, "has a conflict marker in line 2; resolve the conflict first, or indent the lines if they only show one"}}, plan(t, dir, tree(t, file("merged", "Makefile", "two\n"))).Conflicts())
}

// A command whose conflicts were taken back with git leaves the versions of the template, which git does not know.
func TestConflictThatWasTakenBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := tree(t, file("merged", "Makefile", "one\n")), tree(t, file("merged", "Makefile", "two\n"))
	apply(t, dir, one)
	put(t, dir, "Makefile", "mine\n")
	before := snapshot(t, dir)
	apply(t, dir, two)
	put(t, dir, ".scaffold/open/.DS_Store", "x")
	for _, name := range []string{"Makefile", recordPath, basePath} {
		_, data, _ := strings.Cut(before[name], " ")
		put(t, dir, name, data)
	}
	if open, err := open(t, dir).Unresolved(); err != nil || len(open) > 0 {
		t.Errorf("got %v, %v; want no conflicts", open, err)
	}
	equal(t, []Change(nil), apply(t, dir, one))
	remove(t, dir, ".scaffold/open/.DS_Store")
	if _, left := snapshot(t, dir)[".scaffold/open/Makefile"]; left {
		t.Error("the version of the template is left")
	}
	apply(t, dir, two)
	if open, err := open(t, dir).Unresolved(); err != nil || len(open) != 1 {
		t.Errorf("got %v, %v; want the conflict again", open, err)
	}
}

func TestLineEndsOfFilesThatAreWrittenAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	apply(t, dir, tree(t, file("merged", "Makefile", "one\na\n"), file("generated", "ci", "one\n")))
	put(t, dir, "Makefile", "one\r\na\r\n")
	apply(t, dir, tree(t, file("merged", "Makefile", "two\na\n"), file("generated", "ci", "two\n")))
	equal(t, map[string]string{"Makefile": "two\r\na\r\n", "ci": "two\n"}, contents(t, dir))
}
