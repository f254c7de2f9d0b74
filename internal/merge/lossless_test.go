package merge_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"

	"github.com/observability-first/scaffold/internal/merge"
)

// format makes random files of a format.
type format struct {
	name string
	// source returns a file by lines.
	source func(r *rand.Rand) []string
	// line returns a new line with the mark, for the position at in the file. It replaces the one there, or is inserted.
	line func(r *rand.Rand, lines []string, at int, replaces bool, mark string) string
	// fixed reports whether the line at the position must stay, so that the file is valid.
	fixed func(lines []string, at int) bool
	// asText means that no structure is merged: the result is that of git merge-file.
	asText bool
	// weight is the number of merges among a hundred.
	weight int
}

func formats() []format {
	text := func(r *rand.Rand, _ []string, _ int, _ bool, mark string) string {
		return strings.Repeat("\t", r.IntN(2)) + mark
	}
	free := func([]string, int) bool { return false }
	return []format{
		{"Makefile", source, text, free, true, 40},
		{"main.go", goSource, goLine, free, false, 20},
		{"ci.yaml", yamlSource, yamlLine, func(lines []string, at int) bool { return strings.HasSuffix(lines[at], ":") }, false, 20},
		{"openapi.json", jsonSource, jsonLine, func(lines []string, at int) bool { return len(lines[at]) == 1 }, false, 10},
		{"go.mod", moduleSource, moduleLine, func(lines []string, at int) bool { return !strings.HasPrefix(lines[at], "\tx.test/") }, false, 10},
	}
}

// No line that a side added is lost: it is in the result, or between markers. Texts are merged as git merge-file does.
func TestMergesLoseNoLine(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal(err)
	}
	merges := 10_000
	if testing.Short() {
		merges = 200
	}
	for _, f := range formats() {
		const parts = 4
		for part := range parts {
			t.Run(fmt.Sprintf("%s/%d", f.name, part), func(t *testing.T) {
				t.Parallel()
				count, conflicts, dir := merges*f.weight/100/parts, 0, t.TempDir()
				for i := range count {
					if mergesRandom(t, f, uint64(part*count+i), dir) {
						conflicts++
					}
				}
				if never := f.name == "go.mod"; !testing.Short() && (conflicts == 0) != never || conflicts == count {
					t.Errorf("%d of %d merges have conflicts", conflicts, count)
				}
			})
		}
	}
}

// mergesRandom merges random edits of both sides, with files of git in dir, and reports whether they conflict.
func mergesRandom(t *testing.T, f format, seed uint64, dir string) (conflicts bool) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, uint64(len(f.name))))
	base := f.source(r)
	mine, mineMarks := edited(r, f, base, fmt.Sprintf("mine%d", seed))
	next, newMarks := edited(r, f, base, fmt.Sprintf("new%d", seed))
	s := merge.Sides{Base: joined(f, base), Mine: joined(f, mine), New: joined(f, next)}
	if f.asText && r.IntN(8) == 0 {
		s.Mine = bytes.TrimSuffix(s.Mine, []byte("\n"))
	}
	if r.IntN(8) == 0 && f.name != "go.mod" {
		s.Mine = bytes.ReplaceAll(s.Mine, []byte("\n"), []byte("\r\n"))
	}
	got, err := merge.File(f.name, s)
	if err != nil {
		t.Fatalf("merge %d: %v\nbase\n%s\nmine\n%s\nnew\n%s", seed, err, s.Base, s.Mine, s.New)
	}
	fail := func(problem string, args ...any) {
		t.Fatalf("merge %d: %s:\n%s\nbase\n%s\nmine\n%s\nnew\n%s", seed, fmt.Sprintf(problem, args...), got.Data, s.Base, s.Mine, s.New)
	}
	if got.Conflicts && !merge.Marks(f.name, got.Data) {
		if !bytes.Equal(got.Data, s.Mine) {
			fail("the user's file is changed")
		}
		return true // the template's version is in .scaffold/open
	}
	for _, mark := range append(mineMarks, newMarks...) {
		if !bytes.Contains(got.Data, []byte(mark)) {
			fail("%q is lost", mark)
		}
	}
	switch {
	case f.asText:
		if want := gitMerge(t, s, dir); string(got.Data) != want {
			fail("got this, but git merge-file gives %q", want)
		}
	case f.name == "openapi.json":
		if !json.Valid(got.Data) {
			fail("not JSON")
		}
	case f.name == "go.mod":
		if problem := lowered(t, s, got.Data); problem != "" {
			fail("%s", problem)
		}
	}
	return got.Conflicts
}

// gitMerge returns what git merge-file prints, with the line ends of the user.
func gitMerge(t *testing.T, s merge.Sides, dir string) string {
	t.Helper()
	var names []string
	for i, data := range [][]byte{s.Mine, s.Base, s.New} {
		name := filepath.Join(dir, strconv.Itoa(i))
		if err := os.WriteFile(name, bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	args := append([]string{"merge-file", "-p", "--diff3", "-L", "yours", "-L", "as scaffold wrote it last", "-L", "new from scaffold"}, names...)
	out, err := exec.CommandContext(t.Context(), "git", args...).Output()
	if exit, ended := errors.AsType[*exec.ExitError](err); err != nil && (!ended || exit.ExitCode() > 127) {
		t.Fatal(err)
	}
	if bytes.Contains(s.Mine, []byte("\r\n")) {
		return strings.ReplaceAll(string(out), "\n", "\r\n")
	}
	return string(out)
}

// lowered names a requirement with a lower version than on a side that changed it.
func lowered(t *testing.T, s merge.Sides, merged []byte) string {
	t.Helper()
	versions := func(data []byte) map[string]string {
		f, err := modfile.Parse("go.mod", data, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		out := map[string]string{}
		for _, r := range f.Require {
			out[r.Mod.Path] = r.Mod.Version
		}
		return out
	}
	base, got := versions(s.Base), versions(merged)
	for _, side := range [][]byte{s.Mine, s.New} {
		for path, version := range versions(side) {
			has, present := got[path]
			if version != base[path] && present && semver.Compare(has, version) < 0 {
				return fmt.Sprintf("%s %s is lowered to %q", path, version, has)
			}
		}
	}
	return ""
}

func joined(f format, lines []string) []byte {
	if f.name != "openapi.json" {
		return []byte(strings.Join(lines, "\n") + "\n")
	}
	var b strings.Builder
	for i, line := range lines {
		b.WriteString(line)
		if len(line) > 1 && len(lines[i+1]) > 1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	return []byte(b.String())
}

// edited returns the lines with up to three edits, and the marks of the lines that they add.
func edited(r *rand.Rand, f format, lines []string, name string) (out, marks []string) {
	out = slices.Clone(lines)
	for edit := range 1 + r.IntN(3) {
		at := 1 + r.IntN(len(out)-1)
		mark := fmt.Sprintf("%sx%d", name, edit)
		kind := r.IntN(3)
		if kind != 0 && f.fixed(out, at) {
			continue
		}
		switch kind {
		case 0:
			out = slices.Insert(out, at, f.line(r, out, at, false, mark))
		case 1:
			out = slices.Delete(out, at, at+1)
		default:
			out[at] = f.line(r, out, at, true, mark)
		}
		marks = append(marks, mark)
	}
	text := strings.Join(out, "\n")
	return out, slices.DeleteFunc(marks, func(mark string) bool { return !strings.Contains(text, mark) })
}

// source returns lines like those of code, many of which repeat.
func source(r *rand.Rand) []string {
	common := []string{"", "}", "\treturn nil", "\tif err != nil {", "\t\treturn err", "\t}"}
	var out []string
	for i := range 40 {
		if r.IntN(2) == 0 {
			out = append(out, common[r.IntN(len(common))])
			continue
		}
		out = append(out, fmt.Sprintf("line %d", i))
	}
	return out
}

func goSource(r *rand.Rand) []string {
	out := []string{"package main", "", "import ("}
	for i := range 6 {
		out = append(out, fmt.Sprintf("\t\"x.test/p%d\"", i))
	}
	return append(append(out, ")", ""), source(r)...)
}

// goLine returns an import between imports.
func goLine(_ *rand.Rand, lines []string, at int, _ bool, mark string) string {
	if at > 2 && at <= slices.Index(lines, ")") {
		return "\t\"x.test/" + mark + "\""
	}
	return "\t" + mark
}

func yamlSource(*rand.Rand) []string {
	var out []string
	for job := range 4 {
		out = append(out, fmt.Sprintf("job%d:", job), fmt.Sprintf("  runs%d: 1", job))
		for key := range 4 {
			out = append(out, fmt.Sprintf("  k%d%d: 1", job, key))
		}
	}
	return out
}

// yamlLine returns a key, a key with a comment or a comment. A line that is replaced keeps its key.
func yamlLine(r *rand.Rand, lines []string, at int, _ bool, mark string) string {
	switch r.IntN(4) {
	case 0:
		return "  # " + mark
	case 1:
		if key, _, found := strings.Cut(lines[at], ":"); found && strings.HasPrefix(key, "  k") && strings.Contains(lines[at], ": 1") {
			return "  " + mark + ": 1 # by " + mark
		}
	}
	return "  " + mark + ": 1"
}

func jsonSource(*rand.Rand) []string {
	out := []string{"{"}
	for i := range 20 {
		out = append(out, fmt.Sprintf("  \"k%d\": 1", i))
	}
	return append(out, "}")
}

func jsonLine(_ *rand.Rand, _ []string, _ int, _ bool, mark string) string {
	return `  "` + mark + `": 1`
}

func moduleSource(*rand.Rand) []string {
	out := []string{"module x.test/orders", "", "go 1.26.0", "", "require ("}
	for i := range 8 {
		out = append(out, fmt.Sprintf("\tx.test/m%d v1.0.%d", i, i))
	}
	return append(out, ")", "", "replace x.test/m1 => ../m1")
}

// moduleLine returns a requirement, with a higher version instead of another requirement, or another line after them.
func moduleLine(r *rand.Rand, lines []string, at int, replaces bool, mark string) string {
	if from := slices.Index(lines, "require ("); at <= from || at > slices.Index(lines, ")") {
		return []string{"", "exclude x.test/" + mark + " v1.0.0", "tool x.test/" + mark}[r.IntN(3)]
	}
	if path, version, found := strings.Cut(strings.TrimSpace(lines[at]), " v1.0."); found && replaces {
		return fmt.Sprintf("\t%s v1.%d.%s", path, 1+r.IntN(9), version)
	}
	return []string{"\tx.test/" + mark + " v1.0.0", "\tx.test/" + mark + " v1.1.0 // indirect"}[r.IntN(2)]
}
