// Package spec is the service spec, scaffold.yaml, from which a service is generated.
//
// [Parse] parses a spec strictly and reports all problems, [New] creates the first spec of a
// service from choices, [Defaults] lets a platform team change defaults for all of its
// services, and [Service.Effective] returns the origin of each value. Names for generated code
// are methods of [Service] and [Noun], so that templates contain no logic.
//
// The package is pure: no clock, disk or network.
package spec

import (
	"slices"
	"time"

	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates/components"
	"github.com/observability-first/scaffold/templates/patterns"
)

// APIVersion is the version of the spec that this package reads and writes.
const APIVersion = "scaffold/v1"

// mark identifies a spec of any version.
const mark = "apiVersion: scaffold"

// FileName is the name of the spec in a service's directory.
const FileName = "scaffold.yaml"

// Service is a valid spec with all defaults. The keys are public: renaming one requires a major
// version.
type Service struct {
	APIVersion  string `yaml:"apiVersion"`
	Name        string `yaml:"service"`     // DNS label, at most [MaxNameLength] long
	Description string `yaml:"description"` // any text
	Owner       string `yaml:"owner"`       // the team that is paged; one printable line
	Module      string `yaml:"module"`      // Go module path; the import path if the service is part of a module
	// ModuleDirectory is the directory of the service relative to the module that contains it,
	// with forward slashes; empty if the service is a module.
	ModuleDirectory string          `yaml:"moduleDirectory"`
	Pattern         string          `yaml:"pattern"`  // one of [Patterns]
	Resource        string          `yaml:"resource"` // singular noun, words joined by hyphens
	Plural          string          `yaml:"plural"`   // plural of Resource
	Components      components.Used `yaml:"components"`
	HTTP            HTTP            `yaml:"http"`
	Admin           Admin           `yaml:"admin"`
	Telemetry       Telemetry       `yaml:"telemetry"`
	// Links are the addresses in alerts and dashboards. An empty one omits its links.
	Links    slo.Links    `yaml:"links"`
	Alerting slo.Alerting `yaml:"alerting"`
	// Compatibility lists tools whose labels and series the rules write, too.
	Compatibility []string `yaml:"compatibility"` // [slo.CompatibilitySloth]
	// Files lists optional files, of [OptionalFiles].
	Files  []string        `yaml:"files"`
	Deploy Deploy          `yaml:"deploy"`
	SLOs   []slo.Objective `yaml:"slos"`

	// origins has the origin of each leaf, by path.
	origins map[string]Origin
}

// HTTP is the listener for requests.
type HTTP struct {
	Port int `yaml:"port"` // 1 to 65535
	// TrustedParent makes the sampled flag of clients count. Set it only behind a trusted proxy
	// that rewrites the trace headers.
	TrustedParent bool `yaml:"trustedParent"`
}

// Admin is the listener for probes, metrics and profiles.
type Admin struct {
	Addr string `yaml:"addr"` // host:port
}

// Telemetry is how the service is selected and measured.
type Telemetry struct {
	// Selector selects the service's series in all queries of rules and dashboards: label names
	// to values.
	Selector map[string]string `yaml:"selector"`
	// EnvironmentLabel separates production from other environments in every query.
	EnvironmentLabel string `yaml:"environmentLabel"`
	// GroupBy lists additional labels that distinguish instances of the service, such as
	// cluster, if the scrape sets them.
	GroupBy        []string      `yaml:"groupBy"`
	ScrapeInterval time.Duration `yaml:"scrapeInterval"` // [slo.MinScrapeInterval] to [slo.MaxScrapeInterval]
	TraceRatio     float64       `yaml:"traceRatio"`     // 0 to 1, of new traces
	Histograms     string        `yaml:"histograms"`     // one of [Histograms]
	Metrics        string        `yaml:"metrics"`        // scraped, or pushed over OTLP: one of [slo.MetricsScrape] and [slo.MetricsPush]
}

// Patterns lists the kinds of service that can be generated. The first is the default.
func Patterns() []string {
	var names []string
	for _, p := range patterns.All() {
		names = append(names, p.Name)
	}
	return names
}

// Optional files.
const (
	FileBackstage    = "backstage"    // catalog-info.yaml
	FileCollector    = "collector"    // deploy/collector.yaml
	FileEditorConfig = "editorconfig" // .editorconfig
	FileRenovate     = "renovate"     // renovate.json
)

// OptionalFiles lists the files that are generated only on request.
func OptionalFiles() []string {
	return []string{FileBackstage, FileCollector, FileEditorConfig, FileRenovate}
}

// WantsFile reports whether an optional file is generated.
func (s Service) WantsFile(name string) bool { return slices.Contains(s.Files, name) }

// Histograms lists the formats of latency histograms: fixed bounds, native histograms, or both
// during a migration. Latency objectives need the bounds.
func Histograms() []string { return []string{"classic", "both", histogramsNative} }

const histogramsNative = "native"
