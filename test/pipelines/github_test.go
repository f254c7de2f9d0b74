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

// lint is what actionlint finds, with shellcheck for the scripts in it.
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

// workflow is what the checks below read of one.
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

// harden is what actionlint does not look for: rights, pins and bounds.
func harden(text, directory string) []string {
	var found []string
	var w workflow
	dec := yaml.NewDecoder(strings.NewReader(text))
	if err := dec.Decode(&w); err != nil {
		return []string{err.Error()}
	}
	if w.Permissions == nil || len(*w.Permissions) > 0 {
		found = append(found, "permissions of the workflow are not empty")
	}
	if _, unsafe := w.On["pull_request_target"]; unsafe {
		found = append(found, "pull_request_target runs what strangers send with the rights of the repository")
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.Contains(line, "uses: ") && !pinned.MatchString(line) {
			found = append(found, line+": not pinned by a commit, with its version behind it")
		}
		if strings.Contains(line, "run:") && strings.Contains(line, "${{") {
			found = append(found, line+": an expression becomes part of a script")
		}
	}
	for name, j := range w.Jobs {
		found = append(found, hardenJob(name, j, directory)...)
	}
	return found
}

func hardenJob(name string, j job, directory string) []string {
	var found []string
	problem := func(format string, args ...any) { found = append(found, "job "+name+": "+fmt.Sprintf(format, args...)) }
	if j.Permissions == nil {
		problem("it does not say what it may")
		return found
	}
	if j.Timeout == 0 || j.Timeout > 60 {
		problem("a time-out of %d minutes", j.Timeout)
	}
	for right, level := range *j.Permissions {
		if right == "id-token" || level != "read" && (right != "packages" || !strings.Contains(fmt.Sprint(j.Steps), "PUSH")) {
			problem("%s: %s is more than it needs", right, level)
		}
	}
	if j.Environment != "" && j.Concurrency == nil {
		problem("two roll-outs to %s could run at once", j.Environment)
	}
	for _, s := range j.Steps {
		if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != false {
			problem("it leaves the token to whatever runs next")
		}
		if strings.HasPrefix(s.Uses, "actions/setup-go@") && s.With["go-version-file"] != path.Join(directory, "go.mod") {
			problem("its Go is not that of go.mod")
		}
	}
	return found
}

// confined is what lets a workflow of one directory work on it and no other.
func confined(text, directory string) []string {
	if directory == "" {
		return nil
	}
	var found []string
	var w workflow
	if err := yaml.Unmarshal([]byte(text), &w); err != nil {
		return []string{err.Error()}
	}
	if w.Defaults.Run.Directory != directory {
		found = append(found, "it works in "+w.Defaults.Run.Directory)
	}
	for _, event := range []string{"push", "pull_request"} {
		filter, _ := w.On[event].(map[string]any)
		if got := fmt.Sprint(filter["paths"]); got != "["+directory+"/** "+workflowFile+"]" {
			found = append(found, "a "+event+" of "+got+" runs it")
		}
	}
	for name, j := range w.Jobs {
		for _, s := range j.Steps {
			for _, key := range []string{"cache-dependency-path", "path"} {
				files, _ := s.With[key].(string)
				for file := range strings.Lines(files) {
					if !strings.HasPrefix(file, directory+"/") {
						found = append(found, "job "+name+": "+s.Uses+" takes "+file)
					}
				}
			}
			if image := s.Env["IMAGE"]; image != "" && !strings.HasSuffix(image, "/orders") {
				found = append(found, "job "+name+": "+image+" is the image of every service")
			}
		}
	}
	return found
}

// A workflow of a directory that reaches others is refused by the same checks.
func TestGitHubWorkflowOfADirectoryBroken(t *testing.T) {
	t.Parallel()
	s := generate(t, variants()["in a directory"])
	text := s.atRoot().read(t, workflowFile)
	if _, err := os.Stat(filepath.Join(s.dir, ".github")); err == nil {
		t.Error("there is a workflow in the directory of the service, where GitHub does not find it")
	}
	for name, change := range map[string][2]string{
		"no filter":            {"    paths: [\"services/orders/**\", \".github/workflows/orders.yml\"]\n", ""},
		"another directory":    {"working-directory: \"services/orders\"", "working-directory: \"services/stock\""},
		"Go of the root":       {"go-version-file: services/orders/go.mod", "go-version-file: go.mod"},
		"a cache of the root":  {"cache-dependency-path: services/orders/go.sum", "cache-dependency-path: go.sum"},
		"files of the root":    {"            services/orders/bin/licenses.txt", "            bin/licenses.txt"},
		"the image of another": {"/${{ github.repository }}/orders", "/${{ github.repository }}"},
	} {
		broken := with(t, text, change[0], change[1])
		if len(harden(broken, s.directory)) == 0 && len(confined(broken, s.directory)) == 0 {
			t.Errorf("%s is found by nobody", name)
		}
	}
}

// called are the stages that an event runs, in the order of the jobs.
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

// runs knows the conditions that the workflow has, and no others.
func (j job) runs(event string) bool {
	switch {
	case j.If == "":
		return true // what it needs decides
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
			if found := slices.Concat(lint(t, text), harden(text, s.directory), confined(text, s.directory)); len(found) > 0 {
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
					t.Errorf("%s runs in the environment %q, want %q", stage, environments[stage], want)
				}
			}
			got, _ = w.called(t, "workflow_dispatch")
			if slices.Contains(s.stages(t), "rollback") {
				compareStages(t, "a dispatch", got, []string{`rollback "$ENVIRONMENT"`})
			} else {
				compareStages(t, "a dispatch", got, nil)
			}
			for _, j := range w.Jobs {
				if j.If == "github.event_name == 'pull_request'" && strings.Contains(fmt.Sprint(j), "PUSH") {
					t.Error("a pull request sends an image")
				}
			}
		})
	}
}

// What is broken on purpose is refused by the same checks.
func TestGitHubWorkflowBroken(t *testing.T) {
	t.Parallel()
	text := generate(t, variants()["everything"]).read(t, workflowFile)
	for name, change := range map[string][2]string{
		"an unknown key":            {"timeout-minutes: 45", "timeout-minuts: 45"},
		"an unknown need":           {"needs: publish", "needs: published"},
		"an unknown event":          {"pull_request:", "pull_requests:"},
		"an unknown property":       {"github.event_name == 'push'", "github.event_nam == 'push'"},
		"an unknown output":         {"steps.digest.outputs", "steps.digests.outputs"},
		"an unknown right":          {"packages: write", "package: write"},
		"a script that splits":      {`cat bin/image.digest`, `cat $FILE`},
		"an expression in a script": {`./ci rollback "$ENVIRONMENT"`, "./ci rollback ${{ inputs.environment }}"},
		"a tag instead of a commit": {"@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7"},
		"no version of a commit":    {" # v7.0.1", ""},
		"rights for all":            {"permissions: {}", "permissions: {contents: write}"},
		"no rights at the top":      {"permissions: {}", ""},
		"a job without rights":      {"    permissions:\n      contents: read\n    steps", "    steps"},
		"too many rights":           {"      contents: read\n    steps", "      contents: write\n    steps"},
		"a token for a cloud":       {"      contents: read\n    steps", "      contents: read\n      id-token: write\n    steps"},
		"credentials that stay":     {"          persist-credentials: false\n", "          fetch-depth: 1\n"},
		"another Go":                {"go-version-file: go.mod", "go-version: stable"},
		"no bound":                  {"    timeout-minutes: 45\n", ""},
		"strangers with rights":     {"pull_request:", "pull_request_target:"},
		"two roll-outs at once":     {"    concurrency:\n      group: orders-staging\n      cancel-in-progress: false\n", ""},
	} {
		broken := with(t, text, change[0], change[1])
		if len(lint(t, broken)) == 0 && len(harden(broken, "")) == 0 {
			t.Errorf("%s is found by nobody", name)
		}
	}
}
