package workspace

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/templates"
)

func options(version string) Options {
	return Options{
		Generator: version, Command: "example.org/scaffold/cmd/scaffold",
		Layers: []Layer{{Name: "scaffold", Version: version, Digest: "sha256:0"}},
	}
}

func file(owner templates.Owner, path, data string) templates.File {
	return templates.File{Path: path, Mode: 0o644, Owner: owner, Data: []byte(data)}
}

func tree(t *testing.T, files ...templates.File) templates.Tree {
	t.Helper()
	tree, err := templates.NewTree(files...)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func facts(text string) string {
	return templates.BlockBegin + " rewritten by scaffold generate -->\n" + text + "\n" + templates.BlockEnd
}

func open(t *testing.T, dir string) *Workspace {
	t.Helper()
	w, err := Open(dir, options("v0.1.0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func plan(t *testing.T, dir string, next templates.Tree) Plan {
	t.Helper()
	p, err := open(t, dir).Plan(next)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func locked(version string) Options {
	opts := options(version)
	opts.Lock = true
	return opts
}

// apply locks, plans and applies, and returns the planned changes without Keep.
func apply(t *testing.T, dir string, next templates.Tree) []Change {
	t.Helper()
	w, err := Open(dir, locked("v0.1.0"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	p, err := w.Plan(next)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return notable(p)
}

func notable(p Plan) []Change {
	var changes []Change
	for _, c := range p.Changes {
		if c.Action != Keep || c.Note != "" {
			changes = append(changes, c)
		}
	}
	return changes
}

func put(t *testing.T, dir, name, data string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
		t.Fatal(err)
	}
}

// snapshot returns mode and content by path below dir.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		content := ""
		if e.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = " " + string(data)
		}
		got[filepath.ToSlash(name)] = info.Mode().String() + content
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// contents returns a snapshot of regular files outside of the state.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	for name, entry := range snapshot(t, dir) {
		if mode, data, isFile := strings.Cut(entry, " "); isFile && mode != "" && !strings.HasPrefix(name, ".scaffold/") {
			got[name] = data
		}
	}
	return got
}

func equal(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Default paths of the manifest and of the archive of bases.
const (
	recordPath = DefaultState + "/manifest.json"
	basePath   = DefaultState + "/base.txtar"
)
