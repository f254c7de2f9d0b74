// Package dashboardfile reads a dashboard as Grafana's classic JSON has it, whoever wrote
// it: what it asks of which data source, and where in the file.
//
// It is strict about nothing that a reader of queries does not need: a dashboard of
// another version of Grafana, with fields of plugins and values of an unexpected
// kind, reads all the same. What is no classic dashboard is refused with what to do
// instead, since a guess would check half of it and say that all is well.
package dashboardfile

import (
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
)

// Dashboard is one dashboard.
type Dashboard struct {
	File, UID, Title string
	Tags             []string
	Editable         bool // true where the file does not say, as in Grafana
	Refresh          string
	Variables        []Variable
	Inputs           []string // that Grafana asks for at the import, by their names
	// Panels stand in reading order, those of rows among them, open or collapsed.
	// A row itself is none: its title is Panel.Row.
	Panels []Panel
	Links  []Link
	// Annotations have their name for a RefID.
	Annotations []Target
}

// Variable is one template variable.
type Variable struct {
	Name, Type, Query, Label string
	Datasource               Datasource
	Multi, IncludeAll        bool
	Refresh                  int      // 0 never, 1 when the dashboard loads, 2 when the time range changes
	Current                  []string // the values that the file has chosen
	Line, Column             int
}

// Panel is one panel.
type Panel struct {
	ID                             int
	Type, Title, Description, Unit string // Unit as Grafana names it
	Datasource                     Datasource
	Targets                        []Target
	Links                          []Link // the panel's and the data links of its fields, overrides included
	Row                            string // title of the row that it stands in
	Library                        bool   // its queries are in Grafana and not in the file
	Transformed                    bool   // transformations stand between queries and picture
	Units                          bool   // some of the fields have another unit, from an override or a second axis
	Line, Column                   int    // where the panel begins
}

// Target is one query.
type Target struct {
	RefID string
	// Expr is PromQL, LogQL, TraceQL or a selector of profiles, whatever key of
	// the file holds it.
	Expr                      string
	Datasource                Datasource // the panel's where the target has none
	Instant, Exemplar, Hidden bool
	Format, ProfileType       string
	Line, Column              int // of Expr, or where the target begins
}

// Datasource names a data source. A file of an old Grafana has a name alone,
// which is the UID then.
type Datasource struct{ Type, UID string }

// Link leads somewhere; DashboardUID says which dashboard, if it is one.
type Link struct {
	Title, URL   string
	DashboardUID string
}

// Parse reads a dashboard. Name is what errors call the file.
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

// resolve gives data sources that a variable chooses the type that the variable has.
func resolve(b *Dashboard) {
	types := map[string]string{}
	for _, v := range b.Variables {
		if v.Type == "datasource" {
			types[v.Name] = v.Query
		}
	}
	give := func(d *Datasource) {
		if d.Type == "" && grafanaVariable.FindString(d.UID) == d.UID {
			d.Type = types[variableName(d.UID)]
		}
	}
	for i := range b.Variables {
		give(&b.Variables[i].Datasource)
	}
	for i := range b.Annotations {
		give(&b.Annotations[i].Datasource)
	}
	for i := range b.Panels {
		give(&b.Panels[i].Datasource)
		for j := range b.Panels[i].Targets {
			give(&b.Panels[i].Targets[j].Datasource)
		}
	}
}

// OtherJSONError is about a document that has nothing of a dashboard, such as the
// configuration of another program.
type OtherJSONError struct{ err error }

func (e *OtherJSONError) Error() string { return e.err.Error() }

// Unwrap gives what the document is instead.
func (e *OtherJSONError) Unwrap() error { return e.err }

// notClassic says what a document is, if it is not a classic dashboard, and whether
// it is a dashboard in another form.
func notClassic(n node) (why string, dashboard bool) {
	kind := n.get("kind").text()
	switch {
	case n.items != nil:
		return "a list, not a Grafana dashboard; write each dashboard into a file of its own", slices.ContainsFunc(n.items, func(item node) bool { return item.has("panels") })
	case n.fields == nil:
		return "not a Grafana dashboard, which is a JSON object; export one with Share > Export", false
	case n.has("apiVersion") && n.has("spec"):
		return fmt.Sprintf("a resource (%s), not a classic dashboard; export it as classic JSON, or write what is under spec into a file if that has panels", n.get("apiVersion").text()), kind == "Dashboard"
	case n.has("elements") && n.has("layout"):
		return "a dashboard in schema v2 (elements and layout), which is not read; export it as classic JSON", true
	case n.get("dashboard").fields != nil && !n.has("panels"):
		return "a response of Grafana's API, not a dashboard; write what is under dashboard into the file", hasClassicKey(n.get("dashboard"))
	case !hasClassicKey(n):
		return "not a Grafana dashboard: it has neither panels nor schemaVersion", false
	}
	return "", true
}

func hasClassicKey(n node) bool { return n.has("panels") || n.has("rows") || n.has("schemaVersion") }

// panels reads a list of panels. An open row holds those that follow it, a
// collapsed one has them inside.
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
		Links: links(n.get("links")), Row: row, Library: n.has("libraryPanel"), Transformed: len(n.get("transformations").items) > 0, Line: n.line, Column: n.column,
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

// unit returns the unit of a panel. Its key depends on the panel type and the version of Grafana. Of a
// graph with two axes it is the unit of the left one.
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

// annotation is a query beside panels: its fields stand in the annotation, or in
// a target of it.
func annotation(n node) Target {
	t := target(n, Datasource{})
	if inner := n.get("target"); t.Expr == "" && inner.fields != nil {
		t = target(inner, t.Datasource)
	}
	t.RefID = n.get("name").text()
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

// dashboardAddress is the path of a dashboard in any Grafana, below any prefix.
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

// All walks every query with its panel, in reading order.
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

// Prometheus says whether the data source is one that PromQL is for. Without a
// type it may be any; Grafana's default usually is.
func (d Datasource) Prometheus() bool {
	return d.Type == "prometheus" || d.Type == "" && !d.BuiltIn()
}

// BuiltIn says whether every Grafana has the data source, under the same id.
func (d Datasource) BuiltIn() bool {
	return strings.HasPrefix(d.UID, "-- ") || d.UID == "grafana" || d.UID == "__expr__"
}

// emptySentence is "Empty until X." A full stop inside of X has no space behind it.
var emptySentence = regexp.MustCompile(`(?:^|\s)Empty until ((?:[^.]|\.[^\s])+)\.(?:\s|$)`)

// EmptyUntil is until when the panel may be without data, as its description
// declares in a sentence "Empty until X."
func (p Panel) EmptyUntil() (string, bool) {
	m := emptySentence.FindStringSubmatch(p.Description)
	if m == nil {
		return "", false
	}
	return strings.TrimSpace(m[1]), true
}
