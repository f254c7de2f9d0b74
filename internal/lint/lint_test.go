package lint_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
)

func TestExclude(t *testing.T) {
	t.Parallel()
	f := lint.Finding{Rule: "panel-units", File: "dashboards/own/a.json", Dashboard: "orders-x", Panel: "Requests [5m]", Group: "g", Alert: "A", Record: "r:x:y"}
	for _, tc := range []struct {
		name string
		by   lint.Exclusion
		want bool
	}{
		{"rule", lint.Exclusion{Rule: "panel-units"}, true},
		{"another rule", lint.Exclusion{Rule: "panel-title-description"}, false},
		{"dashboard", lint.Exclusion{Rule: "panel-units", Dashboard: "orders-x"}, true},
		{"dashboard pattern", lint.Exclusion{Rule: "panel-units", Dashboard: "orders-*"}, true},
		{"another dashboard", lint.Exclusion{Rule: "panel-units", Dashboard: "shop-*"}, false},
		{"panel title that looks like a pattern", lint.Exclusion{Rule: "panel-units", Panel: "Requests [5m]"}, true},
		{"panel pattern", lint.Exclusion{Rule: "panel-units", Panel: "Req*[5m]"}, true},
		{"pattern does not match the end", lint.Exclusion{Rule: "panel-units", Panel: "*quests"}, false},
		{"pattern does not match the start", lint.Exclusion{Rule: "panel-units", Panel: "equests*"}, false},
		{"another panel of the dashboard", lint.Exclusion{Rule: "panel-units", Dashboard: "orders-x", Panel: "Errors"}, false},
		{"base name of the file", lint.Exclusion{Rule: "panel-units", File: "a.json"}, true},
		{"pattern does not match a slash in a path", lint.Exclusion{Rule: "panel-units", File: "dashboards/*.json"}, false},
		{"group, alert and record", lint.Exclusion{Rule: "panel-units", Group: "g", Alert: "A", Record: "r:*"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := len(lint.Exclude([]lint.Finding{f}, []lint.Exclusion{tc.by}, func(lint.Exclusion) bool { return true })) == 0; got != tc.want {
				t.Errorf("excluded: %v", got)
			}
		})
	}
}

func TestPatternMatchesSlashInTitle(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]bool{"CPU*": true, "*memory": true, "CPU * memory": true, "C*/*y": true, "*": true, "CPU*CPU": false, "CPU / memory*y": false} {
		f := []lint.Finding{{Rule: "r", Panel: "CPU / memory"}}
		if got := len(lint.Exclude(f, []lint.Exclusion{{Rule: "r", Panel: pattern}}, nil)) == 0; got != want {
			t.Errorf("%s: excluded %v", pattern, got)
		}
	}
}

func TestExclusionsApplyToTheirDirectoryAndBelow(t *testing.T) {
	t.Parallel()
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		of, file string
		want     bool
	}{
		{".scaffold-lint.yaml", "a/b.yaml", true},
		{".scaffold-lint.yaml", "../b.yaml", false},
		{".scaffold-lint.yaml", "/etc/b.yaml", false},
		{".scaffold-lint.yaml", filepath.ToSlash(here) + "/b.yaml", true},
		{"../.scaffold-lint.yaml", "../b.yaml", true},
		{"../.scaffold-lint.yaml", "b.yaml", true},
		{"../.scaffold-lint.yaml", "../../b.yaml", false},
		{"a/.scaffold-lint.yaml", "a/..b/c.yaml", true},
		{"a/.scaffold-lint.yaml", "ab/c.yaml", false},
		{"/etc/.scaffold-lint.yaml", "/etc/b.yaml", true},
		{"/.scaffold-lint.yaml", "/etc/b.yaml", true},
	} {
		exclusions, err := lint.ParseExclusions(tc.of, []byte("exclusions: [{rule: r, reason: x}]\n"), []string{"r"})
		if err != nil {
			t.Fatal(err)
		}
		got := lint.Exclude([]lint.Finding{{Rule: "r", File: tc.file}}, exclusions, func(lint.Exclusion) bool { return false })
		if (len(got) == 0) != tc.want {
			t.Errorf("%s excludes %s: %v", tc.of, tc.file, len(got) == 0)
		}
	}
}

func TestUnusedExclusionIsReported(t *testing.T) {
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
	found := []lint.Finding{{Rule: "a", File: "rules/x.yaml", Message: "excluded"}, {Rule: "b", File: "rules/x.yaml", Dashboard: "y", Message: "stays"}, {Rule: "a", File: "other/x.yaml", Message: "is elsewhere"}}
	got := lint.Exclude(found, exclusions, func(lint.Exclusion) bool { return true })
	want := []lint.Finding{
		{Rule: "b", File: "rules/x.yaml", Dashboard: "y", Message: "stays"},
		{Rule: "a", File: "other/x.yaml", Message: "is elsewhere"},
		{Rule: "exclusion-unused", File: "rules/.scaffold-lint.yaml", Line: 4, Message: "the exclusion of b matches no finding; remove it", Shape: "the exclusion of %s matches no finding; remove it"},
	}
	if got := lint.Exclude(nil, exclusions, func(lint.Exclusion) bool { return false }); len(got) > 0 {
		t.Errorf("unused exclusion of files that were not read: got %v", got)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestInvalidExclusionIsRejected(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, src, want string }{
		{"no reason", "exclusions:\n- rule: rate-range\n", ".lint:2:3: exclusions[0]: missing reason; write one sentence that says why the rule does not apply"},
		{"unknown rule", "exclusions:\n- {rule: rate-rang, reason: x}\n", `.lint:2:10: exclusions[0].rule: unknown rule "rate-rang"; did you mean "rate-range"?`},
		{"unknown key", "exclusions:\n- {rule: rate-range, reason: x, panels: y}\n", `.lint:2:33: exclusions[0].panels: unknown key; did you mean "panel"?`},
		{"invalid pattern", "exclusions:\n- {rule: rate-range, reason: x, file: '[y'}\n", `.lint:2:39: exclusions[0].file: invalid pattern "[y": missing ]; write a path, with * for any text except a slash`},
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

func TestParseFindings(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		err  error
		want lint.Finding
	}{
		{"list of problems", diagnostic.List{{File: "f", Line: 2, Column: 3, Path: "a.b", Message: "m"}}.Err(), lint.Finding{Rule: "r", File: "f", Line: 2, Column: 3, Message: "a.b: m"}},
		{"text with a place", errors.New("f:2:3: m: n"), lint.Finding{Rule: "r", File: "f", Line: 2, Column: 3, Message: "m: n"}},
		{"text without a place", errors.New("f: m: n"), lint.Finding{Rule: "r", File: "f", Message: "m: n"}},
		{"text without a file name", errors.New("odd"), lint.Finding{Rule: "r", File: "f", Message: "odd"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff([]lint.Finding{tc.want}, lint.ParseFindings("r", "f", tc.err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFindingAt(t *testing.T) {
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
	f.Add([]byte("exclusions:\n- {rule: a, file: '[', reason: x}\n"))
	f.Add([]byte("exclusions:\n- {rule: a, file: 'a*', panel: '[*', reason: x}\n- {rule: a, reason: y}\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		exclusions, err := lint.ParseExclusions(".lint", src, []string{"a"})
		if err != nil {
			return
		}
		if got := lint.Exclude(nil, exclusions, func(lint.Exclusion) bool { return true }); len(got) != len(exclusions) {
			t.Errorf("%q: an exclusion is used without findings", src)
		}
		for _, e := range exclusions { // each excludes a finding with its own names
			f := lint.Finding{Rule: e.Rule, File: e.File, Dashboard: e.Dashboard, Panel: e.Panel, Group: e.Group, Alert: e.Alert, Record: e.Record}
			e.File = ""
			if got := lint.Exclude([]lint.Finding{f}, []lint.Exclusion{e}, func(lint.Exclusion) bool { return false }); filepath.IsLocal(f.File) && len(got) > 0 {
				t.Errorf("%q: %+v does not exclude %+v", src, e, f)
			}
		}
	})
}
