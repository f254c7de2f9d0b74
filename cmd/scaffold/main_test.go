package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The program as users build it, with the real templates: no network, the same
// bytes twice, and nothing to complain about afterwards.
func TestTheProgramMakesAServiceThatItsOwnCheckAccepts(t *testing.T) {
	t.Parallel()
	bin := built(t)
	runtime, err := filepath.Abs(filepath.Join("..", "..", "runtime"))
	if err != nil {
		t.Fatal(err)
	}
	for _, components := range []string{"", "postgres"} {
		parent := t.TempDir()
		for _, dir := range []string{"a", "b"} {
			out := run(t, parent, bin, "new", "orders", "--dir", filepath.Join(dir, "orders"), "--with", components, "--runtime", runtime)
			if !strings.Contains(out, "  make run\n") {
				t.Errorf("the next step is not named:\n%s", out)
			}
			if out := run(t, filepath.Join(parent, dir, "orders"), bin, "check"); !strings.HasSuffix(out, "orders: no faults\n") {
				t.Errorf("a new service has faults:\n%s", out)
			}
		}
		run(t, parent, "diff", "-r", "a", "b")
		if testing.Short() {
			continue
		}
		// What was written suffices: nothing is fetched and nothing amended.
		run(t, filepath.Join(parent, "b", "orders"), "go", "build", "-o", os.DevNull, "./...")
		if components == "" {
			run(t, filepath.Join(parent, "b", "orders"), "go", "test", "./...")
		}
		run(t, parent, "diff", "-r", "a", "b")
	}
}

// built is the program as users build it.
func built(tb testing.TB) string {
	tb.Helper()
	bin := filepath.Join(tb.TempDir(), "scaffold")
	if out, err := exec.CommandContext(tb.Context(), "go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	return bin
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=mod", "GIT_CEILING_DIRECTORIES="+os.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
