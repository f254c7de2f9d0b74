package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Response is a response of the API server.
type Response struct {
	Status   int
	Body     []byte
	Warnings []string
}

// Rejection returns the reason of a rejection, or "".
func (r Response) Rejection() string {
	if r.Status < http.StatusBadRequest {
		return ""
	}
	var status metav1.Status
	if err := json.Unmarshal(r.Body, &status); err != nil || status.Message == "" {
		return fmt.Sprintf("%d: %s", r.Status, r.Body)
	}
	return status.Message
}

// Object returns the object in the response.
func (r Response) Object() (*unstructured.Unstructured, error) {
	o := &unstructured.Unstructured{}
	if reason := r.Rejection(); reason != "" {
		return nil, errors.New(reason)
	}
	return o, o.UnmarshalJSON(r.Body)
}

// Do sends a request to the API server. The path begins with /api or /apis and
// may have a query.
func (c *Cluster) Do(ctx context.Context, method, path, contentType string, body any) (Response, error) {
	res, err := c.send(ctx, method, path, contentType, body)
	if err != nil {
		return Response{}, err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	return Response{res.StatusCode, data, res.Header.Values("Warning")}, err
}

func (c *Cluster) send(ctx context.Context, method, path, contentType string, body any) (*http.Response, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", contentType)
	return c.http.Do(req)
}

// Path returns the URL path of the object.
func (c *Cluster) Path(ctx context.Context, o *unstructured.Unstructured) (string, error) {
	resource, err := c.resource(ctx, o)
	if err != nil {
		return "", err
	}
	path := root(o.GetAPIVersion())
	if resource.Namespaced {
		path += "/namespaces/" + o.GetNamespace()
	}
	return path + "/" + resource.Name + "/" + o.GetName(), nil
}

func root(apiVersion string) string {
	if strings.Contains(apiVersion, "/") {
		return "/apis/" + apiVersion
	}
	return "/api/" + apiVersion
}

func (c *Cluster) resource(ctx context.Context, o *unstructured.Unstructured) (metav1.APIResource, error) {
	list, known := c.resources.Load(o.GetAPIVersion())
	if !known {
		response, err := c.Do(ctx, http.MethodGet, root(o.GetAPIVersion()), "", nil)
		if err != nil {
			return metav1.APIResource{}, err
		}
		var fetched metav1.APIResourceList
		if reason := response.Rejection(); reason != "" {
			return metav1.APIResource{}, fmt.Errorf("%s: %s", o.GetAPIVersion(), reason)
		}
		if err := json.Unmarshal(response.Body, &fetched); err != nil {
			return metav1.APIResource{}, err
		}
		list = fetched
		c.resources.Store(o.GetAPIVersion(), list)
	}
	for _, r := range list.(metav1.APIResourceList).APIResources {
		if r.Kind == o.GetKind() && !strings.Contains(r.Name, "/") {
			return r, nil
		}
	}
	return metav1.APIResource{}, fmt.Errorf("the API server does not serve %s in %s", o.GetKind(), o.GetAPIVersion())
}

// Apply applies the object as `kubectl apply --server-side` does, with strict
// validation. A dry run includes admission and stores nothing.
func (c *Cluster) Apply(ctx context.Context, o *unstructured.Unstructured, dryRun bool) (Response, error) {
	path, err := c.Path(ctx, o)
	if err != nil {
		return Response{}, err
	}
	query := url.Values{"fieldManager": {"scaffold-test"}, "force": {"true"}, "fieldValidation": {"Strict"}}
	if dryRun {
		query.Set("dryRun", "All")
	}
	return c.Do(ctx, http.MethodPatch, path+"?"+query.Encode(), "application/apply-patch+yaml", o)
}

// Create posts the object in a dry run with strict validation, as `kubectl apply`
// does with a new object. Unlike [Cluster.Apply] it does not merge lists by key,
// which would reject some objects before validation.
func (c *Cluster) Create(ctx context.Context, o *unstructured.Unstructured) (Response, error) {
	path, err := c.Path(ctx, o)
	if err != nil {
		return Response{}, err
	}
	return c.Do(ctx, http.MethodPost, strings.TrimSuffix(path, "/"+o.GetName())+"?dryRun=All&fieldValidation=Strict", jsonContent, o)
}

// Get returns the stored object.
func (c *Cluster) Get(ctx context.Context, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	path, err := c.Path(ctx, o)
	if err != nil {
		return nil, err
	}
	response, err := c.Do(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return nil, err
	}
	return response.Object()
}

// Install applies custom resource definitions and waits until they are served.
func (c *Cluster) Install(tb testing.TB, definitions []*unstructured.Unstructured) {
	tb.Helper()
	for _, o := range definitions {
		c.Must(tb, o)
	}
	for _, o := range definitions {
		Until(tb, o.GetName()+" is served", func() error {
			found, err := c.Get(tb.Context(), o)
			if err != nil {
				return err
			}
			conditions, _, err := unstructured.NestedSlice(found.Object, "status", "conditions")
			for _, condition := range conditions {
				if m, _ := condition.(map[string]any); m["type"] == "Established" && m["status"] == "True" {
					return err
				}
			}
			return errors.Join(err, fmt.Errorf("%v", conditions))
		})
	}
}

// Must applies and stores an object.
func (c *Cluster) Must(tb testing.TB, o *unstructured.Unstructured) {
	tb.Helper()
	response, err := c.Apply(tb.Context(), o, false)
	if err != nil {
		tb.Fatal(err)
	}
	if reason := response.Rejection(); reason != "" {
		tb.Fatalf("%s %s: %s", o.GetKind(), o.GetName(), reason)
	}
}

// Namespace creates a namespace that enforces the restricted profile of
// PodSecurity on pods, and warns about workloads that violate it.
func (c *Cluster) Namespace(tb testing.TB, name string) {
	tb.Helper()
	labels := map[string]any{}
	for _, mode := range []string{"enforce", "warn", "audit"} {
		labels["pod-security.kubernetes.io/"+mode] = "restricted"
	}
	c.Must(tb, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": labels},
	}})
	account := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": "default", "namespace": name},
	}}
	Until(tb, name+" has its service account", func() error {
		_, err := c.Get(tb.Context(), account)
		return err
	})
}

// Environ returns the environment for scripts that deploy: kubectl is in PATH,
// and KUBECONFIG has administrator permissions for this cluster.
func (c *Cluster) Environ() []string {
	return append(os.Environ(), "KUBECONFIG="+c.Kubeconfig, "PATH="+string(c.Programs)+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// Kubectl runs the real kubectl and returns its output.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.Programs.Path("kubectl"), args...)
	cmd.Env = c.Environ()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Until waits until the check returns nil, at most two minutes.
func Until(tb testing.TB, what string, check func() error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			tb.Fatalf("waited two minutes until %s: %v", what, err)
		case <-tick.C:
		}
	}
}
