package workspace

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Apply does what the plan says, or nothing: every file is written beside its
// place first, and only then are all moved into place. A folder that does not
// exist yet is built under another name and gets its own in one step. On an
// error, and when the context ends, everything is put back and the folder is as
// it was. When Apply returns, the files survive a power cut.
func (w *Workspace) Apply(ctx context.Context, p Plan) error {
	if conflicts := p.Conflicts(); len(conflicts) > 0 {
		return fmt.Errorf("%s: %s", conflicts[0].Path, conflicts[0].Note)
	}
	if len(p.writes) == 0 && len(p.removes) == 0 {
		return nil
	}
	t := &transaction{w: w, ctx: ctx, staged: map[string]string{}, backups: map[string]string{}}
	run := t.run
	if w.root == nil {
		run = t.build
	}
	if err := run(p); err != nil {
		if undoErr := t.rollback(); undoErr != nil {
			return errors.Join(err, fmt.Errorf("putting things back: %w", undoErr))
		}
		return err
	}
	if err := t.finish(p); err != nil {
		return fmt.Errorf("all files are written, but tidying up met: %w", err)
	}
	return nil
}

// transaction is one run of Apply.
type transaction struct {
	w       *Workspace
	ctx     context.Context
	backups map[string]string // path to the second name of what stood there
	folders []string          // below the service, whose entries must reach the disk
	above   []string          // the same above it

	undo   []func() error    // in the order of the steps they take back
	staged map[string]string // path to its temporary file

	mu sync.Mutex // guards the workspace's injectFault, which parallel syncs call
}

// run changes a folder that exists.
func (t *transaction) run(p Plan) error {
	if _, err := t.stageAll(p.writes, func(name string) string { return beside(name, "new") }); err != nil {
		return err
	}
	for _, f := range slices.Concat(p.writes, p.removes) {
		if err := t.backUp(f); err != nil {
			return err
		}
	}
	for _, f := range p.writes {
		if err := t.place(f.path); err != nil {
			return err
		}
	}
	for _, f := range p.removes {
		if err := t.remove(f.path); err != nil {
			return err
		}
	}
	return t.syncFolders()
}

// step asks whether to go on before the disk is changed.
func (t *transaction) step(name, file string) error {
	if err := t.ctx.Err(); err != nil {
		return fmt.Errorf("stopped before %s: %w", file, context.Cause(t.ctx))
	}
	if t.w.injectFault == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.w.injectFault(name, file)
}

func (t *transaction) onUndo(f func() error) {
	t.undo = append(t.undo, f)
}

func (t *transaction) rollback() error {
	var errs []error
	for _, undo := range slices.Backward(t.undo) {
		if err := undo(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// stageAll writes the files under the names that it is told, each in its own
// folder, so that moving it into place later neither copies nor runs out of
// space. It reports whether their names are on the disk too.
func (t *transaction) stageAll(files []write, name func(string) string) (named bool, err error) {
	for _, f := range files {
		if err := t.mkdirs(path.Dir(f.path)); err != nil {
			return false, err
		}
		t.folders = append(t.folders, path.Dir(f.path))
	}
	for _, f := range files {
		if err := t.stage(f, name(f.path)); err != nil {
			return false, err
		}
	}
	if named, err = t.syncFiles(files); err != nil {
		return false, err
	}
	return named, t.keepModes(files)
}

// fewFiles is how many files are synced one by one: the request for the whole file
// system waits for what other programs write.
const fewFiles = 8

// syncFiles makes the content of staged files survive a power cut, and reports whether
// their names do.
func (t *transaction) syncFiles(files []write) (named bool, err error) {
	if len(files) > fewFiles {
		if named, err = t.syncAll(); named || err != nil {
			return named, err
		}
	}
	return false, abreast(files, func(f write) error {
		if err := t.step("sync", f.path); err != nil {
			return fmt.Errorf("write %s: %w", f.path, cause(err))
		}
		// Windows syncs only what is open for writing.
		file, err := t.w.root.OpenFile(filepath.FromSlash(t.staged[f.path]), os.O_WRONLY, 0)
		if err != nil {
			return fmt.Errorf("write %s: %w", f.path, cause(err))
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return fmt.Errorf("write %s: %w", f.path, cause(err))
		}
		return nil
	})
}

// keepModes gives staged files the permissions of those that they replace, whatever the
// umask is now. A file that is read-only cannot be synced, so this comes after it.
func (t *transaction) keepModes(files []write) error {
	for _, f := range files {
		if !f.was.exists {
			continue
		}
		if err := t.w.root.Chmod(filepath.FromSlash(t.staged[f.path]), f.was.mode&^0o111|executable(f)); err != nil {
			return fmt.Errorf("write %s: %w", f.path, cause(err))
		}
	}
	return nil
}

// syncAll makes everything below the service, names included, survive a power cut. It
// reports false on a system that has no such request.
func (t *transaction) syncAll() (bool, error) {
	if err := t.step("sync all", t.w.dir); err != nil {
		return false, err
	}
	dir, err := t.w.root.Open(".")
	if err != nil {
		return false, fmt.Errorf("sync %s: %w", t.w.dir, cause(err))
	}
	err = errors.Join(syncFileSystem(dir), dir.Close())
	if diskLost(err) {
		return false, fmt.Errorf("sync %s: %w", t.w.dir, err)
	}
	return err == nil, nil
}

// diskLost reports whether a sync failed because the disk did not keep what was written. Some
// file systems have no such request (Windows, some networks), which is no error.
func diskLost(err error) bool { return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSPC) }

func (t *transaction) stage(f write, temporary string) error {
	if err := t.step("write", f.path); err != nil {
		return err
	}
	file, err := t.w.root.OpenFile(filepath.FromSlash(temporary), os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.mode)
	if err != nil {
		return fmt.Errorf("write %s: %w", f.path, cause(err))
	}
	t.onUndo(func() error { return t.w.root.Remove(filepath.FromSlash(temporary)) })
	if err := fill(file, f.data); err != nil {
		return fmt.Errorf("write %s: %w", f.path, cause(err))
	}
	t.staged[f.path] = temporary
	return nil
}

func fill(file *os.File, data []byte) error {
	_, err := file.Write(data)
	return errors.Join(err, file.Close())
}

// executable gives the execute bits to those who may read.
func executable(f write) fs.FileMode {
	if f.mode&0o100 == 0 {
		return 0
	}
	return 0o100 | f.was.mode>>2&0o011
}

func (t *transaction) mkdirs(dir string) error {
	if dir == "." {
		return nil
	}
	if info, err := t.w.root.Stat(filepath.FromSlash(dir)); err == nil && info.IsDir() {
		return nil
	}
	if err := t.mkdirs(path.Dir(dir)); err != nil {
		return err
	}
	if err := t.step("mkdir", dir); err != nil {
		return err
	}
	err := t.w.root.Mkdir(filepath.FromSlash(dir), 0o755)
	if errors.Is(err, fs.ErrExist) {
		if info, statErr := t.w.root.Stat(filepath.FromSlash(dir)); statErr == nil && info.IsDir() {
			return nil // another run made it
		}
	}
	if err != nil {
		return fmt.Errorf("make folder %s: %w", dir, cause(err))
	}
	t.onUndo(func() error { return t.w.root.Remove(filepath.FromSlash(dir)) })
	t.folders = append(t.folders, dir, path.Dir(dir))
	return nil
}

// backUp gives what stands at the path a second name, from which it can be put
// back. It must still be what the plan saw, or what the plan writes: another run of
// scaffold may have written it for a second service of the repository.
func (t *transaction) backUp(f write) error {
	now, err := t.w.read(f.path)
	if err != nil {
		return err
	}
	same := now.exists == f.was.exists && bytes.Equal(now.data, f.was.data)
	written := now.exists && f.data != nil && bytes.Equal(now.data, f.data)
	if now.obstacle != "" || !same && !written {
		return fmt.Errorf("%s changed while scaffold ran; run it again", f.path)
	}
	if !now.exists {
		return nil
	}
	if err := t.step("back up", f.path); err != nil {
		return err
	}
	backup, name := filepath.FromSlash(beside(f.path, "old")), filepath.FromSlash(f.path)
	if err := t.w.root.Link(name, backup); err != nil {
		// A file system without hard links: a copy does.
		if err := t.w.root.WriteFile(backup, now.data, now.mode); err != nil {
			return errors.Join(fmt.Errorf("back up %s: %w", f.path, cause(err)), t.w.root.Remove(backup))
		}
	}
	t.onUndo(func() error { return t.w.root.Remove(backup) })
	t.backups[f.path] = backup
	return nil
}

// place moves the staged file to its path, atomically.
func (t *transaction) place(name string) error {
	if err := t.step("place", name); err != nil {
		return err
	}
	if err := t.w.root.Rename(filepath.FromSlash(t.staged[name]), filepath.FromSlash(name)); err != nil {
		return fmt.Errorf("write %s: %w", name, cause(err))
	}
	t.onUndo(func() error { return t.restore(name) })
	return nil
}

func (t *transaction) remove(name string) error {
	if err := t.step("remove", name); err != nil {
		return err
	}
	if err := t.w.root.Remove(filepath.FromSlash(name)); err != nil {
		return fmt.Errorf("remove %s: %w", name, cause(err))
	}
	t.folders = append(t.folders, path.Dir(name))
	t.onUndo(func() error { return t.restore(name) })
	return nil
}

func (t *transaction) restore(name string) error {
	if backup, had := t.backups[name]; had {
		return t.w.root.Rename(backup, filepath.FromSlash(name))
	}
	return t.w.root.Remove(filepath.FromSlash(name))
}

// finish forgets what is no longer needed. The new files are in place.
func (t *transaction) finish(p Plan) error {
	var errs []error
	for name, backup := range t.backups {
		errs = append(errs, t.w.root.Remove(backup))
		t.folders = append(t.folders, path.Dir(name))
	}
	for _, f := range p.removes {
		for dir := path.Dir(f.path); dir != "."; dir = path.Dir(dir) {
			if t.w.root.Remove(filepath.FromSlash(dir)) != nil {
				break // not empty
			}
			t.folders = append(t.folders, path.Dir(dir))
		}
	}
	_ = t.syncFolders() // without it a power cut leaves old names behind, which harms nothing
	return errors.Join(errs...)
}

// syncFolders makes the names in the changed folders survive a power cut.
func (t *transaction) syncFolders() error {
	slices.Sort(t.folders)
	below, above := slices.Compact(t.folders), t.above
	t.folders, t.above = nil, nil
	if len(below) > fewFiles {
		if synced, err := t.syncAll(); synced || err != nil {
			return err
		}
	}
	return errors.Join(
		abreast(above, func(dir string) error { return t.syncFolder(dir, os.Open) }),
		abreast(below, func(dir string) error { return t.syncFolder(filepath.FromSlash(dir), t.w.root.Open) }),
	)
}

// syncFolder ignores a directory whose last file was removed.
func (t *transaction) syncFolder(name string, open func(string) (*os.File, error)) error {
	if err := t.step("sync folder", name); err != nil {
		return err
	}
	dir, err := open(name)
	if err != nil {
		return nil //nolint:nilerr // gone with its last file
	}
	err = dir.Sync()
	_ = dir.Close() // nothing was written through it
	if diskLost(err) {
		return fmt.Errorf("sync directory %s: %w", name, cause(err))
	}
	return nil
}

// beside is a name in the same folder that nobody else has. Names that begin
// with a dot are not compiled, should a power cut leave one behind.
func beside(name, suffix string) string {
	dir, base := path.Split(name)
	return dir + "." + base + "." + strings.ToLower(rand.Text()[:8]) + "." + suffix
}

// cause drops the temporary name, which means nothing to the user.
func cause(err error) error {
	if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
		return pathError.Err
	}
	if linkError := (*os.LinkError)(nil); errors.As(err, &linkError) {
		return linkError.Err
	}
	return err
}
