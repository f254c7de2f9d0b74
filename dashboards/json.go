package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/observability-first/scaffold/slo"
)

// The part of Grafana's classic dashboard model that is used. The order of fields is
// the order in the file.

type classic struct {
	UID           string            `json:"uid"`
	Title         string            `json:"title"`
	Description   string            `json:"description"`
	Tags          []string          `json:"tags"`
	Editable      bool              `json:"editable"`
	SchemaVersion int               `json:"schemaVersion"`
	GraphTooltip  int               `json:"graphTooltip"`
	Refresh       string            `json:"refresh"`
	Timezone      string            `json:"timezone"`
	Time          map[string]string `json:"time"`
	Annotations   map[string]any    `json:"annotations"`
	Links         []dashboardLink   `json:"links"`
	Templating    map[string]any    `json:"templating"`
	Panels        []panelJSON       `json:"panels"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type dashboardLink struct {
	Title       string   `json:"title"`
	Type        string   `json:"type"`
	Tags        []string `json:"tags"`
	URL         string   `json:"url,omitempty"`
	Icon        string   `json:"icon"`
	Tooltip     string   `json:"tooltip"`
	AsDropdown  bool     `json:"asDropdown"`
	IncludeVars bool     `json:"includeVars"`
	KeepTime    bool     `json:"keepTime"`
	TargetBlank bool     `json:"targetBlank"`
}

type panelJSON struct {
	ID              int              `json:"id"`
	Type            string           `json:"type"`
	Title           string           `json:"title"`
	Description     string           `json:"description,omitempty"`
	GridPos         gridPos          `json:"gridPos"`
	PluginVersion   string           `json:"pluginVersion,omitempty"`
	TimeFrom        string           `json:"timeFrom,omitempty"`
	Datasource      *datasource      `json:"datasource,omitempty"`
	Targets         []targetJSON     `json:"targets,omitempty"`
	FieldConfig     *fieldConfig     `json:"fieldConfig,omitempty"`
	Options         map[string]any   `json:"options,omitempty"`
	Transformations []map[string]any `json:"transformations,omitempty"`
	Links           []linkJSON       `json:"links,omitempty"`
	Collapsed       *bool            `json:"collapsed,omitempty"`
	Panels          *[]panelJSON     `json:"panels,omitempty"` // of a collapsed row
}

type linkJSON struct {
	Title       string `json:"title"`
	URL         string `json:"url"`
	TargetBlank bool   `json:"targetBlank,omitempty"`
}

type targetJSON struct {
	RefID        string     `json:"refId"`
	Datasource   datasource `json:"datasource"`
	Expr         string     `json:"expr,omitempty"`
	LegendFormat string     `json:"legendFormat,omitempty"`
	Format       string     `json:"format,omitempty"`
	EditorMode   string     `json:"editorMode,omitempty"`
	Instant      bool       `json:"instant,omitempty"`
	Range        bool       `json:"range,omitempty"`
	Exemplar     bool       `json:"exemplar,omitempty"`
	Interval     string     `json:"interval,omitempty"`

	// Loki, Tempo and Pyroscope.
	QueryType     string   `json:"queryType,omitempty"`
	Query         string   `json:"query,omitempty"`
	TableType     string   `json:"tableType,omitempty"`
	Limit         int      `json:"limit,omitempty"`
	MaxLines      int      `json:"maxLines,omitempty"`
	LabelSelector string   `json:"labelSelector,omitempty"`
	ProfileTypeID string   `json:"profileTypeId,omitempty"`
	GroupBy       []string `json:"groupBy,omitempty"`
}

// Settings of every dashboard. Schema version 39 is that of Grafana 11.0; later
// versions migrate it when they load it.
const (
	schemaVersion   = 39
	sharedCrosshair = 1
	refreshEvery    = "1m"
	timeRange       = "now-3h"
	tagScaffold     = "scaffold"
	maxLogLines     = 200
	maxTraces       = 20
	// pluginVersion tells Grafana that a panel has the options of this version. Grafana
	// takes a stat or bar gauge without it for one of version 6, and changes its axis.
	pluginVersion = "11.0.0"
)

// JSON returns the dashboard as classic dashboard JSON.
func (d Dashboard) JSON() ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(d.classic()); err != nil {
		return nil, fmt.Errorf("dashboard %s: %w", d.Name(), err)
	}
	return buf.Bytes(), nil
}

func (d Dashboard) classic() classic {
	annotations := []annotationJSON{builtInAnnotation()}
	for _, a := range d.scope.annotations() {
		annotations = append(annotations, a.annotationJSON)
	}
	return classic{
		UID: d.UID(), Title: d.Title(), Description: d.description,
		Tags: []string{tagScaffold, d.serviceTag()}, Editable: false, SchemaVersion: schemaVersion,
		GraphTooltip: sharedCrosshair, Refresh: refreshEvery, Timezone: "browser",
		Time:        map[string]string{"from": timeRange, "to": "now"},
		Annotations: map[string]any{"list": annotations},
		Links:       d.links(),
		Templating:  map[string]any{"list": d.used()},
		Panels:      d.panels(),
	}
}

func (d Dashboard) serviceTag() string {
	if d.scope.shared {
		return sharedTag
	}
	return slo.LabelService + ":" + d.scope.spec.Service
}

func (d Dashboard) linksTitle() string {
	if d.scope.shared {
		return "Dashboards of all services"
	}
	return "Dashboards of " + d.scope.spec.Service
}

// links returns links to the other dashboards, with the same time range and variables,
// and to the source and the runbooks.
func (d Dashboard) links() []dashboardLink {
	links := []dashboardLink{{
		Title: d.linksTitle(), Type: "dashboards", Tags: []string{d.serviceTag()}, Icon: "external link",
		IncludeVars: true, KeepTime: true,
	}}
	for _, l := range []Link{{"Source", d.scope.spec.Links.Repository}, {"Runbooks", d.scope.spec.Links.Runbooks}} {
		if l.URL != "" {
			links = append(links, dashboardLink{Title: l.Title, Type: "link", Tags: []string{}, URL: l.URL, Icon: "doc", TargetBlank: true})
		}
	}
	return links
}

func (d Dashboard) panels() []panelJSON {
	var out []panelJSON
	y := 0
	for i, row := range d.rows {
		heading := panelJSON{
			ID: (i + 1) * idsPerRow, Type: "row", Title: row.Title, Collapsed: new(row.Collapsed), Panels: &[]panelJSON{},
			GridPos: gridPos{H: headingUnits, W: gridColumns, X: 0, Y: y},
		}
		begin := y
		if row.Title != "" {
			begin += headingUnits
		}
		placed, end := row.place(i, begin)
		panels := make([]panelJSON, len(placed))
		for j, p := range placed {
			panels[j] = p.render()
		}
		switch {
		case row.Title == "":
			out = append(out, panels...)
		case row.Collapsed:
			heading.Panels = &panels
			out = append(out, heading)
			end = begin
		default:
			out = append(append(out, heading), panels...)
		}
		y = end
	}
	return out
}

func (p placed) render() panelJSON {
	out := panelJSON{
		ID: p.id, Type: string(p.Kind), Title: p.Title, Description: p.description(), GridPos: p.pos, TimeFrom: p.Range,
		PluginVersion: pluginVersion, FieldConfig: p.fieldConfig(), Options: p.options(), Transformations: p.transformations(),
	}
	for _, l := range p.Links {
		out.Links = append(out.Links, linkJSON{Title: l.Title, URL: l.URL})
	}
	for i, t := range p.Targets {
		out.Targets = append(out.Targets, t.render(refID(i), p.Kind))
	}
	if len(p.Targets) > 0 {
		out.Datasource = new(p.Targets[0].datasource())
	}
	return out
}

// datasource returns a dashboard variable, since data source ids differ between Grafanas.
func (t Target) datasource() datasource {
	name := map[Source]string{Prometheus: varMetrics, Loki: varLogs, Tempo: varTraces, Pyroscope: varProfiles}[t.source()]
	return datasource{Type: string(t.source()), UID: "${" + name + "}"}
}

func (t Target) render(ref string, kind Kind) targetJSON {
	out := targetJSON{RefID: ref, Datasource: t.datasource()}
	switch t.source() {
	case Loki:
		out.Expr, out.QueryType, out.MaxLines, out.EditorMode = string(t.Expr), "range", maxLogLines, "code"
	case Tempo:
		out.Query, out.QueryType, out.TableType, out.Limit = string(t.Expr), "traceql", "traces", maxTraces
	case Pyroscope:
		out.LabelSelector, out.ProfileTypeID, out.QueryType, out.GroupBy = string(t.Expr), t.ProfileType, "profile", []string{}
	default:
		out.Expr, out.LegendFormat, out.EditorMode = string(t.Expr), t.Legend, "code"
		out.Format = map[Kind]string{Table: "table", Heatmap: "heatmap"}[kind]
		out.Instant, out.Range, out.Exemplar, out.Interval = t.Instant, !t.Instant, t.Exemplars, t.Interval
	}
	return out
}
