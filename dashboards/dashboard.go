package dashboards

import (
	"errors"
	"fmt"
	"strings"

	"github.com/observability-first/scaffold/slo"
)

// Dashboard is one dashboard of a service. It answers one question.
type Dashboard struct {
	scope       Scope
	name        string // overview
	title       string
	description string
	variables   []variable
	rows        []Row
}

// New makes a dashboard. Its name, a DNS label, is unique within the service
// and part of the address; renaming it breaks links.
func New(s Scope, name, title, description string, rows ...Row) Dashboard {
	return Dashboard{scope: s, name: name, title: title, description: description, variables: s.variables(), rows: rows}
}

// Name is the name of the dashboard's file without .json: orders-overview.
func (d Dashboard) Name() string { return d.scope.spec.Service + "-" + d.name }

// UID is the stable id of the dashboard, part of its address.
func (d Dashboard) UID() string { return slo.DashboardUID(d.scope.spec.Service, d.name) }

// Title is what the list of dashboards shows.
func (d Dashboard) Title() string { return d.scope.spec.Service + " / " + d.title }

// Row is a line of panels under a heading.
type Row struct {
	Title string
	// PerLine is how many panels stand side by side, 0 for all of them.
	PerLine int
	// Height is in units of the grid, about 30 pixels each; 0 for what suits the
	// first panel.
	Height int
	Panels []Panel
}

// Kind is how a panel draws.
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
)

// Unit is the unit of the values, as Grafana names it.
type Unit string

// The units that panels use. Values are in base units; Grafana scales them.
const (
	Seconds           Unit = "s"
	Bytes             Unit = "bytes"
	BytesPerSecond    Unit = "Bps"
	Share             Unit = "percentunit" // 0 to 1, drawn as a percentage
	PerSecond         Unit = "ops"
	RequestsPerSecond Unit = "reqps"
	Count             Unit = "short"
	Factor            Unit = "none"
	NoUnit            Unit = "" // panels without numbers
)

// Panel is one question and its answer.
type Panel struct {
	Title string
	Kind  Kind
	Unit  Unit
	// Shows says what is drawn, Bad what a bad value means, Next where to go
	// then. Together they are the description.
	Shows, Bad, Next string
	Targets          []Target
	// Weight is the panel's share of its line, 0 for 1.
	Weight int
	// Thresholds colour values from each one up, lowest first; below them is
	// green, or what Calm says.
	Thresholds []Threshold
	// Line draws the thresholds into a graph.
	Line  bool
	Stack bool
	Log   bool // logarithmic axis
	// Max is the end of the axis, 0 to follow the data.
	Max float64
	// Colours fix the colour of series by their name.
	Colours map[string]string
	Links   []Link
	// EmptyUntil says until when the panel may be without data, as in "an alert
	// fires". Empty: it has data once the service runs.
	EmptyUntil string
	// Body is the Markdown of a text panel; Filter the labels of an alert list.
	Body, Filter string
	// shade are the refs of targets that are drawn as a grey background.
	shade []string
	// count are the refs of targets that are counts beside shares.
	count []string
	// limit are the refs of targets that bound the others.
	limit []string
	// signed lets the axis go below zero.
	signed bool
	// decimals is the number of digits after the point, 0 for what fits.
	decimals int
}

// Threshold colours values from a number up.
type Threshold struct {
	From   float64
	Colour string
}

// Link leads to another dashboard or page.
type Link struct{ Title, URL string }

// Source is what kind of store a query goes to.
type Source string

// The stores, as Grafana names their plugins.
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
	// Instant asks for the last value alone, as tables do.
	Instant bool
	// Exemplars asks for traces, too. One target of a panel is enough.
	Exemplars bool
	// ProfileType is set for Pyroscope, whose Expr selects labels.
	ProfileType string
}

func (t Target) source() Source {
	if t.Source == "" {
		return Prometheus
	}
	return t.Source
}

// maxTargets is how many queries have a letter. Few panels need more than three.
const maxTargets = 26

// refID names the i-th target of a panel, as Grafana does.
func refID(i int) string { return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i : i+1] }

// description is what a reader sees beside the title. Its last sentence declares
// until when the panel may be empty, for readers of the file as for programs.
func (p Panel) description() string {
	text := strings.TrimSpace(strings.Join([]string{p.Shows, p.Bad, p.Next}, "\n\n"))
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
	Expr       string // with Grafana's variables in it
	Instant    bool
	EmptyUntil string // why there may be no data yet; empty when there must be
}

// Queries lists every query of the dashboard in reading order. Queries of variables
// and annotations follow, with their name for a panel.
func (d Dashboard) Queries() []Query {
	var out []Query
	for _, row := range d.rows {
		for _, p := range row.Panels {
			for i, t := range p.Targets {
				out = append(out, Query{
					Panel: p.Title, RefID: refID(i), Source: t.source(), Expr: string(t.Expr), Instant: t.Instant, EmptyUntil: p.EmptyUntil,
				})
			}
		}
	}
	for _, a := range d.scope.annotations() {
		out = append(out, Query{Panel: "annotation " + a.Name, RefID: refID(0), Source: Prometheus, Expr: a.Expr, EmptyUntil: a.emptyUntil})
	}
	return out
}

// check reports a dashboard that Grafana would refuse or show half of.
func (d Dashboard) check() error {
	var errs []error
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("dashboard "+d.Name()+": "+format, args...))
	}
	seen := map[string]bool{}
	for _, row := range d.rows {
		if row.Title == "" {
			fault("a row has no title")
		}
		for _, p := range row.Panels {
			if seen[p.Title] {
				fault("two panels are called %q; a title names one", p.Title)
			}
			seen[p.Title] = true
			if p.Title == "" || p.Shows == "" || p.Bad == "" || p.Next == "" {
				fault("panel %q needs a title and says what it shows, what is bad, and where to go next", p.Title)
			}
			if len(p.Targets) > maxTargets {
				fault("panel %q has %d queries, more than %d; make two of it", p.Title, len(p.Targets), maxTargets)
			}
			if len(p.Targets) == 0 && p.Kind != Text && p.Kind != AlertList {
				fault("panel %q has no query", p.Title)
			}
		}
	}
	return errors.Join(errs...)
}
