package slo

// PrometheusRule gives the rules as one resource of the Prometheus operator, with
// these labels beside its own: operators select rules by labels. Texts
// are spelled out: what handles resources on their way does not always know
// pointers within a file.
func (r Rules) PrometheusRule(more ...Label) []byte {
	var y yamlWriter
	y.raw(header)
	y.raw("apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: ")
	y.scalar(r.Spec.Service + "-slo")
	y.raw("\n  labels:\n    app.kubernetes.io/name: ")
	y.scalar(r.Spec.Service)
	y.raw("\n    app.kubernetes.io/managed-by: scaffold\n")
	for _, l := range more {
		y.raw("    ")
		y.scalar(l.Name)
		y.raw(": ")
		y.scalar(l.Value)
		y.raw("\n")
	}
	y.raw("spec:\n  groups:\n")
	for _, g := range r.Groups {
		y.group(g, "  ")
	}
	return y.Bytes()
}
