// Package workspace writes a generated tree to disk and keeps the changes of users.
//
// [Open] reads the state of a service's directory, [Workspace.Plan] computes the change of each
// file, and [Workspace.Apply] writes all changes or none. .scaffold/manifest.json records what
// scaffold wrote, to tell edited files from outdated ones, and .scaffold/base.txtar has the text of
// merged files. [Plan.Drift] reports the changes as a check.
//
// All access is through [os.Root], so no path and no symbolic link leaves the directory. A
// Workspace is not safe for concurrent use.
package workspace

import (
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
)

// Options are the options of a workspace.
type Options struct {
	Generator string  // version of scaffold, as in v0.1.0; "devel" in a checkout
	Command   string  // import path of the scaffold command, for the advice to install a newer version
	Layers    []Layer // template layers, the embedded one first
	// State is the path of the state in the directory, with forward slashes; default .scaffold.
	// Trees that share a directory, such as the root of a repository with several services, need
	// different ones.
	State string
	// Spec is the path of the file that the trees are rendered from, which only the user changes.
	Spec string
	// Lock excludes other runs with Lock in the directory until the workspace is closed, and lets
	// Open report temporary files of killed runs of older scaffolds. Set it if the plan is to be applied.
	Lock bool
}

// Layer is a source of templates. The embedded one is named scaffold; those of an organization
// follow.
type Layer struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Digest  string `json:"digest"`
}

// Workspace is the directory of a service.
type Workspace struct {
	dir   string
	root  *os.Root // nil while the directory does not exist
	opts  Options
	old   manifest
	open  map[string][]byte // the template's versions of open files
	stale []string          // files of conflicts that were taken back

	locked    *os.File // nil without a lock
	leftovers []Change // backups of killed runs that the user has to delete

	// injectFault, set by tests only, runs before each step that changes the disk.
	injectFault func(step, name string) error
}

// Open reads the state of a service's directory, which may not exist yet. State of a newer scaffold
// is a [NewerStateError]. The caller must close the workspace.
//
// It first recovers from a killed run of [Workspace.Apply], and changes nothing else. It returns an error
// if another run has the lock of Options.Lock or is writing, or if the journal of the killed run is damaged.
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
	if err := w.load(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// load takes the lock, if asked for, and reads the state.
func (w *Workspace) load() (err error) {
	if w.opts.Lock {
		if err := w.lock(); err != nil {
			return err
		}
	}
	if err := w.recoverRun(); err != nil {
		return err
	}
	if w.old, err = w.readManifest(); err != nil {
		return err
	}
	if err := w.unite(); err != nil {
		return err
	}
	if err := w.loadOpen(); err != nil || w.locked == nil {
		return err
	}
	w.reportStale()
	return nil
}

// HasRecord reports whether the directory has a manifest.
func (w *Workspace) HasRecord() bool { return w.old.Schema != 0 }

// Paths returns the paths of the files that scaffold wrote, sorted.
func (w *Workspace) Paths() []string {
	var out []string
	for _, e := range w.old.Files {
		out = append(out, e.Path)
	}
	return out
}

// Recorded reports whether scaffold wrote the file, which may be deleted.
func (w *Workspace) Recorded(name string) bool {
	_, found := w.old.find(name)
	return found
}

// Close releases the lock and closes the directory.
func (w *Workspace) Close() error {
	if w.root == nil {
		return nil
	}
	err := errors.Join(unlock(w.locked), w.root.Close())
	w.locked = nil
	return err
}

// disk is the file at a path.
type disk struct {
	exists   bool
	data     []byte
	mode     fs.FileMode
	obstacle string // why no file can be written, or ""
}

// read reads a path without following a symbolic link at its end.
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
		return disk{obstacle: "a directory is in the way"}, nil
	case info.Mode()&fs.ModeSymlink != 0:
		return disk{obstacle: "a symbolic link is in the way"}, nil
	case !info.Mode().IsRegular():
		return disk{obstacle: "a file that is not regular is in the way"}, nil
	}
	data, err := userfile.ReadFS(w.root.FS(), name, userfile.LargeLimit)
	if err != nil {
		return disk{}, err
	}
	return disk{exists: true, data: data, mode: info.Mode().Perm()}, nil
}

// obstacle returns why a directory cannot be created, or "".
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
			return "its directory " + dir + " is a broken symbolic link", nil
		}
		return "", nil
	case err != nil:
		// os.Root has no error value for a link out of the directory.
		if link, linkErr := w.root.Lstat(filepath.FromSlash(dir)); linkErr == nil && link.Mode()&fs.ModeSymlink != 0 {
			return "its directory " + dir + " is a symbolic link out of the service", nil
		}
		return "", err
	case !info.IsDir():
		return "its directory " + dir + " is a file", nil
	}
	return "", nil
}

// digest returns the digest of content. It ignores line endings, which git may change.
func digest(data []byte) string {
	sum := sha256.Sum256(withoutCR(data))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// sameMode compares the execute bit of the owner, the only one that git keeps.
func sameMode(a, b fs.FileMode) bool {
	return goruntime.GOOS == "windows" || a&0o100 == b&0o100
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
