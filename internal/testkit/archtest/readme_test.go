package archtest

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	runtimeReadme = "../../../runtime/README.md"
	benchmarks    = "../../../docs/benchmarks.md"
)

// The Go blocks of the README are functions of tested files, which the comments before them name. In
// tests they have a suffix, as in runChi; in the README they are main and run.
func TestRuntimeReadmeShowsTestedCode(t *testing.T) {
	t.Parallel()
	tested := map[string]string{}
	for _, path := range []string{"../../../runtime/adopt_test.go", "../../../test/bench/adopt_test.go", "../../../test/routers/adopt_test.go"} {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(tested, functions(t, path, src))
	}
	readme := readText(t, runtimeReadme)
	blocks := regexp.MustCompile("(?s)<!-- tested as ([^\n]+) -->\n```go\n(.*?)```").FindAllStringSubmatch(readme, -1)
	if all := strings.Count(readme, "```go"); len(blocks) == 0 || len(blocks) != all {
		t.Errorf("%d of %d Go blocks have a comment with the tested functions", len(blocks), all)
	}
	readersNames := regexp.MustCompile(`\b(main|run|orders|authorize|getOrder)(?:Before)?(?:Chi|Mux|Connect|Gin|Echo|Gorilla)\b`)
	for _, block := range blocks {
		shown := functions(t, "README.md", []byte("package p\n\n"+block[2]))
		names := strings.Fields(block[1])
		if len(shown) != len(names) {
			t.Errorf("a Go block shows %d functions and names %v", len(shown), names)
		}
		for _, name := range names {
			text := readersNames.ReplaceAllString(tested[name], "$1")
			if got := shown[readersNames.ReplaceAllString(name, "$1")]; text == "" || got != text {
				t.Errorf("%s in the README is\n%s\nand in the tests\n%s", name, got, text)
			}
		}
	}
}

// functions returns the formatted functions of a file by name.
func functions(t *testing.T, path string, src []byte) map[string]string {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, src, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		var b bytes.Buffer
		if err := format.Node(&b, set, fn); err != nil {
			t.Fatal(err)
		}
		found[fn.Name.Name] = b.String()
	}
	return found
}

func TestNamesInDocumentsExist(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	inRuntime := testsBelow(t, "../../../runtime", "../../../test")
	inAll := testsBelow(t, "../../../cmd", "../../../dashboards", "../../../internal", "../../../runtime", "../../../slo", "../../../templates", "../../../test")
	for path, known := range map[string]func(string) bool{runtimeReadme: inRuntime, benchmarks: inAll} {
		text := readText(t, path)
		for _, name := range regexp.MustCompile(`\b(?:Test|Benchmark|Example)[A-Z]\w+`).FindAllString(text, -1) {
			if !known(name) {
				t.Errorf("%s names %s, which does not exist", path, name)
			}
		}
		for _, m := range regexp.MustCompile("`make ([a-z-]+)").FindAllStringSubmatch(text, -1) {
			if !bytes.Contains(makefile, []byte("\n"+m[1]+":")) {
				t.Errorf("%s names the target %s, which does not exist", path, m[1])
			}
		}
		for _, m := range regexp.MustCompile(`-(?:run|bench) '?\^?(\w+)`).FindAllStringSubmatch(text, -1) {
			if !known(m[1]) {
				t.Errorf("%s runs %s, which no test is called", path, m[1])
			}
		}
		for _, m := range regexp.MustCompile(`cd ([a-z/]+) && go test`).FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join("../../..", m[1])); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestRuntimeFiguresAreTheSameInBothDocuments(t *testing.T) {
	t.Parallel()
	_, figures, found := strings.Cut(readText(t, runtimeReadme), "\n## Numbers\n")
	rows := regexp.MustCompile(`(?m)^\| .* \|$`).FindAllString(figures, -1)
	if !found || len(rows) < 10 {
		t.Fatalf("the README has %d rows of figures", len(rows))
	}
	all := readText(t, benchmarks)
	for _, row := range rows[1:] { // the columns have other names
		if !strings.Contains(all, row+"\n") {
			t.Errorf("docs/benchmarks.md does not have this row of runtime/README.md:\n%s", row)
		}
	}
}

// testsBelow returns a function that reports whether a text is in the name of a test below the
// directories, as -run does.
func testsBelow(t *testing.T, roots ...string) func(string) bool {
	t.Helper()
	var all strings.Builder
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			src, err := os.ReadFile(path)
			all.Write(src)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	names := regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Example)\w*)\(`).FindAllString(all.String(), -1)
	return func(part string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, part) })
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPathsInLayoutExist(t *testing.T) {
	t.Parallel()
	text := readText(t, filepath.Join(top, "docs", "layout.md"))
	paths := regexp.MustCompile("(?m)(?:`| )((?:cmd|internal|templates|dashboards|slo|runtime|test|examples)(?:/[\\w.*/-]+)?)(?:`|,|\\s|$)").FindAllStringSubmatch(text, -1)
	if len(paths) < 60 {
		t.Errorf("only %d paths found", len(paths))
	}
	for _, m := range paths {
		found, err := filepath.Glob(filepath.Join(top, m[1]))
		if err != nil || len(found) == 0 {
			t.Errorf("docs/layout.md names %s, which does not exist", m[1])
		}
	}
}

// The diagram in docs/layout.md has all directories below internal, which are few.
func TestLayoutHasAllDirectoriesBelowInternal(t *testing.T) {
	t.Parallel()
	const most = 13
	text := readText(t, filepath.Join(top, "docs", "layout.md"))
	entries, err := os.ReadDir(filepath.Join(top, "internal"))
	if err != nil || len(entries) < 5 || len(entries) > most {
		t.Errorf("%d directories, %v; want at most %d", len(entries), err, most)
	}
	for _, e := range entries {
		if named := regexp.MustCompile(`(?m)^ .*\binternal/` + e.Name() + `\b`); !named.MatchString(text) {
			t.Errorf("the diagram in docs/layout.md does not have internal/%s", e.Name())
		}
	}
}
