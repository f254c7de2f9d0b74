package pipelines

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const gitlabFile = ".gitlab-ci.yml"

// gitlabVariables returns the variables of a pipeline for the branch, or for a merge
// request if branch is empty.
func gitlabVariables(branch string) []string {
	list := []string{"--variable", "CI_DEFAULT_BRANCH=main", "--variable", "CI_COMMIT_BRANCH=" + branch, "--variable", "CI_REGISTRY_IMAGE=registry.test/acme/orders"}
	if branch == "" {
		return append(list, "--variable", "CI_PIPELINE_SOURCE=merge_request_event")
	}
	return list
}

// commit makes the service a git repository, which the runner requires.
func (s service) commit(t *testing.T) {
	t.Helper()
	s.run(t, nil, "git", "init", "--quiet", "--initial-branch", "main")
	s.run(t, nil, "git", "remote", "add", "origin", "git@gitlab.test:acme/orders.git")
	s.run(t, nil, "git", "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
	s.run(t, nil, "git", "add", "--all")
	s.run(t, nil, "git", "-c", "user.name=t", "-c", "user.email=t@t.test", "commit", "--quiet", "--message", "all")
}

// included commits the whole repository and returns its root. The file at the root
// includes the jobs of the service if the service is in a directory.
func (s service) included(t *testing.T) service {
	t.Helper()
	root := s.atRoot()
	if s.directory != "" {
		root.write(t, gitlabFile, "include:\n  - local: "+s.directory+"/"+gitlabFile+"\n")
	}
	root.commit(t)
	root.changed(t)
	return root
}

// changed makes all files count as changed: the runner compares with origin/main, which
// becomes an empty commit.
func (s service) changed(t *testing.T) {
	t.Helper()
	tree := strings.TrimSpace(s.run(t, nil, "git", "hash-object", "-t", "tree", "/dev/null"))
	empty := s.run(t, nil, "git", "-c", "user.name=t", "-c", "user.email=t@t.test", "commit-tree", "-m", "empty", tree)
	s.run(t, nil, "git", "update-ref", "refs/remotes/origin/main", strings.TrimSpace(empty))
}

// job returns the name of a job, with the prefix of the service if any.
func (s service) job(name string) string {
	if s.directory == "" {
		return name
	}
	return "orders:" + name
}

// runner runs gitlab-ci-local, which validates the file with GitLab's schema first.
func (s service) runner(t *testing.T, environment []string, args ...string) (string, error) {
	t.Helper()
	all := append([]string{module(t, "gitlab-ci-local/dist/index.js"), "--home", t.TempDir(),
		"--ignore-predefined-vars", "CI_DEFAULT_BRANCH,CI_COMMIT_BRANCH,CI_PIPELINE_SOURCE,CI_REGISTRY_IMAGE,CI_REGISTRY_USER,CI_REGISTRY_PASSWORD"}, args...)
	return s.try(t, environment, node(t), all...)
}

// gitlabJob is a job in the list of the runner.
type gitlabJob struct {
	Name         string `json:"name"`
	Stage        string `json:"stage"`
	When         string `json:"when"`
	AllowFailure bool   `json:"allow_failure"`
	Needs        []struct {
		Job string `json:"job"`
	} `json:"needs"`
}

func (s service) gitlabJobs(t *testing.T, branch string) []gitlabJob {
	t.Helper()
	out, err := s.runner(t, nil, append(gitlabVariables(branch), "--list-json")...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var jobs []gitlabJob
	_, list, _ := strings.Cut(out, "\n[\n") // skip messages before the list
	if err := json.Unmarshal([]byte("["+list), &jobs); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return jobs
}

func TestGitLabFile(t *testing.T) {
	t.Parallel()
	for name, v := range variants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := generate(t, v)
			proposed, _ := expected(t, s)
			whole := s.included(t)
			stagesOf := func(branch string) (run, manual []string) {
				for _, j := range whole.gitlabJobs(t, branch) {
					switch j.When {
					case "never":
					case "manual":
						manual = append(manual, j.Name)
					default:
						run = append(run, j.Stage)
					}
				}
				return run, manual
			}
			run, manual := stagesOf("")
			compareStages(t, "a merge request", run, proposed)
			compareStages(t, "a merge request, manually,", manual, nil)
			run, manual = stagesOf("main")
			if !slices.Contains(s.stages(t), "deploy") {
				compareStages(t, "the main branch", run, proposed)
				compareStages(t, "the main branch, manually,", manual, nil)
				return
			}
			compareStages(t, "the main branch", run, append(proposed, "deploy"))
			byHand := []string{"prod", "rollback-dev", "rollback-staging", "rollback-prod"}
			for i := range byHand {
				byHand[i] = s.job(byHand[i])
			}
			compareStages(t, "the main branch, manually,", manual, byHand)
		})
	}
}

// The runner runs every job of the default branch. ./ci is a fake that records its
// arguments, and the installed programs do nothing.
func TestGitLabJobsRun(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"everything", "in a directory"} {
		t.Run(name, func(t *testing.T) { t.Parallel(); gitlabJobsRun(t, generate(t, variants()[name])) })
	}
}

func gitlabJobsRun(t *testing.T, s service) {
	t.Helper()
	tools := t.TempDir()
	log := filepath.Join(tools, "log")
	for _, name := range []string{"apt-get", "curl", "sha256sum", "install", "rm"} {
		tool(t, tools, name, "cat >/dev/null </dev/null")
	}
	stub := "#!/usr/bin/env bash\nset -eu\ncd \"$(dirname \"$0\")\"\necho \"$* PUSH=${PUSH:-} IMAGE=${IMAGE:-} USER=${REGISTRY_USER:-}\" >>" + log + "\n" +
		"case $1 in image) mkdir -p bin && echo sha256:x >bin/image.digest ;; sbom) mkdir -p bin && touch bin/sbom.json bin/licenses.txt ;; deploy) test -s bin/image.digest ;; esac\n"
	if err := os.WriteFile(filepath.Join(s.dir, "ci"), []byte(stub), 0o755); err != nil {
		t.Fatal(err)
	}
	whole := s.included(t)
	path := []string{"PATH=" + tools + ":" + os.Getenv("PATH")}
	args := append(gitlabVariables("main"), "--force-shell-executor", "--variable", "CI_REGISTRY_USER=robot", "--variable", "CI_REGISTRY_PASSWORD=p")
	if out, err := whole.runner(t, path, args...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := whole.runner(t, path, append(args, s.job("prod"), s.job("rollback-prod"))...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	var called []string
	for _, line := range lines {
		stage, _, _ := strings.Cut(line, " PUSH=")
		called = append(called, stage)
	}
	want := []string{"check", "lint", "test", "verify", "image", "sbom", "deploy staging", "deploy prod", "rollback prod"}
	slices.Sort(called[len(called)-2:]) // the last two run in parallel
	compareStages(t, "the runner", called, want)
	image := "registry.test/acme/orders"
	if s.directory != "" {
		image += "/orders" // services of a repository have different images
	}
	if line := lines[4]; line != "image PUSH=1 IMAGE="+image+" USER=robot" {
		t.Errorf("./ci image was called with %q", line)
	}
}

// tool writes a shell script with the body.
func tool(t *testing.T, dir, name, body string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestGitLabFileBroken(t *testing.T) {
	t.Parallel()
	s := generate(t, variants()["everything"])
	s.commit(t)
	text := s.read(t, gitlabFile)
	if out, err := s.runner(t, nil, append(gitlabVariables("main"), "--list")...); err != nil {
		t.Fatalf("the unchanged file is rejected: %v\n%s", err, out)
	}
	for name, change := range map[string][2]string{
		"unknown key":                 {"resource_group: orders-prod", "resource_grup: orders-prod"},
		"unknown stage":               {"stage: verify", "stage: verified"},
		"unknown job in needs":        {"needs: [build, staging]", "needs: [built, staging]"},
		"reserved job name":           {"build:\n  stage: image\n", "image:\n  stage: image\n"},
		"unknown template in extends": {"extends: .kubectl", "extends: .kubectls"},
		"unknown value of when":       {"when: manual", "when: by hand"},
		"missing script":              {"  script: ./ci lint\n", ""},
		"invalid YAML":                {"stages: [check", "stages: [[check"},
	} {
		s.write(t, gitlabFile, replace(t, text, change[0], change[1]))
		if out, err := s.runner(t, nil, append(gitlabVariables("main"), "--list")...); err == nil {
			t.Errorf("%s is not detected:\n%s", name, out)
		}
	}
}

// Files of two services can be included in one. A change of a service runs only its jobs.
func TestGitLabFilesOfTwoServices(t *testing.T) {
	t.Parallel()
	s := generate(t, variants()["in a directory"])
	other := generate(t, variant{components: "{}", platforms: "[]", image: "stock", links: "{}", directory: "services/stock", name: "stock"})
	root := s.atRoot()
	if err := os.CopyFS(filepath.Join(root.dir, "services", "stock"), os.DirFS(other.dir)); err != nil {
		t.Fatal(err)
	}
	root.write(t, gitlabFile, "include:\n  - local: services/orders/.gitlab-ci.yml\n  - local: services/stock/.gitlab-ci.yml\n")
	root.commit(t)
	root.changed(t)
	names := root.running(t)
	for _, want := range []string{"orders:check", "stock:check", "orders:sbom", "stock:sbom", "orders:staging"} {
		if !slices.Contains(names, want) {
			t.Errorf("jobs %v do not include %s", names, want)
		}
	}
	// A change of one service.
	root.run(t, nil, "git", "update-ref", "refs/remotes/origin/main", "HEAD")
	root.write(t, "services/stock/README.md", "changed\n")
	names = root.running(t)
	if !slices.Contains(names, "stock:check") || slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "orders:") }) {
		t.Errorf("a change of stock runs %v, want jobs of stock only", names)
	}
}

// running returns the names of the jobs that run on the main branch.
func (s service) running(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, j := range s.gitlabJobs(t, "main") {
		if j.When != "never" {
			names = append(names, j.Name)
		}
	}
	return names
}
