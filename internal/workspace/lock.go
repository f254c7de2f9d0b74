package workspace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// errLocked is the error of lockDirectory if another run has the lock.
var errLocked = errors.New("locked")

// lock takes the exclusive lock of the service until the workspace is closed. It is a lock of the
// directory itself, since a lock file would be visible in git.
func (w *Workspace) lock() (err error) {
	w.locked, err = w.lockDir(".")
	return err
}

// lockDir takes the exclusive lock of a directory without waiting. The lock ends with the process. On
// systems and file systems without such locks nothing is locked, and the directory returned is nil.
func (w *Workspace) lockDir(name string) (*os.File, error) {
	dir, err := w.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", describe(w.dir), cause(err))
	}
	switch err := lockDirectory(dir); {
	case errors.Is(err, errLocked):
		return nil, errors.Join(fmt.Errorf("another scaffold runs in %s; wait for it", describe(w.dir)), dir.Close())
	case err != nil:
		return nil, dir.Close()
	}
	return dir, nil
}

// unlock releases a lock, if any.
func unlock(dir *os.File) error {
	if dir == nil {
		return nil
	}
	return errors.Join(unlockDirectory(dir), dir.Close())
}
