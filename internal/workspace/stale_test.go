//go:build linux || darwin

package workspace

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/templates"
)

// kill applies the tree up to a step, and then neither finishes nor rolls back. It returns false if
// there are fewer steps.
func kill(t *testing.T, dir string, next templates.Tree, at int) bool {
	t.Helper()
	w, err := Open(dir, locked("v0.1.0"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	p, err := w.Plan(next)
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	w.injectFault = func(step, name string) error {
		steps++
		if steps > at {
			return fmt.Errorf("killed before %s %s", step, name)
		}
		return nil
	}
	killed := &transaction{w: w, ctx: t.Context(), staged: map[string]string{}, backups: map[string]string{}}
	return killed.run(p) != nil
}

// temporaries returns the temporary files in dir.
func temporaries(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	for name := range snapshot(t, dir) {
		if stalePattern.MatchString(path.Base(name)) {
			found = append(found, name)
		}
	}
	return found
}

func TestRunAfterAKilledOneCompletesItAndLeavesNoTemporaryFiles(t *testing.T) {
	t.Parallel()
	complete := setUp(t)
	apply(t, complete, after(t))
	want := contents(t, complete)
	for at := 0; ; at++ {
		dir := setUp(t)
		more := kill(t, dir, after(t), at)
		changes := apply(t, dir, after(t))
		if left := temporaries(t, dir); len(left) > 0 {
			t.Errorf("step %d: %q were left behind; the changes are %v", at, left, changes)
		}
		equal(t, want, contents(t, dir))
		if !more {
			if at < 15 {
				t.Errorf("only %d steps were tried", at)
			}
			return
		}
	}
}

// The backup is the only copy of an edit once the file is rewritten.
func TestBackupWithTextOfTheUserIsKeptAndReported(t *testing.T) {
	t.Parallel()
	edits := []struct {
		name, text string
		owner      templates.Owner
	}{
		{"a/old.go", "edited\n", templates.Generated},
		{"r.md", "my notes\n" + facts("edited"), templates.Block},
	}
	for at, more := 0, true; more; at++ {
		dir := setUp(t)
		for _, edit := range edits {
			put(t, dir, edit.name, edit.text)
		}
		more = kill(t, dir, after(t), at)
		killed := contents(t, dir)
		changes := apply(t, dir, after(t))
		got := contents(t, dir)
		want := 0
		for _, edit := range edits {
			if killed[edit.name] == edit.text {
				continue // not rewritten by the killed run
			}
			want++
			backup := backupOf(t, dir, edit.name)
			if got[backup] != edit.text {
				t.Errorf("step %d: the backup %q of %s has %q", at, backup, edit.name, got[backup])
			}
			equal(t, Change{
				Path: backup, Owner: edit.owner, Action: Orphaned,
				Note: "backup of " + edit.name + " that a killed run left, with text that scaffold did not write; copy what you need and delete it",
			}, find(changes, backup))
		}
		equal(t, want, len(temporaries(t, dir)))
	}
}

func backupOf(t *testing.T, dir, name string) string {
	t.Helper()
	for _, found := range temporaries(t, dir) {
		if strings.HasPrefix(found, path.Join(path.Dir(name), "."+path.Base(name))) {
			return found
		}
	}
	return ""
}

func find(changes []Change, name string) Change {
	for _, c := range changes {
		if c.Path == name {
			return c
		}
	}
	return Change{}
}

// The user deletes files after the kill: no old text comes back, and unknown text is reported.
func TestBackupOfADeletedFileIsNotRestored(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	put(t, dir, "a/.old.go.scaffold-abcdefgh.old", "edited\n")
	put(t, dir, ".Makefile.scaffold-abcdefgh.old", "1\n")
	put(t, dir, ".mine.go.scaffold-abcdefgh.old", "mine\n")
	remove(t, dir, "Makefile")
	remove(t, dir, "mine.go")
	changes := apply(t, dir, before(t))
	got := contents(t, dir)
	for name, want := range map[string]string{
		"Makefile": "", "mine.go": "", ".Makefile.scaffold-abcdefgh.old": "", ".mine.go.scaffold-abcdefgh.old": "mine\n", "a/.old.go.scaffold-abcdefgh.old": "edited\n", "a/old.go": "1\n",
	} {
		if got[name] != want {
			t.Errorf("%s has %q, want %q", name, got[name], want)
		}
	}
	for _, name := range []string{".mine.go.scaffold-abcdefgh.old", "a/.old.go.scaffold-abcdefgh.old"} {
		equal(t, Orphaned, find(changes, name).Action)
	}
}

func TestOpenRemovesTemporaryFilesOfAKilledRun(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	was := snapshot(t, dir)
	for name, text := range map[string]string{
		".Makefile.scaffold-abcdefgh.new": "half", "a/.old.go.scaffold-abcdef27.old": "1\n", ".scaffold/.manifest.json.scaffold-abcdefgh.new": "half",
		".scaffold/.base.txtar.scaffold-abcdefgh.old": "half", ".r.md.scaffold-abcdefgh.old": facts("1"),
	} {
		put(t, dir, name, text)
	}
	apply(t, dir, before(t))
	equal(t, was, snapshot(t, dir))
}

func TestApplyKeepsOtherHiddenFiles(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	for _, name := range []string{
		".Makefile.scaffold-abcdefgh.bak", ".Makefile.scaffold-abcdefg.new", ".Makefile.scaffold-ABCDEFGH.new", ".Makefile.scaffold-abcdefg1.new", "Makefile.scaffold-abcdefgh.new",
		".own.go.scaffold-abcdefgh.new", "a/.own.go.scaffold-abcdefgh.old", "other/.Makefile.scaffold-abcdefgh.new",
	} {
		put(t, dir, name, "mine")
	}
	was := snapshot(t, dir)
	apply(t, dir, before(t))
	equal(t, was, snapshot(t, dir))
}

// A kill between two removals must not leave a file that the manifest no longer records.
func TestManifestIsPlacedAfterRemovals(t *testing.T) {
	t.Parallel()
	w := open(t, setUp(t))
	var steps []string
	w.injectFault = func(step, name string) error {
		if step == "place" || step == "remove" {
			steps = append(steps, name)
		}
		return nil
	}
	p, err := w.Plan(after(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if last := steps[len(steps)-1]; last != recordPath {
		t.Errorf("the last change is %s, want %s", last, recordPath)
	}
}
