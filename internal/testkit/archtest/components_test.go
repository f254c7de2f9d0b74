package archtest

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/templates/components"
)

// namedOutside are the lines outside of the directories of components that may name one.
func namedOutside() []struct{ file, line, why string } {
	return []struct{ file, line, why string }{
		{"templates/components/components.go", `^\t(".*/templates/components/\w+"|\w+ +\*\w+\.Options .*)$`, "the registry: one line for each component, and its import"},
		{"internal/cli/new.go", `^\t\tExample: `, "help shows a command that works"},
		{"internal/cli/add.go", `^\t\tExample: `, "help shows a command that works"},
		{"internal/cli/components.go", `^\t\tExample: `, "help shows a command that works"},
	}
}

// What scaffold knows about a component is in its directory (ADR 021). The library of services, examples, documents and
// tests are not meant.
func TestComponentsAreNamedOnlyInTheirDirectories(t *testing.T) {
	t.Parallel()
	names := components.Names()
	used, files := map[string]bool{}, 0
	for _, dir := range []string{"templates", "dashboards", "slo", "internal", "cmd"} {
		err := fs.WalkDir(os.DirFS(top), dir, func(file string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && slices.Contains([]string{"testdata", "testkit", "recorded"}, entry.Name()): // recorded: names of modules
				return fs.SkipDir
			case entry.IsDir() || strings.HasSuffix(file, "_test.go") || path.Ext(file) == ".svg":
				return nil
			}
			files++
			for number, line := range strings.Split(readText(t, filepath.Join(top, file)), "\n") {
				for _, name := range namedIn(line, names) {
					if strings.HasPrefix(file, "templates/components/"+name+"/") {
						continue
					}
					if why := exception(file, line); why != "" {
						used[why] = true
						continue
					}
					t.Errorf("%s:%d names the component %s; move it to templates/components/%[3]s: %s", file, number+1, name, strings.TrimSpace(line))
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 300 {
		t.Errorf("only %d files were read", files)
	}
	for _, e := range namedOutside() {
		if !used[e.why] {
			t.Errorf("remove the exception of %s: no line needs it", e.file)
		}
	}
}

// namedIn returns the components that a line names, also as part of a word: PostgreSQL, POSTGRES_URL, HTTPClient.
func namedIn(line string, names []string) []string {
	line = strings.ToLower(line)
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !strings.Contains(line, name) })
}

// exception returns why a line may name a component, or "".
func exception(file, line string) string {
	for _, e := range namedOutside() {
		if e.file == file && regexp.MustCompile(e.line).MatchString(line) {
			return e.why
		}
	}
	return ""
}
