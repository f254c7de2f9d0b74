package pipelines

import (
	"path/filepath"
	"strings"
	"testing"
)

const catalogFile = "catalog-info.yaml"

func (s service) backstage(t *testing.T) (string, error) {
	t.Helper()
	module(t, "@backstage/catalog-model/package.json")
	script, err := filepath.Abs("testdata/backstage.mjs")
	if err != nil {
		t.Fatal(err)
	}
	return s.try(t, nil, node(t), script, catalogFile)
}

func TestBackstageCatalog(t *testing.T) {
	t.Parallel()
	for name, v := range variants() {
		s := generate(t, v)
		out, err := s.backstage(t)
		if err != nil || !strings.HasSuffix(out, "Component orders, API orders\n") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		// The catalog contains only URLs of the spec.
		if strings.Contains(out, "http") != (v.links != "{}") {
			t.Errorf("%s: the links do not match those of the spec, %s:\n%s", name, v.links, out)
		}
		if slug := strings.Contains(out, `"github.com/project-slug":"acme/orders"`); slug != strings.Contains(v.links, "github.com") {
			t.Errorf("%s: GitHub project slug in the catalog: %v, want %v\n%s", name, slug, !slug, out)
		}
	}
}

func TestBackstageCatalogBroken(t *testing.T) {
	t.Parallel()
	s := generate(t, variants()["public registry"])
	text := s.read(t, catalogFile)
	for name, change := range map[string][2]string{
		"missing owner":               {"  owner: \"team-checkout\"\n", ""},
		"name with spaces":            {"name: orders", "name: our orders"},
		"unknown apiVersion":          {"backstage.io/v1alpha1", "backstage.io/v1"},
		"unknown top-level field":     {"spec:", "specs: {}\nspec:"},
		"missing type":                {"  type: service\n", ""},
		"link without url":            {"- title: Source\n      url: ", "- title: Source\n      uri: "},
		"reference to an unknown API": {"providesApis: [orders]", "providesApis: [order]"},
		"missing definition file":     {"./api/openapi.json", "./api/openapi.yaml"},
		"invalid YAML":                {"kind: API", "kind: {API"},
	} {
		s.write(t, catalogFile, replace(t, text, change[0], change[1]))
		if out, err := s.backstage(t); err == nil {
			t.Errorf("%s is not detected:\n%s", name, out)
		}
	}
}
