package apiserver

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/observability-first/scaffold/test/kubernetes/cluster"
	"github.com/observability-first/scaffold/test/kubernetes/crd"
	"github.com/observability-first/scaffold/test/kubernetes/manifests"
)

// report has the results for docs/kubernetes.md.
type report struct {
	began   time.Time
	started time.Duration

	parts []part

	services, objects int
	kubectl           int
	verdicts          []manifests.Mutant
	roll, stuck       cluster.Watched
	evictions         []int
	walked            []string // exit codes of ./ci
}

type part struct {
	name   string
	passed bool
	took   time.Duration
}

func (r *report) part(t *testing.T, name string, run func(*testing.T)) {
	t.Helper()
	began := time.Now()
	passed := t.Run(name, run)
	r.parts = append(r.parts, part{name, passed, time.Since(began)})
}

// descriptions returns what each part checked.
func (r *report) descriptions() map[string]string {
	return map[string]string{
		"accepted": fmt.Sprintf("%d objects of %d services (base, observability, three overlays, the pods of each Deployment): all accepted without a warning, in namespaces that enforce PodSecurity `restricted`", r.objects, r.services),
		"faults":   fmt.Sprintf("%d broken objects: each has the result listed below", len(r.verdicts)),
		"kubectl":  fmt.Sprintf("`kubectl apply -k deploy/overlays/dev --dry-run=server --validate=strict` of %d services", r.kubectl),
		"rolled": fmt.Sprintf(`a rollout of examples/orders to a new image: between %d and %d pods took traffic during %d changes (the minimum is 3, set by the autoscaler); responses to evictions: %v; then an image that never becomes ready: 'kubectl rollout status' times out and 'kubectl rollout undo' rolls back, with at least %d pods`,
			r.roll.Fewest, r.roll.Most, r.roll.Changes, r.evictions, r.stuck.Fewest),
		"walked":   fmt.Sprintf("the commands of docs/deploy.md in an empty cluster, from `scaffold new` to `./ci deploy` and `./ci rollback`, with the permissions of the pipeline and a fake Prometheus; exit codes: %s; at least 3 pods at all times", strings.Join(r.walked, ", ")),
		"dropping": "the check itself: with `maxUnavailable: 1` it counts fewer pods than the minimum",
	}
}

func (r *report) write(ctx context.Context, path string, c *cluster.Cluster) error {
	versions, err := crd.Versions(ctx)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# Manifests on a real Kubernetes API server

Written by `+"`make kubernetes-apiserver`"+`; do not edit. Last run: %s, %s/%s, %d CPUs, %.0f s, of which %.0f s to generate, build and start.

etcd, kube-apiserver and kube-controller-manager are built from source and run on loopback. No container runs: the test sets
the readiness of pods, as a kubelet would. Images, probes and signals are not tested here. Of Gateway API, KEDA and the
Prometheus operator only the schemas are real, not the controllers.

| program or schema | version |
|---|---|
`, r.began.UTC().Format(time.DateOnly), goruntime.GOOS, goruntime.GOARCH, goruntime.NumCPU(), time.Since(r.began).Seconds(), r.started.Seconds())
	fmt.Fprintf(&b, "| kube-apiserver, kube-controller-manager, kubectl | %s |\n| etcd | %s |\n", cluster.KubernetesVersion, cluster.EtcdVersion)
	for _, module := range slices.Sorted(maps.Keys(versions)) {
		fmt.Fprintf(&b, "| %s | %s |\n", module, versions[module])
	}
	fmt.Fprintf(&b, "| scaffold | %s |\n", revision(ctx))
	b.WriteString("\n| check | result | took |\n|---|---|---|\n")
	descriptions := r.descriptions()
	for _, p := range r.parts {
		fmt.Fprintf(&b, "| %s | %s | %.1f s |\n", descriptions[p.name], map[bool]string{true: "passed", false: "**failed**"}[p.passed], p.took.Seconds())
	}
	b.WriteString(`
## Broken objects

Each change is made to a generated object. ` + "`make kubernetes`" + ` finds those that the API server accepts: it compares objects with
each other and with the spec.

| object | change | API server | message |
|---|---|---|---|
`)
	for _, m := range r.verdicts {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", m.Kind, m.Fault, m.Server, m.Message)
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// revision returns the commit, with -dirty if the tree has changes.
func revision(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		return "not under version control"
	}
	return strings.TrimSpace(string(out))
}
