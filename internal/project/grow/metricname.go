package grow

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/internal/source/diagnostic"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// The rules are those of runtime/telemetry, which a test compares. That package has Prometheus's own linter, and with it more
// code than all commands that add to a service.
var (
	snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	typeWord  = regexp.MustCompile(`(^|_)(counter|gauge|histogram|summary)(_|$)`)
	otherUnit = regexp.MustCompile(`(^|_)(s|sec|ms|us|ns|h|d|m|[a-z]+seconds|minutes?|hours?|days?|weeks?|b|[kmgtp]b|[kmgtp][a-z]*bytes|bits?|[kmc]?m|[km]?g|kilograms?|kilometers?|percent|fahrenheit|kelvin)(_|$)`)
)

// baseUnits are the endings of histograms.
func baseUnits() []string {
	return []string{"seconds", "bytes", "items", "ratio", "ratios", "celsius", "meters", "volts", "amperes", "joules", "grams"}
}

// namingProblems reports names that Prometheus's conventions do not allow, and labels with unbounded values.
func namingProblems(m declared.Metric) (list diagnostic.List) {
	add := func(path, format string, args ...any) {
		list = append(list, diagnostic.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	last := m.Name[strings.LastIndexByte(m.Name, '_')+1:]
	counted, total := strings.CutSuffix(m.Name, "_total")
	switch {
	case !snakeCase.MatchString(m.Name):
		add("NAME", "write the name in snake_case letters and digits, as in orders_placed_total")
	case m.Type == declared.Counter && !total:
		add("NAME", "the name of a counter ends in _total; write %s_total", m.Name)
	case m.Type != declared.Counter && total:
		add("NAME", "only the name of a counter ends in _total; write %s", counted)
	case strings.HasSuffix(counted, "_seconds") && total && !strings.HasSuffix(counted, "_time_seconds") && !strings.HasSuffix(counted, "_cpu_seconds"):
		add("NAME", "durations belong in a histogram; write: scaffold add metric histogram %s", counted)
	case m.Type == declared.Histogram && !slices.Contains(baseUnits(), last):
		add("NAME", "the name of a histogram ends in the unit of its values, such as _seconds or _bytes, or in _items for a count")
	case slices.Contains([]string{"count", "sum", "bucket", "info"}, last):
		add("NAME", "the ending _%s is reserved; choose another name", last)
	}
	if word := typeWord.FindStringSubmatch(m.Name); word != nil {
		add("NAME", "leave the type out of the name: %s", word[2])
	}
	if unit := otherUnit.FindStringSubmatch(m.Name); unit != nil && unit[2] != "seconds" {
		add("NAME", "write a base unit, such as seconds, bytes or ratio, instead of %s", unit[2])
	}
	if strings.TrimSpace(m.Help) == "" {
		add("--description", "describe what the metric measures")
	}
	for i, label := range m.Labels {
		switch {
		case !snakeCase.MatchString(label):
			add("--label", "write label %q in snake_case", label)
		case slices.Contains([]string{semconv.LabelLessOrEqual, semconv.LabelQuantile, semconv.LabelJob, semconv.LabelInstance}, label):
			add("--label", "label %q is reserved; choose another name", label)
		case slices.Contains(m.Labels[:i], label):
			add("--label", "duplicate label %q", label)
		case unboundedLabel(label):
			add("--label", "label %q has a value for every request; put it on the span or the log line", label)
		}
	}
	return list
}

// unboundedLabel reports whether a label has more values than a metric can have.
func unboundedLabel(label string) bool {
	return label == "id" || strings.HasSuffix(label, "_id") || slices.Contains([]string{
		"path", "url", "uri", "url_path", "url_full", "query", "uuid", "email", "ip", "client_address", "user_agent",
		"error", "error_message", "message", "timestamp",
	}, label)
}
