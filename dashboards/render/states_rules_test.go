package render_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/dashboards/render"
)

// unreadable matches what is not for a reader: a number that is none or is cut, a set of labels, or a variable.
var unreadable = regexp.MustCompile(`^-?[0-9.,]+[^/]*…|NaN|undefined|Inf\b|∞|null|<no value>|\{[a-z_]+="|\$\{?[a-z_]|[a-z]+_[a-z]+="`)

// smallestPlot is the part of a graph's panel that its plot has at least.
const smallestPlot = .4

// contents returns what is wrong with the texts, tables, legends and axes of a picture.
func contents(p *render.Picture) []string {
	var out []string
	report := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	for _, place := range p.Places() {
		for _, s := range p.Shown(place.Title) {
			for _, text := range s.Texts {
				if unreadable.MatchString(text.Text) && (place.Kind != "heatmap" || text.Text != "+Inf") { // a bound
					report("%s: %s %q", place.Title, text.Class, text.Text)
				}
			}
			if place.Kind == "timeseries" && len(s.Axes) > 0 && place.Plot < smallestPlot*place.Height {
				report("%s: the plot has %.0f %% of the panel", place.Title, 100*place.Plot/place.Height)
			}
			if strings.Contains(place.Title, "top 10") && max(len(s.Series), len(s.Rows)) > 10 && place.Kind != "table" || len(s.Rows) > 12 {
				report("%s: %d lines, %d rows", place.Title, len(s.Series), len(s.Rows))
			}
			if place.Kind != "heatmap" { // its axis is that of the counts
				out = append(out, scales(place.Title, s)...)
			}
			out = append(out, order(place.Title, s)...)
			if strings.HasPrefix(place.Title, "Routes") || strings.HasPrefix(place.Title, "Budget spent") {
				for _, text := range s.Of("cell") {
					if strings.Contains(text.Text, "…") {
						report("%s: %q is cut", place.Title, text.Text)
					}
				}
			}
			if names := slices.Sorted(slices.Values(s.Series)); len(slices.Compact(names)) < len(s.Series) && place.Kind == "timeseries" {
				report("%s: names are not unique: %q", place.Title, s.Series)
			}
		}
	}
	return out
}

// bounded reports whether all values of a panel are from 0 to 100 %.
func bounded(title string) bool {
	title = strings.ToLower(title)
	return (strings.Contains(title, "ratio") || strings.Contains(title, "utilization") || strings.Contains(title, "coverage") || title == "routes (5m, top 10)") &&
		!strings.Contains(title, "budget")
}

func scales(title string, s render.Shown) []string {
	var out []string
	for _, a := range s.Axes {
		const page = 14.4
		if title == "Burn rate by window" && a.High < page {
			out = append(out, fmt.Sprintf("%s: the axis ends at %g, below the threshold of a page", title, a.High))
		}
		const ofZeros, aboveAll = 100, 1.11 // Grafana's axes of a graph of zeros, and of one whose largest value is 1
		if a.High <= a.Low || a.Low == 0 && a.High == ofZeros || bounded(title) && (a.Low < 0 || a.High > aboveAll) {
			out = append(out, fmt.Sprintf("%s: axis from %g to %g", title, a.Low, a.High))
		}
	}
	if !bounded(title) {
		return out
	}
	for _, text := range s.Texts {
		if v, ok := percent(text.Text); ok && (v < 0 || v > 100) {
			out = append(out, fmt.Sprintf("%s: %s", title, text.Text))
		}
	}
	return out
}

func percent(text string) (float64, bool) {
	number, ok := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(number), ",", ""), 64)
	return v, ok && err == nil
}

// sorted are the columns by which tables are sorted.
func sorted() map[string][]int {
	return map[string][]int{"Routes (5m, top 10)": {5, 2}, "Highest utilization (5m)": {2}, "Budget spent by route": {1}, "Budget spent by version": {1}, "All SLOs": {6}}
}

// order reports a table that is not sorted: by the first of its columns that has values.
func order(title string, s render.Shown) []string {
	for _, column := range sorted()[title] {
		var values []float64
		for _, row := range s.Rows {
			number, _, _ := strings.Cut(strings.TrimSuffix(row[column].Text, "%"), " ")
			if v, err := strconv.ParseFloat(number, 64); err == nil {
				values = append(values, -v)
			}
		}
		if !slices.IsSorted(values) {
			return []string{fmt.Sprintf("%s: column %d is not sorted: %v", title, column, values)}
		}
		if len(values) > 0 {
			return nil
		}
	}
	return nil
}
