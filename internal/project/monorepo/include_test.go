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
		"none":                {"", "", ".gitlab-ci.yml cannot be read"},
		"jobs of its own":     {"x:\n  script: y", "x:\n  script: y\ninclude:\n" + line, ""},
		"a list":              {"include:\n  - local: a.yml\n  # b\nx: {script: y}\n", "include:\n  - local: a.yml\n" + line + "  # b\nx: {script: y}\n", ""},
		"a list without room": {"include:\n- template: T # t\n", "include:\n- template: T # t\n- local: services/orders/.gitlab-ci.yml\n", ""},
		"line ends":           {"include:\r\n  - local: a.yml\r\n", "include:\r\n  - local: a.yml\r\n  - local: services/orders/.gitlab-ci.yml\r\n", ""},
		"a reference":         {"x:\n  script: !reference [y, script]\n", "x:\n  script: !reference [y, script]\ninclude:\n" + line, ""},
		"our stages":          {"stages: [build, check, test]\n", "stages: [build, check, test]\ninclude:\n" + line, ""},
		"it is there":         {"include:\n  - local: /services/orders/.gitlab-ci.yml\n", "", ""},
		"all are there":       {"include: 'services/*/.gitlab-ci.yml'\n", "", ""},
		"other stages":        {"stages: [build]\n", "", ".gitlab-ci.yml has stages of its own, which have to hold check, test"},
		"one in a line":       {"include: [{local: a.yml}]\n", "", "the include of .gitlab-ci.yml is no list with an entry a line"},
		"one alone":           {"include: a.yml\n", "", "the include of .gitlab-ci.yml is no list with an entry a line"},
		"an entry of lines":   {"include:\n  - project: p\n    file: f\n", "", "the include of .gitlab-ci.yml is no list with an entry a line"},
		"two documents":       {"spec: {}\n---\nx: {script: y}\n", "", ".gitlab-ci.yml cannot be read"},
		"no YAML":             {"x: [\n", "", ".gitlab-ci.yml cannot be read"},
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
