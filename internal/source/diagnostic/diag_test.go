package diagnostic_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
)

func TestProblemError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		p    diagnostic.Problem
		want string
	}{
		{
			"everything is known",
			diagnostic.Problem{File: "a.yaml", Line: 12, Column: 9, Path: "slos[0].objective", Message: "120 is above 100"},
			"a.yaml:12:9: slos[0].objective: 120 is above 100",
		},
		{"a line without a column", diagnostic.Problem{File: "a.yaml", Line: 3, Message: "not valid YAML"}, "a.yaml:3: not valid YAML"},
		{"a column without a line is ignored", diagnostic.Problem{File: "a.yaml", Column: 3, Message: "empty"}, "a.yaml: empty"},
		{"a value without a file", diagnostic.Problem{Line: 4, Column: 2, Path: "module", Message: "empty"}, "module: empty"},
		{"names with line breaks", diagnostic.Problem{File: "a\n.yaml", Line: 1, Path: "labels.a\r\n::error::b", Message: "c\nd"}, `a\n.yaml:1: labels.a\r\n::error::b: c\nd`},
		{"only a message", diagnostic.Problem{Message: "empty"}, "empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.p.Error(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRenderPutsTheCaretUnderThePlace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		p    diagnostic.Problem
		want string
	}{
		{"plain text", diagnostic.Problem{Column: 5, Message: "m", Source: "ab: cd"}, "m\n    ab: cd\n        ^"},
		{"a tab stays a tab", diagnostic.Problem{Column: 3, Message: "m", Source: "\ta: b"}, "m\n    \ta: b\n    \t ^"},
		{"columns are characters", diagnostic.Problem{Column: 4, Message: "m", Source: "äöü: b"}, "m\n    äöü: b\n       ^"},
		{"behind the last character", diagnostic.Problem{Column: 3, Message: "m", Source: "a:"}, "m\n    a:\n      ^"},
		{"no column", diagnostic.Problem{Message: "m", Source: "a:"}, "m"},
		{"no source", diagnostic.Problem{Column: 1, Message: "m"}, "m"},
		{"credentials", diagnostic.Problem{Column: 2, Message: "m", Source: "a: http://u:pä@h"}, "m\n    a: http://xxxx@h\n     ^"},
		{"credentials without a scheme", diagnostic.Problem{Column: 2, Message: "m", Source: "a: u:p@h, b: c@d"}, "m\n    a: u:x@h, b: c@d\n     ^"},
		{"escape sequences", diagnostic.Problem{Column: 2, Message: "m", Source: "\x1b[2J"}, "m\n    \ufffd[2J\n     ^"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, tt.p.Render()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrOfAnEmptyListIsNil(t *testing.T) {
	t.Parallel()
	if err := (diagnostic.List{}).Err(); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

func TestErrSortsByFileAndPositionAndKeepsTheOriginal(t *testing.T) {
	t.Parallel()
	l := diagnostic.List{
		{File: "b", Line: 1, Column: 1, Message: "fourth"},
		{File: "a", Line: 2, Column: 1, Message: "third"},
		{File: "a", Line: 1, Column: 7, Message: "first"},
		{File: "a", Line: 1, Column: 7, Message: "second, found later"},
	}
	err := l.Err()
	want := "a:1:7: first\na:1:7: second, found later\na:2:1: third\nb:1:1: fourth"
	if got := err.Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if l[0].Message != "fourth" {
		t.Error("the list itself was sorted")
	}
	var list diagnostic.List
	if !errors.As(fmt.Errorf("read: %w", err), &list) || len(list) != 4 {
		t.Errorf("got %v, want a list of four behind the wrapping", list)
	}
}

func TestListRendersEachProblem(t *testing.T) {
	t.Parallel()
	l := diagnostic.List{{Column: 1, Message: "one", Source: "x"}, {Message: "two"}}
	if got, want := l.Render(), "one\n    x\n    ^\ntwo"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	known := []string{"objective", "postgres", "page", "db", "window"}
	for _, tt := range []struct{ name, word, want string }{
		{"a letter left out", "objctive", "objective"},
		{"two neighbors swapped", "pogstres", "postgres"},
		{"a longer spelling", "postgresql", "postgres"},
		{"the wrong case", "POSTGRES", "postgres"},
		{"one letter of a short word", "dd", "db"},
		{"two letters of a short word are another word", "xy", ""},
		{"a swap is one mistake", "bd", "db"},
		{"a swap at the end", "pgae", "page"},
		{"a swap at the end is one of one", "paeg", "page"},
		{"two mistakes in a word of five", "wndo", ""},
		{"three mistakes in nine letters", "obxxxtive", "objective"},
		{"four mistakes in a long word", "obxxxxive", ""},
		{"three mistakes in twelve letters and no more", "objxctxvexxx", ""},
		{"a third of six letters", "wixxow", "window"},
		{"more than a third of six letters", "wixxxw", ""},
		{"two letters too many", "windowss", "window"},
		{"nothing near", "kubernetes", ""},
		{"the word itself", "page", "page"},
		{"letters that are not ASCII", "objektíve", "objective"},
		{"an empty word", "", ""},
		{"a word as long as a file", strings.Repeat("x", 1<<20), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := diagnostic.Suggest(tt.word, known); got != tt.want {
				t.Errorf("Suggest(%.20q) = %q, want %q", tt.word, got, tt.want)
			}
		})
	}
}

func TestSuggestReturnsTheFirstOfTheNearestWords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, word string
		known      []string
		want       string
	}{
		{"a nearer one later", "pages", []string{"paged", "page"}, "paged"},
		{"an equal one later", "pag", []string{"page", "pags"}, "page"},
		{"the word itself later", "page", []string{"pags", "page"}, "page"},
		{"nothing is known", "page", nil, ""},
		{"20,000 words are known", "pgae", append(make([]string, 19_999), "page"), "page"},
		{"more words are known", "pgae", append(make([]string, 20_000), "page"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := diagnostic.Suggest(tt.word, tt.known); got != tt.want {
				t.Errorf("Suggest(%q, %.100q) = %q, want %q", tt.word, fmt.Sprint(tt.known), got, tt.want)
			}
		})
	}
}

func TestDidYouMean(t *testing.T) {
	t.Parallel()
	if got, want := diagnostic.DidYouMean("postgers", []string{"postgres"}), `; did you mean "postgres"?`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := diagnostic.DidYouMean("redis", []string{"postgres"}); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}

func TestNearestMetric(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"order_shipped_total": `; did you mean "orders_shipped_total"?`,
		"jobs":                "; metrics with this prefix: jobs_a_total, jobs_b_total, jobs_c_total, jobs_d_total, jobs_e_total, jobs_f_total, …",
		"orders_shipped":      "; metrics with this prefix: orders_shipped_total",
		"order":               "",
		"wait_seconds_count":  `; did you mean "wait_milliseconds_count"?`,
		"run_milliseconds":    `; did you mean "run_seconds"?`,
	} {
		known := []string{"wait_milliseconds_count", "run_seconds", "orders_shipped_total", "jobs_g_total", "jobs_f_total", "jobs_e_total", "jobs_d_total", "jobs_c_total", "jobs_b_total", "jobs_a_total", "jobs_a_total"}
		if got := diagnostic.NearestMetric(name, known); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func FuzzSuggestIsNearAndKnown(f *testing.F) {
	f.Add("postgers", "postgres")
	f.Fuzz(func(t *testing.T, word, known string) {
		got := diagnostic.Suggest(word, []string{known})
		if got != "" && got != known {
			t.Errorf("Suggest(%q) = %q, which is not known", word, got)
		}
		lower, knownLower := strings.ToLower(word), strings.ToLower(known)
		if known != "" && lower == knownLower && got != known {
			t.Errorf("Suggest(%q) = %q, want the same word", word, got)
		}
	})
}
