package collector

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/prometheusreceiver"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pipeline"
	"go.yaml.in/yaml/v3"
)

// service is a spec with the expected configuration of its collector.
type service struct {
	telemetry, platforms string
	thresholds           []string // of latency objectives
	percent              float64  // sampled by the last policy
	slowAbove            int64    // milliseconds; 0 without a latency policy
	scrape               *scrape  // nil when metrics are pushed
}

type scrape struct {
	interval        time.Duration
	native, classic bool
	labels          map[string]string // of a target in the environment prod, without instance
}

// inProd returns the default labels of a target.
func inProd() map[string]string {
	return map[string]string{"job": "tried", "deployment_environment_name": "prod"}
}

// services returns specs with all options that change the file.
func services() map[string]service {
	const kubernetes = "[kubernetes]"
	return map[string]service{
		"defaults": {
			telemetry: "{}", platforms: kubernetes, thresholds: []string{"200ms"}, percent: 1, slowAbove: 199,
			scrape: &scrape{interval: 15 * time.Second, classic: true, labels: inProd()},
		},
		"both kinds of histograms, all traces": {
			telemetry: "{histograms: both, scrapeInterval: 5s, traceRatio: 1}", platforms: kubernetes, thresholds: []string{"1s", "2.5ms"}, percent: 100, slowAbove: 1,
			scrape: &scrape{interval: 5 * time.Second, native: true, classic: true, labels: inProd()},
		},
		"native histograms, no latency objective, trace ratio 0": {
			telemetry: "{histograms: native, scrapeInterval: 1m, traceRatio: 0}", platforms: kubernetes, percent: 0,
			scrape: &scrape{interval: time.Minute, native: true, labels: inProd()},
		},
		"labels with special characters": {
			telemetry: `{environmentLabel: env, traceRatio: 0.07, selector: {job: "shop/$1 orders", cluster: 'a"b: ${env:HOME} $$ ${1}', empty: "#"}}`,
			platforms: kubernetes, thresholds: []string{"3s", "300ms"}, percent: 7, slowAbove: 299,
			scrape: &scrape{interval: 15 * time.Second, classic: true, labels: map[string]string{
				"job": "shop/$1 orders", "cluster": `a"b: ${env:HOME} $$ ${1}`, "empty": "#", "env": "prod",
			}},
		},
		"pushed metrics": {telemetry: "{metrics: push, traceRatio: 0.0001}", platforms: kubernetes, thresholds: []string{"10ms"}, percent: 0.01, slowAbove: 9},
		"Cloud Run":      {telemetry: "{metrics: push}", platforms: "[cloud-run]", thresholds: []string{"200ms"}, percent: 1, slowAbove: 199},
		"both platforms": {telemetry: "{metrics: push}", platforms: "[kubernetes, cloud-run]", thresholds: []string{"200ms"}, percent: 1, slowAbove: 199},
	}
}

func (s service) yaml() string {
	var b strings.Builder
	b.WriteString("apiVersion: scaffold/v1\nservice: tried\nowner: team-a\nmodule: example.com/tried\nresource: order\ntelemetry: " + s.telemetry +
		"\nfiles: [collector]\ndeploy: {platforms: " + s.platforms + "}\nslos:\n  - {name: availability, objective: 99.9, window: 30d, indicator: {availability: {}}}\n")
	for i, threshold := range s.thresholds {
		b.WriteString("  - {name: latency-" + string(rune('a'+i)) + ", objective: 99, window: 30d, indicator: {latency: {threshold: " + threshold + "}}}\n")
	}
	return b.String()
}

// scaffold compiles the command and returns its path.
func scaffold(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "scaffold")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./cmd/scaffold")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// generate generates the service and returns its directory.
func generate(t *testing.T, scaffold string, s service) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "scaffold.yaml"), []byte(s.yaml()), 0o600); err != nil {
		t.Fatal(err)
	}
	runtime, err := filepath.Abs(filepath.Join("..", "..", "runtime"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), scaffold, "generate", dir, "--runtime", runtime).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, s.yaml())
	}
	return dir
}

// production returns the source of the deployed configuration.
func production(dir string) string {
	return "file:" + filepath.Join(dir, "deploy", "collector.yaml")
}

// local returns the source of the configuration in the Compose file.
func local(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "observability", "stack", "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Configs map[string]struct{ Content string }
	}
	if err := yaml.Unmarshal(data, &compose); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "collector.yaml")
	if err := os.WriteFile(config, []byte(compose.Configs["collector"].Content), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file:" + config
}

func TestConfigurations(t *testing.T) {
	t.Setenv("OTLP_ENDPOINT", "http://127.0.0.1:1")
	command := scaffold(t)
	for name, s := range services() {
		t.Run(name, func(t *testing.T) {
			dir := generate(t, command, s)
			for _, source := range []string{production(dir), local(t, dir)} {
				if err := validate(t.Context(), source); err != nil {
					t.Errorf("%s: %v", source, err)
				}
			}
			if err := starts(t, production(dir)); err != nil {
				t.Error(err)
			}
			s.sampled(t, dir)
			s.scraped(t, dir)
		})
	}
	examples, err := filepath.Glob(filepath.Join("..", "..", "examples", "*", "observability", "stack"))
	if err != nil || len(examples) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, stack := range examples {
		if err := validate(t.Context(), local(t, filepath.Join(stack, "..", ".."))); err != nil {
			t.Errorf("%s: %v", stack, err)
		}
	}
}

// sampled compares the sampling policies with the spec.
func (s service) sampled(t *testing.T, dir string) {
	t.Helper()
	sampling := read(t, production(dir)).Processors[component.MustNewID("tail_sampling")].(*tailsamplingprocessor.Config)
	var slow int64
	var percent float64
	var kinds []tailsamplingprocessor.PolicyType
	for _, p := range sampling.PolicyCfgs {
		kinds = append(kinds, p.Type)
		slow += p.LatencyCfg.ThresholdMs
		percent += p.ProbabilisticCfg.SamplingPercentage
	}
	want := []tailsamplingprocessor.PolicyType{tailsamplingprocessor.StatusCode, tailsamplingprocessor.Latency, tailsamplingprocessor.StringAttribute, tailsamplingprocessor.Probabilistic}
	if len(s.thresholds) == 0 {
		want = slices.Delete(want, 1, 2)
	}
	if !slices.Equal(kinds, want) || slow != s.slowAbove || percent != s.percent {
		t.Errorf("policies %v, slow above %d ms, %v %% of the rest; want %v, %d ms, %v %%", kinds, slow, percent, want, s.slowAbove, s.percent)
	}
}

// scraped compares the scrape configuration with the spec. Prometheus' relabeling
// computes the labels.
func (s service) scraped(t *testing.T, dir string) {
	t.Helper()
	config := read(t, production(dir))
	id := component.MustNewID("prometheus")
	from := config.Service.Pipelines[pipeline.NewID(pipeline.SignalMetrics)].Receivers
	if s.scrape == nil {
		if _, ok := config.Receivers[id]; ok || !slices.Equal(from, []component.ID{component.MustNewID("otlp")}) {
			t.Errorf("metrics are pushed, but the receivers are %v", from)
		}
		return
	}
	if !slices.Equal(from, []component.ID{id}) {
		t.Fatalf("metrics are scraped, but the receivers are %v", from)
	}
	job := config.Receivers[id].(*prometheusreceiver.Config).PrometheusConfig.ScrapeConfigs[0]
	native, classic := *job.ScrapeNativeHistograms, *job.AlwaysScrapeClassicHistograms
	if time.Duration(job.ScrapeInterval) != s.scrape.interval || native != s.scrape.native || classic != s.scrape.classic {
		t.Errorf("scrape interval %s, native %t, classic %t; want %+v", job.ScrapeInterval, native, classic, s.scrape)
	}
	if first := job.ScrapeProtocols[0]; native && first != "PrometheusProto" {
		t.Errorf("the first scrape protocol is %s, which has no native histograms", first)
	}
	if got := target(job.JobName, job.RelabelConfigs, nil); !maps.Equal(got, s.scrape.labels) {
		t.Errorf("labels %v, want %v", got, s.scrape.labels)
	}
	for _, other := range []map[string]string{
		{"__meta_kubernetes_pod_container_port_name": "http"},
		{"__meta_kubernetes_pod_phase": "Succeeded"},
		{"__meta_kubernetes_pod_phase": "Failed"},
	} {
		if got := target(job.JobName, job.RelabelConfigs, other); got != nil {
			t.Errorf("a target with %v is scraped, with labels %v", other, got)
		}
	}
	if err := validate(t.Context(), production(dir), "yaml:service::pipelines::metrics::receivers: [otlp]"); err != nil {
		t.Errorf("receivers [otlp], for a Prometheus operator that scrapes: %v", err)
	}
}

// target returns the labels of a pod's admin port, or nil if it is not scraped.
// differing overrides the labels of service discovery.
func target(job string, rules []*relabel.Config, differing map[string]string) map[string]string {
	found := map[string]string{
		"job": job, "__address__": "10.0.0.1:9464",
		"__meta_kubernetes_pod_container_port_name":               "admin",
		"__meta_kubernetes_pod_phase":                             "Running",
		"__meta_kubernetes_pod_label_deployment_environment_name": "prod",
	}
	maps.Copy(found, differing)
	b := labels.NewBuilder(labels.FromMap(found))
	if !relabel.ProcessBuilder(b, rules...) {
		return nil
	}
	got := b.Labels().Map()
	maps.DeleteFunc(got, func(name, _ string) bool { return strings.HasPrefix(name, "__") })
	return got
}

// TestConfigurations would be useless if the collector accepted invalid files.
func TestInvalidConfigurationsAreRejected(t *testing.T) {
	command := scaffold(t)
	dir := generate(t, command, services()["defaults"])
	whole, err := os.ReadFile(filepath.Join(dir, "deploy", "collector.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ from, to, want string }{
		"unknown processor":               {"  batch:\n    timeout: 1s", "  batches:\n    timeout: 1s", `unknown type: "batches"`},
		"misspelled key of tail sampling": {"decision_wait:", "decision_waits:", "decision_waits"},
		"policy without a type":           {"        type: status_code\n", "", "unknown sampling policy type"},
		"policy with an unknown type":     {"type: latency", "type: latencies", "latencies"},
		"percentage not a number":         {"sampling_percentage: 1", "sampling_percentage: some", "sampling_percentage"},
		"unknown exporter":                {"batch], exporters: [otlp_http]", "batch], exporters: [otlp_http/elsewhere]", `otlp_http/elsewhere`},
		"unknown receiver":                {"{receivers: [prometheus]", "{receivers: [prometheus/other]", "prometheus/other"},
		"memory limiter without a limit":  {"    limit_percentage: 80\n", "", "limit_percentage"},
		"unknown key of the queue":        {"sizer: bytes", "size_of: bytes", "size_of"},
		"unknown service discovery":       {"kubernetes_sd_configs", "kubernetis_sd_configs", "kubernetis_sd_configs"},
		"unknown discovery role":          {"- role: pod\n", "- role: pods\n", "pods"},
		"unknown relabel action":          {"action: keep", "action: keeps", "keeps"},
		"unknown extension":               {"extensions: [health_check]", "extensions: [health]", "health"},
		"batch size above its maximum":    {"send_batch_max_size: 2048", "send_batch_max_size: 512", "send_batch_max_size"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTLP_ENDPOINT", "http://127.0.0.1:1")
			if !strings.Contains(string(whole), tc.from) {
				t.Fatalf("the file does not contain %q", tc.from)
			}
			file := filepath.Join(t.TempDir(), "broken.yaml")
			if err := os.WriteFile(file, []byte(strings.Replace(string(whole), tc.from, tc.to, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			err := validate(t.Context(), "file:"+file)
			if err == nil {
				err = starts(t, "file:"+file)
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %s", err, tc.want)
			}
		})
	}
	t.Run("no endpoint", func(t *testing.T) {
		t.Setenv("OTLP_ENDPOINT", "")
		if err := validate(t.Context(), production(dir)); err == nil || !strings.Contains(err.Error(), "at least one endpoint") {
			t.Errorf("got %v, want an error about the endpoint", err)
		}
	})
	t.Run("one endpoint for each signal", func(t *testing.T) {
		for _, signal := range []string{"TRACES", "METRICS", "LOGS"} {
			t.Setenv("OTLP_"+signal+"_ENDPOINT", "http://127.0.0.1:1/x")
		}
		if err := validate(t.Context(), production(dir)); err != nil {
			t.Error(err)
		}
	})
}
