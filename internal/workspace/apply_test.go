package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/observability-first/scaffold/templates"
)

// before and after differ in all kinds of changes.
func before(t *testing.T) templates.Tree {
	return tree(t,
		file("generated", "a/old.go", "1\n"), file("generated", "a/b/removed.go", "1\n"), file("merged", "Makefile", "1\n"),
		file("merged", "removed.mk", "1\n"), file("user-owned", "mine.go", "1\n"), file("block", "r.md", facts("1")))
}

func after(t *testing.T) templates.Tree {
	return tree(t,
		file("generated", "a/old.go", "2\n"), file("generated", "new/deep/file.go", "2\n"), file("merged", "Makefile", "2\n"),
		file("user-owned", "mine.go", "2\n"), file("block", "r.md", facts("2")), file("merged", "go.mod", "2\n"))
}

// setUp writes the first tree and files of the user.
func setUp(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	apply(t, dir, before(t))
	put(t, dir, "a/own.go", "mine\n")
	put(t, dir, ".env", "secret\n")
	return dir
}

func TestApplyWritesTheTree(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	apply(t, dir, after(t))
	equal(t, map[string]string{
		".env": "secret\n", "Makefile": "2\n", "a/old.go": "2\n", "a/own.go": "mine\n", "go.mod": "2\n",
		"mine.go": "2\n", "new/deep/file.go": "2\n", "r.md": facts("2"),
	}, contents(t, dir))
	for name := range snapshot(t, dir) {
		if strings.HasSuffix(name, ".new") || strings.HasSuffix(name, ".old") || name == "a/b" {
			t.Errorf("%s was left behind", name)
		}
	}
}

func TestApplyTwiceWritesNothing(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	p := plan(t, dir, before(t))
	if !p.Empty() || len(p.writes)+len(p.removes) != 0 {
		t.Errorf("got %v and %d writes", notable(p), len(p.writes))
	}
	w := open(t, dir)
	w.injectFault = func(step, name string) error { return fmt.Errorf("%s %s", step, name) }
	if err := w.Apply(t.Context(), p); err != nil {
		t.Error(err)
	}
}

// Each step fails, alone or with all that follow.
func TestFailedApplyChangesNothing(t *testing.T) {
	t.Parallel()
	for _, start := range []string{"in a service", "in an empty directory", "without a directory"} {
		t.Run(start+", once", func(t *testing.T) { t.Parallel(); failsAtEachStep(t, start, true) })
		t.Run(start+", from then on", func(t *testing.T) { t.Parallel(); failsAtEachStep(t, start, false) })
	}
}

func failsAtEachStep(t *testing.T, start string, once bool) {
	t.Helper()
	for failAt := 0; ; failAt++ {
		parent := t.TempDir()
		dir := filepath.Join(parent, "deep", "orders")
		switch start {
		case "in a service":
			dir = setUp(t)
			parent = dir
		case "in an empty directory":
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		was := snapshot(t, parent)
		w, steps := open(t, dir), 0
		w.injectFault = func(step, name string) error {
			if step == "roll back" || step == "clean up" {
				return nil
			}
			steps++
			if steps > failAt && (!once || steps == failAt+1) {
				return fmt.Errorf("%s %s: %w", step, name, syscall.ENOSPC)
			}
			return nil
		}
		p, err := w.Plan(after(t))
		if err != nil {
			t.Fatal(err)
		}
		err = w.Apply(t.Context(), p)
		if err == nil {
			if failAt < 15 {
				t.Errorf("only %d steps were tried", failAt)
			}
			return
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("step %d: %v", failAt, err)
		}
		equal(t, was, snapshot(t, parent))
	}
}

// Permissions are set after the sync, which opens the file for writing. Root may open a read-only
// file, so the test checks the permissions at the sync.
func TestReadOnlyFileIsUpdated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	apply(t, dir, tree(t, file("generated", "a.txt", "1\n")))
	if err := os.Chmod(filepath.Join(dir, "a.txt"), 0o444); err != nil {
		t.Fatal(err)
	}
	w := open(t, dir)
	synced := 0
	w.injectFault = func(step, _ string) error {
		staged, err := filepath.Glob(filepath.Join(dir, ".a.txt.*.new"))
		if step != "sync" || err != nil || len(staged) == 0 {
			return err
		}
		synced++
		info, err := os.Stat(staged[0])
		if err == nil && info.Mode()&0o200 == 0 {
			t.Errorf("%v while it is synced", info.Mode())
		}
		return err
	}
	p, err := w.Plan(tree(t, file("generated", "a.txt", "2\n")))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "a.txt"))
	if err != nil || info.Mode() != 0o444 || synced == 0 {
		t.Errorf("got %v (%v), synced %d times", info.Mode(), err, synced)
	}
}

// The tree determines only the execute bits, for those who may read.
func TestUpdatedFileKeepsItsPermissions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name            string
		was, tree, want fs.FileMode
	}{
		{"private", 0o600, 0o644, 0o600},
		{"for the group", 0o640, 0o644, 0o640},
		{"written by the group", 0o664, 0o644, 0o664},
		{"a script", 0o755, 0o755, 0o755},
		{"a script of the user's alone", 0o700, 0o755, 0o700},
		{"a private file that becomes a script", 0o600, 0o755, 0o700},
		{"a file of the group that becomes a script", 0o640, 0o755, 0o750},
		{"a file of others that becomes a script", 0o604, 0o755, 0o705},
		{"a script that becomes a file", 0o755, 0o644, 0o644},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			one, two := file("generated", "run.sh", "1\n"), file("generated", "run.sh", "2\n")
			one.Mode, two.Mode = tt.was&0o100|0o644, tt.tree
			apply(t, dir, tree(t, one))
			if err := os.Chmod(filepath.Join(dir, "run.sh"), tt.was); err != nil {
				t.Fatal(err)
			}
			apply(t, dir, tree(t, two))
			info, err := os.Stat(filepath.Join(dir, "run.sh"))
			if err != nil || info.Mode() != tt.want {
				t.Errorf("got %v (%v), want %v", info.Mode(), err, tt.want)
			}
			equal(t, map[string]string{"run.sh": "2\n"}, contents(t, dir))
		})
	}
}

func TestPlanWithAConflictWritesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, "b.go", "mine\n")
	w := open(t, dir)
	p, err := w.Plan(tree(t, file("generated", "a.go", "1\n"), file("generated", "b.go", "1\n")))
	if err != nil {
		t.Fatal(err)
	}
	was := snapshot(t, dir)
	if err := w.Apply(t.Context(), p); err == nil || err.Error() != "b.go: a file that scaffold did not write is in the way; move it away" {
		t.Errorf("got %v", err)
	}
	equal(t, was, snapshot(t, dir))
}

func TestFailedRollbackIsReportedWithTheCause(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	w := open(t, dir)
	w.injectFault = func(step, _ string) error {
		if step != "place" {
			return nil
		}
		// A directory replaces the first temporary file.
		entries, err := filepath.Glob(filepath.Join(dir, ".*.new"))
		if err != nil || len(entries) == 0 {
			return fmt.Errorf("no temporary files: %w", err)
		}
		if err := errors.Join(os.Remove(entries[0]), os.MkdirAll(filepath.Join(entries[0], "full"), 0o755)); err != nil {
			return err
		}
		return syscall.ENOSPC
	}
	p, err := w.Plan(after(t))
	if err != nil {
		t.Fatal(err)
	}
	err = w.Apply(t.Context(), p)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "\nroll back: ") {
		t.Errorf("got %v", err)
	}
}

func TestCanceledApplyChangesNothing(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	was := snapshot(t, dir)
	ctx, cancel := context.WithCancelCause(t.Context())
	w := open(t, dir)
	w.injectFault = func(step, _ string) error {
		if step == "place" {
			cancel(errors.New("interrupted"))
		}
		return nil
	}
	p, err := w.Plan(after(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Apply(ctx, p); err == nil || !strings.HasSuffix(err.Error(), ": interrupted") {
		t.Errorf("got %v", err)
	}
	equal(t, was, snapshot(t, dir))
}

// Two services that are created concurrently write the same files at the root of their repository.
func TestConcurrentlyCreatedEqualFileIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, "README.md", "shop\n")
	next := tree(t, file(templates.Merged, "renovate.json", "{}\n"), file(templates.Generated, ".github/workflows/a.yml", "a\n"))
	var plans []Plan
	for range 2 {
		plans = append(plans, plan(t, dir, next))
	}
	for i, p := range plans {
		w := open(t, dir)
		w.opts.State = fmt.Sprintf("service%d/.scaffold", i)
		if i == 1 { // the directory appears after it was looked for
			if err := os.RemoveAll(filepath.Join(dir, ".github")); err != nil {
				t.Fatal(err)
			}
			w.injectFault = func(step, path string) error {
				if step == "mkdir" && path == ".github" {
					put(t, dir, ".github/CODEOWNERS", "* me\n")
				}
				return nil
			}
		}
		if err := w.Apply(t.Context(), p); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if got := contents(t, dir); got["renovate.json"] != "{}\n" || got[".github/workflows/a.yml"] != "a\n" || got[".github/CODEOWNERS"] != "* me\n" {
		t.Errorf("got %q", got)
	}
}

func TestConcurrentChangeStopsApply(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a/old.go", "go.mod", "a/b/removed.go"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := setUp(t)
			w := open(t, dir)
			p, err := w.Plan(after(t))
			if err != nil {
				t.Fatal(err)
			}
			put(t, dir, name, "meanwhile\n")
			was := snapshot(t, dir)
			if err := w.Apply(t.Context(), p); err == nil || err.Error() != name+" changed while scaffold ran; run it again" {
				t.Errorf("got %v", err)
			}
			equal(t, was, snapshot(t, dir))
		})
	}
}

func TestConcurrentlyCreatedLinkIsNotFollowed(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	w := open(t, dir)
	p, err := w.Plan(tree(t, file("generated", "cmd/main.go", "x")))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "cmd")); err != nil {
		t.Fatal(err)
	}
	if err := w.Apply(t.Context(), p); err == nil {
		t.Error("the run went through a link that leads out")
	}
	equal(t, map[string]string{}, contents(t, outside))
}

func TestReadOnlyDirectoryIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "cmd"), 0o555); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Create(filepath.Join(dir, "cmd", "probe")); err == nil {
		// Root may write anywhere, so inject the error.
		if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			t.Fatal(err)
		}
		w := open(t, dir)
		w.injectFault = func(step, name string) error {
			if step == "sync" && name == "cmd/main.go" {
				return &os.PathError{Op: "sync", Path: "temporary", Err: syscall.EACCES}
			}
			return nil
		}
		deniedIsNamed(t, w, dir)
		return
	}
	deniedIsNamed(t, open(t, dir), dir)
}

func deniedIsNamed(t *testing.T, w *Workspace, dir string) {
	t.Helper()
	was := snapshot(t, dir)
	p, err := w.Plan(tree(t, file("generated", "cmd/main.go", "x")))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Apply(t.Context(), p); err == nil || err.Error() != "write cmd/main.go: permission denied" {
		t.Errorf("got %v", err)
	}
	equal(t, was, snapshot(t, dir))
}

// Without the journal, a kill between two removals must not leave a file that the manifest no longer records.
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
