// Package dashboardfile reads the queries of Grafana dashboards in classic JSON, with their places
// in the file.
//
// It ignores unknown fields and values of unexpected types, so that it reads dashboards of all
// Grafana versions. It rejects other formats, since it would miss queries in them.
package dashboardfile

import (
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
)

// Dashboard is a Grafana dashboard.
type Dashboard struct {
	File, UID, Title string
	Tags             []string
	Editable         bool // default true, as in Grafana
	Refresh          string
	Variables        []Variable
	Inputs           []string // names of the inputs at the import
	// Panels are in reading order, including those of open and collapsed rows. A row is not a
	// panel; Panel.Row has its title.
	Panels []Panel
	Links  []Link
	// Annotations have their name as RefID.
	Annotations []Target
}

// Variable is a template variable.
type Variable struct {
	Name, Type, Query, Label string
	Datasource               Datasource
	Multi, IncludeAll        bool
	Refresh                  int      // 0 never, 1 when the dashboard loads, 2 when the time range changes
	Current                  []string // selected values
	Line, Column             int
}

// Panel is a panel.
type Panel struct {
	ID                             int
	Type, Title, Description, Unit string // Unit is Grafana's name
	Datasource                     Datasource
	Targets                        []Target
	Links                          []Link // panel links and data links, including those of overrides
	Row                            string // title of its row
	Library                        bool   // a library panel, whose queries are in Grafana
	Transformed                    bool   // it has transformations
	Units                          bool   // some fields have another unit, from an override or a second axis
	Style                          Style
	Line, Column                   int // start of the panel
}

// Target is a query.
type Target struct {
	RefID string
	// Expr is PromQL, LogQL, TraceQL or a selector of profiles.
	Expr                      string
	Datasource                Datasource // default: that of the panel
	Instant, Exemplar, Hidden bool
	Format, ProfileType       string
	Step                      string // of an annotation
	Line, Column              int    // of Expr, or start of the target
}

// Datasource identifies a data source. Old Grafana versions write only a name, which is UID then.
type Datasource struct{ Type, UID string }

// Link is a link. DashboardUID is empty for links to other pages.
type Link struct {
	Title, URL   string
	DashboardUID string
}

// Parse reads a dashboard. Name is the file name in errors.
func Parse(name string, src []byte) (Dashboard, error) {
	root, err := parse(name, src)
	if err != nil {
		return Dashboard{}, err
	}
	if why, known := notClassic(root); why != "" {
		err := fmt.Errorf("%s:%d:1: %s", name, max(root.line, 1), why)
		if !known {
			err = &OtherJSONError{err}
		}
		return Dashboard{}, err
	}
	b := Dashboard{
		File: name, UID: root.get("uid").text(), Title: root.get("title").text(), Tags: root.get("tags").texts(),
		Editable: !root.has("editable") || root.get("editable").yes(), Refresh: root.get("refresh").text(),
		Links: links(root.get("links")),
	}
	for _, v := range root.get("templating", "list").items {
		b.Variables = append(b.Variables, variable(v))
	}
	for _, input := range root.get("__inputs").items {
		b.Inputs = append(b.Inputs, input.get("name").text())
	}
	for _, a := range root.get("annotations", "list").items {
		b.Annotations = append(b.Annotations, annotation(a))
	}
	b.Panels = panels("", root.get("panels"))
	for _, row := range root.get("rows").items { // Grafana 4 and older
		b.Panels = append(b.Panels, panels(row.get("title").text(), row.get("panels"))...)
	}
	resolve(&b)
	return b, nil
}

// resolve sets the type of data sources that are variables.
func resolve(b *Dashboard) {
	types := map[string]string{}
	for _, v := range b.Variables {
		if v.Type == "datasource" {
			types[v.Name] = v.Query
		}
	}
	set := func(d *Datasource) {
		if d.Type == "" && grafanaVariable.FindString(d.UID) == d.UID {
			d.Type = types[variableName(d.UID)]
		}
	}
	for i := range b.Variables {
		set(&b.Variables[i].Datasource)
	}
	for i := range b.Annotations {
		set(&b.Annotations[i].Datasource)
	}
	for i := range b.Panels {
		set(&b.Panels[i].Datasource)
		for j := range b.Panels[i].Targets {
			set(&b.Panels[i].Targets[j].Datasource)
		}
	}
}

// OtherJSONError is the error of JSON that is not a dashboard in any format, such as the
// configuration of another program.
type OtherJSONError struct{ err error }

func (e *OtherJSONError) Error() string { return e.err.Error() }

// Unwrap returns the error that describes the document.
func (e *OtherJSONError) Unwrap() error { return e.err }

// notClassic returns a message if a document is not a classic dashboard, and whether it is a
// dashboard in another format.
func notClassic(n node) (why string, dashboard bool) {
	kind := n.get("kind").text()
	switch {
	case n.items != nil:
		return "not a Grafana dashboard but a list; write each dashboard to its own file", slices.ContainsFunc(n.items, func(item node) bool { return item.has("panels") })
	case n.fields == nil:
		return "not a Grafana dashboard: not a JSON object; export one with Share > Export", false
	case n.has("apiVersion") && n.has("spec"):
		return fmt.Sprintf("not a classic dashboard but a resource (%s); export it as classic JSON, or write its spec to a file if that has panels", n.get("apiVersion").text()), kind == "Dashboard"
	case n.has("elements") && n.has("layout"):
		return "dashboard schema v2 (elements and layout) is not supported; export the dashboard as classic JSON", true
	case n.get("dashboard").fields != nil && !n.has("panels"):
		return "not a dashboard but a response of Grafana's API; write the value of its key dashboard to the file", hasClassicKey(n.get("dashboard"))
	case !hasClassicKey(n):
		return "not a Grafana dashboard: it has neither panels nor schemaVersion", false
	}
	return "", true
}

func hasClassicKey(n node) bool { return n.has("panels") || n.has("rows") || n.has("schemaVersion") }

// panels reads a list of panels. Panels of an open row follow it, those of a collapsed row are
// inside it.
func panels(row string, list node) []Panel {
	var out []Panel
	for _, n := range list.items {
		switch {
		case n.get("type").text() == "row":
			row = n.get("title").text()
			out = append(out, panels(row, n.get("panels"))...)
		case n.fields != nil:
			out = append(out, panel(row, n))
		}
	}
	return out
}

func panel(row string, n node) Panel {
	p := Panel{
		ID: n.get("id").number(), Type: n.get("type").text(), Title: n.get("title").text(), Description: n.get("description").text(),
		Unit: unit(n), Datasource: datasource(n.get("datasource")),
		Links: links(n.get("links")), Row: row, Library: n.has("libraryPanel"), Transformed: len(n.get("transformations").items) > 0, Style: style(n), Line: n.line, Column: n.column,
	}
	p.Links = append(p.Links, links(n.get("fieldConfig", "defaults", "links"))...)
	for _, o := range n.get("fieldConfig", "overrides").items {
		for _, property := range o.get("properties").items {
			switch property.get("id").text() {
			case "links":
				p.Links = append(p.Links, links(property.get("value"))...)
			case "unit":
				p.Units = true
			}
		}
	}
	for _, o := range n.get("seriesOverrides").items { // Grafana 7 and older
		p.Units = p.Units || o.get("yaxis").number() == 2
	}
	for _, t := range n.get("targets").items {
		if t.fields != nil {
			p.Targets = append(p.Targets, target(t, p.Datasource))
		}
	}
	return p
}

// unit returns the unit of a panel, for two axes that of the left one. Its key depends on the panel
// type and the Grafana version.
func unit(n node) string {
	places := []node{n.get("fieldConfig", "defaults", "unit"), n.get("options", "fieldOptions", "defaults", "unit")}
	switch n.get("type").text() {
	case "graph":
		if axes := n.get("yaxes").items; len(axes) > 0 {
			places = append(places, axes[0].get("format"))
		}
	case "singlestat":
		places = append(places, n.get("format"))
	case "heatmap":
		places = append(places, n.get("options", "yAxis", "unit"), n.get("yAxis", "format"))
	}
	for _, at := range places {
		if at.text() != "" {
			return at.text()
		}
	}
	return ""
}

func target(n node, inherited Datasource) Target {
	t := Target{
		RefID: n.get("refId").text(), Datasource: datasource(n.get("datasource")),
		Instant: n.get("instant").yes(), Exemplar: n.get("exemplar").yes(), Hidden: n.get("hide").yes(),
		Format: n.get("format").text(), ProfileType: n.get("profileTypeId").text(), Line: n.line, Column: n.column,
	}
	if t.Datasource == (Datasource{}) {
		t.Datasource = inherited
	}
	for _, key := range []string{"expr", "query", "labelSelector"} { // Prometheus and Loki, Tempo, Pyroscope
		if held := n.get(key); held.text() != "" {
			t.Expr, t.Line, t.Column = held.text(), held.line, held.column
			break
		}
	}
	return t
}

// annotation reads the query of an annotation, whose fields are in the annotation or in its target.
func annotation(n node) Target {
	t := target(n, Datasource{})
	if inner := n.get("target"); t.Expr == "" && inner.fields != nil {
		t = target(inner, t.Datasource)
	}
	t.RefID, t.Step = n.get("name").text(), n.get("step").text()
	t.Hidden = n.has("enable") && !n.get("enable").yes()
	return t
}

func variable(n node) Variable {
	v := Variable{
		Name: n.get("name").text(), Type: n.get("type").text(), Label: n.get("label").text(), Datasource: datasource(n.get("datasource")),
		Multi: n.get("multi").yes(), IncludeAll: n.get("includeAll").yes(), Refresh: n.get("refresh").number(),
		Current: n.get("current", "value").texts(), Line: n.line, Column: n.column,
	}
	for _, at := range []node{n.get("query"), n.get("query", "query"), n.get("definition")} {
		if v.Query = at.text(); v.Query != "" {
			break
		}
	}
	return v
}

func datasource(n node) Datasource {
	if name := n.text(); name != "" {
		return Datasource{UID: name}
	}
	return Datasource{Type: n.get("type").text(), UID: n.get("uid").text()}
}

// dashboardAddress matches the path of a dashboard, with any prefix.
var dashboardAddress = regexp.MustCompile(`(?:^|/)d/([^/?#]+)`)

func links(n node) []Link {
	var out []Link
	for _, item := range n.items {
		l := Link{Title: item.get("title").text(), URL: item.get("url").text()}
		if m := dashboardAddress.FindStringSubmatch(l.URL); m != nil {
			l.DashboardUID = m[1]
		}
		if item.fields != nil {
			out = append(out, l)
		}
	}
	return out
}

// All iterates over all queries with their panels, in reading order.
func (b Dashboard) All() iter.Seq2[Panel, Target] {
	return func(yield func(Panel, Target) bool) {
		for _, p := range b.Panels {
			for _, t := range p.Targets {
				if !yield(p, t) {
					return
				}
			}
		}
	}
}

// Prometheus reports whether the data source is a Prometheus. One without a type is assumed to be.
func (d Datasource) Prometheus() bool {
	return d.Type == "prometheus" || d.Type == "" && !d.BuiltIn()
}

// BuiltIn reports whether the data source exists in each Grafana with the same id.
func (d Datasource) BuiltIn() bool {
	return strings.HasPrefix(d.UID, "-- ") || d.UID == "grafana" || d.UID == "__expr__"
}

// emptySentence matches "Empty until X." A full stop in X is not followed by a space.
var emptySentence = regexp.MustCompile(`(?:^|\s)Empty until ((?:[^.]|\.[^\s])+)\.(?:\s|$)`)

// EmptyUntil returns X if the description has the sentence "Empty until X.", which declares that the
// panel may have no data until X.
func (p Panel) EmptyUntil() (string, bool) {
	m := emptySentence.FindStringSubmatch(p.Description)
	if m == nil {
		return "", false
	}
	return strings.TrimSpace(m[1]), true
}
