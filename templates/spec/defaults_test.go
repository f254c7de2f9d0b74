package spec_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/observability-first/scaffold/templates/spec"
)

func layer(t *testing.T, src string) spec.Defaults {
	t.Helper()
	d, err := spec.ParseDefaults("platform.yaml", []byte("apiVersion: scaffold/v1\n"+src))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func origins(s spec.Service) map[string]string {
	got := map[string]string{}
	for _, v := range s.Effective() {
		got[v.Path] = string(v.Origin)
	}
	return got
}

func TestSpecOverridesDefaults(t *testing.T) {
	t.Parallel()
	d := layer(t, `
owner: team-platform
http: {port: 9000}
telemetry: {scrapeInterval: 30s, traceRatio: 0.5, selector: {cluster: a}}
alerting: {labels: {org: acme, tier: "2"}}
links: {grafana: https://grafana.acme.io}
`)
	s, err := d.Parse("scaffold.yaml", []byte(minimal+`
telemetry: {traceRatio: 1, selector: {app: orders}}
alerting: {labels: {tier: "1"}}
`))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	for _, v := range s.Effective() {
		got[v.Path] = []any{v.Value, string(v.Origin)}
	}
	for path, want := range map[string][]any{
		"owner":                      {"team-checkout", "spec"},
		"http.port":                  {int64(9000), "defaults platform.yaml"},
		"http.trustedParent":         {false, "built in"},
		"telemetry.scrapeInterval":   {"30s", "defaults platform.yaml"},
		"telemetry.traceRatio":       {1.0, "spec"},
		"telemetry.selector.app":     {"orders", "spec"},
		"telemetry.selector.cluster": {"a", "defaults platform.yaml"},
		"alerting.labels.org":        {"acme", "defaults platform.yaml"},
		"alerting.labels.tier":       {"1", "spec"},
		"alerting.annotations":       {map[string]any{}, "built in"},
		"links.grafana":              {"https://grafana.acme.io", "defaults platform.yaml"},
		"resource":                   {"order", "built in"},
	} {
		if diff := cmp.Diff(want, got[path]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestNewCopiesOnlyTheOwnerFromDefaults(t *testing.T) {
	t.Parallel()
	s := create(t, layer(t, "owner: team-platform\nhttp: {port: 9000}\n"), spec.Choices{Name: "orders"})
	got := string(s.YAML())
	if !strings.Contains(got, "owner: team-platform\n") || strings.Contains(got, "9000") {
		t.Errorf("got\n%s", got)
	}
	if s.HTTP.Port != 9000 || origins(s)["http.port"] != "defaults platform.yaml" {
		t.Errorf("port %d from %s", s.HTTP.Port, origins(s)["http.port"])
	}
}

func TestParseDefaultsRejectsInvalidFiles(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, src, want string }{
		{"missing version", "owner: x", `platform.yaml: unexpected format: no line begins with "apiVersion: scaffold"; add it, or pass another file`},
		{"key of a single service", "apiVersion: scaffold/v1\nservice: orders",
			"platform.yaml:2:10: service: defaults cannot set this key; set it in the scaffold.yaml of each service"},
		{"component", "apiVersion: scaffold/v1\ncomponents: {postgres: {}}",
			"platform.yaml:2:13: components: defaults cannot set this key; set it in the scaffold.yaml of each service"},
		{"unknown key", "apiVersion: scaffold/v1\nhtpp: {}", `platform.yaml:2:1: htpp: unknown key; did you mean "http"?`},
		{"value out of range", "apiVersion: scaffold/v1\ntelemetry: {scrapeInterval: 4s}",
			"platform.yaml:2:29: telemetry.scrapeInterval: 4s is not between 5s and 1m; write the scrape interval of the service"},
		{"invalid YAML", "apiVersion: scaffold/v1\nowner: [", "platform.yaml:2:1: not valid YAML: did not find expected node content"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := spec.ParseDefaults("platform.yaml", []byte(tt.src)); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestEffectiveYAMLHasTheOriginOfEachValue(t *testing.T) {
	t.Parallel()
	s, err := layer(t, "http: {port: 9000}").Parse("scaffold.yaml", []byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	got := string(s.EffectiveYAML())
	for _, want := range []string{
		"service: orders # spec\n", "resource: order # built in\n", "  port: 9000 # defaults platform.yaml\n", "  labels: {} # built in\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	for line := range strings.Lines(got) {
		if value := strings.TrimSpace(line); !strings.HasSuffix(value, ":") && !strings.Contains(value, " # ") {
			t.Errorf("no origin: %s", line)
		}
	}
}
