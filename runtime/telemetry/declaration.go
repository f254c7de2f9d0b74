package telemetry

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/semconv"
)

func shape(m declared.Metric) string {
	return fmt.Sprintf("a %s with labels [%s]", m.Type, strings.Join(m.Labels, " "))
}

func sameShape(a, b declared.Metric) bool {
	return a.Type == b.Type && a.Help == b.Help && slices.Equal(a.Labels, b.Labels) && slices.Equal(a.Bounds, b.Bounds)
}

// unboundedLabels are label names with unbounded values. Their values belong on spans or log
// lines.
func unboundedLabels() []string {
	return []string{
		"path", "url", "uri", "url_path", "url_full", "query", "id", "uuid", "request_id", "user_id", "customer_id", "session_id",
		"order_id", "trace_id", "span_id", "email", "ip", "client_address", "user_agent", "error", "error_message", "message", "timestamp",
	}
}

// reservedLabels are written by the exposition format or by the scraper.
func reservedLabels() []string {
	return []string{
		semconv.LabelLessOrEqual, semconv.LabelQuantile, semconv.LabelJob, semconv.LabelInstance,
	}
}

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// CheckMetric returns all errors in the names of a declaration. The rules are those of
// Prometheus's linter, plus labels with unbounded values, which multiply the cost of all stored
// series.
func CheckMetric(d declared.Metric) error {
	var problems []error
	complain := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("metric %s: "+format, append([]any{d.Name}, args...)...))
	}
	if !snakeCase.MatchString(d.Name) {
		complain("write the name in snake_case letters and digits, as in orders_placed_total")
	}
	if d.Help == "" {
		complain("describe what it measures in the help text")
	}
	for _, text := range lint(d) {
		complain("%s", text)
	}
	for _, label := range d.Labels {
		switch {
		case !snakeCase.MatchString(label):
			complain("write label %q in snake_case", label)
		case slices.Contains(reservedLabels(), label):
			complain("label %q is reserved; choose another name", label)
		case slices.Contains(unboundedLabels(), label):
			complain("label %q has a value for every request; put it on the span or the log line", label)
		}
	}
	return errors.Join(problems...)
}

// checkUnit checks the unit of a metric that a service declares. It does not apply to external
// collectors, which have names such as go_gc_pauses.
func checkUnit(d declared.Metric) error {
	counted, total := strings.CutSuffix(d.Name, "_total")
	cut := strings.LastIndexByte(counted, '_') + 1
	base := baseUnits()[counted[cut:]]
	name, isTime := strings.TrimSuffix(counted[:cut], "_"), counted[cut:] == "seconds" || abbreviations()[counted[cut:]] == "seconds"
	switch {
	case base != "" && cut > 0:
		written := counted[:cut] + base
		if total {
			written += "_total"
		}
		return fmt.Errorf("metric %s: use base unit %q instead of %q: declare %s, and convert its values", d.Name, base, counted[cut:], written)
	case d.Type == declared.Histogram && d.Unit == "" && !strings.HasSuffix(d.Name, "_items"):
		return fmt.Errorf("metric %s: end the name of a histogram in the unit of its values, such as _seconds or _bytes, or in _items for a count", d.Name)
	case d.Type == declared.Counter && total && cut > 0 && isTime && !strings.HasSuffix(name, "_time") && !strings.HasSuffix(name, "_cpu"):
		return fmt.Errorf("metric %s: durations belong in a histogram: declare %s_seconds, or %s_time_seconds_total for a sum only",
			d.Name, name, name)
	}
	return nil
}

// baseUnits maps abbreviations that Prometheus's linter does not know.
func baseUnits() map[string]string {
	return map[string]string{"kg": "grams", "g": "grams", "mg": "grams", "km": "meters", "cm": "meters", "mm": "meters"}
}

// abbreviations maps those that Prometheus's linter knows to the unit to write.
func abbreviations() map[string]string {
	return map[string]string{
		"s": "seconds", "sec": "seconds", "ms": "seconds", "us": "seconds", "ns": "seconds", "h": "seconds", "d": "seconds",
		"m": "seconds or meters",
		"b": "bytes", "kb": "bytes", "mb": "bytes", "gb": "bytes", "tb": "bytes", "pb": "bytes",
	}
}

// lint returns the problems that Prometheus's linter finds. It allows gauges that end in _count,
// as OpenTelemetry names counts of connections.
func lint(d declared.Metric) []string {
	found, err := promlint.NewWithMetricFamilies([]*dto.MetricFamily{family(d)}).Lint()
	if err != nil {
		return []string{err.Error()}
	}
	var texts []string
	for _, p := range found {
		if d.Name == semconv.DBClientConnectionCount && strings.Contains(p.Text, "_count") {
			continue
		}
		if strings.Contains(p.Text, "abbreviated units") {
			_, units, _ := strings.Cut(d.Name, "_")
			for word := range strings.SplitSeq(units, "_") {
				if instead := abbreviations()[word]; instead != "" {
					p.Text += fmt.Sprintf("; write %s instead of %s, and convert its values", instead, word)
				}
			}
		}
		texts = append(texts, p.Text)
	}
	return texts
}

func family(d declared.Metric) *dto.MetricFamily {
	types := map[declared.Type]dto.MetricType{
		declared.Counter: dto.MetricType_COUNTER, declared.Gauge: dto.MetricType_GAUGE, declared.Histogram: dto.MetricType_HISTOGRAM,
		declared.Summary: dto.MetricType_SUMMARY, declared.Untyped: dto.MetricType_UNTYPED,
	}
	kind := types[d.Type]
	metric := &dto.Metric{}
	for _, label := range d.Labels {
		metric.Label = append(metric.Label, &dto.LabelPair{Name: &label})
	}
	return &dto.MetricFamily{Name: &d.Name, Help: &d.Help, Type: &kind, Metric: []*dto.Metric{metric}}
}

func declarationOf(f *dto.MetricFamily) declared.Metric {
	d := declared.Metric{Name: f.GetName(), Type: declared.Type(strings.ToLower(f.GetType().String())), Help: f.GetHelp(), Labels: []string{}}
	for _, m := range f.GetMetric() {
		for _, pair := range m.GetLabel() {
			if !slices.Contains(d.Labels, pair.GetName()) {
				d.Labels = append(d.Labels, pair.GetName())
			}
		}
		if d.Bounds == nil {
			for _, b := range m.GetHistogram().GetBucket() {
				d.Bounds = append(d.Bounds, b.GetUpperBound())
			}
		}
	}
	slices.Sort(d.Labels)
	d.Unit = unitOf(d)
	return d
}

// unitOf returns the unit in the name, where Prometheus has it.
func unitOf(d declared.Metric) string {
	name := strings.TrimSuffix(d.Name, "_total")
	for _, unit := range []string{"seconds", "bytes", "ratio", "celsius", "meters", "volts", "joules", "grams", "amperes"} {
		if strings.HasSuffix(name, "_"+unit) {
			return unit
		}
	}
	return ""
}
