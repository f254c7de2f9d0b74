package metricnames

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// valuesOf returns all values of a label of the runtime's metrics, nil if they are not limited.
func valuesOf(metric, label string) []string {
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		if base := strings.TrimSuffix(metric, suffix); slices.Contains(withOutcomes(), base) {
			metric = base
		}
	}
	switch {
	case label == semconv.LabelOutcome && slices.Contains(withOutcomes(), metric):
		return semconv.Outcomes()
	case label == semconv.LabelPoolState && metric == semconv.DBClientConnectionCount:
		return []string{semconv.ConnectionStateIdle, semconv.ConnectionStateInUse}
	}
	return nil
}

func withOutcomes() []string {
	return []string{
		semconv.HTTPServerRequests, semconv.HTTPServerRoutedRequests,
		semconv.HTTPServerRequestDuration, semconv.HTTPServerRoutedRequestDuration,
	}
}

// selectsMissingLabel reports whether a matcher selects series without the label.
func selectsMissingLabel(m *labels.Matcher) bool { return m.Type == labels.MatchEqual && m.Value == "" }

// checkValue reports values that a label cannot have.
func (k Known) checkValue(metric string, m *labels.Matcher, complain complaint) {
	if dashboardfile.Varies(m.Value) || m.Value == "" {
		return
	}
	if m.Name == semconv.LabelLessOrEqual {
		k.checkBound(metric, m, complain)
		return
	}
	known := valuesOf(metric, m.Name)
	if known == nil {
		if unseen := Unseen(k.values[metric][m.Name], m); unseen != "" {
			complain("unknown-value", true, "no series of %s has %s", metric, unseen)
		}
		return
	}
	for _, value := range compared(m) {
		if value != "" && !slices.Contains(known, value) {
			complain("unknown-value", k.otherMetrics, "%s of %s is never %q; use one of %s%s", m.Name, metric, value, strings.Join(known, ", "), diagnostic.DidYouMean(value, known))
			return
		}
	}
	if m.Type == labels.MatchRegexp && !slices.ContainsFunc(known, m.Matches) {
		complain("unknown-value", k.otherMetrics, "%s of %s never matches %q; use one of %s", m.Name, metric, m.Value, strings.Join(known, ", "))
	}
}

// Unseen describes a matcher with a value that is likely a misspelling of one in values. It is
// empty for other unknown values, which may appear with the first failure.
func Unseen(values []string, m *labels.Matcher) string {
	if message := wrongStatus(values, m); message != "" {
		return message
	}
	if m.Matches("") {
		return ""
	}
	// If a similar value is selected, too, both spellings are intended.
	unselected := slices.DeleteFunc(slices.Clone(values), m.Matches)
	for _, value := range compared(m) {
		if hint := similar(value, unselected); hint != "" && !slices.Contains(values, value) {
			return fmt.Sprintf("%s=%q%s", m.Name, value, hint)
		}
	}
	return ""
}

var (
	statusLabel   = regexp.MustCompile(`(?i)^(http_?)?(response_?)?(code|status(_?code)?)$`)
	statusPattern = regexp.MustCompile(`^[1-5]\d\d$`)
	shellPattern  = regexp.MustCompile(`^[1-5]\*$`) // as a regular expression, 5* is 5 or 55
	number        = regexp.MustCompile(`^\d+$`)
)

// wrongStatus finds numbers and patterns that are never an HTTP status, if the name and the values
// of the label are those of one.
func wrongStatus(values []string, m *labels.Matcher) string {
	// Istio writes 0 if there was no response.
	isOther := func(value string) bool { return value != "0" && !statusPattern.MatchString(value) }
	switch {
	case !statusLabel.MatchString(m.Name), !slices.ContainsFunc(values, statusPattern.MatchString), slices.ContainsFunc(values, isOther):
		return ""
	case m.Type == labels.MatchRegexp && shellPattern.MatchString(m.Value):
		return fmt.Sprintf("%s; did you mean %q?", m, m.Value[:1]+"..")
	case m.Type == labels.MatchEqual && number.MatchString(m.Value) && isOther(m.Value):
		return fmt.Sprintf("%s; statuses are 100 to 599", m)
	}
	return ""
}

// similar suggests a value with a similar spelling or another ending, such as failed for fail. It
// ignores short values and values with digits, such as p1 and p2, values with a prefix, such as
// unavailable for available, and other first letters, which are rarely misspelled.
func similar(value string, known []string) string {
	const (
		least  = 3 // letters of a word
		ending = 3 // letters
	)
	isWord := func(s string) bool { return len(s) >= least && !strings.ContainsAny(s, "0123456789") }
	if !isWord(value) {
		return ""
	}
	words := slices.DeleteFunc(slices.Clone(known), func(k string) bool {
		return !isWord(k) || k[0] != value[0] || strings.HasSuffix(k, value) || strings.HasSuffix(value, k)
	})
	for _, k := range words {
		short, long := min(len(k), len(value)), max(len(k), len(value))
		if long-short <= ending && k[:short] == value[:short] {
			return fmt.Sprintf("; did you mean %q?", k)
		}
	}
	return diagnostic.DidYouMean(value, words)
}

// compared returns the plain values of a matcher.
func compared(m *labels.Matcher) []string {
	if m.Type == labels.MatchEqual || m.Type == labels.MatchNotEqual {
		return []string{m.Value}
	}
	return m.SetMatches()
}

// checkBound reports bounds that the histogram does not have, or not in this spelling.
func (k Known) checkBound(metric string, m *labels.Matcher, complain complaint) {
	bounds := k.bounds[metric]
	if len(bounds) == 0 {
		return
	}
	for _, value := range compared(m) {
		bound, err := strconv.ParseFloat(value, 64)
		switch {
		case value == "+Inf":
		case err != nil || !slices.Contains(bounds, bound):
			complain("unknown-value", k.otherMetrics, "%s has no bucket le=%q; its bounds are %s", metric, value, listed(bounds))
			return
		case !isSpelling(value, bound) && !slices.Contains(k.spelled[metric], value):
			complain("unknown-value", k.otherMetrics, "%s has no bucket le=%q; write le=%q", metric, value, labels.FormatOpenMetricsFloat(bound))
			return
		}
	}
	bound, _ := strconv.ParseFloat(m.Value, 64)
	if scraped := labels.FormatOpenMetricsFloat(bound); m.Type == labels.MatchEqual && m.Value != scraped {
		// A pushed bound has no .0.
		complain("unknown-value", true, "%s: Prometheus 3 spells a scraped bound le=%q; match both spellings with le=~%q", metric, scraped, regexp.QuoteMeta(m.Value)+"|"+regexp.QuoteMeta(scraped))
	}
}

// isSpelling reports whether Prometheus may write a bound like this: as Go does, with .0 after an
// integer since version 3, or without an exponent from OTLP.
func isSpelling(value string, bound float64) bool {
	whole := strings.TrimSuffix(value, ".0")
	return whole == strconv.FormatFloat(bound, 'g', -1, 64) || whole == strconv.FormatFloat(bound, 'f', -1, 64)
}

func listed(bounds []float64) string {
	texts := make([]string, len(bounds))
	for i, b := range bounds {
		texts[i] = strconv.FormatFloat(b, 'g', -1, 64)
	}
	return strings.Join(texts, ", ")
}
