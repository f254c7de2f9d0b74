package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/templates"
)

func TestNewDirectoryIsRenamedWhenComplete(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	top := filepath.Join(parent, "deep")
	w := open(t, filepath.Join(top, "er", "orders"))
	var steps []string
	w.injectFault = func(step, name string) error {
		steps = append(steps, step)
		if _, err := os.Lstat(top); (err == nil) != (step == "sync directory" && name == parent) {
			t.Errorf("%s %s: stat %s returns %v", step, name, top, err)
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
	if n := len(steps); steps[n-2] != "place" || steps[n-1] != "sync directory" || slices.Index(steps, "place") != n-2 {
		t.Errorf("the rename was not the last step: %q", steps)
	}
	entries, err := os.ReadDir(parent)
	if err != nil || len(entries) != 1 {
		t.Errorf("got %v, %v; want only the service directory", entries, err)
	}
	equal(t, 0, len(notable(plan(t, w.dir, after(t)))))
}

// A power failure loses files and names that are not synced.
func TestFilesAndDirectoriesAreSynced(t *testing.T) {
	t.Parallel()
	for _, start := range []string{"in a service", "in an empty directory", "without a directory"} {
		t.Run(start, func(t *testing.T) {
			t.Parallel()
			parent := t.TempDir()
			dir := filepath.Join(parent, "deep", "orders")
			switch start {
			case "in a service":
				dir = setUp(t)
			case "in an empty directory":
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			var was map[string]string
			if start != "without a directory" {
				was = snapshot(t, dir)
			}
			w := open(t, dir)
			synced := map[string]bool{}
			last := ""
			w.injectFault = func(step, name string) error {
				switch step {
				case "sync", "sync directory":
					synced[filepath.ToSlash(name)] = true
				case "sync all":
					markAll(t, w, synced)
				}
				last = step
				return nil
			}
			p, err := w.Plan(after(t))
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Apply(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(last, "sync") {
				t.Errorf("the last step is %q; what it changed was not synced", last)
			}
			for name := range snapshot(t, dir) {
				if _, old := was[name]; name == "." || old {
					continue
				}
				if !synced[path.Dir(name)] {
					t.Errorf("%s is new, but its directory was not synced", name)
				}
			}
			for _, f := range p.writes {
				if !synced[f.path] {
					t.Errorf("%s was not synced", f.path)
				}
			}
			if start == "without a directory" && !synced[filepath.ToSlash(parent)] {
				t.Error("the parent directory was not synced")
			}
		})
	}
}

// markAll marks all files below the service by their final names.
func markAll(t *testing.T, w *Workspace, synced map[string]bool) {
	t.Helper()
	staged := regexp.MustCompile(`(^|/)\.([^/]+)\.[a-z0-9]{8}\.new$`)
	err := fs.WalkDir(w.root.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		synced[staged.ReplaceAllString(name, "$1$2")] = true
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A new service needs two syncs: one of the file system and one of its name. Another run syncs the names of its
// directory and journal first, and those of its commit last.
func TestManyFilesNeedOneSync(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("this system syncs files one by one")
	}
	for _, tt := range []struct {
		name string
		dir  func(t *testing.T) string
		want []string
	}{
		{"a new directory", func(t *testing.T) string { return filepath.Join(t.TempDir(), "orders") }, []string{"sync all", "sync directory"}},
		{"an empty directory", func(t *testing.T) string { return t.TempDir() }, []string{"sync directory", "sync directory", "sync all", "sync all", "sync directory", "sync directory"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := open(t, tt.dir(t))
			var syncs []string
			w.injectFault = func(step, _ string) error {
				if strings.HasPrefix(step, "sync") {
					syncs = append(syncs, step)
				}
				return nil
			}
			var files []templates.File
			for i := range 100 {
				files = append(files, templates.File{Path: fmt.Sprintf("d%d/f%d", i%20, i), Mode: 0o644, Data: []byte("x"), Owner: templates.Generated})
			}
			tree, err := templates.NewTree(files...)
			if err != nil {
				t.Fatal(err)
			}
			p, err := w.Plan(tree)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Apply(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			equal(t, tt.want, syncs)
		})
	}
}

func TestConcurrentlyCreatedDirectoryIsNotChanged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		appear func(dir string) error
		want   string
	}{
		{"a directory", func(dir string) error { return os.Mkdir(dir, 0o755) }, " appeared while scaffold ran; run it again"},
		{"a file", func(dir string) error { return os.WriteFile(dir, []byte("mine"), 0o644) }, ": not a directory"},
		{"a link to nothing", func(dir string) error { return os.Symlink("nowhere", dir) }, ": not a directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			parent := t.TempDir()
			dir := filepath.Join(parent, "orders")
			w := open(t, dir)
			var was map[string]string
			w.injectFault = func(step, _ string) error {
				if step != "place" {
					return nil
				}
				err := tt.appear(dir)
				was = snapshot(t, parent)
				return err
			}
			p, err := w.Plan(after(t))
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Apply(t.Context(), p); err == nil || !strings.HasSuffix(err.Error(), "orders"+tt.want) || strings.Contains(err.Error(), ".new") {
				t.Errorf("got %v", err)
			}
			got := snapshot(t, parent)
			for name := range was {
				if strings.Contains(name, ".new") {
					delete(was, name)
				}
			}
			equal(t, was, got)
		})
	}
}

func TestInvalidParentIsNamed(t *testing.T) {
	t.Parallel()
	parent := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(parent, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	w := &Workspace{dir: filepath.Join(parent, "orders"), opts: options("v0.1.0")}
	p, err := w.Plan(after(t))
	if err != nil {
		t.Fatal(err)
	}
	want := "create directory " + w.dir + ": not a directory"
	if err := w.Apply(t.Context(), p); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// The directory was opened under its temporary name.
func TestWorkspaceCanBeUsedAfterItsDirectoryIsCreated(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "orders")
	w := open(t, dir)
	p, err := w.Plan(before(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "mine.txt", "x")
	if d, err := w.read("mine.txt"); err != nil || !d.exists {
		t.Errorf("the workspace does not see %s: %v", dir, err)
	}
}

func TestParallelStopsAtTheFirstErrorAndLimitsItsWriters(t *testing.T) {
	t.Parallel()
	items := make([]int, 40*writers)
	for i := range items {
		items[i] = i
	}
	var running, most, ran int
	turn := make(chan struct{}, 1) // a lock
	err := parallel(items, func(i int) error {
		turn <- struct{}{}
		running++
		ran++
		most = max(most, running)
		<-turn
		defer func() { turn <- struct{}{}; running--; <-turn }()
		if i%2 == 1 {
			return fs.ErrPermission
		}
		if i == 2*writers {
			return context.Canceled
		}
		return nil
	})
	if !errors.Is(err, fs.ErrPermission) || most > writers || ran > 4*writers {
		t.Errorf("got %v from %d of %d tasks, %d at a time", err, ran, len(items), most)
	}
	if err := parallel(items, func(int) error { return nil }); err != nil {
		t.Error(err)
	}
	if err := parallel(nil, func(int) error { return fs.ErrPermission }); err != nil {
		t.Error(err)
	}
}
