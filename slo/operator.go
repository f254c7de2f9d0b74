package slo

// PrometheusRule returns the rules as a resource of the Prometheus operator, with more
// labels for the selector of the operator. Each query is on one line, since the resource is
// for a cluster; [Rules.Files] are for readers. It has no YAML aliases, since not all tools
// support them.
func (r Rules) PrometheusRule(more ...Label) []byte {
	y := yamlWriter{oneLine: true}
	y.raw(header)
	y.resource("v1", "PrometheusRule", r.Spec.Service, more)
	y.raw("spec:\n  groups:\n")
	for _, g := range r.Groups {
		y.group(g, "  ")
	}
	return y.Bytes()
}

// resource begins a resource of the Prometheus operator.
func (y *yamlWriter) resource(version, kind, service string, more []Label) {
	y.raw("apiVersion: monitoring.coreos.com/" + version + "\nkind: " + kind + "\nmetadata:\n  name: ")
	y.scalar(service + "-slo")
	y.raw("\n  labels:\n    app.kubernetes.io/name: ")
	y.scalar(service)
	y.raw("\n    app.kubernetes.io/managed-by: scaffold\n")
	for _, l := range more {
		y.raw("    ")
		y.scalar(l.Name)
		y.raw(": ")
		y.scalar(l.Value)
		y.raw("\n")
	}
}
