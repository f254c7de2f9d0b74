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
	// MaxTextLength bounds free text, in characters.
	MaxTextLength = 1000
	// MaxGroupLabels bounds the labels that an objective is grouped by: each
	// multiplies the series of its increases.
	MaxGroupLabels = 2
	// MaxObjectives bounds one specification, and so the size of a rule group.
	MaxObjectives = 2000
)

// Reporter takes the problems of a specification. A decoded document knows
// where each path stands; offset counts bytes inside the value at the path.
type Reporter interface {
	Problemf(path, format string, args ...any)
	ProblemAtf(path string, offset int, format string, args ...any)
}

// sprintf lets the compiler's printf check follow the format through Reporter.
func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// Validate reports every problem of a specification that has its defaults.
func (s Spec) Validate(r Reporter) { s.check(r) }

// checker is a Reporter that remembers what it has parsed.
type checker struct {
	Reporter
	known selectors // of an earlier check; shared, so never written
	found selectors
}

func newChecker(r Reporter, known selectors) *checker { return &checker{r, known, selectors{}} }

// check is Validate, and gives every selector that it came by.
func (s Spec) check(reporter Reporter) selectors {
	r := newChecker(reporter, s.parsed)
	if s.APIVersion != APIVersion {
		r.Problemf("apiVersion", "%q is not known; write %s", s.APIVersion, APIVersion)
	}
	validateName(r, "service", s.Service)
	validateText(r, "description", s.Description)
	validateText(r, "owner", s.Owner)
	s.validateTelemetry(r)
	s.validateLinks(r)
	s.validateAlerting(r)
	if s.Replicas.Min < 0 {
		r.Problemf("replicas.min", "%d is negative; write how many replicas the service always has, or leave it out", s.Replicas.Min)
	}
	if most := s.Replicas.Max; most != 0 && most < s.Replicas.Min {
		r.Problemf("replicas.max", "%d is below the minimum of %d", most, s.Replicas.Min)
	}
	if len(s.SLOs) == 0 {
		r.Problemf("slos", "there is no objective; write at least one")
	}
	validateObjectives(r, "slos", s.SLOs)
	return r.found
}

func (s Spec) validateTelemetry(r Reporter) {
	for _, name := range slices.Sorted(maps.Keys(s.Selector)) {
		path := "selector." + name
		switch {
		case !legalLabel(name):
			r.Problemf(path, "%q is not a legal label name", name)
		case name == s.EnvironmentLabel:
			r.Problemf(path, "is the environment label; leave it out, so that each environment keeps a budget of its own")
		}
		validateText(r, path, s.Selector[name])
	}
	switch label := s.EnvironmentLabel; {
	case !legalLabel(label):
		r.Problemf("environmentLabel", "%q is not a legal label name", label)
	case label != labelEnvironment && reservedLabel(label):
		r.Problemf("environmentLabel", "%q is written by the rules themselves; name the label that tells production from staging", label)
	}
	s.validateGroupBy(r)
	for i, tool := range s.Compatibility {
		if tool != CompatibilitySloth {
			r.Problemf(fmt.Sprintf("compatibility[%d]", i), "unknown value %q; write %s, or leave the key out", tool, CompatibilitySloth)
		}
	}
	if s.ScrapeInterval < MinScrapeInterval || s.ScrapeInterval > MaxScrapeInterval {
		r.Problemf("scrapeInterval", "%s is outside of %s to %s; write the interval that the service is really scraped at",
			model.Duration(s.ScrapeInterval), model.Duration(MinScrapeInterval), model.Duration(MaxScrapeInterval))
	} else if s.ScrapeInterval%time.Second != 0 {
		r.Problemf("scrapeInterval", "%s is not a whole number of seconds", model.Duration(s.ScrapeInterval))
	}
	if known := []string{MetricsScrape, MetricsPush}; !slices.Contains(known, s.Metrics) {
		r.Problemf("metrics", "%q is not known; write %s%s", s.Metrics, strings.Join(known, " or "), diagnostic.DidYouMean(s.Metrics, known))
	}
}

func (s Spec) validateGroupBy(r Reporter) {
	for i, label := range s.GroupBy {
		path := fmt.Sprintf("groupBy[%d]", i)
		switch {
		case !legalLabel(label):
			r.Problemf(path, "%q is not a legal label name", label)
		case label == s.EnvironmentLabel:
			r.Problemf(path, "is the environment label, which always keeps instances apart; leave it out")
		case slices.Contains(s.GroupBy[:i], label):
			r.Problemf(path, "duplicate label %q", label)
		case s.Selector[label] != "":
			r.Problemf(path, "the selector already matches one value of %q; leave it out", label)
		case reservedLabel(label), label == semconv.LabelJob, label == semconv.LabelInstance:
			r.Problemf(path, "%q has a meaning of its own in the rules; name a label that the scrape sets for a whole group of instances, such as cluster", label)
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
			r.Problemf(link.path, "%q is not an address; write one such as https://grafana.company.tld", link.value)
		}
	}
	validateText(r, "links.branch", s.Links.Branch)
}

// reservedLabel reports whether the rules themselves write the label.
func reservedLabel(label string) bool {
	own := []string{
		labelAlertName, labelEnvironment, labelService, labelSeverity, labelTeam,
		labelSLO, labelSLI, labelWindow, labelLong, labelShort,
	}
	return slices.Contains(own, label) || strings.HasPrefix(label, slothPrefix)
}

// ownAnnotations are the annotations that the rules themselves write.
func ownAnnotations() []string {
	return []string{annotationSummary, annotationDescription, annotationRunbook, annotationDashboard}
}

func (s Spec) validateAlerting(r Reporter) {
	for _, name := range slices.Sorted(maps.Keys(s.Alerting.Labels)) {
		path := "alerting.labels." + name
		switch {
		case !legalLabel(name):
			r.Problemf(path, "%q is not a legal label name", name)
		case reservedLabel(name), name == s.EnvironmentLabel:
			r.Problemf(path, "is written by the rules themselves; choose another name")
		}
		validateText(r, path, s.Alerting.Labels[name])
	}
	for _, name := range slices.Sorted(maps.Keys(s.Alerting.Annotations)) {
		path := "alerting.annotations." + name
		switch {
		case !legalLabel(name):
			r.Problemf(path, "%q is not a legal annotation name", name)
		case slices.Contains(ownAnnotations(), name):
			r.Problemf(path, "is written by the rules themselves; choose another name")
		}
		validateText(r, path, s.Alerting.Annotations[name])
	}
	severities := s.Alerting.Severities
	validateText(r, "alerting.severities.page", severities.Page)
	validateText(r, "alerting.severities.ticket", severities.Ticket)
	if severities.Page == severities.Ticket {
		r.Problemf("alerting.severities.ticket", "%q is the severity of pages too; tickets would wake people up", severities.Ticket)
	}
	s.Alerting.Receivers.validate(r)
}

func validateObjectives(r *checker, prefix string, objectives []Objective) {
	if len(objectives) > MaxObjectives {
		r.Problemf(prefix, "%d objectives are more than one service can hold; use at most %d", len(objectives), MaxObjectives)
	}
	first := map[string]int{}
	for i, o := range objectives {
		path := fmt.Sprintf("%s[%d]", prefix, i)
		o.validate(r, path)
		// Alert names drop hyphens, so two names may differ in nothing else.
		key := strings.ToLower(camel(o.Name))
		if o.Name == "" {
			continue
		}
		switch j, twice := first[key]; {
		case !twice:
			first[key] = i
		case objectives[j].Name == o.Name:
			r.Problemf(path+".name", "%q is already the name of %s[%d]; names are unique within a service", o.Name, prefix, j)
		default:
			r.Problemf(path+".name", "%q and %q of %s[%d] would give alerts of the same name", o.Name, objectives[j].Name, prefix, j)
		}
	}
}

func (o Objective) validate(r *checker, path string) {
	validateName(r, path+".name", o.Name)
	validateText(r, path+".description", o.Description)
	o.Target.validate(r, path+".objective")
	if o.Window.Days() == 0 {
		r.Problemf(path+".window", "%q is not a known period; write %s%s", string(o.Window), known(Windows()), sameLength(o.Window))
	}
	if n := o.minBadEvents(); n < 0 {
		r.Problemf(path+".minBadEvents", "%d is negative; write 0 to switch the guard off", n)
	}
	o.validateGroup(r, path+".groupBy")
	o.validateRoute(r, path)
	o.Indicator.validate(r, path+".indicator")
}

func (o Objective) validateRoute(r *checker, path string) {
	for _, key := range []struct{ name, value string }{{".route", o.Route}, {".method", o.Method}} {
		if key.value != "" && o.Indicator.Custom() {
			r.Problemf(path+key.name, "is only for requests that the runtime counts; write the label into the selector of the indicator")
		}
	}
	if o.Route != "" && !strings.HasPrefix(o.Route, "/") {
		r.Problemf(path+".route", "%q does not begin with a slash; write the route as the router has it, such as /v1/orders/{id}", o.Route)
	}
	validateText(r, path+".route", o.Route)
	if methods := methods(); o.Method != "" && !slices.Contains(methods, o.Method) {
		r.Problemf(path+".method", "%q is not a method that the runtime counts by name; write %s%s", o.Method, known(methods), diagnostic.DidYouMean(strings.ToUpper(o.Method), methods))
	}
}

// methods are those that the runtime counts by name and that routes are made for.
func methods() []string { return []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} }

func known[T ~string](values []T) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// sameLength names the window that another spelling means, such as 4w.
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
		r.Problemf(path, "is missing; write the share of good events in percent, such as 99.9")
		return
	}
	share, ok := p.Rat()
	if !ok {
		r.Problemf(path, "%q is not a decimal number of percent; write one such as 99.9, with at most 6 decimals and no sign", string(p))
		return
	}
	switch hundred := big.NewRat(100, 1); {
	case share.Sign() == 0:
		r.Problemf(path, "0 promises nothing, so no alert could ever fire; write a share such as 99")
	case share.Cmp(hundred) == 0:
		r.Problemf(path, "100 leaves no error budget: the first failure would break it for the whole period; write a share such as 99.9")
	case share.Cmp(hundred) > 0:
		r.Problemf(path, "%s is above 100 percent; write a share such as 99.9", p)
	case share.Cmp(big.NewRat(1, 1)) <= 0:
		percent := new(big.Rat).Mul(share, hundred)
		r.Problemf(path, "%s looks like a ratio; write %s", p, decimal(percent))
	}
}

// groupsPerInstance are labels whose values come and go with instances, so that
// no budget could be kept for one.
var groupsPerInstance = []string{semconv.LabelInstance, "pod", "container", "process", "hostname"}

func (o Objective) validateGroup(r Reporter, path string) {
	if len(o.GroupBy) > MaxGroupLabels {
		r.Problemf(path, "%d labels are too many; each multiplies the series, so use at most %d", len(o.GroupBy), MaxGroupLabels)
	}
	for i, label := range o.GroupBy {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case !legalLabel(label):
			r.Problemf(at, "%q is not a legal label name", label)
		case label == semconv.LabelLessOrEqual || label == semconv.LabelQuantile:
			r.Problemf(at, "%q is part of a histogram; group by a label of the requests", label)
		case slices.Contains(groupsPerInstance, label):
			r.Problemf(at, "%q changes with each instance, so its budget would never last; group by a label such as %s", label, semconv.LabelRoute)
		case slices.Contains(o.GroupBy[:i], label):
			r.Problemf(at, "%q stands twice; keep one", label)
		case reservedLabel(label):
			r.Problemf(at, "%q is written by the rules themselves; rename the label when scraping", label)
		}
	}
}

var nameSyntax = regexp.MustCompile(`^[a-z]([a-z0-9]|-[a-z0-9])*$`)

func validateName(r Reporter, path, name string) {
	switch {
	case name == "":
		r.Problemf(path, "is missing; write a name such as orders")
	case len(name) > MaxNameLength:
		r.Problemf(path, "the name is %d characters long; use at most %d", utf8.RuneCountInString(name), MaxNameLength)
	case !nameSyntax.MatchString(name):
		r.Problemf(path, "%q is not a DNS label; use lower-case letters, digits and single hyphens, beginning with a letter", name)
	}
}

// validateText accepts any text that YAML can hold.
func validateText(r Reporter, path, text string) {
	if !utf8.ValidString(text) {
		r.Problemf(path, "the text is not valid UTF-8")
		return
	}
	if n := utf8.RuneCountInString(text); n > MaxTextLength {
		r.Problemf(path, "the text is %d characters long; use at most %d", n, MaxTextLength)
	}
	for i, c := range text {
		if unicode.IsControl(c) && c != '\n' && c != '\t' {
			r.ProblemAtf(path, i, "the text holds the control character %U; leave it out", c)
			return
		}
	}
}

// legalLabel accepts the names that every Prometheus-compatible store takes:
// the UTF-8 names of Prometheus 3 would have to be quoted in each query.
func legalLabel(name string) bool {
	return model.LegacyValidation.IsValidLabelName(name) && name != model.MetricNameLabel
}
