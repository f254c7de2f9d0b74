package dashboards

import (
	"fmt"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

// variable is a dashboard variable, with the fields of Grafana.
type variable struct {
	Name       string      `json:"name"`
	Label      string      `json:"label"`
	Type       string      `json:"type"`
	Query      any         `json:"query"`
	Definition string      `json:"definition,omitempty"`
	Datasource *datasource `json:"datasource,omitempty"`
	Current    current     `json:"current"`
	Options    []option    `json:"options"`
	IncludeAll bool        `json:"includeAll"`
	AllValue   string      `json:"allValue,omitempty"`
	Multi      bool        `json:"multi"`
	Refresh    int         `json:"refresh"`
	Regex      string      `json:"regex"`
	Sort       int         `json:"sort"`
	Hide       int         `json:"hide"`
}

type current struct {
	Selected bool   `json:"selected"`
	Text     string `json:"text"`
	Value    string `json:"value"`
}

type option struct {
	Selected bool   `json:"selected"`
	Text     string `json:"text"`
	Value    string `json:"value"`
}

const (
	refreshOnLoad = 1
	refreshOnTime = 2 // with the time range, to find instances of the past
	sortByName    = 1
	allValue      = "$__all"
	// anything also matches series without the label.
	anything = ".*"
)

// variables returns the variables of dashboards: data sources, then labels.
func (s Scope) variables() []variable {
	vs := []variable{
		sourceVariable(varMetrics, "Metrics", Prometheus),
		sourceVariable(varTraces, "Traces", Tempo),
		sourceVariable(varLogs, "Logs", Loki),
		sourceVariable(varProfiles, "Profiles", Pyroscope),
	}
	if s.shared {
		vs = append(vs, query(varService, "Service", "label_values("+slo.RecordLastSeen+", "+slo.LabelService+")"))
	}
	vs = append(vs, s.environmentVariable())
	chosen := s.chosenInstances()
	for i, label := range s.spec.GroupBy {
		vs = append(vs, s.labelVariable(label, capital(label), label, anything, chosen[:i+1]...))
	}
	if !s.hasJob() {
		vs = append(vs, s.labelVariable(varJob, "Job", semconv.LabelJob, anything, chosen...))
		chosen = append(chosen, Matches(semconv.LabelJob, "$"+varJob))
	}
	return append(vs, s.labelVariable(varInstance, "Instance", semconv.LabelInstance, anything, chosen...))
}

// used returns the variables that the dashboard reads, and those that other dashboards read and links
// carry along.
func (d Dashboard) used() []variable {
	sources := map[string]Source{varTraces: Tempo, varLogs: Loki, varProfiles: Pyroscope}
	return slices.DeleteFunc(slices.Clone(d.variables), func(v variable) bool {
		source, optional := sources[v.Name]
		return optional && !slices.ContainsFunc(d.Queries(), func(q Query) bool { return q.Source == source })
	})
}

// firstEnvironment is selected if it exists: the environment that pages.
const firstEnvironment = "prod"

// environmentVariable selects one environment: an average over several would hide an incident in one.
func (s Scope) environmentVariable() variable {
	return inProduction(s.labelVariable(varEnvironment, "Environment", s.spec.EnvironmentLabel, ""))
}

func capital(label string) string { return strings.ToUpper(label[:1]) + label[1:] }

func inProduction(v variable) variable {
	v.IncludeAll, v.Current = false, current{Selected: true, Text: firstEnvironment, Value: firstEnvironment}
	return v
}

// withAll adds the value All, which is selected.
func withAll(v variable, all string) variable {
	v.Current, v.IncludeAll, v.AllValue = current{Selected: true, Text: "All", Value: allValue}, true, all
	return v
}

// query lists the results of a query; Grafana selects the first.
func query(name, title, text string) variable {
	return variable{
		Name: name, Label: title, Type: "query", Definition: text, Query: map[string]any{"query": text, "refId": name},
		Datasource: &datasource{Type: string(Prometheus), UID: "${" + varMetrics + "}"}, Options: []option{}, Refresh: refreshOnTime, Sort: sortByName,
	}
}

func sourceVariable(name, label string, source Source) variable {
	return variable{
		Name: name, Label: label, Type: "datasource", Query: string(source), Refresh: refreshOnLoad,
		Options: []option{}, // Grafana selects the first of this type
	}
}

// labelVariable lists the values that a label has on the instances of the service.
func (s Scope) labelVariable(name, title, label, all string, within ...Matcher) variable {
	sel := s.selectorOf(s.presence())
	sel = sel.With(within...)
	v := query(name, title, fmt.Sprintf("label_values(%s, %s)", sel.Expr(), label))
	return withAll(v, all)
}

// choice lists fixed values; the first is selected.
func choice(name, title string, values []string) variable {
	v := variable{Name: name, Label: title, Type: "custom", Query: strings.Join(values, ",")}
	for i, value := range values {
		v.Options = append(v.Options, option{Selected: i == 0, Text: value, Value: value})
	}
	v.Current = current{Selected: true, Text: values[0], Value: values[0]}
	return v
}

// annotation is a query whose results are marked in every graph.
type annotation struct {
	annotationJSON

	emptyUntil string
}

type annotationJSON struct {
	Name            string     `json:"name"`
	Datasource      datasource `json:"datasource"`
	Enable          bool       `json:"enable"`
	Hide            bool       `json:"hide"`
	IconColor       string     `json:"iconColor"`
	Expr            string     `json:"expr,omitempty"`
	Step            string     `json:"step,omitempty"`
	TitleFormat     string     `json:"titleFormat,omitempty"`
	TextFormat      string     `json:"textFormat,omitempty"`
	TagKeys         string     `json:"tagKeys,omitempty"`
	UseValueForTime string     `json:"useValueForTime,omitempty"`
	BuiltIn         int        `json:"builtIn,omitempty"`
	Type            string     `json:"type,omitempty"`
}

// builtInAnnotation shows the annotations that users add in Grafana.
func builtInAnnotation() annotationJSON {
	return annotationJSON{
		Name: "Annotations & Alerts", Datasource: datasource{Type: "grafana", UID: "-- Grafana --"},
		Enable: true, Hide: true, IconColor: "rgba(0, 211, 255, 1)", BuiltIn: 1, Type: "dashboard",
	}
}

// annotations mark deployments and starts of instances. A deployment is a version that did not run
// in the hour before; the first version of an environment is none. There is one point for each, at any
// step, so that Grafana draws a line.
func (s Scope) annotations() []annotation {
	if !s.spec.Runtime {
		return nil
	}
	versions := s.Metric(semconv.BuildInfo).Expr()
	before := "last_over_time(" + versions + "[1h] offset $__interval)"
	source := datasource{Type: string(Prometheus), UID: "${" + varMetrics + "}"}
	return []annotation{
		{annotationJSON{
			Name: "Deploys", Datasource: source, Enable: true, IconColor: "blue", Step: "60s",
			Expr:        string("(" + versions.Count(semconv.LabelVersion) + " unless " + before.Count(semconv.LabelVersion) + ") and on () " + before.Count()),
			TitleFormat: "Version {{" + semconv.LabelVersion + "}}", TagKeys: semconv.LabelVersion,
		}, "a version starts within the range"},
		{annotationJSON{
			Name: "Starts", Datasource: source, Enable: false, IconColor: "purple", Step: "60s",
			Expr:        string(s.Metric(processStart).Expr().Max(semconv.LabelInstance) + " * 1000"),
			TitleFormat: "Start of {{" + semconv.LabelInstance + "}}", TagKeys: semconv.LabelInstance, UseValueForTime: "on",
		}, ""},
	}
}
