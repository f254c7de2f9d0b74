package markdown_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/observability-first/scaffold/internal/source/markdown"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                         "",
		"Takes orders, 24/7 - ok.": "Takes orders, 24/7 - ok.",
		"a\n\n# b\u2028c":          `a \# b c`,
		"- item":                   `\- item`,
		"1. item":                  `1\. item`,
		"12) item":                 `12\) item`,
		"version 1. or 2)":         "version 1. or 2)",
		"===":                      `\===`,
		"~~~ sh":                   `\~\~\~ sh`,
		"<!-- x -->":               `\<\!-- x --\>`,
		"&lt; [a](b) | `c`":        "\\&lt; \\[a\\](b) \\| \\`c\\`",
		`a\b`:                      `a\\b`,
	} {
		if got := markdown.Escape(text); got != want {
			t.Errorf("Escape(%q) = %q, want %q", text, got, want)
		}
	}
}

// Beginnings of blocks other than paragraphs in CommonMark.
var block = regexp.MustCompile("^([-+*] |[-+*]$|[0-9]{1,9}[.)]( |$)|#{1,6}( |$)|>|`{3}|~{3}|<|[-*_]{3}|=+$|\\||\\[)")

func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"- a", "1. b", "a\r\nb", "\\\\`", "<script>", "\u0085x"} {
		f.Add(seed)
	}
	punctuation := regexp.MustCompile("\\\\([!-/:-@[-`{-~])")
	f.Fuzz(func(t *testing.T, text string) {
		got := markdown.Escape(text)
		if strings.ContainsFunc(got, func(r rune) bool { return r != ' ' && unicode.IsSpace(r) }) {
			t.Errorf("%q is more than one line", got)
		}
		if block.MatchString(got) {
			t.Errorf("%q begins a block", got)
		}
		want := string([]rune(strings.Join(strings.Fields(text), " "))) // bytes that are no UTF-8 are shown as such
		if shown := punctuation.ReplaceAllString(got, "$1"); shown != want {
			t.Errorf("%q is shown as %q, want %q", got, shown, want)
		}
	})
}
