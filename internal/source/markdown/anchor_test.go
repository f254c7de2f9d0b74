package markdown_test

import (
	"slices"
	"testing"

	"github.com/observability-first/scaffold/internal/source/markdown"
)

// The results are those of GitHub.
func TestAnchor(t *testing.T) {
	t.Parallel()
	for heading, want := range map[string]string{
		"OrdersDown":                  "ordersdown",
		"Common queries":              "common-queries",
		"Notes, of the team!":         "notes-of-the-team",
		"`orders_total` - 5xx":        "orders_total---5xx",
		"See [the docs](https://x.y)": "see-the-docs",
		"Größe 2":                     "größe-2",
		"":                            "",
	} {
		if got := markdown.Anchor(heading); got != want {
			t.Errorf("Anchor(%q) = %q, want %q", heading, got, want)
		}
	}
}

func TestAnchors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		document string
		want     []string
	}{
		"no heading":            {"text\n#no space\n    # code\n", nil},
		"levels":                {"# A\n## B ##\n   ###### C\n####### D\n", []string{"a", "b", "c"}},
		"the same name":         {"# A\r\n# A\r\n# B\r\n# A\r\n", []string{"a", "a-1", "b", "a-2"}},
		"underlined":            {"A\n===\n\nB b\n---\n\n---\n", []string{"a", "b-b"}},
		"a table":               {"| a |\n|---|\n| b |\n", nil},
		"code block":            {"```sh\n# A\n```\n# B\n", []string{"b"}},
		"block of tildes":       {"~~~~\n# A\n~~~\n```\n# B\n~~~~\n# C", []string{"c"}},
		"block without end":     {"# A\n```\n# B\n", []string{"a"}},
		"a fence in a block":    {"````\n```\n# A\n````\n# B\n", []string{"b"}},
		"anchors of HTML":       {"<a id=\"here\"></a> and <a class=\"x\" name=\"there\">\n", []string{"here", "there"}},
		"HTML in a code block":  {"```\n<a id=\"here\">\n```\n", nil},
		"a comment is no title": {"<!-- x -->\n\n# A\n", []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := markdown.Anchors(tt.document); !slices.Equal(got, tt.want) {
				t.Errorf("Anchors(%q) = %q, want %q", tt.document, got, tt.want)
			}
		})
	}
}
