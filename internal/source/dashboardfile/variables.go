package dashboardfile

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/source/promql"
)

// grafanaVariable matches $name, ${name}, ${name:format} and [[name]].
var grafanaVariable = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_.]*(:[^}]*)?\}|\$[A-Za-z_][A-Za-z0-9_]*|\[\[[A-Za-z_][A-Za-z0-9_]*(:[^\]]*)?\]\]`)

// Chosen is the placeholder for the value of a variable. It is an unusual number, which is valid in
// most places of PromQL, including strings.
const Chosen = "1737291"

// PromQL replaces Grafana variables so that the query parses: built-in ones by a duration of a day
// or more, others by [Chosen].
func PromQL(query string) string { return fillIn(query, Chosen) }

func fillIn(query, chosen string) string {
	return grafanaVariable.ReplaceAllStringFunc(query, func(v string) string {
		if builtIn(v) {
			return builtInValue(variableName(v))
		}
		return chosen
	})
}

// builtInValue returns a duration, or a number for variables with a unit, such as $__range_s.
// Different variables have different values, as in Grafana.
func builtInValue(name string) string {
	switch {
	case name == "__from":
		return Chosen + "000000"
	case name == "__to":
		return Chosen + "086400"
	case strings.HasSuffix(name, "_s"), strings.HasSuffix(name, "_ms"):
		const digits = 100
		return fmt.Sprintf("%s%02d", Chosen, hash(name)%digits)
	}
	return strconv.FormatInt(builtInInterval(name).Milliseconds(), 10) + "ms"
}

// builtInInterval returns a duration longer than any scrape interval, since Grafana derives the value
// from that of the data source.
func builtInInterval(name string) time.Duration {
	const day, hour = 24 * time.Hour, 3_600_000
	return day + time.Duration(hash(name)%hour)*time.Millisecond
}

func hash(name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return h.Sum32()
}

func variableName(v string) string {
	name, _, _ := strings.Cut(strings.Trim(v, "${}[]"), ":")
	return name
}

func builtIn(v string) bool {
	name := variableName(v)
	return strings.HasPrefix(name, "__") && name != "__all"
}

// quoted matches a string in a query.
var quoted = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|`[^`]*`")

// WithoutTexts replaces the strings of a query by blanks of the same length.
func WithoutTexts(query string) string {
	return quoted.ReplaceAllStringFunc(query, func(text string) string { return strings.Repeat(" ", len(text)) })
}

// Free reports whether a variable outside of strings may replace any part of the query, so that it
// is unknown whether it parses.
func Free(query string) bool {
	return slices.ContainsFunc(grafanaVariable.FindAllString(WithoutTexts(query), -1), func(v string) bool { return !builtIn(v) })
}

// labelList matches a list of labels without nested brackets.
var labelList = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)`)

// matcherVariables matches variables in place of label matchers.
var matcherVariables = regexp.MustCompile(`[{,]\s*(?:` + grafanaVariable.String() + `)(?:\s*,\s*(?:` + grafanaVariable.String() + `))*\s*[,}]`)

// WithMatchers is PromQL, but replaces variables in place of label matchers by a matcher.
func WithMatchers(query string) string {
	return PromQL(matcherVariables.ReplaceAllStringFunc(query, func(list string) string {
		return grafanaVariable.ReplaceAllLiteralString(list, chosenName+`="`+Chosen+`"`)
	}))
}

// ParsePromQL parses a query with Grafana variables. It tries to replace them by numbers, those in
// lists of labels by names, all by names, and those between matchers by matchers.
func ParsePromQL(query string) (parser.Expr, error) {
	tree, err := promql.Parse(PromQL(query))
	if err == nil {
		return tree, nil
	}
	if !Free(query) {
		return nil, err // the parser may return a partial tree with an error
	}
	grouped := labelList.ReplaceAllStringFunc(query, func(list string) string { return fillIn(list, chosenName) })
	for _, filled := range []string{PromQL(grouped), fillIn(query, chosenName), WithMatchers(grouped)} {
		if tree, errNames := promql.Parse(filled); errNames == nil {
			return tree, nil
		}
	}
	return nil, err
}

// chosenName is the placeholder for a name.
const chosenName = "v" + Chosen

// WithVariables replaces the placeholders of [ParsePromQL] in a message by the variables of the
// query, or by … if it has several variables that are not built-in.
func WithVariables(message, query string) string {
	variables := grafanaVariable.FindAllString(query, -1)
	var replaced []string // values of built-in variables first, since they begin with Chosen
	for _, v := range variables {
		if !builtIn(v) {
			continue
		}
		name := variableName(v)
		replaced = append(replaced, model.Duration(builtInInterval(name)).String(), v)
		for _, unit := range []string{"s", "ms"} { // as in [${__range_s}s], which the parser writes in days
			if d, err := time.ParseDuration(builtInValue(name) + unit); err == nil {
				replaced = append(replaced, model.Duration(d).String(), "${"+name+"}"+unit)
			}
		}
		replaced = append(replaced, builtInValue(name), v)
	}
	variables = slices.DeleteFunc(variables, builtIn)
	slices.Sort(variables)
	shown := "…"
	if variables = slices.Compact(variables); len(variables) == 1 {
		shown = variables[0]
	}
	if len(variables) > 0 { // the parser quotes the first character of a placeholder
		replaced = append(replaced, "inside braces: '"+Chosen[:1]+"'", "inside braces: '"+shown+"'")
	}
	return strings.NewReplacer(append(replaced, chosenName, shown, Chosen, shown)...).Replace(message)
}

// Varies reports whether a part of a query from [PromQL] depends on a variable.
func Varies(text string) bool { return strings.Contains(text, Chosen) }

// queryFunction matches the query of a variable.
var queryFunction = regexp.MustCompile(`(?s)^\s*(label_values|query_result|label_names|metrics)\s*\((.*)\)\s*$`)

// variableLabel matches the arguments of label_values: an optional query and a label.
var variableLabel = regexp.MustCompile(`(?s)^(?:(.*),)?\s*([A-Za-z_][A-Za-z0-9_]*)\s*$`)

// PromQL returns the query of a variable as PromQL, and the label whose values it lists. Both may be
// empty.
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
