package workspace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// Apply executes the plan completely, or rolls it back if an error occurs or the context ends. When it
// returns, the files are synced to disk.
//
// It first writes a journal (.scaffold/journal.json), then all files under temporary names, links the
// replaced files to backups, and renames the new files to their paths, the manifest last. The rename of
// the journal commits the run, and then the backups are removed. If the process is killed (SIGKILL, power
// failure), the next [Open] rolls the run back, or removes the backups if it is committed, so that the
// directory has the old or the new tree. A file that the user changed in between stays; its backup moves
// to .scaffold/rejected, and plans report it.
//
// A new directory needs no journal: it is built under a temporary name and renamed. If the process is
// killed before, the temporary directory (.NAME.scaffold-xxxxxxxx.new) stays.
func (w *Workspace) Apply(ctx context.Context, p Plan) (err error) {
	if conflicts := p.Conflicts(); len(conflicts) > 0 {
		return fmt.Errorf("%s: %s", conflicts[0].Path, conflicts[0].Note)
	}
	if len(p.writes) == 0 && len(p.removes) == 0 {
		return nil
	}
	t := &transaction{w: w, ctx: ctx, id: newRun(), staged: map[string]string{}, present: map[string]bool{}}
	defer func() { err = errors.Join(err, unlock(t.lock)) }()
	run := t.run
	if w.root == nil {
		run = t.build
	}
	if err := run(p); err != nil {
		t.ctx = context.WithoutCancel(ctx)
		if undoErr := t.rollback(); undoErr != nil {
			return errors.Join(err, fmt.Errorf("roll back: %w", undoErr))
		}
		return err
	}
	w.old = p.next
	t.ctx = context.WithoutCancel(ctx)
	if err := t.cleanUp(t.journal); err != nil {
		return fmt.Errorf("all files are written, but temporary files are not removed: %w", err)
	}
	return nil
}

// transaction is a run of Apply, or the recovery of one.
type transaction struct {
	w       *Workspace
	ctx     context.Context
	id      string            // part of the temporary names
	staged  map[string]string // temporary file by path
	present map[string]bool   // files that a concurrent run wrote meanwhile
	dirs    []string          // directories below the service to sync
	above   []string          // directories above the service to sync
	undo    []func() error    // steps of build, in their order

	journal journal
	lock    *os.File // of the state

	mu sync.Mutex // for injectFault, which parallel syncs call
}

// run changes an existing directory.
func (t *transaction) run(p Plan) error {
	if err := t.begin(p); err != nil {
		return err
	}
	if _, err := t.stageAll(p.writes, t.journal.staged); err != nil {
		return err
	}
	for _, f := range slices.Concat(p.writes, p.removes) {
		if err := t.backUp(f); err != nil {
			return err
		}
	}
	for _, f := range p.removes {
		if err := t.drop("remove", f.path); err != nil {
			return err
		}
	}
	// The manifest is the first of the writes, and placed last: without a journal, as on a damaged disk, it
	// must still record what is on disk.
	for _, f := range slices.Backward(p.writes) {
		if t.present[f.path] {
			continue
		}
		if err := t.rename("place", t.staged[f.path], f.path); err != nil {
			return err
		}
	}
	if err := t.syncDirs(); err != nil {
		return err
	}
	return t.commit()
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

// rollback undoes this run. Unlike a later recovery, it knows which files were not even staged: such a
// file is that of a concurrent run.
func (t *transaction) rollback() error {
	var errs []error
	if t.journal.Run != "" {
		t.journal.Files = slices.DeleteFunc(t.journal.Files, func(f journaled) bool { return f.New != "" && t.staged[f.Path] == "" })
		known := len(t.w.leftovers)
		errs = append(errs, t.rollBack(t.journal))
		for _, c := range t.w.leftovers[known:] {
			errs = append(errs, fmt.Errorf("%s: %s", c.Path, c.Note))
		}
	}
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
		if err := t.step("set mode", f.path); err != nil {
			return err
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
	t.staged[f.path] = temporary
	_, err = file.Write(f.data)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", f.path, cause(err))
	}
	return nil
}

func (t *transaction) writeSynced(name string, data []byte, mode fs.FileMode) error {
	file, err := t.w.root.OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
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
	t.dirs = append(t.dirs, dir, path.Dir(dir))
	return nil
}

// backUp links the file at the path to a backup name for rollback. The file must be unchanged since
// the plan, or equal to the planned one, which a concurrent run for another service of the
// repository may have written: then the written one stays.
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
	if !same {
		t.present[f.path] = true
		return nil
	}
	if !now.exists {
		return nil
	}
	if err := t.step("back up", f.path); err != nil {
		return err
	}
	backup := t.journal.backup(f.path)
	if err := t.w.root.Link(filepath.FromSlash(f.path), filepath.FromSlash(backup)); err == nil {
		return nil
	}
	// The file system has no hard links.
	if err := t.writeSynced(backup, now.data, now.mode); err != nil {
		return fmt.Errorf("back up %s: %w", f.path, cause(err))
	}
	return nil
}

// rename renames a file, atomically.
func (t *transaction) rename(step, from, to string) error {
	if err := t.step(step, to); err != nil {
		return err
	}
	if err := t.w.root.Rename(filepath.FromSlash(from), filepath.FromSlash(to)); err != nil {
		return fmt.Errorf("write %s: %w", to, cause(err))
	}
	t.dirs = append(t.dirs, path.Dir(from), path.Dir(to))
	return nil
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
