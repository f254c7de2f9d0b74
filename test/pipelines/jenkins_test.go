package pipelines

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// groovy runs a script of testdata on a file.
func (s service) groovy(t *testing.T, script string, args ...string) (string, error) {
	t.Helper()
	java, err := filepath.EvalSymlinks(need(t, "java"))
	if err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs("testdata/" + script)
	if err != nil {
		t.Fatal(err)
	}
	// Debian's groovy looks for Java where its own package puts it.
	home := "JAVA_HOME=" + filepath.Dir(filepath.Dir(java))
	return s.try(t, []string{home}, need(t, "groovy"), append([]string{path}, args...)...)
}

// pipeline plays the Jenkinsfile and gives what its shells were told.
func (s service) pipeline(t *testing.T, variables ...string) ([]string, string, error) {
	t.Helper()
	out, err := s.groovy(t, "play.groovy", append([]string{"Jenkinsfile"}, variables...)...)
	var shells []string
	for line := range strings.Lines(out) {
		if shell, ok := strings.CutPrefix(strings.TrimSpace(line), "sh "); ok {
			shells = append(shells, shell)
		}
	}
	return shells, out, err
}

func TestJenkinsfile(t *testing.T) {
	t.Parallel()
	for name, v := range variants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := generate(t, v)
			proposed, released := expected(t, s)
			play := func(want []string, says string, variables ...string) {
				t.Helper()
				shells, out, err := s.pipeline(t, variables...)
				if err != nil || !strings.Contains(out, says) {
					t.Fatalf("%v; want %q\n%s", err, says, out)
				}
				var got []string
				for _, shell := range shells {
					got = append(got, strings.TrimPrefix(strings.TrimPrefix(shell, "PUSH=1 "), "./"+path.Join(s.directory, "ci")+" "))
					if strings.HasPrefix(shell, "PUSH=1 ") != (strings.HasSuffix(shell, "image") && slices.Contains(variables, "BRANCH_IS_PRIMARY=true")) {
						t.Errorf("with %v: %s", variables, shell)
					}
				}
				compareStages(t, strings.Join(variables, " "), got, want)
			}
			play(proposed, "", "BRANCH_NAME=PR-1")
			if !slices.Contains(s.stages(t), "deploy") {
				play(released, "", "BRANCH_NAME=main", "BRANCH_IS_PRIMARY=true")
				return
			}
			play(released, "input Roll this version out to prod?", "BRANCH_NAME=main", "BRANCH_IS_PRIMARY=true")
			play([]string{`rollback "$ROLLBACK"`}, "file kubeconfig-prod", "BRANCH_NAME=main", "BRANCH_IS_PRIMARY=true", "ROLLBACK=prod")
		})
	}
}

// Only what may have broken the service runs its stages; a build that could not
// know is one of those.
func TestJenkinsfileOfADirectory(t *testing.T) {
	t.Parallel()
	s := generate(t, variants()["in a directory"])
	for _, tt := range []struct {
		name      string
		variables []string
		runs      bool
	}{
		{"the first build of a branch", nil, true},
		{"a change of the service", []string{"PREVIOUS=SUCCESS", "CHANGED=services/orders/go.mod"}, true},
		{"a change of another", []string{"PREVIOUS=SUCCESS", "CHANGED=services/orders-old/go.mod"}, false},
		{"a change of another after a failure", []string{"PREVIOUS=FAILURE", "CHANGED=services/stock/go.mod"}, true},
		{"a person", []string{"PREVIOUS=SUCCESS", "CAUSE=UserIdCause"}, true},
	} {
		shells, out, err := s.pipeline(t, append(tt.variables, "BRANCH_NAME=PR-1")...)
		if err != nil || (len(shells) > 0) != tt.runs {
			t.Errorf("%s: %v, %v; want runs %v\n%s", tt.name, shells, err, tt.runs, out)
		}
	}
}

func TestJenkinsfileBroken(t *testing.T) {
	t.Parallel()
	s := generate(t, variants()["everything"])
	text := s.read(t, "Jenkinsfile")
	if _, out, err := s.pipeline(t, "BRANCH_NAME=main", "BRANCH_IS_PRIMARY=true"); err != nil {
		t.Fatalf("the file that is broken below is refused as it is: %v\n%s", err, out)
	}
	for name, change := range map[string][2]string{
		"a brace that is missing": {"steps { sh './ci lint' }", "steps  sh './ci lint' }"},
		"a quote that is missing": {"'./ci test'", "'./ci test"},
		"an unknown section":      {"agent any", "agents any"},
		"an unknown condition":    {"environment name: 'BRANCH_IS_PRIMARY'", "environments name: 'BRANCH_IS_PRIMARY'"},
		"an unknown step":         {"sh './ci verify'", "shell './ci verify'"},
		"a stage without steps":   {"stage('lint') { steps { sh './ci lint' } }", "stage('lint') { }"},
		"asked before the branch": {"beforeInput true; environment name: 'BRANCH_IS_PRIMARY', value: 'true' }\n          input", "environment name: 'BRANCH_IS_PRIMARY', value: 'true' }\n          input"},
	} {
		s.write(t, "Jenkinsfile", with(t, text, change[0], change[1]))
		shells, out, err := s.pipeline(t, "BRANCH_NAME=main", "BRANCH_IS_PRIMARY=true")
		if err == nil {
			t.Errorf("%s is found by nobody: %v\n%s", name, shells, out)
		}
	}
	if err := os.Remove(filepath.Join(s.dir, "Jenkinsfile")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.pipeline(t); err == nil {
		t.Error("a file that is absent is played")
	}
}
