package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"syscall"
)

// build makes a folder that does not exist. It and those missing above it grow
// under a name beside the topmost, and one rename gives that its own: even a
// power cut leaves the whole service or none.
func (t *transaction) build(p Plan) error {
	above := missing(t.w.dir)
	if goruntime.GOOS == "windows" {
		// A scanner that looks into a new file there makes the rename of its
		// folder fail, now and then.
		if err := t.makeRoot(above, t.w.dir); err != nil {
			return err
		}
		return t.run(p)
	}
	top := above[len(above)-1]
	temporary := filepath.Join(filepath.Dir(top), beside(filepath.Base(top), "new"))
	for i, dir := range above {
		above[i] = temporary + strings.TrimPrefix(dir, top)
	}
	if err := t.makeRoot(above, top); err != nil {
		return err
	}
	named, err := t.stageAll(p.writes, func(name string) string { return name })
	if err != nil {
		return err
	}
	if named {
		t.folders, t.above = nil, nil
	}
	if err := t.syncFolders(); err != nil {
		return err
	}
	return t.arrive(temporary, top)
}

// missing are the folder and those above it that do not exist, lowest first.
func missing(dir string) []string {
	dirs := []string{filepath.Clean(dir)}
	for parent := filepath.Dir(dirs[0]); ; parent = filepath.Dir(parent) {
		if _, err := os.Stat(parent); !errors.Is(err, fs.ErrNotExist) {
			return dirs
		}
		dirs = append(dirs, parent)
	}
}

// makeRoot makes the folders, lowest first in the list, and works in the lowest
// from now on. Errors name the folder that the user knows.
func (t *transaction) makeRoot(dirs []string, known string) error {
	for _, dir := range slices.Backward(dirs) {
		if err := t.step("mkdir", known); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			return unmade(known, err)
		}
		t.onUndo(func() error { return os.Remove(dir) })
	}
	root, err := os.OpenRoot(dirs[0])
	if err != nil {
		return fmt.Errorf("open folder %s: %w", known, cause(err))
	}
	t.w.root = root
	t.onUndo(func() error {
		t.w.root = nil
		return root.Close()
	})
	t.above = dirs[1:]
	return nil
}

// arrive gives the finished folder its name. The open root follows it.
func (t *transaction) arrive(temporary, top string) error {
	if err := t.step("place", top); err != nil {
		return err
	}
	switch err := os.Rename(temporary, top); {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s appeared while scaffold ran; run it again", top)
	case err != nil:
		return unmade(top, err)
	}
	t.onUndo(func() error { return os.Rename(top, temporary) })
	return t.syncFolder(filepath.Dir(top), os.Open)
}

func unmade(dir string, err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("make folder %s: %w; choose another --dir", dir, cause(err))
	}
	return fmt.Errorf("make folder %s: %w", dir, cause(err))
}
