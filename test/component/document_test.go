package component_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/testkit/golden"
	"github.com/observability-first/scaffold/templates/component"
)

const document = "../../docs/components.md"

// quotes returns the marked blocks of the document that begin with a mark, such as a file of heartbeat.
func quotes(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, block := range regexp.MustCompile("(?s)<!-- ([^\n]+) -->\n```\\w+\n(.*?)```").FindAllStringSubmatch(read(t, document), -1) {
		out[block[1]] = append(out[block[1]], block[2])
	}
	return out
}

// Each block after the name of a file is in that file.
func TestQuotesAreInTheFiles(t *testing.T) {
	t.Parallel()
	quoted := 0
	for file, blocks := range quotes(t) {
		if strings.Contains(file, " ") {
			continue // an output, which the end-to-end test compares
		}
		text := read(t, filepath.Join(name, file))
		for _, block := range blocks {
			quoted++
			if !strings.Contains(text, block) {
				t.Errorf("docs/components.md quotes what %s does not have:\n%s", file, block)
			}
		}
	}
	if quoted < 8 {
		t.Errorf("only %d quotes", quoted)
	}
}

func TestAllPartsAreDescribed(t *testing.T) {
	t.Parallel()
	var described []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?`) \\|").FindAllStringSubmatch(read(t, document), -1) {
		described = append(described, strings.Split(row[1], ", ")...)
	}
	for part := range reflect.TypeFor[component.Parts]().Fields() {
		if !slices.Contains(described, "`"+part.Name+"`") {
			t.Errorf("docs/components.md does not describe the part %s", part.Name)
		}
	}
}

// The list of slots follows from the templates; -update rewrites it. The test is not parallel, since others read the document.
func TestAllSlotsAreListed(t *testing.T) {
	const begin, end = "<!-- slots -->\n", "<!-- end of slots -->\n"
	before, rest, found := strings.Cut(read(t, document), begin)
	_, after, ends := strings.Cut(rest, end)
	if !found || !ends {
		t.Fatal("docs/components.md has no list of slots")
	}
	golden.Compare(t, document, []byte(before+begin+slotTable(t)+end+after))
}

func slotTable(t *testing.T) string {
	t.Helper()
	var files []string
	slots := map[string][]string{}
	add := func(path, shown string) {
		for _, m := range regexp.MustCompile(`\bslot "([^"]+)"`).FindAllStringSubmatch(read(t, path), -1) {
			if slot := "`" + m[1] + "`"; !slices.Contains(slots[shown], slot) {
				slots[shown] = append(slots[shown], slot)
			}
		}
		if len(slots[shown]) > 0 && !slices.Contains(files, shown) {
			files = append(files, shown)
		}
	}
	patterns, err := filepath.Glob("../../templates/patterns/*/[fs]*s") // files and slots, which have slots for components
	must(t, err)
	for _, dir := range append([]string{"../../templates/files/service"}, patterns...) {
		must(t, fs.WalkDir(os.DirFS(dir), ".", func(file string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				shown := strings.TrimSuffix(file, ".tmpl")
				if strings.HasPrefix(file, "deploy/terraform/") {
					shown = path.Dir(file) // its files have few slots each
				}
				add(filepath.Join(dir, file), strings.Replace(shown, "readme", "README.md", 1))
			}
			return err
		}))
	}
	add("../../slo/runbook.md.tmpl", "observability/runbooks")
	if len(files) < 15 {
		t.Errorf("only %d templates have slots", len(files))
	}
	var table strings.Builder
	table.WriteString("| template | slots |\n|---|---|\n")
	for _, file := range files {
		fmt.Fprintf(&table, "| `%s` | %s |\n", file, strings.Join(slots[file], " "))
	}
	return table.String()
}
