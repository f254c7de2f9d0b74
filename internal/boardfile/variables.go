package boardfile

import (
	"regexp"
	"strings"
)

// grafanaVariable is $name, ${name}, ${name:format} or [[name]].
var grafanaVariable = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_.]*(:[^}]*)?\}|\$[A-Za-z_][A-Za-z0-9_]*|\[\[[A-Za-z_][A-Za-z0-9_]*(:[^\]]*)?\]\]`)

// Chosen stands for what a reader of the board chooses. As a number it may stand
// anywhere in PromQL, inside of a text too, and nobody would write it.
const Chosen = "1737291"

// PromQL puts a value for each variable of Grafana, so that the query parses:
// five minutes for the built-in ones, which are intervals, else [Chosen].
func PromQL(query string) string {
	return grafanaVariable.ReplaceAllStringFunc(query, func(v string) string {
		name := strings.Trim(strings.SplitN(v, ":", 2)[0], "${}[]")
		if strings.HasPrefix(name, "__") && name != "__all" {
			return "5m"
		}
		return Chosen
	})
}

// Varies says whether a part of a query that [PromQL] gave has a choice in it.
func Varies(text string) bool { return strings.Contains(text, Chosen) }

// queryFunction is a call in the query of a variable.
var queryFunction = regexp.MustCompile(`(?s)^\s*(label_values|query_result|label_names|metrics)\s*\((.*)\)\s*$`)

// variableLabel is what label_values asks for, behind the last comma.
var variableLabel = regexp.MustCompile(`(?s)^(?:(.*),)?\s*([A-Za-z_][A-Za-z0-9_]*)\s*$`)

// PromQL is the query of a variable of Prometheus as PromQL, with the label whose
// values it offers. Both may be empty.
func (v Variable) PromQL() (expr, label string) {
	m := queryFunction.FindStringSubmatch(v.Query)
	if v.Type != "query" || !v.Datasource.Prometheus() || m == nil {
		return "", ""
	}
	switch m[1] {
	case "query_result":
		return strings.TrimSpace(m[2]), ""
	case "label_values":
		if parts := variableLabel.FindStringSubmatch(m[2]); parts != nil {
			return strings.TrimSpace(parts[1]), parts[2]
		}
	}
	return "", ""
}
