package apiserver

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/observability-first/scaffold/test/kubernetes/cluster"
	"github.com/observability-first/scaffold/test/kubernetes/generated"
	"github.com/observability-first/scaffold/test/kubernetes/manifests"
)

// deployed is a service in a namespace of the cluster.
type deployed struct {
	c          *cluster.Cluster
	service    generated.Service
	namespace  string
	deployment *unstructured.Unstructured
	kubelet    *cluster.Kubelet
}

// deploy changes the Deployment of an overlay, applies the overlay, and waits
// until the autoscaler has set the minimum number of pods of the spec.
func deploy(t *testing.T, c *cluster.Cluster, s generated.Service, environment string, change func(*unstructured.Unstructured)) *deployed {
	t.Helper()
	objects, err := manifests.Build(filepath.Join(s.Dir, "deploy", "overlays", environment))
	if err != nil {
		t.Fatal(err)
	}
	d := &deployed{c: c, service: s, namespace: objects[0].GetNamespace()}
	d.kubelet = c.Kubelet(t, d.namespace)
	for _, o := range objects {
		if o.GetKind() == "Deployment" {
			change(o)
			d.deployment = o
		}
		c.Must(t, o)
	}
	d.settles(t, int(s.Spec.Deploy.Replicas.Min), d.image())
	return d
}

func (d *deployed) image() string {
	containers, _, _ := unstructured.NestedSlice(d.deployment.Object, "spec", "template", "spec", "containers")
	return containers[0].(map[string]any)["image"].(string)
}

// release rolls out an image.
func (d *deployed) release(t *testing.T, image string) {
	t.Helper()
	containers, _, err := unstructured.NestedSlice(d.deployment.Object, "spec", "template", "spec", "containers")
	if err != nil {
		t.Fatal(err)
	}
	containers[0].(map[string]any)["image"] = image
	if err := unstructured.SetNestedSlice(d.deployment.Object, containers, "spec", "template", "spec", "containers"); err != nil {
		t.Fatal(err)
	}
	d.c.Must(t, d.deployment)
}

// settles waits until the number of pods run the image and are ready, no other
// pod exists, and the status of the Deployment is up to date.
func (d *deployed) settles(t *testing.T, replicas int, image string) {
	t.Helper()
	cluster.Until(t, fmt.Sprintf("%d pods run %s", replicas, image), func() error {
		pods, err := d.c.Pods(t.Context(), d.namespace, selector(d.service))
		if err != nil {
			return err
		}
		for _, pod := range pods.Items {
			if got := pod.Spec.Containers[0].Image; got != image || !cluster.Ready(pod) {
				return fmt.Errorf("%s runs %s, ready: %t", pod.Name, got, cluster.Ready(pod))
			}
		}
		o, err := d.c.Get(t.Context(), d.deployment)
		if err != nil {
			return err
		}
		var got appsv1.Deployment
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &got); err != nil {
			return err
		}
		if s := got.Status; len(pods.Items) != replicas || int(s.AvailableReplicas) != replicas || s.ObservedGeneration != got.Generation || s.UpdatedReplicas != s.Replicas {
			return fmt.Errorf("%d pods, status %+v", len(pods.Items), s)
		}
		return nil
	})
}

func unchanged(*unstructured.Unstructured) {}

// rolled requires that at least the minimum of pods take traffic during a
// rollout, and that the budget rejects a second eviction while a pod is missing.
func rolled(t *testing.T, c *cluster.Cluster, r *report, services []generated.Service) {
	d := deploy(t, c, example(t, services), "prod", unchanged)
	lowest := int(d.service.Spec.Deploy.Replicas.Min)

	end := c.WatchPods(t, d.namespace, selector(d.service))
	d.release(t, "orders@sha256:"+strings.Repeat("1", 64))
	d.settles(t, lowest, d.image())
	r.roll = end()
	if r.roll.Fewest < lowest || r.roll.Most <= lowest {
		t.Errorf("between %d and %d pods took traffic, want at least %d, and more during the surge", r.roll.Fewest, r.roll.Most, lowest)
	}

	d.budgetHolds(t, r)
	d.kubelet.SetReady(func(corev1.Pod) bool { return true })
	d.settles(t, lowest, d.image())
	d.survives(t, r)
}

// survives releases an image whose pods never become ready. The old pods stay,
// `kubectl rollout status` times out, and `kubectl rollout undo` rolls back.
func (d *deployed) survives(t *testing.T, r *report) {
	t.Helper()
	lowest, working := int(d.service.Spec.Deploy.Replicas.Min), d.image()
	d.kubelet.SetReady(func(pod corev1.Pod) bool { return pod.Spec.Containers[0].Image == working })
	end := d.c.WatchPods(t, d.namespace, selector(d.service))
	d.release(t, "orders@sha256:"+strings.Repeat("0", 64))
	if out, err := d.rollout(t, "status", "--timeout=5s"); err == nil || !strings.Contains(out, "timed out") {
		t.Errorf("kubectl rollout status of pods that never become ready: %v\n%s", err, out)
	}
	if out, err := d.rollout(t, "undo"); err != nil {
		t.Errorf("kubectl rollout undo: %v\n%s", err, out)
	}
	if out, err := d.rollout(t, "status", "--timeout=1m"); err != nil || !strings.Contains(out, "successfully rolled out") {
		t.Errorf("kubectl rollout status after undo: %v\n%s", err, out)
	}
	d.settles(t, lowest, working)
	if r.stuck = end(); r.stuck.Fewest < lowest {
		t.Errorf("%d pods took traffic during a release that never became ready, want at least %d", r.stuck.Fewest, lowest)
	}
}

func (d *deployed) rollout(t *testing.T, verb string, flags ...string) (string, error) {
	t.Helper()
	args := append([]string{"--namespace", d.namespace, "rollout", verb, "deployment/" + d.service.Spec.Service}, flags...)
	return d.c.Kubectl(t.Context(), args...)
}

// budgetHolds evicts two pods while new pods do not become ready. The budget
// rejects the second eviction.
func (d *deployed) budgetHolds(t *testing.T, r *report) {
	t.Helper()
	d.kubelet.SetReady(func(corev1.Pod) bool { return false })
	budget := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
		"metadata": map[string]any{"name": d.service.Spec.Service, "namespace": d.namespace},
	}}
	cluster.Until(t, "the budget allows one disruption", func() error {
		o, err := d.c.Get(t.Context(), budget)
		if err != nil {
			return err
		}
		if allowed, _, err := unstructured.NestedInt64(o.Object, "status", "disruptionsAllowed"); allowed != 1 || err != nil {
			return fmt.Errorf("disruptionsAllowed is %d: %w", allowed, err)
		}
		return nil
	})
	pods, err := d.c.Pods(t.Context(), d.namespace, selector(d.service))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{http.StatusCreated, http.StatusTooManyRequests} {
		response, err := d.c.Evict(t.Context(), pods.Items[i])
		if err != nil {
			t.Fatal(err)
		}
		r.evictions = append(r.evictions, response.Status)
		if response.Status != want {
			t.Errorf("eviction %d: %d %s, want %d", i+1, response.Status, response.Body, want)
		}
	}
}

// dropping tests the check: if a rollout may stop a pod first, the watch counts
// fewer pods than the minimum.
func dropping(t *testing.T, c *cluster.Cluster, services []generated.Service) {
	d := deploy(t, c, example(t, services), "staging", func(o *unstructured.Unstructured) {
		rolling := map[string]any{"maxUnavailable": int64(1), "maxSurge": int64(0)}
		if err := unstructured.SetNestedMap(o.Object, rolling, "spec", "strategy", "rollingUpdate"); err != nil {
			t.Fatal(err)
		}
	})
	end := c.WatchPods(t, d.namespace, selector(d.service))
	d.release(t, "orders@sha256:"+strings.Repeat("2", 64))
	lowest := int(d.service.Spec.Deploy.Replicas.Min)
	d.settles(t, lowest, d.image())
	if seen := end(); seen.Fewest >= lowest {
		t.Errorf("the watch counted at least %d pods although the rollout stopped one first: %+v", lowest, seen)
	}
}
