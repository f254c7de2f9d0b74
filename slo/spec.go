package slo

import (
	"maps"
	"slices"
	"time"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/yamldoc"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// APIVersion is the version of the specification format.
const APIVersion = "scaffold.slo/v1"

// Bounds and default of the scrape interval. Below 5 s the rules are too expensive, and above
// 60 s a window of five minutes has too few samples.
const (
	MinScrapeInterval     = 5 * time.Second
	MaxScrapeInterval     = 60 * time.Second
	DefaultScrapeInterval = 15 * time.Second
)

// Values of [Spec.Metrics].
const (
	MetricsScrape = "scrape" // scraped, so that up exists
	MetricsPush   = "push"   // pushed over OTLP; target_info replaces up
)

// Spec is the specification of the objectives of a service, generated or not.
type Spec struct {
	APIVersion  string `yaml:"apiVersion"`  // [APIVersion]
	Service     string `yaml:"service"`     // DNS label
	Description string `yaml:"description"` // any text
	Owner       string `yaml:"owner"`       // the team on call; any text
	// Selector selects the series of the service, by label name. Default: job is the name
	// of the service.
	Selector map[string]string `yaml:"selector"`
	// EnvironmentLabel is the label with the environment. Series without it are a separate
	// environment.
	EnvironmentLabel string `yaml:"environmentLabel"`
	// GroupBy lists more labels, such as cluster, whose values have separate error budgets,
	// alerts and incidents.
	GroupBy        []string      `yaml:"groupBy"`
	ScrapeInterval time.Duration `yaml:"scrapeInterval"` // the scrape interval of Prometheus
	Metrics        string        `yaml:"metrics"`        // [MetricsScrape] or [MetricsPush]
	// Runtime reports whether the service has the scaffold runtime, which adds alerts on its
	// metrics.
	Runtime bool `yaml:"runtime"`
	// ComponentAlerts are those of the components of a generated service. Only services on the runtime have them.
	ComponentAlerts []ComponentAlert `yaml:"-"`
	Links           Links            `yaml:"links"`
	// Directory is the directory of a generated service in its repository, for links to
	// runbooks; empty is the root.
	Directory string   `yaml:"-"`
	Alerting  Alerting `yaml:"alerting"`
	Replicas  Replicas `yaml:"replicas"`
	// Compatibility lists tools whose labels and series the rules add. The only value is
	// [CompatibilitySloth].
	Compatibility []string    `yaml:"compatibility"`
	SLOs          []Objective `yaml:"slos"`

	// parsed is a cache of selectors. Fields may change after [Parse].
	parsed selectors
}

// Links are the URLs for links in alerts and runbooks. An empty URL omits its links.
type Links struct {
	Runbooks     string `yaml:"runbooks"`   // directory of the runbooks
	Grafana      string `yaml:"grafana"`    // base URL
	Repository   string `yaml:"repository"` // base URL of the source
	Branch       string `yaml:"branch"`     // default "main"
	Alertmanager string `yaml:"alertmanager"`
}

// Alerting configures alerts.
type Alerting struct {
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
	Severities  Severities        `yaml:"severities"`
	Receivers   Receivers         `yaml:"receivers"`
}

// Severities are the values of the severity label.
type Severities struct {
	Page   string `yaml:"page"`   // default "critical"
	Ticket string `yaml:"ticket"` // default "warning"
}

// Of returns the severity of the alerts of a tier.
func (s Severities) Of(tier Tier) string {
	if tier == TierPage {
		return s.Page
	}
	return s.Ticket
}

// Replicas is the number of instances of the service.
type Replicas struct {
	Min int `yaml:"min"` // 0: unknown; then only the loss of all instances pages
	Max int `yaml:"max"` // maximum of the autoscaler; 0: unknown or no autoscaler
}

// Parse reads a specification and sets defaults. The error has all problems with their
// positions in the file.
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

// WithDefaults returns the specification with defaults for empty fields.
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

// Identity lists the environment label and those of [Spec.GroupBy].
func (s Spec) Identity() []string { return append([]string{s.EnvironmentLabel}, s.GroupBy...) }

// problems is the [Reporter] of a specification without a file.
type problems struct{ list diagnostic.List }

func (p *problems) Problemf(path, format string, args ...any) {
	p.ProblemAtf(path, 0, format, args...)
}

func (p *problems) ProblemAtf(path string, _ int, format string, args ...any) {
	p.list = append(p.list, diagnostic.Problem{Path: path, Message: sprintf(format, args...)})
}
