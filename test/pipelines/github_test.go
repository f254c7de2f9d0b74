package pipelines

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
	"go.yaml.in/yaml/v3"
)

const workflowFile = ".github/workflows/orders.yml"

// lint returns the findings of actionlint, with shellcheck for scripts.
func lint(t *testing.T, text string) []string {
	t.Helper()
	l, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{Shellcheck: need(t, "shellcheck"), WorkingDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	found, err := l.Lint(workflowFile, []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range found {
		list = append(list, f.Error())
	}
	return list
}

// workflow is the fields of a workflow that the checks below read.
type workflow struct {
	Permissions *map[string]string `yaml:"permissions"`
	On          map[string]any     `yaml:"on"`
	Defaults    struct {
		Run struct {
			Directory string `yaml:"working-directory"`
		} `yaml:"run"`
	} `yaml:"defaults"`
	Jobs map[string]job `yaml:"jobs"`
}

type job struct {
	If          string             `yaml:"if"`
	Needs       oneOrMany          `yaml:"needs"`
	Permissions *map[string]string `yaml:"permissions"`
	Timeout     int                `yaml:"timeout-minutes"`
	Environment string             `yaml:"environment"`
	Concurrency any                `yaml:"concurrency"`
	Steps       []struct {
		Uses string            `yaml:"uses"`
		Run  string            `yaml:"run"`
		With map[string]any    `yaml:"with"`
		Env  map[string]string `yaml:"env"`
	} `yaml:"steps"`
}

type oneOrMany []string

func (l *oneOrMany) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*l = oneOrMany{n.Value}
		return nil
	}
	return n.Decode((*[]string)(l))
}

var pinned = regexp.MustCompile(`uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)

// securityProblems checks what actionlint does not: permissions, pinned actions,
// timeouts and credentials.
func securityProblems(text, directory string) []string {
	var found []string
	var w workflow
	dec := yaml.NewDecoder(strings.NewReader(text))
	if err := dec.Decode(&w); err != nil {
		return []string{err.Error()}
	}
	if w.Permissions == nil || len(*w.Permissions) > 0 {
		found = append(found, "top-level permissions are not empty")
	}
	if _, unsafe := w.On["pull_request_target"]; unsafe {
		found = append(found, "pull_request_target runs code of forks with the permissions of the repository")
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.Contains(line, "uses: ") && !pinned.MatchString(line) {
			found = append(found, line+": action is not pinned to a commit with its version in a comment")
		}
		if strings.Contains(line, "run:") && strings.Contains(line, "${{") {
			found = append(found, line+": expression in a script; pass it in an environment variable")
		}
	}
	for name, j := range w.Jobs {
		found = append(found, jobProblems(name, j, directory)...)
	}
	return found
}

func jobProblems(name string, j job, directory string) []string {
	var found []string
	problem := func(format string, args ...any) { found = append(found, "job "+name+": "+fmt.Sprintf(format, args...)) }
	if j.Permissions == nil {
		problem("permissions are missing")
		return found
	}
	if j.Timeout == 0 || j.Timeout > 60 {
		problem("timeout-minutes is %d, want 1 to 60", j.Timeout)
	}
	for permission, level := range *j.Permissions {
		if permission == "id-token" || level != "read" && (permission != "packages" || !strings.Contains(fmt.Sprint(j.Steps), "PUSH")) {
			problem("permission %s: %s is not needed", permission, level)
		}
	}
	if j.Environment != "" && j.Concurrency == nil {
		problem("concurrency is missing: rollouts to %s may run in parallel", j.Environment)
	}
	for _, s := range j.Steps {
		if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != false {
			problem("persist-credentials is not false: later steps can read the token")
		}
		if strings.HasPrefix(s.Uses, "actions/setup-go@") && s.With["go-version-file"] != path.Join(directory, "go.mod") {
			problem("go-version-file is not the go.mod of the service")
		}
	}
	return found
}

// scopeProblems checks that the workflow of a service in a directory uses only files of
// this directory.
func scopeProblems(text, directory string) []string {
	if directory == "" {
		return nil
	}
	var found []string
	var w workflow
	if err := yaml.Unmarshal([]byte(text), &w); err != nil {
		return []string{err.Error()}
	}
	if w.Defaults.Run.Directory != directory {
		found = append(found, "working-directory is "+w.Defaults.Run.Directory)
	}
	for _, event := range []string{"push", "pull_request"} {
		filter, _ := w.On[event].(map[string]any)
		if got := fmt.Sprint(filter["paths"]); got != "["+directory+"/** "+workflowFile+"]" {
			found = append(found, "paths of "+event+" are "+got)
		}
	}
	for name, j := range w.Jobs {
		for _, s := range j.Steps {
			for _, key := range []string{"cache-dependency-path", "path"} {
				files, _ := s.With[key].(string)
				for file := range strings.Lines(files) {
					if !strings.HasPrefix(file, directory+"/") {
						found = append(found, "job "+name+": "+s.Uses+" uses "+file)
					}
				}
			}
			if image := s.Env["IMAGE"]; image != "" && !strings.HasSuffix(image, "/orders") {
				found = append(found, "job "+name+": "+image+" is not specific to the service")
			}
		}
	}
	return found
}

// The checks detect workflows that use files of other directories.
func TestGitHubWorkflowOfADirectoryBroken(t *testing.T) {
	t.Parallel()
	s := generate(t, variants()["in a directory"])
	text := s.atRoot().read(t, workflowFile)
	if _, err := os.Stat(filepath.Join(s.dir, ".github")); err == nil {
		t.Error("the directory of the service has a .github directory, which GitHub ignores")
	}
	for name, change := range map[string][2]string{
		"no path filter":          {"    paths: [\"services/orders/**\", \".github/workflows/orders.yml\"]\n", ""},
		"another directory":       {"working-directory: \"services/orders\"", "working-directory: \"services/stock\""},
		"go.mod of the root":      {"go-version-file: services/orders/go.mod", "go-version-file: go.mod"},
		"cache of the root":       {"cache-dependency-path: services/orders/go.sum", "cache-dependency-path: go.sum"},
		"artifacts of the root":   {"            services/orders/bin/licenses.txt", "            bin/licenses.txt"},
		"image of the repository": {"/${{ github.repository }}/orders", "/${{ github.repository }}"},
	} {
		broken := replace(t, text, change[0], change[1])
		if len(securityProblems(broken, s.directory)) == 0 && len(scopeProblems(broken, s.directory)) == 0 {
			t.Errorf("%s is not detected", name)
		}
	}
}

// called returns the stages that an event runs, in the order of the jobs.
func (w workflow) called(t *testing.T, event string) (stages []string, environments map[string]string) {
	t.Helper()
	environments = map[string]string{}
	done := map[string]bool{}
	for range w.Jobs {
		for _, name := range sortedNames(w.Jobs) {
			j := w.Jobs[name]
			if done[name] || !j.runs(event) || slices.ContainsFunc(j.Needs, func(n string) bool { return !done[n] }) {
				continue
			}
			done[name] = true
			for _, s := range j.Steps {
				if stage, ok := strings.CutPrefix(s.Run, "./ci "); ok {
					stages = append(stages, stage)
					environments[stage] = j.Environment
				}
			}
		}
	}
	return stages, environments
}

// runs evaluates the if conditions that generated workflows use.
func (j job) runs(event string) bool {
	switch {
	case j.If == "":
		return true // depends on needs
	case strings.HasPrefix(j.If, "github.event_name != '"):
		return j.If != "github.event_name != '"+event+"'"
	}
	return j.If == "github.event_name == '"+event+"'"
}

func sortedNames(jobs map[string]job) []string {
	var names []string
	for name := range jobs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestGitHubWorkflow(t *testing.T) {
	t.Parallel()
	for name, v := range variants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := generate(t, v)
			text := s.atRoot().read(t, workflowFile)
			if found := slices.Concat(lint(t, text), securityProblems(text, s.directory), scopeProblems(text, s.directory)); len(found) > 0 {
				t.Errorf("found:\n%s\nin:\n%s", strings.Join(found, "\n"), text)
			}
			var w workflow
			if err := yaml.NewDecoder(bytes.NewReader([]byte(text))).Decode(&w); err != nil {
				t.Fatal(err)
			}
			proposed, released := expected(t, s)
			got, _ := w.called(t, "pull_request")
			compareStages(t, "a pull request", got, proposed)
			got, environments := w.called(t, "push")
			compareStages(t, "a push", got, released)
			for stage, want := range map[string]string{"deploy staging": "staging", "deploy prod": "prod", "image": ""} {
				if slices.Contains(released, stage) && environments[stage] != want {
					t.Errorf("stage %s runs in environment %q, want %q", stage, environments[stage], want)
				}
			}
			got, _ = w.called(t, "workflow_dispatch")
			if slices.Contains(s.stages(t), "rollback") {
				compareStages(t, "a dispatch", got, []string{`rollback "$ENVIRONMENT" "$REVISION"`})
			} else {
				compareStages(t, "a dispatch", got, nil)
			}
			for _, j := range w.Jobs {
				if j.If == "github.event_name == 'pull_request'" && strings.Contains(fmt.Sprint(j), "PUSH") {
					t.Error("a job for pull requests pushes an image")
				}
			}
		})
	}
}

// The checks detect each of these changes.
func TestGitHubWorkflowBroken(t *testing.T) {
	t.Parallel()
	text := generate(t, variants()["everything"]).read(t, workflowFile)
	for name, change := range map[string][2]string{
		"unknown key":                  {"timeout-minutes: 45", "timeout-minuts: 45"},
		"unknown job in needs":         {"needs: publish", "needs: published"},
		"unknown event":                {"pull_request:", "pull_requests:"},
		"unknown property":             {"github.event_name == 'push'", "github.event_nam == 'push'"},
		"unknown output":               {"steps.digest.outputs", "steps.digests.outputs"},
		"unknown permission":           {"packages: write", "package: write"},
		"unquoted word in a script":    {`cat bin/image.digest`, `cat $FILE`},
		"expression in a script":       {`./ci rollback "$ENVIRONMENT"`, "./ci rollback ${{ inputs.environment }}"},
		"action pinned to a tag":       {"@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7"},
		"no version in a comment":      {" # v7.0.1", ""},
		"top-level write permission":   {"permissions: {}", "permissions: {contents: write}"},
		"no top-level permissions":     {"permissions: {}", ""},
		"job without permissions":      {"    permissions: {contents: read}\n    steps", "    steps"},
		"job with write permission":    {"    permissions: {contents: read}\n    steps", "    permissions: {contents: write}\n    steps"},
		"job with id-token permission": {"    permissions: {contents: read}\n    steps", "    permissions: {contents: read, id-token: write}\n    steps"},
		"persisted credentials":        {"with: {persist-credentials: false}", "with: {fetch-depth: 1}"},
		"Go version not from go.mod":   {"go-version-file: go.mod", "go-version: stable"},
		"no timeout":                   {"    timeout-minutes: 45\n", ""},
		"pull_request_target":          {"pull_request:", "pull_request_target:"},
		"no concurrency group":         {"    concurrency: {group: orders-staging, cancel-in-progress: false}\n", ""},
	} {
		broken := replace(t, text, change[0], change[1])
		if len(lint(t, broken)) == 0 && len(securityProblems(broken, "")) == 0 {
			t.Errorf("%s is not detected", name)
		}
	}
}
