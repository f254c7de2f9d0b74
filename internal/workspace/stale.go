package workspace

import (
	"io/fs"
	"path"
	"regexp"
)

// stalePattern matches temporary names.
var stalePattern = regexp.MustCompile(`^\.(.+)\.scaffold-[a-z2-7]{8}\.(new|old)$`)

// reportStale lets plans report temporary files beside recorded files that have no journal: those of
// killed runs of older scaffolds. The workspace must be locked, since those of a run in progress look
// the same.
func (w *Workspace) reportStale() {
	dirs := map[string]bool{}
	for _, e := range w.old.Files {
		dirs[path.Dir(e.Path)] = true
	}
	for dir := range dirs {
		entries, err := fs.ReadDir(w.root.FS(), dir)
		if err != nil {
			continue // it does not exist, or a later step reports it
		}
		for _, file := range entries {
			m := stalePattern.FindStringSubmatch(file.Name())
			if m == nil || !file.Type().IsRegular() {
				continue
			}
			if e, known := w.old.find(path.Join(dir, m[1])); known {
				note := "temporary file of " + e.Path + " that a killed run left; copy what you need and delete it"
				w.leftovers = append(w.leftovers, Change{Path: path.Join(dir, file.Name()), Owner: e.Owner, Action: Orphaned, Note: note})
			}
		}
	}
}
