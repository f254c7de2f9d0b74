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
		// No address is made up: what the spec does not name is not there.
		if strings.Contains(out, "http") != (v.links != "{}") {
			t.Errorf("%s: links are those of %s:\n%s", name, v.links, out)
		}
		if slug := strings.Contains(out, `"github.com/project-slug":"acme/orders"`); slug != strings.Contains(v.links, "github.com") {
			t.Errorf("%s: the slug of GitHub is there: %v\n%s", name, slug, out)
		}
	}
}

func TestBackstageCatalogBroken(t *testing.T) {
	t.Parallel()
	s := generate(t, variants()["a registry"])
	text := s.read(t, catalogFile)
	for name, change := range map[string][2]string{
		"no owner":           {"  owner: \"team-checkout\"\n", ""},
		"a name with spaces": {"name: orders", "name: our orders"},
		"an unknown version": {"backstage.io/v1alpha1", "backstage.io/v1"},
		"an unknown root":    {"spec:", "specs: {}\nspec:"},
		"no type":            {"  type: service\n", ""},
		"a link of no form":  {"- title: Source\n      url: ", "- title: Source\n      uri: "},
		"an API of no one":   {"providesApis: [orders]", "providesApis: [order]"},
		"no definition":      {"./api/openapi.json", "./api/openapi.yaml"},
		"no YAML":            {"kind: API", "kind: {API"},
	} {
		s.write(t, catalogFile, with(t, text, change[0], change[1]))
		if out, err := s.backstage(t); err == nil {
			t.Errorf("%s is found by nobody:\n%s", name, out)
		}
	}
}
