package monorepo_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/internal/project/monorepo"
	"github.com/observability-first/scaffold/internal/testkit/testdir"
)

func TestServicesInARepository(t *testing.T) {
	t.Parallel()
	root := testdir.New(t, map[string]string{
		".git/HEAD": "", "services/shop/scaffold.yaml": "service: shop\n", "services/shop/vendor/x/scaffold.yaml": "service: no\n",
		"services/broken/scaffold.yaml": "a: [b\n", ".cache/scaffold.yaml": "service: no\n", "scaffold.yaml": "service: top\n",
	})
	got, err := monorepo.Services(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	want := []monorepo.Service{{Dir: ".", Name: "top"}, {Dir: "services/broken"}, {Dir: "services/shop", Name: "shop"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	inside := filepath.Join(root, "services", "shop", "internal")
	if got, ok := monorepo.Root(inside); !ok || got != root {
		t.Errorf("the root is %q (%v), want %q", got, ok, root)
	}
	if got, ok := monorepo.ServiceAround(inside); !ok || got != filepath.Join(root, "services", "shop") {
		t.Errorf("around it is %q (%v)", got, ok)
	}
	if got, ok := monorepo.ServiceAround(filepath.Join(root, "services", "new")); !ok || got != root {
		t.Errorf("around services/new is %q (%v), want the service at the root", got, ok)
	}
}

func TestServicesThatGitIgnoresAreSkipped(t *testing.T) {
	t.Parallel()
	root := testdir.New(t, map[string]string{
		".gitignore": "/demo/\n", "demo/shop/scaffold.yaml": "service: shop\n", "a/b/scaffold.yaml": "service: orders\n",
		"gone/scaffold.yaml": "service: gone\n", "a/.orders.x.new/scaffold.yaml": "service: orders\n",
	})
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "."}} {
		command := exec.CommandContext(t.Context(), "git", args...)
		command.Dir = root
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	if err := os.Remove(filepath.Join(root, "gone", "scaffold.yaml")); err != nil {
		t.Fatal(err)
	}
	got, err := monorepo.Services(t.Context(), root)
	if diff := cmp.Diff([]monorepo.Service{{Dir: "a/b", Name: "orders"}}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for dir, want := range map[string]bool{"demo/other": true, "a/b": false, "new": false} {
		if got := monorepo.Ignored(t.Context(), root, filepath.Join(root, filepath.FromSlash(dir))); got != want {
			t.Errorf("%s ignored: %v, want %v", dir, got, want)
		}
	}
}

func TestClashesOfTwoServices(t *testing.T) {
	t.Parallel()
	root := testdir.New(t, map[string]string{
		"a/scaffold.yaml":                                "service: orders\n",
		"b/scaffold.yaml":                                "service: orders\n",
		"c/scaffold.yaml":                                "service: shop\n",
		"a/observability/rules/x.page.rules.yaml":        "groups: [{name: g}, {name: own}]\n",
		"a/observability/rules/x.page.test.yaml":         "rule_files: []\n",
		"c/observability/rules/own/y.rules.yaml":         "groups: [{name: g}, {name: g}]\n",
		"c/observability/rules/own/notes.md":             "groups\n",
		"a/observability/dashboards/orders-runtime.json": `{"uid": "one"}`,
		"c/observability/dashboards/own/mine.json":       `{"uid": "one"}`,
		"c/observability/dashboards/own/broken.json":     `{`,
	})
	services, err := monorepo.Services(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	want := []monorepo.Clash{
		{What: "service", Name: "orders", First: "a/scaffold.yaml", Second: "b/scaffold.yaml"},
		{What: "rule group", Name: "g", First: "a/observability/rules/x.page.rules.yaml", Second: "c/observability/rules/own/y.rules.yaml"},
		{What: "rule group", Name: "g", First: "a/observability/rules/x.page.rules.yaml", Second: "c/observability/rules/own/y.rules.yaml"},
		{What: "uid", Name: "one", First: "a/observability/dashboards/orders-runtime.json", Second: "c/observability/dashboards/own/mine.json"},
	}
	if diff := cmp.Diff(want, monorepo.Clashes(root, services)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
