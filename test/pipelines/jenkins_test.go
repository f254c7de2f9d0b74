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
	// Debian's groovy expects Java in the directory of the Debian package.
	home := "JAVA_HOME=" + filepath.Dir(filepath.Dir(java))
	return s.try(t, []string{home}, need(t, "groovy"), append([]string{path}, args...)...)
}

// pipeline runs the Jenkinsfile with a fake Jenkins and returns the arguments of its sh steps.
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
			check := func(want []string, output string, variables ...string) {
				t.Helper()
				shells, out, err := s.pipeline(t, variables...)
				if err != nil || !strings.Contains(out, output) {
					t.Fatalf("%v; want output %q\n%s", err, output, out)
				}
				var got []string
				for _, shell := range shells {
					got = append(got, strings.TrimPrefix(strings.TrimPrefix(shell, "PUSH=1 "), "./"+path.Join(s.directory, "ci")+" "))
					if strings.HasPrefix(shell, "PUSH=1 ") != (strings.HasSuffix(shell, "image") && slices.Contains(variables, "BRANCH_IS_PRIMARY=true")) {
						t.Errorf("with %v: unexpected PUSH in %q", variables, shell)
					}
				}
				compareStages(t, strings.Join(variables, " "), got, want)
			}
			check(proposed, "", "BRANCH_NAME=PR-1")
			if !slices.Contains(s.stages(t), "deploy") {
				check(released, "", "BRANCH_NAME=main", "BRANCH_IS_PRIMARY=true")
				return
			}
			check(released, "input Roll this version out to prod?", "BRANCH_NAME=main", "BRANCH_IS_PRIMARY=true")
			check([]string{`rollback "$ROLLBACK"`}, "file kubeconfig-prod", "BRANCH_NAME=main", "BRANCH_IS_PRIMARY=true", "ROLLBACK=prod")
		})
	}
}

// A build runs the stages only if the service may have changed since the last
// successful build, or if a user started it.
func TestJenkinsfileOfADirectory(t *testing.T) {
	t.Parallel()
	s := generate(t, variants()["in a directory"])
	for _, tt := range []struct {
		name      string
		variables []string
		runs      bool
	}{
		{"first build of a branch", nil, true},
		{"change of the service", []string{"PREVIOUS=SUCCESS", "CHANGED=services/orders/go.mod"}, true},
		{"change of another directory", []string{"PREVIOUS=SUCCESS", "CHANGED=services/orders-old/go.mod"}, false},
		{"change of another directory after a failed build", []string{"PREVIOUS=FAILURE", "CHANGED=services/stock/go.mod"}, true},
		{"started by a user", []string{"PREVIOUS=SUCCESS", "CAUSE=UserIdCause"}, true},
	} {
		shells, out, err := s.pipeline(t, append(tt.variables, "BRANCH_NAME=PR-1")...)
		if err != nil || (len(shells) > 0) != tt.runs {
			t.Errorf("%s: ran %v, %v; want runs: %v\n%s", tt.name, shells, err, tt.runs, out)
		}
	}
}

func TestJenkinsfileBroken(t *testing.T) {
	t.Parallel()
	s := generate(t, variants()["everything"])
	text := s.read(t, "Jenkinsfile")
	if _, out, err := s.pipeline(t, "BRANCH_NAME=main", "BRANCH_IS_PRIMARY=true"); err != nil {
		t.Fatalf("the unchanged Jenkinsfile is rejected: %v\n%s", err, out)
	}
	for name, change := range map[string][2]string{
		"missing brace":         {"steps { sh './ci lint' }", "steps  sh './ci lint' }"},
		"missing quote":         {"'./ci test'", "'./ci test"},
		"unknown section":       {"agent any", "agents any"},
		"unknown condition":     {"environment name: 'BRANCH_IS_PRIMARY'", "environments name: 'BRANCH_IS_PRIMARY'"},
		"unknown step":          {"sh './ci verify'", "shell './ci verify'"},
		"stage without steps":   {"stage('lint') { steps { sh './ci lint' } }", "stage('lint') { }"},
		"input on every branch": {"beforeInput true; environment name: 'BRANCH_IS_PRIMARY', value: 'true' }\n          input", "environment name: 'BRANCH_IS_PRIMARY', value: 'true' }\n          input"},
	} {
		s.write(t, "Jenkinsfile", replace(t, text, change[0], change[1]))
		shells, out, err := s.pipeline(t, "BRANCH_NAME=main", "BRANCH_IS_PRIMARY=true")
		if err == nil {
			t.Errorf("%s is not detected: %v\n%s", name, shells, out)
		}
	}
	if err := os.Remove(filepath.Join(s.dir, "Jenkinsfile")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.pipeline(t); err == nil {
		t.Error("a missing Jenkinsfile is not detected")
	}
}
