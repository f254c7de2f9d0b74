package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// Budgets of hand-written code, as in well-known Go libraries.
const (
	maxFunction = 60  // lines
	p90Function = 30  // lines
	maxFile     = 400 // lines
)

// source is a hand-written Go file that is not a test.
type source struct {
	path string
	file *ast.File
	set  *token.FileSet
}

// sources returns the files of all top-level directories except examples and hidden ones, and of
// more directories.
func sources(t *testing.T, more ...string) []source {
	t.Helper()
	entries, err := os.ReadDir(top)
	if err != nil {
		t.Fatal(err)
	}
	dirs := more
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !slices.Contains([]string{"demo", "examples"}, e.Name()) { // make demo generates demo
			dirs = append(dirs, e.Name())
		}
	}
	var all []source
	for _, dir := range dirs {
		dir = filepath.Join(top, dir)
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Name() == "node_modules" {
				return fs.SkipDir // third-party files
			}
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "testdata") {
				return err
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
			all = append(all, source{path, file, set})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < 20 {
		t.Fatalf("only %d files found", len(all))
	}
	return all
}

func (s source) lines(n ast.Node) int {
	return s.set.Position(n.End()).Line - s.set.Position(n.Pos()).Line + 1
}

func (s source) at(n ast.Node) string { return s.set.Position(n.Pos()).String() }

func TestFunctionsAndFilesAreShort(t *testing.T) {
	t.Parallel()
	var lengths []int
	for _, s := range sources(t) {
		if n := s.lines(s.file); n > maxFile {
			t.Errorf("%s has %d lines, more than %d", s.path, n, maxFile)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := s.lines(f)
			lengths = append(lengths, n)
			if n > maxFunction {
				t.Errorf("%s: %s has %d lines, more than %d", s.at(f), f.Name.Name, n, maxFunction)
			}
		}
	}
	slices.Sort(lengths)
	if p90 := lengths[len(lengths)*9/10]; p90 > p90Function {
		t.Errorf("the 90th percentile of function lengths is %d lines, more than %d", p90, p90Function)
	}
}

func TestNoInit(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: init function; call it explicitly", s.at(f))
			}
		}
	}
}

func TestPackagesHaveComments(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	for _, s := range sources(t) {
		dir := filepath.Dir(s.path)
		documented[dir] = documented[dir] || s.file.Doc != nil
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

var blame = regexp.MustCompile(`^(failed to|could not|cannot|can't|unable to|error )`)

func TestMessagesDoNotBeginWithFailedTo(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if text, ok := literal(n); ok && blame.MatchString(text) {
				t.Errorf("%s: %q; write what is wrong and what to do", s.at(n), text)
			}
			return true
		})
	}
}

// Metric names are constants of semconv, except those of client_golang's Go and process collectors.
func TestMetricNamesAreConstants(t *testing.T) {
	t.Parallel()
	names := metricNames(t)
	for _, s := range sources(t) {
		if strings.Contains(s.path, "runtime/semconv/") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			text, ok := literal(n)
			for _, name := range names {
				if ok && containsName(text, name) {
					t.Errorf("%s: %q is a constant of package semconv; use it", s.at(n), name)
				}
			}
			return true
		})
	}
}

// metricNames returns the metric names in semconv, except up, which is an English word.
func metricNames(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../../runtime/semconv/metrics.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		if text, ok := literal(n); ok && text != semconv.Up {
			names = append(names, text)
		}
		return true
	})
	if len(names) < 10 {
		t.Fatalf("found only %v", names)
	}
	return names
}

func containsName(text, name string) bool {
	i := strings.Index(text, name)
	return i >= 0 && !wordAt(text, i-1) && !wordAt(text, i+len(name))
}

func wordAt(text string, i int) bool {
	return i >= 0 && i < len(text) && (text[i] == '_' || text[i] >= 'a' && text[i] <= 'z')
}

func literal(n ast.Node) (string, bool) {
	lit, ok := n.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

// The runtime needs its own license file: services that replace the module by its directory vendor only
// that directory.
func TestRuntimeHasTheLicense(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, name := range []string{"../../../LICENSE", "../../../runtime/LICENSE"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	if texts[0] != texts[1] {
		t.Error("LICENSE and runtime/LICENSE differ; copy one to the other")
	}
}
