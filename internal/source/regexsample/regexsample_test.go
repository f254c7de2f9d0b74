package regexsample_test

import (
	"regexp"
	"testing"

	"github.com/observability-first/scaffold/internal/source/regexsample"
)

func TestSamplesMatch(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{
		"a", "a|b", "server_error|shed", "5..", "[0-9]{3}", "^/v1/.+$", "(a|b)+c?", "[A-Z]{2}-[0-9]{4,6}", "x*", "", `\d+\.\d`,
	} {
		if got := regexsample.Of(expr); !regexp.MustCompile("^(?:" + expr + ")$").MatchString(got) {
			t.Errorf("%q gives %q", expr, got)
		}
	}
	if got := regexsample.Of("("); got != "" {
		t.Errorf("no expression gives %q", got)
	}
}

func FuzzOf(f *testing.F) {
	f.Add("[a-z]{2,3}|x(y|z)+")
	f.Fuzz(func(_ *testing.T, expr string) { regexsample.Of(expr) })
}
