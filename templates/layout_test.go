package templates_test

import (
	"slices"
	"testing"

	"github.com/observability-first/scaffold/templates"
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
