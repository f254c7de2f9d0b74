package workspace

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
)

// stalePattern matches the names that temporaryName returns.
var stalePattern = regexp.MustCompile(`^\.(.+)\.[a-z2-7]{8}\.(new|old)$`)

// removeStale removes temporary files that a killed run left beside files of the plan or manifest.
func (w *Workspace) removeStale(p Plan) error {
	if w.root == nil || cmp.Or(w.opts.State, DefaultState) != DefaultState {
		return nil
	}
	managed := map[string]bool{w.opts.manifestPath(): true, w.opts.basePath(): true}
	for _, c := range p.Changes {
		managed[c.Path] = true
	}
	for _, e := range w.old.Files {
		managed[e.Path] = true
	}
	dirs := map[string]bool{}
	for name := range managed {
		dirs[path.Dir(name)] = true
	}
	for dir := range dirs {
		entries, err := fs.ReadDir(w.root.FS(), dir)
		if err != nil {
			continue // it is not created yet, or a later step reports it
		}
		for _, e := range entries {
			m := stalePattern.FindStringSubmatch(e.Name())
			if m == nil || !e.Type().IsRegular() || !managed[path.Join(dir, m[1])] {
				continue
			}
			if err := w.removeTemporary(path.Join(dir, e.Name()), path.Join(dir, m[1]), m[2] == "old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("remove the temporary file %s: %w", path.Join(dir, e.Name()), cause(err))
			}
		}
	}
	return nil
}

// removeTemporary removes a temporary file, or renames a backup to its missing original. A backup with the
// text that scaffold wrote is not renamed: an interrupted run removed that file on purpose.
func (w *Workspace) removeTemporary(temporary, original string, backup bool) error {
	name := filepath.FromSlash(temporary)
	_, err := w.root.Lstat(filepath.FromSlash(original))
	if !backup || err == nil {
		return w.root.Remove(name)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	d, err := w.read(temporary)
	if err != nil {
		return err
	}
	if last, known := w.old.find(original); known && last.Digest == digest(d.data) {
		return w.root.Remove(name)
	}
	return w.root.Rename(name, filepath.FromSlash(original))
}
