package regexsample_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/observability-first/scaffold/internal/source/regexsample"
)

func TestSamplesMatch(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{
		"a", "a|b", "server_error|shed", "5..", "[0-9]{3}", "^/v1/.+$", "(a|b)+c?", "[A-Z]{2}-[0-9]{4,6}", "x*", "", `\d+\.\d`,
	} {
		if got := regexsample.Of(expr); !regexp.MustCompile("^(?:" + expr + ")$").MatchString(got) {
			t.Errorf("%q returns %q", expr, got)
		}
	}
	if got := regexsample.Of("("); got != "" {
		t.Errorf("invalid expression returns %q", got)
	}
}

func TestSamplesOfClassesAreReadable(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{`^[^/]+$`: "a", `\S`: "a", `\D`: "a", `\W`: " ", "[^a-zA-Z0]": " ", "[5-9]": "5", `[\x00-\x08]`: "\x00"} {
		if got := regexsample.Of(expr); got != want {
			t.Errorf("%q returns %q, want %q", expr, got, want)
		}
	}
}

// FuzzOf checks that the sample matches, unless the expression has assertions.
func FuzzOf(f *testing.F) {
	f.Add("[a-z]{2,3}|x(y|z)+")
	f.Fuzz(func(t *testing.T, expr string) {
		if _, err := regexp.Compile(expr); err != nil || strings.ContainsAny(expr, `^$\`) {
			return
		}
		re, err := regexp.Compile("^(?:" + expr + ")$")
		if got := regexsample.Of(expr); err != nil || !re.MatchString(got) {
			t.Errorf("%q returns %q", expr, got)
		}
	})
}
