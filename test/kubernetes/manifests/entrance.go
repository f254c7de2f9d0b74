package manifests

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// monitor checks that Prometheus scrapes the service, with the interval and the
// labels that its rules assume.
func (ch *checker) monitor() {
	if !ch.spec.Scraped() {
		ch.wantf(len(ch.Monitors) == 0, "metrics are pushed, but there is a ServiceMonitor")
		return
	}
	if len(ch.Monitors) != 1 || len(ch.Monitors[0].Spec.Endpoints) != 1 {
		ch.wantf(false, "want one ServiceMonitor with one endpoint")
		return
	}
	m := ch.Monitors[0]
	selector, err := metav1.LabelSelectorAsSelector(&m.Spec.Selector)
	ch.wantf(err == nil && !selector.Empty() && selector.Matches(labels.Set(ch.service.Labels)), "the ServiceMonitor does not select the Service")
	for key, value := range ch.spec.WithMonitoring() {
		ch.wantf(m.Labels[key] == value, "the operator does not select the ServiceMonitor: no label %s=%s", key, value)
	}
	endpoint := m.Spec.Endpoints[0]
	ch.wantf(slices.ContainsFunc(ch.service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == endpoint.Port && ch.port(p.TargetPort) == ch.admin() }),
		"the ServiceMonitor scrapes the port %q", endpoint.Port)
	ch.wantf(endpoint.Path == "/metrics", "the ServiceMonitor scrapes %s", endpoint.Path)
	interval, err := time.ParseDuration(string(endpoint.Interval)) // minutes and seconds are the same in Prometheus and Go
	ch.wantf(err == nil && interval == time.Duration(ch.spec.Telemetry.ScrapeInterval), "the ServiceMonitor scrapes every %s, the rules assume %s", endpoint.Interval, time.Duration(ch.spec.Telemetry.ScrapeInterval))
	written := map[string]string{}
	for _, r := range endpoint.RelabelConfigs {
		if r.Replacement != nil {
			written[r.TargetLabel] = strings.ReplaceAll(*r.Replacement, "$$", "$")
		} else if len(r.SourceLabels) == 1 {
			written[r.TargetLabel] = string(r.SourceLabels[0])
		}
	}
	want := maps.Clone(ch.spec.Telemetry.Selector)
	want[ch.spec.Telemetry.EnvironmentLabel] = "__meta_kubernetes_pod_label_deployment_environment_name"
	ch.wantf(maps.Equal(written, want), "scraped series get the labels %v, rules select %v", written, want)
	native := ch.spec.Telemetry.Histograms != "classic"
	reads := m.Spec.ScrapeNativeHistograms != nil && *m.Spec.ScrapeNativeHistograms
	ch.wantf(native == reads, "native histograms in the spec: %t, scraped: %t", native, reads)
}

// route checks that the gateway routes to the http port of the Service.
func (ch *checker) route() {
	g := ch.spec.Deploy.Gateway
	if g.Host == "" {
		ch.wantf(len(ch.Routes) == 0, "there is an HTTPRoute, but the spec has no gateway")
		return
	}
	if len(ch.Routes) != 1 {
		ch.wantf(false, "%d HTTPRoutes, want 1", len(ch.Routes))
		return
	}
	spec, _ := ch.Routes[0].Object["spec"].(map[string]any)
	ch.wantf(fmt.Sprint(spec["hostnames"]) == "["+g.Host+"]", "the HTTPRoute is for %v, the spec's host is %s", spec["hostnames"], g.Host)
	parents, _ := spec["parentRefs"].([]any)
	ch.wantf(len(parents) == 1 && fmt.Sprint(parents[0]) == fmt.Sprintf("map[name:%s namespace:%s]", g.Name, g.Namespace), "the HTTPRoute has the parents %v, want %s/%s", parents, g.Namespace, g.Name)
	rules, _ := spec["rules"].([]any)
	for _, item := range rules {
		rule, _ := item.(map[string]any)
		backends, _ := rule["backendRefs"].([]any)
		ch.wantf(len(backends) == 1, "the HTTPRoute has the backends %v, want one", backends)
		for _, b := range backends {
			backend, _ := b.(map[string]any)
			port, _ := backend["port"].(int64)
			ch.wantf(backend["name"] == ch.service.Name && slices.ContainsFunc(ch.service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == "http" && int64(p.Port) == port }),
				"the HTTPRoute routes to %v, want the http port of the Service", backend)
		}
	}
	ch.wantf(len(rules) == 1, "the HTTPRoute has %d rules, want 1", len(rules))
}
