package project

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/project/monorepo"
	"github.com/observability-first/scaffold/templates/spec"
)

// The service is written first. An error at the root then undoes nothing, changes no user-owned
// file, and says what to do.
func TestWriteErrorAtTheRootIsReported(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir := filepath.Join(root, "services", "orders")
	g := released()
	s, err := spec.New(spec.Choices{Name: "orders", Directory: "services/orders"})
	if err != nil {
		t.Fatal(err)
	}
	s.Files = []string{spec.FileRenovate}
	w, target := plannedService(t, g, dir, s)
	workflow := filepath.Join(root, ".github", "workflows", "orders.yml")
	if err := os.MkdirAll(filepath.Dir(workflow), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(workflow, []byte("meanwhile\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	err = g.Apply(t.Context(), w, target)
	want := "wrote the files in " + dir + ", but not those at the root of the repository: " +
		".github/workflows/orders.yml changed while scaffold ran; run it again; fix the error, then run scaffold generate in that directory"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if data, err := os.ReadFile(workflow); err != nil || string(data) != "meanwhile\n" {
		t.Errorf("the file of somebody else holds %q (%v)", data, err)
	}
	if _, err := os.Stat(filepath.Join(dir, spec.FileName)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(root, "renovate.json")); !os.IsNotExist(err) {
		t.Errorf("a part of the root was written: %v", err)
	}
}

func TestOrganizationOfRemote(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"git@github.com:acme/shop.git": "acme", "https://gitlab.acme.test/shop/backend/orders.git": "shop/backend", "/srv/shop.git": "", "": "",
	} {
		dir := t.TempDir()
		for _, args := range [][]string{{"init", "--quiet"}, {"config", "remote.origin.url", remote}} {
			if _, err := monorepo.Git(t.Context(), dir, args...); err != nil {
				t.Fatal(err)
			}
		}
		if got := organization(t.Context(), dir); got != want {
			t.Errorf("%s belongs to %q, want %q", remote, got, want)
		}
	}
}

// Without git, as in an unpacked archive, the path must match.
func TestRootAbove(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "services", "orders")
	for directory, want := range map[string]string{
		"services/orders": filepath.Dir(filepath.Dir(dir)), "orders": filepath.Dir(dir), "apps/orders": "", "rders": "",
	} {
		got, err := RootAbove(dir, directory)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v; want %q", directory, got, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "set deploy.directory to its path below the root of the repository") {
			t.Errorf("%s: %v", directory, err)
		}
	}
}
