package checks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/lint/metricnames"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/internal/source/exposition"
	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

// MetricsSource is a page of metrics or a Prometheus that objectives are checked against.
type MetricsSource struct {
	Source  string // its name in messages
	Signals exposition.Page
	// Target has the labels that the scrape adds. A Prometheus has them itself.
	Target []string
	// Values returns the values of a label. It is nil for a page.
	Values func(metric, label string) ([]string, error)
}

// Check returns an error for metrics, labels and bounds that the source does not have, and
// warnings for label values that a page does not have. Problem adds the place in the file of the
// objectives to a message.
func (s MetricsSource) Check(spec slo.Spec, problem func(path, message string) diagnostic.Problem) (warnings []string, err error) {
	var problems diagnostic.List
	add := func(path, format string, args ...any) {
		if p := problem(path, fmt.Sprintf(format, args...)); !slices.Contains(problems, p) {
			problems = append(problems, p)
		}
	}
	for _, r := range spec.Reads() {
		m, ok := s.find(r.Metric)
		if !ok {
			hint := diagnostic.NearestMetric(r.Metric, s.names(r.Bound > 0))
			if hint == "" {
				hint = "; correct the name, or send a request first: series appear with the first event"
			}
			add(r.Path, "%s has no metric %s%s", s.Source, r.Metric, hint)
			continue
		}
		if m.NoSeries && (r.Bound == 0 || notHistogram(m) == "") {
			continue // labels and bounds are unknown
		}
		warn := func(path, message string) {
			if text := problem(path, message).Error(); !slices.Contains(warnings, text) {
				warnings = append(warnings, text)
			}
		}
		s.checkLabels(r, m, add)
		s.checkValues(r, m, warn)
		if absent := m.AbsentSeries()[r.Metric]; absent != "" && r.Bound == 0 {
			warn(r.Path, absent)
		}
		if r.Bound > 0 {
			checkBound(r, m, add)
		}
		if err := s.checkSelector(r, spec, add); err != nil {
			return nil, err
		}
	}
	return warnings, problems.Err()
}

// find returns the metric of a series. A histogram or summary has series with suffixes.
func (s MetricsSource) find(name string) (exposition.Metric, bool) {
	if m, ok := s.Signals.Find(name); ok {
		return m, true
	}
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		base, found := strings.CutSuffix(name, suffix)
		if m, ok := s.Signals.Find(base); found && ok && (m.Type == "histogram" || m.Type == "summary") {
			return m, true
		}
	}
	return exposition.Metric{}, false
}

// names returns the names of histograms, or of all series.
func (s MetricsSource) names(histograms bool) []string {
	var out []string
	for _, m := range s.Signals.Metrics {
		base, isBucket := strings.CutSuffix(m.Name, "_bucket")
		switch {
		case histograms && (isBucket || m.Type == "histogram"):
			out = append(out, base)
		case !histograms && m.Type == "histogram":
			out = append(out, m.Name+"_count", m.Name+"_bucket")
		case !histograms:
			out = append(out, m.Name)
		}
	}
	return out
}

// checkLabels reports unknown labels in matchers and groupBy.
func (s MetricsSource) checkLabels(r slo.Read, m exposition.Metric, add func(path, format string, args ...any)) {
	known := slices.Concat(m.Labels, s.Target)
	for _, matcher := range r.Matchers {
		if matcher.Name != semconv.LabelLessOrEqual && !slices.Contains(known, matcher.Name) {
			add(r.Path, "metric %s has no label %s%s", r.Metric, matcher.Name, labelHint(matcher.Name, m.Labels))
		}
	}
	for i, label := range r.GroupBy {
		if !slices.Contains(known, label) {
			path, _, _ := strings.Cut(r.Path, ".")
			add(fmt.Sprintf("%s.groupBy[%d]", path, i), "metric %s has no label %s%s", r.Metric, label, labelHint(label, m.Labels))
		}
	}
}

// checkValues warns of matchers that select no value on the page. These are not errors: a series
// may appear with the first failure. The values of availability are the runtime's.
func (s MetricsSource) checkValues(r slo.Read, m exposition.Metric, warn func(path, message string)) {
	for _, matcher := range r.Matchers {
		if strings.HasSuffix(r.Path, ".availability") || slices.Contains(s.Target, matcher.Name) {
			continue
		}
		if unseen := metricnames.Unseen(m.Values[matcher.Name], matcher); unseen != "" {
			warn(r.Path, fmt.Sprintf("no series of %s has %s", r.Metric, unseen))
		}
	}
}

// labelHint suggests a similar label, or lists the known ones.
func labelHint(label string, known []string) string {
	if hint := diagnostic.DidYouMean(label, known); hint != "" {
		return hint
	}
	if len(known) == 0 {
		return "; it has no labels"
	}
	return "; it has " + strings.Join(known, ", ")
}

// checkBound reports a bound without a bucket, with the nearest ones.
func checkBound(r slo.Read, m exposition.Metric, add func(path, format string, args ...any)) {
	if problem := notHistogram(m); problem != "" {
		add(r.Path, "%s", problem)
		return
	}
	if len(m.Bounds) == 0 {
		add(r.Path, "metric %s has no classic buckets; use a histogram that has them", r.Metric)
		return
	}
	i, found := slices.BinarySearch(m.Bounds, r.Bound)
	if found {
		return
	}
	var nearest []string
	for _, bound := range m.Bounds[max(i-1, 0):min(i+1, len(m.Bounds))] {
		nearest = append(nearest, spellBound(r.Metric, bound))
	}
	noun := "the nearest is "
	if len(nearest) > 1 {
		noun = "the nearest are "
	}
	add(r.BoundPath, "%s is not a bucket bound of %s; %s%s", spellBound(r.Metric, r.Bound), r.Metric, noun, strings.Join(nearest, " and "))
}

// notHistogram returns the message for a metric that is not a histogram.
func notHistogram(m exposition.Metric) string {
	switch m.Type {
	case "histogram", "":
		return ""
	case "counter":
		return fmt.Sprintf("metric %s is a counter, not a histogram; use indicator.ratio with total and bad", m.Name)
	}
	return fmt.Sprintf("metric %s is a %s, not a histogram; use a histogram with classic buckets", m.Name, m.Type)
}

// spellBound writes a bound of a time metric as a duration, like a threshold.
func spellBound(metric string, bound float64) string {
	unit, timed := slo.TimeUnit(metric)
	if !timed {
		return strconv.FormatFloat(bound, 'g', -1, 64)
	}
	return time.Duration(bound*float64(unit) + 0.5).String()
}

// checkSelector reports values of the selector without series. Series with other labels may not
// exist before the first failure.
func (s MetricsSource) checkSelector(r slo.Read, spec slo.Spec, add func(path, format string, args ...any)) error {
	if s.Values == nil {
		return nil
	}
	for _, m := range r.Matchers {
		if _, own := spec.Selector[m.Name]; !own && m.Name != semconv.LabelJob || m.Type != labels.MatchEqual {
			continue
		}
		metric := r.Metric
		if r.Bound > 0 {
			metric += "_bucket"
		}
		values, err := s.Values(metric, m.Name)
		if err != nil {
			return err
		}
		if len(values) > 0 && !slices.Contains(values, m.Value) {
			add(r.Path, "metric %s has no series with %s; %s is one of %s", r.Metric, m, m.Name, strings.Join(values, ", "))
		}
	}
	return nil
}
