package render

import (
	"fmt"
	"slices"
	"strings"
	"time"

	alerts "github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/dashboards/render/internal/grafana"
)

// logs draws lines.
func (r *renderer) logs(d *drawing, b box, data panelData) {
	var o logOptions
	d.panel.options(&o)
	lines := slices.Clone(data.lines)
	slices.SortStableFunc(lines, func(a, b Line) int { return b.Time.Compare(a.Time) })
	if o.SortOrder == "Ascending" {
		slices.Reverse(lines)
	}
	if len(lines) == 0 {
		r.noData(d, b)
		return
	}
	s := style{size: 12, mono: true, color: r.theme.Text, class: "log"}
	y, cut := b.y, 0
	for _, l := range lines {
		text := l.Text
		if o.ShowTime {
			text = l.Time.In(r.options.Location).Format(time.DateTime) + " " + text
		}
		if o.ShowLabels {
			text += " " + labelText(l.Labels)
		}
		if y+18 > b.bottom()+1 {
			cut++
			continue
		}
		parts := []string{text}
		if o.WrapLogMessage {
			parts = wrap(text, b.w-12, s)
		}
		d.canvas.rect(box{b.x, y + 2, 3, float64(len(parts))*18 - 4}, levelColor(l, r.theme))
		for _, part := range parts {
			if y+18 <= b.bottom()+1 {
				d.canvas.text(b.x+10, y+13, b.w-10, part, s)
			}
			y += 18
		}
	}
	r.hidden(d, count(cut, "line"))
	d.facts.Cut += cut
}

// levelColor is the color of a line's level.
func levelColor(l Line, t grafana.Theme) string {
	level := ""
	for _, name := range []string{"detected_level", "level", "severity"} {
		if level == "" {
			level = strings.ToLower(l.Labels[name])
		}
	}
	switch {
	case strings.HasPrefix(level, "err"), level == "fatal", level == "critical":
		return t.Color("red")
	case strings.HasPrefix(level, "warn"):
		return t.Color("orange")
	case level == "info":
		return t.Color("green")
	case level == "debug":
		return t.Color("blue")
	}
	return t.TextSecondary
}

func labelText(labels map[string]string) string {
	m := model.Metric{}
	for name, value := range labels {
		m[model.LabelName(name)] = model.LabelValue(value)
	}
	return m.String()
}

// traces draws a table of traces.
func (r *renderer) traces(d *drawing, b box, data panelData) {
	if len(data.traces) == 0 {
		r.noData(d, b)
		return
	}
	traces := slices.Clone(data.traces)
	slices.SortStableFunc(traces, func(a, b Trace) int { return b.Start.Compare(a.Start) })
	ids, names := &grafana.Field{Name: "Trace ID", Type: grafana.String}, &grafana.Field{Name: "Name", Type: grafana.String}
	starts := &grafana.Field{Name: "Start time", Type: grafana.Time}
	durations := &grafana.Field{Name: "Duration", Type: grafana.Number}
	for _, t := range traces {
		ids.Strings, names.Strings = append(ids.Strings, t.ID), append(names.Strings, strings.TrimSpace(t.Service+" "+t.Name))
		starts.Values, durations.Values = append(starts.Values, float64(t.Start.UnixMilli())), append(durations.Values, t.Duration.Seconds())
	}
	data.frames = []*grafana.Frame{{Fields: []*grafana.Field{ids, starts, names, durations}}}
	d.panel.FieldConfig = grafana.FieldConfig{Overrides: []grafana.Override{{
		Matcher:    grafana.Matcher{ID: "byName", Options: []byte(`"Duration"`)},
		Properties: []grafana.Property{{ID: "unit", Value: []byte(`"s"`)}},
	}}}
	r.table(d, b, data)
}

// alertList draws alerts.
func (r *renderer) alertList(d *drawing, b box, data panelData) {
	o := alertOptions{ // the defaults of the panel
		StateFilter: map[string]bool{"firing": true, "pending": true, "recovering": true, "error": true}, MaxItems: 20, SortOrder: 1,
	}
	d.panel.options(&o)
	selected, err := r.selectAlerts(data.alerts, o)
	if err != nil {
		r.report("panel "+d.panel.Title, err.Error())
		r.message(d.canvas, b, errorText(err), r.theme.Error)
		return
	}
	if len(selected) == 0 {
		r.message(d.canvas, b, "No alerts matching filters", r.theme.TextSecondary)
		return
	}
	const height = 46.0
	y, cut := b.y, 0
	for _, a := range selected {
		d.facts.Series = append(d.facts.Series, a.Name)
		if y+height > b.bottom()+1 {
			cut++
			continue
		}
		color := r.theme.Color("red")
		if a.State == "pending" {
			color = r.theme.Color("orange")
		}
		d.canvas.rect(box{b.x, y, b.w, height - 4}, r.theme.Unfilled, "rx", "2")
		d.canvas.rect(box{b.x, y, 4, height - 4}, color)
		d.canvas.text(b.x+12, y+17, b.w-20, a.Name, style{size: 13, color: r.theme.Text, class: "alert"})
		state := strings.ToUpper(a.State[:1]) + a.State[1:]
		if !a.Since.IsZero() {
			state += " for " + promDuration(r.options.To.Sub(a.Since).Truncate(time.Second))
		}
		d.canvas.text(b.x+12, y+34, b.w-20, state+"  "+a.instances(), style{size: 11, color: r.theme.TextSecondary, class: "alert"})
		y += height
	}
	r.hidden(d, count(cut, "alert"))
	d.facts.Cut += cut
}

// selectAlerts returns the alerts that the options select. As in Grafana, a variable in the data source
// is not replaced, so that it selects none.
func (r *renderer) selectAlerts(list []Alert, o alertOptions) ([]alertRule, error) {
	if strings.Contains(o.Datasource, "$") {
		return nil, nil
	}
	filter := r.text(o.LabelFilter)
	name := r.text(o.AlertName)
	matches := func(Alert) bool { return true }
	if strings.TrimSpace(filter) != "" {
		matchers, err := alerts.ParseMatchers(filter)
		if err != nil {
			return nil, fmt.Errorf("label filter %q: %w", filter, err)
		}
		matches = func(a Alert) bool {
			labels := model.LabelSet{}
			for n, v := range a.Labels {
				labels[model.LabelName(n)] = model.LabelValue(v)
			}
			return alerts.Matchers(matchers).Matches(labels)
		}
	}
	out := rulesOf(slices.DeleteFunc(slices.Clone(list), func(a Alert) bool {
		return !o.StateFilter[a.State] || !strings.Contains(strings.ToLower(a.Name), strings.ToLower(name)) || !matches(a) || a.State == ""
	}))
	slices.SortStableFunc(out, func(a, b alertRule) int {
		switch o.SortOrder {
		case 1: // alphabetical
			return strings.Compare(a.Name, b.Name)
		case 2:
			return strings.Compare(b.Name, a.Name)
		case 4: // oldest first
			return a.Since.Compare(b.Since)
		case 5:
			return b.Since.Compare(a.Since)
		}
		return importance(a) - importance(b)
	})
	if o.MaxItems > 0 && len(out) > o.MaxItems {
		out = out[:o.MaxItems]
	}
	return out, nil
}

// alertRule is a row: an alert with its instances, firing if one of them is.
type alertRule struct {
	Alert
	count int
}

func (a alertRule) instances() string {
	return count(a.count, "instance")
}

// rulesOf joins the instances of each alert.
func rulesOf(list []Alert) []alertRule {
	var out []alertRule
	byName := map[string]int{}
	for _, a := range list {
		i, ok := byName[a.Name]
		if !ok {
			byName[a.Name] = len(out)
			out = append(out, alertRule{a, 1})
			continue
		}
		out[i].count++
		if a.State == "firing" {
			out[i].State = a.State
		}
		if a.Since.Before(out[i].Since) {
			out[i].Since = a.Since
		}
	}
	return out
}

func importance(a alertRule) int {
	if a.State == "firing" {
		return 0
	}
	return 1
}
