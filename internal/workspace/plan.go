package workspace

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/merge"
	"github.com/observability-first/scaffold/templates"
)

// Action is the change of a file. The values are public.
type Action string

// The actions. Only the first seven change files.
const (
	Create   Action = "create"   // the file does not exist
	Update   Action = "update"   // the file is unedited, and the template or spec changed
	Move     Action = "move"     // the file has a new path
	Merge    Action = "merge"    // the user edited the file and the template changed, in different parts
	Unmerged Action = "unmerged" // the user edited the file and the template changed, in the same part: see [Workspace.Open]
	Rewrite  Action = "rewrite"  // the file is generated and was edited by hand
	Remove   Action = "remove"   // the file is no longer generated and unedited
	Keep     Action = "keep"     // nothing to do
	Edited   Action = "edited"   // the user edited a user-owned file and the template changed: not updated
	Deleted  Action = "deleted"  // the user deleted the file: not created again
	Orphaned Action = "orphaned" // the file is no longer generated, or a backup, and has text of the user: not removed
	Conflict Action = "conflict" // the user has to act; nothing is written
)

// writes reports whether the action changes the file.
func (a Action) writes() bool {
	return slices.Contains([]Action{Create, Update, Move, Merge, Unmerged, Rewrite, Remove}, a)
}

// Change is the change of a file. The JSON keys are public.
type Change struct {
	Path   string          `json:"path"`
	Owner  templates.Owner `json:"owner"`
	Action Action          `json:"action"`
	Note   string          `json:"note,omitempty"` // the reason, if the action does not imply it
}

// Plan is the changes that write a tree to disk.
type Plan struct {
	Changes []Change // for all files, sorted by path

	writes  []write
	removes []write // data is unused
	offers  []Diff  // changes of templates that user-owned files with edits do not get
	opens   []Unresolved
	next    manifest
}

// write is a file to write, and the file on disk at the time of the plan.
type write struct {
	path string
	data []byte
	mode fs.FileMode
	was  disk
}

// Diff is the change of a file's content.
type Diff struct {
	Change

	Before, After []byte // nil if the file does not exist
}

// Diffs returns the changes of content, sorted by path and without those of the state. The diff of a file with the
// action [Edited] is what its template changed since the user got the file.
func (p Plan) Diffs() []Diff {
	out := slices.Clone(p.offers)
	for _, c := range p.Changes {
		if isState(c.Path) {
			continue
		}
		for _, f := range p.writes {
			if f.path == c.Path {
				out = append(out, Diff{c, f.was.data, f.data})
			}
		}
		for _, f := range p.removes {
			if f.path == c.Path {
				out = append(out, Diff{Change: c, Before: f.was.data})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Diff) int { return cmp.Compare(a.Path, b.Path) })
	return out
}

// With returns the changes with one of the actions.
func (p Plan) With(actions ...Action) []Change {
	return slices.DeleteFunc(slices.Clone(p.Changes), func(c Change) bool { return !slices.Contains(actions, c.Action) })
}

// Overwrites returns the changes that overwrite an edit of the user.
func (p Plan) Overwrites() []Change {
	return slices.DeleteFunc(p.With(Rewrite), func(c Change) bool { return isState(c.Path) })
}

func isState(name string) bool { return strings.Contains("/"+name, "/"+DefaultState+"/") }

// Resolved returns the files whose conflicts the plan closes.
func (p Plan) Resolved() []Change {
	return slices.DeleteFunc(p.With(Keep), func(c Change) bool { return c.Note != resolvedNote })
}

// Unresolved returns the conflicts that the plan leaves in files.
func (p Plan) Unresolved() []Unresolved { return p.opens }

// Conflicts returns the changes that prevent the plan.
func (p Plan) Conflicts() []Change {
	return p.With(Conflict)
}

// Empty reports whether the plan changes no file of the tree. Changes of the manifest do not count.
func (p Plan) Empty() bool {
	return !slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Action.writes() })
}

// Count returns the number of files with the action.
func (p Plan) Count(a Action) int {
	n := 0
	for _, c := range p.Changes {
		if c.Action == a {
			n++
		}
	}
	return n
}

// Then returns the changes of this plan and a second one that was applied after it. It is for reports
// only.
func (p Plan) Then(second Plan) Plan {
	changes := slices.Clone(p.Changes)
	for _, c := range second.Changes {
		i := slices.IndexFunc(changes, func(was Change) bool { return was.Path == c.Path })
		switch {
		case i < 0:
			changes = append(changes, c)
		case changes[i].Action == Create && c.Action == Remove:
			changes = slices.Delete(changes, i, i+1)
		case c.Action == Remove || c.Action.writes() && !changes[i].Action.writes():
			changes[i] = c
		}
	}
	return Plan{Changes: changes}
}

// Request is what a command asks of a plan, besides the tree.
type Request struct {
	// Overwrite keeps a copy of each generated file that was edited by hand below .scaffold/rejected.
	Overwrite bool
	// Edits are files of the user with new content, such as the spec. Of their paths, only the spec is in the tree.
	Edits []templates.File
	// Moves maps previous paths of files to those in the tree. Edits move along.
	Moves map[string]string
	// Rewrite, if set, changes the user's version of a file and its base before they are merged. User-owned files with
	// edits are then merged, too, instead of left.
	Rewrite func(path string, data []byte) []byte
}

// Plan compares the tree with the directory and the manifest. It changes nothing.
func (w *Workspace) Plan(next templates.Tree) (Plan, error) { return w.PlanFor(next, Request{}) }

// PlanFor is [Workspace.Plan] for a request.
func (w *Workspace) PlanFor(next templates.Tree, r Request) (Plan, error) {
	archive, err := w.read(w.opts.basePath())
	if err != nil {
		return Plan{}, err
	}
	p := planner{w: w, request: r, archive: archive, last: w.old.decodeBases(archive.data, w.opts), moved: map[string]string{}}
	for _, f := range r.Edits {
		if err := p.edit(f); err != nil {
			return Plan{}, err
		}
	}
	for _, f := range next {
		if f.Path == w.opts.manifestPath() || f.Path == w.opts.basePath() {
			return Plan{}, fmt.Errorf("%s: the path is reserved for scaffold's state", f.Path)
		}
		if err := p.file(f); err != nil {
			return Plan{}, err
		}
	}
	for _, e := range w.old.Files {
		if _, stays := next.Find(e.Path); stays || p.moved[e.Path] != "" {
			continue
		}
		if err := p.noLongerGenerated(e); err != nil {
			return Plan{}, err
		}
	}
	return p.finish(next)
}

// finish plans the state.
func (p *planner) finish(next templates.Tree) (Plan, error) {
	slices.SortFunc(p.files, func(a, b entry) int { return cmp.Compare(a.Path, b.Path) })
	if err := p.bases(next); err != nil {
		return Plan{}, err
	}
	if err := p.removeStale(); err != nil {
		return Plan{}, err
	}
	if err := p.manifest(); err != nil {
		return Plan{}, err
	}
	p.Changes = append(p.Changes, p.w.leftovers...)
	slices.SortStableFunc(p.Changes, func(a, b Change) int { return cmp.Compare(a.Path, b.Path) })
	return p.Plan, nil
}

// PlanEdits plans new content for files of the user, and nothing else.
func (w *Workspace) PlanEdits(files []templates.File) (Plan, error) {
	p := planner{w: w}
	for _, f := range files {
		if err := p.edit(f); err != nil {
			return Plan{}, err
		}
	}
	p.next = w.old
	return p.Plan, nil
}

type planner struct {
	Plan
	w       *Workspace
	request Request
	files   []entry
	archive disk              // of bases
	last    map[string][]byte // bases by path
	moved   map[string]string // new paths by previous path
}

// manifest plans the manifest, which is placed last.
func (p *planner) manifest() error {
	p.next = manifest{Schema: schemaVersion, Generator: p.w.opts.Generator, Layers: p.w.opts.Layers, Files: p.files}
	data, err := p.next.encode()
	if err != nil {
		return err
	}
	d, err := p.w.read(p.w.opts.manifestPath())
	if err != nil || bytes.Equal(d.data, data) {
		return err
	}
	if d.obstacle != "" {
		return fmt.Errorf("%s: %s; move it away", p.w.opts.manifestPath(), d.obstacle)
	}
	// It is staged first: after a kill it records which temporary files are scaffold's.
	p.writes = slices.Insert(p.writes, 0, write{path: p.w.opts.manifestPath(), data: data, mode: 0o644, was: d})
	return nil
}

func (p *planner) change(c candidate, a Action, note string) {
	p.Changes = append(p.Changes, Change{Path: c.Path, Owner: c.Owner, Action: a, Note: note})
}

func (p *planner) put(c candidate, a Action, note string) {
	p.change(c, a, note)
	p.writes = append(p.writes, write{path: c.Path, data: merge.WithEnds(c.Data, c.disk.data), mode: c.Mode, was: c.disk})
}

func (p *planner) record(c candidate, sum string) {
	p.files = append(p.files, entry{Path: c.Path, Digest: sum, Owner: c.Owner, Mode: mode(c.Mode)})
}

func (p *planner) recordBlock(c candidate, block []byte) {
	p.record(c, digest(block))
	p.files[len(p.files)-1].Rest = c.last.Rest
}
