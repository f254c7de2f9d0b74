package templates_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/spec"
)

const runtimePath = "github.com/observability-first/scaffold/runtime"

func TestRecordedRequirementsMatchTheRuntime(t *testing.T) {
	t.Parallel()
	if !bytes.Equal(read(t, "files/recorded/runtime.mod"), read(t, "../runtime/go.mod")) {
		t.Error("runtime/go.mod changed; run make golden")
	}
}

func TestGoSumContainsTheReleasedRuntime(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		options templates.RenderOptions
		want    int
	}{
		{"required by version", templates.RenderOptions{RuntimeVersion: "v0.5.0", RuntimeSum: "h1:abc="}, 2},
		{"required by version without sum", templates.RenderOptions{RuntimeVersion: "v0.5.0"}, 0},
		{"replaced by a directory", templates.RenderOptions{RuntimeVersion: "v0.5.0", RuntimeSum: "h1:abc=", RuntimeReplace: "../runtime"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := spec.New(spec.Choices{Name: "orders"})
			if err != nil {
				t.Fatal(err)
			}
			tree, err := templates.Render(s, tt.options)
			if err != nil {
				t.Fatal(err)
			}
			var own, paths []string
			for line := range strings.Lines(string(data(t, tree, "go.sum"))) {
				path, rest, _ := strings.Cut(line, " ")
				paths = append(paths, path)
				if path == runtimePath {
					own = append(own, rest)
				}
			}
			if len(own) != tt.want || len(own) == 2 && (own[0] != "v0.5.0 h1:abc=\n" || !strings.HasPrefix(own[1], "v0.5.0/go.mod h1:")) {
				t.Errorf("got %q", own)
			}
			if !slices.IsSorted(paths) {
				t.Error("go.sum is not sorted by path")
			}
		})
	}
}

// The Dockerfile and all pipelines use the same version of Go.
func TestAllFilesUseOneGoVersion(t *testing.T) {
	t.Parallel()
	versions := regexp.MustCompile(`(?m)(?:\bgolang:|^toolchain go|^\s*go-version:\s*['"]?)([0-9][0-9.]*)`)
	digests := regexp.MustCompile(`golang:[^\s"'@]+@(sha256:[0-9a-f]{64})\b`)
	s, err := spec.Parse("scaffold.yaml", []byte("apiVersion: scaffold/v1\nservice: orders\nowner: team\nmodule: acme.test/orders\n"+
		"telemetry: {metrics: push}\ndeploy: {platforms: [kubernetes, cloud-run], pipelines: [github, gitlab, jenkins]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := templates.Render(s, templates.RenderOptions{RuntimeReplace: "../runtime"})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, f := range tree {
		for _, match := range versions.FindAllSubmatch(f.Data, -1) {
			found[string(match[1])] = append(found[string(match[1])], f.Path)
		}
		for _, match := range regexp.MustCompile(`\bgolang:\S+`).FindAllString(string(f.Data), -1) {
			if !digests.MatchString(match) {
				t.Errorf("%s: %s has no digest", f.Path, match)
			}
		}
	}
	if len(found) != 1 {
		t.Errorf("versions of Go by file: %v", found)
	}
	for _, files := range found {
		if !slices.Contains(files, "go.mod") || !slices.Contains(files, "Dockerfile") {
			t.Errorf("only %v name a version of Go", files)
		}
	}
}
