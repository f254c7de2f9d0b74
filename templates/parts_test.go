package templates

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/patterns"
	"github.com/observability-first/scaffold/templates/spec"
)

// Every slot that a pattern or component fills is in a template: a misspelled one would be lost.
func TestFilledSlotsExist(t *testing.T) {
	t.Parallel()
	slot := regexp.MustCompile(`\bslot "([^"]+)"`)
	exists := map[string]bool{}
	read := func(in fs.FS) error {
		return fs.WalkDir(in, ".", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".tmpl") {
				return err
			}
			text, err := fs.ReadFile(in, path)
			for _, match := range slot.FindAllStringSubmatch(string(text), -1) {
				exists[match[1]] = true
			}
			return err
		})
	}
	err := errors.Join(read(files), read(os.DirFS("../slo")))
	for _, p := range patterns.All() {
		err = errors.Join(err, read(p.Parts(component.Service{}).Templates))
	}
	if err != nil || len(exists) < 30 {
		t.Fatalf("%d slots, %v", len(exists), err)
	}
	for _, p := range spec.AllParts() {
		own, err := newTemplate(view{}).ParseFS(p.Templates, "slots/*.tmpl")
		if err != nil {
			t.Fatal(err)
		}
		for _, filled := range own.Templates() {
			if name := filled.Name(); name != "" && !strings.HasSuffix(name, ".tmpl") && !exists[name] {
				t.Errorf("%s fills the slot %q, which no template has", p.Name, name)
			}
		}
	}
}

func TestRequirementsAreUnited(t *testing.T) {
	t.Parallel()
	a := "require (\n\ta.test/direct v1.2.0\n\ta.test/both v1.0.0\n)\n\nrequire (\n\ta.test/low v1.0.0 // indirect\n)\n"
	b := "require (\n\tb.test/direct v0.1.0\n)\n\nrequire (\n\ta.test/both v1.3.0 // indirect\n\ta.test/low v1.10.0 // indirect\n)\n"
	const want = "require (\n\ta.test/both v1.3.0\n\ta.test/direct v1.2.0\n\tb.test/direct v0.1.0\n)\n\nrequire (\n\ta.test/low v1.10.0 // indirect\n)\n"
	for _, both := range [][2]string{{a, b}, {b, a}} {
		if got, err := withRequirements([]byte(both[0]), []byte(both[1])); err != nil || string(got) != want {
			t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
		}
	}
	const nine, ten = "m v1.0.9 h1:a\nm v1.0.9/go.mod h1:b\n", "m v1.0.10 h1:c\nm v1.0.10/go.mod h1:d\n"
	if got := withSums([]byte(nine), []byte(ten+"n v1.0.0 h1:e\n"+nine)); string(got) != nine+ten+"n v1.0.0 h1:e\n" {
		t.Errorf("sums: got %q", got)
	}
}

// Components are recorded with the default pattern, whose requirements they include.
func TestRequirementsOfTheFirstComponentReplaceThoseOfTheDefaultPattern(t *testing.T) {
	t.Parallel()
	part := func(name, module string) spec.Part {
		return spec.Part{Name: name, Parts: component.Parts{Templates: fstest.MapFS{
			"recorded/signals.json": {Data: fmt.Appendf(nil, `{"routes": ["GET /%s"], "metrics": []}`, name)},
			"recorded/go.mod.txt":   {Data: fmt.Appendf(nil, "require (\n\t%s v1.0.0\n)\n", module)},
			"recorded/go.sum.txt":   {Data: []byte(module + "\n")},
		}}}
	}
	for pattern, want := range map[string]string{spec.Patterns()[0]: "b.test\nc.test\n", "other": "a.test\nb.test\nc.test\n"} {
		got, err := recordedFor([]spec.Part{part(pattern, "a.test"), part("first", "b.test"), part("second", "c.test")})
		if err != nil || string(got.sums) != want || !slices.Equal(got.signals.Routes, []string{"GET /" + pattern}) {
			t.Errorf("%s: got sums %q and routes %q, %v; want %q", pattern, got.sums, got.signals.Routes, err, want)
		}
		for module := range strings.Lines(want) {
			if !strings.Contains(string(got.requires), strings.TrimSpace(module)+" v1.0.0") {
				t.Errorf("%s: %s is missing in\n%s", pattern, module, got.requires)
			}
		}
	}
}

func TestStructOf(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]string{
		"\n\t\tA int":             "struct{ A int }",
		"\n\t\tA int\n\t\tB bool": "struct {\n\t\tA int\n\t\tB bool\n\t}",
	} {
		if got := structOf(fields); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
