package workspace

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/templates"
)

const journalPath = DefaultState + "/" + journalName

// putJournal writes a journal as a killed run leaves it.
func putJournal(t *testing.T, dir string, j journal) {
	t.Helper()
	data, err := j.encode()
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, journalPath, string(data))
}

func killedJournal(files ...journaled) journal {
	return journal{Generator: "v0.1.0", Run: "abcdefgh", Files: files}
}

func changed(path, from, to string) journaled {
	j := journaled{Path: path}
	if from != "" {
		j.Old = exactDigest([]byte(from))
	}
	if to != "" {
		j.New = exactDigest([]byte(to))
	}
	return j
}

func TestRecoveryOfAFile(t *testing.T) {
	t.Parallel()
	const staged, backup = "x/.f.txt.scaffold-abcdefgh.new", "x/.f.txt.scaffold-abcdefgh.old"
	const rejected = DefaultState + "/rejected/x/f.txt"
	for _, tt := range []struct {
		name      string
		file      journaled
		was, want map[string]string
	}{
		{"placed", changed("x/f.txt", "old", "new"), map[string]string{"x/f.txt": "new", backup: "old"}, map[string]string{"x/f.txt": "old"}},
		{"not placed", changed("x/f.txt", "old", "new"), map[string]string{"x/f.txt": "old", backup: "old", staged: "new"}, map[string]string{"x/f.txt": "old"}},
		{"incomplete copy", changed("x/f.txt", "old", "new"), map[string]string{"x/f.txt": "old", backup: "ol", staged: "new"}, map[string]string{"x/f.txt": "old"}},
		{"incomplete staged file", changed("x/f.txt", "old", "new"), map[string]string{"x/f.txt": "old", staged: "n"}, map[string]string{"x/f.txt": "old"}},
		{"removed", changed("x/f.txt", "old", ""), map[string]string{backup: "old"}, map[string]string{"x/f.txt": "old"}},
		{"not removed", changed("x/f.txt", "old", ""), map[string]string{"x/f.txt": "old", backup: "old"}, map[string]string{"x/f.txt": "old"}},
		{"created", changed("x/f.txt", "", "new"), map[string]string{"x/f.txt": "new"}, map[string]string{}},
		{"created by a concurrent run", changed("x/f.txt", "", "new"), map[string]string{"x/f.txt": "new", staged: "new"}, map[string]string{"x/f.txt": "new"}},
		{"created, then edited", changed("x/f.txt", "", "new"), map[string]string{"x/f.txt": "mine"}, map[string]string{"x/f.txt": "mine"}},
		{"placed, then edited", changed("x/f.txt", "old", "new"), map[string]string{"x/f.txt": "mine", backup: "old"}, map[string]string{"x/f.txt": "mine", rejected: "old"}},
		{"placed, then line ends edited", changed("x/f.txt", "old\n", "new\n"), map[string]string{"x/f.txt": "new\r\n", backup: "old\n"}, map[string]string{"x/f.txt": "new\r\n", rejected: "old\n"}},
		{"placed, then deleted", changed("x/f.txt", "old", "new"), map[string]string{backup: "old"}, map[string]string{rejected: "old"}},
		{"removed, then written", changed("x/f.txt", "old", ""), map[string]string{"x/f.txt": "mine", backup: "old"}, map[string]string{"x/f.txt": "mine", rejected: "old"}},
		{"edited in both links", changed("x/f.txt", "old", "new"), map[string]string{"x/f.txt": "mine", backup: "mine", staged: "new"}, map[string]string{"x/f.txt": "mine"}},
		{"edited again", changed("x/f.txt", "old", "new"), map[string]string{"x/f.txt": "mine", backup: "old", rejected: "1", rejected + ".1": "2"},
			map[string]string{"x/f.txt": "mine", rejected: "1", rejected + ".1": "2", rejected + ".2": "old"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, data := range tt.was {
				put(t, dir, name, data)
			}
			putJournal(t, dir, killedJournal(tt.file))
			w := open(t, dir)
			got := map[string]string{}
			for name, entry := range snapshot(t, dir) {
				if _, data, isFile := strings.Cut(entry, " "); isFile {
					got[name] = data
				}
			}
			equal(t, tt.want, got)
			p, err := w.Plan(tree(t))
			if err != nil {
				t.Fatal(err)
			}
			var named, moved []string
			for _, c := range p.Changes {
				if c.Action == Orphaned && strings.HasPrefix(c.Note, "x/f.txt as it was before a run that was stopped; ") {
					named = append(named, c.Path)
				}
			}
			for name := range tt.want {
				if strings.HasPrefix(name, rejected) && tt.was[name] == "" {
					moved = append(moved, name)
				}
			}
			equal(t, moved, named)
		})
	}
}

func TestDamagedJournalIsNotFollowed(t *testing.T) {
	t.Parallel()
	valid := killedJournal(changed("f.txt", "old", "new"))
	with := func(change func(j *journal)) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			j := killedJournal(changed("f.txt", "old", "new"))
			change(&j)
			putJournal(t, dir, j)
		}
	}
	edit := func(change func(data string) string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			data, err := valid.encode()
			if err != nil {
				t.Fatal(err)
			}
			put(t, dir, journalPath, change(string(data)))
		}
	}
	link := func(to, name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			_ = os.Remove(filepath.Join(dir, name))
			if err := errors.Join(os.MkdirAll(filepath.Join(dir, DefaultState), 0o755), os.Symlink(to, filepath.Join(dir, name))); err != nil {
				t.Fatal(err)
			}
			if name != journalPath {
				putJournal(t, dir, valid)
			}
		}
	}
	const advice = "a run was killed here: see git status, restore the files that it changed, and delete this journal and the files .*.scaffold-*.new and .*.scaffold-*.old"
	const backup = ".f.txt.scaffold-abcdefgh.old"
	for _, tt := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   string
	}{
		{"empty", edit(func(string) string { return "" }), "unexpected end of JSON input; " + advice},
		{"truncated", edit(func(data string) string { return data[:len(data)/2] }), advice},
		{"edited", edit(func(data string) string { return strings.Replace(data, "f.txt", "g.txt", 1) }), "it is not as scaffold wrote it; " + advice},
		{"unknown key", edit(func(data string) string { return strings.Replace(data, "{", `{"x": 1,`, 1) }), "it is not as scaffold wrote it; " + advice},
		{"with a path as run", with(func(j *journal) { j.Run = "../../xx" }), `".f.txt.scaffold-../../xx.new" is not the path of a generated file; ` + advice},
		{"with a path outside", with(func(j *journal) { j.Files[0].Path = "../f.txt" }), `"../f.txt" is not the path of a generated file; ` + advice},
		{"with an absolute path", with(func(j *journal) { j.Files[0].Path = "/etc/passwd" }), `"/etc/passwd" is not the path of a generated file; ` + advice},
		{"with a path in .git", with(func(j *journal) { j.Files[0].Path = ".git/config" }), `".git/config" is not the path of a generated file; ` + advice},
		{"with a directory outside", with(func(j *journal) { j.Directories = []string{"../x"} }), `"../x" is not the path of a generated file; ` + advice},
		{"of a newer scaffold", with(func(j *journal) { j.Generator = "v0.2.0" }), "was written by scaffold v0.2.0, but this is v0.1.0; run `go install example.org/scaffold/cmd/scaffold@v0.2.0`"},
		{"that is a link", link("/etc/passwd", journalPath), "a symbolic link is in the way; move it away"},
		{"of a file that is a link", link("/etc/passwd", "f.txt"), "f.txt: a symbolic link is in the way; move it away and run scaffold again"},
		{"of a backup that is a link", link("f.txt", backup), backup + ": a symbolic link is in the way; move it away and run scaffold again"},
	} {
		for _, opts := range []Options{options("v0.1.0"), locked("v0.1.0")} {
			name := tt.name
			if opts.Lock {
				name += ", locked"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				put(t, dir, "f.txt", "new")
				put(t, dir, ".git/config", "new")
				put(t, dir, backup, "old")
				tt.damage(t, dir)
				was := snapshot(t, dir)
				w, err := Open(dir, opts)
				if err == nil {
					t.Fatal(errors.Join(errors.New("the journal was followed"), w.Close()))
				}
				if !strings.HasPrefix(err.Error(), journalPath) || !strings.HasSuffix(err.Error(), tt.want) {
					t.Errorf("got  %v\nwant %s … %s", err, journalPath, tt.want)
				}
				equal(t, was, snapshot(t, dir))
			})
		}
	}
}

// The journal is readable, since a user who restores files by hand needs it.
func TestJournalNamesTheFilesOfTheRun(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	w := open(t, dir)
	p, err := w.Plan(after(t))
	if err != nil {
		t.Fatal(err)
	}
	var j journal
	w.injectFault = func(step, _ string) error {
		if step != "place" || j.Run != "" {
			return nil
		}
		data, err := os.ReadFile(filepath.Join(dir, journalPath))
		if err != nil {
			return err
		}
		return json.Unmarshal(data, &j)
	}
	if err := w.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	equal(t, []string{"new", "new/deep"}, j.Directories)
	files := map[string]journaled{}
	for _, f := range j.Files {
		files[f.Path] = f
	}
	for _, want := range []journaled{changed("a/old.go", "1\n", "2\n"), changed("go.mod", "", "2\n"), changed("a/b/removed.go", "1\n", "")} {
		equal(t, want, files[want.Path])
	}
}

// A failed run rolls back, and the message names what it could not restore.
func TestRollbackKeepsAnEditThatIsMadeMeanwhile(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	w := open(t, dir)
	p, err := w.Plan(after(t))
	if err != nil {
		t.Fatal(err)
	}
	w.injectFault = func(step, name string) error {
		if step != "journal" || filepath.Base(name) != journalCommitted {
			return nil
		}
		put(t, dir, "a/old.go", "mine\n")
		return errors.New("stopped")
	}
	const want = "stopped\nroll back: " + DefaultState + "/rejected/a/old.go: a/old.go as it was before a run that was stopped; you changed it since, and your version is kept; copy what you need and delete this copy"
	if err := w.Apply(t.Context(), p); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	got := snapshot(t, dir)
	equal(t, "-rw-r--r-- mine\n", got["a/old.go"])
	equal(t, "-rw-r--r-- 1\n", got[DefaultState+"/rejected/a/old.go"])
	equal(t, "-rw-r--r-- "+facts("1"), got["r.md"])
	equal(t, []Change{{Path: "a/old.go", Owner: templates.Generated, Action: Rewrite, Note: "edited by hand"}}, notable(plan(t, dir, before(t))))
}

// A concurrent run for another service writes a file that this run is about to write, too.
func TestRollbackKeepsAFileOfAConcurrentRun(t *testing.T) {
	t.Parallel()
	for failAt := 0; ; failAt++ {
		dir := setUp(t)
		w := open(t, dir)
		p, err := w.Plan(after(t))
		if err != nil {
			t.Fatal(err)
		}
		steps := 0
		w.injectFault = func(step, _ string) error {
			if step == "roll back" || step == "clean up" {
				return nil
			}
			if steps == 0 {
				put(t, dir, "go.mod", "2\n")
			}
			if steps++; steps > failAt {
				return errors.New("stopped")
			}
			return nil
		}
		err = w.Apply(t.Context(), p)
		if got := snapshot(t, dir)["go.mod"]; got != "-rw-r--r-- 2\n" {
			t.Errorf("step %d: go.mod has %q", failAt, got)
		}
		if err == nil {
			return
		}
	}
}
