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

// Nobody, and no power cut, ever sees a part of a new service.
func TestANewFolderGetsItsNameOnlyWhenItIsWhole(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	top := filepath.Join(parent, "deep")
	w := open(t, filepath.Join(top, "er", "orders"))
	var steps []string
	w.injectFault = func(step, name string) error {
		steps = append(steps, step)
		if _, err := os.Lstat(top); (err == nil) != (step == "sync folder" && name == parent) {
			t.Errorf("%s %s: looking at %s gives %v", step, name, top, err)
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
	if n := len(steps); steps[n-2] != "place" || steps[n-1] != "sync folder" || slices.Index(steps, "place") != n-2 {
		t.Errorf("the name was not given once and last: %q", steps)
	}
	entries, err := os.ReadDir(parent)
	if err != nil || len(entries) != 1 {
		t.Errorf("got %v, %v; want the service's folder alone", entries, err)
	}
	equal(t, 0, len(notable(plan(t, w.dir, after(t)))))
}

// A power cut takes whatever was not synced, names included.
func TestEveryFileAndEveryFolderThatGotANameIsSynced(t *testing.T) {
	t.Parallel()
	for _, start := range []string{"in a service", "in an empty folder", "in no folder"} {
		t.Run(start, func(t *testing.T) {
			t.Parallel()
			parent := t.TempDir()
			dir := filepath.Join(parent, "deep", "orders")
			switch start {
			case "in a service":
				dir = setUp(t)
			case "in an empty folder":
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			var was map[string]string
			if start != "in no folder" {
				was = snapshot(t, dir)
			}
			w := open(t, dir)
			synced := map[string]bool{}
			last := ""
			w.injectFault = func(step, name string) error {
				switch step {
				case "sync", "sync folder":
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
					t.Errorf("%s is new, but its folder was not synced", name)
				}
			}
			for _, f := range p.writes {
				if !synced[f.path] {
					t.Errorf("%s was not synced", f.path)
				}
			}
			if start == "in no folder" && !synced[filepath.ToSlash(parent)] {
				t.Error("the folder in which the service's appeared was not synced")
			}
		})
	}
}

// markAll marks what is below the service, under the names that files get.
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

// A sync waits for the disk: a new service takes two, one of everything below it
// and one of its name.
func TestManyFilesAreSyncedAtOnce(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("this system syncs files one by one")
	}
	for _, tt := range []struct {
		name string
		dir  func(t *testing.T) string
		want []string
	}{
		{"a new folder", func(t *testing.T) string { return filepath.Join(t.TempDir(), "orders") }, []string{"sync all", "sync folder"}},
		{"an empty folder", func(t *testing.T) string { return t.TempDir() }, []string{"sync all", "sync all"}},
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
				files = append(files, templates.File{Path: fmt.Sprintf("d%d/f%d", i%20, i), Mode: 0o644, Data: []byte("x"), Owner: templates.Managed})
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

func TestAFolderThatAppearsMeanwhileIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		appear func(dir string) error
		want   string
	}{
		{"a folder", func(dir string) error { return os.Mkdir(dir, 0o755) }, " appeared while scaffold ran; run it again"},
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

func TestAParentThatIsNoPlaceForAFolderIsNamed(t *testing.T) {
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
	want := "make folder " + w.dir + ": not a directory"
	if err := w.Apply(t.Context(), p); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// The folder was opened under another name than it has now.
func TestAWorkspaceWorksOnInTheFolderThatItMade(t *testing.T) {
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

func TestAbreastStopsAtTheFirstErrorAndKeepsToItsWriters(t *testing.T) {
	t.Parallel()
	items := make([]int, 40*writers)
	for i := range items {
		items[i] = i
	}
	var running, most, ran int
	turn := make(chan struct{}, 1) // a lock
	err := abreast(items, func(i int) error {
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
	if err := abreast(items, func(int) error { return nil }); err != nil {
		t.Error(err)
	}
	if err := abreast(nil, func(int) error { return fs.ErrPermission }); err != nil {
		t.Error(err)
	}
}
