package workspace

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/merge"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/templates"
)

// An open file is one that the user and its template changed in the same part. The manifest says so. Below .scaffold/open is
// the version of the template, which becomes the base when the user has resolved the conflict. Other files there are of
// conflicts that the user took back with git, or not scaffold's.

// openPath returns the path of the template's version of an open file.
func (o Options) openPath(name string) string { return o.state() + "/open/" + name }

// Unresolved is an open file.
type Unresolved struct {
	Path string `json:"path"`
	// Line is that of the first conflict marker; 0 if the file has none: the user removed them, or its format has none.
	Line int `json:"line,omitempty"`
	// Template is the path of the template's version, if the format has no markers.
	Template string `json:"template,omitempty"`
}

// loadOpen reads the template's versions of open files.
func (w *Workspace) loadOpen() error {
	w.open, w.stale = map[string][]byte{}, nil
	top := w.opts.state() + "/open"
	err := fs.WalkDir(w.root.FS(), top, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		original := strings.TrimPrefix(name, top+"/")
		known, found := w.old.find(original)
		switch {
		case !found:
			return nil
		case !e.Type().IsRegular():
			return fmt.Errorf("%s: not a regular file; remove it", name)
		case !known.Open:
			w.stale = append(w.stale, name)
			return nil
		}
		data, err := userfile.ReadFS(w.root.FS(), name, userfile.LargeLimit)
		w.open[original] = data
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Unresolved returns the open files, sorted by path.
func (w *Workspace) Unresolved() ([]Unresolved, error) {
	var out []Unresolved
	for _, name := range slices.Sorted(maps.Keys(w.open)) {
		d, err := w.read(name)
		if err != nil {
			return nil, err
		}
		out = append(out, w.opts.unresolved(name, d.data, w.open[name]))
	}
	return out, nil
}

func (o Options) unresolved(name string, data, template []byte) Unresolved {
	if !merge.Marks(name, data) || !merge.Marks(name, template) {
		return Unresolved{Path: name, Template: o.openPath(name)}
	}
	return Unresolved{Path: name, Line: merge.Marked(data)}
}

// unmerged plans a file with conflicts, and records it as open. Its base stays.
func (p *planner) unmerged(c candidate, data []byte, note string) error {
	copied, err := p.w.read(p.w.opts.openPath(c.Path))
	if err != nil {
		return err
	}
	if copied.obstacle != "" {
		return fmt.Errorf("%s: %s; move it away", p.w.opts.openPath(c.Path), copied.obstacle)
	}
	if note != "" {
		note = "; " + note
	}
	p.change(c, Unmerged, "you and the template changed the same part"+note)
	if !bytes.Equal(data, c.disk.data) {
		p.writes = append(p.writes, write{path: c.Path, data: data, mode: c.mergedMode(), was: c.disk})
	}
	p.writes = append(p.writes, write{path: p.w.opts.openPath(c.Path), data: c.Data, mode: 0o644, was: copied})
	if bytes.Equal(data, c.disk.data) { // the format has no markers
		p.offers = append(p.offers, Diff{p.Changes[len(p.Changes)-1], p.last[c.Path], c.Data})
	}
	c.last.Open = true
	p.files = append(p.files, c.last)
	p.opens = append(p.opens, p.w.opts.unresolved(c.Path, data, c.Data))
	return nil
}

// resolvedNote is the note of a file whose conflict is resolved.
const resolvedNote = "resolved"

// removeStale removes the template's versions of conflicts that were taken back.
func (p *planner) removeStale() error {
	for _, name := range p.w.stale {
		if slices.ContainsFunc(p.writes, func(f write) bool { return f.path == name }) {
			continue
		}
		was, err := p.w.read(name)
		if err != nil {
			return err
		}
		p.removes = append(p.removes, write{path: name, was: was})
	}
	return nil
}

// stillOpen is the note of a file that is open since an earlier run.
const stillOpen = "not resolved yet"

// keepOpen plans no change of a file that is open since an earlier run.
func (p *planner) keepOpen(c candidate) {
	p.change(c, Unmerged, stillOpen)
	p.files = append(p.files, c.last)
}

// PlanResolve plans to close open files: the template's versions become their bases. A name may also be that of a
// user-owned file with the action [Edited], whose offer is then declined. Without names, all open files that had markers
// are closed. The error is an [UnresolvedError] if one has markers still, or is not named and never had any.
func (w *Workspace) PlanResolve(next templates.Tree, names []string) (Plan, error) {
	closed, err := w.closed(next, names)
	if err != nil {
		return Plan{}, err
	}
	archive, err := w.read(w.opts.basePath())
	if err != nil {
		return Plan{}, err
	}
	p := planner{w: w, archive: archive, last: w.old.decodeBases(archive.data, w.opts), files: slices.Clone(w.old.Files)}
	for i, e := range p.files {
		f, found := closed.Find(e.Path)
		if !found {
			continue
		}
		p.files[i].Digest, p.files[i].Open = digest(f.Data), false
		p.change(candidate{File: f}, Keep, resolvedNote)
		at := w.opts.openPath(e.Path)
		copied, err := w.read(at)
		if err != nil {
			return Plan{}, err
		}
		if copied.exists {
			p.removes = append(p.removes, write{path: at, was: copied})
		}
	}
	return p.finish(closed)
}

// closed returns the template's versions of the files to close.
func (w *Workspace) closed(next templates.Tree, names []string) (templates.Tree, error) {
	open, err := w.Unresolved()
	if err != nil {
		return nil, err
	}
	var left []Unresolved
	var files []templates.File
	for _, u := range open {
		switch named := slices.Contains(names, u.Path); {
		case u.Line > 0 && (named || len(names) == 0), u.Template != "" && len(names) == 0:
			left = append(left, u)
		case named, len(names) == 0:
			e, _ := w.old.find(u.Path)
			files = append(files, templates.File{Path: u.Path, Mode: 0o644, Owner: e.Owner, Data: w.open[u.Path]})
		}
	}
	if len(left) > 0 {
		return nil, &UnresolvedError{Files: left}
	}
	declined, err := w.declined(next, names)
	if err != nil {
		return nil, err
	}
	return templates.NewTree(append(files, declined...)...)
}

// declined returns the templates of named user-owned files with edits.
func (w *Workspace) declined(next templates.Tree, names []string) ([]templates.File, error) {
	p, err := w.Plan(next)
	if err != nil {
		return nil, err
	}
	var out []templates.File
	for _, name := range names {
		if _, open := w.open[name]; open {
			continue
		}
		if !slices.ContainsFunc(p.With(Edited), func(c Change) bool { return c.Path == name }) {
			return nil, fmt.Errorf("%s: no conflict to resolve; pass the path of a file that scaffold diff lists as unmerged or edited, relative to the service", name)
		}
		f, _ := next.Find(name)
		out = append(out, f)
	}
	return out, nil
}

// UnresolvedError reports conflicts of an earlier run.
type UnresolvedError struct {
	Files []Unresolved
	// Earlier means that the command did nothing, since the conflicts are of an earlier one.
	Earlier bool
}

func (e *UnresolvedError) Error() string {
	var lines []string
	for _, u := range e.Files {
		place := u.Path
		if u.Line > 0 {
			place += fmt.Sprintf(":%d", u.Line)
		}
		lines = append(lines, place+": "+u.Advice())
	}
	if e.Earlier {
		lines = append(lines, "nothing was done; these conflicts of an earlier command come first")
	}
	return strings.Join(lines, "\n")
}

// Advice returns what to do about the conflict.
func (u Unresolved) Advice() string {
	switch {
	case u.Template != "":
		return fmt.Sprintf("conflict: compare it with %s and edit it, then run scaffold resolve %s", u.Template, u.Path)
	case u.Line > 0:
		return "conflict: edit the part between the markers, remove the markers, then run scaffold resolve"
	}
	return "its conflict has no markers any more; run scaffold resolve"
}
