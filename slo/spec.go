package slo

import (
	"maps"
	"slices"
	"time"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// APIVersion is the version of the stand-alone specification.
const APIVersion = "scaffold.slo/v1"

// Bounds and default of the scrape interval. Below 5 s the rules cost more than
// they tell; above 60 s a five-minute window holds too few samples to trust.
const (
	MinScrapeInterval     = 5 * time.Second
	MaxScrapeInterval     = 60 * time.Second
	DefaultScrapeInterval = 15 * time.Second
)

// How metrics reach the store.
const (
	MetricsScrape = "scrape" // read by a scraper, which writes up
	MetricsPush   = "push"   // pushed over OTLP; target_info stands in for up
)

// Spec is the objectives of one service and what their rules need to know about
// it. The service that it describes need not be a generated one.
type Spec struct {
	APIVersion  string `yaml:"apiVersion"`  // [APIVersion]
	Service     string `yaml:"service"`     // DNS label
	Description string `yaml:"description"` // any text
	Owner       string `yaml:"owner"`       // the team that is paged; any text
	// Selector finds the series of the service: label names to values. It
	// stands in every query. Default: job is the service's name.
	Selector map[string]string `yaml:"selector"`
	// EnvironmentLabel keeps environments apart that share a store. Series
	// without it form one environment of their own.
	EnvironmentLabel string `yaml:"environmentLabel"`
	// GroupBy are labels beside the environment that keep instances of the service
	// apart, such as cluster, where the scrape sets it. Each value has budgets, alerts
	// and incidents of its own.
	GroupBy        []string      `yaml:"groupBy"`
	ScrapeInterval time.Duration `yaml:"scrapeInterval"` // real spacing of samples
	Metrics        string        `yaml:"metrics"`        // [MetricsScrape] or [MetricsPush]
	// Runtime says that the service is built on the scaffold runtime, whose own
	// metrics then have alerts too.
	Runtime bool `yaml:"runtime"`
	// ConnectionPool says that a service on the runtime has a connection pool of
	// it, on which there is an alert then.
	ConnectionPool bool  `yaml:"connectionPool"`
	Links          Links `yaml:"links"`
	// Directory is where a service on the runtime lies below the root of its
	// repository, in which its runbooks are linked; empty is the root. A file of
	// objectives cannot say it, since it has no such service.
	Directory string   `yaml:"-"`
	Alerting  Alerting `yaml:"alerting"`
	Replicas  Replicas `yaml:"replicas"`
	// Compatibility names tools whose labels and series the rules write beside their
	// own: [CompatibilitySloth] is the only one.
	Compatibility []string    `yaml:"compatibility"`
	SLOs          []Objective `yaml:"slos"`

	// parsed remembers what selectors say, by their text: an author may change
	// any field after [Parse], and what was not changed is not parsed again.
	parsed selectors
}

// Links are the addresses that alerts and runbooks point to. An empty one
// leaves out what it would link; no address is ever made up.
type Links struct {
	Runbooks     string `yaml:"runbooks"`   // folder of the runbooks
	Grafana      string `yaml:"grafana"`    // base URL
	Repository   string `yaml:"repository"` // base URL of the source
	Branch       string `yaml:"branch"`     // default main
	Alertmanager string `yaml:"alertmanager"`
}

// Alerting is what alerts carry beside what the rules need.
type Alerting struct {
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
	Severities  Severities        `yaml:"severities"`
	Receivers   Receivers         `yaml:"receivers"`
}

// Severities are the values of the severity label, as the organisation's
// Alertmanager routes them.
type Severities struct {
	Page   string `yaml:"page"`   // wakes somebody up; default critical
	Ticket string `yaml:"ticket"` // waits for working hours; default warning
}

// Of is the severity of the alerts of a tier.
func (s Severities) Of(tier Tier) string {
	if tier == TierPage {
		return s.Page
	}
	return s.Ticket
}

// Replicas is how many instances the service should have.
type Replicas struct {
	Min int `yaml:"min"` // 0: unknown; then only the loss of all of them pages
	Max int `yaml:"max"` // where the autoscaler ends; 0: unknown, or there is none
}

// Parse reads a stand-alone specification and fills in its defaults. The error
// holds every problem, each with its place in the file.
func Parse(name string, src []byte) (Spec, error) {
	doc, err := yamldoc.Parse(name, src, "apiVersion: scaffold", "slos:")
	if err != nil {
		return Spec{}, err
	}
	var spec Spec
	doc.Decode(&spec)
	spec = spec.WithDefaults()
	spec.parsed = spec.check(doc)
	if err := doc.Err(); err != nil {
		return Spec{}, err
	}
	return spec, nil
}

// WithDefaults returns the specification with every key that its author left
// out. This is the only place that knows the defaults.
func (s Spec) WithDefaults() Spec {
	setDefault(&s.APIVersion, APIVersion)
	setDefault(&s.EnvironmentLabel, semconv.LabelEnvironment)
	setDefault(&s.ScrapeInterval, DefaultScrapeInterval)
	setDefault(&s.Metrics, MetricsScrape)
	setDefault(&s.Links.Branch, "main")
	setDefault(&s.Alerting.Severities.Page, "critical")
	setDefault(&s.Alerting.Severities.Ticket, "warning")
	s.Selector = maps.Clone(s.Selector)
	if len(s.Selector) == 0 {
		s.Selector = map[string]string{semconv.LabelJob: s.Service}
	}
	s.SLOs = slices.Clone(s.SLOs)
	for i := range s.SLOs {
		s.SLOs[i] = s.SLOs[i].WithDefaults()
	}
	return s
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Identity lists the labels that keep instances of the service apart.
func (s Spec) Identity() []string { return append([]string{s.EnvironmentLabel}, s.GroupBy...) }

// problems is the [Reporter] of a specification that comes from no file.
type problems struct{ list diagnostic.List }

func (p *problems) Problemf(path, format string, args ...any) {
	p.ProblemAtf(path, 0, format, args...)
}

func (p *problems) ProblemAtf(path string, _ int, format string, args ...any) {
	p.list = append(p.list, diagnostic.Problem{Path: path, Message: sprintf(format, args...)})
}
