package dashboardfile

import (
	"regexp"
	"strings"
)

// Fill replaces the variables in a text of a dashboard: $name, ${name}, ${name:format} and
// [[name]]. It returns the names that value does not know.
func Fill(text string, value func(name, format string) (string, bool)) (filled string, unknown []string) {
	listed := map[string]bool{}
	filled = grafanaVariable.ReplaceAllStringFunc(text, func(v string) string {
		name, format, _ := strings.Cut(strings.Trim(v, "${}[]"), ":")
		with, ok := value(name, format)
		if !ok && !listed[name] {
			listed[name] = true
			unknown = append(unknown, name)
		}
		return with
	})
	return filled, unknown
}

// Alternatives formats selected values as Grafana does in PromQL: a single value unchanged, several
// as alternatives of a regular expression.
func Alternatives(values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		// In a PromQL string, a backslash is escaped.
		quoted[i] = strings.ReplaceAll(regexp.QuoteMeta(v), `\`, `\\`)
	}
	return "(" + strings.Join(quoted, "|") + ")"
}
