package templates

import (
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/components"
)

// Every slot that a component fills is in a template of the service: a misspelled one would be lost.
func TestFilledSlotsExist(t *testing.T) {
	t.Parallel()
	slot := regexp.MustCompile(`\bslot "([^"]+)"`)
	exists := map[string]bool{}
	read := func(in fs.FS, path string) error {
		text, err := fs.ReadFile(in, path)
		for _, match := range slot.FindAllStringSubmatch(string(text), -1) {
			exists[match[1]] = true
		}
		return err
	}
	err := fs.WalkDir(files, "files/service", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return read(files, path)
	})
	err = errors.Join(err, read(os.DirFS("../slo"), "runbook.md.tmpl"))
	if err != nil || len(exists) < 30 {
		t.Fatalf("%d slots, %v", len(exists), err)
	}
	for _, c := range components.All() {
		own, err := newTemplate(view{}).ParseFS(c.Parts(component.Service{}).Templates, "slots/*.tmpl")
		if err != nil {
			t.Fatal(err)
		}
		for _, filled := range own.Templates() {
			if name := filled.Name(); name != "" && !strings.HasSuffix(name, ".tmpl") && !exists[name] {
				t.Errorf("component %s fills the slot %q, which no template has", c.Name, name)
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
	if got := withSums([]byte("a\nc\n"), []byte("b\nc\n")); string(got) != "a\nb\nc\n" {
		t.Errorf("sums: got %q", got)
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
