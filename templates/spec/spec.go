// Package spec is the service spec: the one file, scaffold.yaml, from which
// everything about a service is generated.
//
// [Parse] reads a spec strictly and reports every problem at once, [New] makes
// the first spec of a service from what its author chose, [Defaults] lets a
// platform team move a default for all of its services, and [Service.Effective]
// says where each value came from. Names that generated code needs are methods
// of [Service] and [Noun], so that templates hold no logic.
//
// The package is pure: no clock, disk or network.
package spec

import (
	"time"

	"github.com/observability-first/scaffold/slo"
)

// APIVersion is the version of the spec that this package reads and writes.
const APIVersion = "scaffold/v1"

// mark is how a spec is recognised, of whatever version.
const mark = "apiVersion: scaffold"

// FileName is the name of the spec in a service's directory.
const FileName = "scaffold.yaml"

// Service is a valid spec with every default filled in. The keys are public:
// renaming one is a major version.
type Service struct {
	APIVersion  string `yaml:"apiVersion"`
	Name        string `yaml:"service"`     // DNS label, at most [MaxNameLength] long
	Description string `yaml:"description"` // any text
	Owner       string `yaml:"owner"`       // the team that is paged; any text
	Module      string `yaml:"module"`      // Go module path; of a part of a module the import path
	// ModuleDirectory is where the service lies below the module that it is a part
	// of, with forward slashes. Empty: it is a module of its own.
	ModuleDirectory string     `yaml:"moduleDirectory"`
	Pattern         string     `yaml:"pattern"`  // one of [Patterns]
	Resource        string     `yaml:"resource"` // singular noun, words joined by hyphens
	Plural          string     `yaml:"plural"`   // plural of Resource
	Components      Components `yaml:"components"`
	HTTP            HTTP       `yaml:"http"`
	Admin           Admin      `yaml:"admin"`
	Telemetry       Telemetry  `yaml:"telemetry"`
	// Links are the addresses that alerts and dashboards point to. An empty one
	// leaves out what it would link; no address is ever made up.
	Links    slo.Links    `yaml:"links"`
	Alerting slo.Alerting `yaml:"alerting"`
	// Compatibility names tools whose labels and series the rules write too.
	Compatibility []string        `yaml:"compatibility"` // [slo.CompatibilitySloth]
	Deploy        Deploy          `yaml:"deploy"`
	SLOs          []slo.Objective `yaml:"slos"`

	// origins says where each leaf came from, by path.
	origins map[string]Origin
}

// Components is what the service depends on. A nil component is not used.
type Components struct {
	Postgres *Postgres `yaml:"postgres"`
}

// Postgres is a PostgreSQL database.
type Postgres struct {
	// Connections is what the database allows to all instances of the service
	// together, in each environment. The pool of each instance follows from it.
	Connections int `yaml:"connections"` // default: [DefaultConnections]
}

// HTTP is the listener that serves requests.
type HTTP struct {
	Port int `yaml:"port"` // 1 to 65535
	// TrustedParent makes a client's sampled flag count. Set it only where a
	// trusted proxy rewrites the trace headers.
	TrustedParent bool `yaml:"trustedParent"`
}

// Admin is the listener for probes, metrics and profiles.
type Admin struct {
	Addr string `yaml:"addr"` // host:port
}

// Telemetry is how the service is found and measured.
type Telemetry struct {
	// Selector finds the service's series: label names to values. It stands in
	// every query of rules and dashboards.
	Selector map[string]string `yaml:"selector"`
	// EnvironmentLabel separates production from the rest in every query.
	EnvironmentLabel string `yaml:"environmentLabel"`
	// GroupBy are labels beside the environment that keep instances of the service
	// apart, such as cluster, where the scrape sets it.
	GroupBy        []string      `yaml:"groupBy"`
	ScrapeInterval time.Duration `yaml:"scrapeInterval"` // [slo.MinScrapeInterval] to [slo.MaxScrapeInterval]
	TraceRatio     float64       `yaml:"traceRatio"`     // 0 to 1, of new traces
	Histograms     string        `yaml:"histograms"`     // one of [Histograms]
	Metrics        string        `yaml:"metrics"`        // scraped, or pushed over OTLP: one of [slo.MetricsScrape] and [slo.MetricsPush]
}

// Patterns lists the kinds of service that can be generated.
func Patterns() []string { return []string{"service"} }

// ComponentNames lists the components that a service can have.
func ComponentNames() []string { return []string{"postgres"} }

// Histograms lists how latencies are exposed: with fixed bounds, as native
// histograms, or both while an organisation moves from one to the other. Latency
// objectives need the bounds.
func Histograms() []string { return []string{"classic", "both", histogramsNative} }

const histogramsNative = "native"

// Names lists the components that are used, sorted.
func (c Components) Names() []string {
	var names []string
	if c.Postgres != nil {
		names = append(names, "postgres")
	}
	return names
}

// with returns the components and the one of that name, which [CheckComponent]
// accepted.
func (c Components) with(name string) Components {
	if name == "postgres" {
		c.Postgres = &Postgres{Connections: DefaultConnections}
	}
	return c
}
