package grow

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/observability-first/scaffold/dashboards"
	"github.com/observability-first/scaffold/internal/source/dashboardfile"
	"github.com/observability-first/scaffold/internal/source/userfile"
	"github.com/observability-first/scaffold/runtime/declared"
	"github.com/observability-first/scaffold/slo"
	"github.com/observability-first/scaffold/templates"
)

// Panel is a graph to add to a dashboard.
type Panel struct {
	Title       string
	Expr        string // PromQL
	Unit        string // as Grafana names it
	Description string // default: the help texts of the metrics
	Dashboard   string // name of its file in observability/dashboards/own, without .json
}

// DefaultDashboard is the name of the dashboard for panels.
const DefaultDashboard = "team"

// File returns the path of the panel's dashboard in the service.
func (p Panel) File() string { return "observability/dashboards/own/" + p.Dashboard + ".json" }

// Signals returns the declared signals of the service.
func (s Service) Signals() (declared.Signals, error) {
	const file = "observability/telemetry.json"
	src, err := userfile.ReadFS(s.Files, file, userfile.LargeLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return declared.Signals{}, nil
	}
	if err != nil {
		return declared.Signals{}, err
	}
	return templates.ParseSignals(s.path(file), src)
}

// Panel adds a panel to a dashboard of the user, below the others. It creates the dashboard if there is none.
func (s Service) Panel(p Panel, signals declared.Signals) (Change, error) {
	if strings.TrimSpace(p.Title) == "" {
		return Change{}, argument("TITLE", "the title is empty; write what the panel shows, such as Shipped orders by result")
	}
	scope, err := s.scope()
	if err != nil {
		return Change{}, err
	}
	data, err := s.withPanel(p, scope, signals)
	if err != nil {
		return Change{}, err
	}
	return Change{
		Files: []templates.File{{Path: p.File(), Mode: 0o644, Data: data, Owner: templates.UserOwned}},
		Next:  []string{fmt.Sprintf("Run make verify to run the query of the panel %q against the service.", p.Title)},
	}, nil
}

func (s Service) withPanel(p Panel, scope dashboards.Scope, signals declared.Signals) ([]byte, error) {
	if !fs.ValidPath(p.Dashboard) {
		return nil, argument("--dashboard", "%q is not a file name; write one such as %s", p.Dashboard, DefaultDashboard)
	}
	src, err := userfile.ReadFS(s.Files, p.File(), userfile.LargeLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return s.newDashboard(p, scope, signals)
	}
	if err != nil {
		return nil, err
	}
	name := s.path(p.File())
	old, err := dashboardfile.Parse(name, src)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(old.Panels, func(other dashboardfile.Panel) bool { return other.Title == p.Title }) {
		return nil, argument("TITLE", "%s has a panel %q already; choose another title", name, p.Title)
	}
	source, err := metricsSource(old)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, v := range old.Variables {
		known[v.Name] = true
	}
	matchers := slices.DeleteFunc(scope.Metric("").Matchers, func(m dashboards.Matcher) bool {
		name, isVariable := strings.CutPrefix(m.Value, "$")
		return isVariable && !known[name]
	})
	graph, err := p.graph(matchers, signals)
	if err != nil {
		return nil, err
	}
	text, err := onlyPanel(dashboards.New(scope, p.Dashboard, "", "", dashboards.Row{Panels: []dashboards.Panel{graph}}))
	if err != nil {
		return nil, err
	}
	return dashboardfile.Append(name, src, []byte(strings.ReplaceAll(string(text), `"uid": "${datasource}"`, `"uid": `+source)))
}

// metricsSource returns the uid of the data source for panels of a dashboard, as JSON.
func metricsSource(d dashboardfile.Dashboard) (string, error) {
	uid := ""
	for p := range d.All() {
		if p.Datasource.Prometheus() && p.Datasource.UID != "" {
			uid = p.Datasource.UID
		}
	}
	for _, v := range slices.Backward(d.Variables) {
		if v.Type == "datasource" && v.Query == "prometheus" {
			uid = "${" + v.Name + "}"
		}
	}
	if uid == "" {
		return "", fmt.Errorf("%s: no variable selects the Prometheus data source; add a variable datasource of type datasource", d.File)
	}
	text, err := json.Marshal(uid)
	return string(text), err
}

// dashboardName is the pattern of new dashboards. Kubernetes has it for the ConfigMap.
var dashboardName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// newDashboard returns a dashboard with the variables and annotations of the generated ones.
func (s Service) newDashboard(p Panel, scope dashboards.Scope, signals declared.Signals) ([]byte, error) {
	if !dashboardName.MatchString(path.Base(p.Dashboard)) {
		return nil, argument("--dashboard", "%q is not a name for a new dashboard; use a-z, 0-9 and -, at most 63", p.Dashboard)
	}
	name := path.Base(p.Dashboard)
	if slices.Contains(dashboards.Names(), name) {
		return nil, argument("--dashboard", "scaffold generates a dashboard %s; choose another name", name)
	}
	graph, err := p.graph(scope.Metric("").Matchers, signals)
	if err != nil {
		return nil, err
	}
	title := strings.ReplaceAll(name, "-", " ")
	title = strings.ToUpper(title[:1]) + title[1:]
	return dashboards.New(scope, name, title, "Panels of "+s.Spec.Owner+".", dashboards.Row{Panels: []dashboards.Panel{graph}}).JSON()
}

// scope selects the series of the service.
func (s Service) scope() (dashboards.Scope, error) {
	rules, err := slo.Compile(s.Spec.SLO())
	if err != nil {
		return dashboards.Scope{}, err
	}
	in, err := templates.DashboardInput(s.Spec, rules)
	return dashboards.NewScope(in), err
}

// graph returns the panel in the style of the generated dashboards.
func (p Panel) graph(matchers []dashboards.Matcher, signals declared.Signals) (dashboards.Panel, error) {
	q, err := readQuery(p.Expr, signals)
	if err != nil {
		return dashboards.Panel{}, err
	}
	shows := p.Description
	if shows == "" {
		shows = q.help()
	}
	out := dashboards.Panel{
		Title: p.Title, Kind: dashboards.TimeSeries, Unit: dashboards.Unit(p.Unit), LegendTable: true,
		Targets: []dashboards.Target{{Expr: dashboards.Expr(q.bind(matchers)), Legend: q.legend(p.Title)}},
	}
	if out.Unit == dashboards.Ratio || out.Unit == dashboards.PerSecond {
		out.SoftMax = 1 // as of the custom metrics: zeros on an axis to 1
	}
	if q.mayBeEmpty() {
		out.EmptyUntil = "the service records a value"
	}
	return out.Describe(shows, "Compare with the time before the incident, and ask the owner of the metric."), nil
}

// onlyPanel returns the JSON of the panel of a dashboard.
func onlyPanel(d dashboards.Dashboard) (json.RawMessage, error) {
	text, err := d.JSON()
	if err != nil {
		return nil, err
	}
	var doc struct {
		Panels []json.RawMessage `json:"panels"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	return doc.Panels[0], nil
}
