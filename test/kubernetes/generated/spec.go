package generated

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// Spec is the part of scaffold.yaml that manifests depend on. The tests read it
// without the generator, and repeat the documented defaults, so that they find
// a wrong default of the generator.
type Spec struct {
	Service    string `json:"service"`
	Components struct {
		Postgres   *struct{} `json:"postgres"`
		HTTPClient struct {
			Upstreams []struct {
				URL string `json:"url"`
			} `json:"upstreams"`
		} `json:"httpclient"`
	} `json:"components"`
	HTTP struct {
		Port int32 `json:"port"`
	} `json:"http"`
	Admin struct {
		Addr string `json:"addr"`
	} `json:"admin"`
	Telemetry struct {
		Selector         map[string]string `json:"selector"`
		EnvironmentLabel string            `json:"environmentLabel"`
		ScrapeInterval   Duration          `json:"scrapeInterval"`
		Histograms       string            `json:"histograms"`
		Metrics          string            `json:"metrics"`
	} `json:"telemetry"`
	Deploy struct {
		Image    string `json:"image"`
		Replicas struct {
			Min int64 `json:"min"`
			Max int64 `json:"max"`
		} `json:"replicas"`
		Resources struct {
			CPU    Quantity `json:"cpu"`
			Memory Quantity `json:"memory"`
		} `json:"resources"`
		Grace struct {
			Period  Duration `json:"period"`
			PreStop Duration `json:"preStop"`
			Drain   Duration `json:"drain"`
			Stop    Duration `json:"stop"`
			Flush   Duration `json:"flush"`
			Margin  Duration `json:"margin"`
		} `json:"grace"`
		Autoscale struct {
			Source     string `json:"source"`
			CPU        int64  `json:"cpu"`
			InFlight   int64  `json:"inFlight"`
			Prometheus string `json:"prometheus"`
		} `json:"autoscale"`
		Gateway struct {
			Host      string `json:"host"`
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"gateway"`
		Monitoring struct {
			Namespace string            `json:"namespace"`
			Labels    map[string]string `json:"labels"`
		} `json:"monitoring"`
	} `json:"deploy"`

	// InFlight is the gauge of requests in flight that the service declares. The
	// autoscaler has to use this name.
	InFlight string `json:"-"`
}

// Duration is a duration such as 10s or 1m30s.
type Duration time.Duration

// UnmarshalText parses the notation of Go.
func (d *Duration) UnmarshalText(text []byte) error {
	read, err := time.ParseDuration(string(text))
	*d = Duration(read)
	return err
}

// Quantity is an amount in the notation of Kubernetes. YAML parses some of them
// as numbers.
type Quantity string

// UnmarshalJSON accepts strings and numbers.
func (q *Quantity) UnmarshalJSON(data []byte) error {
	*q = Quantity(strings.Trim(string(data), `"`))
	return nil
}

// defaults are the values of keys that a spec does not set.
const defaults = `
http: {port: 8080}
telemetry: {scrapeInterval: 15s, environmentLabel: deployment_environment_name, metrics: scrape, histograms: classic}
admin: {addr: "127.0.0.1:9464"}
deploy:
  replicas: {min: 3, max: 10}
  resources: {cpu: 250m, memory: 256Mi}
  grace: {preStop: 10s, drain: 20s, stop: 5s, flush: 5s, margin: 5s}
  autoscale: {source: cpu, cpu: 70, inFlight: 20}
  monitoring: {namespace: monitoring}
`

func readSpec(dir string) (Spec, error) {
	var s Spec
	if err := yaml.Unmarshal([]byte(defaults), &s); err != nil {
		return s, err
	}
	data, err := os.ReadFile(filepath.Join(dir, "scaffold.yaml"))
	if err != nil {
		return s, err
	}
	if err := yaml.Unmarshal(data, &s); err != nil {
		return s, err
	}
	if s.Deploy.Image == "" {
		s.Deploy.Image = s.Service
	}
	if len(s.Telemetry.Selector) == 0 {
		s.Telemetry.Selector = map[string]string{"job": s.Service}
	}
	if g := &s.Deploy.Grace; g.Period == 0 {
		g.Period = g.PreStop + g.Drain + g.Stop + g.Flush + g.Margin
	}
	s.InFlight, err = inFlight(dir)
	return s, err
}

func inFlight(dir string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, "observability", "telemetry.json"))
	if err != nil {
		return "", err
	}
	var declared struct {
		Metrics []struct{ Name, Type string } `json:"metrics"`
	}
	if err := yaml.Unmarshal(data, &declared); err != nil {
		return "", err
	}
	for _, m := range declared.Metrics {
		if m.Type == "gauge" && strings.Contains(m.Name, "server") && strings.HasSuffix(m.Name, "_active_requests") {
			return m.Name, nil
		}
	}
	return "", errors.New("the service declares no gauge of requests in flight")
}

// AdminPort returns the port of probes and metrics.
func (s Spec) AdminPort() string { return s.Admin.Addr[strings.LastIndex(s.Admin.Addr, ":")+1:] }

// Scraped reports whether metrics are scraped, not pushed.
func (s Spec) Scraped() bool { return s.Telemetry.Metrics == "scrape" }

// WithMonitoring returns the labels by which the Prometheus operator selects
// objects.
func (s Spec) WithMonitoring() map[string]string {
	labels := map[string]string{NameLabel: s.Service}
	maps.Copy(labels, s.Deploy.Monitoring.Labels)
	return labels
}

// NameLabel is the label of all objects of a service.
const NameLabel = "app.kubernetes.io/name"
