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
			t.Fatalf("%s has no manifests", dir)
		}
		all = append(all, found...)
	}
	return all
}

// checkDocuments checks the files before Kustomize, which drops duplicate keys.
func checkDocuments(t *testing.T, types *manifests.Types, s generated.Service) {
	t.Helper()
	for _, d := range documents(t, filepath.Join(s.Dir, "deploy", "base"), filepath.Join(s.Dir, "observability", "kubernetes")) {
		for _, problem := range types.Check(t.Context(), d.Text) {
			t.Errorf("%s: %s\n%s", d.File, problem, d.Text)
		}
	}
}

// checkBase requires that Kustomize builds all generated files of deploy/base,
// and that the objects are consistent with each other and the spec.
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
	check(t, built, s.Spec, "deploy/base")
}

func check(t *testing.T, objects []*unstructured.Unstructured, spec generated.Spec, where string) {
	t.Helper()
	set, err := manifests.NewSet(objects)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range set.Check(spec) {
		t.Errorf("%s: %s", where, problem)
	}
}

// same compares built objects with the text of objects by name.
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
			t.Errorf("Kustomize builds\n%s\nfrom\n%s", got[object], text)
		}
	}
}

func name(o *unstructured.Unstructured) string { return o.GetKind() + " " + o.GetName() }

// text returns the object with sorted keys.
func text(t *testing.T, o *unstructured.Unstructured) string {
	t.Helper()
	data, err := yaml.Marshal(o.Object)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// checkObservability requires that the objects contain the dashboards byte for
// byte, and all rules of the rule files.
func checkObservability(t *testing.T, types *manifests.Types, s generated.Service) {
	t.Helper()
	dir := filepath.Join(s.Dir, "observability")
	dashboards := files(t, filepath.Join(dir, "dashboards"), ".json")
	groups := map[string]any{}
	for file, data := range files(t, filepath.Join(dir, "rules"), ".rules.yaml") {
		maps.Copy(groups, ruleGroups(t, file, data))
	}
	addOwn(t, dir, s.Spec.Service, dashboards, groups)
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
			matchDashboards(t, o, dashboards)
		case "PrometheusRule":
			matchGroups(t, o, s.Spec, groups)
		case "AlertmanagerConfig":
			checkLabels(t, o, s.Spec)
			routing++
		default:
			t.Errorf("unexpected object in observability: %s", name(o))
		}
	}
	if routing != 1 {
		t.Errorf("observability has %d AlertmanagerConfigs, want 1", routing)
	}
	for file := range dashboards {
		t.Errorf("no ConfigMap contains the dashboard %s", file)
	}
	for group := range groups {
		t.Errorf("no PrometheusRule contains the group %s", group)
	}
}

// addOwn adds the dashboards and rules of the user, if there are some. Grafana's sidecar
// writes the keys of all ConfigMaps into one directory, so keys are unique among services.
func addOwn(t *testing.T, dir, service string, dashboards map[string]string, groups map[string]any) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "dashboards", "own")); err == nil {
		dashboards[service+"-own-shipping-list.json"] = files(t, filepath.Join(dir, "dashboards", "own"), ".json")["Shipping list.json"]
	}
	if _, err := os.Stat(filepath.Join(dir, "rules", "own")); err != nil {
		return
	}
	for file, data := range files(t, filepath.Join(dir, "rules", "own"), ".yaml") {
		maps.Copy(groups, ruleGroups(t, file, data))
	}
}

// matchDashboards deletes the dashboards of the ConfigMap from the map. Grafana's
// sidecar selects ConfigMaps by label; etcd limits objects to 1 MiB.
func matchDashboards(t *testing.T, o *unstructured.Unstructured, dashboards map[string]string) {
	t.Helper()
	if o.GetLabels()["grafana_dashboard"] != "1" {
		t.Errorf("%s has no label grafana_dashboard=1, by which Grafana's sidecar selects it", name(o))
	}
	data, _, err := unstructured.NestedStringMap(o.Object, "data")
	if err != nil || len(data) == 0 {
		t.Errorf("%s has no data: %v", name(o), err)
	}
	for file, dashboard := range data {
		if dashboards[file] != dashboard {
			t.Errorf("%s of %s differs from the dashboard file", file, name(o))
		}
		if len(dashboard) > 1<<20 {
			t.Errorf("%s of %s has %d bytes, want at most 1 MiB", file, name(o), len(dashboard))
		}
		delete(dashboards, file)
	}
}

// checkLabels requires the labels by which the Prometheus operator selects
// objects.
func checkLabels(t *testing.T, o *unstructured.Unstructured, spec generated.Spec) {
	t.Helper()
	for key, value := range spec.WithMonitoring() {
		if o.GetLabels()[key] != value {
			t.Errorf("the operator does not select %s: no label %s=%s", name(o), key, value)
		}
	}
}

func matchGroups(t *testing.T, o *unstructured.Unstructured, spec generated.Spec, groups map[string]any) {
	t.Helper()
	checkLabels(t, o, spec)
	list, _, err := unstructured.NestedSlice(o.Object, "spec", "groups")
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range list {
		group, _ := item.(map[string]any)
		title := fmt.Sprint(group["name"])
		// The resource has each query on one line.
		if got, want := withoutSpaces(jsonText(t, group)), withoutSpaces(jsonText(t, groups[title])); got != want {
			t.Errorf("group %s of %s is\n%s\nwant\n%s", title, name(o), got, want)
		}
		delete(groups, title)
	}
}

func withoutSpaces(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, `\n`, " ")), "")
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

// files returns the contents of the files with the suffix, by name.
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

// checkOverlay requires that an overlay has all objects of base, and that only
// the last environment has those of observability: a Prometheus that loads the
// rules of two overlays counts events twice. All are in the namespace of the
// environment.
func checkOverlay(t *testing.T, types *manifests.Types, s generated.Service, environment string) {
	t.Helper()
	built := build(t, filepath.Join(s.Dir, "deploy", "overlays", environment))
	for _, o := range built {
		if want := s.Spec.Service + "-" + environment; o.GetNamespace() != want {
			t.Errorf("%s of %s is in the namespace %q, want %s", name(o), environment, o.GetNamespace(), want)
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
		t.Errorf("pods of %s have the environment label %q", environment, got)
	}
	if _, selects := set.Deployments[0].Spec.Selector.MatchLabels["deployment.environment.name"]; selects {
		t.Errorf("the Deployment's selector, which is immutable, contains the environment")
	}
	check(t, built, s.Spec, environment)
	base := build(t, filepath.Join(s.Dir, "deploy", "base"))
	want := len(base) + 1 // the ConfigMap of the overlay
	if environment == "prod" {
		want += len(build(t, filepath.Join(s.Dir, "observability")))
	}
	if len(built) != want {
		t.Errorf("%s has %d objects, want %d", environment, len(built), want)
	}
}

// Manifests, package manifests and the runtime each contain the paths of probes.
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
