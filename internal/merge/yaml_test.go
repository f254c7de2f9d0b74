package merge_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/merge"
)

// replaced returns a text with replacements, each of which has to occur.
func replaced(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("%q is missing in\n%s", pairs[i], text)
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

func read(t *testing.T, name string) string {
	t.Helper()
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

// Changes of neighboring lines conflict for git, not for the merge of values.
func TestYAML(t *testing.T) {
	t.Parallel()
	lint := read(t, "../../examples/orders/.golangci.yml")
	workflow := read(t, "../../examples/orders/.github/workflows/orders.yml")
	list := "steps:\n  - name: a\n    run: x\n  - name: b\n    run: y\n"
	for name, tc := range map[string]struct {
		base       string
		mine, next []string
		want       []string // nil if they conflict
	}{
		"neighboring settings of golangci-lint": {
			lint,
			[]string{"snake\n", "camel # as our other services\n"}, []string{"static-msg: true", "static-msg: false\n      context: scope"},
			[]string{"snake\n", "camel # as our other services\n", "static-msg: true", "static-msg: false\n      context: scope"},
		},
		"neighboring keys of a workflow": {
			workflow,
			[]string{"runs-on: ubuntu-24.04", "runs-on: our-runners # bigger"}, []string{"timeout-minutes: 45\n", "timeout-minutes: 50\n    env: {CGO_ENABLED: '0'} # static\n"},
			[]string{"runs-on: ubuntu-24.04", "runs-on: our-runners # bigger", "timeout-minutes: 45\n", "timeout-minutes: 50\n    env: {CGO_ENABLED: '0'} # static\n"},
		},
		"the same setting":                    {lint, []string{"snake\n", "camel\n"}, []string{"snake\n", "kebab\n"}, nil},
		"a list without names":                {lint, []string{"- gofmt\n", "- gofumpt\n"}, []string{"- goimports\n", "- gci\n"}, nil},
		"items with names":                    {list, []string{"run: x", "run: x1"}, []string{"- name: b", "- name: n\n    run: z\n  - name: b"}, []string{"run: x", "run: x1", "- name: b", "- name: n\n    run: z\n  - name: b"}},
		"a new key with comments":             {"a:\n  b: 1\n  d: 2\n", []string{"d: 2", "d: 3"}, []string{"  d: 2", "  # Why c.\n  c: # now\n    # Why e.\n    e: 1\n  d: 2"}, []string{"  d: 2", "  # Why c.\n  c: # now\n    # Why e.\n    e: 1\n  d: 3"}},
		"a removed and a changed key":         {"a: 1\nb: 2\nc: 3\n", []string{"b: 2", "b: 4"}, []string{"c: 3\n", ""}, []string{"b: 2", "b: 4", "c: 3\n", ""}},
		"removed by new, changed by mine":     {"a: 1\nb: 2\nc: 3\n", []string{"b: 2", "b: 4"}, []string{"b: 2\n", ""}, nil},
		"removed by mine, added below":        {"a: 1\nb:\n  c: 1\nd: 1\n", []string{"b:\n  c: 1\n", ""}, []string{"  c: 1\n", "  c: 1\n  e: 1\n"}, nil},
		"the last key of each side":           {"a:\n  b: 1\n  c: 1\nd: 1\n", []string{"  b: 1\n", ""}, []string{"  c: 1\n", ""}, nil},
		"both added the same":                 {"a: 1\nb: 1\n", []string{"b: 1\n", "b: 2\nc: 3\n"}, []string{"a: 1\nb: 1\n", "a: 2\nb: 1\nc: 3\n"}, []string{"a: 1\nb: 1", "a: 2\nb: 2\nc: 3"}},
		"items in another order":              {list, []string{"run: y", "run: y1"}, []string{list, "steps:\n  - name: b\n    run: y\n  - name: a\n    run: x\n"}, nil},
		"a comment of mine in a changed list": {"a:\n  - x\n  - y\n", []string{"- x", "- x # mine"}, []string{"- x", "- z"}, nil},
		"a comment of mine at a removed key":  {"a: 1\nb: 2\nc: 3\n", []string{"b: 2", "b: 2 # mine"}, []string{"b: 2\n", ""}, nil},
		"a list emptied by mine":              {list, []string{list, "steps:\n"}, []string{"run: y", "run: y\n  - name: c\n    run: z"}, nil},
		"an anchor":                           {"a: &x 1\nc: 1\nb: *x\n", []string{"c: 1", "c: 2"}, []string{"a: &x 1", "a: &x 2"}, nil},
		"not YAML":                            {"a: 1\nb: 2\n", []string{"a: 1", "a: ["}, []string{"b: 2", "b: 3"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, end := range []string{"\n", "\r\n"} {
				mine := strings.ReplaceAll(replaced(t, tc.base, tc.mine...), "\n", end)
				s := merge.Sides{Base: []byte(tc.base), Mine: []byte(mine), New: []byte(replaced(t, tc.base, tc.next...))}
				lines, err := merge.File("a.txt", s)
				if err != nil || !lines.Conflicts {
					t.Fatalf("the lines do not conflict: %v\n%s", err, lines.Data)
				}
				got, err := merge.File("a.yml", s)
				if err != nil {
					t.Fatal(err)
				}
				want := string(lines.Data)
				if tc.want != nil {
					want = strings.ReplaceAll(replaced(t, tc.base, tc.want...), "\n", end)
				}
				if string(got.Data) != want || got.Conflicts != (tc.want == nil) {
					t.Errorf("got %t\n%q\nwant\n%q", got.Conflicts, got.Data, want)
				}
			}
		})
	}
}

// A merge has each value that a side changed, and the user's comments.
func TestYAMLMergesLoseNoValue(t *testing.T) {
	t.Parallel()
	count, merged := 500, 0
	if testing.Short() {
		count = 30
	}
	for i := range count {
		r := rand.New(rand.NewPCG(uint64(i), 3))
		var base, mine, next bytes.Buffer
		changed := map[string][2]bool{}
		for job := range 3 {
			for _, b := range []*bytes.Buffer{&base, &mine, &next} {
				fmt.Fprintf(b, "j%d:\n", job)
			}
			for key := range 4 {
				by := [2]bool{r.IntN(4) == 0, r.IntN(4) == 0}
				changed[fmt.Sprintf("j%d.k%d", job, key)] = by
				fmt.Fprintf(&base, "  k%d: 0\n", key)
				for side, b := range []*bytes.Buffer{&mine, &next} {
					if by[side] {
						fmt.Fprintf(b, "  k%d: %d # of %d\n", key, side+1, side)
					} else {
						fmt.Fprintf(b, "  k%d: 0\n", key)
					}
				}
			}
		}
		got, err := merge.File("a.yaml", merge.Sides{Base: base.Bytes(), Mine: mine.Bytes(), New: next.Bytes()})
		if err != nil {
			t.Fatal(err)
		}
		if got.Conflicts {
			continue
		}
		merged++
		var values map[string]map[string]int
		if err := yaml.Unmarshal(got.Data, &values); err != nil {
			t.Fatal(err)
		}
		for path, by := range changed {
			job, key, _ := strings.Cut(path, ".")
			want := map[[2]bool]int{{true, false}: 1, {false, true}: 2}[by]
			if values[job][key] != want || by[0] && by[1] {
				t.Errorf("%s: got %d, want %d\n%s", path, values[job][key], want, got.Data)
			}
		}
		if want := bytes.Count(mine.Bytes(), []byte("# of 0")); bytes.Count(got.Data, []byte("# of 0")) != want {
			t.Errorf("comments of the user are lost:\n%s", got.Data)
		}
	}
	if merged < count/4 {
		t.Errorf("only %d merges without conflicts", merged)
	}
}
