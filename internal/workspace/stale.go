package workspace

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/observability-first/scaffold/templates"
)

// temporaryName returns a unique name in the same directory. It begins with a dot, so that Go does not
// compile a file that a power failure leaves, and names scaffold, since it may be removed later.
func temporaryName(name, suffix string) string {
	dir, base := path.Split(name)
	return dir + "." + base + ".scaffold-" + strings.ToLower(rand.Text()[:8]) + "." + suffix
}

// stalePattern matches the names that temporaryName returns.
var stalePattern = regexp.MustCompile(`^\.(.+)\.scaffold-[a-z2-7]{8}\.(new|old)$`)

// staleFile is a temporary file that a killed run left.
type staleFile struct {
	path     string
	original string // the file that the run wrote or removed
	backup   bool
}

// removeStale removes temporary files that killed runs left beside recorded files. A backup with text
// that neither scaffold wrote nor its original has stays, and plans report it. No backup is renamed to a
// missing original, since the user may have deleted that later. The workspace must be locked: the
// temporary files of a run in progress look the same.
func (w *Workspace) removeStale() error {
	manifests := w.staleFiles(map[string]bool{w.opts.manifestPath(): true})
	written := w.written(manifests)
	recorded := map[string]bool{}
	for _, m := range written {
		for _, e := range m.Files {
			recorded[e.Path] = true
		}
	}
	for _, s := range w.staleFiles(recorded) {
		owner, safe, err := w.removable(s, written)
		if err != nil {
			return fmt.Errorf("read the temporary file %s: %w", s.path, cause(err))
		}
		if !safe {
			note := "backup of " + s.original + " that a killed run left, with text that scaffold did not write; copy what you need and delete it"
			w.leftovers = append(w.leftovers, Change{Path: s.path, Owner: owner, Action: Orphaned, Note: note})
			continue
		}
		if err := w.removeFile(s); err != nil {
			return err
		}
	}
	// Last the manifests: if this run is killed, the next one needs them.
	for _, s := range append(w.staleFiles(map[string]bool{w.opts.basePath(): true}), manifests...) {
		if err := w.removeFile(s); err != nil {
			return err
		}
	}
	return nil
}

// staleFiles returns the temporary files of the originals.
func (w *Workspace) staleFiles(originals map[string]bool) []staleFile {
	dirs := map[string]bool{}
	for name := range originals {
		dirs[path.Dir(name)] = true
	}
	var found []staleFile
	for dir := range dirs {
		entries, err := fs.ReadDir(w.root.FS(), dir)
		if err != nil {
			continue // it does not exist, or a later step reports it
		}
		for _, e := range entries {
			m := stalePattern.FindStringSubmatch(e.Name())
			if m == nil || !e.Type().IsRegular() || !originals[path.Join(dir, m[1])] {
				continue
			}
			found = append(found, staleFile{path.Join(dir, e.Name()), path.Join(dir, m[1]), m[2] == "old"})
		}
	}
	return found
}

// written returns the manifest and those that killed runs left, which record what these runs were about
// to write or had replaced.
func (w *Workspace) written(stale []staleFile) []manifest {
	all := []manifest{w.old}
	for _, s := range stale {
		d, err := w.read(s.path)
		if err != nil {
			continue
		}
		if m, err := decodeManifest(d.data, w.opts); err == nil { // else it is incomplete
			all = append(all, m)
		}
	}
	return all
}

// removable reports whether the file has no text of the user that is not in its original. It also returns
// the owner of the original.
func (w *Workspace) removable(s staleFile, written []manifest) (owner templates.Owner, safe bool, err error) {
	if !s.backup {
		return "", true, nil
	}
	backup, err := w.read(s.path)
	if err != nil {
		return "", false, err
	}
	original, err := w.read(s.original)
	if err != nil {
		return "", false, err
	}
	if original.exists && digest(original.data) == digest(backup.data) {
		return "", true, nil
	}
	for _, m := range written {
		e, known := m.find(s.original)
		if !known {
			continue
		}
		owner = e.Owner
		if e.wrote(backup.data, original) {
			return owner, true, nil
		}
	}
	return owner, false, nil
}

// wrote reports whether the text is as scaffold wrote it. In a block file, text around the block may also
// be that of the present file.
func (e entry) wrote(text []byte, present disk) bool {
	if e.Owner != templates.Block {
		return digest(text) == e.Digest
	}
	begin, end, err := templates.FindBlock(text)
	if err != nil || digest(text[begin:end]) != e.Digest {
		return false
	}
	rest := digestAround(text, begin, end)
	from, to, err := templates.FindBlock(present.data)
	return rest == e.Rest || present.exists && err == nil && rest == digestAround(present.data, from, to)
}

func (w *Workspace) removeFile(s staleFile) error {
	if err := w.root.Remove(filepath.FromSlash(s.path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the temporary file %s: %w", s.path, cause(err))
	}
	return nil
}
