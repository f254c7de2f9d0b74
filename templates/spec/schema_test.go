package spec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/components"
	"github.com/observability-first/scaffold/templates/spec"
)

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	src, err := spec.Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(src))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("spec.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("spec.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// generic parses YAML as an editor does for a validator.
func generic(t *testing.T, src []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(src, &v); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if v, err = jsonschema.UnmarshalJSON(bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchemaAcceptsGeneratedSpecs(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	for _, c := range []spec.Choices{
		{Name: "orders"},
		{Name: "orders", Components: []string{"postgres"}, Owner: "it's \"us\"", Description: "x", Resource: "order", Plural: "orders", Pattern: "service"},
	} {
		s := create(t, spec.Defaults{}, c)
		for _, src := range [][]byte{s.YAML(), s.EffectiveYAML()} {
			if err := schema.Validate(generic(t, src)); err != nil {
				t.Errorf("%v\n%s", err, src)
			}
		}
	}
}

func TestSchemaRejectsWhatParseRejects(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	for _, extra := range []string{
		"zebra: 1", "pattern: zebra", "components: {redis: {}}", "components: {postgres: {size: 1}}", "resource: Order", "http: {port: 0}",
		"http: {port: '8080'}", "telemetry: {traceRatio: 2}", "telemetry: {histograms: x}", "telemetry: {metrics: x}", "telemetry: {selector: {a-b: c}}",
		"telemetry: {selector: {a: ''}}", "telemetry: {environmentLabel: a-b}", "telemetry: {scrapeInterval: soon}", "links: {grafana: 'ftp://x'}",
		"alerting: {severities: {page: ''}}", "alerting: {receivers: {page: pager}}", "alerting: {labels: {a: [b]}}", "deploy: {replicas: {min: 0}}",
		"deploy: {directory: ../x}", "deploy: {directory: /x}", "deploy: {directory: a//b}", "deploy: {directory: a/./b}", "deploy: {directory: .git/x}", "deploy: {directory: 'a b'}",
		"deploy: {directory: 'a*'}", "deploy: {directory: a/}", "deploy: {directory: -a}", "deploy: {directory: [a]}",
		"files: [renovat]", "files: [renovate, renovate]", "files: renovate", "deploy: {platforms: [moon]}", "deploy: {pipelines: [github, github]}", "deploy: {terraform: [ibm]}", "deploy: {image: 'a:b'}",
		"deploy: {resources: {cpu: 250}, replicas: {min: x}}", "deploy: {resources: {cpu: 1s}}", "deploy: {resources: {memory: 1MB}}",
		"deploy: {grace: {drain: soon}}", "deploy: {autoscale: {source: moon}}", "deploy: {autoscale: {cpu: 0}}", "deploy: {autoscale: {inFlight: 0}}",
		"deploy: {autoscale: {prometheus: x}}", "deploy: {gateway: {zebra: 1}}", "deploy: {monitoring: {labels: [a]}}",
		"slos: []", "slos: [{}]", slos("name: A"), slos("window: 4w"), slos("objective: 0.999"), slos("objective: 100"), slos("objective: '99,9'"),
		slos("indicator: {}"), slos("indicator: {availability: {}, latency: {threshold: 1s}}"), slos("indicator: {latency: {}}"),
		slos("indicator: {ratio: {total: a}}"), slos("indicator: {ratio: {total: a, good: b, bad: c}}"), slos("groupBy: [a, b, c]"), slos("minBadEvents: -1"), slos("zebra: 1"),
	} {
		src := []byte(minimal + extra)
		if _, err := spec.Parse("scaffold.yaml", src); err == nil {
			t.Errorf("Parse accepts %s", extra)
		}
		if err := schema.Validate(generic(t, src)); err == nil {
			t.Errorf("the schema accepts %s", extra)
		}
	}
}

func TestSchemaHasKeysDefaultsAndChoicesOfThePackage(t *testing.T) {
	t.Parallel()
	var root map[string]any
	src, err := spec.Schema()
	if err := errors.Join(err, json.Unmarshal(src, &root)); err != nil {
		t.Fatal(err)
	}
	at := func(path ...string) map[string]any {
		node := root
		for _, key := range path {
			properties, _ := node["properties"].(map[string]any)
			next, ok := properties[key].(map[string]any)
			if !ok {
				t.Fatalf("the schema has no %v", path)
			}
			node = next
		}
		return node
	}
	for path, want := range map[string][]string{
		"pattern": spec.Patterns(), "telemetry.histograms": spec.Histograms(), "telemetry.metrics": {slo.MetricsScrape, slo.MetricsPush},
		"deploy.autoscale.source": spec.AutoscaleSources(),
		"alerting.receivers.page": append([]string{""}, slo.Integrations()...), "alerting.receivers.ticket": append([]string{""}, slo.Integrations()...),
	} {
		if diff := cmp.Diff(want, texts(at(split(path)...)["enum"])); diff != "" {
			t.Errorf("%s (-package +schema):\n%s", path, diff)
		}
	}
	for path, want := range map[string][]string{
		"deploy.platforms": spec.Platforms(), "deploy.pipelines": spec.Pipelines(), "deploy.terraform": spec.Clouds(),
		"files": spec.OptionalFiles(),
	} {
		items, _ := at(split(path)...)["items"].(map[string]any)
		if diff := cmp.Diff(want, texts(items["enum"])); diff != "" {
			t.Errorf("%s (-package +schema):\n%s", path, diff)
		}
	}
	definitions, _ := root["$defs"].(map[string]any)
	objective, _ := definitions["objective"].(map[string]any)
	properties, _ := objective["properties"].(map[string]any)
	window, _ := properties["window"].(map[string]any)
	var windows []string
	for _, w := range slo.Windows() {
		windows = append(windows, string(w))
	}
	if diff := cmp.Diff(windows, texts(window["enum"])); diff != "" {
		t.Errorf("windows (-package +schema):\n%s", diff)
	}
	described, _ := at("components")["properties"].(map[string]any)
	for _, name := range components.Names() {
		delete(described, name)
	}
	if len(described) != 0 {
		t.Errorf("the schema has components that the package lacks: %v", described)
	}
	if got := at("service")["maxLength"]; got != float64(spec.MaxNameLength) {
		t.Errorf("service is at most %v long, want %d", got, spec.MaxNameLength)
	}
	// Built-in values that depend on no other value are defaults in the schema.
	derived := map[string]bool{
		"apiVersion": true, "service": true, "description": true, "owner": true, "module": true, "resource": true, "plural": true,
		"telemetry.selector.job": true, "components": true, "alerting.labels": true, "alerting.annotations": true,
		"deploy.image": true, "deploy.grace.period": true, "deploy.monitoring.labels": true,
	}
	for _, v := range parse(t, minimal).Effective() {
		if derived[v.Path] || isSLO(v.Path) {
			continue
		}
		path, value := v.Path, fmt.Sprint(v.Value)
		if list, index, ok := strings.Cut(path, "["); ok && index == "0]" {
			path, value = list, "["+value+"]" // the lists of defaults have one value
		}
		if got, want := fmt.Sprint(at(split(path)...)["default"]), value; got != want {
			t.Errorf("%s: the schema says %s, the package %s", v.Path, got, want)
		}
	}
}
