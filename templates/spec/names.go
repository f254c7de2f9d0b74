package spec

import (
	"slices"
	"strings"

	"github.com/observability-first/scaffold/slo"
)

// Binary is the name of the service's program and of its directory below cmd.
func (s Service) Binary() string { return s.Name }

// EnvPrefix is the prefix of environment variables that only this service has, such as ORDERS_.
func (s Service) EnvPrefix() string {
	return strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_")) + "_"
}

// AlertPrefix is the prefix of the service's alerts, such as Orders.
func (s Service) AlertPrefix() string { return Noun(s.Name).Exported() }

// SLO returns the spec that package slo compiles for this service.
func (s Service) SLO() slo.Spec {
	return slo.Spec{
		APIVersion:       slo.APIVersion,
		Service:          s.Name,
		Description:      s.Description,
		Owner:            s.Owner,
		Selector:         s.Telemetry.Selector,
		EnvironmentLabel: s.Telemetry.EnvironmentLabel,
		GroupBy:          s.Telemetry.GroupBy,
		ScrapeInterval:   s.Telemetry.ScrapeInterval,
		Metrics:          s.Telemetry.Metrics,
		Runtime:          true,
		ComponentAlerts:  s.alerts(),
		Links:            s.Links,
		Directory:        s.Deploy.Directory,
		Alerting:         s.Alerting,
		Compatibility:    s.Compatibility,
		Replicas:         slo.Replicas(s.Deploy.Replicas),
		SLOs:             s.SLOs,
	}
}

// alerts returns the alerts of the components.
func (s Service) alerts() []slo.ComponentAlert {
	var out []slo.ComponentAlert
	for _, p := range s.Parts() {
		out = append(out, p.Alerts...)
	}
	return out
}

// IsDescribed reports whether the description is more than the default, which repeats the name.
func (s Service) IsDescribed() bool { return s.Description != defaultDescription(s.Name) }

// One is the singular of the resource.
func (s Service) One() Noun { return Noun(s.Resource) }

// Many is the plural of the resource.
func (s Service) Many() Noun { return Noun(s.Plural) }

// Noun is one or more lower-case words joined by hyphens, such as purchase-order, with methods
// for other forms. URLs use the hyphenated form.
type Noun string

// Package returns the name of a Go package, such as purchaseorder.
func (n Noun) Package() string { return strings.ReplaceAll(string(n), "-", "") }

// Exported returns an exported Go identifier, such as PurchaseOrder.
func (n Noun) Exported() string {
	var b strings.Builder
	for _, word := range n.words() {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// Local returns an unexported Go identifier, such as purchaseOrder.
func (n Noun) Local() string {
	exported := n.Exported()
	if exported == "" {
		return ""
	}
	return strings.ToLower(exported[:1]) + exported[1:]
}

// Snake returns the form for log fields and JSON, such as purchase_order.
func (n Noun) Snake() string { return strings.ReplaceAll(string(n), "-", "_") }

// Text returns the form for sentences, such as purchase order.
func (n Noun) Text() string { return strings.ReplaceAll(string(n), "-", " ") }

// Article returns "a" or "an" for the noun, depending on the first letter.
func (n Noun) Article() string {
	if n != "" && strings.ContainsRune("aeiou", rune(n[0])) {
		return "an"
	}
	return "a"
}

func (n Noun) words() []string {
	return strings.FieldsFunc(string(n), func(r rune) bool { return r == '-' })
}

// resourceOf derives the resource of a service from its name: orders and order-service serve an
// order. If generated code cannot use the result, the resource is record, so that any valid
// name works.
func resourceOf(service string) string {
	name := service
	for _, suffix := range []string{"-service", "-svc", "-api", "-server"} {
		name = strings.TrimSuffix(name, suffix)
	}
	guess := singular(name)
	if CheckResource(guess) != nil || CheckPlural(guess, plural(guess)) != nil {
		return "record"
	}
	return guess
}

// Singular returns the singular of a noun in the regular English plural, such as order for orders, and other nouns unchanged.
func (n Noun) Singular() Noun { return Noun(singular(string(n))) }

// singular reverses [plural] for regular English plurals, and does not change other words.
func singular(noun string) string {
	switch {
	case strings.HasSuffix(noun, "ies") && len(noun) > 4:
		return strings.TrimSuffix(noun, "ies") + "y"
	case hasAnySuffix(noun, "sses", "shes", "ches", "xes", "zes"):
		return strings.TrimSuffix(noun, "es")
	case strings.HasSuffix(noun, "s") && !hasAnySuffix(noun, "ss", "us", "is", "as", "os") && len(noun) > 2:
		return strings.TrimSuffix(noun, "s")
	}
	return noun
}

// plural returns the regular English plural. Irregular nouns need the key plural.
func plural(noun string) string {
	switch {
	case noun == "":
		return ""
	case hasAnySuffix(noun, "s", "x", "z", "ch", "sh"):
		return noun + "es"
	case strings.HasSuffix(noun, "y") && !hasAnySuffix(noun, "ay", "ey", "iy", "oy", "uy"):
		return strings.TrimSuffix(noun, "y") + "ies"
	}
	return noun + "s"
}

func hasAnySuffix(s string, suffixes ...string) bool {
	return slices.ContainsFunc(suffixes, func(suffix string) bool { return strings.HasSuffix(s, suffix) })
}
