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

// grafanaVariable is $name, ${name}, ${name:format} or [[name]].
var grafanaVariable = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_.]*(:[^}]*)?\}|\$[A-Za-z_][A-Za-z0-9_]*|\[\[[A-Za-z_][A-Za-z0-9_]*(:[^\]]*)?\]\]`)

// Chosen stands for what a reader of the dashboard chooses. As a number it may stand
// anywhere in PromQL, inside of a text too, and nobody would write it.
const Chosen = "1737291"

// PromQL puts a value for each variable of Grafana, so that the query parses:
// for the built-in ones a time range of a day or more, else [Chosen].
func PromQL(query string) string { return fillIn(query, Chosen) }

func fillIn(query, chosen string) string {
	return grafanaVariable.ReplaceAllStringFunc(query, func(v string) string {
		if builtIn(v) {
			return builtInValue(variableName(v))
		}
		return chosen
	})
}

// builtInValue is an interval, or a number that varies where the variable has a unit: $__range_s is
// in seconds, the ends of the time range in milliseconds. Variables have different values, since
// Grafana gives them different ones.
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

// builtInInterval is longer than any between two samples, since Grafana derives it from the scrape
// interval of the data source.
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

// quoted is a text in a query.
var quoted = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'|`[^`]*`")

// WithoutTexts replaces the texts of a query by blanks of the same length.
func WithoutTexts(query string) string {
	return quoted.ReplaceAllStringFunc(query, func(text string) string { return strings.Repeat(" ", len(text)) })
}

// Free says whether a variable outside of texts may stand for any part of the
// query, so that nobody knows whether it parses.
func Free(query string) bool {
	return slices.ContainsFunc(grafanaVariable.FindAllString(WithoutTexts(query), -1), func(v string) bool { return !builtIn(v) })
}

// labelList is a list of labels without other brackets in it.
var labelList = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)`)

// matcherVariables are variables that stand for label matchers.
var matcherVariables = regexp.MustCompile(`[{,]\s*(?:` + grafanaVariable.String() + `)(?:\s*,\s*(?:` + grafanaVariable.String() + `))*\s*[,}]`)

// WithMatchers is PromQL with a matcher for each variable that stands between matchers.
func WithMatchers(query string) string {
	return PromQL(matcherVariables.ReplaceAllStringFunc(query, func(list string) string {
		return grafanaVariable.ReplaceAllLiteralString(list, chosenName+`="`+Chosen+`"`)
	}))
}

// ParsePromQL reads a query with the variables of Grafana in it, each taken for a
// number, those in lists of labels for names, all of them for names, or those between matchers for a
// matcher.
func ParsePromQL(query string) (parser.Expr, error) {
	tree, err := promql.Parse(PromQL(query))
	if err == nil {
		return tree, nil
	}
	if !Free(query) {
		return nil, err // the parser gives a part of the tree beside an error
	}
	grouped := labelList.ReplaceAllStringFunc(query, func(list string) string { return fillIn(list, chosenName) })
	for _, filled := range []string{PromQL(grouped), fillIn(query, chosenName), WithMatchers(grouped)} {
		if tree, errNames := promql.Parse(filled); errNames == nil {
			return tree, nil
		}
	}
	return nil, err
}

// chosenName stands for what a reader chooses where PromQL has a name.
const chosenName = "v" + Chosen

// WithVariables replaces what [ParsePromQL] put into a query in a message about it:
// built-in variables by themselves, others by the variable if the query has one, else by three dots.
func WithVariables(message, query string) string {
	variables := grafanaVariable.FindAllString(query, -1)
	var replaced []string // the value of a built-in variable begins with Chosen, so it is first
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
	if len(variables) > 0 { // the parser quotes the first character of what stands for one
		replaced = append(replaced, "inside braces: '"+Chosen[:1]+"'", "inside braces: '"+shown+"'")
	}
	return strings.NewReplacer(append(replaced, chosenName, shown, Chosen, shown)...).Replace(message)
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
