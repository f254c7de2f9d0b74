package spec

import (
	"slices"
	"strings"

	"github.com/observability-first/scaffold/slo"
)

// Binary is the name of the service's program and of its folder below cmd.
func (s Service) Binary() string { return s.Name }

// EnvPrefix begins the environment variables that only this service has, as in
// ORDERS_. It ends in an underscore.
func (s Service) EnvPrefix() string {
	return strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_")) + "_"
}

// AlertPrefix begins the names of the service's alerts, as in Orders.
func (s Service) AlertPrefix() string { return Noun(s.Name).Exported() }

// SLO is what package slo compiles for this service.
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
		ConnectionPool:   s.HasPostgres(),
		Links:            s.Links,
		Directory:        s.Deploy.Folder,
		Alerting:         s.Alerting,
		Compatibility:    s.Compatibility,
		Replicas:         slo.Replicas(s.Deploy.Replicas),
		SLOs:             s.SLOs,
	}
}

// One is the resource in the singular.
func (s Service) One() Noun { return Noun(s.Resource) }

// Many is the resource in the plural.
func (s Service) Many() Noun { return Noun(s.Plural) }

// HasPostgres says whether the service stores its data in PostgreSQL.
func (s Service) HasPostgres() bool { return s.Components.Postgres != nil }

// Noun is one or more lower-case words joined by hyphens, as in
// purchase-order, and the forms that languages want it in. The hyphenated form
// itself is what stands in URLs.
type Noun string

// Package is the name of a Go package, as in purchaseorder.
func (n Noun) Package() string { return strings.ReplaceAll(string(n), "-", "") }

// Exported is a Go identifier that other packages see, as in PurchaseOrder.
func (n Noun) Exported() string {
	var b strings.Builder
	for _, word := range n.words() {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// Local is a Go identifier inside a package, as in purchaseOrder.
func (n Noun) Local() string {
	exported := n.Exported()
	if exported == "" {
		return ""
	}
	return strings.ToLower(exported[:1]) + exported[1:]
}

// Snake is the form for log fields and JSON, as in purchase_order.
func (n Noun) Snake() string { return strings.ReplaceAll(string(n), "-", "_") }

// Text is the form for sentences, as in purchase order.
func (n Noun) Text() string { return strings.ReplaceAll(string(n), "-", " ") }

// Article is "a" or "an", as the noun wants it in a sentence. It goes by the
// first letter.
func (n Noun) Article() string {
	if n != "" && strings.ContainsRune("aeiou", rune(n[0])) {
		return "an"
	}
	return "a"
}

// SQL is the name of a table or column, as in purchase_order, quoted where
// PostgreSQL reserves the word.
func (n Noun) SQL() string {
	if name := n.Snake(); !slices.Contains(sqlReserved(), name) {
		return name
	}
	return `"` + n.Snake() + `"`
}

func (n Noun) words() []string {
	return strings.FieldsFunc(string(n), func(r rune) bool { return r == '-' })
}

// resourceOf guesses the resource of a service from its name: orders and
// order-service serve an order. A guess that generated code could not use
// becomes record, so that any valid name makes a service.
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

// singular undoes [plural] for the regular English forms, and leaves alone
// what does not look like a plural.
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

// plural is the regular English plural. Irregular nouns are what the key
// plural is for.
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
