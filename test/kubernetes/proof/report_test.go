package proof

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

// report is what docs/proof.md is made of.
type report struct {
	began   time.Time
	started time.Duration

	parts []part

	services, objects int
	kubectl           int
	verdicts          []manifests.Mutant
	roll, stuck       cluster.Watched
	evictions         []int
	walked            []string // what became of each ./ci
}

type part struct {
	name  string
	holds bool
	took  time.Duration
}

func (r *report) part(t *testing.T, name string, prove func(*testing.T)) {
	t.Helper()
	began := time.Now()
	holds := t.Run(name, prove)
	r.parts = append(r.parts, part{name, holds, time.Since(began)})
}

// claims says in words what the parts hold.
func (r *report) claims() map[string]string {
	return map[string]string{
		"accepted": fmt.Sprintf("%d objects of %d services (base, observability, three overlays, the pods of each Deployment): none refused, none warned of, in namespaces that enforce PodSecurity `restricted`", r.objects, r.services),
		"faults":   fmt.Sprintf("%d faults in generated objects: each gets the verdict below", len(r.verdicts)),
		"kubectl":  fmt.Sprintf("`kubectl apply -k deploy/overlays/dev --dry-run=server --validate=strict` of %d services", r.kubectl),
		"rolled": fmt.Sprintf(`a roll-out of examples/orders to a new image: between %d and %d pods took traffic in %d changes, the minimum is 3, to which the autoscaler had brought them; evictions answered %v; then an image that never becomes ready, which 'kubectl rollout status' gives up on and 'kubectl rollout undo' takes back: never fewer than %d`,
			r.roll.Fewest, r.roll.Most, r.roll.Changes, r.evictions, r.stuck.Fewest),
		"walked":   fmt.Sprintf("a reader of docs/deploy.md with an empty cluster types what it says, from `scaffold new` to `./ci deploy` and `./ci rollback` with the rights of its pipeline and a played Prometheus; exit codes: %s; never fewer than 3 pods in between", strings.Join(r.walked, ", ")),
		"dropping": "the counter-check: with `maxUnavailable: 1` the same watch sees fewer than the minimum",
	}
}

func (r *report) write(ctx context.Context, path string, c *cluster.Cluster) error {
	versions, err := crd.Versions(ctx)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# What a real Kubernetes said

Written by `+"`make proof-kubernetes`"+`; do not edit. Last run: %s, %s/%s, %d CPUs, %.0f s, of which %.0f s to generate, build and start.

etcd, kube-apiserver and kube-controller-manager are built from the Go proxy and run on loopback. No container runs: the
test says which pods are ready, as a kubelet would. So images, probes and signals are not proven here, and neither are the
controllers of Gateway API, KEDA and the Prometheus operator: of those only the schemas are real.

| program or schema | version |
|---|---|
`, r.began.UTC().Format(time.DateOnly), goruntime.GOOS, goruntime.GOARCH, goruntime.NumCPU(), time.Since(r.began).Seconds(), r.started.Seconds())
	fmt.Fprintf(&b, "| kube-apiserver, kube-controller-manager, kubectl | %s |\n| etcd | %s |\n", cluster.KubernetesVersion, cluster.EtcdVersion)
	for _, module := range slices.Sorted(maps.Keys(versions)) {
		fmt.Fprintf(&b, "| %s | %s |\n", module, versions[module])
	}
	fmt.Fprintf(&b, "| scaffold | %s |\n", revision(ctx))
	b.WriteString("\n| claim | holds | took |\n|---|---|---|\n")
	claims := r.claims()
	for _, p := range r.parts {
		fmt.Fprintf(&b, "| %s | %s | %.1f s |\n", claims[p.name], map[bool]string{true: "yes", false: "**no**"}[p.holds], p.took.Seconds())
	}
	b.WriteString(`
## Faults

Each is put into a generated object. What the server accepts, ` + "`make kubernetes`" + ` notices: it reads the spec and adds up
what stands in different objects.

| object | fault | the API server | says |
|---|---|---|---|
`)
	for _, m := range r.verdicts {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", m.Kind, m.Fault, m.Server, m.Says)
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// revision is the commit that was proven, and whether more than that was.
func revision(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		return "not under version control"
	}
	return strings.TrimSpace(string(out))
}
