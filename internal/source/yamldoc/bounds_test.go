package yamldoc_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/source/yamldoc"
)

// laughs returns a document whose aliases expand to 9^levels values.
func laughs(levels int) string {
	var b strings.Builder
	b.WriteString("l0: &l0 x\n")
	for i := range levels {
		fmt.Fprintf(&b, "l%d: &l%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*l%d,", i), 9), ","))
	}
	return b.String()
}

func TestDocumentsAreLimited(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, src, want string }{
		{"a few aliases", laughs(4), ""},
		{"a billion laughs", laughs(9), "a.yaml:1:1: aliases expand to more than 100000 values; use fewer aliases"},
		{"an anchor that contains its alias", "a: &a [*a]", "a.yaml:1:1: nested too deeply, or an anchor contains its own alias; write the values without aliases"},
		{"two million keys", strings.Repeat("a:\n", 2<<20), "a.yaml: more than 1048576 values; split the file"},
		{"two million values on a line", "a: [" + strings.Repeat("a,", 2<<20) + "]", "a.yaml: more than 1048576 values; split the file"},
		{"brackets", "a: " + strings.Repeat("[", 2<<20), "a.yaml: more than 1048576 values; split the file"},
		{"other line ends", strings.Repeat("a:\r", 2<<20), "a.yaml: more than 1048576 values; split the file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if _, err := yamldoc.Parse("a.yaml", []byte(tt.src)); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestErrorsDoNotQuoteOtherDocuments(t *testing.T) {
	t.Parallel()
	const want = `a.yaml: unexpected format: no line begins with "groups:"; add it, or pass another file`
	for _, src := range []string{"hunter2", "- hunter2", "hunter2: [", "a: *hunter2", "a: hunter2\xff", "a: b\n---\nhunter2: c"} {
		if _, err := yamldoc.Parse("a.yaml", []byte(src), "groups:"); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", src, err, want)
		}
	}
	for _, src := range []string{"", "# a comment\n", "---\n"} {
		if _, err := yamldoc.Parse("a.yaml", []byte(src), "groups:"); err == nil || !strings.Contains(err.Error(), "the file is empty") {
			t.Errorf("%q: got %v, want that it is empty", src, err)
		}
	}
}

func TestManyProblemsAreCounted(t *testing.T) {
	t.Parallel()
	var src strings.Builder
	for i := range 150 {
		fmt.Fprintf(&src, "key%d: x\n", i)
	}
	doc, err := yamldoc.Parse("a.yaml", []byte(src.String()))
	if err != nil {
		t.Fatal(err)
	}
	doc.Decode(&struct{}{})
	lines := strings.Split(doc.Err().Error(), "\n")
	if last := lines[len(lines)-1]; len(lines) != 101 || last != "a.yaml:101: 50 more problems; fix those above first" {
		t.Errorf("got %d lines, the last: %s", len(lines), last)
	}
}

// FuzzMemory checks that memory is proportional to the length.
func FuzzMemory(f *testing.F) {
	f.Add(laughs(9))
	f.Add("a: &a [*a]")
	f.Add(strings.Repeat("[", 300))
	f.Add(strings.Repeat("a:\n", 300))
	f.Fuzz(func(t *testing.T, src string) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if doc, err := yamldoc.Parse("a.yaml", []byte(src)); err == nil {
			var into struct {
				A map[string][][]string `yaml:"a"`
			}
			doc.Decode(&into)
			_ = doc.Err()
		}
		runtime.ReadMemStats(&after)
		// 100 MB for the values of aliases.
		if took, most := after.TotalAlloc-before.TotalAlloc, uint64(100<<20+4096*len(src)); took > most {
			t.Errorf("%d bytes took %d, more than %d", len(src), took, most)
		}
	})
}
