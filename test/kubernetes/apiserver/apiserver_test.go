package apiserver

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/observability-first/scaffold/test/kubernetes/cluster"
	"github.com/observability-first/scaffold/test/kubernetes/crd"
	"github.com/observability-first/scaffold/test/kubernetes/generated"
	"github.com/observability-first/scaffold/test/kubernetes/manifests"
)

var document = flag.String("document", "", "run the test, and write the result to this file")

// base is the namespace for the objects of deploy/base.
const base = "base"

// TestAPIServer is one test because its parts share a control plane and one report.
func TestAPIServer(t *testing.T) {
	if *document == "" {
		t.Skip("needs an API server; run make kubernetes-apiserver")
	}
	r := &report{began: time.Now()}
	services := generated.Services(t)
	definitions, err := crd.Definitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := cluster.New(t)
	r.started = time.Since(r.began)
	c.Install(t, definitions)
	c.Namespace(t, base)

	r.part(t, "accepted", func(t *testing.T) { accepted(t, c, r, services) })
	r.part(t, "faults", func(t *testing.T) { faults(t, c, r, services) })
	r.part(t, "kubectl", func(t *testing.T) { kubectl(t, c, r, services) })
	r.part(t, "rolled", func(t *testing.T) { rolled(t, c, r, services) })
	r.part(t, "dropping", func(t *testing.T) { dropping(t, c, services) })
	r.part(t, "walked", func(t *testing.T) { walked(t, r) })
	if err := r.write(t.Context(), *document, c); err != nil {
		t.Fatal(err)
	}
}

// subject is the result of one Kustomize build.
type subject struct {
	service generated.Service
	where   string
	objects []*unstructured.Unstructured
}

// subjects builds base, observability and all overlays, and creates their
// namespaces.
func subjects(t *testing.T, c *cluster.Cluster, services []generated.Service) []subject {
	t.Helper()
	made := map[string]bool{base: true}
	var all []subject
	for _, s := range services {
		for _, dir := range append([]string{"../base", "../../observability"}, generated.Environments()...) {
			objects, err := manifests.Build(filepath.Join(s.Dir, "deploy", "overlays", dir))
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range objects {
				if o.GetNamespace() == "" {
					o.SetNamespace(base)
				}
				if !made[o.GetNamespace()] {
					c.Namespace(t, o.GetNamespace())
					made[o.GetNamespace()] = true
				}
			}
			all = append(all, subject{s, filepath.Base(dir), objects})
		}
	}
	return all
}

// accepted requires that the server accepts each object without a warning. It
// also applies the pods of Deployments, since PodSecurity is enforced on pods.
func accepted(t *testing.T, c *cluster.Cluster, r *report, services []generated.Service) {
	for _, s := range subjects(t, c, services) {
		for _, o := range s.objects {
			applied := []*unstructured.Unstructured{o}
			if o.GetKind() == "Deployment" {
				applied = append(applied, pod(t, o))
			}
			for _, a := range applied {
				r.objects++
				response, err := c.Apply(t.Context(), a, true)
				if err != nil {
					t.Fatal(err)
				}
				if reason := response.Rejection(); reason != "" {
					t.Errorf("%s, %s: %s %s: %s", s.service.Name, s.where, a.GetKind(), a.GetName(), reason)
				}
				if len(response.Warnings) > 0 {
					t.Errorf("%s, %s: %s %s: warnings %q", s.service.Name, s.where, a.GetKind(), a.GetName(), response.Warnings)
				}
			}
		}
	}
	r.services = len(services)
}

// pod returns a pod of the Deployment, without the service account, which does
// not exist in a dry run.
func pod(t *testing.T, deployment *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	template, _, err := unstructured.NestedMap(deployment.Object, "spec", "template")
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{Object: template}
	o.SetAPIVersion("v1")
	o.SetKind("Pod")
	o.SetName(deployment.GetName() + "-pod")
	o.SetNamespace(deployment.GetNamespace())
	unstructured.RemoveNestedField(o.Object, "spec", "serviceAccountName")
	return o
}

// rejectedPod checks that PodSecurity is enforced: it rejects a pod that runs as
// root.
func rejectedPod(t *testing.T, c *cluster.Cluster, deployment *unstructured.Unstructured) {
	t.Helper()
	root := pod(t, deployment)
	if err := unstructured.SetNestedField(root.Object, int64(0), "spec", "securityContext", "runAsUser"); err != nil {
		t.Fatal(err)
	}
	response, err := c.Create(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if reason := response.Rejection(); !strings.Contains(reason, `violates PodSecurity "restricted`) {
		t.Errorf("a pod that runs as root: %q, want a rejection by PodSecurity", reason)
	}
}

// faults compares the server's verdict on each mutant with the expected one.
func faults(t *testing.T, c *cluster.Cluster, r *report, services []generated.Service) {
	for _, m := range manifests.Mutants() {
		o := first(t, services, m.Kind)
		o.SetNamespace(base)
		response, err := c.Create(t.Context(), m.Apply(o))
		if err != nil {
			t.Fatal(err)
		}
		message := response.Rejection() + strings.Join(response.Warnings, "\n")
		if got := verdict(response); got != m.Server || !strings.Contains(message, m.Message) {
			t.Errorf("%s with %s: the server %s: %s; want %s: %s", m.Kind, m.Fault, got, message, m.Server, m.Message)
		}
		r.verdicts = append(r.verdicts, m)
	}
	deployment := first(t, services, "Deployment")
	deployment.SetNamespace(base)
	rejectedPod(t, c, deployment)
}

func verdict(response cluster.Response) manifests.Verdict {
	switch {
	case response.Rejection() != "":
		return manifests.Rejects
	case len(response.Warnings) > 0:
		return manifests.Warns
	default:
		return manifests.Accepts
	}
}

func first(t *testing.T, services []generated.Service, kind string) *unstructured.Unstructured {
	t.Helper()
	for _, s := range services {
		for _, dir := range []string{"deploy/base", "observability"} {
			objects, err := manifests.Build(filepath.Join(s.Dir, dir))
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range objects {
				if o.GetKind() == kind {
					return o
				}
			}
		}
	}
	t.Fatalf("no service has a %s", kind)
	return nil
}

// kubectl applies the prod overlays, which have rules and dashboards, in a server-side dry run.
func kubectl(t *testing.T, c *cluster.Cluster, r *report, services []generated.Service) {
	for _, s := range services {
		overlay := filepath.Join(s.Dir, "deploy", "overlays", "prod")
		out, err := c.Kubectl(t.Context(), "apply", "--kustomize", overlay, "--dry-run=server", "--validate=strict")
		if err != nil || strings.Contains(out, "Warning") {
			t.Errorf("%s: %v\n%s", s.Name, err, out)
		}
		r.kubectl++
	}
}

// example returns examples/orders, which has a database.
func example(t *testing.T, services []generated.Service) generated.Service {
	t.Helper()
	for _, s := range services {
		if s.Name == "example orders" {
			return s
		}
	}
	t.Fatal("examples/orders does not exist")
	return generated.Service{}
}

func selector(s generated.Service) string {
	return fmt.Sprintf("%s=%s", generated.NameLabel, s.Spec.Service)
}
