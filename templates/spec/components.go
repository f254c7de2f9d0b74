package spec

import (
	"slices"

	"github.com/observability-first/scaffold/templates/component"
	"github.com/observability-first/scaffold/templates/components"
	"github.com/observability-first/scaffold/templates/patterns"
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

// Part is what the pattern or a used component adds to the service.
type Part struct {
	component.Parts

	Name string
}

// Parts returns what the pattern and the used components add to the service, in this order.
func (s Service) Parts() []Part {
	facts := s.facts(nil)
	var pattern, out []Part
	for _, c := range s.Components.List() {
		out = append(out, Part{c.Parts(facts), c.Name})
	}
	facts.Stored = slices.ContainsFunc(out, func(p Part) bool { return p.Stores })
	for _, p := range patterns.All() {
		if p.Name == s.Pattern {
			pattern = append(pattern, Part{p.Parts(facts), p.Name})
		}
	}
	return append(pattern, out...)
}

// AllParts returns every pattern, and every component with its default options.
func AllParts() []Part {
	var out []Part
	for _, p := range patterns.All() {
		out = append(out, Part{p.Parts(component.Service{}), p.Name})
	}
	for _, c := range components.All() {
		out = append(out, Part{c.Parts(component.Service{}), c.Name})
	}
	return out
}

// ResourcePath is where the service serves the resource over HTTP, such as /v1/orders; empty if it does not.
func (s Service) ResourcePath() string {
	for _, p := range s.Parts() {
		if p.ResourcePath != "" {
			return p.ResourcePath
		}
	}
	return ""
}

// Share returns what one instance may use of a budget, at least 1.
func (s Service) Share(b component.Budget) int {
	return max(1, b.Share(s.Deploy.Replicas.Max+s.Deploy.surge()))
}

// facts returns what patterns and components may know about the service.
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
