package render

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
)

// all is the value of a variable that selects every option.
const all = "$__all"

// chosen are the values of the variables.
type chosen map[string][]string

// variables chooses a value for each variable: the given one, else the one that the dashboard has
// selected, else the first option.
func (r *renderer) variables(ctx context.Context, file dashboardfile.Dashboard) chosen {
	values := chosen{}
	for _, i := range inOrder(file.Variables) {
		v := r.dashboard.Templating.List[i]
		given := r.options.Variables[v.Name]
		if len(given) > 0 && given[0] != all {
			values[v.Name] = given
			continue
		}
		options, err := r.valuesOf(ctx, v, file.Variables[i], values)
		if err != nil {
			r.report("variable "+v.Name, err.Error())
		}
		selected := v.choose(options, len(given) > 0)
		if n := len(selected); n > maxValuesUsed {
			r.report("variable "+v.Name, fmt.Sprintf("%d values are selected; the first %d are used", n, maxValuesUsed))
			selected = selected[:maxValuesUsed]
		}
		values[v.Name] = selected
		if v.AllValue != "" && slices.Equal(values[v.Name], []string{v.AllValue}) {
			r.everything[v.Name] = options
		}
	}
	for name := range r.options.Variables {
		if _, ok := values[name]; !ok || !slices.ContainsFunc(r.dashboard.Templating.List, func(v variable) bool { return v.Name == name }) {
			r.report("variable "+name, "the dashboard has no such variable")
		}
	}
	return values
}

// inOrder returns the indexes of variables so that one comes after those that its query uses, as in Grafana. Those
// that form a loop come last. More than a large dashboard has keep their order, since sorting takes long.
func inOrder(variables []dashboardfile.Variable) []int {
	const most = 200
	var order, left []int
	for i := range variables {
		left = append(left, i)
	}
	if len(left) > most {
		return left
	}
	uses := make([][]string, len(variables))
	for _, i := range left {
		dashboardfile.Fill(variables[i].Query, func(name, _ string) (string, bool) {
			uses[i] = append(uses[i], name)
			return "", true
		})
		slices.Sort(uses[i])
		uses[i] = slices.Compact(uses[i])
	}
	for len(left) > 0 {
		waiting := map[string]bool{}
		for _, i := range left {
			waiting[variables[i].Name] = true
		}
		next := slices.IndexFunc(left, func(i int) bool {
			return !slices.ContainsFunc(uses[i], func(name string) bool { return waiting[name] && name != variables[i].Name })
		})
		next = max(next, 0)
		order, left = append(order, left[next]), slices.Delete(left, next, next+1)
	}
	return order
}

// valuesOf returns the values that a variable can have.
func (r *renderer) valuesOf(ctx context.Context, v variable, file dashboardfile.Variable, before chosen) ([]string, error) {
	switch v.Type {
	case "datasource":
		return []string{file.Query}, nil
	case "custom", "interval":
		return customOptions(file.Query), nil
	case "constant", "textbox":
		return []string{file.Query}, nil
	case "query":
		return r.queried(ctx, v, file, before)
	}
	return nil, nil // [Unsupported] reports it
}

// customOptions parses "a, b, Text : c".
func customOptions(query string) []string {
	var out []string
	for part := range strings.SplitSeq(query, ",") {
		if _, value, named := strings.Cut(part, " : "); named {
			part = value
		}
		out = append(out, strings.TrimSpace(part))
	}
	return out
}

func (r *renderer) queried(ctx context.Context, v variable, file dashboardfile.Variable, before chosen) ([]string, error) {
	expr, label := file.PromQL()
	if expr == "" && label == "" {
		return nil, fmt.Errorf("query %q is not supported; use label_values(metric, label)", file.Query)
	}
	filled, err := r.interpolate(expr, before, r.plain(), Prometheus, "declare it; two variables may not use each other")
	if err != nil {
		return nil, err
	}
	kind := Values
	if label == "" {
		kind = Instant
	}
	result, err := r.run(ctx, Query{Store: Prometheus, Kind: kind, Expr: filled, Label: label})
	if err != nil {
		return nil, err
	}
	values := result.Values
	for _, s := range result.Series {
		values = append(values, s.Metric.String())
	}
	return v.ordered(values, r.limits.done)
}

// interpolate replaces the variables in a query of a store. Advice says what to do if one has no value.
func (r *renderer) interpolate(text string, values chosen, t timing, store, advice string) (string, error) {
	filled, unknown, err := fillQuery(text, r.filler(values, t, store))
	if err != nil {
		return "", err
	}
	if len(unknown) > 0 {
		return "", fmt.Errorf("$%s has no value; %s", strings.Join(unknown, ", $"), advice)
	}
	return filled, nil
}

// setVariable is the advice for queries of panels and annotations.
const setVariable = "declare the variable, or set it with --var"

// ordered filters and sorts the values of a query as the variable says. Without a valid pattern it returns all
// and an error.
func (v variable) ordered(values []string, done func() bool) ([]string, error) {
	values = slices.Clone(values) // those of a snapshot are shared
	pattern, err := grafana.Regexp(v.Regex)
	var invalid *syntax.Error
	switch {
	case errors.As(err, &invalid):
		err = fmt.Errorf("regex %q is not valid: %s; all values are used", v.Regex, invalid.Code)
	case v.Regex != "":
		var kept []string
		for _, value := range values {
			if done() {
				break
			}
			if m := pattern.FindStringSubmatch(cut(value, maxName)); m != nil {
				kept = append(kept, m[min(1, len(m)-1)])
			}
		}
		values = kept
	}
	compare := map[int]func(a, b string) int{
		1: strings.Compare, 2: strings.Compare, 3: byNumber, 4: byNumber,
		5: byLetter, 6: byLetter,
	}[v.Sort]
	if compare != nil {
		slices.SortStableFunc(values, compare)
		if v.Sort%2 == 0 { // descending
			slices.Reverse(values)
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(values, func(value string) bool {
		before := seen[value]
		seen[value] = true
		return before
	}), err
}

// firstNumber matches the number by which options are sorted.
var firstNumber = regexp.MustCompile(`\d+(?:\.\d+)?`)

func byNumber(a, b string) int {
	number := func(s string) float64 {
		n, err := strconv.ParseFloat(firstNumber.FindString(s), 64)
		if err != nil {
			return -1 // those without a number come first
		}
		return n
	}
	return cmp.Compare(number(a), number(b))
}

func byLetter(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) }

// choose returns the selected values that exist, else all or the first. Everything ignores the selection.
func (v variable) choose(options []string, everything bool) []string {
	var selected []string
	if json.Unmarshal(v.Current.Value, &selected) != nil {
		var one string
		if json.Unmarshal(v.Current.Value, &one) == nil && one != "" {
			selected = []string{one}
		}
	}
	known := make(map[string]bool, len(options))
	for _, option := range options {
		known[option] = true
	}
	exists := func(value string) bool {
		return known[value] || v.Type == "textbox" || v.Type == "constant"
	}
	if !everything && len(selected) > 0 && selected[0] != all && slices.ContainsFunc(selected, exists) {
		return slices.DeleteFunc(selected, func(value string) bool { return !exists(value) })
	}
	switch {
	case v.IncludeAll && v.AllValue != "":
		return []string{v.AllValue}
	case v.IncludeAll:
		return options
	case len(options) > 0:
		return options[:1]
	}
	return nil
}

// filler returns the values of the variables and of Grafana's own. Store chooses the format of several
// values; empty is for texts of panels.
func (r *renderer) filler(values chosen, t timing, store string) func(name, format string) (string, bool) {
	span := r.options.To.Sub(r.options.From)
	whole := strconv.Itoa(int(math.Round(span.Seconds())))
	own := map[string]string{
		"__interval": promDuration(t.step), "__interval_ms": strconv.FormatInt(t.step.Milliseconds(), 10), "__auto": promDuration(t.step),
		"__rate_interval": promDuration(t.rate),
		"__range":         whole + "s", "__range_s": whole, "__range_ms": strconv.FormatInt(span.Milliseconds(), 10),
		"__from": strconv.FormatInt(r.options.From.UnixMilli(), 10), "__to": strconv.FormatInt(r.options.To.UnixMilli(), 10),
		"__dashboard": r.dashboard.Title,
	}
	return func(name, format string) (string, bool) {
		if value, ok := own[name]; ok {
			return value, true
		}
		selected, ok := values[name]
		return r.formatted(name, selected, format, store), ok
	}
}

// formatted joins the values of a variable.
func (r *renderer) formatted(name string, values []string, format, store string) string {
	if len(values) == 0 {
		return ""
	}
	several := false // whether the variable can have several values, even if it has one
	for _, v := range r.dashboard.Templating.List {
		if v.Name != name {
			continue
		}
		if v.IncludeAll && slices.Equal(values, []string{v.AllValue}) { // an expression, which Grafana does not escape
			if format == "text" {
				return "All"
			}
			return v.AllValue
		}
		several = v.Multi || v.IncludeAll
	}
	switch {
	case format == "csv", format == "text", format == "raw":
		return strings.Join(values, ",")
	case format == "pipe", format == "" && store == Tempo:
		return strings.Join(values, "|")
	case format == "regex", format == "" && several && (store == Prometheus || store == Loki):
		return alternatives(values, store == Loki)
	case format == "" && (store == Prometheus || store == Loki):
		return strings.Join(values, ",")
	case format != "" && format != "glob":
		r.report("${"+name+":"+format+"}", "the format is not supported; the values are joined as in ${"+name+"}")
	}
	return glob(values)
}

// alternatives formats values for a regular expression in a string of a query. Loki's have no parentheses.
func alternatives(values []string, bare bool) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strings.ReplaceAll(regexp.QuoteMeta(v), `\`, `\\`)
	}
	if len(values) == 1 || bare {
		return strings.Join(quoted, "|")
	}
	return "(" + strings.Join(quoted, "|") + ")"
}

// glob is how Grafana formats values where neither the text nor the data source chooses a format: several
// of them match nothing in a regular expression.
func glob(values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	return "{" + strings.Join(values, ",") + "}"
}
