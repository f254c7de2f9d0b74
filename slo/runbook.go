package slo

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/observability-first/scaffold/internal/source/markdown"
)

// The markers around the generated part of a runbook. Other text is user-owned.
const (
	FactsBegin = "<!-- scaffold:facts:begin: rewritten on each run; write below the end marker -->"
	FactsEnd   = "<!-- scaffold:facts:end -->"
)

// Runbook is the runbook of an objective or of a family of alerts, with a section for each
// alert name.
type Runbook struct {
	// File is the runbook of a service that has none. Of an existing one, only the part
	// between [FactsBegin] and [FactsEnd] is generated.
	File
	Alerts  []string // names, in the order of the sections
	Queries []string // PromQL, in the order of the file
}

// family is the alerts that share a runbook, since they have the same first queries.
type family struct {
	name  string
	kinds []Kind // in the order of the sections
}

const (
	familyInstances = "instances"
	familyResources = "resources"
	familyTelemetry = "telemetry"
)

func families() []family {
	return []family{
		{familyInstances, []Kind{KindDown, KindCrashLooping, KindNotReady, KindHealthCheckFailing}},
		{familyResources, []Kind{KindCPUHigh, KindMemoryNearLimit, KindHpaMaxedOut, KindConcurrencyLimitAtMinimum, KindComponent}},
		{familyTelemetry, []Kind{
			KindTelemetryDropped, KindLogsDropped, KindMetricCardinalityLimitReached,
			KindSLONoData, KindSLODataIncomplete, KindScrapeIntervalMismatch,
		}},
	}
}

// runbookName returns the name of the runbook of an alert, without its extension: that of
// its family, or that of the objective of a burn alert. An objective with the name of a
// family has the suffix .slo, which no other name can have.
func runbookName(kind Kind, objective string) string {
	all := families()
	if i := slices.IndexFunc(all, func(f family) bool { return slices.Contains(f.kinds, kind) }); i >= 0 {
		return all[i].name
	}
	if slices.ContainsFunc(all, func(f family) bool { return f.name == objective }) {
		return objective + ".slo"
	}
	return objective
}

const runbookExtension = ".md"

// runbookLink returns the file and the anchor of the section of an alert.
func runbookLink(kind Kind, objective, alert string) string {
	return runbookName(kind, objective) + runbookExtension + "#" + markdown.Anchor(alert)
}

// Runbooks returns one runbook for each objective with alerts, then one for each family.
// Each alert has a section, whose heading is its name.
func (r Rules) Runbooks(o RunbookOptions) ([]Runbook, error) {
	if o.Slot == nil {
		o.Slot = func(string) (string, error) { return "", nil }
	}
	functions := template.FuncMap{"code": markdown.Code, "slot": o.Slot}
	texts, err := template.New("runbook").Option("missingkey=error").Funcs(functions).Parse(runbookTemplates)
	if err != nil {
		return nil, fmt.Errorf("parse runbook templates: %w", err)
	}
	o.Environment = cmp.Or(o.Environment, "production")
	if o.Commands == nil {
		o.Commands, o.Context, o.kubernetes = r.kubectl(o), "kubectl config current-context", true
	}
	var out []Runbook
	for _, s := range r.subjects() {
		book, err := r.runbook(s, texts, o)
		if err != nil {
			return nil, fmt.Errorf("write the runbook %s: %w", s.name, err)
		}
		out = append(out, book)
	}
	return out, nil
}

// subject is an objective or a family, with its alerts, one of each name.
type subject struct {
	name   string
	alerts []Alert
}

// subjects returns the objectives in the order of the rules, then the families.
func (r Rules) subjects() []subject {
	objectives, byKind := []subject{}, map[Kind][]Alert{}
	for _, a := range r.Alerts {
		switch last := len(objectives) - 1; {
		case a.Kind != KindErrorBudgetBurn:
			seen := func(b Alert) bool { return b.Name == a.Name }
			if !slices.ContainsFunc(byKind[a.Kind], seen) { // SLONoData is one alert per objective
				byKind[a.Kind] = append(byKind[a.Kind], a)
			}
		case last < 0 || objectives[last].alerts[0].Name != a.Name:
			objectives = append(objectives, subject{runbookName(a.Kind, r.objective(a)), []Alert{a}})
		}
	}
	out := objectives
	for _, f := range families() {
		shared := subject{name: f.name}
		for _, kind := range f.kinds {
			shared.alerts = append(shared.alerts, byKind[kind]...)
		}
		if len(shared.alerts) > 0 {
			out = append(out, shared)
		}
	}
	return out
}

// objective returns the name of the objective of an alert, empty if it has none.
func (r Rules) objective(a Alert) string {
	if a.SLO < 0 {
		return ""
	}
	return r.Spec.SLOs[a.SLO].Name
}

//go:embed runbook.md.tmpl
var runbookTemplates string

// contents is the data of the template of a runbook.
type contents struct {
	Service, Name, Description, Owner, Environment string
	Context                                        string // command that names the cluster or project; may be empty
	Sections                                       []section
	Common                                         []check
	Commands                                       []Command
	Kubernetes                                     bool // Commands are those of kubectl
	Links                                          []link
	Ratios                                         []string // error ratios, in the order of burnRow.After
	Expire                                         string   // command that ends a silence
	Alertmanager                                   bool     // the address is known
	Groups                                         []string // labels of silences besides the environment
	Page, Ticket                                   string   // severities of the alerts, empty without such an alert
	NoData                                         string   // name of the alert SLONoData
	BeginMarker, EndMarker                         string
}

// Burns returns the burn alerts of the objective, empty for a family.
func (c contents) Burns() []burnRow { return c.Sections[0].Burns }

type link struct{ Text, URL string }

func (r Rules) runbook(s subject, texts *template.Template, o RunbookOptions) (Runbook, error) {
	c := contents{
		Service: r.Spec.Service, Name: s.name, Environment: o.Environment,
		Description: markdown.Escape(r.description(s.alerts[0])), Owner: markdown.Escape(r.Spec.Owner),
		Common: r.commonChecks(s.name), Commands: o.Commands, Context: o.Context, Kubernetes: o.kubernetes, Links: r.links(s, o),
		Expire: r.amtool("silence expire", "ID"), Alertmanager: r.Spec.Links.Alertmanager != "",
		NoData: camel(r.Spec.Service) + "SLONoData", BeginMarker: FactsBegin, EndMarker: FactsEnd,
	}
	for _, ratio := range DetectionRatios() {
		c.Ratios = append(c.Ratios, fmt.Sprintf("%g %%", ratio*100))
	}
	book := Runbook{File: File{Name: s.name + runbookExtension}}
	for _, a := range s.alerts {
		one, err := r.section(a, texts, o)
		if err != nil {
			return Runbook{}, err
		}
		c.Sections = append(c.Sections, one)
		for _, label := range r.groupedBy(a) {
			if !slices.Contains(c.Groups, label) {
				c.Groups = append(c.Groups, label)
			}
		}
		book.Alerts = append(book.Alerts, a.Name)
		book.Queries = append(book.Queries, queries(one.Checks)...)
	}
	c.Page, c.Ticket = r.severities(s)
	book.Queries = append(book.Queries, queries(c.Common)...)
	var text bytes.Buffer
	err := texts.ExecuteTemplate(&text, "runbook", c)
	book.Data = text.Bytes()
	if !c.Kubernetes {
		book.Data = commandLinks.ReplaceAllFunc(book.Data, func(link []byte) []byte {
			text := commandLinks.FindSubmatch(link)[1]
			if len(o.Commands) > 0 && scaling.Match(text) {
				return link
			}
			return text
		})
	}
	return book, err
}

// Links to the commands, and the texts of those that every platform has.
var (
	commandLinks = regexp.MustCompile(`\[([^\]]*)\]\(#commands\)`)
	scaling      = regexp.MustCompile(`(?i)^(roll back|scale out|start more.*|allow more.*)$`)
)

// severities returns those of pages and tickets, each empty if the runbook has no such alert.
func (r Rules) severities(s subject) (page, ticket string) {
	for _, a := range r.Alerts {
		if !slices.ContainsFunc(s.alerts, func(b Alert) bool { return b.Name == a.Name }) {
			continue
		}
		severity := markdown.Escape(r.Spec.Alerting.Severities.Of(a.Tier))
		if a.Tier == TierPage {
			page = severity
		} else {
			ticket = severity
		}
	}
	return page, ticket
}

// description returns the description of the objective of a burn alert, or of the service.
func (r Rules) description(a Alert) string {
	if a.Kind == KindErrorBudgetBurn && r.Spec.SLOs[a.SLO].Description != "" {
		return r.Spec.SLOs[a.SLO].Description
	}
	return r.Spec.Description
}

// links returns the dashboards and sites for the alerts of a runbook.
func (r Rules) links(s subject, o RunbookOptions) []link {
	var out []link
	add := func(text, address string) {
		out = append(out, link{text, strings.NewReplacer("(", "%28", ")", "%29", " ", "%20", "<", "%3C", ">", "%3E", `\`, "%5C").Replace(address)})
	}
	if base := strings.TrimRight(r.Spec.Links.Grafana, "/"); base != "" {
		dashboard := func(name, variables string) string {
			return base + "/d/" + DashboardUID(r.Spec.Service, name) + "?" + variables + "from=now-6h&to=now"
		}
		add("Overview dashboard", dashboard("overview", ""))
		if s.name == familyResources {
			add("Resources dashboard", dashboard("resources", ""))
			add("Go runtime dashboard", dashboard("runtime", ""))
		}
		if s.name == familyResources && o.Dependencies {
			add("Dependencies dashboard", dashboard("dependencies", ""))
		}
		if s.alerts[0].Kind == KindErrorBudgetBurn {
			add("SLO dashboard", dashboard("slo", "var-slo="+r.objective(s.alerts[0])+"&"))
		}
		add("Logs, traces and profiles", base+"/explore")
	}
	if base := strings.TrimRight(r.Spec.Links.Alertmanager, "/"); base != "" {
		add("Other alerts of the service", base+"/#/alerts?filter="+url.QueryEscape(`{service="`+r.Spec.Service+`"}`))
	}
	if r.Spec.Links.Repository != "" {
		add("Source", r.Spec.Links.Repository)
	}
	return out
}
