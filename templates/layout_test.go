package templates_test

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/components"
	"github.com/observability-first/scaffold/templates/spec"
)

// optionalFiles are the paths of the optional files, by name.
func optionalFiles() map[string]string {
	return map[string]string{
		spec.FileBackstage: "catalog-info.yaml", spec.FileCollector: "deploy/collector.yaml",
		spec.FileEditorConfig: ".editorconfig", spec.FileRenovate: "renovate.json",
	}
}

func TestOptionalFilesAreGeneratedOnRequest(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: scaffold/v1\nservice: shop\nowner: team-a\nmodule: example.com/shop\n"
	for _, wanted := range append(spec.OptionalFiles(), "") {
		t.Run(wanted, func(t *testing.T) {
			t.Parallel()
			src := head
			if wanted != "" {
				src += "files: [" + wanted + "]\n"
			}
			// Without a platform, too: any collector can read the file.
			for _, deploy := range []string{"", "deploy: {platforms: []}\n"} {
				s, err := spec.Parse(spec.FileName, []byte(src+deploy))
				if err != nil {
					t.Fatal(err)
				}
				tree := rendered(t, s)
				for name, path := range optionalFiles() {
					if _, found := tree.Find(path); found != (name == wanted) {
						t.Errorf("files: [%s], %s: %s is generated: %t", wanted, deploy, path, found)
					}
				}
			}
		})
	}
}

// Renovate reads only the root of a repository.
func TestRenovateAtTheRootIsGeneratedOnRequest(t *testing.T) {
	t.Parallel()
	for _, files := range []string{"[]", "[renovate]"} {
		s, err := spec.Parse(spec.FileName, []byte("apiVersion: scaffold/v1\nservice: shop\nowner: team-a\nmodule: example.com/shop\ndeploy: {directory: services/shop}\nfiles: "+files+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		if _, found := rendered(t, s).Find("renovate.json"); found {
			t.Errorf("files: %s: renovate.json is in the directory of the service", files)
		}
		tree, err := templates.RenderRepository(s, templates.RenderOptions{Generator: "devel"})
		if err != nil {
			t.Fatal(err)
		}
		if found := slices.ContainsFunc(tree, func(f templates.File) bool { return f.Path == "renovate.json" }); found != (files == "[renovate]") {
			t.Errorf("files: %s: renovate.json is at the root: %t", files, found)
		}
	}
}

// The routes of package slo name the environments that do not page.
func TestOnlyTheLastEnvironmentPages(t *testing.T) {
	t.Parallel()
	all := spec.Environments()
	want := `environment=~"` + strings.Join(all[:len(all)-1], "|") + `"`
	routes := string(data(t, rendered(t, victim(t, "plain")), "observability/alertmanager.yaml"))
	if strings.Count(routes, want) != 1 {
		t.Errorf("want one matcher %s in\n%s", want, routes)
	}
}

func TestReadmeShowsOnlyADescriptionOfTheSpec(t *testing.T) {
	t.Parallel()
	for description, want := range map[string]bool{"": false, "Takes orders.": true} {
		s, err := spec.New(spec.Choices{Name: "shop", Module: "example.com/shop", Description: description})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(data(t, rendered(t, s), "README.md")); strings.Contains(got, "\n\n"+s.Description+"\n\n") != want {
			t.Errorf("description %q: want it in the README: %t; got\n%s", description, want, got)
		}
	}
}

func TestGitattributesMarkGeneratedFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree := rendered(t, victim(t, "plain", components.Names()...))
	write(t, dir, tree)
	args := []string{"check-attr", "linguist-generated", "--"}
	owners := map[string]templates.Owner{"observability/rules/own/stock.rules.yaml": templates.UserOwned}
	for _, f := range tree {
		owners[f.Path] = f.Owner
	}
	for _, run := range [][]string{{"init", "--quiet"}, append(args, slices.Sorted(maps.Keys(owners))...)} {
		cmd := exec.CommandContext(t.Context(), "git", run...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v\n%s", run[0], err, out)
		}
		for line := range strings.Lines(string(out)) {
			path, value, _ := strings.Cut(strings.TrimSpace(line), ": linguist-generated: ")
			if owner := owners[path]; (value == "set") != (owner == templates.Generated) {
				t.Errorf("%s is %s, linguist-generated is %s", path, owner, value)
			}
		}
	}
}
