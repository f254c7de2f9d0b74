package templates_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	promql "github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/modfile"

	"github.com/observability-first/scaffold/templates"
	"github.com/observability-first/scaffold/templates/components"
	"github.com/observability-first/scaffold/templates/spec"
)

// hostile returns texts with a special meaning in a format that we write, by format.
func hostile() map[string]string {
	return map[string]string{
		"quotes":            `it's "quoted" and ` + "`ticked`",
		"lines":             "first\nsecond\n\n\tthird",
		"unicode lines":     "a\u2028b\u2029c\u00a0d\u200be",
		"template":          `{{ .Service }} {{ end }} }} {{ "x" | oops }} {{/*`,
		"yaml":              "a: [b, {c: d}] # e\n- f\n? g\n--- \n&h *i !!j |\n",
		"go":                "*/ \"; func init() { panic(1) } // ` + `\n//go:build ignore",
		"promql":            `up{job="a"}) or vector(1) #`,
		"markdown":          "# one\n- two\n<!-- scaffold:facts:end --> ```sh\n~~~\n[x](y) ![z](w) | a | b |",
		"a list":            "- a",
		"a numbered list":   "1. a",
		"a heading's line":  "===",
		"a fence":           "~~~ sh",
		"html":              "<script>alert(1)</script> &lt; <!-- a -->",
		"shell":             `$(reboot) ${HOME} ; rm -rf / && a | b > c \ !!`,
		"make":              "$(shell reboot) $@ %: $$x\n\treboot\ninclude /x",
		"dockerfile":        "x\nRUN reboot\nFROM scratch",
		"json":              `","x":{"y":[1,2]}},\u0000`,
		"printf":            "%s %d %!(EXTRA) %%",
		"a word of YAML":    "null",
		"a number":          "1e3",
		"other characters":  "tränen \u65e5\u672c \U0001f642 \u202eback",
		"a very long owner": strings.Repeat("{", 100),
	}
}

// ownerOf turns the text into a valid owner: one printable line.
func ownerOf(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' }), " ")
}

// victim is a service with the text in all free-text values.
func victim(t *testing.T, text string, components ...string) spec.Service {
	t.Helper()
	document := map[string]any{
		"apiVersion": spec.APIVersion, "service": "orders", "module": "example.com/orders",
		"description": text, "owner": ownerOf(text),
		"telemetry": map[string]any{"selector": map[string]any{"job": text}},
		"alerting":  map[string]any{"labels": map[string]any{"note": text}, "annotations": map[string]any{"hint": text}},
		"links":     hostileLinks(),
		"files":     spec.OptionalFiles(),
		"slos": []any{map[string]any{
			"name": "availability", "objective": 99.9, "description": text,
			"indicator": map[string]any{"availability": map[string]any{}},
		}},
	}
	used := map[string]any{}
	for _, c := range components {
		used[c] = map[string]any{}
	}
	document["components"] = used
	src, err := yaml.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	s, err := spec.Parse(spec.FileName, src)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// hostileLinks are URLs, which allow fewer characters.
func hostileLinks() map[string]any {
	const tail = "/{{.x}}'`$(reboot)-->)](y)%0a;a=\"b\"&c=|d"
	return map[string]any{
		"runbooks": "https://r.test" + tail, "grafana": "https://g.test" + tail,
		"repository": "https://s.test" + tail, "alertmanager": "https://a.test" + tail,
		"branch": "a'{{b}}$(c)\"",
	}
}

func rendered(t *testing.T, s spec.Service) templates.Tree {
	t.Helper()
	tree, err := templates.Render(s, templates.RenderOptions{Generator: "devel", RuntimeReplace: "../runtime"})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestTextsOfTheSpecAreEscaped(t *testing.T) {
	t.Parallel()
	for _, components := range [][]string{nil, components.Names()} {
		plain := rendered(t, victim(t, "plain", components...))
		for name, text := range hostile() {
			t.Run(name+" with "+strings.Join(components, ","), func(t *testing.T) {
				t.Parallel()
				s := victim(t, text, components...)
				again, err := spec.Parse(spec.FileName, s.YAML())
				if err != nil || again.Description != text || again.Owner != ownerOf(text) || again.Alerting.Labels["note"] != text || again.SLOs[0].Description != text {
					t.Errorf("scaffold.yaml gives back %q, %q (%v)", again.Description, again.Owner, err)
				}
				tree := rendered(t, s)
				for _, f := range tree {
					parses(t, f)
				}
				holds(t, tree, text)
				onlyTextsDiffer(t, tree, plain)
			})
		}
	}
}

// parses checks the syntax of a file in its language.
func parses(t *testing.T, f templates.File) {
	t.Helper()
	var err error
	switch base := path.Base(f.Path); {
	case base == "Makefile":
		makes(t, f.Data)
	case base == "Dockerfile":
		builds(t, f.Data)
	case base == "go.mod":
		_, err = modfile.Parse(f.Path, f.Data, nil)
	case strings.HasSuffix(base, ".go"):
		_, err = parser.ParseFile(token.NewFileSet(), f.Path, f.Data, parser.AllErrors)
	case strings.HasSuffix(base, ".json"):
		err = json.Unmarshal(f.Data, new(any))
	case strings.HasSuffix(base, ".rules.yaml"):
		_, errs := rulefmt.Parse(f.Data, false, model.LegacyValidation, promql.NewParser(promql.Options{}), slog.New(slog.DiscardHandler))
		err = errors.Join(errs...)
	case f.Path == "ci":
		runs(t, f)
	case f.Path == "catalog-info.yaml", strings.HasPrefix(f.Path, "deploy/"), strings.HasPrefix(f.Path, "observability/kubernetes/"):
		err = objects(f.Data)
	case strings.HasSuffix(base, ".yaml"), strings.HasSuffix(base, ".yml"):
		err = oneDocument(f.Data)
	case f.Owner == templates.Block:
		_, _, err = templates.FindBlock(f.Data)
	}
	if err != nil {
		t.Errorf("%s: %v\n%s", f.Path, err, f.Data)
	}
}

// makes lets make parse the file and print the commands of one target.
func makes(t *testing.T, data []byte) {
	t.Helper()
	if _, err := exec.LookPath("make"); err != nil {
		t.Log("no make here: the Makefile is compared by line only")
		return
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Makefile"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "make", "-C", dir, "-n", "help").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "awk") || strings.Contains(string(out), "reboot") {
		t.Errorf("make: %v\n%s", err, out)
	}
}

// runs lets bash parse the script and list its stages.
func runs(t *testing.T, f templates.File) {
	t.Helper()
	if f.Mode != 0o755 {
		t.Errorf("%s has the mode %v", f.Path, f.Mode)
	}
	if _, err := exec.LookPath("bash"); err != nil {
		t.Log("no bash here: ./ci is compared by line only")
		return
	}
	name := filepath.Join(t.TempDir(), "ci")
	if err := os.WriteFile(name, f.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "bash", name).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "check  ") || strings.Contains(string(out), "reboot") {
		t.Errorf("./ci: %v\n%s", err, out)
	}
}

var instruction = regexp.MustCompile(`^(#.*|(FROM|USER|WORKDIR|COPY|ARG|RUN|ENV|EXPOSE|ENTRYPOINT) .+|)$`)

func builds(t *testing.T, data []byte) {
	t.Helper()
	for line := range strings.Lines(string(data)) {
		if !instruction.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Errorf("Dockerfile: %q is no instruction", line)
		}
	}
}

func oneDocument(data []byte) error {
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	var document map[string]any
	if err := dec.Decode(&document); err != nil {
		return err
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return errors.New("more than one document")
	}
	return nil
}

// objects parses manifests: each document must be a Kubernetes object. Files without apiVersion,
// such as environment files, are skipped.
func objects(data []byte) error {
	if !strings.Contains(string(data), "apiVersion:") {
		return nil
	}
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	for n := 0; ; n++ {
		var object struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string `yaml:"kind"`
		}
		switch err := dec.Decode(&object); {
		case errors.Is(err, io.EOF) && n > 0:
			return nil
		case err != nil:
			return err
		case object.APIVersion == "" || object.Kind == "":
			return fmt.Errorf("document %d is no object", n)
		}
	}
}

// holds checks that the text is where it belongs, as each language reads it.
func holds(t *testing.T, tree templates.Tree, text string) {
	t.Helper()
	var openapi struct {
		Info struct {
			Description string `json:"description"`
		} `json:"info"`
	}
	if err := json.Unmarshal(data(t, tree, "api/openapi.json"), &openapi); err != nil || openapi.Info.Description != text {
		t.Errorf("api/openapi.json: %q (%v)", openapi.Info.Description, err)
	}
	owner := ownerOf(text)
	if !slices.Contains(literals(t, data(t, tree, "cmd/orders/defaults.gen.go")), owner) {
		t.Error("cmd/orders/defaults.gen.go: no literal is the owner")
	}
	line := strings.Join(strings.Fields(text), " ")
	readme := strings.Split(shown(string(data(t, tree, "README.md"))), "\n")
	for _, want := range []string{line, "Owner: " + owner} {
		if !slices.Contains(readme, want) {
			t.Errorf("README.md has no line %q", want)
		}
	}
	runbook := shown(string(data(t, tree, "observability/runbooks/instances.md")))
	if !strings.Contains(runbook, "Owner: "+owner+". ") {
		t.Errorf("the runbook does not name the owner:\n%s", runbook)
	}
}

func data(t *testing.T, tree templates.Tree, name string) []byte {
	t.Helper()
	f, ok := tree.Find(name)
	if !ok {
		t.Fatalf("%s is missing", name)
	}
	return f.Data
}

func literals(t *testing.T, src []byte) (out []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Error(err)
			}
			out = append(out, text)
		}
		return true
	})
	return out
}

// shown removes the escapes of CommonMark.
func shown(text string) string {
	return regexp.MustCompile("\\\\([!-/:-@[-`{-~])").ReplaceAllString(text, "$1")
}

// linesOf lists the lines of a file without the line breaks of queries, which depend on the
// length of selectors.
func linesOf(data []byte) []string {
	query := -1 // indentation of the key of the block
	return slices.DeleteFunc(strings.Split(string(data), "\n"), func(line string) bool {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if query >= 0 && indent > query {
			return true
		}
		query = -1
		if text := line[indent:]; strings.HasPrefix(text, "expr: ") {
			query = indent
		}
		return false
	})
}

// onlyTextsDiffer compares with a harmless service: the files must be the same, and files for
// people and shells must have the same number of lines.
func onlyTextsDiffer(t *testing.T, tree, plain templates.Tree) {
	t.Helper()
	if len(tree) != len(plain) {
		t.Fatalf("%d files, %d in a harmless service", len(tree), len(plain))
	}
	differing := map[string]int{}
	for i, f := range tree {
		got, want := linesOf(f.Data), linesOf(plain[i].Data)
		if f.Path != plain[i].Path || len(got) != len(want) {
			t.Errorf("%s has %d lines; a harmless %s has %d", f.Path, len(got), plain[i].Path, len(want))
			continue
		}
		for j := range got {
			if got[j] != want[j] {
				differing[f.Path]++
			}
		}
	}
	for name := range differing {
		if strings.HasPrefix(name, "observability/") {
			delete(differing, name) // selectors and annotations add lines, which the parsers above check
		}
	}
	want := map[string]int{
		"README.md": 2, "api/openapi.json": 1, "cmd/orders/defaults.gen.go": 1,
		"deploy/base/servicemonitor.yaml": 1, "deploy/analysis.json": 3, "catalog-info.yaml": 4, "deploy/collector.yaml": 1,
	}
	if diff := cmp.Diff(want, differing); diff != "" {
		t.Errorf("lines that differ (-want +got):\n%s", diff)
	}
}
