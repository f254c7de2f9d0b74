package spec

import (
	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/components"
)

// SurgePercent is the percentage of replicas that a rollout of the generated Deployment adds
// before it stops old ones; Kubernetes rounds it up.
const SurgePercent = 25

// SurgePercent is [SurgePercent], for templates.
func (Deploy) SurgePercent() int { return SurgePercent }

// Surge returns the number of instances that a rollout adds on Kubernetes.
func Surge(replicas, percent int) int { return replicas/100*percent + (replicas%100*percent+99)/100 }

// surge returns the number of instances that a rollout adds to the maximum replicas. On
// platforms other than Kubernetes a complete new revision runs in parallel.
func (d Deploy) surge() int {
	if d.RunsOn(PlatformCloudRun) || len(d.Terraform) > 0 {
		return d.Replicas.Max
	}
	return Surge(d.Replicas.Max, SurgePercent)
}

// Part is what a used component adds to the service.
type Part struct {
	component.Parts

	Name string
}

// Parts returns what the used components add to the service.
func (s Service) Parts() []Part {
	var out []Part
	for _, c := range s.Components.List() {
		out = append(out, Part{c.Parts(s.facts(nil)), c.Name})
	}
	return out
}

// Share returns what one instance may use of a budget, at least 1.
func (s Service) Share(b component.Budget) int {
	return max(1, b.Share(s.Deploy.Replicas.Max+s.Deploy.surge()))
}

// facts returns what components may know about the service.
func (s Service) facts(given func(path string) bool) component.Service {
	var prefixes []string
	for _, c := range components.All() {
		prefixes = append(prefixes, c.Parts(component.Service{}).Prefixes...)
	}
	return component.Service{
		Name: s.Name, Plural: s.Plural, Instances: s.Deploy.Replicas.Max, Surge: s.Deploy.surge(), Prefixes: prefixes, Given: given,
	}
}

func (v *validator) components() {
	for _, c := range v.s.Components.List() {
		c.Check(v.s.facts(func(path string) bool { return v.doc.Has(path) }), v.problemf)
	}
}

// componentPath is the path of an option of a component.
func componentPath(c components.Named, option string) string {
	return "components." + c.Name + "." + option
}
