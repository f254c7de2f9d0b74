package workspace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/observability-first/scaffold/templates"
)

// before and after differ in everything a plan can do.
func before(t *testing.T) templates.Tree {
	return tree(t,
		file("managed", "a/old.go", "1\n"), file("managed", "a/b/gone.go", "1\n"), file("merged", "Makefile", "1\n"),
		file("merged", "gone.mk", "1\n"), file("yours", "mine.go", "1\n"), file("block", "r.md", facts("1")))
}

func after(t *testing.T) templates.Tree {
	return tree(t,
		file("managed", "a/old.go", "2\n"), file("managed", "new/deep/file.go", "2\n"), file("merged", "Makefile", "2\n"),
		file("yours", "mine.go", "2\n"), file("block", "r.md", facts("2")), file("merged", "go.mod", "2\n"))
}

// setUp writes the first tree and some files that are not scaffold's.
func setUp(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	apply(t, dir, before(t))
	put(t, dir, "a/own.go", "mine\n")
	put(t, dir, ".env", "secret\n")
	return dir
}

func TestApplyBringsTheWholeTree(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	apply(t, dir, after(t))
	equal(t, map[string]string{
		".env": "secret\n", "Makefile": "2\n", "a/old.go": "2\n", "a/own.go": "mine\n", "go.mod": "2\n",
		"mine.go": "1\n", "new/deep/file.go": "2\n", "r.md": facts("2"),
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
	w.fault = func(step, name string) error { return fmt.Errorf("%s %s", step, name) }
	if err := w.Apply(t.Context(), p); err != nil {
		t.Error(err)
	}
}

// Whatever step fails, the folder is as it was.
func TestAFailedRunLeavesTheFolderAsItWas(t *testing.T) {
	t.Parallel()
	for _, start := range []string{"in a service", "in an empty folder", "in no folder"} {
		t.Run(start, func(t *testing.T) {
			t.Parallel()
			for failAt := 0; ; failAt++ {
				parent := t.TempDir()
				dir := filepath.Join(parent, "deep", "orders")
				switch start {
				case "in a service":
					dir = setUp(t)
					parent = dir
				case "in an empty folder":
					if err := os.MkdirAll(dir, 0o755); err != nil {
						t.Fatal(err)
					}
				}
				was := snapshot(t, parent)
				w, steps := open(t, dir), 0
				w.fault = func(step, name string) error {
					steps++
					if steps > failAt {
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
					if failAt < 20 {
						t.Errorf("only %d steps were tried", failAt)
					}
					return
				}
				if !errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("step %d: %v", failAt, err)
				}
				equal(t, was, snapshot(t, parent))
			}
		})
	}
}

func TestAnEndedContextLeavesTheFolderAsItWas(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	was := snapshot(t, dir)
	ctx, cancel := context.WithCancelCause(t.Context())
	w := open(t, dir)
	w.fault = func(step, _ string) error {
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

func TestAFileThatChangesMeanwhileStopsTheRun(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a/old.go", "go.mod", "a/b/gone.go"} {
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

func TestALinkThatAppearsMeanwhileLeadsNowhere(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	w := open(t, dir)
	p, err := w.Plan(tree(t, file("managed", "cmd/main.go", "x")))
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

func TestAFolderThatCannotBeWrittenIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "cmd"), 0o555); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Create(filepath.Join(dir, "cmd", "probe")); err == nil {
		// The superuser writes anywhere; the message is then proven by injection.
		if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			t.Fatal(err)
		}
		w := open(t, dir)
		w.fault = func(step, name string) error {
			if step == "sync" {
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
	p, err := w.Plan(tree(t, file("managed", "cmd/main.go", "x")))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Apply(t.Context(), p); err == nil || err.Error() != "write cmd/main.go: permission denied" {
		t.Errorf("got %v", err)
	}
	equal(t, was, snapshot(t, dir))
}
