package lint_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
)

func TestExclusionsExcuseWhatTheyName(t *testing.T) {
	t.Parallel()
	f := lint.Finding{Rule: "panel-units", File: "boards/own/a.json", Dashboard: "orders-x", Panel: "Requests [5m]", Group: "g", Alert: "A", Record: "r:x:y"}
	for _, tc := range []struct {
		name string
		by   lint.Exclusion
		want bool
	}{
		{"the rule alone", lint.Exclusion{Rule: "panel-units"}, true},
		{"another rule", lint.Exclusion{Rule: "panel-title-description"}, false},
		{"the board", lint.Exclusion{Rule: "panel-units", Dashboard: "orders-x"}, true},
		{"boards by pattern", lint.Exclusion{Rule: "panel-units", Dashboard: "orders-*"}, true},
		{"another board", lint.Exclusion{Rule: "panel-units", Dashboard: "shop-*"}, false},
		{"the panel, whose title looks like a pattern", lint.Exclusion{Rule: "panel-units", Panel: "Requests [5m]"}, true},
		{"another panel of the board", lint.Exclusion{Rule: "panel-units", Dashboard: "orders-x", Panel: "Errors"}, false},
		{"the file by its last part", lint.Exclusion{Rule: "panel-units", File: "a.json"}, true},
		{"a pattern stays in its folder", lint.Exclusion{Rule: "panel-units", File: "boards/*.json"}, false},
		{"group, alert and record", lint.Exclusion{Rule: "panel-units", Group: "g", Alert: "A", Record: "r:*"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := len(lint.Exclude([]lint.Finding{f}, []lint.Exclusion{tc.by}, func(lint.Exclusion) bool { return true })) == 0; got != tc.want {
				t.Errorf("excused: %v", got)
			}
		})
	}
}

func TestAnExclusionThatExcludesNothingIsFound(t *testing.T) {
	t.Parallel()
	exclusions, err := lint.ParseExclusions("rules/.scaffold-lint.yaml", []byte(`exclusions:
- rule: a
  reason: It is so.
- rule: b
  dashboard: x
  reason: It was so.
`), []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	found := []lint.Finding{{Rule: "a", File: "rules/x.yaml", Message: "excused"}, {Rule: "b", File: "rules/x.yaml", Dashboard: "y", Message: "stays"}, {Rule: "a", File: "other/x.yaml", Message: "is elsewhere"}}
	got := lint.Exclude(found, exclusions, func(lint.Exclusion) bool { return true })
	want := []lint.Finding{
		{Rule: "b", File: "rules/x.yaml", Dashboard: "y", Message: "stays"},
		{Rule: "a", File: "other/x.yaml", Message: "is elsewhere"},
		{Rule: "exclusion-unused", File: "rules/.scaffold-lint.yaml", Line: 4, Message: "the exclusion of b excludes nothing; remove it", Shape: "the exclusion of %s excludes nothing; remove it"},
	}
	if got := lint.Exclude(nil, exclusions, func(lint.Exclusion) bool { return false }); len(got) > 0 {
		t.Errorf("a part of the files was read: got %v", got)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestExclusionsWantARuleAndAReason(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, src, want string }{
		{"no reason", "exclusions:\n- rule: rate-range\n", ".lint:2:3: exclusions[0]: the exclusion has no reason; write in one sentence why the rule does not apply"},
		{"no such rule", "exclusions:\n- {rule: rate-rang, reason: x}\n", `.lint:2:10: exclusions[0].rule: there is no rule "rate-rang"; did you mean "rate-range"?`},
		{"an unknown key", "exclusions:\n- {rule: rate-range, reason: x, panels: y}\n", `.lint:2:33: exclusions[0].panels: unknown key; did you mean "panel"?`},
		{"no pattern", "exclusions:\n- {rule: rate-range, reason: x, panel: '[y'}\n", `.lint:2:40: exclusions[0].panel: "[y" is not a pattern: a [ has no ]; write a name, or * for any text`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := lint.ParseExclusions(".lint", []byte(tc.src), []string{"rate-range"})
			if err == nil || err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestBrokenFilesBecomeFindings(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		err  error
		want lint.Finding
	}{
		{"a list of problems", diagnostic.List{{File: "f", Line: 2, Column: 3, Path: "a.b", Message: "m"}}.Err(), lint.Finding{Rule: "r", File: "f", Line: 2, Column: 3, Message: "a.b: m"}},
		{"a text with its place", errors.New("f:2:3: m: n"), lint.Finding{Rule: "r", File: "f", Line: 2, Column: 3, Message: "m: n"}},
		{"a text without", errors.New("f: m: n"), lint.Finding{Rule: "r", File: "f", Message: "m: n"}},
		{"another text", errors.New("odd"), lint.Finding{Rule: "r", File: "f", Message: "odd"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff([]lint.Finding{tc.want}, lint.Broken("r", "f", tc.err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhereInsideOfAFile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		f    lint.Finding
		want string
	}{
		{lint.Finding{Dashboard: "b", Panel: "P", Target: "A"}, "panel P, target A"},
		{lint.Finding{Group: "g", Alert: "A"}, "alert A"},
		{lint.Finding{Group: "g", Record: "a:b:c"}, "record a:b:c"},
		{lint.Finding{Group: "g"}, "group g"},
		{lint.Finding{Dashboard: "b"}, ""},
	} {
		if got := tc.f.At(); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

func FuzzParseExclusions(f *testing.F) {
	f.Add([]byte("exclusions:\n- {rule: a, panel: '[', reason: x}\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		exclusions, err := lint.ParseExclusions(".lint", src, []string{"a"})
		if err == nil && len(lint.Exclude(nil, exclusions, func(lint.Exclusion) bool { return true })) != len(exclusions) {
			t.Errorf("%q: an exclusion of nothing is used", src)
		}
	})
}
