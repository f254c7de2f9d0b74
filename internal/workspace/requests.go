package workspace

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/observability-first/scaffold/templates"
)

// edit plans the new content of a file of the user.
func (p *planner) edit(f templates.File) error {
	if slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Path == f.Path }) {
		return nil // in the way of a file that moves here
	}
	c, err := p.candidate(f, f.Path)
	if err != nil || c.disk.obstacle != "" {
		return err
	}
	if c.known {
		c.Owner = c.last.Owner
	}
	for from, to := range p.request.Moves {
		if to == f.Path && !p.w.Recorded(from) {
			return p.moveEdit(c, from)
		}
	}
	if c.disk.exists {
		c.Mode = c.disk.mode
	}
	switch {
	case !c.disk.exists:
		p.put(c, Create, "")
	case c.current():
		p.change(c, Keep, "")
	default:
		p.put(c, Update, "")
	}
	return nil
}

// moveEdit plans the new content of a file that scaffold did not write, at a new path.
func (p *planner) moveEdit(c candidate, from string) error {
	was, err := p.w.read(from)
	if err != nil {
		return err
	}
	if c.disk.exists || was.obstacle != "" {
		p.change(c, Conflict, cmp.Or(was.obstacle, "in the way of "+from+", which moves here")+"; move it away")
		return nil
	}
	p.put(c, Move, "moved from "+from)
	p.removes = append(p.removes, write{path: from, was: was})
	return nil
}

func (p *planner) isEdit(name string) bool {
	return slices.ContainsFunc(p.request.Edits, func(f templates.File) bool { return f.Path == name })
}

// keepEdit records a file of the tree that edit has planned. It counts as edited later only if it did before.
func (p *planner) keepEdit(c candidate) {
	if c.known && !c.pristine() {
		p.record(c, c.last.Digest)
		return
	}
	p.record(c, digest(c.Data))
}

// previous returns the path that the file moves from, or "".
func (p *planner) previous(f templates.File) string {
	if p.w.Recorded(f.Path) {
		return ""
	}
	for from, to := range p.request.Moves {
		if to == f.Path && p.w.Recorded(from) {
			return from
		}
	}
	if p.w.Recorded(f.Was) {
		return f.Was
	}
	return ""
}

// move plans a file at its new path.
func (p *planner) move(f templates.File, from string) error {
	target, err := p.candidate(f, f.Path)
	if err != nil || target.disk.obstacle != "" {
		return err
	}
	c, err := p.candidate(f, from)
	if err != nil || c.disk.obstacle != "" {
		return err
	}
	if target.disk.exists {
		p.change(c, Conflict, "in the way of "+from+", which moves here; move it away")
		return nil
	}
	p.moved[from] = f.Path
	c.last.Path = f.Path
	if base, found := p.last[from]; found {
		p.last[f.Path] = base
		delete(p.last, from)
	}
	if err := p.decide(c); err != nil || !c.disk.exists {
		return err
	}
	p.asMove(c, from)
	return nil
}

// asMove changes the planned change of a file to one at another path than before.
func (p *planner) asMove(c candidate, from string) {
	change := &p.Changes[len(p.Changes)-1]
	if change.Action == Conflict {
		return
	}
	change.Note = "moved from " + from
	i := slices.IndexFunc(p.writes, func(f write) bool { return f.path == c.Path })
	if i < 0 {
		change.Action = Move
		p.writes = append(p.writes, write{path: c.Path, data: c.disk.data, mode: c.disk.mode})
	} else {
		p.writes[i].was = disk{}
	}
	p.removes = append(p.removes, write{path: from, was: c.disk})
}

// rewrite plans to overwrite edits of a generated file.
func (p *planner) rewrite(c candidate, note string) error {
	p.put(c, Rewrite, note)
	change := &p.Changes[len(p.Changes)-1]
	if !p.request.Overwrite {
		return nil
	}
	at := p.w.opts.state() + "/rejected/" + c.Path
	for n := 2; ; n++ {
		was, err := p.w.read(at)
		if err != nil {
			return err
		}
		if was.obstacle != "" {
			return fmt.Errorf("%s: %s; move it away", at, was.obstacle)
		}
		if !was.exists {
			p.writes = append(p.writes, write{path: at, data: c.disk.data, mode: c.disk.mode})
			change.Note += "; your version is in " + at
			return nil
		}
		at = fmt.Sprintf("%s/rejected/%s.%d", p.w.opts.state(), c.Path, n)
	}
}
