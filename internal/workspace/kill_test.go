//go:build linux || darwin

package workspace

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/templates"
)

// script returns a generated file with a mode.
func script(path, data string, mode uint32) templates.File {
	f := file(templates.Generated, path, data)
	f.Mode = os.FileMode(mode)
	return f
}

// oldTree and newTree differ in contents, modes, files and directories.
func oldTree(t *testing.T) templates.Tree {
	return tree(t,
		script("a/old.go", "1\n", 0o644), script("a/b/c/removed.go", "1\n", 0o644), file("merged", "Makefile", "1\n"),
		script("run.sh", "1\n", 0o755), script("tool.sh", "1\n", 0o644))
}

func newTree(t *testing.T) templates.Tree {
	return tree(t,
		script("a/old.go", "2\n", 0o644), script("new/deep/file.go", "2\n", 0o644), file("merged", "Makefile", "2\n"),
		script("run.sh", "2\n", 0o755), script("tool.sh", "1\n", 0o755), script("new/deep/run.sh", "2\n", 0o755))
}

// killStart is the state of a directory before the run that is killed.
type killStart struct {
	name string
	opts func() Options
	make func(t *testing.T) (dir string)
}

func killStarts() []killStart {
	atRoot := func() Options {
		opts := options("v0.1.0")
		opts.State = "services/a/.scaffold/repository"
		return opts
	}
	inService := func() Options { return locked("v0.1.0") }
	return []killStart{
		{"a service with edits", inService, func(t *testing.T) string {
			t.Helper()
			dir := t.TempDir()
			apply(t, dir, oldTree(t))
			put(t, dir, "a/old.go", "edited\n")
			put(t, dir, "a/own.go", "mine\n")
			if err := errors.Join(os.Chmod(filepath.Join(dir, "a/old.go"), 0o600), os.Chmod(filepath.Join(dir, "run.sh"), 0o750)); err != nil {
				t.Fatal(err)
			}
			return dir
		}},
		{"a directory without state", inService, func(t *testing.T) string {
			t.Helper()
			dir := t.TempDir()
			put(t, dir, "LICENSE", "mine\n")
			return dir
		}},
		{"the root of a repository", atRoot, func(t *testing.T) string {
			t.Helper()
			dir := t.TempDir()
			put(t, dir, "services/a/.scaffold/manifest.json", "{}\n")
			return dir
		}},
	}
}

const killVariable = "WORKSPACE_TEST_KILL"

// runKilled applies the new tree, or only opens the directory, in a child process that SIGKILL ends before
// a step. It returns false if the child has fewer steps.
func runKilled(t *testing.T, what, start, dir string, at int) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledChild$")
	cmd.Env = append(os.Environ(), killVariable+"="+strings.Join([]string{what, start, dir, strconv.Itoa(at)}, "|"))
	out, err := cmd.CombinedOutput()
	if err == nil {
		return false
	}
	if err.Error() != "signal: killed" {
		t.Fatalf("%s of %s, step %d: %v\n%s", what, start, at, err, out)
	}
	return true
}

// TestKilledChild is the child process of runKilled.
func TestKilledChild(t *testing.T) {
	t.Parallel()
	args := strings.Split(os.Getenv(killVariable), "|")
	if len(args) != 4 {
		return // runs with the other tests
	}
	at, err := strconv.Atoi(args[3])
	if err != nil {
		t.Fatal(err)
	}
	kill := func(string, string) error {
		if at--; at >= 0 {
			return nil
		}
		err := syscall.Kill(os.Getpid(), syscall.SIGKILL)
		<-context.Background().Done() // until the signal arrives
		return err
	}
	w := &Workspace{dir: args[2], opts: locked("v0.1.0")}
	for _, s := range killStarts() {
		if s.name == args[1] {
			w.opts = s.opts()
		}
	}
	if _, err := os.Stat(w.dir); err == nil {
		if w.root, err = os.OpenRoot(w.dir); err != nil {
			t.Fatal(err)
		}
		if args[0] == "open" {
			w.injectFault = kill
		}
		if err := w.load(); err != nil {
			t.Fatal(err)
		}
	}
	if args[0] == "open" {
		return
	}
	p, err := w.Plan(newTree(t))
	if err != nil {
		t.Fatal(err)
	}
	w.injectFault = kill
	if err := w.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// reopen opens and closes the directory as the next command.
func reopen(t *testing.T, dir string, opts Options) []Change {
	t.Helper()
	w, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.leftovers
}

// After SIGKILL before any step, the next command sees the old or the new tree, and nothing else.
func TestKilledRunIsUndoneOrComplete(t *testing.T) {
	t.Parallel()
	for _, start := range killStarts() {
		t.Run(start.name, func(t *testing.T) {
			t.Parallel()
			done := start.make(t)
			old := snapshot(t, done)
			if runKilled(t, "apply", start.name, done, 1000) {
				t.Fatal("there are more than 1000 steps")
			}
			fresh := snapshot(t, done)
			outcomes, steps := map[string]int{}, 0
			for more := true; more; steps++ {
				dir := start.make(t)
				more = runKilled(t, "apply", start.name, dir, steps)
				if err := Fresh(dir); start.name == "a directory without state" && err != nil && !cmp.Equal(snapshot(t, dir), fresh) {
					t.Errorf("step %d: scaffold new cannot be repeated: %v", steps, err)
				}
				opts := start.opts()
				if steps%2 == 0 && start.name != "a directory without state" { // commands that only read recover, too
					opts.Lock = false
				}
				if left := reopen(t, dir, opts); len(left) > 0 {
					t.Errorf("step %d: got leftovers %v", steps, left)
				}
				got := outcome(t, steps, dir, opts, old, fresh)
				outcomes[got]++
				if err := Fresh(dir); start.name == "a directory without state" && (err == nil) != (got == "old") {
					t.Errorf("step %d: the directory has the %s tree, but Fresh returns %v", steps, got, err)
				}
			}
			t.Logf("%d steps: %v", steps-1, outcomes)
			if outcomes["old"] < 20 || outcomes["new"] < 2 {
				t.Errorf("got %v; the steps do not lead to both trees", outcomes)
			}
		})
	}
}

// outcome compares the directory with both trees.
func outcome(t *testing.T, step int, dir string, opts Options, old, fresh map[string]string) string {
	t.Helper()
	got := snapshot(t, dir)
	if !opts.Lock && got[opts.inState("")] != "" && old[opts.inState("")] == "" && got[opts.manifestPath()] == "" {
		delete(got, opts.inState("")) // empty; only a run with the lock may remove it
	}
	if cmp.Equal(got, fresh) {
		return "new"
	}
	if diff := cmp.Diff(old, got); diff != "" {
		t.Errorf("step %d: neither the new tree nor the old one (-want +got):\n%s", step, diff)
	}
	return "old"
}

// Each recovery makes one change before it is killed, so that recoveries begin in every state that a killed
// one leaves.
func TestKilledRecoveryIsRecovered(t *testing.T) {
	t.Parallel()
	start := killStarts()[0]
	done := start.make(t)
	old := snapshot(t, done)
	steps := 0
	w, err := Open(done, start.opts())
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Plan(newTree(t))
	if err != nil {
		t.Fatal(err)
	}
	w.injectFault = func(string, string) error { steps++; return nil }
	if err := errors.Join(w.Apply(t.Context(), p), w.Close()); err != nil {
		t.Fatal(err)
	}
	fresh := snapshot(t, done)
	var killed atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d recoveries of %d killed runs were killed", killed.Load(), steps)
		if killed.Load() < 100 {
			t.Errorf("only %d recoveries were killed", killed.Load())
		}
	})
	for step := range steps {
		t.Run(strconv.Itoa(step), func(t *testing.T) {
			t.Parallel()
			dir := start.make(t)
			if !runKilled(t, "apply", start.name, dir, step) {
				t.Fatal("the run has fewer steps")
			}
			was, want := snapshot(t, dir), "old"
			if exists(dir, start.opts().inState(journalCommitted)) || cmp.Equal(was, fresh) {
				want = "new"
			}
			for at := 1; runKilled(t, "open", start.name, dir, at); at++ {
				killed.Add(1)
				if now := snapshot(t, dir); !cmp.Equal(was, now) {
					was, at = now, 0 // else the step found nothing to do
				}
			}
			equal(t, want, outcome(t, step, dir, start.opts(), old, fresh))
		})
	}
}

func exists(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name)))
	return err == nil
}

// A new service is complete or absent. Its temporary directory stays.
func TestKilledRunLeavesNoPartOfANewService(t *testing.T) {
	t.Parallel()
	done := filepath.Join(t.TempDir(), "orders")
	runKilled(t, "apply", "", done, 1000)
	fresh := snapshot(t, done)
	complete := 0
	for step, more := 0, true; more; step++ {
		dir := filepath.Join(t.TempDir(), "orders")
		more = runKilled(t, "apply", "", dir, step)
		if exists(dir, ".") {
			complete++
			equal(t, fresh, snapshot(t, dir))
		}
		equal(t, 0, len(reopen(t, dir, locked("v0.1.0"))))
	}
	if complete < 2 {
		t.Errorf("%d runs were complete", complete)
	}
}

// The user edits, deletes and adds files between the kill and the next command.
func TestEditsAfterAKillStay(t *testing.T) {
	t.Parallel()
	start := killStarts()[0]
	rejected := 0
	for step, more := 0, true; more; step++ {
		dir := start.make(t)
		more = runKilled(t, "apply", start.name, dir, step)
		edits := map[string]string{"a/old.go": "new edit\n", "Makefile": "new edit\n", "new/deep/file.go": "new edit\n", "new/own.go": "new edit\n"}
		want := map[string]string{}
		for name, entry := range snapshot(t, dir) {
			m := stalePattern.FindStringSubmatch(filepath.Base(name))
			if m == nil || m[2] != "old" || exists(dir, start.opts().inState(journalCommitted)) {
				continue
			}
			if name = filepath.ToSlash(filepath.Join(filepath.Dir(name), m[1])); edits[name] != "" {
				_, want[start.opts().inState("rejected/"+name)], _ = strings.Cut(entry, " ")
			}
		}
		for name, data := range edits {
			replaceFile(t, dir, name, data)
		}
		left := map[string]string{}
		for _, c := range reopen(t, dir, start.opts()) {
			left[c.Path] = ""
		}
		got := snapshot(t, dir)
		for name, data := range edits {
			equal(t, "-rw-r--r-- "+data, got[name])
		}
		for name := range left {
			_, left[name], _ = strings.Cut(got[name], " ")
		}
		if diff := cmp.Diff(want, left); diff != "" {
			t.Errorf("step %d: rejected (-want +got):\n%s", step, diff)
		}
		rejected += len(want)
	}
	if rejected < 20 {
		t.Errorf("only %d backups were rejected", rejected)
	}
}

// replaceFile writes a file as an editor does: a new file replaces the old one.
func replaceFile(t *testing.T, dir, name, data string) {
	t.Helper()
	_ = os.Remove(filepath.Join(dir, name))
	put(t, dir, name, data)
}

// A run in progress is not that of a killed one: commands that only read do not undo it.
func TestRunInProgressIsNotUndone(t *testing.T) {
	t.Parallel()
	for _, start := range killStarts() {
		t.Run(start.name, func(t *testing.T) {
			t.Parallel()
			dir := start.make(t)
			w, err := Open(dir, start.opts())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = w.Close() }()
			reading := start.opts()
			reading.Lock = false
			rejected := 0
			w.injectFault = func(step, name string) error {
				was := snapshot(t, dir)
				r, err := Open(dir, reading)
				if err == nil {
					err = r.Close()
					if exists(dir, start.opts().inState(journalName)) || exists(dir, start.opts().inState(journalCommitted)) {
						err = errors.Join(err, errors.New(step+" "+name+": a run in progress was read"))
					}
				} else if err.Error() == "another scaffold runs in "+dir+"; wait for it" {
					rejected++
					err = nil
				}
				equal(t, was, snapshot(t, dir))
				return err
			}
			p, err := w.Plan(newTree(t))
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Apply(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if rejected < 20 {
				t.Errorf("only %d commands were rejected", rejected)
			}
			equal(t, 0, len(reopen(t, dir, reading))) // the lock ends with the run
		})
	}
}
