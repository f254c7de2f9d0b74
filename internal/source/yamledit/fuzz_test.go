package yamledit_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/yamledit"
)

// seeds returns YAML files of this repository.
func seeds(t testing.TB) [][]byte {
	t.Helper()
	var out [][]byte
	for _, pattern := range []string{
		"../../../examples/*/scaffold.yaml", "../../../examples/orders/.*.yml", "../../../examples/orders/.github/workflows/*.yml",
		"../../../examples/orders/deploy/*/*.yaml", "../../../templates/files/service/*/*.yaml.tmpl",
	} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, src)
		}
	}
	if len(out) < 15 {
		t.Fatalf("only %d files found", len(out))
	}
	return out
}

// values are new values of all styles.
func values() []string {
	return []string{
		"1", "text # why", "'a: #'", "{a: 1, b: [c, 'd e']}", "a: 1 # one\nb:\n  - c\n  - d: 1\n    e: 2\n", "# why\na: {}\n", "- x\n- y: 1\n  z: 2\n",
		"|\n  one\n\n  # two\n", ">-\n  one\n  two\n", "\"a\\tb\"", "", "~", "[]", "a\nb", "# c\ntext",
	}
}

func FuzzEdit(f *testing.F) {
	for i, src := range seeds(f) {
		f.Add(src, uint64(i))
		f.Add(bytes.ReplaceAll(src, []byte("\n"), []byte("\r\n")), uint64(i+100))
	}
	f.Fuzz(func(t *testing.T, src []byte, seed uint64) {
		checkEdits(t, src, rand.New(rand.NewPCG(seed, 1)))
	})
}

func TestEditsOfFiles(t *testing.T) {
	t.Parallel()
	all := seeds(t)
	checkMany(t, 100*len(all), func(r *rand.Rand) []byte {
		src := all[r.IntN(len(all))]
		if bytes.Contains(src, []byte("\n---\n")) {
			return nil
		}
		return src
	})
}

func TestEditsOfRandomFiles(t *testing.T) {
	t.Parallel()
	count := 20000
	if testing.Short() {
		count = 1000
	}
	checkMany(t, count, randomFile)
}

// checkMany makes edits. Some are impossible, as before a comment that would become part of a literal.
func checkMany(t *testing.T, count int, file func(*rand.Rand) []byte) {
	t.Helper()
	tried, edited := 0, 0
	for i := range count {
		r := rand.New(rand.NewPCG(uint64(i), 7))
		try, ok := checkEdits(t, file(r), r)
		if try {
			tried++
		}
		if ok {
			edited++
		}
	}
	if tried < count/3 || edited < tried*98/100 {
		t.Errorf("%d of %d edits of %d files were possible", edited, tried, count)
	}
}

// checkEdits makes a random edit of a file, if it has a node for it, and reports whether the edit had no error.
func checkEdits(t *testing.T, src []byte, r *rand.Rand) (tried, edited bool) {
	t.Helper()
	var doc yaml.Node
	if yaml.Unmarshal(src, &doc) != nil || len(doc.Content) == 0 {
		return false, false
	}
	at, node := randomPath(r, doc.Content[0])
	before, ok := decoded(src)
	if !ok {
		return false, false
	}
	value := values()[r.IntN(len(values()))]
	f := yamledit.File{Name: "a.yaml", Src: slices.Clone(src)}
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("%q with %q: %s\n%s\n--- is now\n%s", at, value, fmt.Sprintf(format, args...), src, f.Src)
	}
	switch r.IntN(6) {
	case 0, 1: // a new key
		if node.Kind != yaml.MappingNode && !isNull(node) || len(at) == 0 && isNull(node) || slices.Contains(yamledit.Keys(node), "new") {
			return false, false
		}
		at = append(at, "new")
		if nested := r.IntN(3) == 0 && node.Style&yaml.FlowStyle == 0; nested {
			at = append(at, "below")
		}
		order := append(shuffled(r, yamledit.Keys(node)), "new")
		if err := f.Set(at, []byte(value), shuffled(r, order)...); err != nil {
			return true, false
		}
		checkModel(fail, f.Src, before, at, &value)
		if isNull(node) {
			return true, true // a tilde is replaced, and Delete removes the key of the mapping, too
		}
		if !isInsertion(src, f.Src) {
			fail("more than the new key changed")
		}
		if err := f.Delete(at...); err != nil || !bytes.Equal(f.Src, src) && (finalBreak(src) || !bytes.Equal(bytes.TrimRight(f.Src, "\r\n"), src)) {
			fail("Delete after Set: %v", err)
		}
	case 2: // another value
		if len(at) == 0 {
			return false, false
		}
		if err := f.Set(at, []byte(value)); err != nil {
			return true, false
		}
		checkModel(fail, f.Src, before, at, &value)
	case 3:
		if len(at) == 0 || node.Kind != yaml.SequenceNode && !isNull(node) {
			return false, false
		}
		if f.Append(at, []byte(value)) != nil {
			return true, false
		}
		list, _ := plain(node)
		item, _ := decoded([]byte(value + "\n"))
		items, _ := list.([]any)
		checkValue(fail, f.Src, before, at, append(items, item))
	case 4:
		if len(at) == 0 {
			return false, false
		}
		small := yamledit.File{Name: "b.yaml", Src: []byte("# License.\nother: 1 # one\n")}
		f, small = small, f
		if f.Copy(small, at) != nil {
			return true, false
		}
		list, _ := plain(node)
		checkValue(fail, f.Src, map[string]any{"other": "!!int 1"}, at, list)
	default:
		if len(at) == 0 {
			return false, false
		}
		if err := f.Delete(at...); err != nil {
			return true, false
		}
		checkModel(fail, f.Src, before, at, nil)
	}
	return true, true
}

func shuffled(r *rand.Rand, list []string) []string {
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// isInsertion reports whether a text was added to another one in one place.
func isInsertion(before, after []byte) bool {
	prefix := 0
	for prefix < min(len(before), len(after)) && before[prefix] == after[prefix] {
		prefix++
	}
	return bytes.HasSuffix(after, before[prefix:]) || !finalBreak(before) && isInsertion(append(before, '\n'), after)
}

// finalBreak reports whether a file ends with a line break. An edit adds one if a literal scalar gets last.
func finalBreak(src []byte) bool { return bytes.HasSuffix(src, []byte("\n")) }

func decoded(src []byte) (out any, ok bool) {
	var doc yaml.Node
	if yaml.Unmarshal(src, &doc) != nil {
		return nil, false
	}
	if len(doc.Content) == 0 {
		return nil, true
	}
	return plain(doc.Content[0])
}

// plain returns the value of a node with the texts of keys. It returns false for keys that are not texts.
func plain(n *yaml.Node) (out any, ok bool) {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			value, ok := plain(n.Content[i+1])
			if m[n.Content[i].Value] = value; !ok || n.Content[i].Kind != yaml.ScalarNode {
				return nil, false
			}
		}
		return m, true
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			value, ok := plain(item)
			if list = append(list, value); !ok {
				return nil, false
			}
		}
		return list, true
	case yaml.AliasNode:
		return "*" + n.Value, true
	}
	if n.ShortTag() == "!!null" {
		return nil, true
	}
	return n.ShortTag() + " " + n.Value, true
}

// checkModel makes the same edit in the decoded value, and compares.
func checkModel(fail func(format string, args ...any), after []byte, before any, at []string, value *string) {
	var v any = gone{}
	if value != nil {
		v, _ = decoded([]byte(*value + "\n"))
	}
	checkValue(fail, after, before, at, v)
}

func checkValue(fail func(format string, args ...any), after []byte, before any, at []string, v any) {
	got, ok := decoded(after)
	if !ok {
		fail("the result does not parse")
	}
	if want := model(before, at, v, got); !reflect.DeepEqual(got, want) {
		fail("got %v, want %v", got, want)
	}
}

func isNull(n *yaml.Node) bool { return n.ShortTag() == "!!null" }

// gone is the result of a deletion that leaves an empty block.
type gone struct{}

// model returns the value with the edit. What gets empty is removed, too, unless it is there in the result: a flow mapping
// or the document.
func model(in any, at []string, v, got any) any {
	if len(at) == 0 {
		return v
	}
	switch in := in.(type) {
	case map[string]any:
		out := maps.Clone(in)
		result, _ := got.(map[string]any)
		out[at[0]] = model(in[at[0]], at[1:], v, result[at[0]])
		if isGone(out[at[0]]) {
			delete(out, at[0])
		}
		if len(out) == 0 && result == nil {
			return gone{}
		}
		return out
	case []any:
		out := []any{}
		result, _ := got.([]any)
		for i, item := range in {
			if identity(item) != at[0] {
				out = append(out, item)
				continue
			}
			if item = model(item, at[1:], v, append(slices.Clone(result), make([]any, i+1)...)[i]); !isGone(item) {
				out = append(out, item)
			}
		}
		if len(out) == 0 && result == nil {
			return gone{}
		}
		return out
	case nil:
		return map[string]any{at[0]: model(nil, at[1:], v, nil)}
	}
	return in
}

func isGone(v any) bool {
	_, ok := v.(gone)
	return ok
}

func identity(item any) string {
	for _, name := range []string{"name", "id", "key"} {
		if m, ok := item.(map[string]any); ok && m[name] != nil {
			_, text, _ := strings.Cut(fmt.Sprint(m[name]), " ")
			return text
		}
	}
	return ""
}

// randomPath returns the path of a random node.
func randomPath(r *rand.Rand, n *yaml.Node) ([]string, *yaml.Node) {
	var out []string
	for r.IntN(4) > 0 {
		keys := yamledit.Keys(n)
		if len(keys) == 0 {
			break
		}
		i := r.IntN(len(keys))
		out = append(out, keys[i])
		if n.Kind == yaml.MappingNode {
			i = 2*i + 1
		}
		n = n.Content[i]
	}
	return out, n
}

// randomFile returns a mapping with comments, blank lines and values of all styles.
func randomFile(r *rand.Rand) []byte {
	var b strings.Builder
	if r.IntN(4) == 0 {
		b.WriteString("# License.\n\n")
	}
	if r.IntN(8) == 0 {
		b.WriteString("---\n")
	}
	block(r, &b, "", 0)
	text := b.String()
	if r.IntN(4) == 0 {
		text = strings.TrimRight(text, "\n")
	}
	if r.IntN(4) == 0 {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return []byte(text)
}

// noise writes comments and blank lines.
func noise(r *rand.Rand, b *strings.Builder, indent string) {
	for r.IntN(4) == 0 {
		b.WriteString([]string{"\n", indent + "# a: 1\n", indent + "   # deeper\n", "# - at the margin\n"}[r.IntN(4)])
	}
}

func block(r *rand.Rand, b *strings.Builder, indent string, depth int) {
	for i := range 1 + r.IntN(4) {
		noise(r, b, indent)
		fmt.Fprintf(b, "%s%s:", indent, []string{"k%d", "'k%d'", "ä%d", "k%d "}[r.IntN(4)])
		text := strings.Replace(b.String(), "%d", strconv.Itoa(i), 1)
		b.Reset()
		b.WriteString(text)
		entryValue(r, b, indent, depth)
	}
	noise(r, b, indent)
}

func entryValue(r *rand.Rand, b *strings.Builder, indent string, depth int) {
	comment := []string{"", "", " # why"}[r.IntN(3)] + "\n"
	inner := indent + strings.Repeat(" ", 1+r.IntN(4))
	switch kind := r.IntN(7); {
	case kind == 0 && depth < 3:
		b.WriteString(comment)
		block(r, b, inner, depth+1)
	case kind == 1 && depth < 3:
		b.WriteString(comment)
		items(r, b, indent+strings.Repeat(" ", r.IntN(3)), depth)
	case kind == 2:
		b.WriteString(" " + []string{"|", ">", "|-", ">+", "|+"}[r.IntN(5)] + comment + inner + "text\n" + []string{"", "\n", inner + "# text\n", inner + "  more\n"}[r.IntN(4)])
	case kind == 3:
		b.WriteString(" " + flow(r, 0) + comment)
	default:
		b.WriteString(" " + []string{"1", "x y", "'it''s # x'", "\"a\\\"b\"", "x\n" + inner + "  y", "{}", "[]", "~", "", "{ }", "!!str 1"}[r.IntN(11)] + comment)
	}
}

func items(r *rand.Rand, b *strings.Builder, indent string, depth int) {
	for i := range 1 + r.IntN(3) {
		noise(r, b, indent)
		space := strings.Repeat(" ", 1+r.IntN(2))
		fmt.Fprintf(b, "%s-%sname: n%d\n", indent, space, i)
		inner := indent + " " + space
		if r.IntN(2) == 0 {
			b.WriteString(inner + "v:")
			entryValue(r, b, inner, depth+1)
		}
	}
}

func flow(r *rand.Rand, depth int) string {
	if depth > 2 {
		return []string{"1", "'a, b'", "\"}\"", "x y"}[r.IntN(4)]
	}
	var parts []string
	for i := range r.IntN(3) {
		parts = append(parts, fmt.Sprintf("f%d: %s", i, flow(r, depth+1)))
	}
	separator := []string{", ", " ,  ", ",\n            "}[r.IntN(3)]
	pad := []string{"", " "}[r.IntN(2)]
	return "{" + pad + strings.Join(parts, separator) + pad + "}"
}
