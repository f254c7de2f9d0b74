package slo

import (
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/runtime/semconv"
)

const (
	// MaxNameLength bounds the names of services and objectives.
	MaxNameLength = 40
	// MaxTextLength bounds texts, in characters.
	MaxTextLength = 1000
	// MaxGroupLabels bounds the labels of [Objective.GroupBy], each of which multiplies the
	// number of series.
	MaxGroupLabels = 2
	// MaxObjectives bounds the objectives of a specification, and so the size of a rule group.
	MaxObjectives = 2000
)

// Reporter collects the problems of a specification. A path is that of a value; offset is
// in bytes within the value.
type Reporter interface {
	Problemf(path, format string, args ...any)
	ProblemAtf(path string, offset int, format string, args ...any)
}

// sprintf lets go vet check the formats of [Reporter].
func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// Validate reports all problems of a specification with defaults.
func (s Spec) Validate(r Reporter) { s.check(r) }

// checker is a [Reporter] with a cache of parsed selectors.
type checker struct {
	Reporter
	known selectors // of an earlier check; shared and not modified
	found selectors
}

func newChecker(r Reporter, known selectors) *checker { return &checker{r, known, selectors{}} }

// check is like [Spec.Validate], and returns the parsed selectors.
func (s Spec) check(reporter Reporter) selectors {
	r := newChecker(reporter, s.parsed)
	if s.APIVersion != APIVersion {
		r.Problemf("apiVersion", "unknown version %q; write %s", s.APIVersion, APIVersion)
	}
	validateName(r, "service", s.Service)
	validateText(r, "description", s.Description)
	validateText(r, "owner", s.Owner)
	s.validateTelemetry(r)
	s.validateLinks(r)
	s.validateAlerting(r)
	if s.Replicas.Min < 0 {
		r.Problemf("replicas.min", "%d is negative; write the minimum number of replicas, or remove the key", s.Replicas.Min)
	}
	if most := s.Replicas.Max; most != 0 && most < s.Replicas.Min {
		r.Problemf("replicas.max", "%d is below the minimum of %d", most, s.Replicas.Min)
	}
	if len(s.SLOs) == 0 {
		r.Problemf("slos", "is empty; write at least one objective")
	}
	validateObjectives(r, "slos", s.SLOs)
	return r.found
}

func (s Spec) validateTelemetry(r Reporter) {
	for _, name := range slices.Sorted(maps.Keys(s.Selector)) {
		path := "selector." + name
		switch {
		case !validLabel(name):
			r.Problemf(path, "%q is not a valid label name", name)
		case name == s.EnvironmentLabel:
			r.Problemf(path, "is the environment label; remove it, so that each environment has its own error budget")
		}
		validateText(r, path, s.Selector[name])
	}
	switch label := s.EnvironmentLabel; {
	case !validLabel(label):
		r.Problemf("environmentLabel", "%q is not a valid label name", label)
	case label != labelEnvironment && reservedLabel(label):
		r.Problemf("environmentLabel", "%q is reserved for the rules; write the label whose value is the environment, such as production", label)
	}
	s.validateGroupBy(r)
	for i, tool := range s.Compatibility {
		if tool != CompatibilitySloth {
			r.Problemf(fmt.Sprintf("compatibility[%d]", i), "unknown value %q; write %s, or remove the key", tool, CompatibilitySloth)
		}
	}
	if s.ScrapeInterval < MinScrapeInterval || s.ScrapeInterval > MaxScrapeInterval {
		r.Problemf("scrapeInterval", "%s is not between %s and %s; write the scrape interval of the service",
			model.Duration(s.ScrapeInterval), model.Duration(MinScrapeInterval), model.Duration(MaxScrapeInterval))
	} else if s.ScrapeInterval%time.Second != 0 {
		r.Problemf("scrapeInterval", "%s is not a whole number of seconds", model.Duration(s.ScrapeInterval))
	}
	if known := []string{MetricsScrape, MetricsPush}; !slices.Contains(known, s.Metrics) {
		r.Problemf("metrics", "unknown value %q; write %s%s", s.Metrics, strings.Join(known, " or "), diagnostic.DidYouMean(s.Metrics, known))
	}
}

func (s Spec) validateGroupBy(r Reporter) {
	for i, label := range s.GroupBy {
		path := fmt.Sprintf("groupBy[%d]", i)
		switch {
		case !validLabel(label):
			r.Problemf(path, "%q is not a valid label name", label)
		case label == s.EnvironmentLabel:
			r.Problemf(path, "is the environment label, which is always included; remove it")
		case slices.Contains(s.GroupBy[:i], label):
			r.Problemf(path, "duplicate label %q", label)
		case s.Selector[label] != "":
			r.Problemf(path, "the selector already matches one value of %q; remove it", label)
		case reservedLabel(label), label == semconv.LabelJob, label == semconv.LabelInstance:
			r.Problemf(path, "%q is reserved for the rules; write a label of a group of instances, such as cluster", label)
		}
	}
}

func (s Spec) validateLinks(r Reporter) {
	for _, link := range []struct{ path, value string }{
		{"links.runbooks", s.Links.Runbooks},
		{"links.grafana", s.Links.Grafana},
		{"links.repository", s.Links.Repository},
		{"links.alertmanager", s.Links.Alertmanager},
	} {
		if link.value == "" {
			continue
		}
		validateText(r, link.path, link.value)
		if u, err := url.Parse(link.value); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			r.Problemf(link.path, "%q is not a URL; write one such as https://grafana.company.tld", link.value)
			continue
		}
		// Paths are appended to all links.
		if i := strings.IndexAny(link.value, " \t\n?#"); i >= 0 {
			r.ProblemAtf(link.path, i, "a URL to which paths are appended cannot have spaces, a query or a fragment; write %s", bareURL(link.value))
		}
	}
	validateText(r, "links.branch", s.Links.Branch)
}

// bareURL returns a URL without query and fragment, and with escaped spaces.
func bareURL(address string) string {
	if end := strings.IndexAny(address, "?#"); end >= 0 {
		address = address[:end]
	}
	return strings.ReplaceAll(strings.TrimRight(strings.TrimSpace(address), "/"), " ", "%20")
}

// reservedLabel reports whether the rules set the label.
func reservedLabel(label string) bool {
	own := []string{
		labelAlertName, labelEnvironment, labelService, labelSeverity, labelTeam,
		labelSLO, labelSLI, labelWindow, labelLong, labelShort,
	}
	return slices.Contains(own, label) || strings.HasPrefix(label, slothPrefix)
}

// ownAnnotations are the annotations that the rules set.
func ownAnnotations() []string {
	return []string{annotationSummary, annotationDescription, annotationRunbook, annotationDashboard}
}

func (s Spec) validateAlerting(r Reporter) {
	for _, name := range slices.Sorted(maps.Keys(s.Alerting.Labels)) {
		path := "alerting.labels." + name
		switch {
		case !validLabel(name):
			r.Problemf(path, "%q is not a valid label name", name)
		case reservedLabel(name), name == s.EnvironmentLabel:
			r.Problemf(path, "is reserved for the rules; choose another name")
		}
		validateText(r, path, s.Alerting.Labels[name])
	}
	for _, name := range slices.Sorted(maps.Keys(s.Alerting.Annotations)) {
		path := "alerting.annotations." + name
		switch {
		case !validLabel(name):
			r.Problemf(path, "%q is not a valid annotation name", name)
		case slices.Contains(ownAnnotations(), name):
			r.Problemf(path, "is reserved for the rules; choose another name")
		}
		validateText(r, path, s.Alerting.Annotations[name])
	}
	severities := s.Alerting.Severities
	validateText(r, "alerting.severities.page", severities.Page)
	validateText(r, "alerting.severities.ticket", severities.Ticket)
	if severities.Page == severities.Ticket {
		r.Problemf("alerting.severities.ticket", "%q is also the severity of pages; write another one, so that tickets do not page", severities.Ticket)
	}
	s.Alerting.Receivers.validate(r)
}

func validateObjectives(r *checker, prefix string, objectives []Objective) {
	if len(objectives) > MaxObjectives {
		r.Problemf(prefix, "has %d objectives; the maximum is %d", len(objectives), MaxObjectives)
	}
	first := map[string]int{}
	for i, o := range objectives {
		path := fmt.Sprintf("%s[%d]", prefix, i)
		o.validate(r, path)
		// Names must differ without hyphens too, since alert names have none.
		key := strings.ToLower(camel(o.Name))
		if o.Name == "" {
			continue
		}
		switch j, exists := first[key]; {
		case !exists:
			first[key] = i
		case objectives[j].Name == o.Name:
			r.Problemf(path+".name", "duplicate name %q, first in %s[%d]", o.Name, prefix, j)
		default:
			r.Problemf(path+".name", "%q and %q of %s[%d] have the same alert names; rename one", o.Name, objectives[j].Name, prefix, j)
		}
	}
}

func (o Objective) validate(r *checker, path string) {
	validateName(r, path+".name", o.Name)
	validateText(r, path+".description", o.Description)
	o.Target.validate(r, path+".objective")
	if o.Window.Days() == 0 {
		r.Problemf(path+".window", "unknown period %q; write %s%s", string(o.Window), known(Windows()), sameLength(o.Window))
	}
	if n := o.minBadEvents(); n < 0 {
		r.Problemf(path+".minBadEvents", "%d is negative; write 0 to disable it", n)
	}
	o.validateGroup(r, path+".groupBy")
	o.validateRoute(r, path)
	o.Indicator.validate(r, path+".indicator")
}

func (o Objective) validateRoute(r *checker, path string) {
	for _, key := range []struct{ name, value string }{{".route", o.Route}, {".method", o.Method}} {
		if key.value != "" && o.Indicator.Custom() {
			r.Problemf(path+key.name, "is only for availability and latency of the runtime; add a matcher to the selector of the indicator instead")
		}
	}
	if o.Route != "" && !strings.HasPrefix(o.Route, "/") {
		r.Problemf(path+".route", "%q does not begin with a slash; write the route pattern, such as /v1/orders/{id}", o.Route)
	}
	validateText(r, path+".route", o.Route)
	if methods := methods(); o.Method != "" && !slices.Contains(methods, o.Method) {
		r.Problemf(path+".method", "unknown method %q; write %s%s", o.Method, known(methods), diagnostic.DidYouMean(strings.ToUpper(o.Method), methods))
	}
}

// methods are the values of the method label of the runtime.
func methods() []string { return []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} }

func known[T ~string](values []T) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// sameLength suggests the period of the same length, such as 28d for 4w.
func sameLength(w Window) string {
	length, err := model.ParseDuration(string(w))
	if err != nil {
		return ""
	}
	for _, known := range Windows() {
		if known.Duration() == time.Duration(length) {
			return "; did you mean \"" + string(known) + "\"?"
		}
	}
	return ""
}

func (p Percent) validate(r Reporter, path string) {
	if p == "" {
		r.Problemf(path, "is missing; write the percentage of good events, such as 99.9")
		return
	}
	share, ok := p.Rat()
	if !ok {
		r.Problemf(path, "%q is not a percentage; write one such as 99.9, with at most 6 decimals", string(p))
		return
	}
	switch hundred := big.NewRat(100, 1); {
	case share.Sign() == 0:
		r.Problemf(path, "at 0 no alert can fire; write a percentage such as 99")
	case share.Cmp(hundred) == 0:
		r.Problemf(path, "100 has no error budget, so a single failure misses the objective; write a percentage such as 99.9")
	case share.Cmp(hundred) > 0:
		r.Problemf(path, "%s is above 100 percent; write a percentage such as 99.9", p)
	case share.Cmp(big.NewRat(1, 1)) <= 0:
		percent := new(big.Rat).Mul(share, hundred)
		r.Problemf(path, "%s looks like a ratio; write %s", p, decimal(percent))
	}
}

// groupsPerInstance are labels whose values change with instances, so that an error budget
// by them would not last.
var groupsPerInstance = []string{semconv.LabelInstance, "pod", "container", "process", "hostname"}

func (o Objective) validateGroup(r Reporter, path string) {
	if len(o.GroupBy) > MaxGroupLabels {
		r.Problemf(path, "has %d labels; the maximum is %d, since each multiplies the number of series", len(o.GroupBy), MaxGroupLabels)
	}
	for i, label := range o.GroupBy {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case !validLabel(label):
			r.Problemf(at, "%q is not a valid label name", label)
		case label == semconv.LabelLessOrEqual || label == semconv.LabelQuantile:
			r.Problemf(at, "%q is a label of histograms; write another label of the events", label)
		case slices.Contains(groupsPerInstance, label):
			r.Problemf(at, "%q changes with each instance, so an error budget by it would not last; write a label such as %s", label, semconv.LabelRoute)
		case slices.Contains(o.GroupBy[:i], label):
			r.Problemf(at, "duplicate label %q", label)
		case reservedLabel(label):
			r.Problemf(at, "%q is reserved for the rules; rename the label with relabeling", label)
		}
	}
}

var nameSyntax = regexp.MustCompile(`^[a-z]([a-z0-9]|-[a-z0-9])*$`)

func validateName(r Reporter, path, name string) {
	switch {
	case name == "":
		r.Problemf(path, "is missing; write a name such as orders")
	case len(name) > MaxNameLength:
		r.Problemf(path, "the name has %d characters; the maximum is %d", utf8.RuneCountInString(name), MaxNameLength)
	case !nameSyntax.MatchString(name):
		r.Problemf(path, "%q is not a DNS label; use lower-case letters, digits and single hyphens, beginning with a letter", name)
	}
}

// validateText reports texts that YAML cannot contain.
func validateText(r Reporter, path, text string) {
	if !utf8.ValidString(text) {
		r.Problemf(path, "the text is not valid UTF-8")
		return
	}
	if n := utf8.RuneCountInString(text); n > MaxTextLength {
		r.Problemf(path, "the text has %d characters; the maximum is %d", n, MaxTextLength)
	}
	for i, c := range text {
		if unicode.IsControl(c) && c != '\n' && c != '\t' {
			r.ProblemAtf(path, i, "the text contains the control character %U; remove it", c)
			return
		}
	}
}

// validLabel accepts names without quotes, and not the UTF-8 names of Prometheus 3, which
// not all Prometheus-compatible systems support.
func validLabel(name string) bool {
	return model.LegacyValidation.IsValidLabelName(name) && name != model.MetricNameLabel
}
