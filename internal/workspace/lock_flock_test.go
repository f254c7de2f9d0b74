//go:build linux || darwin

package workspace

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The second run must not take the temporary files of the first for those of a killed run.
func TestSecondRunIsRejectedWhileTheFirstApplies(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	put(t, dir, "a/old.go", "edited\n")
	w, err := Open(dir, locked("v0.1.0"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	tried := 0
	w.injectFault = func(step, _ string) error {
		tried++
		second, err := Open(dir, locked("v0.1.0"))
		if err == nil {
			return errors.Join(errors.New(step+": got no error"), second.Close())
		}
		if want := "another scaffold runs in " + dir + "; wait for it"; err.Error() != want {
			t.Errorf("%s: got %v, want %s", step, err, want)
		}
		return nil
	}
	p, err := w.Plan(after(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Apply(t.Context(), p); err != nil || tried == 0 {
		t.Fatalf("%v after %d steps", err, tried)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, 0, len(apply(t, dir, after(t))))
}

func TestLockOfANewDirectory(t *testing.T) {
	t.Parallel()
	for _, start := range []string{"in an empty directory", "without a directory"} {
		t.Run(start, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "deep", "orders")
			if start == "in an empty directory" {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			w, err := Open(dir, locked("v0.1.0"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = w.Close() }()
			p, err := w.Plan(before(t))
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Apply(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, locked("v0.1.0")); err == nil || !strings.HasSuffix(err.Error(), "; wait for it") {
				t.Errorf("got %v", err)
			}
			if entries, err := os.ReadDir(filepath.Join(dir, DefaultState)); err != nil || len(entries) != 2 {
				t.Errorf("the state has %v, %v; want the manifest and the archive", entries, err)
			}
			equal(t, 0, len(notable(plan(t, dir, before(t))))) // reading needs no lock
		})
	}
}

func TestLockIsReleasedOnErrorsAndKill(t *testing.T) {
	t.Parallel()
	const variable = "WORKSPACE_TEST_LOCK"
	if dir := os.Getenv(variable); dir != "" {
		if _, err := Open(dir, locked("v0.1.0")); err != nil {
			t.Fatal(err)
		}
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		_ = self.Kill()
		select {}
	}
	dir := setUp(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), variable+"="+dir)
	if out, err := cmd.CombinedOutput(); err == nil || err.Error() != "signal: killed" {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := Open(dir, locked("v0.0.1")); err == nil {
		t.Fatal("state of a newer scaffold was accepted")
	}
	apply(t, dir, after(t))
}

// The journal in the state is then that of the other run.
func TestApplyKeepsTheJournalOfAnotherRun(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want string
		lock       bool
	}{
		{"in progress", "another scaffold runs in DIR; wait for it", true},
		{"without a lock", DefaultState + " has the journal of another run; run scaffold again", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := setUp(t)
			first, second := open(t, dir), open(t, dir)
			p, err := second.Plan(after(t))
			if err != nil {
				t.Fatal(err)
			}
			if tt.lock {
				lock, err := first.lockDir(DefaultState)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = unlock(lock) }()
			}
			put(t, dir, first.opts.inState(journalName), "{}")
			put(t, dir, first.opts.inState(journalStaged), "{")
			was := snapshot(t, dir)
			if err := second.Apply(t.Context(), p); err == nil || err.Error() != strings.ReplaceAll(tt.want, "DIR", dir) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			equal(t, was, snapshot(t, dir))
		})
	}
}

func TestReadingRemovesNoTemporaryFiles(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	put(t, dir, ".Makefile.scaffold-abcdefgh.new", "half")
	was := snapshot(t, dir)
	plan(t, dir, after(t))
	equal(t, was, snapshot(t, dir))
}

// A process that is being started has a copy of the directory for a moment, which keeps a lock that is not released.
func TestClosedWorkspaceIsUnlockedWhileACopyIsOpen(t *testing.T) {
	t.Parallel()
	dir := setUp(t)
	first, err := Open(dir, locked("v0.1.0"))
	if err != nil {
		t.Fatal(err)
	}
	duplicate, err := unix.Dup(int(first.locked.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(duplicate) }()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := Open(dir, locked("v0.1.0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}
