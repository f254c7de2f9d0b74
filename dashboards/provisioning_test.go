package dashboards_test

import (
	"bytes"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/observability-first/scaffold/dashboards"
	"github.com/observability-first/scaffold/internal/testkit/golden"
	"github.com/observability-first/scaffold/slo"
)

// stack parses the files of an input by path.
func stack(t *testing.T, in dashboards.Input) map[string]map[string]any {
	t.Helper()
	files, err := dashboards.Provisioning(in)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]any{}
	for _, f := range files {
		dec := yaml.NewDecoder(bytes.NewReader(f.Data))
		dec.KnownFields(true)
		var doc map[string]any
		if err := dec.Decode(&doc); err != nil {
			t.Fatalf("%s: %v\n%s", f.Path, err, f.Data)
		}
		out[f.Path] = doc
	}
	return out
}

// at returns the value at a path of keys and indexes.
func at(t *testing.T, doc any, keys ...any) any {
	t.Helper()
	for _, key := range keys {
		switch k := key.(type) {
		case string:
			doc = doc.(map[string]any)[k]
		case int:
			doc = doc.([]any)[k]
		}
		if doc == nil {
			t.Fatalf("no value at %v", keys)
		}
	}
	return doc
}

const (
	composeFile     = "observability/stack/compose.yaml"
	prometheusFile  = "observability/stack/prometheus.yaml"
	datasourcesFile = "observability/stack/datasources.yaml"
)

// config parses the content of a config in the compose file.
func config(t *testing.T, files map[string]map[string]any, name string) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(at(t, files[composeFile], "configs", name, "content").(string)), &doc); err != nil {
		t.Fatalf("config %s: %v", name, err)
	}
	return doc
}

func TestStackIsGolden(t *testing.T) {
	t.Parallel()
	files, err := dashboards.Provisioning(inputs(t)["orders"])
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		golden.Compare(t, filepath.Join("testdata", "stack", path.Base(f.Path)), f.Data)
	}
}

func TestPortsListenOnLoopback(t *testing.T) {
	t.Parallel()
	for _, in := range inputs(t) {
		for name, service := range at(t, stack(t, in)[composeFile], "services").(map[string]any) {
			ports, _ := service.(map[string]any)["ports"].([]any)
			for _, port := range ports {
				if !strings.HasPrefix(port.(string), "127.0.0.1:") {
					t.Errorf("%s opens %s to the network", name, port)
				}
			}
			image := at(t, service, "image").(string)
			if _, tag, ok := strings.Cut(image, ":"); !ok || tag == "latest" || tag == "main" {
				t.Errorf("%s: %s is not pinned", name, image)
			}
		}
	}
}

func TestEveryMountedFileIsGenerated(t *testing.T) {
	t.Parallel()
	files := stack(t, inputs(t)["orders"])
	unused := maps.Clone(at(t, files[composeFile], "configs").(map[string]any))
	for name, service := range at(t, files[composeFile], "services").(map[string]any) {
		volumes, _ := service.(map[string]any)["volumes"].([]any)
		for _, v := range volumes {
			source, _, _ := strings.Cut(v.(string), ":")
			file := path.Join(path.Dir(composeFile), source)
			if !strings.HasPrefix(source, ".") || file == "observability/dashboards" || file == "observability/rules" {
				continue // a volume, or files of Compile and of package slo
			}
			if files[file] == nil {
				t.Errorf("%s mounts %s, which is not generated", name, file)
			}
		}
		configs, _ := service.(map[string]any)["configs"].([]any)
		for _, c := range configs {
			source := at(t, c, "source").(string)
			config(t, files, source)
			delete(unused, source)
		}
	}
	if len(unused) > 0 {
		t.Errorf("no service reads the configs %q", slices.Sorted(maps.Keys(unused)))
	}
}

// Compose replaces $NAME in the compose file by an environment variable.
func TestComposeFileHasNoVariables(t *testing.T) {
	t.Parallel()
	for name, in := range inputs(t) {
		files, err := dashboards.Provisioning(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if f.Path == composeFile && bytes.Contains(f.Data, []byte("$")) {
				t.Errorf("%s: a dollar sign in %s", name, f.Path)
			}
		}
	}
}

// By default, Prometheus keeps only one form of histograms if a service exposes both.
func TestPrometheusKeepsTheHistogramsOfTheDashboards(t *testing.T) {
	t.Parallel()
	for mode, want := range map[dashboards.Histograms][2]bool{
		"": {false, true}, dashboards.Classic: {false, true}, dashboards.Native: {true, false}, dashboards.Both: {true, true},
	} {
		in := inputs(t)["orders"]
		in.Histograms = mode
		scrape := at(t, stack(t, in)[prometheusFile], "scrape_configs", 0)
		got := [2]bool{at(t, scrape, "scrape_native_histograms").(bool), at(t, scrape, "always_scrape_classic_histograms").(bool)}
		if got != want {
			t.Errorf("%q: native and classic are %v, want %v", mode, got, want)
		}
	}
}

func TestScrapedSeriesMatchTheSelector(t *testing.T) {
	t.Parallel()
	in := inputs(t)["checkout"]
	in.Rules.Spec.Selector = map[string]string{"job": "checkout-api", "cluster": `a"b: {{.X}}`}
	in.AdminPort = 9999
	scrape := at(t, stack(t, in)[prometheusFile], "scrape_configs", 0)
	if got := at(t, scrape, "job_name"); got != "checkout-api" {
		t.Errorf("job_name is %v", got)
	}
	labels := at(t, scrape, "static_configs", 0, "labels")
	if got := at(t, labels, "cluster"); got != `a"b: {{.X}}` {
		t.Errorf("label cluster is %q", got)
	}
	if got := at(t, labels, in.Rules.Spec.EnvironmentLabel); got != "local" {
		t.Errorf("the environment is %q", got)
	}
	if got := at(t, scrape, "static_configs", 0, "targets", 0); got != "host.docker.internal:9999" {
		t.Errorf("the target is %q", got)
	}
	if got, want := at(t, stack(t, in)[prometheusFile], "global", "scrape_interval"), "30s"; got != want {
		t.Errorf("scrape_interval is %v, want %s", got, want)
	}
}

func TestPushedMetricsAreNotScraped(t *testing.T) {
	t.Parallel()
	files := stack(t, inputs(t)["pushed"])
	if _, scraped := files[prometheusFile]["scrape_configs"]; scraped {
		t.Error("a service that pushes is also scraped, which duplicates each sample")
	}
	if command := at(t, files[composeFile], "services", "prometheus", "command").([]any); !slices.Contains(command, any("--web.enable-otlp-receiver")) {
		t.Errorf("Prometheus receives no pushed metrics: %v", command)
	}
	at(t, config(t, files, "collector"), "service", "pipelines", "metrics")
}

// Data sources link exemplars, traces, profiles and logs.
func TestDataSourcesAreLinked(t *testing.T) {
	t.Parallel()
	list := at(t, stack(t, inputs(t)["orders"])[datasourcesFile], "datasources").([]any)
	byUID := map[string]any{}
	for _, d := range list {
		byUID[at(t, d, "uid").(string)] = d
	}
	for _, link := range []struct {
		from string
		keys []any
		want string
	}{
		{"prometheus", []any{"exemplarTraceIdDestinations", 0, "datasourceUid"}, "tempo"},
		{"prometheus", []any{"exemplarTraceIdDestinations", 0, "name"}, "trace_id"},
		{"tempo", []any{"tracesToLogsV2", "datasourceUid"}, "loki"},
		{"tempo", []any{"tracesToProfiles", "datasourceUid"}, "pyroscope"},
		{"tempo", []any{"tracesToMetrics", "datasourceUid"}, "prometheus"},
		{"loki", []any{"derivedFields", 0, "datasourceUid"}, "tempo"},
		{"loki", []any{"derivedFields", 0, "matcherRegex"}, "exported_trace"},
	} {
		if got := at(t, byUID[link.from], append([]any{"jsonData"}, link.keys...)...); got != link.want {
			t.Errorf("%s: %v is %v, want %s", link.from, link.keys, got, link.want)
		}
	}
	if byUID["pyroscope"] == nil {
		t.Error("no data source for profiles")
	}
}

func TestInvalidInputIsRejected(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in   dashboards.Input
		want string
	}{
		"rules that are not compiled": {dashboards.Input{Rules: slo.Rules{}}, "dashboards: the rules have no service; compile them with slo.Compile"},
		"unknown histograms": {
			dashboards.Input{Rules: compiled(t, minimalSpec), Histograms: "fancy"},
			`dashboards of "minimal": unknown histograms "fancy"; use classic, both or native`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := dashboards.Compile(tc.in); err == nil || err.Error() != tc.want {
				t.Errorf("Compile: got %v, want %s", err, tc.want)
			}
			if _, err := dashboards.Provisioning(tc.in); err == nil || err.Error() != tc.want {
				t.Errorf("Provisioning: got %v, want %s", err, tc.want)
			}
		})
	}
}
