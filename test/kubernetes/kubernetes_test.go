package kubernetes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/observability-first/scaffold/test/kubernetes/crd"
	"github.com/observability-first/scaffold/test/kubernetes/generated"
	"github.com/observability-first/scaffold/test/kubernetes/manifests"
)

func TestGeneratedObjects(t *testing.T) {
	definitions, err := crd.Definitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	types, err := manifests.NewTypes(definitions)
	if err != nil {
		t.Fatal(err)
	}
	score := buildScore(t)
	services := generated.Services(t)
	checkMutants(t, types, services)
	for _, s := range services {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			checkDocuments(t, types, s)
			checkBase(t, s)
			checkObservability(t, types, s)
			for _, environment := range generated.Environments() {
				checkOverlay(t, types, s, environment)
			}
			checkScore(t, score, s)
		})
	}
}

func build(t *testing.T, dir string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := manifests.Build(dir)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func documents(t *testing.T, dirs ...string) []manifests.Document {
	t.Helper()
	var all []manifests.Document
	for _, dir := range dirs {
		found, err := manifests.Documents(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			t.Fatalf("%s holds no manifest", dir)
		}
		all = append(all, found...)
	}
	return all
}

// checkDocuments reads the files as they are: Kustomize drops duplicate keys.
func checkDocuments(t *testing.T, types *manifests.Types, s generated.Service) {
	t.Helper()
	for _, d := range documents(t, filepath.Join(s.Dir, "deploy", "base"), filepath.Join(s.Dir, "observability", "kubernetes")) {
		for _, problem := range types.Check(t.Context(), d.Text) {
			t.Errorf("%s: %s\n%s", d.File, problem, d.Text)
		}
	}
}

// checkBase wants Kustomize to find in deploy/base what was rendered there, and
// the objects to fit each other and the spec.
func checkBase(t *testing.T, s generated.Service) {
	t.Helper()
	dir := filepath.Join(s.Dir, "deploy", "base")
	built := build(t, dir)
	want := map[string]string{}
	for _, d := range documents(t, dir) {
		o, err := d.Object()
		if err != nil {
			t.Fatal(err)
		}
		want[name(o)] = text(t, o)
	}
	same(t, built, want)
	judge(t, built, s.Spec, "deploy/base")
}

func judge(t *testing.T, objects []*unstructured.Unstructured, spec generated.Spec, where string) {
	t.Helper()
	set, err := manifests.NewSet(objects)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range set.Judge(spec) {
		t.Errorf("%s: %s", where, problem)
	}
}

// same compares built objects with texts by their names.
func same(t *testing.T, built []*unstructured.Unstructured, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, o := range built {
		got[name(o)] = text(t, o)
	}
	if names, wanted := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(names, wanted) {
		t.Errorf("Kustomize builds %q, want %q", names, wanted)
	}
	for object, text := range want {
		if got[object] != "" && got[object] != text {
			t.Errorf("Kustomize builds\n%s\nof\n%s", got[object], text)
		}
	}
}

func name(o *unstructured.Unstructured) string { return o.GetKind() + " " + o.GetName() }

// text is the object with its keys in order.
func text(t *testing.T, o *unstructured.Unstructured) string {
	t.Helper()
	data, err := yaml.Marshal(o.Object)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// checkObservability wants the dashboards byte for byte, and every rule that
// Prometheus would load from files to come by the operator.
func checkObservability(t *testing.T, types *manifests.Types, s generated.Service) {
	t.Helper()
	dir := filepath.Join(s.Dir, "observability")
	dashboards := files(t, filepath.Join(dir, "dashboards"), ".json")
	groups := map[string]any{}
	for file, data := range files(t, filepath.Join(dir, "rules"), ".rules.yaml") {
		maps.Copy(groups, ruleGroups(t, file, data))
	}
	if len(dashboards) == 0 || len(groups) == 0 {
		t.Fatalf("%d dashboards and %d groups of rules", len(dashboards), len(groups))
	}
	routing := 0
	for _, o := range build(t, dir) {
		for _, problem := range types.Check(t.Context(), []byte(text(t, o))) {
			t.Errorf("%s: %s", name(o), problem)
		}
		switch o.GetKind() {
		case "ConfigMap":
			takeDashboards(t, o, dashboards)
		case "PrometheusRule":
			takeGroups(t, o, s.Spec, groups)
		case "AlertmanagerConfig":
			found(t, o, s.Spec)
			routing++
		default:
			t.Errorf("observability holds a %s", name(o))
		}
	}
	if routing != 1 {
		t.Errorf("observability holds %d AlertmanagerConfigs", routing)
	}
	for file := range dashboards {
		t.Errorf("no ConfigMap holds the dashboard %s", file)
	}
	for group := range groups {
		t.Errorf("no PrometheusRule holds the group %s", group)
	}
}

// takeDashboards strikes off what the ConfigMap holds. Grafana's sidecar finds it by
// the label, and etcd takes no object of more than a mebibyte.
func takeDashboards(t *testing.T, o *unstructured.Unstructured, dashboards map[string]string) {
	t.Helper()
	if o.GetLabels()["grafana_dashboard"] != "1" {
		t.Errorf("Grafana's sidecar does not find the %s", name(o))
	}
	data, _, err := unstructured.NestedStringMap(o.Object, "data")
	if err != nil || len(data) == 0 {
		t.Errorf("%s holds no data: %v", name(o), err)
	}
	for file, dashboard := range data {
		if dashboards[file] != dashboard {
			t.Errorf("%s of %s is not the dashboard of that name", file, name(o))
		}
		if len(dashboard) > 1<<20 {
			t.Errorf("%s of %s has %d bytes", file, name(o), len(dashboard))
		}
		delete(dashboards, file)
	}
}

// found wants the labels that operators select by.
func found(t *testing.T, o *unstructured.Unstructured, spec generated.Spec) {
	t.Helper()
	for key, value := range spec.WithMonitoring() {
		if o.GetLabels()[key] != value {
			t.Errorf("the operator does not find the %s: no label %s=%s", name(o), key, value)
		}
	}
}

func takeGroups(t *testing.T, o *unstructured.Unstructured, spec generated.Spec, groups map[string]any) {
	t.Helper()
	found(t, o, spec)
	list, _, err := unstructured.NestedSlice(o.Object, "spec", "groups")
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range list {
		group, _ := item.(map[string]any)
		title := fmt.Sprint(group["name"])
		if got, want := jsonText(t, group), jsonText(t, groups[title]); got != want {
			t.Errorf("group %s of %s:\n%s\nwant\n%s", title, name(o), got, want)
		}
		delete(groups, title)
	}
}

func ruleGroups(t *testing.T, file, data string) map[string]any {
	t.Helper()
	var rules struct {
		Groups []map[string]any `json:"groups"`
	}
	if err := yaml.UnmarshalStrict([]byte(data), &rules); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	groups := map[string]any{}
	for _, group := range rules.Groups {
		groups[fmt.Sprint(group["name"])] = group
	}
	return groups
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// files are those of a directory that end so, by name.
func files(t *testing.T, dir, suffix string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[e.Name()] = string(data)
	}
	return found
}

// checkOverlay wants an overlay to be the whole service in a namespace of its
// own, with what is observed of it.
func checkOverlay(t *testing.T, types *manifests.Types, s generated.Service, environment string) {
	t.Helper()
	built := build(t, filepath.Join(s.Dir, "deploy", "overlays", environment))
	for _, o := range built {
		if want := s.Spec.Service + "-" + environment; o.GetNamespace() != want {
			t.Errorf("%s of %s lies in the namespace %q, want %s", name(o), environment, o.GetNamespace(), want)
		}
		for _, problem := range types.Check(t.Context(), []byte(text(t, o))) {
			t.Errorf("%s of %s: %s", name(o), environment, problem)
		}
	}
	set, err := manifests.NewSet(built)
	if err != nil {
		t.Fatal(err)
	}
	if got := set.Deployments[0].Spec.Template.Labels["deployment.environment.name"]; got != environment {
		t.Errorf("pods of %s carry the environment %q", environment, got)
	}
	if _, selects := set.Deployments[0].Spec.Selector.MatchLabels["deployment.environment.name"]; selects {
		t.Errorf("the Deployment's selector, which cannot be changed, holds the environment")
	}
	judge(t, built, s.Spec, environment)
	base := build(t, filepath.Join(s.Dir, "deploy", "base"))
	observed := build(t, filepath.Join(s.Dir, "observability"))
	if len(built) != len(base)+len(observed)+1 { // the ConfigMap
		t.Errorf("%s has %d objects, base and observability %d, want one more", environment, len(built), len(base)+len(observed))
	}
}

// The manifests, the independent reading above and the runtime are three places
// that name the probes' paths.
func TestTheRuntimeServesWhatIsProbed(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(filepath.Join("..", "..", "runtime", "admin.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/startupz", "/readyz", "/livez", "/metrics"} {
		if !bytes.Contains(source, []byte(`"GET `+path+`"`)) {
			t.Errorf("runtime/admin.go does not serve %s", path)
		}
	}
}
