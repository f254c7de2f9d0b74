package render

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

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
	for i, v := range r.dashboard.Templating.List {
		given := r.options.Variables[v.Name]
		if len(given) > 0 && given[0] != all {
			values[v.Name] = given
			continue
		}
		options, err := r.optionsOf(ctx, v, file.Variables[i], values)
		if err != nil {
			r.report("variable "+v.Name, err.Error())
		}
		selected := v.choose(options, len(given) > 0)
		if n := len(selected); n > maxValuesUsed {
			r.report("variable "+v.Name, fmt.Sprintf("%d values are selected; the first %d are used", n, maxValuesUsed))
			selected = selected[:maxValuesUsed]
		}
		values[v.Name] = selected
	}
	for name := range r.options.Variables {
		if _, ok := values[name]; !ok || !slices.ContainsFunc(r.dashboard.Templating.List, func(v variable) bool { return v.Name == name }) {
			r.report("variable "+name, "the dashboard has no such variable")
		}
	}
	return values
}

// optionsOf returns what a variable can be.
func (r *renderer) optionsOf(ctx context.Context, v variable, file dashboardfile.Variable, before chosen) ([]string, error) {
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
	return nil, fmt.Errorf("type %s is not supported; set a value with --var %s=VALUE", v.Type, v.Name)
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
	filled, unknown, err := fillQuery(expr, r.filler(before, r.plain(), Prometheus))
	if err != nil {
		return nil, err
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("it uses $%s, which has no value before it; variables may not form a loop", strings.Join(unknown, ", $"))
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
	return v.ordered(values, r.limits.done), nil
}

// ordered filters and sorts the values of a query as the variable says.
func (v variable) ordered(values []string, done func() bool) []string {
	values = slices.Clone(values) // those of a snapshot are shared
	if pattern, err := grafana.Regexp(v.Regex); err == nil && v.Regex != "" {
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
	})
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

// minInterval is Grafana's default scrape interval of a Prometheus data source.
const minInterval = 15 * time.Second

func (r *renderer) scrapeInterval() time.Duration {
	if r.options.ScrapeInterval > 0 {
		return min(r.options.ScrapeInterval, maxInterval)
	}
	return minInterval
}

// timing is what the built-in variables of a query depend on: the distance of its points and the scrape
// interval, which a query or a panel may raise.
type timing struct{ step, scrape time.Duration }

// plain is the timing of texts.
func (r *renderer) plain() timing { return timing{r.scrapeInterval(), r.scrapeInterval()} }

// filler returns the values of the variables and of Grafana's own. Store chooses the format of several
// values; empty is for texts of panels.
func (r *renderer) filler(values chosen, t timing, store string) func(name, format string) (string, bool) {
	span := r.options.To.Sub(r.options.From)
	whole := strconv.Itoa(int(math.Round(span.Seconds())))
	own := map[string]string{
		"__interval": promDuration(t.step), "__interval_ms": strconv.FormatInt(t.step.Milliseconds(), 10), "__auto": promDuration(t.step),
		"__rate_interval": promDuration(max(t.step+t.scrape, 4*t.scrape)),
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
		if v.Name == name {
			several = (v.Multi || v.IncludeAll) && !slices.Equal(values, []string{v.AllValue})
		}
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

func promDuration(d time.Duration) string { return model.Duration(d).String() }

// maxPoints is the number of points that Prometheus returns at most for a series.
const maxPoints = 11_000

// stepOf returns the distance of points in a graph of a width in pixels: Grafana's rounded interval, not
// shorter than the least one.
func stepOf(span time.Duration, pixels float64, least time.Duration) time.Duration {
	if pixels < 1 {
		pixels = 1
	}
	s := rounded(time.Duration(float64(span) / pixels))
	if safe := rounded(span / maxPoints); span/max(s, 1) > maxPoints {
		s = safe
	}
	return max(s, least)
}

// rounded rounds an interval as Grafana does: to the length in the second column if it is at most the
// first.
func rounded(d time.Duration) time.Duration {
	const day = 24 * time.Hour
	for _, r := range [][2]time.Duration{
		{10 * time.Millisecond, time.Millisecond}, {15 * time.Millisecond, 10 * time.Millisecond}, {35 * time.Millisecond, 20 * time.Millisecond},
		{75 * time.Millisecond, 50 * time.Millisecond}, {150 * time.Millisecond, 100 * time.Millisecond}, {350 * time.Millisecond, 200 * time.Millisecond},
		{750 * time.Millisecond, 500 * time.Millisecond}, {1500 * time.Millisecond, time.Second}, {3500 * time.Millisecond, 2 * time.Second},
		{7500 * time.Millisecond, 5 * time.Second}, {12500 * time.Millisecond, 10 * time.Second}, {17500 * time.Millisecond, 15 * time.Second},
		{25 * time.Second, 20 * time.Second}, {45 * time.Second, 30 * time.Second}, {90 * time.Second, time.Minute}, {210 * time.Second, 2 * time.Minute},
		{450 * time.Second, 5 * time.Minute}, {750 * time.Second, 10 * time.Minute}, {1050 * time.Second, 15 * time.Minute},
		{1500 * time.Second, 20 * time.Minute}, {2700 * time.Second, 30 * time.Minute}, {5400 * time.Second, time.Hour}, {9000 * time.Second, 2 * time.Hour},
		{16200 * time.Second, 3 * time.Hour}, {32400 * time.Second, 6 * time.Hour}, {86400 * time.Second, 12 * time.Hour},
		{7 * day, day}, {21 * day, 7 * day}, {42 * day, 30 * day},
	} {
		if d <= r[0] {
			return r[1]
		}
	}
	return 365 * day
}
