package slo

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/runtime/semconv"
)

// texts are the annotations of an alert.
type texts struct{ summary, description string }

// literal escapes braces, so that Prometheus does not expand the text as a template.
// It escapes single braces too: one at the end would join the next action.
func literal(text string) string { return strings.ReplaceAll(text, "{", `{{"{"}}`) }

// shorten truncates a name, to keep notifications short.
func shorten(name string, length int) string {
	if len(name) <= length {
		return name
	}
	return name[:length-1] + "…"
}

// alert adds an alert to the group of its tier.
func (c *compiler) alert(a Alert, r Rule, t texts) { c.alertIn(c.tier(a.Tier), a, r, t) }

func (c *compiler) alertIn(g *Group, a Alert, r Rule, t texts) {
	objective := ""
	if a.SLO >= 0 {
		objective = c.spec.SLOs[a.SLO].Name
	}
	r.Annotations = c.annotations(t, c.runbookURL(runbookLink(a.Kind, objective, r.Alert)), c.dashboardURL(a.Kind, objective))
	g.Rules = append(g.Rules, r)
	a.Name, a.Rule = r.Alert, r
	c.alerts = append(c.alerts, a)
}

func (c *compiler) alertName(o resolved, what string) string {
	return camel(c.spec.Service) + camel(o.Name) + what
}

// environmentOf returns the template variable for the environment of an alert.
func (c *compiler) environmentOf() string { return "$labels." + c.spec.EnvironmentLabel }

func (c *compiler) alertLabels(tier Tier, more ...Label) []Label {
	set := append([]Label{
		{labelEnvironment, "{{ " + c.environmentOf() + " }}"},
		{labelService, c.spec.Service},
		{labelSeverity, literal(c.spec.Alerting.Severities.Of(tier))},
	}, more...)
	if c.spec.Owner != "" {
		set = append(set, Label{labelTeam, literal(c.spec.Owner)})
	}
	for name, value := range c.spec.Alerting.Labels {
		set = append(set, Label{name, literal(value)})
	}
	return labelSet(set...)
}

// annotations returns all annotations of an alert.
func (c *compiler) annotations(t texts, runbook, dashboard string) []Label {
	set := []Label{{annotationSummary, t.summary}, {annotationDescription, t.description}}
	if dashboard != "" {
		set = append(set, Label{annotationDashboard, dashboard})
	}
	if runbook != "" {
		set = append(set, Label{annotationRunbook, runbook})
	}
	for _, name := range slices.Sorted(maps.Keys(c.spec.Alerting.Annotations)) {
		set = append(set, Label{name, literal(c.spec.Alerting.Annotations[name])})
	}
	return labelSet(set...)
}

// runbookDir is the directory of runbooks in a service.
const runbookDir = "observability/runbooks"

// runbookURL returns the URL of a section of a runbook, empty if the specification has no
// link.
func (c *compiler) runbookURL(section string) string {
	links := c.spec.Links
	base := strings.TrimRight(links.Runbooks, "/")
	if base == "" && links.Repository != "" && c.spec.Runtime {
		base = strings.TrimRight(links.Repository, "/") + blobPath(links.Repository) + url.PathEscape(links.Branch) + "/" + path.Join(c.spec.Directory, runbookDir)
	}
	if base == "" {
		return ""
	}
	return literal(base) + "/" + section
}

// blobPath returns the path of files in the URLs of GitHub or GitLab.
func blobPath(repository string) string {
	if u, err := url.Parse(repository); err == nil && strings.Contains(u.Host, "gitlab") {
		return "/-/blob/"
	}
	return "/blob/"
}

// dashboardURL returns the URL of the dashboard of the alert (SLO, resources or overview)
// with its environment and the last six hours.
func (c *compiler) dashboardURL(kind Kind, objective string) string {
	if c.spec.Links.Grafana == "" {
		return ""
	}
	dashboard, variable := "overview", ""
	switch {
	case objective != "":
		dashboard, variable = "slo", "&var-slo="+objective
	case kind.saturation():
		dashboard = "resources"
	}
	var variables strings.Builder
	for _, label := range c.spec.GroupBy {
		variables.WriteString("&var-" + label + "={{ urlquery $labels." + label + " }}")
	}
	return literal(strings.TrimRight(c.spec.Links.Grafana, "/")) + "/d/" + DashboardUID(c.spec.Service, dashboard) +
		"?var-environment={{ urlquery " + c.environmentOf() + " }}" + variables.String() + variable + "&from=now-6h&to=now"
}

// subject is the beginning of a summary: the service, its environment and the groupBy labels.
func (c *compiler) subject() string {
	var b strings.Builder
	b.WriteString(shorten(c.spec.Service, 32) + "{{ with " + c.environmentOf() + " }} in {{ . }}{{ end }}")
	for _, label := range c.spec.GroupBy {
		b.WriteString("{{ with $labels." + label + " }}, " + label + " {{ printf \"%.24s\" . }}{{ end }}")
	}
	return b.String()
}

// burnTexts returns the impact on users as the summary, and the error budget and the
// worst routes as the description.
func (c *compiler) burnTexts(o resolved, p Pair) texts {
	return texts{
		summary:     c.subject() + ": " + c.impact(o) + lasting(p),
		description: c.budgetText(o) + c.worstText(o) + c.describe(o),
	}
}

// impact returns the impact on users in numbers.
func (c *compiler) impact(o resolved) string {
	var where strings.Builder
	for i, label := range o.GroupBy {
		where.WriteString(strings.Repeat(" ", min(i, 1)) + "{{ printf \"%.20s\" $labels." + label + " }}")
	}
	if len(o.GroupBy) > 0 {
		where.WriteString(": ")
	}
	share := where.String() + "{{ $value | humanizePercentage }} of "
	switch in := o.Indicator; {
	case in.Availability != nil:
		return share + "requests fail"
	case in.Latency != nil:
		return share + "requests take more than " + model.Duration(in.Latency.Threshold).String()
	default:
		return share + shorten(o.Name, 24) + " events are bad"
	}
}

// lasting is the window of the value of the alert, which [compiler.burnExpr] chooses.
func lasting(p Pair) string {
	if p.Tier == TierTicket {
		return " (last " + window(p.Long) + ")"
	}
	return " (last " + window(p.Short) + ")"
}

// budgetText returns the burn rate, the remaining budget and the time until it is spent.
// It reads the objective from the labels of the alert, so that all objectives of a period
// share the text.
func (c *compiler) budgetText(o resolved) string {
	key := string(o.Window) + " " + strings.Join(o.by, " ")
	if text, ok := c.budgetTexts[key]; ok {
		return text
	}
	var matchers, args []string
	for _, label := range append([]string{labelService, labelSLO}, o.by...) {
		matchers, args = append(matchers, label+"=%q"), append(args, " $labels."+label)
	}
	text := "{{ $m := printf `{" + strings.Join(matchers, ",") + "}`" + strings.Join(args, "") + " }}Error budget (" + string(o.Window) + "): burn rate " +
		"{{ range query (printf `" + recordBurn + "%s` $m) }}{{ .Value | humanize }}{{ end }}, " +
		"{{ range query (printf `" + recordRemaining + "%s` $m) }}{{ .Value | humanizePercentage }}{{ end }} remaining" +
		fmt.Sprintf("{{ range query (printf `%s%%s * %d / %s%s%%s > 0` $m $m) }}, exhausted in {{ .Value | humanizeDuration }} at this rate{{ end }}.",
			recordRemaining, int(o.Window.Duration().Seconds()), c.ignoring(labelWindow, labelSlothWindow), recordBurn)
	c.budgetTexts[key] = text
	return text
}

// placeholder is a label value that is filled in by the template, and filled matches the
// label with it.
const placeholder = "\x00"

var filled = regexp.MustCompile(`(\w+)=` + regexp.QuoteMeta(strconv.Quote(placeholder)))

// worstText returns the routes with the most bad events.
func (c *compiler) worstText(o resolved) string {
	if !o.events.routed() || o.grouped {
		return ""
	}
	var here []*labels.Matcher
	for _, label := range c.spec.Identity() {
		here = append(here, labels.MustNewMatcher(labels.MatchEqual, label, placeholder))
	}
	query := strings.ReplaceAll("topk(3, "+o.events.badRate(semconv.LabelRoute, here...)+" > 0)", "%", "%%")
	var args strings.Builder
	for _, m := range filled.FindAllStringSubmatch(query, -1) {
		args.WriteString(" $labels." + m[1])
	}
	query = strings.ReplaceAll(query, strconv.Quote(placeholder), "%q")
	return " Worst routes:{{ range query (printf " + templateString(query) + args.String() + ") }} {{ .Labels." + semconv.LabelRoute +
		" }} ({{ .Value | humanize }}/s){{ end }}."
}

// templateString quotes a string inside a template action.
func templateString(s string) string {
	if strings.Contains(s, "`") {
		return strconv.Quote(s)
	}
	return "`" + s + "`"
}

func (c *compiler) describe(o resolved) string {
	if o.Description == "" {
		return ""
	}
	return " " + literal(o.Description)
}
