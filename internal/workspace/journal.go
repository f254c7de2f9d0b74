package workspace

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
)

// journal records the changes of a run of Apply before the first one, so that a later command can undo
// them. Temporary names follow from it. Its format is that of this scaffold only.
type journal struct {
	Generator   string      `json:"generator"`
	Run         string      `json:"run"`         // part of the temporary names
	Directories []string    `json:"directories"` // those that did not exist, parents first
	Files       []journaled `json:"files"`
	Sum         string      `json:"sum"` // of the rest: an edited journal is not followed
}

// journaled is a file of a journal. Its digests are those of the exact bytes.
type journaled struct {
	Path string `json:"path"`
	Old  string `json:"old,omitempty"` // empty if the file did not exist
	New  string `json:"new,omitempty"` // empty if the file is removed
}

// Names of the journal in the state: while it is written, of a run in progress, and of one whose backups
// remain to be removed.
const (
	journalStaged    = "journal.json.new"
	journalName      = "journal.json"
	journalCommitted = "journal.committed.json"
)

func journalNames() []string { return []string{journalStaged, journalName, journalCommitted} }

// inState returns the path of a file of the state.
func (o Options) inState(name string) string { return path.Join(o.state(), name) }

func (j journal) staged(name string) string { return temporaryName(name, j.Run, "new") }
func (j journal) backup(name string) string { return temporaryName(name, j.Run, "old") }

func exactDigest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func (j journal) encode() ([]byte, error) {
	j.Sum = ""
	data, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	j.Sum = exactDigest(data)
	data, err = json.MarshalIndent(j, "", "  ")
	return append(data, '\n'), err
}

// readJournal reads a journal of the state. The error of one that cannot be followed says what to do.
func (w *Workspace) readJournal(name string) (j journal, found bool, err error) {
	name = w.opts.inState(name)
	d, err := w.read(name)
	switch {
	case err != nil:
		return journal{}, false, err
	case d.obstacle != "":
		return journal{}, false, fmt.Errorf("%s: %s; move it away", name, d.obstacle)
	case !d.exists:
		return journal{}, false, nil
	}
	err = json.Unmarshal(d.data, &j)
	if err == nil && newer(j.Generator, w.opts.Generator) {
		return journal{}, false, &NewerStateError{Manifest: name, State: j.Generator, Own: w.opts.Generator, Command: w.opts.Command}
	}
	if err == nil {
		err = j.check(d.data)
	}
	if err != nil {
		return journal{}, false, fmt.Errorf("%s: %w; a run was killed here: see git status, restore the files that it changed, "+
			"and delete this journal and the files .*.scaffold-*.new and .*.scaffold-*.old", name, err)
	}
	return j, true, nil
}

func (j journal) check(data []byte) error {
	if again, err := j.encode(); err != nil || !bytes.Equal(again, data) {
		return errors.Join(errors.New("it is not as scaffold wrote it"), err)
	}
	names := slices.Clone(j.Directories)
	for _, f := range j.Files {
		names = append(names, f.Path, j.staged(f.Path))
	}
	for _, name := range names {
		if name == "." || !fs.ValidPath(name) || inGit(name) {
			return fmt.Errorf("%q is not the path of a generated file", name)
		}
	}
	return nil
}

// newJournal returns the journal of the plan.
func (t *transaction) newJournal(p Plan) journal {
	j := journal{Generator: t.w.opts.Generator, Run: t.id}
	dirs := map[string]bool{}
	for _, f := range slices.Concat(p.writes, p.removes) {
		file := journaled{Path: f.path}
		if f.was.exists {
			file.Old = exactDigest(f.was.data)
		}
		j.Files = append(j.Files, file)
	}
	for i, f := range p.writes {
		j.Files[i].New = exactDigest(f.data)
		for dir := path.Dir(f.path); dir != "." && !dirs[dir]; dir = path.Dir(dir) {
			if _, err := t.w.root.Stat(filepath.FromSlash(dir)); err == nil {
				break
			}
			dirs[dir] = true
		}
	}
	j.Directories = slices.Sorted(maps.Keys(dirs))
	return j
}

// begin writes the journal, and locks the state until the run ends.
func (t *transaction) begin(p Plan) (err error) {
	j := t.newJournal(p)
	data, err := j.encode()
	if err != nil {
		return err
	}
	state, staged, name := t.w.opts.inState(""), t.w.opts.inState(journalStaged), t.w.opts.inState(journalName)
	if err := t.mkdirs(state); err != nil {
		return err
	}
	if t.lock, err = t.w.lockDir(state); err != nil {
		return err
	}
	if t.w.stateHas(journalName) || t.w.stateHas(journalCommitted) { // of a run without a lock, or whose rollback failed
		return fmt.Errorf("%s has the journal of another run; run scaffold again", state)
	}
	t.journal = j
	if err := t.step("journal", staged); err != nil {
		return err
	}
	if err := t.writeSynced(staged, data, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", name, cause(err))
	}
	return t.renameInState(journalStaged, journalName)
}

// commit makes the run final: a later command no longer undoes it, but removes its backups.
func (t *transaction) commit() error {
	return t.renameInState(journalName, journalCommitted)
}

// renameInState renames a journal and syncs its name, or changes nothing.
func (t *transaction) renameInState(from, to string) error {
	from, to = t.w.opts.inState(from), t.w.opts.inState(to)
	if err := t.rename("journal", from, to); err != nil {
		return err
	}
	if err := t.syncDirs(); err != nil {
		return errors.Join(err, t.w.root.Rename(filepath.FromSlash(to), filepath.FromSlash(from)))
	}
	return nil
}
