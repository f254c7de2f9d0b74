package workspace

import (
	"errors"
	"strings"
	"testing"
)

func TestApplyRemovesTemporaryFilesOfAKilledRun(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	was := snapshot(t, dir)
	for _, name := range []string{
		".Makefile.abcdefgh.new", "a/.old.go.abcdef27.old", ".scaffold/.manifest.json.abcdefgh.new", ".scaffold/.base.txtar.abcdefgh.old",
	} {
		put(t, dir, name, "half")
	}
	apply(t, dir, before(t))
	equal(t, was, snapshot(t, dir))
}

func TestApplyKeepsOtherHiddenFiles(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	for _, name := range []string{
		".Makefile.abcdefgh.bak", ".Makefile.abcdefg.new", ".Makefile.ABCDEFGH.new", ".Makefile.abcdefg1.new", "Makefile.abcdefgh.new",
		".own.go.abcdefgh.new", "a/.own.go.abcdefgh.old", "other/.Makefile.abcdefgh.new",
	} {
		put(t, dir, name, "mine")
	}
	was := snapshot(t, dir)
	apply(t, dir, before(t))
	equal(t, was, snapshot(t, dir))
}

func TestBackupOfAMissingFileIsPutBack(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	remove(t, dir, "mine.go")
	put(t, dir, ".mine.go.abcdefgh.old", "edited\n")
	apply(t, dir, before(t))
	if got := contents(t, dir)["mine.go"]; got != "edited\n" {
		t.Errorf("mine.go has %q", got)
	}
}

// The process is killed after it has removed files, before it places the manifest.
func TestInterruptedRemovalIsCompleted(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	w := open(t, dir)
	p, err := w.Plan(after(t))
	if err != nil {
		t.Fatal(err)
	}
	w.injectFault = func(step, name string) error {
		if step == "place" && name == recordPath {
			return errors.New("killed")
		}
		return nil
	}
	killed := &transaction{w: w, ctx: t.Context(), staged: map[string]string{}, backups: map[string]string{}}
	if err := killed.run(p); err == nil { // neither finish nor rollback
		t.Fatal("got no error")
	}
	apply(t, dir, after(t))
	for name := range snapshot(t, dir) {
		if strings.HasSuffix(name, ".new") || strings.HasSuffix(name, ".old") || name == "removed.mk" || name == "a/b/removed.go" {
			t.Errorf("%s was left behind", name)
		}
	}
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
