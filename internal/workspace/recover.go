package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"

	"github.com/observability-first/scaffold/templates"
)

// recoverRun undoes what a killed run of Apply did before its commit, and removes its temporary files. It
// does so without Options.Lock, too, since a plan that compares with half a change is wrong. The lock of
// the state shows whether the run is still in progress.
func (w *Workspace) recoverRun() (err error) {
	t := &transaction{w: w, ctx: context.Background()}
	if !slices.ContainsFunc(journalNames(), w.stateHas) {
		if w.locked != nil { // else a run may be about to write its journal
			t.removeEmpty("roll back", w.opts.inState(""))
		}
		return nil
	}
	lock, err := w.lockDir(w.opts.inState(""))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock(lock)) }()
	j, begun, err := w.readJournal(journalName)
	if err != nil {
		return err
	}
	last, committed, err := w.readJournal(journalCommitted)
	if err != nil {
		return err
	}
	switch {
	case lock == nil && (begun || committed):
		return fmt.Errorf("%s: another scaffold runs in %s or was killed there, and this system has no locks that show which; "+
			"if none runs, see git status, restore the files that it changed, and delete the journal", w.opts.inState("journal*.json"), describe(w.dir))
	case lock == nil:
		return nil
	case committed:
		return t.cleanUp(last)
	}
	return t.rollBack(j)
}

func (w *Workspace) stateHas(name string) bool {
	_, err := w.root.Lstat(filepath.FromSlash(w.opts.inState(name)))
	return err == nil
}

// found is a file of a journal and what is on disk.
type found struct {
	journaled
	now, staged, backup disk
}

func (t *transaction) inspect(j journal) ([]found, error) {
	var files []found
	for _, file := range j.Files {
		f := found{journaled: file}
		for name, d := range map[string]*disk{f.Path: &f.now, j.staged(f.Path): &f.staged, j.backup(f.Path): &f.backup} {
			var err error
			if *d, err = t.w.read(name); err != nil {
				return nil, fmt.Errorf("read %s: %w", name, cause(err))
			}
			if d.obstacle != "" {
				return nil, fmt.Errorf("%s: %s: %s; move it away and run scaffold again", t.w.opts.inState(journalName), name, d.obstacle)
			}
		}
		files = append(files, f)
	}
	return files, nil
}

// rollBack undoes a run that is not committed. It can be repeated at any step. The zero journal is that of
// a run that was killed while it wrote its journal.
func (t *transaction) rollBack(j journal) error {
	files, err := t.inspect(j)
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range slices.Backward(files) {
		if err := t.restore(j, f); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	t.removeDirs(j)
	_ = t.syncDirs() // best effort: without the sync, a power failure may undo this
	for _, name := range []string{journalStaged, journalName} {
		if err := t.drop("roll back", t.w.opts.inState(name)); err != nil {
			return err
		}
	}
	t.removeDirs(j) // that of the state, too
	t.removeEmpty("roll back", t.w.opts.inState(""))
	return nil
}

// restore undoes the change of a file. The staged file goes last: while it exists, the file was not placed.
func (t *transaction) restore(j journal, f found) (err error) {
	switch {
	case f.backup.exists:
		err = t.restoreBackup(f, j.backup(f.Path))
	case f.Old == "" && !f.staged.exists && f.now.exists && exactDigest(f.now.data) == f.New:
		err = t.drop("roll back", f.Path)
	}
	if err != nil {
		return err
	}
	return t.drop("roll back", j.staged(f.Path))
}

// restoreBackup renames the backup to its file, unless the user changed or deleted that since.
func (t *transaction) restoreBackup(f found, backup string) error {
	saved, now := exactDigest(f.backup.data), ""
	if f.now.exists {
		now = exactDigest(f.now.data)
	}
	switch {
	case now == saved && (f.Old != f.New || f.staged.exists), now == f.Old && saved != f.Old:
		return t.drop("roll back", backup) // the file was not replaced; the second backup is an incomplete copy
	case saved == f.Old && now == f.New:
		return t.rename("roll back", backup, f.Path)
	}
	return t.reject(f.Path, backup)
}

// reject moves a backup away and reports it.
func (t *transaction) reject(name, backup string) error {
	to := "rejected/" + name
	for n := 1; t.w.stateHas(to); n++ {
		to = fmt.Sprintf("rejected/%s.%d", name, n)
	}
	to = t.w.opts.inState(to)
	if err := t.mkdirs(path.Dir(to)); err != nil {
		return err
	}
	t.w.leftovers = append(t.w.leftovers, Change{
		Path: to, Owner: templates.UserOwned, Action: Orphaned,
		Note: name + " as it was before a run that was stopped; you changed it since, and your version is kept; copy what you need and delete this copy",
	})
	return t.rename("roll back", backup, to)
}

// cleanUp removes backups and empty directories of a committed run. It can be repeated at any step.
func (t *transaction) cleanUp(j journal) error {
	var errs []error
	for _, f := range j.Files {
		errs = append(errs, t.drop("clean up", j.staged(f.Path)), t.drop("clean up", j.backup(f.Path)))
		if f.New != "" {
			continue
		}
		for dir := path.Dir(f.Path); dir != "." && t.removeEmpty("clean up", dir); {
			dir = path.Dir(dir)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	err := t.drop("clean up", t.w.opts.inState(journalCommitted))
	_ = t.syncDirs() // an error is harmless: old names may reappear after a power failure
	return err
}

// drop removes a file, if it exists.
func (t *transaction) drop(step, name string) error {
	file := filepath.FromSlash(name)
	if _, err := t.w.root.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := t.step(step, name); err != nil {
		return err
	}
	if err := t.w.root.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", name, cause(err))
	}
	t.dirs = append(t.dirs, path.Dir(name))
	return nil
}

func (t *transaction) removeDirs(j journal) {
	for _, dir := range slices.Backward(j.Directories) {
		t.removeEmpty("roll back", dir)
	}
}

// removeEmpty removes a directory, and reports false if it is not an empty one. It may be removed already.
func (t *transaction) removeEmpty(step, dir string) bool {
	file := filepath.FromSlash(dir)
	info, err := t.w.root.Lstat(file)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	if !info.IsDir() || t.step(step, dir) != nil || t.w.root.Remove(file) != nil {
		return false
	}
	t.dirs = append(t.dirs, path.Dir(dir))
	return true
}
