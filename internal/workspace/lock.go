package workspace

import (
	"errors"
	"fmt"
)

// errLocked is the error of lockDirectory if another run has the lock.
var errLocked = errors.New("locked")

// lock takes the exclusive lock of the directory without waiting. It is a lock of the directory itself,
// since a lock file would be visible in git. It is released when the workspace is closed or the process
// ends. On systems and file systems without such locks nothing is locked.
func (w *Workspace) lock() error {
	dir, err := w.root.Open(".")
	if err != nil {
		return fmt.Errorf("lock %s: %w", describe(w.dir), cause(err))
	}
	switch err := lockDirectory(dir); {
	case errors.Is(err, errLocked):
		return errors.Join(fmt.Errorf("another scaffold runs in %s; wait for it", describe(w.dir)), dir.Close())
	case err != nil:
		return dir.Close()
	}
	w.locked = dir
	return nil
}

// unlock releases the lock, if any.
func (w *Workspace) unlock() error {
	if w.locked == nil {
		return nil
	}
	dir := w.locked
	w.locked = nil
	return errors.Join(unlockDirectory(dir), dir.Close())
}
