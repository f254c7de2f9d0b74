package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/observability-first/scaffold/test/kubernetes/cluster"
	"github.com/observability-first/scaffold/test/kubernetes/crd"
	"github.com/observability-first/scaffold/test/kubernetes/generated"
)

// walk runs the commands of docs/deploy.md. A comment names each fenced block.
type walk struct {
	c       *cluster.Cluster
	dir     string // parent directory of the service
	env     []string
	blocks  map[string]string
	done    map[string]bool
	outcome []string // exit code of each ./ci, for the report
}

var blockPattern = regexp.MustCompile("(?s)<!-- walk: ([a-z]+) -->\n```[a-z]+\n(.*?)```")

// Digests of the images.
const (
	older  = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	newer  = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
	faulty = "sha256:3333333333333333333333333333333333333333333333333333333333333333"
)

// walked runs all blocks in an empty cluster, from `scaffold new` to deployments
// with rollout analysis and rollbacks.
func walked(t *testing.T, r *report) {
	w := &walk{c: cluster.New(t), dir: t.TempDir(), blocks: map[string]string{}, done: map[string]bool{}}
	definitions, err := crd.Definitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.c.Install(t, definitions)
	w.read(t)
	w.make(t)
	for _, environment := range []string{"staging", "prod"} {
		w.prepare(t, environment)
	}
	w.staging(t)
	w.prod(t)
	for name := range w.blocks {
		if !w.done[name] {
			t.Errorf("the block %q of docs/deploy.md was not run", name)
		}
	}
	r.walked = w.outcome
}

func (w *walk) read(t *testing.T) {
	t.Helper()
	root := generated.Checkout(t)
	text, err := os.ReadFile(filepath.Join(root, "docs", "deploy.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range blockPattern.FindAllStringSubmatch(string(text), -1) {
		w.blocks[m[1]] = m[2]
	}
	if marked := strings.Count(string(text), "<!-- walk:"); marked != len(w.blocks) {
		t.Fatalf("docs/deploy.md marks %d blocks, but only %d match %s", marked, len(w.blocks), blockPattern)
	}
	for _, pair := range w.c.Environ() {
		if !strings.HasPrefix(pair, "PATH=") {
			w.env = append(w.env, pair)
			continue
		}
		w.env = append(w.env, "PATH="+filepath.Dir(generated.Command(t))+string(os.PathListSeparator)+strings.TrimPrefix(pair, "PATH="))
	}
	w.env = append(w.env, "SCAFFOLD_RUNTIME="+filepath.Join(root, "runtime"), "POSTGRES_URL=postgres://orders:secret@db.acme.test/orders",
		"GIT_AUTHOR_NAME=reader", "GIT_AUTHOR_EMAIL=reader@acme.test", "GIT_COMMITTER_NAME=reader", "GIT_COMMITTER_EMAIL=reader@acme.test")
}

// try runs a block in a directory and returns exit code and output.
func (w *walk) try(t *testing.T, dir, name string, env ...string) (code int, out string) {
	t.Helper()
	block := w.blocks[name]
	if block == "" {
		t.Fatalf("docs/deploy.md has no block %q", name)
	}
	w.done[name] = true
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", block)
	cmd.Dir, cmd.Env = dir, append(append([]string{}, w.env...), env...)
	text, err := cmd.CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatalf("%s: %v", name, err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

func (w *walk) service() string { return filepath.Join(w.dir, "orders") }

// run requires that the block succeeds, and returns the output.
func (w *walk) run(t *testing.T, dir, name string, env ...string) string {
	t.Helper()
	code, out := w.try(t, dir, name, env...)
	if code != 0 {
		t.Fatalf("%s: exit code %d\n%s\n%s", name, code, w.blocks[name], out)
	}
	return out
}

func (w *walk) make(t *testing.T) {
	t.Helper()
	w.run(t, w.dir, "new")
	spec := filepath.Join(w.service(), "scaffold.yaml")
	text, err := os.ReadFile(spec)
	if err != nil {
		t.Fatal(err)
	}
	w.done["spec"] = true
	if err := os.WriteFile(spec, append(text, w.blocks["spec"]...), 0o644); err != nil {
		t.Fatal(err)
	}
	w.run(t, w.dir, "generate")
}

func environment(name string) string { return "ENVIRONMENT=" + name }

// prepare creates an environment. The server must accept all objects without a
// warning.
func (w *walk) prepare(t *testing.T, name string) {
	t.Helper()
	for _, block := range []string{"namespace", "secrets", "deployer", "kubeconfig", "look"} {
		out := w.run(t, w.service(), block, environment(name))
		if strings.Contains(out, "Warning:") {
			t.Errorf("%s of %s: %s", block, name, out)
		}
	}
	out, err := w.c.Kubectl(t.Context(), "get", "secret", "orders-postgres", "--namespace", "orders-"+name, "--output", "jsonpath={.data.url}")
	if want := "cG9zdGdyZXM6Ly9vcmRlcnM6c2VjcmV0QGRiLmFjbWUudGVzdC9vcmRlcnM="; err != nil || out != want {
		t.Errorf("the database URL in %s is %q, want %q: %v", name, out, want, err)
	}
	w.c.Must(t, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": "default", "namespace": "orders-" + name},
	}})
}

// ci is one `./ci deploy` or `./ci rollback` with the expected result.
type ci struct {
	what, block, environment string
	env                      []string
	code                     int
	output                   []string // parts of the output
	runs                     string   // digest of the running image; empty if there is no Deployment
}

// permissions returns KUBECONFIG with the permissions of the pipeline.
func (w *walk) permissions(environment string) string {
	return "KUBECONFIG=" + filepath.Join(w.service(), "bin", "deployer-"+environment)
}

// expect runs the step with the permissions of the pipeline.
func (w *walk) expect(t *testing.T, step ci) {
	t.Helper()
	env := append([]string{
		environment(step.environment), w.permissions(step.environment),
		"ANALYSIS_DURATION=1s", "ROLLOUT_TIMEOUT=1m", "VERSION=v1",
	}, step.env...)
	code, out := w.try(t, w.service(), step.block, env...)
	if code != step.code {
		t.Fatalf("%s: exit code %d, want %d\n%s", step.what, code, step.code, out)
	}
	for _, want := range step.output {
		if !strings.Contains(out, want) {
			t.Errorf("%s: the output does not contain %q:\n%s", step.what, want, out)
		}
	}
	image, err := w.c.Kubectl(t.Context(), "get", "deployment", "orders", "--namespace", "orders-"+step.environment,
		"--ignore-not-found", "--output", "jsonpath={.spec.template.spec.containers[*].image}")
	want := ""
	if step.runs != "" {
		want = "registry.acme.test/shop/orders@" + step.runs
	}
	if err != nil || image != want {
		t.Fatalf("%s: the image is %q, want %q: %v\n%s", step.what, image, want, err, out)
	}
	w.outcome = append(w.outcome, fmt.Sprintf("%s: %d", step.what, code))
}

func (w *walk) staging(t *testing.T) {
	t.Helper()
	w.c.Kubelet(t, "orders-staging")
	w.expect(t, ci{
		what: "first release without traffic", block: "deploy", environment: "staging", code: 4, runs: older,
		env: []string{"IMAGE_DIGEST=" + older, prometheus(t, empty)}, output: []string{"there is no earlier revision to roll back to; the new one stays"},
	})
	w.expect(t, ci{
		what: "without analysis", block: "deploy", environment: "staging", runs: newer,
		env: []string{"IMAGE_DIGEST=" + newer, "ANALYSIS_DURATION=0"}, output: []string{"no rollout analysis"},
	})
	if out, err := exec.CommandContext(t.Context(), "git", "-C", w.service(), "status", "--porcelain").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("untracked or changed files, which may have credentials: %v\n%s", err, out)
	}
}

// prod runs deployments that fail, and rollbacks.
func (w *walk) prod(t *testing.T) {
	t.Helper()
	kubelet := w.c.Kubelet(t, "orders-prod")
	step := func(what, digest string, results func(evaluation int, query string) string, code int, runs string, output ...string) {
		t.Helper()
		w.expect(t, ci{
			what: what, block: "deploy", environment: "prod", code: code, runs: runs, output: output,
			env: []string{"IMAGE_DIGEST=" + digest, prometheus(t, results)},
		})
	}
	w.withoutRights(t)
	w.expect(t, ci{
		what: "no Prometheus", block: "deploy", environment: "prod", code: 4,
		env: []string{"IMAGE_DIGEST=" + older, prometheus(t, nil)}, output: []string{"cannot be reached", "nothing was changed"},
	})
	step("good", older, good, 0, older, "revision 1", "the rollout analysis passed")
	step("good second version", newer, good, 0, newer, "the rollout analysis passed")
	w.run(t, w.service(), "history", environment("prod"), w.permissions("prod"))
	w.expect(t, ci{what: "rollback", block: "rollback", environment: "prod", runs: newer, output: []string{newer + ") runs now"}})

	end := w.c.WatchPods(t, "orders-prod", generated.NameLabel+"=orders")
	step("failed analysis", faulty, burning, 3, newer, "rollout analysis of version v1 failed", "50 of 1000 events bad", newer+") runs now")
	step("no instances", faulty, empty, 4, newer, "no instance of version v1 found in prod", newer+") runs now")
	step("Prometheus down during the analysis", faulty, unavailable, 4, newer, "responded with 503", newer+") runs now")
	kubelet.SetReady(func(pod corev1.Pod) bool { return !strings.Contains(pod.Spec.Containers[0].Image, faulty) })
	w.expect(t, ci{
		what: "never ready", block: "deploy", environment: "prod", code: 1, runs: newer,
		env:    []string{"IMAGE_DIGEST=" + faulty, "ROLLOUT_TIMEOUT=5s", prometheus(t, good)},
		output: []string{"version v1 does not become ready; rolling back", "--- pods", newer + ") runs now"},
	})
	if seen := end(); seen.Fewest < 3 {
		t.Errorf("%d pods took traffic during failed releases, want at least 3", seen.Fewest)
	}

	// A rollback skips versions that were rolled back.
	w.expect(t, ci{what: "rollback to the first version", block: "rollback", environment: "prod", runs: older, output: []string{older + ") runs now"}})
	history, err := w.c.Kubectl(t.Context(), "get", "replicasets", "--namespace", "orders-prod", "--output",
		`jsonpath={.items[*].metadata.annotations.deployment\.kubernetes\.io/revision}`)
	if err != nil || len(strings.Fields(history)) != 2 {
		t.Errorf("the history has the revisions %q, want the two good ones: %v", history, err)
	}
}

// withoutRights deploys without a cluster, and with an account that has no
// permissions.
func (w *walk) withoutRights(t *testing.T) {
	t.Helper()
	token, err := w.c.Kubectl(t.Context(), "create", "token", "default", "--namespace", "orders-prod")
	if err != nil {
		t.Fatalf("%v: %s", err, token)
	}
	config, err := os.ReadFile(filepath.Join(w.service(), "bin", "deployer-prod"))
	if err != nil {
		t.Fatal(err)
	}
	unauthorized := regexp.MustCompile(`token: .*`).ReplaceAllString(string(config), "token: "+strings.TrimSpace(token))
	for what, credentials := range map[string][]string{
		"kubectl says 'no'": {"KUBECONFIG_CONTENT=" + unauthorized},
		"was refused":       {"KUBECONFIG=" + os.DevNull},
	} {
		w.expect(t, ci{
			what: "without permissions", block: "deploy", environment: "prod", code: 1, output: []string{what, "nothing was changed"},
			env: append(credentials, "IMAGE_DIGEST="+older, prometheus(t, good)),
		})
	}
}

// prometheus starts a fake Prometheus for a rollout analysis. results returns the
// value of a query by the number of the evaluation; -check is the first. If results
// is nil, the address has no listener.
func prometheus(t *testing.T, results func(evaluation int, query string) string) string {
	t.Helper()
	var evaluations atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.PostFormValue("query")
		evaluation := int(evaluations.Load())
		if strings.HasPrefix(query, "count(") {
			evaluation = int(evaluations.Add(1))
		}
		number := results(evaluation, query)
		if number == "" {
			http.Error(w, "shutting down", http.StatusServiceUnavailable)
			return
		}
		sample := ""
		if number != "none" {
			sample = fmt.Sprintf(`{"metric":{},"value":[1795851600,%q]}`, number)
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, sample)
	}))
	t.Cleanup(server.Close)
	if results == nil {
		server.Close()
	}
	return "PROMETHEUS_URL=" + server.URL
}

func good(_ int, query string) string {
	switch {
	case strings.HasPrefix(query, "count("):
		return "3"
	case strings.Contains(query, "server_error|shed"):
		return "0"
	}
	return "1000"
}

func burning(_ int, query string) string {
	if strings.Contains(query, "server_error|shed") {
		return "50"
	}
	return good(0, query)
}

func empty(int, string) string { return "none" }

func unavailable(evaluation int, query string) string {
	if evaluation > 1 {
		return ""
	}
	return good(evaluation, query)
}
