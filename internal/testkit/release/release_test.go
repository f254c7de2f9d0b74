//go:build !race

package release_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"

	"github.com/observability-first/scaffold/internal/testkit/release"
)

const repository = "../../.."

// place is a directory like a user's machine, with its own GOPATH.
type place struct {
	t   *testing.T
	dir string
	env []string
}

func (p place) run(dir, name string, args ...string) string {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), name, args...)
	cmd.Dir, cmd.Env = filepath.Join(p.dir, dir), append(os.Environ(), p.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func nextVersion(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "tag", "--list", "v*")
	cmd.Dir = repository
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return release.Next(strings.Fields(string(out)))
}

// An unpublished version is installed as users will do: from a module proxy, with an empty GOPATH and
// without the checkout. Other modules are from the module cache or the configured proxy.
func TestEndToEndRelease(t *testing.T) {
	if testing.Short() {
		t.Skip("installs a release and builds a service with it")
	}
	t.Parallel()
	version := nextVersion(t)
	src, proxy, home := t.TempDir(), t.TempDir(), t.TempDir()
	if err := release.Copy(t.Context(), repository, src, func(string) bool { return true }, bytes.Clone); err != nil {
		t.Fatal(err)
	}
	if err := release.Pack(src, proxy, version); err != nil {
		t.Fatal(err)
	}
	cached := filepath.Join(goEnv(t, "GOMODCACHE"), "cache", "download")
	p := place{t, home, []string{
		"GOPATH=" + filepath.Join(home, "go"), "GOMODCACHE=", "GOBIN=", "GOWORK=off",
		"GOPROXY=file://" + filepath.ToSlash(proxy) + ",file://" + filepath.ToSlash(cached) + "," + goEnv(t, "GOPROXY"),
		// A checksum database does not have an unpublished version; go.sum of the service has all sums,
		// which this test checks.
		"GOSUMDB=off",
		"GOFLAGS=-modcacherw -trimpath", // a cache that can be removed, and that compiles once for all paths
		"GIT_CEILING_DIRECTORIES=" + home,
	}}
	root := modulePath(t)
	p.run(".", "go", "install", root+"/cmd/scaffold@"+version)
	scaffold := filepath.Join(home, "go", "bin", "scaffold")
	if got := p.run(".", scaffold, "version"); !strings.HasPrefix(got, "scaffold "+version+" ") {
		t.Errorf("scaffold version prints %q, want %s", got, version)
	}
	for _, components := range []string{"", "postgres"} {
		name := "orders" + components
		p.run(".", scaffold, "new", name, "--with", components, "--yes")
		requires(t, filepath.Join(home, name, "go.mod"), root+"/runtime", version)
		before := sums(t, filepath.Join(home, name))
		p.env = append(p.env, "GOFLAGS=-modcacherw -trimpath -mod=readonly")
		p.run(name, "go", "build", "./...")
		if components == "" {
			p.run(name, "go", "test", "./...")
			if got := p.run(name, scaffold, "check"); !strings.HasSuffix(got, ": no errors\n") {
				t.Errorf("check:\n%s", got)
			}
		}
		if !slices.Equal(before, sums(t, filepath.Join(home, name))) {
			t.Error("go.sum of a new service was not complete")
		}
		p.run(name, "go", "mod", "verify")
	}
}

func modulePath(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	return modfile.ModulePath(data)
}

// requires checks that a go.mod requires the version and replaces no directory.
func requires(t *testing.T, name, path, version string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse(name, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(mod.Replace) > 0 || !slices.ContainsFunc(mod.Require, func(r *modfile.Require) bool {
		return r.Mod.Path == path && r.Mod.Version == version
	}) {
		t.Errorf("want %s %s and no replace in\n%s", path, version, data)
	}
}

func sums(t *testing.T, dir string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(data), "\n")
}

// A fork with other module names, without tests and examples, generates services with its own runtime.
func TestEndToEndForkWithOtherModuleNames(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a fork and a service with it")
	}
	t.Parallel()
	home := t.TempDir()
	const renamed = "git.platform.test/kit/generator"
	own := []byte(modulePath(t))
	keep := func(path string) bool {
		top, _, nested := strings.Cut(path, "/")
		return !strings.HasSuffix(path, "_test.go") && !strings.Contains(path, "testdata/") &&
			(!nested || top != "examples" && top != "test" && top != "docs")
	}
	err := release.Copy(t.Context(), repository, filepath.Join(home, "fork"), keep, func(data []byte) []byte {
		return bytes.ReplaceAll(data, own, []byte(renamed))
	})
	if err != nil {
		t.Fatal(err)
	}
	p := place{t, home, []string{"GOPROXY=off", "GOWORK=off", "GOFLAGS=", "GIT_CEILING_DIRECTORIES=" + home}}
	scaffold := filepath.Join(home, "scaffold")
	p.run("fork", "go", "build", "-o", scaffold, "./cmd/scaffold")
	p.run(".", scaffold, "new", "orders", "--runtime", "fork/runtime", "--yes")
	if got := p.run(".", "grep", "-rl", renamed+"/runtime", "orders/cmd", "orders/go.mod"); strings.Count(got, "\n") < 3 {
		t.Errorf("few files name the runtime of the fork:\n%s", got)
	}
	if out, err := exec.CommandContext(t.Context(), "grep", "-rl", string(own), filepath.Join(home, "orders")).Output(); err == nil {
		t.Errorf("these files still name the original:\n%s", out)
	}
	p.run("orders", "go", "build", "./...")
	p.run("orders", "go", "vet", "./...")
	p.run(".", scaffold, "check", "orders")
}
