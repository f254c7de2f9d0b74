package dashboards

import (
	"errors"
	"fmt"
	"strings"
)

// Dashboard is one dashboard of a service, or of all.
type Dashboard struct {
	scope       Scope
	name        string // overview
	title       string
	description string
	variables   []variable
	rows        []Row
}

// New returns a dashboard. Its name is a DNS label, unique within the service and part
// of its address: renaming it breaks links. [Dashboard.JSON] reports invalid rows.
func New(s Scope, name, title, description string, rows ...Row) Dashboard {
	return Dashboard{scope: s, name: name, title: title, description: description, variables: s.variables(), rows: rows}
}

// Name returns the name of the dashboard's file without .json, such as orders-overview; overview of a shared one.
func (d Dashboard) Name() string {
	if d.scope.shared {
		return d.name
	}
	return d.scope.spec.Service + "-" + d.name
}

// UID returns the stable id of the dashboard, which is part of its address.
func (d Dashboard) UID() string { return d.scope.uid(d.name) }

// Title returns the title in the list of dashboards.
func (d Dashboard) Title() string {
	if d.scope.shared {
		return sharedTitle + " / " + d.title
	}
	return d.scope.spec.Service + " / " + d.title
}

// Row is a line of panels under a heading. Rows without a title have no heading; they come first.
type Row struct {
	Title string
	// Collapsed hides the panels until somebody opens the row. Their queries run only then.
	Collapsed bool
	// PerLine is the number of panels in one line, 0 for all of them.
	PerLine int
	// Height is in units of the grid, about 38 pixels each; 0 means the default of
	// the first panel's kind.
	Height int
	Panels []Panel
}

// Kind is the visualization of a panel.
type Kind string

// The kinds of panels, as Grafana names them.
const (
	Stat       Kind = "stat"
	TimeSeries Kind = "timeseries"
	BarGauge   Kind = "bargauge"
	Table      Kind = "table"
	Heatmap    Kind = "heatmap"
	Timeline   Kind = "state-timeline"
	Logs       Kind = "logs"
	FlameGraph Kind = "flamegraph"
	Text       Kind = "text"
	AlertList  Kind = "alertlist"
	Traces     Kind = "traces"
)

// Unit is the unit of the values, as Grafana names it.
type Unit string

// The units that panels use. Values are in base units; Grafana scales them.
const (
	Seconds           Unit = "s"
	Bytes             Unit = "bytes"
	BytesPerSecond    Unit = "Bps"
	Ratio             Unit = "percentunit" // 0 to 1, drawn as a percentage
	PerSecond         Unit = "ops"
	RequestsPerSecond Unit = "reqps"
	Count             Unit = "short"
	Factor            Unit = "none"
	NoUnit            Unit = "" // panels without numbers
)

// Panel is one panel of a dashboard.
type Panel struct {
	Title string
	Kind  Kind
	Unit  Unit
	// Shows says what the panel draws, Action what to do about a bad value. Together
	// they are the description.
	Shows, Action string
	Targets       []Target
	// Weight is the width of the panel relative to others of its line, 0 means 1.
	Weight int
	// Base is the color of values below all thresholds, green if it is empty.
	Base string
	// Thresholds color the values from each one up, lowest first.
	Thresholds []Threshold
	// Line draws the thresholds in a graph, Area what is between them.
	Line, Area bool
	Stack      bool
	// LogBase is the base of a logarithmic axis, 2 or 10; 0 is a linear axis.
	LogBase int
	// Max is the maximum of the axis, SoftMax the maximum as long as no value is above
	// it; 0 to follow the data. A graph of zeros needs one, or Grafana draws it on an axis
	// to 100.
	Max, SoftMax float64
	// Color is the color of the series, blue if it is empty. Series named by labels are from blue to purple by
	// their values, or from yellow to red if Color is [Warning] or [Failing].
	Color string
	// DistinctColors gives series named by labels colors that differ, where their values are alike.
	DistinctColors bool
	// Colors are fixed colors of series, by name.
	Colors map[string]string
	// Mappings replace values by texts.
	Mappings []ValueMapping
	// Columns are those of a table: labels, then the values of the targets, in their order.
	Columns []Column
	// SortBy is the title of the column that sorts a table, the largest value first. ThenBy sorts rows with equal values.
	SortBy, ThenBy string
	// LegendTable shows the last and the largest value of each series in the legend.
	LegendTable bool
	// NameOnly shows the legend of a stat and not its value, which only colors it.
	NameOnly bool
	// Range is the time range of the panel, up to now, such as 30d; empty for that of the
	// dashboard. Grafana ignores it if the dashboard has an absolute time range.
	Range string
	// Decimals is the number of decimals, 0 for Grafana's choice.
	Decimals int
	Links    []Link
	// EmptyUntil says until when the panel may have no data, such as "an alert
	// fires". If it is empty, the panel has data as soon as the service runs.
	EmptyUntil string
	// NoValue is the text instead of a missing value, "no data until ..." if it is empty.
	NoValue string
	// NoValueColor is its color, that of text if it is empty.
	NoValueColor string
	// Body is the Markdown of a text panel; Filter the labels of an alert list.
	Body, Filter string
	// signed allows values below zero; aside draws the legend on the right, where all its rows have room.
	signed, aside bool
}

// Threshold colors the values from a number up.
type Threshold struct {
	From  float64
	Color string
}

// ValueMapping is a text for a value.
type ValueMapping struct {
	Value float64
	Text  string
	Color string
}

// Column is a column of a table.
type Column struct {
	Title string
	// Label is set for a column of label values.
	Label string
	// The other fields are as in [Panel], of a column of numbers.
	Unit       Unit
	Decimals   int
	Base       string
	Thresholds []Threshold
	Mappings   []ValueMapping
	// Bar draws the numbers as bars up to 1, or up to the largest if Unbounded. Wrap draws long texts on several lines.
	Bar, Unbounded, Wrap bool
	// Width is in pixels, 0 to share what is left.
	Width int
	Link  Link
}

// Link is a link to another dashboard or page.
type Link struct{ Title, URL string }

// Source is the kind of data source of a query.
type Source string

// The data sources, as Grafana names their plugins.
const (
	Prometheus Source = "prometheus"
	Loki       Source = "loki"
	Tempo      Source = "tempo"
	Pyroscope  Source = "grafana-pyroscope-datasource"
)

// Target is one query of a panel.
type Target struct {
	Expr   Expr
	Source Source // empty for Prometheus
	Legend string // template such as {{http_route}}
	// Instant queries the last value only, as tables do.
	Instant bool
	// Interval is the least time between two points of a graph, empty for that of the data source.
	Interval string
	// Exemplars queries exemplars too. At most one target of a panel sets it.
	Exemplars bool
	// ProfileType is for Pyroscope; Expr is then a label selector.
	ProfileType string
	// Limit draws a dashed line above stacked series: the maximum of the others.
	Limit bool
	// past draws the same line for an earlier time.
	past bool
}

func (t Target) source() Source {
	if t.Source == "" {
		return Prometheus
	}
	return t.Source
}

// maxTargets is the number of letters for refIDs.
const maxTargets = 26

// refID returns the letter that Grafana has for the i-th target of a panel.
func refID(i int) string { return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i : i+1] }

// description returns the description of the panel. Its last sentence says until when
// the panel may be empty; package dashboardfile parses it.
func (p Panel) description() string {
	text := strings.TrimSpace(strings.Join([]string{p.Shows, p.Action}, "\n\n"))
	if p.EmptyUntil != "" {
		text += " Empty until " + p.EmptyUntil + "."
	}
	return text
}

// Query is one query of a dashboard.
type Query struct {
	Panel      string // title
	RefID      string
	Source     Source
	Expr       string // with Grafana's variables
	Instant    bool
	EmptyUntil string // see [Panel]
	Collapsed  bool   // it runs only if the row is opened
}

// Queries lists the queries of all panels in reading order, then those of annotations,
// whose Panel is "annotation " and their name.
func (d Dashboard) Queries() []Query {
	var out []Query
	for _, row := range d.rows {
		for _, p := range row.Panels {
			for i, t := range p.Targets {
				out = append(out, Query{
					Panel: p.Title, RefID: refID(i), Source: t.source(), Expr: string(t.Expr), Instant: t.Instant, EmptyUntil: p.EmptyUntil,
					Collapsed: row.Collapsed,
				})
			}
		}
	}
	for _, a := range d.scope.annotations() {
		out = append(out, Query{Panel: "annotation " + a.Name, RefID: refID(0), Source: Prometheus, Expr: a.Expr, EmptyUntil: a.emptyUntil})
	}
	return out
}

// check reports what Grafana would reject or not show.
func (d Dashboard) check() error {
	var errs []error
	problem := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("dashboard "+d.Name()+": "+format, args...))
	}
	seen := map[string]bool{}
	titled := false
	for _, row := range d.rows {
		if titled = titled || row.Title != ""; titled && row.Title == "" {
			problem("a row without a title is below one with a title")
		}
		for _, p := range row.Panels {
			if seen[p.Title] {
				problem("duplicate panel title %q", p.Title)
			}
			seen[p.Title] = true
			if p.Title == "" || p.Shows == "" || p.Action == "" {
				problem("panel %q: Title, Shows and Action are required", p.Title)
			}
			if len(p.Targets) > maxTargets {
				problem("panel %q has %d queries; use at most %d", p.Title, len(p.Targets), maxTargets)
			}
			if len(p.Targets) == 0 && p.Kind != Text && p.Kind != AlertList {
				problem("panel %q has no query", p.Title)
			}
		}
	}
	return errors.Join(errs...)
}
