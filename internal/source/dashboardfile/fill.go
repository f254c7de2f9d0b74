package dashboardfile

import (
	"regexp"
	"strings"
)

// Fill puts values into a text of a dashboard: queries, links, titles. value gives
// what $name, ${name}, ${name:format} or [[name]] stands for. Fill returns the
// names that value does not know.
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

// Alternatives writes chosen values as Grafana does in PromQL: one as it is,
// several as alternatives of a regular expression.
func Alternatives(values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		// Inside of a string of PromQL a backslash is written twice.
		quoted[i] = strings.ReplaceAll(regexp.QuoteMeta(v), `\`, `\\`)
	}
	return "(" + strings.Join(quoted, "|") + ")"
}
