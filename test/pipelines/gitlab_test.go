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

// gitlabOn makes the runner believe that it is on a branch, or with none on a
// merge request.
func gitlabOn(branch string) []string {
	list := []string{"--variable", "CI_DEFAULT_BRANCH=main", "--variable", "CI_COMMIT_BRANCH=" + branch, "--variable", "CI_REGISTRY_IMAGE=registry.test/acme/orders"}
	if branch == "" {
		return append(list, "--variable", "CI_PIPELINE_SOURCE=merge_request_event")
	}
	return list
}

// commit makes the service a repository, as the runner wants.
func (s service) commit(t *testing.T) {
	t.Helper()
	s.run(t, nil, "git", "init", "--quiet", "--initial-branch", "main")
	s.run(t, nil, "git", "remote", "add", "origin", "git@gitlab.test:acme/orders.git")
	s.run(t, nil, "git", "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
	s.run(t, nil, "git", "add", "--all")
	s.run(t, nil, "git", "-c", "user.name=t", "-c", "user.email=t@t.test", "commit", "--quiet", "--message", "all")
}

// included commits the whole repository, whose root includes the jobs of the
// service where that is one directory of it, and returns it.
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

// changed makes the runner believe that all of the repository is new: it takes
// what differs from origin/main for the change.
func (s service) changed(t *testing.T) {
	t.Helper()
	tree := strings.TrimSpace(s.run(t, nil, "git", "hash-object", "-t", "tree", "/dev/null"))
	empty := s.run(t, nil, "git", "-c", "user.name=t", "-c", "user.email=t@t.test", "commit-tree", "-m", "empty", tree)
	s.run(t, nil, "git", "update-ref", "refs/remotes/origin/main", strings.TrimSpace(empty))
}

// job is the name that the service gives to a job.
func (s service) job(name string) string {
	if s.directory == "" {
		return name
	}
	return "orders:" + name
}

// runner calls gitlab-ci-local, which first holds the file against the schema
// that GitLab publishes.
func (s service) runner(t *testing.T, environment []string, args ...string) (string, error) {
	t.Helper()
	all := append([]string{module(t, "gitlab-ci-local/dist/index.js"), "--home", t.TempDir(),
		"--ignore-predefined-vars", "CI_DEFAULT_BRANCH,CI_COMMIT_BRANCH,CI_PIPELINE_SOURCE,CI_REGISTRY_IMAGE,CI_REGISTRY_USER,CI_REGISTRY_PASSWORD"}, args...)
	return s.try(t, environment, node(t), all...)
}

// gitlabJob is one as the runner lists it.
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
	out, err := s.runner(t, nil, append(gitlabOn(branch), "--list-json")...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var jobs []gitlabJob
	_, list, _ := strings.Cut(out, "\n[\n") // what it says before is for people
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
			compareStages(t, "a merge request, by hand,", manual, nil)
			run, manual = stagesOf("main")
			if !slices.Contains(s.stages(t), "deploy") {
				compareStages(t, "the main branch", run, proposed)
				compareStages(t, "the main branch, by hand,", manual, nil)
				return
			}
			compareStages(t, "the main branch", run, append(proposed, "deploy"))
			byHand := []string{"prod", "rollback-dev", "rollback-staging", "rollback-prod"}
			for i := range byHand {
				byHand[i] = s.job(byHand[i])
			}
			compareStages(t, "the main branch, by hand,", manual, byHand)
		})
	}
}

// The runner runs every job of the default branch, with programs that say what
// they were called with in the place of those that are not here.
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
	args := append(gitlabOn("main"), "--force-shell-executor", "--variable", "CI_REGISTRY_USER=robot", "--variable", "CI_REGISTRY_PASSWORD=p")
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
	slices.Sort(called[len(called)-2:]) // the last two wait for nobody
	compareStages(t, "the runner", called, want)
	image := "registry.test/acme/orders"
	if s.directory != "" {
		image += "/orders" // each service of a repository has its own
	}
	if line := lines[4]; line != "image PUSH=1 IMAGE="+image+" USER=robot" {
		t.Errorf("image was built with %q", line)
	}
}

// tool is a program that does next to nothing.
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
	if out, err := s.runner(t, nil, append(gitlabOn("main"), "--list")...); err != nil {
		t.Fatalf("the file that is broken below is refused as it is: %v\n%s", err, out)
	}
	for name, change := range map[string][2]string{
		"an unknown key":     {"resource_group: orders-prod", "resource_grup: orders-prod"},
		"an unknown stage":   {"stage: verify", "stage: verified"},
		"an unknown need":    {"needs: [build, staging]", "needs: [built, staging]"},
		"a reserved name":    {"build:\n  stage: image\n", "image:\n  stage: image\n"},
		"an unknown default": {"extends: .kubectl", "extends: .kubectls"},
		"a value of no kind": {"when: manual", "when: by hand"},
		"no script":          {"  script: ./ci lint\n", ""},
		"no YAML":            {"stages: [check", "stages: [[check"},
	} {
		s.write(t, gitlabFile, with(t, text, change[0], change[1]))
		if out, err := s.runner(t, nil, append(gitlabOn("main"), "--list")...); err == nil {
			t.Errorf("%s is found by nobody:\n%s", name, out)
		}
	}
}

// Services that are included together keep to their own jobs, and each file has
// the stages of all.
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
			t.Errorf("there is no job %s in %v", want, names)
		}
	}
	// From here on the change is one of a single service.
	root.run(t, nil, "git", "update-ref", "refs/remotes/origin/main", "HEAD")
	root.write(t, "services/stock/README.md", "changed\n")
	names = root.running(t)
	if !slices.Contains(names, "stock:check") || slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "orders:") }) {
		t.Errorf("a change of stock runs %v", names)
	}
}

// running are the jobs of the main branch that run.
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
