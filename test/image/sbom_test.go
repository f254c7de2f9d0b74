package image

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// part is a module in the output of go version -m.
type part struct{ path, version, sum, replaced string }

// buildInfo returns the modules in the binary.
func buildInfo(t *testing.T, binary string) []part {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "version", "-m", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	var parts []part
	for line := range strings.Lines(string(out)) {
		fields := append(strings.Fields(line), "")
		switch {
		case fields[0] == "dep":
			parts = append(parts, part{path: fields[1], version: fields[2], sum: fields[3]})
		case fields[0] == "=>":
			parts[len(parts)-1].replaced = fields[1]
		case strings.HasPrefix(line, binary+": go"):
			parts = append(parts, part{path: "std", version: strings.TrimPrefix(fields[1], "go")})
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(a.path, b.path) })
	return parts
}

// component has the fields of an SBOM component that scanners read.
type component struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl"`
	Hashes  []struct {
		Content string `json:"content"`
	} `json:"hashes"`
	Licenses []struct {
		Expression string `json:"expression"`
	} `json:"licenses"`
	Pedigree struct {
		Notes string `json:"notes"`
	} `json:"pedigree"`
}

func components(t *testing.T, document []byte) []component {
	t.Helper()
	var bom struct {
		Components []component `json:"components"`
	}
	if err := json.Unmarshal(document, &bom); err != nil {
		t.Fatal(err)
	}
	return bom.Components
}

func TestTheBillIsWhatTheGoCommandSays(t *testing.T) {
	t.Parallel()
	cart := service(t, "stock-keeper", "--with", "postgres")
	run(t, cart, nil, "make", "sbom")
	for dir, binary := range map[string]string{orders(t): "orders", cart: "stock-keeper"} {
		// A build from vendor/ records no sums, so the SBOM is compared with a
		// build from the module cache.
		fromCache := filepath.Join(t.TempDir(), binary)
		run(t, dir, []string{"CGO_ENABLED=0"}, "go", "build", "-mod=mod", "-trimpath", "-tags", "timetzdata", "-o", fromCache, "./cmd/"+binary)
		want := buildInfo(t, fromCache)
		if len(want) < 40 {
			t.Fatalf("the binary has %d modules, want at least 40", len(want))
		}
		document := read(t, dir, "bin/sbom.json")
		var got []part
		for _, c := range components(t, document) {
			p := part{path: c.Name, version: c.Version}
			if len(c.Hashes) > 0 {
				raw, err := hex.DecodeString(c.Hashes[0].Content)
				if err != nil {
					t.Fatal(err)
				}
				p.sum = "h1:" + base64.StdEncoding.EncodeToString(raw)
			}
			if notes := c.Pedigree.Notes; notes != "" {
				p.replaced = regexp.MustCompile(`\.\./\S+`).FindString(notes)
			}
			got = append(got, p)
			if c.PURL != "pkg:golang/"+c.Name+"@"+c.Version {
				t.Errorf("%s has the package URL %s", c.Name, c.PURL)
			}
			if len(c.Licenses) != 1 || c.Licenses[0].Expression == "" {
				t.Errorf("%s has no license", c.Name)
			}
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(part{})); diff != "" {
			t.Errorf("%s (-go version -m +SBOM):\n%s", binary, diff)
		}
		if !slices.ContainsFunc(got, func(p part) bool { return p.replaced == "../runtime" }) {
			t.Errorf("%s: the SBOM does not contain the replaced runtime", binary)
		}
		if lines := bytes.Count(read(t, dir, "bin/licenses.txt"), []byte("\n")); lines != len(want) {
			t.Errorf("%s: %d licenses for %d modules", binary, lines, len(want))
		}
		if err := bomSchema(t).Validate(decode(t, document)); err != nil {
			t.Errorf("%s: %v", binary, err)
		}
	}
}

func TestTheSchemaRejectsInvalidSBOMs(t *testing.T) {
	t.Parallel()
	good := read(t, orders(t), "bin/sbom.json")
	for _, tt := range [][2]string{
		{`"type": "library"`, `"type": "shelf"`},
		{`"alg": "SHA-256"`, `"alg": "SHA-7"`},
		{`"bomFormat": "CycloneDX"`, `"bomFormat": "Other"`},
	} {
		bad := bytes.Replace(good, []byte(tt[0]), []byte(tt[1]), 1)
		if bytes.Equal(bad, good) || bomSchema(t).Validate(decode(t, bad)) == nil {
			t.Errorf("%s is accepted, or the SBOM has no %s", tt[1], tt[0])
		}
	}
}

func decode(t *testing.T, document []byte) any {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// bomSchema returns the schema in the module of CycloneDX's Go library.
func bomSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	directory := filepath.Join(strings.TrimSpace(string(out)), "schema")
	const base = "http://cyclonedx.org/schema/"
	compiler := jsonschema.NewCompiler()
	for name, file := range map[string]string{
		"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json",
	} {
		if err := compiler.AddResource(base+name, decode(t, read(t, directory, file))); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := compiler.Compile(base + "bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestAnUnknownLicenseIsAnError(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "orders")
	if err := os.CopyFS(dir, os.DirFS(orders(t))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "vendor/github.com/go-chi/chi/v5/LICENSE"), []byte("You may look at it.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "vendor/github.com/google/uuid/LICENSE")); err != nil {
		t.Fatal(err)
	}
	out, err := try(t.Context(), dir, nil, "scaffold", "sbom", "bin/linux-amd64/orders", "-o", "bin/other.json")
	if err == nil || !strings.Contains(out, "vendor/github.com/go-chi/chi/v5/LICENSE is not a known license") || !strings.Contains(out, "github.com/google/uuid has no license file") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "bin/other.json")); err == nil {
		t.Error("an incomplete SBOM was written")
	}
}
