package dashboards

import (
	"bytes"
	"embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

//go:embed stack/*.tmpl
var stackFiles embed.FS

// File is a file of the observability stack.
type File struct {
	Path string // relative to the service directory, with slashes
	Data []byte
}

// stackDirectory is relative to the service.
const stackDirectory = "observability/stack/"

// Provisioning returns the compose file of a local stack of Grafana, Prometheus, OpenTelemetry
// Collector, Tempo, Loki and Pyroscope, and the files that it mounts besides the dashboards in
// observability/dashboards and the rules in observability/rules, sorted by path. Short
// configurations are in the compose file.
func Provisioning(in Input) ([]File, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	all, err := template.ParseFS(stackFiles, "stack/*.tmpl")
	if err != nil {
		return nil, fmt.Errorf("stack of %q: %w", in.Rules.Spec.Service, err)
	}
	view := newStack(in)
	var files []File
	for _, name := range []string{"compose.yaml", "datasources.yaml", "prometheus.yaml"} {
		var buf bytes.Buffer
		if err := all.ExecuteTemplate(&buf, name+".tmpl", view); err != nil {
			return nil, fmt.Errorf("stack of %q: %s: %w", in.Rules.Spec.Service, name, err)
		}
		files = append(files, File{Path: stackDirectory + name, Data: buf.Bytes()})
	}
	return files, nil
}

// stack is the data of the templates. Values from the specification are quoted.
type stack struct {
	Service, Job, Scrape        string
	Run                         string // environment variables of a service that uses the stack
	AdminPort                   int
	Push                        bool
	ScrapeNative, ScrapeClassic bool
	Labels                      []slo.Label // of the scraped service
	TraceID, Exported           string
	ServiceName, Route          string
	RouteQuery, ProfileCPU      string
}

// localEnvironment is the environment of a service that runs on a developer's machine.
const localEnvironment = "local"

func newStack(in Input) stack {
	spec := in.Rules.Spec
	s := stack{
		Service: spec.Service, Job: yamlString(spec.Service), Scrape: model.Duration(spec.ScrapeInterval).String(),
		AdminPort: in.AdminPort, Push: spec.Metrics == slo.MetricsPush,
		ScrapeNative: in.Histograms == Native || in.Histograms == Both, ScrapeClassic: in.Histograms != Native,
		TraceID: semconv.ExemplarTraceID, Exported: labelExported, ServiceName: semconv.LabelServiceName, Route: semconv.LabelRoute,
		ProfileCPU: profileCPU,
	}
	if s.AdminPort == 0 {
		s.AdminPort = DefaultAdminPort
	}
	s.Run = s.variables()
	labels := map[string]string{spec.EnvironmentLabel: localEnvironment}
	maps.Copy(labels, spec.Selector)
	if job, ok := labels[semconv.LabelJob]; ok {
		s.Job = yamlString(job)
		delete(labels, semconv.LabelJob)
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		s.Labels = append(s.Labels, slo.Label{Name: name, Value: yamlString(labels[name])})
	}
	s.RouteQuery = yamlString(routeQuery(in))
	return s
}

// routeQuery returns the query for the requests on the route of a span. Grafana replaces
// $__tags by matchers. In provisioning files, each dollar sign is doubled.
func routeQuery(in Input) string {
	requests := string(NewScope(in).selectorOf(semconv.HTTPServerRequests).Expr())
	route := strings.TrimSuffix(requests, "}") + ",$__tags}"
	return strings.ReplaceAll("sum by ("+semconv.LabelOutcome+") (rate("+route+"[$__rate_interval]))", "$", "$$")
}

// variables returns the environment variables that send the service's signals to the stack.
func (s stack) variables() string {
	text := "ADMIN_ADDR=:" + strconv.Itoa(s.AdminPort) + " OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318" +
		" OTEL_LOGS_EXPORTER=otlp PYROSCOPE_SERVER_ADDRESS=http://127.0.0.1:4040" +
		" OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=" + localEnvironment
	if s.Push {
		text += " OTEL_METRICS_EXPORTER=otlp"
	}
	return text
}

// yamlString quotes text for YAML, whose double-quoted strings have all escapes of
// [strconv.Quote].
func yamlString(text string) string { return strconv.Quote(text) }
