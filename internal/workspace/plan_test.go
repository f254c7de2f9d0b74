package workspace

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/templates"
)

// Each case writes the first tree, changes files as a user would, and writes the second tree.
func TestPlanByOwnerAndEdits(t *testing.T) {
	t.Parallel()
	const path = "docs/a.md"
	first := func(o templates.Owner) templates.File { return file(o, path, "one\n") }
	second := func(o templates.Owner) templates.File { return file(o, path, "two\n") }
	edit := func(t *testing.T, dir string) { put(t, dir, path, "mine\n") }
	leave := func(*testing.T, string) {}
	drop := func(t *testing.T, dir string) { remove(t, dir, path) }
	for _, tt := range []struct {
		name   string
		before []templates.File
		user   func(t *testing.T, dir string)
		next   []templates.File
		want   []Change
		disk   map[string]string
	}{
		{"generated, unedited: updated", []templates.File{first("generated")}, leave, []templates.File{second("generated")},
			[]Change{{path, "generated", Update, ""}}, map[string]string{path: "two\n"}},
		{"generated, edited: rewritten", []templates.File{first("generated")}, edit, []templates.File{first("generated")},
			[]Change{{path, "generated", Rewrite, "edited by hand"}}, map[string]string{path: "one\n"}},
		{"generated, deleted: created again", []templates.File{first("generated")}, drop, []templates.File{first("generated")},
			[]Change{{path, "generated", Create, ""}}, map[string]string{path: "one\n"}},
		{"generated, edited to what comes: kept", []templates.File{first("generated")},
			func(t *testing.T, dir string) { put(t, dir, path, "two\n") }, []templates.File{second("generated")}, nil, map[string]string{path: "two\n"}},
		{"generated, line ends turned: kept", []templates.File{first("generated")},
			func(t *testing.T, dir string) { put(t, dir, path, "one\r\n") }, []templates.File{first("generated")}, nil, map[string]string{path: "one\r\n"}},
		{"generated, no longer generated, unedited: removed", []templates.File{first("generated")}, leave, nil,
			[]Change{{path, "generated", Remove, ""}}, map[string]string{}},
		{"generated, no longer generated, edited: stays", []templates.File{first("generated")}, edit, nil,
			[]Change{{path, "generated", Orphaned, "no longer generated; kept, since you edited it: delete it unless you need it"}}, map[string]string{path: "mine\n"}},
		{"generated, no longer generated, deleted: nothing", []templates.File{first("generated")}, drop, nil, nil, map[string]string{}},

		{"merged, unedited: updated", []templates.File{first("merged")}, leave, []templates.File{second("merged")},
			[]Change{{path, "merged", Update, ""}}, map[string]string{path: "two\n"}},
		{"merged, edited, same template: kept", []templates.File{first("merged")}, edit, []templates.File{first("merged")},
			nil, map[string]string{path: "mine\n"}},
		{"merged, edited, new template in the same part: both between markers", []templates.File{first("merged")}, edit, []templates.File{second("merged")},
			[]Change{{path, "merged", Unmerged, "you and the template changed the same part"}},
			map[string]string{path: "<<<<<<< yours\nmine\n||||||| as scaffold wrote it last\none\n=======\ntwo\n>>>>>>> new from scaffold\n"}},
		{"merged, edited, new template: merged", []templates.File{file("merged", path, "a\nb\nc\n")}, func(t *testing.T, dir string) { put(t, dir, path, "mine\nb\nc\n") },
			[]templates.File{file("merged", path, "a\nb\nnew\n")}, []Change{{path, "merged", Merge, ""}}, map[string]string{path: "mine\nb\nnew\n"}},
		{"merged, edited with other line ends: merged", []templates.File{file("merged", path, "a\nb\nc\n")}, func(t *testing.T, dir string) { put(t, dir, path, "mine\r\nb\r\nc\r\n") },
			[]templates.File{file("merged", path, "a\nb\nnew\n")}, []Change{{path, "merged", Merge, ""}}, map[string]string{path: "mine\r\nb\r\nnew\r\n"}},
		{"go.mod: requirements are united", []templates.File{file("merged", "go.mod", "module a.test/a\n")}, func(t *testing.T, dir string) { put(t, dir, "go.mod", "module a.test/a\n\nrequire b.test/b v1.0.0\n") },
			[]templates.File{file("merged", "go.mod", "module a.test/a\n\nrequire c.test/c v1.0.0\n")}, []Change{{"go.mod", "merged", Merge, ""}},
			map[string]string{"go.mod": "module a.test/a\n\nrequire (\n\tb.test/b v1.0.0\n\tc.test/c v1.0.0\n)\n"}},
		{"go.sum: lines are united", []templates.File{file("merged", "go.sum", "a\n")}, func(t *testing.T, dir string) { put(t, dir, "go.sum", "a\nb\n") },
			[]templates.File{file("merged", "go.sum", "a\nc\n")}, []Change{{"go.sum", "merged", Merge, ""}}, map[string]string{"go.sum": "a\nb\nc\n"}},
		{"JSON in the same part: kept and reported", []templates.File{file("merged", "a.json", "1\n")}, func(t *testing.T, dir string) { put(t, dir, "a.json", "2\n") },
			[]templates.File{file("merged", "a.json", "3\n")}, []Change{{"a.json", "merged", Unmerged, "you and the template changed the same part"}}, map[string]string{"a.json": "2\n"}},
		{"merged, deleted: stays away", []templates.File{first("merged")}, drop, []templates.File{second("merged")},
			[]Change{{path, "merged", Deleted, "you deleted it"}}, map[string]string{}},
		{"merged, no longer generated, unedited: removed", []templates.File{first("merged")}, leave, nil,
			[]Change{{path, "merged", Remove, ""}}, map[string]string{}},
		{"merged, no longer generated, edited: stays", []templates.File{first("merged")}, edit, nil,
			[]Change{{path, "merged", Orphaned, "no longer generated; kept, since you edited it: delete it unless you need it"}}, map[string]string{path: "mine\n"}},

		{"user-owned, unedited: updated", []templates.File{first("user-owned")}, leave, []templates.File{second("user-owned")},
			[]Change{{path, "user-owned", Update, ""}}, map[string]string{path: "two\n"}},
		{"user-owned, edited, same template: kept", []templates.File{first("user-owned")}, edit, []templates.File{first("user-owned")}, nil, map[string]string{path: "mine\n"}},
		{"user-owned, edited, new template: left and offered", []templates.File{first("user-owned")}, edit, []templates.File{second("user-owned")},
			[]Change{{path, "user-owned", Edited, "you edited it and its template changed: see scaffold diff"}}, map[string]string{path: "mine\n"}},
		{"user-owned, edited to have what comes: kept", []templates.File{file("user-owned", path, "a\nb\n")}, func(t *testing.T, dir string) { put(t, dir, path, "mine\na\nb\nnew\n") },
			[]templates.File{file("user-owned", path, "a\nb\nnew\n")}, nil, map[string]string{path: "mine\na\nb\nnew\n"}},
		{"user-owned, deleted: stays away", []templates.File{first("user-owned")}, drop, []templates.File{second("user-owned")},
			[]Change{{path, "user-owned", Deleted, "you deleted it"}}, map[string]string{}},
		{"user-owned, no longer generated, unedited: removed", []templates.File{first("user-owned")}, leave, nil,
			[]Change{{path, "user-owned", Remove, ""}}, map[string]string{}},
		{"user-owned, no longer generated, edited: stays", []templates.File{first("user-owned")}, edit, nil,
			[]Change{{path, "user-owned", Orphaned, "no longer generated; kept, since you edited it: delete it unless you need it"}}, map[string]string{path: "mine\n"}},

		{"not ours, where a generated file comes: conflict", nil, edit, []templates.File{first("generated")},
			[]Change{{path, "generated", Conflict, "a file that scaffold did not write is in the way; move it away"}}, nil},
		{"not ours, where a merged file comes: kept", nil, edit, []templates.File{first("merged")},
			[]Change{{path, "user-owned", Keep, "it existed before"}}, map[string]string{path: "mine\n"}},
		{"not ours, where a file of yours comes: kept", nil, edit, []templates.File{first("user-owned")},
			[]Change{{path, "user-owned", Keep, "it existed before"}}, map[string]string{path: "mine\n"}},
		{"not ours and not generated: not seen", nil, edit, nil, nil, map[string]string{path: "mine\n"}},

		{"from merged to generated, unedited: updated", []templates.File{first("merged")}, leave, []templates.File{second("generated")},
			[]Change{{path, "generated", Update, ""}}, map[string]string{path: "two\n"}},
		{"from merged to generated, edited: conflict", []templates.File{first("merged")}, edit, []templates.File{second("generated")},
			[]Change{{path, "generated", Conflict, "scaffold generates the whole file now, but you edited it; move your changes away and delete the file"}}, nil},
		{"from generated to merged, unedited: updated", []templates.File{first("generated")}, leave, []templates.File{second("merged")},
			[]Change{{path, "merged", Update, ""}}, map[string]string{path: "two\n"}},
		{"from generated to user-owned, unedited: updated", []templates.File{first("generated")}, leave, []templates.File{second("user-owned")},
			[]Change{{path, "user-owned", Update, ""}}, map[string]string{path: "two\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			apply(t, dir, tree(t, tt.before...))
			tt.user(t, dir)
			p := plan(t, dir, tree(t, tt.next...))
			equal(t, tt.want, notable(p))
			if len(p.Conflicts()) > 0 {
				before := snapshot(t, dir)
				if err := open(t, dir).Apply(t.Context(), p); err == nil || !strings.HasPrefix(err.Error(), path+": ") {
					t.Errorf("a plan with conflicts was applied: %v", err)
				}
				equal(t, before, snapshot(t, dir))
				return
			}
			apply(t, dir, tree(t, tt.next...))
			equal(t, tt.disk, contents(t, dir))
			for _, c := range plan(t, dir, tree(t, tt.next...)).Changes {
				if c.Action.writes() && c.Action != Unmerged {
					t.Errorf("a second run would %s %s", c.Action, c.Path)
				}
			}
		})
	}
}

func TestBlockIsReplacedInTheUsersFile(t *testing.T) {
	t.Parallel()
	const path = "observability/runbooks/OrdersDown.md"
	generated := func(text string) templates.File {
		return file(templates.Block, path, "# Down\n\n"+facts(text)+"\n\nRoll back.\n")
	}
	for _, tt := range []struct {
		name, disk string
		next       templates.File
		want       []Change
		after      string
	}{
		{"the body is the user's", "# Ours\n" + facts("one") + "\nCall Ann.", generated("two"),
			[]Change{{path, "block", Update, ""}}, "# Ours\n" + facts("two") + "\nCall Ann."},
		{"the same facts", "# Ours\n" + facts("one"), generated("one"), nil, "# Ours\n" + facts("one")},
		{"edited facts", "# Ours\n" + facts("mine"), generated("one"),
			[]Change{{path, "block", Rewrite, "its block was edited by hand"}}, "# Ours\n" + facts("one")},
		{"turned line ends stay", strings.ReplaceAll("# Ours\n"+facts("one")+"\n", "\n", "\r\n"), generated("two"),
			[]Change{{path, "block", Update, ""}}, strings.ReplaceAll("# Ours\n"+facts("two")+"\n", "\n", "\r\n")},
		{"no markers", "# Ours\n", generated("one"),
			[]Change{{path, "block", Conflict, "the marker <!-- scaffold:facts:begin … --> is missing; restore it, or move the file away to get a new one"}}, ""},
		{"half a block", "# Ours\n" + templates.BlockBegin + " -->\n", generated("one"),
			[]Change{{path, "block", Conflict, "the marker <!-- scaffold:facts:end --> is missing; restore it, or move the file away to get a new one"}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			apply(t, dir, tree(t, generated("one")))
			put(t, dir, path, tt.disk)
			p := plan(t, dir, tree(t, tt.next))
			equal(t, tt.want, notable(p))
			if len(p.Conflicts()) > 0 {
				return
			}
			apply(t, dir, tree(t, tt.next))
			equal(t, map[string]string{path: tt.after}, contents(t, dir))
		})
	}
}

func TestDeletedRunbookIsNotCreatedAgainAndOrphanedOneIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := file("block", "a.md", facts("a")), file("block", "b.md", facts("b"))
	apply(t, dir, tree(t, a, b, file("block", "c.md", facts("c"))))
	put(t, dir, "b.md", facts("b")+"\nWhat we learned.\n")
	apply(t, dir, tree(t, a, b, file("block", "c.md", facts("another c"))))
	remove(t, dir, "a.md")
	equal(t, []Change{
		{"a.md", "block", Deleted, "you deleted it"},
		{"b.md", "block", Orphaned, "no longer generated; kept, since it may have your text; delete it if it has none"},
		{"c.md", "block", Remove, ""},
	}, apply(t, dir, tree(t, a)))
	equal(t, map[string]string{"b.md": facts("b") + "\nWhat we learned.\n"}, contents(t, dir))
}

func TestObstaclesAreConflicts(t *testing.T) {
	t.Parallel()
	link := func(t *testing.T, dir, target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name  string
		setup func(t *testing.T, dir string)
		want  string
	}{
		{"a directory", func(t *testing.T, dir string) { put(t, dir, "cmd/main.go/x", "") }, "a directory is in the way; move it away"},
		{"a file in place of the directory", func(t *testing.T, dir string) { put(t, dir, "cmd", "") }, "its directory cmd is a file; move it away"},
		{"a link", func(t *testing.T, dir string) {
			put(t, dir, "cmd/other", "x")
			link(t, dir, "other", "cmd/main.go")
		}, "a symbolic link is in the way; move it away"},
		{"a link that leads out", func(t *testing.T, dir string) { link(t, dir, t.TempDir(), "cmd") },
			"its directory cmd is a symbolic link out of the service; move it away"},
		{"a link to nothing", func(t *testing.T, dir string) { link(t, dir, "nowhere", "cmd") },
			"its directory cmd is a broken symbolic link; move it away"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tt.setup(t, dir)
			for _, owner := range []templates.Owner{templates.Generated, templates.Merged, templates.UserOwned} {
				p := plan(t, dir, tree(t, file(owner, "cmd/main.go", "package main\n")))
				equal(t, []Change{{"cmd/main.go", owner, Conflict, tt.want}}, p.Conflicts())
			}
		})
	}
}

func TestChangedExecuteBitIsAnEdit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := file("generated", "run.sh", "#!/bin/sh\n")
	apply(t, dir, tree(t, script))
	script.Mode = 0o755
	equal(t, []Change{{"run.sh", "generated", Update, ""}}, apply(t, dir, tree(t, script)))
	info, err := os.Stat(filepath.Join(dir, "run.sh"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode()&0o100 == 0 {
		t.Errorf("got %v, want it executable", info.Mode())
	}
	if err := os.Chmod(filepath.Join(dir, "run.sh"), 0o600); err != nil {
		t.Fatal(err)
	}
	equal(t, []Change{{"run.sh", "generated", Rewrite, "edited by hand"}}, apply(t, dir, tree(t, script)))
	if info, err = os.Stat(filepath.Join(dir, "run.sh")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got %v, want the user's own permissions with the execute bit back", info.Mode())
	}
}

func TestExistingReadmeIsNeverUpdated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, "README.md", "ours\n")
	one, two := tree(t, file("merged", "README.md", "one\n")), tree(t, file("merged", "README.md", "two\n"))
	apply(t, dir, one)
	equal(t, []Change(nil), apply(t, dir, one))
	equal(t, []Change(nil), apply(t, dir, two))
	equal(t, []Change(nil), apply(t, dir, one))
	apply(t, dir, tree(t))
	equal(t, map[string]string{"README.md": "ours\n"}, contents(t, dir))
}

func TestDrift(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	apply(t, dir, tree(t,
		file("generated", "edited", "1"), file("generated", "old", "1"), file("generated", "lost", "1"), file("generated", "former", "1"),
		file("merged", "merged", "1"), file("merged", "both", "1\n2\n3\n"), file("user-owned", "user-owned", "1"), file("generated", "same", "1")))
	put(t, dir, "both", "x\n2\n3\n")
	put(t, dir, "edited", "x")
	put(t, dir, "merged", "x")
	put(t, dir, "user-owned", "x")
	remove(t, dir, "lost")
	p := plan(t, dir, tree(t,
		file("generated", "edited", "1"), file("generated", "old", "2"), file("generated", "lost", "1"),
		file("merged", "merged", "2"), file("merged", "both", "1\n2\n4\n"), file("user-owned", "user-owned", "2"), file("generated", "same", "1")))
	equal(t, []Drift{
		{"both", "out of date", false}, {"edited", "edited by hand", true}, {"former", "no longer generated", false}, {"lost", "missing", false}, {"merged", "out of date", false}, {"old", "out of date", false},
	}, p.Drift())
	if p.Empty() || p.Count(Keep) != 1 || p.Count(Edited) != 1 || p.Count(Unmerged) != 1 {
		t.Errorf("empty %v, kept %d, edited %d", p.Empty(), p.Count(Keep), p.Count(Edited))
	}
}

func TestPlanningChangesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "orders")
	p := plan(t, dir, tree(t, file("generated", "a/b", "1"), file("merged", "c", "1")))
	if p.Count(Create) != 2 {
		t.Errorf("got %v", p.Changes)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory was created: %v", err)
	}
}

func TestTreeWithFilesInTheStateIsRejected(t *testing.T) {
	t.Parallel()
	for _, path := range []string{recordPath, basePath} {
		if _, err := open(t, t.TempDir()).Plan(tree(t, file("generated", path, ""))); err == nil ||
			err.Error() != path+": the path is reserved for scaffold's state" {
			t.Errorf("got %v", err)
		}
	}
}

// The files of a component that a service no longer has: the second run of the service shows that one is not needed.
func TestThenReportsTheFinalState(t *testing.T) {
	t.Parallel()
	change := func(path string, action Action) Change {
		return Change{Path: path, Action: action}
	}
	first := Plan{Changes: []Change{
		change("created", Create), change("withdrawn", Create), change("updated", Update),
		change("removed", Update), change("kept", Keep),
	}}
	got := first.Then(Plan{Changes: []Change{
		change("created", Rewrite), change("withdrawn", Remove), change("updated", Keep),
		change("removed", Remove), change("kept", Update), change("new", Create),
	}})
	want := []Change{
		change("created", Create), change("updated", Update), change("removed", Remove),
		change("kept", Update), change("new", Create),
	}
	if !slices.Equal(got.Changes, want) {
		t.Errorf("got  %v\nwant %v", got.Changes, want)
	}
}
