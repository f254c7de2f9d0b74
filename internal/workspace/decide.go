package workspace

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/observability-first/scaffold/internal/merge"
	"github.com/observability-first/scaffold/templates"
)

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

// mergedMode returns the mode of the template, or that of the user who changed it.
func (c candidate) mergedMode() fs.FileMode {
	if sameMode(c.disk.mode, fs.FileMode(c.last.Mode)) {
		return c.Mode
	}
	return c.disk.mode
}

// candidate returns the file with its state at the path.
func (p *planner) candidate(f templates.File, at string) (candidate, error) {
	d, err := p.w.read(at)
	c := candidate{File: f, disk: d}
	c.last, c.known = p.w.old.find(at)
	if err == nil && d.obstacle != "" {
		p.change(c, Conflict, d.obstacle+"; move it away")
	}
	return c, err
}

func (p *planner) file(f templates.File) error {
	if from := p.previous(f); from != "" {
		return p.move(f, from)
	}
	c, err := p.candidate(f, f.Path)
	if err != nil || c.disk.obstacle != "" {
		return err
	}
	if _, open := p.w.open[f.Path]; open {
		p.keepOpen(c)
		return nil
	}
	return p.decide(c)
}

// decide plans the change of a file by its owner.
func (p *planner) decide(c candidate) error {
	if p.isEdit(c.Path) {
		p.keepEdit(c)
		return nil
	}
	switch c.Owner {
	case templates.Generated:
		return p.generated(c)
	case templates.Merged:
		return p.merged(c)
	case templates.Block:
		return p.block(c)
	}
	return p.userOwned(c)
}

func (p *planner) generated(c candidate) error {
	switch {
	case !c.disk.exists:
		p.put(c, Create, "")
	case c.current():
		p.change(c, Keep, "")
	case c.pristine():
		p.put(c, Update, "")
	case c.known && c.last.Owner == templates.Generated:
		p.record(c, digest(c.Data))
		return p.rewrite(c, "edited by hand")
	case c.known && c.last.Owner == templates.Block:
		p.change(c, Conflict, "scaffold generates the whole file now, but it may have your text; move your text away and delete the file")
		return nil
	case c.known:
		p.change(c, Conflict, "scaffold generates the whole file now, but you edited it; move your changes away and delete the file")
		return nil
	default:
		p.change(c, Conflict, "a file that scaffold did not write is in the way; move it away")
		return nil
	}
	p.record(c, digest(c.Data))
	return nil
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
		c.Owner = templates.UserOwned // it has nothing of the template, so there is nothing to merge
		p.change(c, Keep, "it existed before")
	case c.pristine():
		p.put(c, Update, "")
	case c.last.Owner == templates.UserOwned:
		p.change(c, Keep, "")
		p.files = append(p.files, c.last)
		return nil
	case c.last.Digest == digest(c.Data) && sameMode(c.disk.mode, c.mergedMode()):
		p.change(c, Keep, "")
	default:
		return p.edited(c)
	}
	p.record(c, digest(c.Data))
	return nil
}

// edited merges a file that the user edited with the new template.
func (p *planner) edited(c candidate) error {
	sides, note := p.sides(c)
	if line := merge.Marked(sides.Mine); line > 0 && merge.Marks(c.Path, sides.Mine) {
		p.change(c, Conflict, fmt.Sprintf("has a conflict marker in line %d; resolve the conflict first, or indent the lines if they only show one", line))
		return nil
	}
	merged, err := merge.File(c.Path, sides)
	if err != nil {
		return fmt.Errorf("merge %s: %w", c.Path, err)
	}
	if merged.Conflicts {
		return p.unmerged(c, merged.Data, note)
	}
	p.record(c, digest(c.Data))
	if bytes.Equal(merged.Data, c.disk.data) && sameMode(c.disk.mode, c.mergedMode()) {
		p.change(c, Keep, note)
		return nil
	}
	c.Data, c.Mode = merged.Data, c.mergedMode()
	p.put(c, Merge, note)
	return nil
}

// sides returns what to merge, with a note if there is no base.
func (p *planner) sides(c candidate) (merge.Sides, string) {
	s := merge.Sides{Base: p.last[c.Path], Mine: c.disk.data, New: c.Data}
	if len(p.w.old.united[c.Path]) > 1 && merge.Marked(s.Mine) > 0 {
		s.Mine = unitedText(s.Mine, s.Base)
	}
	if p.request.Rewrite != nil {
		s.Base, s.Mine = p.request.Rewrite(c.Path, s.Base), p.request.Rewrite(c.Path, s.Mine)
	}
	if _, found := p.last[c.Path]; !found && path.Ext(c.Path) != ".sum" {
		return s, p.w.opts.basePath() + " has no base of it, so lines that you removed may be back"
	}
	return s, ""
}

func (p *planner) userOwned(c candidate) error {
	switch {
	case !c.disk.exists && c.known:
		p.change(c, Deleted, "you deleted it")
		p.files = append(p.files, c.last)
		return nil
	case !c.disk.exists:
		p.put(c, Create, "")
	case c.known && c.Path == p.w.opts.Spec:
		p.change(c, Keep, "")
		p.record(c, c.last.Digest)
		return nil
	case !c.known:
		note := "it existed before"
		if c.current() {
			note = ""
		}
		p.change(c, Keep, note)
	case c.current(), c.last.Owner == templates.Block, c.last.Digest == digest(c.Data):
		p.change(c, Keep, "")
	case c.pristine():
		p.put(c, Update, "")
	default:
		return p.offer(c)
	}
	p.record(c, digest(c.Data))
	return nil
}

// offer leaves a user-owned file with edits as it is, and offers the change of its template. If the file has the change
// already, the offer is taken.
func (p *planner) offer(c candidate) error {
	if p.request.Rewrite != nil {
		return p.edited(c)
	}
	sides, note := p.sides(c)
	merged, err := merge.File(c.Path, sides)
	if err != nil {
		return fmt.Errorf("merge %s: %w", c.Path, err)
	}
	if !merged.Conflicts && bytes.Equal(merged.Data, sides.Mine) {
		p.change(c, Keep, "")
		p.record(c, digest(c.Data))
		return nil
	}
	p.change(c, Edited, "you edited it and its template changed: see scaffold diff")
	before := sides.Base
	if note != "" {
		before = sides.Mine
	}
	p.offers = append(p.offers, Diff{p.Changes[len(p.Changes)-1], before, c.Data})
	p.files = append(p.files, c.last)
	return nil
}

func (p *planner) block(c candidate) error {
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
		return nil
	}
	from, to, err := templates.FindBlock(c.disk.data)
	if err != nil {
		p.change(c, Conflict, err.Error()+"; restore it, or move the file away to get a new one")
		return nil //nolint:nilerr // the conflict is the report
	}
	if c.known && c.last.Owner == templates.Block && c.asCreated() {
		return p.freshBlock(c, begin, end)
	}
	have := c.disk.data[from:to]
	if around := digestAround(c.Data, begin, end); around == digestAround(c.disk.data, from, to) {
		c.last.Rest = around
	}
	switch {
	case digest(have) == digest(want):
		p.change(c, Keep, "")
	case c.known && c.last.Owner == templates.Block && digest(have) != c.last.Digest:
		p.recordBlock(c, want)
		return p.rewrite(c.with(from, to, want), "its block was edited by hand")
	default:
		p.put(c.with(from, to, want), Update, "")
	}
	p.recordBlock(c, want)
	return nil
}

// freshBlock plans a block file in which the user changed nothing, also around the block.
func (p *planner) freshBlock(c candidate, begin, end int) error {
	if c.current() {
		p.change(c, Keep, "")
	} else {
		p.put(c, Update, "")
	}
	c.last.Rest = digestAround(c.Data, begin, end)
	p.recordBlock(c, c.Data[begin:end])
	return nil
}

// with returns the user's file with another block, and keeps its line endings.
func (c candidate) with(from, to int, block []byte) candidate {
	if bytes.Contains(c.disk.data[from:to], []byte("\r\n")) {
		block = bytes.ReplaceAll(block, []byte("\n"), []byte("\r\n"))
	}
	c.Data = slices.Concat(c.disk.data[:from], block, c.disk.data[to:])
	c.Mode = c.disk.mode
	return c
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
	case c.pristine(), e.Owner == templates.Block && c.asCreated():
		p.change(c, Remove, "")
		p.removes = append(p.removes, write{path: e.Path, was: d})
	case e.Owner == templates.Block: // only its block is recorded
		p.change(c, Orphaned, "no longer generated; kept, since it may have your text; delete it if it has none")
	default:
		p.change(c, Orphaned, "no longer generated; kept, since you edited it: delete it unless you need it")
	}
	return nil
}
