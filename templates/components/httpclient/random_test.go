package httpclient_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"path"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/components/httpclient"
	"github.com/observability-first/scaffold/templates/spec"
)

// What is valid renders Go code without duplicate names, and schema.json accepts it.
func TestRandomUpstreams(t *testing.T) {
	t.Parallel()
	plain, err := spec.Parse("scaffold.yaml", []byte(service))
	if err != nil {
		t.Fatal(err)
	}
	o, urls, paths := new(httpclient.Options), schemaPattern(t, "url"), schemaPattern(t, "healthPath")
	random := rand.New(rand.NewPCG(1, 2))
	accepted, rejected := 0, map[string]int{}
	for accepted < 200 {
		o.Upstreams = randomUpstreams(random)
		invalid := false
		o.Check(component.Service{}, func(path, _ string, _ ...any) {
			invalid = true
			rejected[path[strings.LastIndex(path, ".")+1:]]++
		})
		if invalid {
			continue
		}
		accepted++
		for _, u := range o.Upstreams {
			if !urls.MatchString(u.URL) || !paths.MatchString(u.HealthPath) {
				t.Errorf("schema.json rejects %+v", u)
			}
		}
		checkPackage(t, plain, o)
	}
	if rejected["name"] == 0 || rejected["url"] == 0 || rejected["healthPath"] == 0 || rejected["timeout"] == 0 {
		t.Errorf("the random upstreams are not varied: rejected %v", rejected)
	}
}

// randomUpstreams returns upstreams of which most are valid and many have similar names.
func randomUpstreams(random *rand.Rand) []httpclient.Upstream {
	pick := func(valid []string, invalid ...string) string {
		if random.IntN(20) == 0 && len(invalid) > 0 {
			valid = invalid
		}
		return valid[random.IntN(len(valid))]
	}
	var list []httpclient.Upstream
	for range 1 + random.IntN(5) {
		list = append(list, httpclient.Upstream{
			Name: pick([]string{"a", "x1", "card"}, "log", "A") + pick([]string{"", "1", "2", "-1", "-2", "-dial", "-tls", "-header", "-path", "-add-checks"}, "-", "_b"),
			URL: pick([]string{"http://", "https://"}, "HTTP://", "http:") + pick([]string{"a", "b.example.com", "10.0.0.1", "[2001:db8::1]", "b_c."}, "10.0.0.256", "b\u00fc") +
				pick([]string{"", ":1", ":65535"}, ":080") + pick([]string{"", "/", "/v1/%7Bx%7D", "/$%22;'"}, `/"`, "/`"),
			Timeout:    time.Duration(random.IntN(20*60+10)) * 500 * time.Millisecond,
			HealthPath: pick([]string{"/", "/healthz", "/%22/$(x)", "/a//b"}, "", "/{{.Name}}") + pick([]string{"", "?", "?a='b'&c=%0A"}, "?\n", " "),
		})
	}
	return list
}

// schemaPattern returns the pattern of an option of upstreams.
func schemaPattern(t *testing.T, option string) *regexp.Regexp {
	t.Helper()
	src, err := os.ReadFile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct {
			Upstreams struct {
				Items struct {
					Properties map[string]struct {
						Pattern string `json:"pattern"`
					} `json:"properties"`
				} `json:"items"`
			} `json:"upstreams"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(src, &schema); err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(schema.Properties.Upstreams.Items.Properties[option].Pattern)
}

// checkPackage checks the Go code of the package internal/upstream.
func checkPackage(t *testing.T, used spec.Service, o *httpclient.Options) {
	t.Helper()
	used.Components.HTTPClient = o
	tree, err := templates.Render(used, templates.RenderOptions{Generator: "devel", RuntimeReplace: "../runtime"})
	if err != nil {
		t.Fatalf("%+v: %v", o.Upstreams, err)
	}
	checked := 0
	for _, f := range tree {
		if path.Dir(f.Path) != "internal/upstream" {
			continue
		}
		checked++
		formatted, err := format.Source(f.Data)
		if err != nil || !bytes.Equal(formatted, f.Data) {
			t.Errorf("%s is not formatted (%v) with %+v", f.Path, err, o.Upstreams)
		}
		for _, duplicate := range duplicates(t, f) {
			t.Errorf("%s has duplicate %s with %+v", f.Path, duplicate, o.Upstreams)
		}
	}
	if checked != 2 {
		t.Errorf("%d files in internal/upstream, want 2", checked)
	}
}

// duplicates returns the fields and environment variables that a struct of a Go file has twice.
func duplicates(t *testing.T, f templates.File) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), f.Path, f.Data, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.StructType)
		if !ok {
			return true
		}
		seen := map[string]bool{}
		for _, name := range namesIn(t, s) {
			if seen[name] {
				found = append(found, name)
			}
			seen[name] = true
		}
		return true
	})
	return found
}

// namesIn returns the names of fields and the environment variables that the runtime reads for them.
func namesIn(t *testing.T, s *ast.StructType) []string {
	t.Helper()
	var names []string
	for _, field := range s.Fields.List {
		for _, name := range field.Names {
			names = append(names, name.Name)
		}
		if field.Tag == nil {
			continue
		}
		prefix := reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("env")
		for _, suffix := range suffixesOfRuntime(t) {
			names = append(names, prefix+"_"+suffix)
		}
	}
	return names
}
