package runbooks

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// cluster is an API server with two revisions of the Deployment orders. It records
// requests.
type cluster struct {
	mu       sync.Mutex
	requests []string // method, path and query
	patches  []string // path and body
	deleted  bool     // the pod
}

func image(version string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app.kubernetes.io/name": "orders"}},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: "migrate", Image: "orders:" + version}},
			Containers:     []corev1.Container{{Name: "orders", Image: "orders:" + version}},
		},
	}
}

func deployment() appsv1.Deployment {
	replicas := int32(3)
	return appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{
			Name: "orders", Namespace: "orders-prod", UID: "d", Annotations: map[string]string{"deployment.kubernetes.io/revision": "2"},
		},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Template: image("v2"),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": "orders"}},
		},
	}
}

func replicaSets() appsv1.ReplicaSetList {
	list := appsv1.ReplicaSetList{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "ReplicaSetList"}}
	controls := true
	for i, version := range []string{"v1", "v2"} {
		template := image(version)
		template.Labels["pod-template-hash"] = version
		list.Items = append(list.Items, appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{
				Name: "orders-" + version, Namespace: "orders-prod", UID: types.UID(version), Labels: template.Labels,
				Annotations:     map[string]string{"deployment.kubernetes.io/revision": strconv.Itoa(i + 1)},
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "orders", UID: "d", Controller: &controls}},
			},
			Spec: appsv1.ReplicaSetSpec{Replicas: new(int32), Template: template},
		})
	}
	return list
}

func pods() corev1.PodList {
	return corev1.PodList{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"},
		Items: []corev1.Pod{{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
			ObjectMeta: metav1.ObjectMeta{Name: "orders-v2-x", Namespace: "orders-prod"},
			Spec:       image("v2").Spec,
			Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
				Name: "orders", LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137}},
			}}},
		}},
	}
}

func resources(group string, list ...metav1.APIResource) metav1.APIResourceList {
	return metav1.APIResourceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"}, GroupVersion: group, APIResources: list}
}

// responses returns the responses of the cluster by path.
func responses() map[string]any {
	verbs := metav1.Verbs{"get", "list", "watch", "patch", "update", "delete"}
	apps := metav1.GroupVersionForDiscovery{GroupVersion: "apps/v1", Version: "v1"}
	scaling := metav1.GroupVersionForDiscovery{GroupVersion: "autoscaling/v2", Version: "v2"}
	const namespaced = "/apis/apps/v1/namespaces/orders-prod/"
	return map[string]any{
		"/api": metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}},
		"/apis": metav1.APIGroupList{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroupList"},
			Groups: []metav1.APIGroup{
				{Name: "apps", Versions: []metav1.GroupVersionForDiscovery{apps}, PreferredVersion: apps},
				{Name: "autoscaling", Versions: []metav1.GroupVersionForDiscovery{scaling}, PreferredVersion: scaling},
			},
		},
		"/api/v1": resources("v1", metav1.APIResource{Name: "pods", SingularName: "pod", ShortNames: []string{"po"}, Namespaced: true, Kind: "Pod", Verbs: verbs}),
		"/apis/apps/v1": resources("apps/v1",
			metav1.APIResource{Name: "deployments", SingularName: "deployment", Namespaced: true, Kind: "Deployment", Verbs: verbs},
			metav1.APIResource{Name: "replicasets", SingularName: "replicaset", Namespaced: true, Kind: "ReplicaSet", Verbs: verbs}),
		"/apis/autoscaling/v2": resources("autoscaling/v2", metav1.APIResource{
			Name: "horizontalpodautoscalers", SingularName: "horizontalpodautoscaler", ShortNames: []string{"hpa"},
			Namespaced: true, Kind: "HorizontalPodAutoscaler", Verbs: verbs,
		}),
		"/apis/autoscaling/v2/namespaces/orders-prod/horizontalpodautoscalers/orders": autoscalingv2.HorizontalPodAutoscaler{
			TypeMeta:   metav1.TypeMeta{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler"},
			ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: "orders-prod"},
		},
		namespaced + "deployments/orders":                     deployment(),
		namespaced + "replicasets":                            replicaSets(),
		"/api/v1/namespaces/orders-prod/pods":                 pods(),
		"/api/v1/namespaces/orders-prod/pods/orders-v2-x":     pods().Items[0],
		"/api/v1/namespaces/orders-prod/pods/orders-v2-x/log": "panic: no more memory",
	}
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // assertions fail for an incomplete body
	c.mu.Lock()
	c.requests = append(c.requests, r.Method+" "+r.URL.RequestURI())
	if r.Method == http.MethodPatch || r.Method == http.MethodPut {
		c.patches = append(c.patches, r.URL.Path+" "+string(body))
	}
	c.deleted = c.deleted || r.Method == http.MethodDelete
	response, ok := responses()[r.URL.Path]
	if c.deleted && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/pods") {
		response = corev1.PodList{TypeMeta: pods().TypeMeta}
	}
	c.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	data, err := json.Marshal(response)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(data) // kubectl reports an incomplete response
}

// Each kubectl command of a runbook sends the requests that its step describes.
func TestKubectlCommandsOfRunbooks(t *testing.T) {
	t.Parallel()
	const (
		kubectl = "kubectl -n orders-prod "
		pod     = "/api/v1/namespaces/orders-prod/pods/orders-v2-x"
	)
	wants := map[string]struct {
		request, patch, output string
		fails                  bool // the cluster of the test opens no connection to a pod
	}{
		kubectl + "get pods -l app.kubernetes.io/name=orders":      {request: "GET /api/v1/namespaces/orders-prod/pods?labelSelector=app.kubernetes.io%2Fname%3Dorders&limit=500", output: "orders-v2-x"},
		kubectl + "describe pod POD":                               {request: "GET " + pod, output: "Exit Code:    137"},
		kubectl + "logs POD --previous --tail=200":                 {request: "GET " + pod + "/log?container=orders&previous=true&tailLines=200", output: "panic: no more memory"},
		kubectl + "delete pod POD":                                 {request: "DELETE " + pod, output: `pod "orders-v2-x" deleted`},
		kubectl + "port-forward POD 9464":                          {request: "POST " + pod + "/portforward", fails: true},
		kubectl + "rollout history deployment/orders":              {request: "GET /apis/apps/v1/namespaces/orders-prod/replicasets?labelSelector=app.kubernetes.io%2Fname%3Dorders", output: "REVISION"},
		kubectl + "logs POD -c migrate":                            {request: "GET " + pod + "/log?container=migrate", output: "panic: no more memory"},
		"kubectl config current-context":                           {output: "here"},
		kubectl + "rollout undo deployment/orders":                 {patch: `"image":"orders:v1"`, output: "deployment.apps/orders rolled back"},
		kubectl + "rollout undo deployment/orders --to-revision=N": {patch: `"image":"orders:v1"`, output: "deployment.apps/orders rolled back"},
		kubectl + "rollout restart deployment/orders":              {patch: `"kubectl.kubernetes.io/restartedAt":`, output: "deployment.apps/orders restarted"},
		kubectl + `patch hpa/orders --type merge --patch '{"spec":{"minReplicas":N}}'`: {
			patch: `horizontalpodautoscalers/orders {"spec":{"minReplicas":1}}`, output: "horizontalpodautoscaler.autoscaling/orders patched",
		},
		kubectl + `patch hpa/orders --type merge --patch '{"spec":{"maxReplicas":N}}'`: {
			patch: `horizontalpodautoscalers/orders {"spec":{"maxReplicas":1}}`, output: "horizontalpodautoscaler.autoscaling/orders patched",
		},
	}
	placeholder := regexp.MustCompile(`\b(N|POD)\b`)
	values := map[string]string{"N": "1", "POD": "orders-v2-x"}
	commands := of(t, "kubectl", read(t, filepath.Join("..", "..", "examples", "orders", "observability", "runbooks")))
	for command := range wants {
		if !slices.Contains(commands, command) {
			t.Errorf("no runbook contains %q; remove it from this test", command)
		}
	}
	for _, command := range commands {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			want, ok := wants[command]
			if !ok {
				t.Fatalf("no expected result for %q of a runbook; add it to this test", command)
			}
			c := &cluster{}
			server := httptest.NewServer(c)
			t.Cleanup(server.Close)
			s := newShell(t)
			s.file(t, ".kube/config", "apiVersion: v1\nkind: Config\ncurrent-context: here\nclusters: [{name: here, cluster: {server: '"+server.URL+
				"'}}]\ncontexts: [{name: here, context: {cluster: here, user: reader}}]\nusers: [{name: reader, user: {}}]\n")
			output, err := s.run(t, placeholder.ReplaceAllStringFunc(command, func(name string) string { return values[name] }))
			if (err != nil) != want.fails {
				t.Errorf("%v\n%s", err, output)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			if want.request != "" && !slices.Contains(c.requests, want.request) {
				t.Errorf("requests %q do not include %q", c.requests, want.request)
			}
			if patches := strings.Join(c.patches, "\n"); !strings.Contains(patches, want.patch) || (patches == "") != (want.patch == "") {
				t.Errorf("got patches %q, want %q", patches, want.patch)
			}
			if !strings.Contains(output, want.output) {
				t.Errorf("output does not contain %q:\n%s", want.output, output)
			}
		})
	}
}
