package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	node        = "machine"
	mergePatch  = "application/strategic-merge-patch+json"
	jsonContent = "application/json"
)

// Kubelet binds the pods of a namespace to a node, sets their status to running,
// and removes deleted pods. It starts no processes.
type Kubelet struct {
	c         *Cluster
	namespace string

	mu    sync.Mutex
	ready func(corev1.Pod) bool
}

// Kubelet starts a kubelet that runs until the test ends. All pods become ready.
func (c *Cluster) Kubelet(tb testing.TB, namespace string) *Kubelet {
	tb.Helper()
	c.Must(tb, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": node},
	}})
	k := &Kubelet{c: c, namespace: namespace, ready: func(corev1.Pod) bool { return true }}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := k.run(ctx); err != nil {
			tb.Errorf("kubelet: %v", err)
		}
	}()
	tb.Cleanup(func() {
		cancel()
		<-ended
	})
	return k
}

// SetReady sets which pods become ready from now on. Ready pods stay ready.
func (k *Kubelet) SetReady(ready func(corev1.Pod) bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ready = ready
}

func (k *Kubelet) isReady(pod corev1.Pod) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ready(pod)
}

func (k *Kubelet) run(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		pods, err := k.c.Pods(ctx, k.namespace, "")
		for i, pod := range pods.Items {
			err = errors.Join(err, k.tend(ctx, i, pod))
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// tend performs the next step of the pod's lifecycle.
func (k *Kubelet) tend(ctx context.Context, i int, pod corev1.Pod) error {
	path := "/api/v1/namespaces/" + pod.Namespace + "/pods/" + pod.Name
	switch {
	case pod.DeletionTimestamp != nil:
		return k.send(ctx, http.MethodDelete, path, jsonContent, metav1.DeleteOptions{
			GracePeriodSeconds: new(int64), Preconditions: &metav1.Preconditions{UID: &pod.UID},
		})
	case pod.Spec.NodeName == "":
		return k.send(ctx, http.MethodPost, path+"/binding", jsonContent, corev1.Binding{
			ObjectMeta: metav1.ObjectMeta{Name: pod.Name}, Target: corev1.ObjectReference{Kind: "Node", Name: node},
		})
	case Ready(pod) || !k.isReady(pod):
		return nil
	default:
		return k.send(ctx, http.MethodPatch, path+"/status", mergePatch, map[string]any{"status": running(pod, i)})
	}
}

// send ignores 404 and 409, for pods that were just deleted or changed; the next
// round reads their new state.
func (k *Kubelet) send(ctx context.Context, method, path, contentType string, body any) error {
	response, err := k.c.Do(ctx, method, path, contentType, body)
	if err != nil || response.Status == http.StatusNotFound || response.Status == http.StatusConflict {
		return err
	}
	if reason := response.Rejection(); reason != "" {
		return fmt.Errorf("%s %s: %s", method, path, reason)
	}
	return nil
}

// running returns the status of a pod whose containers are all ready.
func running(pod corev1.Pod, i int) corev1.PodStatus {
	now := metav1.Now()
	ip := fmt.Sprintf("10.1.0.%d", i+1)
	status := corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}, StartTime: &now,
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: now},
			{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: now},
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now},
		},
	}
	started := true
	for _, container := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: container.Name, Image: container.Image, Ready: true, Started: &started,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
	return status
}

// Ready reports whether the pod takes traffic: it is ready and not deleted.
func Ready(pod corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return false
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// Pods lists the pods of a namespace.
func (c *Cluster) Pods(ctx context.Context, namespace, selector string) (corev1.PodList, error) {
	var list corev1.PodList
	response, err := c.Do(ctx, http.MethodGet, podsPath(namespace, url.Values{"labelSelector": {selector}}), "", nil)
	if err != nil {
		return list, err
	}
	if reason := response.Rejection(); reason != "" {
		return list, errors.New(reason)
	}
	return list, json.Unmarshal(response.Body, &list)
}

func podsPath(namespace string, query url.Values) string {
	return "/api/v1/namespaces/" + namespace + "/pods?" + query.Encode()
}

// Evict requests the eviction of a pod, as `kubectl drain` does.
func (c *Cluster) Evict(ctx context.Context, pod corev1.Pod) (Response, error) {
	return c.Do(ctx, http.MethodPost, "/api/v1/namespaces/"+pod.Namespace+"/pods/"+pod.Name+"/eviction", jsonContent, map[string]any{
		"apiVersion": "policy/v1", "kind": "Eviction", "metadata": map[string]any{"name": pod.Name, "namespace": pod.Namespace},
	})
}

// Watched has the number of changes of pods, and the fewest and most pods that
// took traffic at the same time.
type Watched struct {
	Changes, Fewest, Most int
}

// WatchPods counts the ready pods until end is called. It uses a watch, so it
// misses no change, as polling would.
func (c *Cluster) WatchPods(tb testing.TB, namespace, selector string) (end func() Watched) {
	tb.Helper()
	pods, err := c.Pods(tb.Context(), namespace, selector)
	if err != nil {
		tb.Fatal(err)
	}
	ready := map[string]bool{}
	for _, pod := range pods.Items {
		ready[pod.Name] = Ready(pod)
	}
	ctx, cancel := context.WithCancel(tb.Context())
	tb.Cleanup(cancel)
	query := url.Values{"labelSelector": {selector}, "watch": {"1"}, "resourceVersion": {pods.ResourceVersion}}
	res, err := c.send(ctx, http.MethodGet, podsPath(namespace, query), "", nil) //nolint:bodyclose // the goroutine below closes it
	if err != nil {
		tb.Fatal(err)
	}
	seen := Watched{Fewest: count(ready), Most: count(ready)}
	done := make(chan error, 1)
	go func() {
		defer func() { _ = res.Body.Close() }()
		done <- follow(json.NewDecoder(res.Body), ready, &seen)
	}()
	return func() Watched {
		select {
		case err := <-done:
			tb.Errorf("the watch of pods ended early: %v", err)
		default:
			cancel()
			<-done //nolint:errcheck // the error is that the watch was canceled
		}
		return seen
	}
}

func follow(events *json.Decoder, ready map[string]bool, seen *Watched) error {
	for {
		var event struct {
			Type   string     `json:"type"`
			Object corev1.Pod `json:"object"`
		}
		if err := events.Decode(&event); err != nil {
			return err
		}
		if event.Type == "ERROR" {
			return errors.New("the server ended the watch")
		}
		ready[event.Object.Name] = event.Type != "DELETED" && Ready(event.Object)
		n := count(ready)
		seen.Changes, seen.Fewest, seen.Most = seen.Changes+1, min(seen.Fewest, n), max(seen.Most, n)
	}
}

func count(pods map[string]bool) (n int) {
	for _, ready := range pods {
		if ready {
			n++
		}
	}
	return n
}
