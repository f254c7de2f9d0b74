package telemetry

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/observability-first/scaffold/runtime/semconv"
)

func attr(key, value string) attribute.KeyValue { return attribute.String(key, value) }

// parseResource parses OTEL_RESOURCE_ATTRIBUTES: key=value pairs separated by commas, with
// percent-encoded values.
func parseResource(text string) (*resource.Resource, error) {
	var attributes []attribute.KeyValue
	var problems []error
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		decoded, err := url.PathUnescape(strings.TrimSpace(value))
		if key = strings.TrimSpace(key); !ok || key == "" || err != nil {
			problems = append(problems, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES has an invalid pair %q; write key=value", pair))
			continue
		}
		attributes = append(attributes, attr(key, decoded))
	}
	return resource.NewSchemaless(attributes...), errors.Join(problems...)
}

// declareTarget exposes the resource as target_info. Rules use it to distinguish the instances of
// a service that pushes metrics.
func (t *Telemetry) declareTarget() error {
	labels := prometheus.Labels{}
	for _, kv := range t.resource.Attributes() {
		labels[labelName(string(kv.Key))] = kv.Value.String()
	}
	names := make([]string, 0, len(labels))
	for name := range labels {
		names = append(names, name)
	}
	target := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: semconv.TargetInfo, Help: "The OpenTelemetry resource, always 1.",
	}, names)
	target.With(labels).Set(1)
	return t.registry.register(target, nil)
}

func labelName(key string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, key)
}

// goCollector reads runtime/metrics: scheduler latency, garbage collection, memory classes, CPU
// classes, limits and lock waits. It also has the old go_memstats metrics, which existing
// dashboards query.
func goCollector() prometheus.Collector {
	return collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{
		Matcher: regexp.MustCompile(`^/(sched|gc|cpu|memory|sync)/.*`),
	}))
}

func processCollector() prometheus.Collector {
	return collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})
}
