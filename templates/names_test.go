package templates_test

import (
	"go/ast"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/templates/components"
	"github.com/observability-first/scaffold/templates/spec"
)

// A resource becomes the name of a package, of types and of variables, which may collide with
// other names in generated code. The test uses each of those names as a resource: either the
// spec rejects it, or the code type-checks.
func TestNoResourceBreaksGeneratedCode(t *testing.T) {
	t.Parallel()
	c := newChecker(t)
	for _, pattern := range spec.Patterns() {
		c.names(pattern, nil)
		c.names(pattern, components.Names())
	}
}

// names uses each name of the generated code as a resource.
func (c checker) names(pattern string, components []string) {
	c.t.Helper()
	const neutral = "zzz"
	names := identifiers(c.named(neutral, pattern, components))
	if len(names) < 50 {
		c.t.Errorf("only %d names were found", len(names))
	}
	if errs := c.errors(c.named(neutral, pattern, components)); len(errs) > 0 {
		c.t.Fatalf("%s with %q: %v", pattern, components, errs)
	}
	var broken []string
	for i, name := range names {
		if i%nameStride != 0 || strings.Contains(name, neutral) || spec.CheckResource(name) != nil || spec.CheckPlural(name, name+"-list") != nil {
			continue
		}
		if len(c.errors(c.named(name, pattern, components))) > 0 {
			broken = append(broken, name)
		}
	}
	if len(broken) > 0 {
		c.t.Errorf("%s with %q: add to Reserved of the pattern or the component: %q", pattern, components, broken)
	}
}

// named returns the Go files of a service with that resource.
func (c checker) named(resource, pattern string, components []string) map[string][]*ast.File {
	c.t.Helper()
	const module = "example.com/tried"
	s, err := spec.New(spec.Choices{Name: "tried", Module: module, Pattern: pattern, Resource: resource, Plural: resource + "-list", Components: components})
	if err != nil {
		c.t.Fatal(err)
	}
	return c.parse(module, rendered(c.t, s))
}

// identifiers returns every name in the files, written like a resource: not-found for NotFound.
func identifiers(packages map[string][]*ast.File) []string {
	names := map[string]bool{}
	boundary := regexp.MustCompile("([a-z0-9])([A-Z])")
	for _, files := range packages {
		for _, file := range files {
			ast.Inspect(file, func(n ast.Node) bool {
				if ident, ok := n.(*ast.Ident); ok {
					names[strings.ToLower(boundary.ReplaceAllString(ident.Name, "$1-$2"))] = true
				}
				return true
			})
		}
	}
	return slices.Sorted(maps.Keys(names))
}
