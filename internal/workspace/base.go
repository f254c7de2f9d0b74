package workspace

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"

	"github.com/observability-first/scaffold/templates"
)

// baseComment is the first line of the archive of bases.
const baseComment = "Files that you may edit, as scaffold wrote them last: the common ancestors of your edits and later templates. Do not edit.\n"

// basePath returns the path of the archive of bases.
func (o Options) basePath() string { return o.state() + "/base.txtar" }

// hasBase reports whether the archive has the file: one that the user may edit, except go.sum, which is merged without,
// and the spec, which has no template. Manifests of schema 1 come with the bases of merged texts only.
func (m manifest) hasBase(e entry, o Options) bool {
	if m.Schema == firstSchema && (e.Owner == templates.UserOwned || path.Ext(e.Path) == ".json") {
		return false
	}
	return (e.Owner == templates.Merged || e.Owner == templates.UserOwned) && path.Ext(e.Path) != ".sum" && e.Path != o.Spec
}

// decodeBases returns the bases of the manifest's files. A text with another digest than in the
// manifest is not a base, whether it was edited, cut or merged by git, and is left out.
func (m manifest) decodeBases(archive []byte, o Options) map[string][]byte {
	bases := map[string][]byte{}
	for _, f := range txtar.Parse(unitedArchive(archive)).Files {
		e, _ := m.find(f.Name)
		// The archive ends each file with a line end, also if the file has none at its end.
		for _, data := range [][]byte{f.Data, bytes.TrimSuffix(f.Data, []byte("\n"))} {
			if m.hasBase(e, o) && digest(data) == e.Digest {
				bases[f.Name] = data
				break
			}
		}
	}
	return bases
}

// encodeBases returns the archive. The error names a line that it cannot hold.
func encodeBases(bases map[string][]byte) ([]byte, error) {
	archive := txtar.Archive{Comment: []byte(baseComment)}
	for _, name := range slices.Sorted(maps.Keys(bases)) {
		// The line end counts: it makes a header of a last line "-- name --\r".
		if inner := txtar.Parse(slices.Concat(bases[name], []byte("\n"))); len(inner.Files) > 0 {
			return nil, fmt.Errorf("%s:%d: a line of the form %q is reserved for scaffold's state; change it",
				name, 1+bytes.Count(inner.Comment, []byte("\n")), "-- "+inner.Files[0].Name+" --")
		}
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: bases[name]})
	}
	return txtar.Format(&archive), nil
}

// bases plans the archive: the text of each merged file in the new manifest.
func (p *planner) bases(next templates.Tree) error {
	c := candidate{File: templates.File{Path: p.w.opts.basePath(), Mode: 0o644, Owner: templates.Generated}, disk: p.archive}
	if c.disk.obstacle != "" {
		p.change(c, Conflict, c.disk.obstacle+"; move it away")
		return nil
	}
	bases, lost, gap := p.nextBases(next, p.last)
	if len(bases)+len(lost) == 0 {
		if c.disk.exists {
			p.removes = append(p.removes, write{path: c.Path, was: c.disk})
		}
		return nil
	}
	data, err := encodeBases(bases)
	if err != nil || digest(data) == digest(c.disk.data) {
		return err
	}
	written, _ := encodeBases(p.w.old.decodeBases(c.disk.data, p.w.opts)) // what was decoded has no headers
	note := ""
	if len(lost) > 0 {
		note = "; the base of " + strings.Join(lost, ", ") + " is lost unless you restore this file from version control"
	}
	switch {
	case !slices.ContainsFunc(p.w.old.Files, p.hadBase): // the first run
	case p.w.old.united != nil && len(lost) == 0: // git merged it
	case !c.disk.exists:
		p.change(c, Create, "deleted"+note)
	case gap || digest(withoutComment(written)) != digest(withoutComment(c.disk.data)):
		p.change(c, Rewrite, "edited by hand"+note)
	}
	p.writes = append(p.writes, write{path: c.Path, data: data, mode: 0o644, was: c.disk})
	return nil
}

// withoutComment returns the archive without its first line, which other versions of scaffold word differently.
func withoutComment(archive []byte) []byte {
	_, files, _ := bytes.Cut(archive, []byte("\n"))
	return files
}

// nextBases returns the texts with the digests of the new manifest, from the tree or else from the
// last archive, and the files without one. It reports whether the last archive has a gap.
func (p *planner) nextBases(next templates.Tree, last map[string][]byte) (bases map[string][]byte, lost []string, gap bool) {
	bases = map[string][]byte{}
	for _, e := range p.files {
		if !(manifest{Schema: schemaVersion}).hasBase(e, p.w.opts) {
			continue
		}
		f, _ := next.Find(e.Path)
		was, found := last[e.Path]
		switch {
		case digest(f.Data) == e.Digest:
			bases[e.Path] = f.Data
			before, _ := p.w.old.find(e.Path)
			gap = gap || p.hadBase(before) && !found
		case found:
			bases[e.Path] = was
		case p.hadBase(e):
			lost = append(lost, e.Path)
		}
	}
	return bases, lost, gap
}

// hadBase reports whether the last archive has the file, unless it was edited.
func (p *planner) hadBase(e entry) bool { return p.w.old.hasBase(e, p.w.opts) }

// Bases returns the files that users may edit as scaffold wrote them last, without those whose base is lost.
func (w *Workspace) Bases() map[string][]byte {
	archive, err := w.read(w.opts.basePath())
	if err != nil {
		return nil // the plan reports it
	}
	return w.old.decodeBases(archive.data, w.opts)
}
