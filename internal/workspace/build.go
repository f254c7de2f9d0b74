package workspace

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"syscall"
)

// build creates a directory that does not exist. It builds it and its missing parents under a
// temporary name and renames the topmost one, so that even after a power failure the service is
// complete or absent.
func (t *transaction) build(p Plan) error {
	above := missing(t.w.dir)
	if goruntime.GOOS == "windows" {
		// The rename of a directory fails if a virus scanner reads a file in it.
		if err := t.makeDirs(above, t.w.dir); err != nil {
			return err
		}
		return t.run(p)
	}
	top := above[len(above)-1]
	temporary := filepath.Join(filepath.Dir(top), temporaryName(filepath.Base(top), t.id, "new"))
	for i, dir := range above {
		above[i] = temporary + strings.TrimPrefix(dir, top)
	}
	if err := t.makeDirs(above, top); err != nil {
		return err
	}
	t.onUndo(func() error { return os.RemoveAll(temporary) })
	named, err := t.stageAll(p.writes, func(name string) string { return name })
	if err != nil {
		return err
	}
	if named {
		t.dirs, t.above = nil, nil
	}
	if err := t.syncDirs(); err != nil {
		return err
	}
	return t.placeTop(temporary, top)
}

func (t *transaction) onUndo(f func() error) {
	t.undo = append(t.undo, f)
}

// newRun returns a unique part of temporary names.
func newRun() string { return strings.ToLower(rand.Text()[:8]) }

// temporaryName returns a name in the same directory. It begins with a dot, so that Go does not compile the
// file, and names scaffold, since a damaged journal leaves it to the user.
func temporaryName(name, run, suffix string) string {
	dir, base := path.Split(name)
	return dir + "." + base + ".scaffold-" + run + "." + suffix
}

// missing returns the directory and its missing parents, lowest first.
func missing(dir string) []string {
	dirs := []string{filepath.Clean(dir)}
	for parent := filepath.Dir(dirs[0]); ; parent = filepath.Dir(parent) {
		if _, err := os.Stat(parent); !errors.Is(err, fs.ErrNotExist) {
			return dirs
		}
		dirs = append(dirs, parent)
	}
}

// makeDirs creates directories, listed lowest first, and opens the lowest as the workspace's root.
// Errors name the directory known.
func (t *transaction) makeDirs(dirs []string, known string) error {
	for _, dir := range slices.Backward(dirs) {
		if err := t.step("mkdir", known); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			return mkdirError(known, err)
		}
		t.onUndo(func() error { return os.Remove(dir) })
	}
	root, err := os.OpenRoot(dirs[0])
	if err != nil {
		return fmt.Errorf("open directory %s: %w", known, cause(err))
	}
	t.w.root = root
	t.onUndo(func() error {
		err := t.w.Close()
		t.w.root = nil
		return err
	})
	if t.w.opts.Lock { // the lock stays when the directory is renamed
		if err := t.w.lock(); err != nil {
			return err
		}
	}
	t.above = dirs[1:]
	return nil
}

// placeTop renames the finished directory. The open root stays valid.
func (t *transaction) placeTop(temporary, top string) error {
	if err := t.step("place", top); err != nil {
		return err
	}
	switch err := os.Rename(temporary, top); {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s appeared while scaffold ran; run it again", top)
	case err != nil:
		return mkdirError(top, err)
	}
	t.onUndo(func() error { return os.Rename(top, temporary) })
	return t.syncDir(filepath.Dir(top), os.Open)
}

func mkdirError(dir string, err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("create directory %s: %w; choose another --dir", dir, cause(err))
	}
	return fmt.Errorf("create directory %s: %w", dir, cause(err))
}
