// Package workspace brings a generated tree onto the disk without ever losing
// what the user wrote.
//
// [Open] looks at a service's folder, [Workspace.Plan] computes what each file
// needs before anything is written, and [Workspace.Apply] writes all of it or
// nothing. What scaffold wrote last is recorded in .scaffold/manifest.json, so
// that an edited file is told from an old one. [Plan.Drift] is the same
// knowledge as a check.
//
// Everything goes through [os.Root]: no path and no symbolic link leads out of
// the folder. A Workspace is not safe for concurrent use.
package workspace

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	goruntime "runtime"

	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/templates"
)

// Options says who writes.
type Options struct {
	Generator string  // version of scaffold, as in v0.1.0; "devel" in a checkout
	Command   string  // import path of the scaffold command, for the advice to install a newer one
	Layers    []Layer // template layers, the embedded one first
	// State is where the state lies in the folder, with forward slashes; default
	// .scaffold. Trees that share a folder, as those of several services share the
	// root of a repository, have a state each.
	State string
}

// Layer is one source of templates. The embedded one is named scaffold; an
// organisation's own follow it.
type Layer struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Digest  string `json:"digest"`
}

// Workspace is the folder of one service.
type Workspace struct {
	dir  string
	root *os.Root // nil while the folder does not exist
	opts Options
	old  manifest

	// injectFault, set by tests only, runs before each step that changes the disk.
	injectFault func(step, name string) error
}

// Open reads the state of a service's folder, which need not exist yet. State
// that a newer scaffold wrote is refused with the command that installs it.
// The caller closes the workspace.
func Open(dir string, opts Options) (*Workspace, error) {
	opts.State = cmp.Or(opts.State, DefaultState)
	w := &Workspace{dir: dir, opts: opts}
	root, err := os.OpenRoot(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return w, nil
	case err != nil:
		return nil, err
	}
	w.root = root
	if w.old, err = w.readManifest(); err != nil {
		_ = root.Close() // the first error is the one that helps
		return nil, err
	}
	return w, nil
}

// HasRecord reports whether the folder has the record of what scaffold wrote.
func (w *Workspace) HasRecord() bool { return w.old.Schema != 0 }

// Recorded reports whether scaffold wrote the file, which may have been deleted since.
func (w *Workspace) Recorded(name string) bool {
	_, found := w.old.find(name)
	return found
}

// Close releases the folder.
func (w *Workspace) Close() error {
	if w.root == nil {
		return nil
	}
	return w.root.Close()
}

// disk is what stands at a path.
type disk struct {
	exists   bool
	data     []byte
	mode     fs.FileMode
	obstacle string // why no file can be written there, or ""
}

// read looks at a path without following a symbolic link at its end.
func (w *Workspace) read(name string) (disk, error) {
	if w.root == nil {
		return disk{}, nil
	}
	if obstacle, err := w.obstacle(path.Dir(name)); err != nil || obstacle != "" {
		return disk{obstacle: obstacle}, err
	}
	info, err := w.root.Lstat(filepath.FromSlash(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return disk{}, nil
	case err != nil:
		return disk{}, err
	case info.IsDir():
		return disk{obstacle: "a folder is in the way"}, nil
	case info.Mode()&fs.ModeSymlink != 0:
		return disk{obstacle: "a symbolic link is in the way"}, nil
	case !info.Mode().IsRegular():
		return disk{obstacle: "something that is no regular file is in the way"}, nil
	}
	data, err := userfile.ReadFS(w.root.FS(), name, userfile.LargeLimit)
	if err != nil {
		return disk{}, err
	}
	return disk{exists: true, data: data, mode: info.Mode().Perm()}, nil
}

// obstacle says why the folder could not be made, or returns "".
func (w *Workspace) obstacle(dir string) (string, error) {
	if dir == "." {
		return "", nil
	}
	if obstacle, err := w.obstacle(path.Dir(dir)); err != nil || obstacle != "" {
		return obstacle, err
	}
	info, err := w.root.Stat(filepath.FromSlash(dir))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := w.root.Lstat(filepath.FromSlash(dir)); err == nil {
			return "its folder " + dir + " is a symbolic link to nothing", nil
		}
		return "", nil
	case err != nil:
		// os.Root has no error value for a link that leads out of the folder.
		if link, linkErr := w.root.Lstat(filepath.FromSlash(dir)); linkErr == nil && link.Mode()&fs.ModeSymlink != 0 {
			return "its folder " + dir + " is a symbolic link that leads out of the service", nil
		}
		return "", err
	case !info.IsDir():
		return "its folder " + dir + " is a file", nil
	}
	return "", nil
}

// digest names content. Line ends do not count, since git may turn them.
func digest(data []byte) string {
	sum := sha256.Sum256(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// sameMode compares what git keeps of a mode: whether the owner may execute.
func sameMode(a, b fs.FileMode) bool {
	return goruntime.GOOS == "windows" || a&0o100 == b&0o100
}

// basePath is where the pristine copy of a merged file stands.
func (w *Workspace) basePath(name string) string { return w.opts.State + "/base/" + name + ".base" }

// owned says whether scaffold keeps a pristine copy of the file.
func owned(o templates.Owner) bool { return o == templates.Merged }

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
