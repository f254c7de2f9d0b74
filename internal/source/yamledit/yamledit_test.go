package yamledit_test

import (
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/source/yamledit"
)

func edit(t *testing.T, src string, change func(f *yamledit.File) error) string {
	t.Helper()
	f := yamledit.File{Name: "a.yaml", Src: []byte(src)}
	if err := change(&f); err != nil {
		return "error: " + err.Error()
	}
	return string(f.Src)
}

func path(text string) []string { return strings.Split(text, ".") }

func TestSet(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ src, path, value, want string }{
		"a scalar":                      {"a: 1 # one\nb: 2\n", "a", "3", "a: 3 # one\nb: 2\n"},
		"a scalar with its comment":     {"a: 1 # one\nb: 2\n", "a", "3 # three", "a: 3 # three\nb: 2\n"},
		"a key at the end":              {"a: 1\n\n# End.\n", "b", "2", "a: 1\nb: 2\n\n# End.\n"},
		"no final newline":              {"a: 1", "b", "2", "a: 1\nb: 2"},
		"carriage returns":              {"a: 1\r\nb:\r\n  c: 1\r\n", "b.d", "x: 1\ny: 2", "a: 1\r\nb:\r\n  c: 1\r\n  d:\r\n    x: 1\r\n    y: 2\r\n"},
		"the indentation of the file":   {"a:\n    b: 1\n", "c.d.e", "1", "a:\n    b: 1\nc:\n    d:\n        e: 1\n"},
		"missing parents":               {"a: 1\n", "b.c.d", "# why\ne: 2", "a: 1\nb:\n  c:\n    d:\n      # why\n      e: 2\n"},
		"a null parent":                 {"a: # why\nb: 1\n", "a.c", "2", "a: # why\n  c: 2\nb: 1\n"},
		"an empty value":                {"a:\nb: 1\n", "a", "2", "a: 2\nb: 1\n"},
		"a tilde":                       {"a: ~\nb: 1\n", "a", "2", "a: 2\nb: 1\n"},
		"a block instead of a scalar":   {"a: 1 # why\nb: 1\n", "a", "c: 2", "a: # why\n  c: 2\nb: 1\n"},
		"a scalar instead of a block":   {"a: # why\n  c: 2\n  # end\n# of b\nb: 1\n", "a", "2", "a: 2 # why\n# of b\nb: 1\n"},
		"a block instead of a block":    {"a:\n  c: 2\n  # end\nb: 1\n", "a", "d: 3\ne: 4", "a:\n  d: 3\n  e: 4\nb: 1\n"},
		"a literal instead of a scalar": {"a: 1 # why\nb: 1\n", "a", "|\n  x\n\n  y", "a: |\n  x\n\n  y\nb: 1\n"},
		"a scalar instead of a literal": {"a: |\n  x\n  # x\n\nb: 1\n", "a", "2", "a: 2\n\nb: 1\n"},
		"a literal that keeps breaks":   {"a: |+\n  x\n\nb: 1\n", "c", "2", "a: |+\n  x\n\nb: 1\nc: 2\n"},
		"a flow mapping":                {"a: {b: 1, c: [x, 'y, z']} # why\n", "a.d", "e: 1 # one\nf: 2", "a: {b: 1, c: [x, 'y, z'], d: {e: 1, f: 2}} # why\n"},
		"a value in a flow mapping":     {"a: {b: \"x}\", c: 1}\n", "a.b", "y", "a: {b: y, c: 1}\n"},
		"an empty flow mapping":         {"a: {} # none\n", "a.b", "1", "a: {b: 1} # none\n"},
		"a flow mapping on many lines":  {"a: {\n  b: 1,\n  c: 2\n}\n", "a.d", "3", "a: {\n  b: 1,\n  c: 2,\n  d: 3\n}\n"},
		"a flow key without value":      {"a: {b}\n", "a.b", "1", "a: {b: 1}\n"},
		"JSON":                          {"{\"a\":{\"b\":1}}\n", "a.b", "2", "{\"a\":{\"b\": 2}}\n"},
		"an item by its name":           {"a:\n- name: x\n  b: 1\n- name: y\n", "a.y.b", "2", "a:\n- name: x\n  b: 1\n- name: y\n  b: 2\n"},
		"a whole item":                  {"a:\n  - name: x\n    b: 1\n  - name: y\n", "a.x", "name: x\nc: 3", "a:\n  - name: x\n    c: 3\n  - name: y\n"},
		"a flow item":                   {"a:\n  - {id: x, b: 1}\n", "a.x.c", "2", "a:\n  - {id: x, b: 1, c: 2}\n"},
		"a key that needs quotes":       {"a: 1\n", "8080", "x", "a: 1\n\"8080\": x\n"},
		"a comment inside the last key": {"a:\n  b: 1\n  # more\n\n  # and more\n# next\nc: 1\n", "a.d", "2", "a:\n  b: 1\n  d: 2\n  # more\n\n  # and more\n# next\nc: 1\n"},
		"an alias elsewhere":            {"a: &x 1\nb: *x\nc: 2\n", "c", "3", "a: &x 1\nb: *x\nc: 3\n"},
		"characters of several bytes":   {"\"ä\": {b: 'é', c: 1}\n", "ä.c", "2", "\"ä\": {b: 'é', c: 2}\n"},
		"a byte order mark":             {"\ufeffa: 1\n", "a", "2", "\ufeffa: 2\n"},
		"a plain value on two lines":    {"a: x\n  y\nb: 1\n", "a", "z", "a: z\nb: 1\n"},
		"an anchor":                     {"a: &x 1\nb: *x\n", "a", "2", "error: a.yaml:1:4: aliases may need the anchor &x; remove the anchor, or edit the file by hand"},
		"an alias":                      {"a: &x {c: 1}\nb: *x\n", "b.c", "2", "error: a.yaml:2:4: the alias *x refers to a value that is written elsewhere; write the value here, or edit the file by hand"},
		"a merge key":                   {"a: &x {c: 1}\nb:\n  <<: *x\n", "b.c", "2", "error: a.yaml:3:3: the merge key << adds keys that are written elsewhere; write them here, or edit the file by hand"},
		"a duplicate key":               {"a: 1\na: 2\n", "b", "2", "error: a.yaml:2:1: duplicate key a; keep one"},
		"several documents":             {"a: 1\n---\nb: 2\n", "b", "2", "error: a.yaml:2:1: several documents; write each document to its own file"},
		"a tab":                         {"a:\n\tb: 1\n", "b", "2", "error: a.yaml:2:1: not valid YAML: a tab in the indentation; indent with spaces"},
		"a key of a scalar":             {"a: 1\n", "a.b", "2", "error: a.yaml:1:4: this value has no key b; edit the file by hand"},
		"a key in the form ? a":         {"? a\n: 1\n", "b", "2", "error: a.yaml:1:3: this way to write YAML is not supported; write key: value, or edit the file by hand"},
		"an invalid value":              {"a: 1\n", "b", "{", "error: new value for a.yaml:1:1: not valid YAML: did not find expected node content"},
		"two documents as a value":      {"a: 1\n", "b", "1\n---\n2", "error: a.yaml:1:1: the edit of b would change other values, too; edit the file by hand"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := edit(t, tc.src, func(f *yamledit.File) error { return f.Set(path(tc.path), []byte(tc.value)) })
			if got != tc.want {
				t.Errorf("got\n%q, want\n%q", got, tc.want)
			}
		})
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	order := []string{"a", "b", "c", "d"}
	for name, tc := range map[string]struct{ src, path, want string }{
		"between":                    {"a: 1\n\n# Of d.\nd: 4\n", "b", "a: 1\nb: x\n\n# Of d.\nd: 4\n"},
		"first":                      {"# License.\n\n# Of b.\nb: 1\n", "a", "# License.\n\na: x\n# Of b.\nb: 1\n"},
		"first of a mapping":         {"k: # why\n  # Of b.\n  b: 1\n", "k.a", "k: # why\n  a: x\n  # Of b.\n  b: 1\n"},
		"first of an item":           {"k:\n  - name: n\n    c: 1\n", "k.n.a", "k:\n  - name: n\n    a: x\n    c: 1\n"},
		"first of a flow":            {"k: {b: 1}\n", "k.a", "k: {a: x, b: 1}\n"},
		"another order":              {"d: 1\na: 1\nc: 1\n", "b", "d: 1\na: 1\nb: x\nc: 1\n"},
		"behind breaks of a literal": {"a: |+\n  x\n\nd: 1\n", "b", "a: |+\n  x\n\nb: x\nd: 1\n"},
		"not part of the order":      {"d: 1\na: 1\n", "e", "d: 1\na: 1\ne: x\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := edit(t, tc.src, func(f *yamledit.File) error { return f.Set(path(tc.path), []byte("x"), order...) })
			if got != tc.want {
				t.Errorf("got\n%q, want\n%q", got, tc.want)
			}
			back := edit(t, got, func(f *yamledit.File) error { return f.Delete(path(tc.path)...) })
			if back != tc.src {
				t.Errorf("after Delete got\n%q, want\n%q", back, tc.src)
			}
		})
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ src, path, want string }{
		"with its comments":         {"a: 1\n\n# Of b,\n# really.\nb: 2 # two\n# Of c.\nc: 3\n", "b", "a: 1\n\n# Of c.\nc: 3\n"},
		"another comment stays":     {"a: 1\n# Section.\n\n# Of b.\nb: 2\n", "b", "a: 1\n# Section.\n\n"},
		"the license stays":         {"# License.\na: 1\nb: 2\n", "a", "# License.\nb: 2\n"},
		"the last key of a parent":  {"a: 1\n# Of b.\nb:\n  c: 1\n  # end\nd: 1\n", "b.c", "a: 1\nd: 1\n"},
		"the only key":              {"# License.\na: 1 # one\n", "a", "# License.\n{}\n"},
		"a flow mapping":            {"a: {b: 1} # why\n", "a.b", "a: {} # why\n"},
		"a flow mapping inside":     {"{a: 1, b: {c: 1}}\n", "b.c", "{a: 1, b: {}}\n"},
		"the first of a flow":       {"a: {b: 1, c: 2}\n", "a.b", "a: {c: 2}\n"},
		"a flow on many lines":      {"a: {\n  b: 1, # one\n  c: 2 # two\n}\n", "a.c", "a: {\n  b: 1, # one\n}\n"},
		"an item":                   {"a:\n  # Of x.\n  - name: x\n    b: 1\n  # Of y.\n  - name: y\n", "a.x", "a:\n  # Of y.\n  - name: y\n"},
		"the last item":             {"a: 1\nb:\n- name: x\n", "b.x", "a: 1\n"},
		"the first key of an item":  {"a:\n  - name: x\n    # Of b.\n    b: 1\n", "a.x.name", "a:\n  - # Of b.\n    b: 1\n"},
		"no final newline":          {"a: 1\nb: 2", "b", "a: 1"},
		"a text like a comment":     {"a: |\n  # text\nb: 2\n", "b", "a: |\n  # text\n"},
		"a missing key":             {"a: 1\n", "b", "error: a.yaml:1:1: the key b is missing"},
		"an anchor inside":          {"a: {b: &x 1}\nc: *x\n", "a", "error: a.yaml:1:8: aliases may need the anchor &x; remove the anchor, or edit the file by hand"},
		"the last one of a literal": {"a: 1\nb:\n  c: |\n    x\n\n\nd: 1\n", "b.c", "a: 1\n\n\nd: 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := edit(t, tc.src, func(f *yamledit.File) error { return f.Delete(path(tc.path)...) })
			if got != tc.want {
				t.Errorf("got\n%q, want\n%q", got, tc.want)
			}
		})
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ src, path, value, want string }{
		"a block list":         {"a:\n  - 1 # one\n# next\nb: 1\n", "a", "2", "a:\n  - 1 # one\n  - 2\n# next\nb: 1\n"},
		"at the key's column":  {"a:\n- x: 1\n  y: 2\nb: 1\n", "a", "# why\nx: 3\ny: 4", "a:\n- x: 1\n  y: 2\n# why\n- x: 3\n  y: 4\nb: 1\n"},
		"a flow list":          {"a: [1, 2]\n", "a", "x: 1", "a: [1, 2, {x: 1}]\n"},
		"an empty list":        {"a: []\n", "a", "x", "a: [x]\n"},
		"a missing list":       {"a: 1\n", "b.c", "x: 1\ny: 2", "a: 1\nb:\n  c:\n    - x: 1\n      y: 2\n"},
		"a list without value": {"a:\n", "a", "x", "a:\n  - x\n"},
		"flow items":           {"a:\n  - {x: 1}\n", "a", "x: 2 # two\ny: [z]", "a:\n  - {x: 1}\n  - {x: 2, y: [z]}\n"},
		"block items":          {"a:\n  - x: 1\n", "a", "{x: 2, y: {z: 1}}", "a:\n  - x: 1\n  - x: 2\n    y: {z: 1}\n"},
		"a mapping":            {"a: {}\n", "a", "x", "error: a.yaml:1:4: this is not a list; edit the file by hand"},
		"a list in a flow":     {"{a: 1}\n", "b", "x", "{a: 1, b: [x]}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := edit(t, tc.src, func(f *yamledit.File) error { return f.Append(path(tc.path), []byte(tc.value)) })
			if got != tc.want {
				t.Errorf("got\n%q, want\n%q", got, tc.want)
			}
		})
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	src := "a: 1 # one\nb: # why\n    # Of c.\n    c: |\n      x\n\n      y\n    d: 2\ne: {f: [1, 2]}\nl:\n  - name: x\n    # Of v.\n    v: 1\nn:\n"
	for at, want := range map[string]struct {
		text string
		line int
	}{
		"a": {"1 # one", 1}, "b": {"# Of c.\nc: |\n  x\n\n  y\nd: 2", 2}, "b.c": {"|\n  x\n\n  y", 4}, "e.f": {"[1, 2]", 9},
		"l.x": {"name: x\n# Of v.\nv: 1", 11}, "n": {"", 14}, "o": {"", 0}, "a.b": {"", 0},
	} {
		for _, end := range []string{"\n", "\r\n"} {
			f := yamledit.File{Name: "a.yaml", Src: []byte(strings.ReplaceAll(src, "\n", end))}
			text, line, err := f.Get(path(at)...)
			if err != nil || string(text) != want.text || line != want.line {
				t.Errorf("%s: got %q, line %d, %v; want %q, line %d", at, text, line, err, want.text, want.line)
			}
		}
	}
}

func TestCopy(t *testing.T) {
	t.Parallel()
	from := yamledit.File{Name: "b.yaml", Src: []byte("a: 1\n\n# Of b,\n# really.\nb: # why\n    # Of c.\n    c: 1 # one\nl:\n  - name: x\n  # Of y.\n  - name: y\n    v: 1\nf: {g: 1} # flow\ne: &n 1\n")}
	for name, tc := range map[string]struct{ src, path, want string }{
		"with its comments":            {"a: 1\nf: 1\n", "b", "a: 1\n# Of b,\n# really.\nb: # why\n  # Of c.\n  c: 1 # one\nf: 1\n"},
		"without the one of a parent":  {"a: 1\nf: 1\n", "b.c", "a: 1\nb:\n  # Of c.\n  c: 1 # one\nf: 1\n"},
		"the comment of a present key": {"a: 1\n# Mine.\nb: 2 # two\n", "b", "a: 1\n# Mine.\nb: # two\n  # Of c.\n  c: 1 # one\n"},
		"an item":                      {"l:\n- name: x\n- name: z\n", "l.y", "l:\n- name: x\n# Of y.\n- name: y\n  v: 1\n- name: z\n"},
		"an item of a flow list":       {"l: [{name: x}]\n", "l.y", "l: [{name: x}, {name: y, v: 1}]\n"},
		"a flow value":                 {"a: 1\n", "f.g", "a: 1\nf:\n  g: 1\n"},
		"a missing key":                {"a: 1\n", "z", "error: b.yaml:1:1: the key z is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := edit(t, tc.src, func(f *yamledit.File) error { return f.Copy(from, path(tc.path), "a", "x", "b", "y", "z", "f") })
			if got != tc.want {
				t.Errorf("got\n%q, want\n%q", got, tc.want)
			}
		})
	}
}
