package slo

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/runtime/semconv"
)

func (in Indicator) validate(r *checker, path string) {
	var kinds []string
	if in.Availability != nil {
		kinds = append(kinds, "availability")
	}
	if in.Latency != nil {
		kinds = append(kinds, "latency")
		in.Latency.validate(r, path+".latency")
	}
	if in.Ratio != nil {
		kinds = append(kinds, "ratio")
		in.Ratio.validate(r, path+".ratio")
	}
	switch len(kinds) {
	case 0:
		r.Problemf(path, "is empty; write availability, latency or ratio")
	case 1:
	default:
		r.Problemf(path, "has %s; keep one", strings.Join(kinds, " and "))
	}
}

func (l Latency) validate(r *checker, path string) {
	switch {
	case l.Threshold == 0:
		r.Problemf(path+".threshold", "is missing or zero; write a duration such as 200ms")
	case l.Threshold < 0:
		r.Problemf(path+".threshold", "%s is not positive; write a duration such as 200ms", l.Threshold)
	case l.Threshold%time.Microsecond != 0:
		r.Problemf(path+".threshold", "%s is not a multiple of a microsecond; write a duration such as 200ms", l.Threshold)
	}
	if l.Histogram == "" {
		return
	}
	path += ".histogram"
	sel, ok := validateSelector(r, path, l.Histogram)
	if !ok {
		return
	}
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		if base, found := strings.CutSuffix(sel.metric, suffix); found {
			r.Problemf(path, "%s is a series of the histogram; write %s", sel.metric, base)
		}
	}
	for _, m := range sel.matchers {
		if m.Name == semconv.LabelLessOrEqual {
			r.Problemf(path, "has a matcher for le; remove it, since the threshold selects the bucket")
		}
	}
}

func (q Ratio) validate(r *checker, path string) {
	total, totalOK := validateSelector(r, path+".total", q.Total)
	if q.Bad != "" && q.Good != "" {
		r.Problemf(path+".good", "set good or bad, not both")
		return
	}
	key, text, every := ".bad", q.Bad, "bad"
	if q.Good != "" {
		key, text, every = ".good", q.Good, "good"
	}
	part, partOK := validateSelector(r, path+key, text)
	if totalOK && partOK && total.String() == part.String() {
		r.Problemf(path+key, "is the same as total, so that all events would be %s", every)
	}
}

// selector is a metric and its matchers, such as http_requests_total{job="orders"}.
type selector struct {
	metric   string
	matchers []*labels.Matcher // without __name__
}

// selectors are parsed selectors, by text.
type selectors map[string]selector

// selector parses a selector, with a cache: the parser compiles regular expressions, which
// is most of the cost of a check.
func (r *checker) selector(text string) (selector, error) {
	sel, ok := r.known[text]
	if !ok {
		sel, ok = r.found[text]
	}
	if !ok {
		var err error
		if sel, err = parseSelector(text); err != nil {
			return selector{}, err
		}
	}
	r.found[text] = sel
	return sel, nil
}

func validateSelector(r *checker, path, text string) (selector, bool) {
	if strings.TrimSpace(text) == "" {
		r.Problemf(path, "is missing; write a selector such as http_requests_total{handler=\"/checkout\"}")
		return selector{}, false
	}
	sel, err := r.selector(text)
	if err == nil {
		return sel, true
	}
	offset := 0
	message := err.Error()
	var parseErrs parser.ParseErrors
	if errors.As(err, &parseErrs) && len(parseErrs) > 0 {
		offset = int(parseErrs[0].PositionRange.Start)
		message = parseErrs[0].Err.Error()
	}
	r.ProblemAtf(path, offset, "not a PromQL selector: %s; write one such as http_requests_total{handler=\"/checkout\"}, without a function or range", message)
	return selector{}, false
}

var errNoMetric = errors.New("it has no metric name")

// parseSelector parses a selector with exactly one metric name.
func parseSelector(text string) (selector, error) {
	matchers, err := parser.NewParser(parser.Options{}).ParseMetricSelector(text)
	if err != nil {
		return selector{}, err
	}
	return selectorOf(matchers)
}

// selectorOf returns the selector of matchers, one of which must be that of __name__.
func selectorOf(matchers []*labels.Matcher) (selector, error) {
	var sel selector
	for _, m := range matchers {
		if m.Name != model.MetricNameLabel {
			sel.matchers = append(sel.matchers, m)
			continue
		}
		if m.Type != labels.MatchEqual || sel.metric != "" {
			return selector{}, errNoMetric
		}
		if !model.LegacyValidation.IsValidMetricName(m.Value) {
			return selector{}, fmt.Errorf("the metric name %q is not supported; use letters, digits and underscores", m.Value)
		}
		sel.metric = m.Value
	}
	if sel.metric == "" {
		return selector{}, errNoMetric
	}
	return sel, nil
}

// String returns the selector as PromQL, with matchers sorted by name.
func (s selector) String() string {
	if len(s.matchers) == 0 {
		return s.metric
	}
	sorted := slices.Clone(s.matchers)
	slices.SortStableFunc(sorted, func(a, b *labels.Matcher) int { return strings.Compare(a.Name, b.Name) })
	var b strings.Builder
	b.WriteString(s.metric)
	for i, m := range sorted {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(m.String())
	}
	b.WriteByte('}')
	return b.String()
}

// with returns a copy of the selector with more matchers.
func (s selector) with(more ...*labels.Matcher) selector {
	s.matchers = append(slices.Clip(s.matchers), more...)
	return s
}

// within adds the matchers whose label the selector does not have, so that an explicit
// job="gateway" is kept.
func (s selector) within(outer []*labels.Matcher) selector {
	missing := slices.DeleteFunc(slices.Clone(outer), func(m *labels.Matcher) bool {
		return slices.ContainsFunc(s.matchers, func(own *labels.Matcher) bool { return own.Name == m.Name })
	})
	return s.with(missing...)
}
