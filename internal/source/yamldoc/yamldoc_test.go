package yamldoc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
)

// inner and doc have a field of each supported type.
type inner struct {
	Text string `yaml:"text"`
}

type item struct {
	Text   string `yaml:"text"`
	Window string `yaml:"window"`
	Both   string `yaml:"both"`
	Part   part   `yaml:"part"`
}

type part struct {
	Share int `yaml:"share" synonym:"portion"`
}

type nested struct {
	Only  string  `yaml:"only"`
	Both  string  `yaml:"both"`
	Deep  *inner  `yaml:"deep"`
	Other inner   `yaml:"other"`
	Again *nested `yaml:"again"`
}

type doc struct {
	Text     string            `yaml:"text"`
	Bool     bool              `yaml:"bool"`
	Int      int               `yaml:"int"`
	Float    float64           `yaml:"float"`
	Duration time.Duration     `yaml:"duration"`
	Inner    inner             `yaml:"inner"`
	Pointer  *inner            `yaml:"pointer"`
	Number   *int              `yaml:"number"`
	List     []item            `yaml:"list"`
	Nested   nested            `yaml:"nested"`
	Map      map[string]string `yaml:"map"`
	Either   either            `yaml:"either"`
	Untagged string
	Ignored  string `yaml:"-"`
	inlined  `yaml:",inline"`
}

type inlined struct {
	Inlined string `yaml:"inlined"`
}

// either decodes a word or a list of words.
type either []string

func (e *either) UnmarshalYAMLNode(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*e = either{n.Value}
		return nil
	}
	return errors.New("write a single word")
}

func decode(t *testing.T, src string) (doc, error) {
	t.Helper()
	d, err := yamldoc.Parse("a.yaml", []byte(src))
	if err != nil {
		return doc{}, err
	}
	var v doc
	d.Decode(&v)
	return v, d.Err()
}

func TestDecode(t *testing.T) {
	t.Parallel()
	five := 5
	for _, tt := range []struct {
		name, src string
		want      doc
	}{
		{"text", "text: hello", doc{Text: "hello"}},
		{"text that looks like a number", "text: 1.0", doc{Text: "1.0"}},
		{"text that looks like a boolean", "text: true", doc{Text: "true"}},
		{"text over lines", "text: |\n  a\n  b\n", doc{Text: "a\nb\n"}},
		{"booleans in any case", "bool: TRUE", doc{Bool: true}},
		{"false in any case", "bool: False", doc{}},
		{"whole numbers, hexadecimal", "int: 0x1F", doc{Int: 31}},
		{"a whole number where a float is wanted", "float: 99", doc{Float: 99}},
		{"a float", "float: 99.95", doc{Float: 99.95}},
		{"a duration in days", "duration: 30d", doc{Duration: 720 * time.Hour}},
		{"a duration of several units", "duration: 1m30s", doc{Duration: 90 * time.Second}},
		{"a duration in microseconds, for thresholds", "duration: 300us", doc{Duration: 300 * time.Microsecond}},
		{"a negative duration, for validation to reject", "duration: -5s", doc{Duration: -5 * time.Second}},
		{"nesting", "inner: {text: x}", doc{Inner: inner{"x"}}},
		{"a pointer", "pointer: {text: x}", doc{Pointer: &inner{"x"}}},
		{"a pointer to a struct with nothing behind the key has its defaults", "pointer:", doc{Pointer: &inner{}}},
		{"a pointer to a number with nothing behind the key is absent", "number:", doc{}},
		{"a pointer to a number", "number: 5", doc{Number: &five}},
		{"a list", "list: [{text: x}, {text: y}]", doc{List: []item{{Text: "x"}, {Text: "y"}}}},
		{"an empty list", "list: []", doc{List: []item{}}},
		{"a map", "map: {a: b, c: 1}", doc{Map: map[string]string{"a": "b", "c": "1"}}},
		{"a map key with nothing behind it is absent", "map: {a: , b: c}", doc{Map: map[string]string{"b": "c"}}},
		{"an alias", "inner: &x {text: t}\npointer: *x", doc{Inner: inner{"t"}, Pointer: &inner{"t"}}},
		{"a merge key, whose keys yield to its own", "inner: &x {text: t}\npointer: {<<: *x}\nlist:\n- {<<: *x, text: own}\n- {text: own, <<: [{text: first}, *x]}\n- {<<: [{text: first}, *x]}",
			doc{Inner: inner{"t"}, Pointer: &inner{"t"}, List: []item{{Text: "own"}, {Text: "own"}, {Text: "first"}}}},
		{"an Unmarshaler", "either: x", doc{Either: either{"x"}}},
		{"an inlined struct", "inlined: x", doc{inlined: inlined{"x"}}},
		{"keys with nothing behind them", "text:\ninner:\nlist:\nmap:\n", doc{}},
		{"Windows line ends and a byte order mark", "\ufefftext: x\r\nbool: true\r\n", doc{Text: "x", Bool: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(t, tt.src)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(doc{}, inlined{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrorsAreReportedAtTheirPlaces(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, src, want string }{
		{"unknown key with a neighbor", "txt: x", `a.yaml:1:1: txt: unknown key; did you mean "text"?`},
		{"unknown key without one", "inner: {zebra: 1}", "a.yaml:1:9: inner.zebra: unknown key; known here: text"},
		{"a key of the level above", "list: [{text: a, part: {window: 1d}}]", "a.yaml:1:25: list[0].part.window: unknown key; write window next to part"},
		{"a key of the document", "list: [{part: {map: {}}}]", "a.yaml:1:16: list[0].part.map: unknown key; write map next to list"},
		{"a key of a level below", "only: x", "a.yaml:1:1: only: unknown key; write nested.only"},
		{"a key of another level", "inner: {only: x}", "a.yaml:1:9: inner.only: unknown key; write nested.only"},
		{"a key of a list's items", "part: {}", "a.yaml:1:1: part: unknown key; write part in an entry of list"},
		{"a key below a list's items", "share: 1", "a.yaml:1:1: share: unknown key; write part.share in an entry of list"},
		{"a key that two other levels have", "both: x", "a.yaml:1:1: both: unknown key; known here: bool, duration, either, float, inlined, inner, int, list, map, nested, number, pointer, text"},
		{"another word for a key", "list: [{part: {portion: 1}}]", `a.yaml:1:16: list[0].part.portion: unknown key; did you mean "share"?`},
		{"a list of keys", "nested: [deep, other]", "a.yaml:1:9: nested: a list is not keys and values; write nested: {deep: {}, other: {}}"},
		{"a key alone", "nested: deep", `a.yaml:1:9: nested: "deep" is not keys and values; write nested: {deep: {}}`},
		{"a key alone in a list", "list: [{part: 1}, part]", `a.yaml:1:15: list[0].part: the number 1 is not keys and values
a.yaml:1:19: list[1]: "part" is not keys and values; write {part: {}}`},
		{"a list of keys that have values", "nested: [only]", "a.yaml:1:9: nested: a list is not keys and values"},
		{"a field without a key", "Untagged: x",
			"a.yaml:1:1: Untagged: unknown key; known here: bool, duration, either, float, inlined, inner, int, list, map, nested, number, pointer, text"},
		{"a key twice", "text: a\ntext: b", "a.yaml:2:1: text: duplicate key, first on line 1; keep one"},
		{"a map key twice", "map:\n  a: b\n  a: c", "a.yaml:3:3: map.a: duplicate key, first on line 2; keep one"},
		{"a list as a key", "? [a]\n: b", "a.yaml:1:3: a key is a list; write a plain word"},
		{"an alias as a key", "text: &a x\n*a : y", "a.yaml:2:1: a key is an alias; write a plain word"},
		{"a merge key without keys", "pointer: {<<: [1, {text: x}]}", "a.yaml:1:16: pointer: the number 1 has no keys to merge; << takes a mapping or a list of mappings"},
		{"a mapping for text", "text: {a: b}", "a.yaml:1:7: text: a mapping is not text"},
		{"text for a mapping", "inner: x", `a.yaml:1:8: inner: "x" is not keys and values`},
		{"text for a map", "map: x", `a.yaml:1:6: map: "x" is not keys and values`},
		{"a list for a mapping", "inner: [zebra, x]", "a.yaml:1:8: inner: a list is not keys and values"},
		{"a list for a map", "map: [a, [b]]", "a.yaml:1:6: map: a list is not keys and values"},
		{"a mapping for a list", "list: {text: x}", "a.yaml:1:7: list: a mapping is not a list"},
		{"text for a number", "int: eight", `a.yaml:1:6: int: "eight" is not a whole number`},
		{"a fraction for a whole number", "int: 1.5", "a.yaml:1:6: int: the number 1.5 is not a whole number"},
		{"a number that does not fit", "int: 0xFFFFFFFFFFFFFFFF", "a.yaml:1:6: int: 0xFFFFFFFFFFFFFFFF is out of range or not a whole number"},
		{"a wrong tag", "int: !!int abc", "a.yaml:1:6: int: abc is out of range or not a whole number"},
		{"nothing for a number", "int:", "a.yaml:1:5: int: an empty value is not a whole number"},
		{"infinity", "float: .inf", "a.yaml:1:8: float: .inf is not a number"},
		{"text for a boolean", "bool: yes", `a.yaml:1:7: bool: "yes" is not true or false`},
		{"a tagged boolean", "bool: !!bool maybe", `a.yaml:1:7: bool: "maybe" is not true or false`},
		{"a duration without a unit", "duration: 15", "a.yaml:1:11: duration: the number 15 is not a duration; write one such as 200ms, 15s or 30d"},
		{"a list for a duration", "duration: [1s]", "a.yaml:1:11: duration: a list is not a duration; write one such as 200ms, 15s or 30d"},
		{"the error of an Unmarshaler", "either: [x]", "a.yaml:1:9: either: write a single word"},
		{"a mistake in a list", "list: [{text: a}, {text: [b]}]", "a.yaml:1:26: list[1].text: a list is not text"},
		{"no YAML", "text: [", "a.yaml:1:1: not valid YAML: did not find expected node content"},
		{"a tab as indentation", "inner:\n\ttext: x", "a.yaml:2:1: not valid YAML: a tab in the indentation; indent with spaces"},
		{"a tab behind spaces", "text: a\ninner:\n  \ttext: x", "a.yaml:3:3: not valid YAML: a tab in the indentation; indent with spaces"},
		{"a tab as indentation in a list", "text: a\nlist:\n- text: x\n\twindow: y\nint: 1\n", "a.yaml:4:1: not valid YAML: a tab in the indentation; indent with spaces"},
		{"a character that begins no value", "inner:\n  text: @x", "a.yaml:2:1: not valid YAML: found character that cannot start any token"},
		{"a character that begins no value on a line with a tab", "list: [\n\t@x]", "a.yaml:2:1: not valid YAML: found character that cannot start any token"},
		{"a grave accent on a line with a tab", "list: [\n\t`x`]", "a.yaml:2:1: not valid YAML: found character that cannot start any token"},
		{"a value that begins with @ on a line with a tab", "inner: {\n\ttext: @x}", "a.yaml:2:1: not valid YAML: found character that cannot start any token"},
		{"a value that begins with @ before a line with a tab", "list: [@x,\n\ty]", "a.yaml:1:1: not valid YAML: found character that cannot start any token"},
		{"a tab as indentation of text with %", "inner:\n\ttext: 5 % # 'a: %'", "a.yaml:2:1: not valid YAML: a tab in the indentation; indent with spaces"},
		{"a flow list that is left open", "int: 1\nlist: [\n\n", "a.yaml:2:1: not valid YAML: did not find expected node content"},
		{"a missing comma", "int: 1\ninner: {text: 'a' b: c}", "a.yaml:2:1: not valid YAML: did not find expected ',' or '}'"},
		{
			"braces in braces", "int: 1\nlist:\n  - {text: /v1/orders/{id}/ship}\n",
			"a.yaml:3:23: not valid YAML: did not find expected ',' or '}'; quote a value that contains { or }, as in '/v1/orders/{id}'",
		},
		{
			"braces in braces on the first line", "inner: {text: '/a/{id}', b: /v1/orders/{id}/ship}\n",
			"a.yaml:1:40: not valid YAML: did not find expected ',' or '}'; quote a value that contains { or }, as in '/v1/orders/{id}'",
		},
		{"braces in brackets", "text: a\nlist: [/a/{id}]", "a.yaml:2:11: not valid YAML: did not find expected ',' or ']'; quote a value that contains { or }, as in '/v1/orders/{id}'"},
		{"nothing", "", "a.yaml:1:1: the file is empty"},
		{"a comment", "# later", "a.yaml:1:1: the file is empty"},
		{"an empty document", "---\n", "a.yaml:1:1: the file is empty"},
		{"a list as the document", "- a", "a.yaml:1:1: the document is a list; write keys and values"},
		{"two documents", "text: a\n---\ntext: b", "a.yaml:2:1: several documents; write each document to its own file"},
		{"an unknown anchor", "text: a\nint: *x", "a.yaml:2:1: not valid YAML: unknown anchor 'x' referenced"},
		{"an unknown anchor and one with a longer name", "text: &xy a\nmap: {a: *xy}\nint: *x", "a.yaml:3:1: not valid YAML: unknown anchor 'x' referenced"},
		{"an unknown anchor and texts", "# see *x\ntext: 2*x\nmap: {a: ' *x ', b: *x}\nint: \"*x\"", "a.yaml:3:1: not valid YAML: unknown anchor 'x' referenced"},
		{"an unknown anchor in a list", "text: a\nlist: [*x]\nint: 1", "a.yaml:2:1: not valid YAML: unknown anchor 'x' referenced"},
		{"an unknown anchor on two lines", "text: a\nint: *x\nmap: {a: *x}", "a.yaml:2:1: not valid YAML: unknown anchor 'x' referenced"},
		{"an unknown anchor behind texts of several lines", "text: |\n  a: *x\nmap: {a: 'b\n  c: *x\n  '}\nlist:\n- text: *x\nint: *x", "a.yaml:7:1: not valid YAML: unknown anchor 'x' referenced"},
		{"an unknown anchor in a second document", "text: a\n---\nint: *x", "a.yaml:3:1: not valid YAML: unknown anchor 'x' referenced"},
		{"a text behind a quote", "int: 1\nlist:\n- text: \"x\" y\n", "a.yaml:3:1: not valid YAML: did not find expected key; correct the mapping or list that contains this line"},
		{"a text behind a quote in the document", "list: []\nint: 1\ntext: \"x\" y\n", "a.yaml:3:1: not valid YAML: did not find expected key; correct the mapping or list that contains this line"},
		{"a key with a space too few", "int: 1\nlist:\n  - text: a\n   window: b\n",
			"a.yaml:3:1: not valid YAML: did not find expected '-' indicator; correct the mapping or list that contains this line"},
		{"a broken second document", "text: a\n---\n[", "a.yaml:3:1: not valid YAML: did not find expected node content"},
		{"not UTF-8", "text: a\nmap: {a: \xff}", "a.yaml:2:10: the byte 0xff is not UTF-8; save the file as UTF-8"},
		{"a mistake found twice through an alias", "inner: &a {zebra: 1}\npointer: {text: x}\nlist: [*a, *a]",
			"a.yaml:1:12: inner.zebra: unknown key; known here: text\n" +
				"a.yaml:1:12: list[0].zebra: unknown key; known here: both, part, text, window\n" +
				"a.yaml:1:12: list[1].zebra: unknown key; known here: both, part, text, window"},
		{"all at once, in the order of the file", "bool: x\ntext: [a]\nint: y",
			"a.yaml:1:7: bool: \"x\" is not true or false\na.yaml:2:7: text: a list is not text\na.yaml:3:6: int: \"y\" is not a whole number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := decode(t, tt.src)
			if err == nil {
				t.Fatal("no problem was found")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestProblemfFallsBackToTheNearestAncestor(t *testing.T) {
	t.Parallel()
	d, err := yamldoc.Parse("a.yaml", []byte("text: x\nlist:\n  - text: a\n  - {}\n"))
	if err != nil {
		t.Fatal(err)
	}
	var v doc
	d.Decode(&v)
	d.Problemf("list[0].text", "present")
	d.Problemf("list[1].text", "its entry is present")
	d.Problemf("list[7].text", "the list is present")
	d.Problemf("inner.text", "nothing is present")
	want := strings.Join([]string{
		"a.yaml:1:1: inner.text: nothing is present",
		"a.yaml:3:3: list[7].text: the list is present",
		"a.yaml:3:11: list[0].text: present",
		"a.yaml:4:5: list[1].text: its entry is present",
	}, "\n")
	if diff := cmp.Diff(want, d.Err().Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Each text has one !, whose position is expected.
func TestProblemAtfPointsIntoAScalar(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, src string }{
		{"plain", `text: up{a=b!c}`},
		{"plain with wide letters", `text: ääää!c`},
		{"single quotes", `text: 'a "b" ! c'`},
		{"doubled single quotes", `text: 'a ''b'' ! c'`},
		{"double quotes", `text: "a b ! c"`},
		{"escapes", `text: "a \"b\" \x41 \u00e4 \U0001F600 \N\_\L\P\t !c"`},
		{"a literal block", "text: |\n  first line\n    deeper ! line\n"},
		{"a literal block with its own indentation", "text: |2\n    spaces\n  then !\n"},
		{"a literal block inside", "inner:\n    text: |-\n      ä!\n"},
		{"Windows line ends", "inner:\r\n  text: |\r\n    one\r\n    two!\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, err := yamldoc.Parse("a.yaml", []byte(tt.src))
			if err != nil {
				t.Fatal(err)
			}
			var v doc
			d.Decode(&v)
			path, value := "text", v.Text
			if v.Inner.Text != "" {
				path, value = "inner.text", v.Inner.Text
			}
			d.ProblemAtf(path, strings.Index(value, "!"), "here")
			p := only(t, d.Err())
			source := []rune(p.Source)
			if p.Column < 1 || p.Column > len(source) || source[p.Column-1] != '!' {
				t.Errorf("the caret is not under the !:\n%s", p.Render())
			}
		})
	}
}

func TestProblemAtfAtTheEndOfAScalarIsOnItsLastLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, src, want string }{
		{"a literal block", "text: |\n  sum(\n  x\nint: 1\n", "3:4"},
		{"a literal block without a final line break", "text: |-\n  sum(x\nint: 1\n", "2:8"},
		{"a literal block with empty lines", "text: |+\n  sum(x\n\n\nint: 1\n", "2:8"},
		{"Windows line ends", "text: |\r\n  sum(x\r\nint: 1\r\n", "2:8"},
		{"the last lines of the file", "text: |\n  sum(x\n", "2:8"},
		{"an empty block", "text: |\n\nint: 1\n", "1:7"},
		{"a folded block", "text: >\n  sum(x\nint: 1\n", "1:7"},
		{"plain", "text: sum(x\nint: 1\n", "1:12"},
		{"single quotes", "text: 'sum(x'\nint: 1\n", "1:13"},
		{"double quotes", "text: \"sum(x\\n\"\nint: 1\n", "1:13"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, err := yamldoc.Parse("a.yaml", []byte(tt.src))
			if err != nil {
				t.Fatal(err)
			}
			var v doc
			d.Decode(&v)
			d.ProblemAtf("text", len(v.Text), "here")
			if p := only(t, d.Err()); fmt.Sprintf("%d:%d", p.Line, p.Column) != tt.want {
				t.Errorf("got %d:%d, want %s", p.Line, p.Column, tt.want)
			}
		})
	}
}

func TestProblemAtfReportsTheStartOfFoldedScalars(t *testing.T) {
	t.Parallel()
	for _, src := range []string{"text: >\n  a\n  b !\n", "text: a\n  b !\n", "text: \"a\n  b !\"\n"} {
		d, err := yamldoc.Parse("a.yaml", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		var v doc
		d.Decode(&v)
		d.ProblemAtf("text", strings.Index(v.Text, "!"), "here")
		if p := only(t, d.Err()); p.Line != 1 || p.Column != 7 {
			t.Errorf("%q: got %d:%d, want 1:7", src, p.Line, p.Column)
		}
	}
}

func TestHas(t *testing.T) {
	t.Parallel()
	d, err := yamldoc.Parse("a.yaml", []byte("text:\nbool: false\npointer:\nmap: {a: b}\nlist: [{text: x}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	var v doc
	d.Decode(&v)
	for path, want := range map[string]bool{
		"text": false, "bool": true, "pointer": true, "map.a": true, "map.b": false,
		"list[0].text": true, "list[1]": false, "int": false,
	} {
		if got := d.Has(path); got != want {
			t.Errorf("Has(%s) = %v, want %v", path, got, want)
		}
	}
}

func TestDecodeKeyReadsOneKey(t *testing.T) {
	t.Parallel()
	d, err := yamldoc.Parse("a.yaml", []byte("text: x\nunknown: y\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got string
	d.DecodeKey("text", &got)
	d.DecodeKey("absent", &got)
	if got != "x" || d.Err() != nil {
		t.Errorf("got %q and %v, want x and no problem", got, d.Err())
	}
	if d.Root().Content[0].Value != "text" {
		t.Error("Root is not the top mapping")
	}
}

// A value that equals the key is not the key.
func TestDecodeKeyLooksAtKeysAlone(t *testing.T) {
	t.Parallel()
	d, err := yamldoc.Parse("a.yaml", []byte("text: map\nother: x\nmap: {a: b}\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	d.DecodeKey("map", &got)
	if diff := cmp.Diff(map[string]string{"a": "b"}, got); diff != "" || d.Err() != nil {
		t.Errorf("(-want +got):\n%s%v", diff, d.Err())
	}
	d.DecodeKey("x", &got)
	d.Problemf("map.a", "here")
	if p := only(t, d.Err()); p.Line != 3 || p.Column != 10 {
		t.Errorf("got %v, want the place of the value", p)
	}
}

func TestStructWithoutKeys(t *testing.T) {
	t.Parallel()
	d, err := yamldoc.Parse("a.yaml", []byte("availability: {window: 1d}\n"))
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Availability struct{} `yaml:"availability"`
	}
	d.Decode(&v)
	if got, want := d.Err().Error(), "a.yaml:1:16: availability.window: unknown key; no keys are known here"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDecodeReplacesListsAndExtendsMaps(t *testing.T) {
	t.Parallel()
	d, err := yamldoc.Parse("a.yaml", []byte("list: [{text: x}]\nmap: {b: y}\npointer: {}\n"))
	if err != nil {
		t.Fatal(err)
	}
	v := doc{Int: 7, List: []item{{Text: "a"}, {Text: "b"}}, Map: map[string]string{"a": "kept"}, Pointer: &inner{"kept"}}
	d.Decode(&v)
	want := doc{Int: 7, List: []item{{Text: "x"}}, Map: map[string]string{"a": "kept", "b": "y"}, Pointer: &inner{"kept"}}
	if diff := cmp.Diff(want, v, cmp.AllowUnexported(doc{}, inlined{})); diff != "" || d.Err() != nil {
		t.Errorf("(-want +got):\n%s%v", diff, d.Err())
	}
}

func only(t *testing.T, err error) diagnostic.Problem {
	t.Helper()
	var l diagnostic.List
	if !errors.As(err, &l) || len(l) != 1 {
		t.Fatalf("got %v, want one problem", err)
	}
	return l[0]
}

func FuzzProblemsAreInTheFile(f *testing.F) {
	for _, src := range []string{
		"", "text: x", "list: [{text: [b]}]\nzebra: 1", "inner: &a {text: *a}", "a: [", "? [a]\n: b", "text: |2\n    a\n",
		"\ufefftext: \"\\N\\u0041\"", "int: 99999999999999999999", "---\n---\n", "text: a\u0085bool: x", "\xff", "map: {<<: *x}",
		"duration: 5x\neither: []\n# end", "text: 'a\n\n  b'", "%YAML 1.1\n---\nint:\n", "pointer:\r\r\rint: x",
	} {
		f.Add([]byte(src), 3)
	}
	f.Fuzz(func(t *testing.T, src []byte, offset int) {
		d, err := yamldoc.Parse("a.yaml", src)
		if err == nil {
			var v doc
			d.Decode(&v)
			for _, path := range []string{"text", "inner.text", "list[0].text", "map.a"} {
				d.ProblemAtf(path, offset, "here")
			}
			err = d.Err()
		}
		var problems diagnostic.List
		if !errors.As(err, &problems) {
			t.Fatalf("got %T, want a list of problems", err)
		}
		lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").
			Replace(strings.TrimPrefix(string(src), "\ufeff")), "\n")
		for _, p := range problems {
			if p.Line < 1 || p.Line > len(lines) {
				t.Fatalf("%v: the file has %d lines", p, len(lines))
			}
			if p.Column < 0 || p.Column > utf8.RuneCountInString(lines[p.Line-1])+1 {
				t.Fatalf("%v: the line is %q", p, lines[p.Line-1])
			}
			_ = p.Render()
		}
	})
}
