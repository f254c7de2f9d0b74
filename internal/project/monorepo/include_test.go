package monorepo_test

import (
	"testing"

	"github.com/observability-first/scaffold/internal/project/monorepo"
	"github.com/observability-first/scaffold/internal/testkit/testdir"
)

func TestInclude(t *testing.T) {
	t.Parallel()
	const line = "  - local: services/orders/.gitlab-ci.yml\n"
	for name, tt := range map[string]struct{ was, want, left string }{
		"empty file":               {"", "", ".gitlab-ci.yml cannot be read"},
		"file without include":     {"x:\n  script: y", "x:\n  script: y\ninclude:\n" + line, ""},
		"list":                     {"include:\n  - local: a.yml\n  # b\nx: {script: y}\n", "include:\n  - local: a.yml\n" + line + "  # b\nx: {script: y}\n", ""},
		"list without indentation": {"include:\n- template: T # t\n", "include:\n- template: T # t\n- local: services/orders/.gitlab-ci.yml\n", ""},
		"CRLF line ends":           {"include:\r\n  - local: a.yml\r\n", "include:\r\n  - local: a.yml\r\n  - local: services/orders/.gitlab-ci.yml\r\n", ""},
		"reference tag":            {"x:\n  script: !reference [y, script]\n", "x:\n  script: !reference [y, script]\ninclude:\n" + line, ""},
		"stages are present":       {"stages: [build, check, test]\n", "stages: [build, check, test]\ninclude:\n" + line, ""},
		"already included":         {"include:\n  - local: /services/orders/.gitlab-ci.yml\n", "", ""},
		"included by a glob":       {"include: 'services/*/.gitlab-ci.yml'\n", "", ""},
		"stages are missing":       {"stages: [build]\n", "", ".gitlab-ci.yml has its own stages, which must include check, test"},
		"flow list":                {"include: [{local: a.yml}]\n", "", "the include of .gitlab-ci.yml is not a list with one entry per line"},
		"scalar":                   {"include: a.yml\n", "", "the include of .gitlab-ci.yml is not a list with one entry per line"},
		"entry on several lines":   {"include:\n  - project: p\n    file: f\n", "", "the include of .gitlab-ci.yml is not a list with one entry per line"},
		"two documents":            {"spec: {}\n---\nx: {script: y}\n", "", ".gitlab-ci.yml cannot be read"},
		"invalid YAML":             {"x: [\n", "", ".gitlab-ci.yml cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := testdir.New(t, map[string]string{".gitlab-ci.yml": tt.was})
			e, err := monorepo.PlanInclude(root, "services/orders", []string{"check", "test"})
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Write(); err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if want == "" {
				want = tt.was
			}
			if got := read(t, root, ".gitlab-ci.yml"); got != want || e.Left != tt.left || (e.File != "") != (tt.want != "") {
				t.Errorf("got %q, left %q; want %q and %q", got, e.Left, want, tt.left)
			}
		})
	}
}
