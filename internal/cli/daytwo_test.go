package cli_test

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/internal/cli"
	"github.com/observability-first/scaffold/templates/components"
)

// files returns mode and content of all files of the service by path.
func (s shop) files() map[string]string {
	s.t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(s.dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(name)
		below, _ := filepath.Rel(s.dir, name)
		out[filepath.ToSlash(below)] = info.Mode().String() + "\n" + string(data)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s shop) equal(what string, want map[string]string) {
	s.t.Helper()
	got := s.files()
	for _, name := range slices.Sorted(maps.Keys(maps.Collect(concat(want, got)))) {
		if diff := cmp.Diff(want[name], got[name]); diff != "" {
			s.t.Errorf("%s: %s differs (-want +got):\n%s", what, name, diff)
		}
	}
}

func concat(all ...map[string]string) func(yield func(string, string) bool) {
	return func(yield func(string, string) bool) {
		for _, m := range all {
			for k, v := range m {
				if !yield(k, v) {
					return
				}
			}
		}
	}
}

func (s shop) run(args ...string) string {
	s.t.Helper()
	status, out, errs := s.scaffold(append(args, "--dir", s.dir)...)
	if status != cli.ExitDone {
		s.t.Fatalf("scaffold %s: status %d\n%s%s", strings.Join(args, " "), status, out, errs)
	}
	return out
}

// newService creates a service as newShop does, with more flags. All have the same directory name, which go.mod depends on.
func newService(t *testing.T, name string, flags ...string) shop {
	t.Helper()
	s := shop{t, filepath.Join(t.TempDir(), "shop")}
	runtime, err := filepath.Abs("../../runtime")
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(filepath.Dir(s.dir), "runtime") // so that go.mod has the same path in each
	if err := os.Symlink(runtime, link); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"new", name, "--dir", s.dir, "--module", "example.com/" + name, "--owner", "team-a", "--resource", "gadget", "--runtime", link}, flags...)
	if status, _, errs := s.scaffold(args...); status != cli.ExitDone {
		t.Fatalf("new: %s", errs)
	}
	return s
}

// A component that is added later gives the bytes of a service that was created with it, and removing it gives back the
// bytes of before.
func TestEndToEndAddAndRemove(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds services")
	}
	plain := newService(t, "shop").files()
	s := newService(t, "shop")
	var added []string
	for _, name := range components.Names() {
		before := s.files()
		s.run("add", name)
		added = append(added, name)
		s.equal("add "+name, newService(t, "shop", "--with", strings.Join(added, ",")).files())
		after := s.files()
		s.run("remove", name)
		s.equal("remove "+name, before)
		s.run("add", name)
		s.equal("add again "+name, after)
	}
	s.run(append([]string{"remove"}, added...)...)
	s.equal("remove all", plain)
}

// Edits of the user stay when components come and go.
func TestEndToEndEditsSurviveComponents(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds services")
	}
	s := newService(t, "shop")
	s.edit("cmd/shop/main.go", "\tsvc.Handle(", "\tsold, err := svc.Metrics().Counter(\"shop_sold_total\", \"Sold items.\")\n\tif err != nil {\n\t\treturn err\n\t}\n\tsold.WithLabelValues()\n\tsvc.Handle(")
	s.edit("cmd/shop/main.go", "internal/store\"\n", "internal/store\"\n\t_ \"example.com/shop/internal/zebra\"\n")
	s.write("internal/zebra/zebra.go", "package zebra\n")
	s.edit("README.md", "# shop\n", "# shop\n\nAsk Ann.\n")
	s.edit("Makefile", "\n", "\n# ours\n")
	s.edit("scaffold.yaml", "service: shop", "# our first service\nservice: shop # ours")
	if status, out, errs := s.scaffold("generate", s.dir); status != cli.ExitDone {
		t.Fatalf("generate: %s%s", out, errs)
	}
	before := s.files()
	for _, name := range components.Names() {
		s.run("add", name)
		for file, want := range map[string]string{"cmd/shop/main.go": "shop_sold_total", "README.md": "Ask Ann.", "Makefile": "# ours", "scaffold.yaml": "service: shop # ours"} {
			if !strings.Contains(s.read(file), want) {
				t.Errorf("add %s: %s lost %q", name, file, want)
			}
		}
		s.check(cli.ExitDone)
		s.run("remove", name)
		s.equal("remove "+name, before)
	}
}

// A renamed service is the one that was created with the new name, and edits move along.
func TestEndToEndRename(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds services")
	}
	for _, with := range append(components.Names(), "") {
		s := newService(t, "shop", "--with", with)
		s.run("rename", "market")
		want := newService(t, "market", "--with", with)
		s.equal("rename with "+with, want.files())
	}
	s := newService(t, "shop")
	s.write("cmd/shop/own.go", "package main\n\nimport (\n\t_ \"example.com/shop/internal/zebra\" // ours\n)\n")
	s.write("internal/zebra/zebra.go", "package zebra\n")
	s.edit("internal/api/gadget.go", "\n// gadgetResponse", "\n// ours\n// gadgetResponse")
	s.write("observability/rules/own/a.rules.yaml", "groups:\n  - name: own\n    rules:\n      - {alert: Own, expr: 'up{job=\"shop\"} == 0'}\n")
	out := s.run("rename", "market")
	if !strings.Contains(out, "have the old name") || !strings.Contains(out, "  observability/rules/own/a.rules.yaml:4\n") {
		t.Errorf("the output does not name the rule with the old name:\n%s", out)
	}
	if got := s.read("cmd/market/own.go"); !strings.Contains(got, `_ "example.com/market/internal/zebra" // ours`) {
		t.Errorf("got\n%s", got)
	}
	if !strings.Contains(s.read("internal/api/gadget.go"), "// ours\n") {
		t.Error("the edit is lost")
	}
	s.check(cli.ExitDone)
}

// A service builds and passes its tests after its store has changed, in both directions.
func TestEndToEndStoreChange(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.run("add", "postgres")
	s.passes()
	s.run("remove", "postgres")
	s.passes()
}

// passes vets, tests and checks the service.
func (s shop) passes() {
	s.t.Helper()
	for _, args := range [][]string{{"vet", "./..."}, {"test", "./..."}} {
		command := exec.CommandContext(s.t.Context(), "go", args...)
		command.Dir = s.dir
		if out, err := command.CombinedOutput(); err != nil {
			s.t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	s.check(cli.ExitDone)
}
