package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What make install puts into the directories of the user works from anywhere, and
// replaces nothing that it did not make.
func TestEndToEndMakeInstallReplacesOnlyWhatItMade(t *testing.T) {
	if testing.Short() {
		t.Skip("links the program three times")
	}
	t.Parallel()
	u := newcomer(t)
	foreign := filepath.Join(u.gobin, "scaffold")
	u.write(foreign, "another program")
	if out, code := u.install(); code == 0 || !strings.Contains(out, foreign+" is another program; remove it") {
		t.Errorf("exit code %d, and printed\n%s", code, out)
	}
	u.holds(foreign, "another program")
	u.remove(foreign)

	if err := os.Symlink("elsewhere", foreign); err != nil {
		t.Fatal(err)
	}
	if out, code := u.install(); code == 0 || !strings.Contains(out, foreign+" is a symbolic link to elsewhere, ") {
		t.Errorf("exit code %d, and printed\n%s", code, out)
	}
	u.remove(foreign)

	other := filepath.Join(u.local, "scaffold")
	u.write(other, "#!/bin/sh\n")
	if out, code := u.install(); code != 0 || !strings.HasPrefix(out, "installed "+foreign+", built in ") || !strings.Contains(out, "another scaffold first: "+other+",") {
		t.Errorf("exit code %d, and printed\n%s", code, out)
	}
	u.holds(other, "#!/bin/sh\n")
	u.remove(other)

	if out, code := u.install(); code != 0 || !strings.HasPrefix(out, "replaced "+foreign+", built in ") || !strings.HasSuffix(out, "linked "+other+" to it\n") {
		t.Errorf("exit code %d, and printed\n%s", code, out)
	}
	if out, code := u.install(); code != 0 || !strings.HasSuffix(out, other+" is a link to it and stays\n") {
		t.Errorf("exit code %d, and printed\n%s", code, out)
	}
	if out := run(t, t.TempDir(), other, "new", "orders"); !strings.Contains(out, "  make run\n") {
		t.Errorf("outside of the checkout it printed\n%s", out)
	}
	if out := run(t, t.TempDir(), other, "version"); strings.Contains(out, "unknown") {
		t.Errorf("version printed\n%s", out)
	}
}

// user is one whose home directory is empty.
type user struct {
	t                  *testing.T
	home, gobin, local string
}

func newcomer(t *testing.T) user {
	t.Helper()
	home := t.TempDir()
	return user{t: t, home: home, gobin: filepath.Join(home, "go", "bin"), local: filepath.Join(home, ".local", "bin")}
}

func (u user) install() (out string, code int) {
	u.t.Helper()
	caches, err := exec.CommandContext(u.t.Context(), "go", "env", "GOCACHE", "GOMODCACHE", "GOROOT").Output()
	if err != nil {
		u.t.Fatal(err)
	}
	dirs := strings.Fields(string(caches))
	cmd := exec.CommandContext(u.t.Context(), filepath.Join("..", "..", ".ci", "install"))
	cmd.Env = append(os.Environ(), "HOME="+u.home, "GOBIN="+u.gobin, "GOPROXY=off", "GOCACHE="+dirs[0], "GOMODCACHE="+dirs[1],
		"PATH="+filepath.Join(dirs[2], "bin")+":/usr/bin:/bin:"+u.local)
	printed, _ := cmd.CombinedOutput() // the code says how it ended
	return string(printed), cmd.ProcessState.ExitCode()
}

func (u user) write(name, text string) {
	u.t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		u.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
		u.t.Fatal(err)
	}
}

func (u user) holds(name, want string) {
	u.t.Helper()
	if got, err := os.ReadFile(name); err != nil || string(got) != want {
		u.t.Errorf("%s holds %q (%v), want %q", name, got, err, want)
	}
}

func (u user) remove(name string) {
	u.t.Helper()
	if err := os.Remove(name); err != nil {
		u.t.Fatal(err)
	}
}
