package slo

// PrometheusRule gives the rules as one resource of the Prometheus operator. A
// selector of rules usually looks for labels on it, which an overlay adds. Texts
// are spelled out: what handles resources on their way does not always know
// pointers within a file.
func (r Rules) PrometheusRule() []byte {
	var y yamlWriter
	y.raw(header)
	y.raw("apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: ")
	y.scalar(r.Spec.Service + "-slo")
	y.raw("\n  labels:\n    app.kubernetes.io/name: ")
	y.scalar(r.Spec.Service)
	y.raw("\n    app.kubernetes.io/managed-by: scaffold\nspec:\n  groups:\n")
	for _, g := range r.Groups {
		y.group(g, "  ")
	}
	return y.Bytes()
}
