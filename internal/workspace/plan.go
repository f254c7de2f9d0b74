package workspace

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"slices"

	"github.com/observability-first/scaffold/internal/merge"
	"github.com/observability-first/scaffold/templates"
)

// Action is the change of a file. The values are public.
type Action string

// The actions. Only the first five change files.
const (
	Create   Action = "create"   // the file does not exist
	Update   Action = "update"   // the file is unedited, and the template or spec changed
	Merge    Action = "merge"    // the user edited the file and the template changed, in different parts
	Rewrite  Action = "rewrite"  // the file is generated and was edited by hand
	Remove   Action = "remove"   // the file is no longer generated and unedited
	Keep     Action = "keep"     // nothing to do
	Edited   Action = "edited"   // the user edited the file and the template changed the same part: not updated
	Deleted  Action = "deleted"  // the user deleted the file: not created again
	Orphaned Action = "orphaned" // the file is no longer generated, or a backup, and has text of the user: not removed
	Conflict Action = "conflict" // the user has to act; nothing is written
)

// writes reports whether the action changes the file.
func (a Action) writes() bool {
	return a == Create || a == Update || a == Merge || a == Rewrite || a == Remove
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
	next    manifest
}

// write is a file to write, and the file on disk at the time of the plan.
type write struct {
	path string
	data []byte
	mode fs.FileMode
	was  disk
}

// Conflicts returns the changes that prevent the plan.
func (p Plan) Conflicts() []Change {
	return slices.DeleteFunc(slices.Clone(p.Changes), func(c Change) bool { return c.Action != Conflict })
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

// Plan compares the tree with the directory and the manifest. It changes nothing.
func (w *Workspace) Plan(next templates.Tree) (Plan, error) {
	archive, err := w.read(w.opts.basePath())
	if err != nil {
		return Plan{}, err
	}
	p := planner{w: w, archive: archive, last: w.old.decodeBases(archive.data)}
	for _, f := range next {
		if f.Path == w.opts.manifestPath() || f.Path == w.opts.basePath() {
			return Plan{}, fmt.Errorf("%s: the path is reserved for scaffold's state", f.Path)
		}
		if err := p.file(f); err != nil {
			return Plan{}, err
		}
	}
	for _, e := range w.old.Files {
		if _, stays := next.Find(e.Path); stays {
			continue
		}
		if err := p.noLongerGenerated(e); err != nil {
			return Plan{}, err
		}
	}
	slices.SortFunc(p.files, func(a, b entry) int { return cmp.Compare(a.Path, b.Path) })
	if err := p.bases(next); err != nil {
		return Plan{}, err
	}
	if err := p.manifest(); err != nil {
		return Plan{}, err
	}
	p.Changes = append(p.Changes, w.leftovers...)
	slices.SortStableFunc(p.Changes, func(a, b Change) int { return cmp.Compare(a.Path, b.Path) })
	return p.Plan, nil
}

type planner struct {
	Plan
	w       *Workspace
	files   []entry
	archive disk              // of bases
	last    map[string][]byte // bases of merged files
}

// candidate is a file of the tree with its state.
type candidate struct {
	templates.File
	disk  disk
	last  entry
	known bool // last is recorded
}

// pristine reports whether the file is as scaffold wrote it.
func (c candidate) pristine() bool {
	return c.known && c.last.Owner != templates.Block &&
		digest(c.disk.data) == c.last.Digest && sameMode(c.disk.mode, fs.FileMode(c.last.Mode))
}

// current reports whether the file is as in the tree.
func (c candidate) current() bool {
	return digest(c.disk.data) == digest(c.Data) && sameMode(c.disk.mode, c.Mode)
}

func (p *planner) file(f templates.File) error {
	d, err := p.w.read(f.Path)
	if err != nil {
		return err
	}
	c := candidate{File: f, disk: d}
	c.last, c.known = p.w.old.find(f.Path)
	if d.obstacle != "" {
		p.change(c, Conflict, d.obstacle+"; move it away")
		return nil
	}
	switch f.Owner {
	case templates.Generated:
		p.generated(c)
	case templates.Merged:
		return p.merged(c)
	case templates.Block:
		p.block(c)
	default:
		p.userOwned(c)
	}
	return nil
}

func (p *planner) generated(c candidate) {
	switch {
	case !c.disk.exists:
		p.put(c, Create, "")
	case c.current():
		p.change(c, Keep, "")
	case c.pristine():
		p.put(c, Update, "")
	case c.known && c.last.Owner == templates.Generated:
		p.put(c, Rewrite, "edited by hand")
	case c.known && c.last.Owner == templates.Block:
		p.change(c, Conflict, "scaffold generates the whole file now, but it may have your text; move your text away and delete the file")
		return
	case c.known:
		p.change(c, Conflict, "scaffold generates the whole file now, but you edited it; move your changes away and delete the file")
		return
	default:
		p.change(c, Conflict, "a file that scaffold did not write is in the way; move it away")
		return
	}
	p.record(c, digest(c.Data))
}

func (p *planner) merged(c candidate) error {
	switch {
	case !c.disk.exists && c.known:
		p.change(c, Deleted, "you deleted it")
		p.files = append(p.files, c.last)
		return nil
	case !c.disk.exists:
		p.put(c, Create, "")
	case c.current():
		p.change(c, Keep, "")
	case !c.known:
		p.change(c, Keep, "it existed before")
	case c.pristine():
		p.put(c, Update, "")
	case c.last.Digest == digest(c.Data):
		p.change(c, Keep, "")
	default:
		return p.edited(c)
	}
	p.record(c, digest(c.Data))
	return nil
}

// edited merges a file that the user edited with the new template, if both changed different parts of it.
func (p *planner) edited(c candidate) error {
	base, known := p.last[c.Path]
	if !known && c.last.hasBase() {
		p.change(c, Edited, "you edited it and the template changed; your version is kept, since .scaffold/base.txtar has no base to merge from")
		p.files = append(p.files, c.last)
		return nil
	}
	merged, err := merge.File(c.Path, merge.Sides{Base: base, Mine: c.disk.data, New: c.Data})
	if err != nil {
		return fmt.Errorf("merge %s: %w", c.Path, err)
	}
	if merged.Conflicts {
		p.change(c, Edited, "you and the template changed the same part; your version is kept")
		p.files = append(p.files, c.last)
		return nil
	}
	p.record(c, digest(c.Data))
	c.Data = merged.Data
	p.put(c, Merge, "")
	return nil
}

func (p *planner) userOwned(c candidate) {
	switch {
	case !c.disk.exists && c.known:
		p.change(c, Deleted, "you deleted it")
	case !c.disk.exists:
		p.put(c, Create, "")
	default:
		p.change(c, Keep, "")
	}
	if c.known && c.last.Owner != templates.Block {
		p.record(c, c.last.Digest)
		return
	}
	p.record(c, digest(c.Data))
}

func (p *planner) block(c candidate) {
	// The tree has valid markers.
	begin, end, _ := templates.FindBlock(c.Data)
	want := c.Data[begin:end]
	if !c.disk.exists {
		if c.known {
			p.change(c, Deleted, "you deleted it")
		} else {
			p.put(c, Create, "")
			c.last.Rest = digestAround(c.Data, begin, end)
		}
		p.recordBlock(c, want)
		return
	}
	from, to, err := templates.FindBlock(c.disk.data)
	if err != nil {
		p.change(c, Conflict, err.Error()+"; restore it, or move the file away to get a new one")
		return
	}
	have := c.disk.data[from:to]
	if around := digestAround(c.Data, begin, end); around == digestAround(c.disk.data, from, to) {
		c.last.Rest = around
	}
	switch {
	case digest(have) == digest(want):
		p.change(c, Keep, "")
	case c.known && c.last.Owner == templates.Block && digest(have) != c.last.Digest:
		p.replace(c, from, to, want, Rewrite, "its block was edited by hand")
	default:
		p.replace(c, from, to, want, Update, "")
	}
	p.recordBlock(c, want)
}

// replace replaces the block in the user's file and keeps its line endings.
func (p *planner) replace(c candidate, from, to int, block []byte, a Action, note string) {
	if bytes.Contains(c.disk.data[from:to], []byte("\r\n")) {
		block = bytes.ReplaceAll(block, []byte("\n"), []byte("\r\n"))
	}
	c.Data = slices.Concat(c.disk.data[:from], block, c.disk.data[to:])
	c.Mode = c.disk.mode
	p.put(c, a, note)
}

// asCreated reports whether a block file has only generated text.
func (c candidate) asCreated() bool {
	begin, end, err := templates.FindBlock(c.disk.data)
	return err == nil && digest(c.disk.data[begin:end]) == c.last.Digest && digestAround(c.disk.data, begin, end) == c.last.Rest
}

// digestAround returns the digest of a file without its block.
func digestAround(data []byte, begin, end int) string {
	return digest(slices.Concat(data[:begin], data[end:]))
}

// noLongerGenerated plans the removal of a file that is no longer generated.
func (p *planner) noLongerGenerated(e entry) error {
	d, err := p.w.read(e.Path)
	if err != nil {
		return err
	}
	c := candidate{File: templates.File{Path: e.Path, Owner: e.Owner}, disk: d, last: e, known: true}
	switch {
	case !d.exists: // also if a directory is in its place
	case (e.Owner == templates.Generated || e.Owner == templates.Merged) && c.pristine(), e.Owner == templates.Block && c.asCreated():
		p.change(c, Remove, "")
		p.removes = append(p.removes, write{path: e.Path, was: d})
	case e.Owner == templates.UserOwned:
		p.change(c, Orphaned, "no longer generated; kept, since it is user-owned")
	case e.Owner == templates.Block: // only its block is recorded
		p.change(c, Orphaned, "no longer generated; kept, since it may have your text; delete it if it has none")
	default:
		p.change(c, Orphaned, "no longer generated; kept, since you edited it")
	}
	return nil
}

// manifest plans the manifest, which is placed last.
func (p *planner) manifest() error {
	p.next = manifest{schemaVersion, p.w.opts.Generator, p.w.opts.Layers, p.files}
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
	p.writes = append(p.writes, write{path: c.Path, data: c.Data, mode: c.Mode, was: c.disk})
}

func (p *planner) record(c candidate, sum string) {
	p.files = append(p.files, entry{Path: c.Path, Digest: sum, Owner: c.Owner, Mode: mode(c.Mode)})
}

func (p *planner) recordBlock(c candidate, block []byte) {
	p.record(c, digest(block))
	p.files[len(p.files)-1].Rest = c.last.Rest
}
