package workspace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// Apply executes the plan completely, or rolls it back if an error occurs or the context ends. It writes
// all files under temporary names, then renames them. A new directory is built under a temporary name and
// renamed. When Apply returns, the files are synced to disk.
//
// A killed process (SIGKILL, power failure) leaves each file complete, but some files new and some old,
// and temporary files (.NAME.scaffold-xxxxxxxx.new, .NAME.scaffold-xxxxxxxx.old). The manifest is written last, so a plan
// for the same spec and scaffold completes the change. For another spec or scaffold, the files that the
// killed run wrote count as edited or as not written by scaffold.
//
// The next [Open] with a lock removes these temporary files, except backups with text that scaffold did
// not write, which plans report. They stay at the root of a repository, which has no lock since parallel
// runs for other services write there. The temporary directory of a new service (.NAME.scaffold-xxxxxxxx.new)
// stays, too.
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
			return errors.Join(err, fmt.Errorf("roll back: %w", undoErr))
		}
		return err
	}
	w.old = p.next
	if err := t.finish(p); err != nil {
		return fmt.Errorf("all files are written, but temporary files are not removed: %w", err)
	}
	return nil
}

// transaction is a run of Apply.
type transaction struct {
	w       *Workspace
	ctx     context.Context
	backups map[string]string // backup of the previous file by path
	dirs    []string          // directories below the service to sync
	above   []string          // directories above the service to sync

	undo   []func() error    // in the order of the steps
	staged map[string]string // temporary file by path

	mu sync.Mutex // for injectFault, which parallel syncs call
}

// run changes an existing directory.
func (t *transaction) run(p Plan) error {
	if _, err := t.stageAll(p.writes, func(name string) string { return temporaryName(name, "new") }); err != nil {
		return err
	}
	for _, f := range slices.Concat(p.writes, p.removes) {
		if err := t.backUp(f); err != nil {
			return err
		}
	}
	// Last the manifest: it must still record a file that a kill keeps from being removed.
	isManifest := func(f write) bool { return f.path == t.w.opts.manifestPath() }
	for _, f := range p.writes {
		if isManifest(f) {
			continue
		}
		if err := t.place(f.path); err != nil {
			return err
		}
	}
	for _, f := range p.removes {
		if err := t.remove(f.path); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(p.writes, isManifest) {
		if err := t.place(t.w.opts.manifestPath()); err != nil {
			return err
		}
	}
	return t.syncDirs()
}

// step returns an error if the context has ended. It runs before each change of the disk.
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

// stageAll writes the files under temporary names in their directories, so that the later rename
// neither copies data nor needs space. It reports whether the names are synced, too.
func (t *transaction) stageAll(files []write, name func(string) string) (named bool, err error) {
	for _, f := range files {
		if err := t.mkdirs(path.Dir(f.path)); err != nil {
			return false, err
		}
		t.dirs = append(t.dirs, path.Dir(f.path))
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

// fewFiles is the maximum number of files that are synced individually. A sync of the file system
// also waits for data of other programs.
const fewFiles = 8

// syncFiles syncs the content of staged files to disk, and reports whether their names are synced.
func (t *transaction) syncFiles(files []write) (named bool, err error) {
	if len(files) > fewFiles {
		if named, err = t.syncAll(); named || err != nil {
			return named, err
		}
	}
	return false, parallel(files, func(f write) error {
		if err := t.step("sync", f.path); err != nil {
			return fmt.Errorf("write %s: %w", f.path, cause(err))
		}
		// Windows syncs only files that are open for writing.
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

// keepModes copies the permissions of replaced files to staged files. It runs after the sync, since a
// read-only file cannot be synced.
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

// syncAll syncs the file system of the service. It reports false if the system cannot.
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

// diskLost reports whether a sync lost data. Other errors are ignored: some file systems (Windows,
// some network file systems) do not support it.
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

// executable returns the execute bits for those who may read.
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
			return nil // a concurrent run created it
		}
	}
	if err != nil {
		return fmt.Errorf("create directory %s: %w", dir, cause(err))
	}
	t.onUndo(func() error { return t.w.root.Remove(filepath.FromSlash(dir)) })
	t.dirs = append(t.dirs, dir, path.Dir(dir))
	return nil
}

// backUp links the file at the path to a backup name for rollback. The file must be unchanged since
// the plan, or equal to the planned one, which a concurrent run for another service of the
// repository may have written.
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
	backup, name := filepath.FromSlash(temporaryName(f.path, "old")), filepath.FromSlash(f.path)
	if err := t.w.root.Link(name, backup); err != nil {
		// The file system has no hard links.
		if err := t.w.root.WriteFile(backup, now.data, now.mode); err != nil {
			return errors.Join(fmt.Errorf("back up %s: %w", f.path, cause(err)), t.w.root.Remove(backup))
		}
	}
	t.onUndo(func() error { return t.w.root.Remove(backup) })
	t.backups[f.path] = backup
	return nil
}

// place renames the staged file to its path, atomically.
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
	t.dirs = append(t.dirs, path.Dir(name))
	t.onUndo(func() error { return t.restore(name) })
	return nil
}

func (t *transaction) restore(name string) error {
	if backup, had := t.backups[name]; had {
		return t.w.root.Rename(backup, filepath.FromSlash(name))
	}
	return t.w.root.Remove(filepath.FromSlash(name))
}

// finish removes backups and empty directories.
func (t *transaction) finish(p Plan) error {
	var errs []error
	// Last the manifest: it records what the other backups have.
	manifestPath := t.w.opts.manifestPath()
	names := slices.DeleteFunc(slices.Collect(maps.Keys(t.backups)), func(name string) bool { return name == manifestPath })
	if _, had := t.backups[manifestPath]; had {
		names = append(names, manifestPath)
	}
	for _, name := range names {
		errs = append(errs, t.w.root.Remove(t.backups[name]))
		t.dirs = append(t.dirs, path.Dir(name))
	}
	for _, f := range p.removes {
		for dir := path.Dir(f.path); dir != "."; dir = path.Dir(dir) {
			if t.w.root.Remove(filepath.FromSlash(dir)) != nil {
				break // not empty
			}
			t.dirs = append(t.dirs, path.Dir(dir))
		}
	}
	_ = t.syncDirs() // an error is harmless: old names may reappear after a power failure
	return errors.Join(errs...)
}

// syncDirs syncs the names in changed directories to disk.
func (t *transaction) syncDirs() error {
	slices.Sort(t.dirs)
	below, above := slices.Compact(t.dirs), t.above
	t.dirs, t.above = nil, nil
	if len(below) > fewFiles {
		if synced, err := t.syncAll(); synced || err != nil {
			return err
		}
	}
	return errors.Join(
		parallel(above, func(dir string) error { return t.syncDir(dir, os.Open) }),
		parallel(below, func(dir string) error { return t.syncDir(filepath.FromSlash(dir), t.w.root.Open) }),
	)
}

// syncDir ignores a directory that was removed with its last file.
func (t *transaction) syncDir(name string, open func(string) (*os.File, error)) error {
	if err := t.step("sync directory", name); err != nil {
		return err
	}
	dir, err := open(name)
	if err != nil {
		return nil //nolint:nilerr // removed with its last file
	}
	err = dir.Sync()
	_ = dir.Close() // nothing was written through it
	if diskLost(err) {
		return fmt.Errorf("sync directory %s: %w", name, cause(err))
	}
	return nil
}

// cause removes the temporary name from an error.
func cause(err error) error {
	if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
		return pathError.Err
	}
	if linkError := (*os.LinkError)(nil); errors.As(err, &linkError) {
		return linkError.Err
	}
	return err
}
