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
func TestEndToEndTheProgramMakesAServiceThatItsOwnCheckAccepts(t *testing.T) {
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
			if out := run(t, filepath.Join(parent, dir, "orders"), bin, "check"); !strings.HasSuffix(out, "orders: no errors\n") {
				t.Errorf("a new service has errors:\n%s", out)
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
		} else {
			// make image writes vendor/, which does not contain the program of make run.
			run(t, filepath.Join(parent, "b", "orders"), "bash", "-euc", `go mod vendor; eval "$(make -n run | grep 'go build')"; rm -r vendor bin`)
		}
		run(t, parent, "diff", "-r", "a", "b")
	}
}

// A Dockerfile sees the service's directory and nothing else: no checkout of
// scaffold, to which a replace leads, no module cache and no network.
func TestEndToEndTheImageBuildsFromTheVendoredTreeAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a service")
	}
	t.Parallel()
	home := t.TempDir()
	checkout, orders, elsewhere := filepath.Join(home, "checkout"), filepath.Join(home, "orders"), filepath.Join(t.TempDir(), "src")
	if err := os.CopyFS(filepath.Join(checkout, "runtime"), os.DirFS(filepath.Join("..", "..", "runtime"))); err != nil {
		t.Fatal(err)
	}
	run(t, home, built(t), "new", "orders", "--runtime", filepath.Join(checkout, "runtime"))
	run(t, orders, "make", "vendor")
	if err := os.CopyFS(elsewhere, os.DirFS(orders)); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{checkout, orders} {
		if err := os.RemoveAll(gone); err != nil {
			t.Fatal(err)
		}
	}
	dockerfile, err := os.ReadFile(filepath.Join(elsewhere, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(dockerfile), "\nRUN ")
	line, _, found := strings.Cut(rest, "\n")
	if !found || !strings.Contains(line, " -mod=vendor ") || !strings.Contains(line, " -o /out/orders ") {
		t.Fatalf("the Dockerfile runs %q", line)
	}
	image := filepath.Join(t.TempDir(), "orders")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(line, " -o /out/orders ", " -o "+image+" ", 1))
	cmd.Dir = elsewhere
	cmd.Env = append(os.Environ(), "VERSION=v9.8.7", "GOPROXY=off", "GOFLAGS=", "GOWORK=off", "GOMODCACHE="+filepath.Join(home, "empty"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	if out := run(t, home, image, "version"); !strings.Contains(out, "v9.8.7") {
		t.Errorf("the image says it is %s", out)
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
