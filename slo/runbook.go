package slo

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/internal/source/markdown"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// The markers around the facts of a runbook. Text between them is generated, other text is
// user-owned.
const (
	FactsBegin = "<!-- scaffold:facts:begin: rewritten on each run; write below the end marker -->"
	FactsEnd   = "<!-- scaffold:facts:end -->"
)

// RunbookOptions describes how a service is deployed. The zero value means a Kubernetes
// deployment with the name of the service, in the namespace of the current context.
type RunbookOptions struct {
	Environment string // of the commands; "production" when empty
	Namespace   string // of the environment; empty means that of the current context
	Release     string // command in the repository that rolls back and waits; optional
	Scale       string // command that starts more instances; kubectl scale when empty
}

// commands are the shell commands of the section Mitigate.
type commands struct{ Rollback, History, Scale, Restart, Status string }

func (o RunbookOptions) commands(service string) commands {
	kubectl := "kubectl "
	if o.Namespace != "" {
		kubectl += "-n " + o.Namespace + " "
	}
	return commands{
		Rollback: kubectl + "rollout undo deployment/" + service,
		History:  kubectl + "rollout history deployment/" + service,
		Scale:    cmp.Or(o.Scale, kubectl+"scale deployment/"+service+" --replicas=6"),
		Restart:  kubectl + "rollout restart deployment/" + service,
		Status:   kubectl + "get pods -l app.kubernetes.io/name=" + service,
	}
}

// Runbook is the runbook of one alert name.
type Runbook struct {
	Alert string
	// Facts is the generated block, including the markers.
	Facts []byte
	// Body is generated once, and then user-owned.
	Body    []byte
	queries []string
}

// FileName returns the name of the file, without directory.
func (r Runbook) FileName() string { return r.Alert + ".md" }

// File returns a new runbook: title, facts and body.
func (r Runbook) File() []byte {
	return slices.Concat([]byte("# "+r.Alert+"\n\n"), r.Facts, []byte("\n"), r.Body)
}

// Queries returns the queries of the section Diagnose.
func (r Runbook) Queries() []string { return slices.Clone(r.queries) }

// Runbooks returns one runbook for each alert name, in the order of the rules.
func (r Rules) Runbooks(o RunbookOptions) ([]Runbook, error) {
	texts, err := template.New("runbook").Option("missingkey=error").Parse(runbookTemplates)
	if err != nil {
		return nil, fmt.Errorf("parse runbook templates: %w", err)
	}
	o.Environment = cmp.Or(o.Environment, "production")
	var out []Runbook
	seen := map[string]bool{}
	for _, a := range r.Alerts {
		if seen[a.Name] {
			continue // SLONoData is one alert per objective
		}
		seen[a.Name] = true
		book, err := r.runbook(a, texts, o)
		if err != nil {
			return nil, fmt.Errorf("write the runbook of %s: %w", a.Name, err)
		}
		out = append(out, book)
	}
	return out, nil
}

//go:embed runbook.md.tmpl
var runbookTemplates string

// page is the data of the runbook templates.
type page struct {
	commands
	Release, Environment              string
	Alert                             Alert
	Kind                              string
	Service, Description, Owner, Team string
	Impact, Condition, Resolves       string
	Burns                             []burnRow
	Ratios                            []string // error ratios, in the order of burnRow.After
	Checks                            []check
	Links                             []link
	Mitigation, Silence               string
	Alertmanager                      bool // the address is known
	NeedsEnvironment                  bool // the alert may have no environment label
	Page, Runtime, ConnectionPool     bool
	BeginMarker, EndMarker            string
}

// burnRow is one burn alert in the tables of a runbook.
type burnRow struct {
	Severity, Long, Short, Threshold, Factor, Resolves string
	Delay                                              string // the longest, of scrapes and evaluations
	Share                                              int64
	After                                              []string // time until the alert fires, by error ratio
}

type check struct{ Question, Query, Expect string }

type link struct{ Text, URL string }

func (r Rules) runbook(a Alert, texts *template.Template, o RunbookOptions) (Runbook, error) {
	p := page{
		commands: o.commands(r.Spec.Service), Release: o.Release, Environment: o.Environment, Alert: a, Kind: string(a.Kind), Service: r.Spec.Service,
		Description: markdown.Escape(r.description(a)), Owner: markdown.Escape(r.Spec.Owner),
		Impact: r.impact(a), Condition: r.condition(a), Resolves: r.resolvesWhen(a),
		Checks: r.checks(a), Links: r.links(a), Burns: r.burnRows(a), Silence: r.silence(a, o.Environment),
		Alertmanager: r.Spec.Links.Alertmanager != "", NeedsEnvironment: a.Kind == KindDown,
		Page: a.Tier == TierPage, Runtime: r.Spec.Runtime, ConnectionPool: r.Spec.ConnectionPool,
		BeginMarker: FactsBegin, EndMarker: FactsEnd,
	}
	for _, ratio := range DetectionRatios() {
		p.Ratios = append(p.Ratios, fmt.Sprintf("%g %%", ratio*100))
	}
	book := Runbook{Alert: a.Name}
	for _, c := range p.Checks {
		book.queries = append(book.queries, c.Query)
	}
	var mitigation, facts, body bytes.Buffer
	if err := texts.ExecuteTemplate(&mitigation, "mitigate", p); err != nil {
		return Runbook{}, err
	}
	p.Mitigation = mitigation.String()
	if err := texts.ExecuteTemplate(&facts, "facts", p); err != nil {
		return Runbook{}, err
	}
	if err := texts.ExecuteTemplate(&body, "body", p); err != nil {
		return Runbook{}, err
	}
	book.Facts, book.Body = facts.Bytes(), body.Bytes()
	return book, nil
}

func (r Rules) description(a Alert) string {
	if a.SLO >= 0 && r.Spec.SLOs[a.SLO].Description != "" && a.Kind == KindErrorBudgetBurn {
		return r.Spec.SLOs[a.SLO].Description
	}
	return r.Spec.Description
}

// impact returns the impact on users, in one or two sentences.
func (r Rules) impact(a Alert) string {
	switch a.Kind {
	case KindErrorBudgetBurn:
		o := r.Spec.SLOs[a.SLO]
		switch in := o.Indicator; {
		case in.Availability != nil:
			return "Requests fail: users see errors, or wait while their client retries."
		case in.Latency != nil:
			return "Requests take more than " + model.Duration(in.Latency.Threshold).String() + ": users wait, and some give up."
		default:
			return "Too many events of the objective " + o.Name + " are bad."
		}
	case KindDown:
		return "Requests fail or time out. No request metric shows this, because no instance counts them."
	case KindCrashLooping:
		return "Requests fail when their instance crashes, or while no instance runs. Between crashes everything works."
	case KindNotReady:
		return "Fewer than half of the instances accept requests. If none does, all requests fail."
	case KindHealthCheckFailing:
		return "Requests that need the dependency fail. If users are affected, a budget alert fires too."
	case KindSLONoData, KindSLODataIncomplete, KindScrapeIntervalMismatch:
		return "None by itself. Meanwhile, alerts on errors may not fire."
	case KindTelemetryDropped:
		return "None for users. Traces, logs or profiles of this time are missing."
	case KindLogsDropped:
		return "None for users. Log lines of this time are missing."
	case KindMetricCardinalityLimitReached:
		return "None for users. New values of one label are counted together."
	case KindConcurrencyLimitAtMinimum:
		return "Some requests are rejected with 503 and Retry-After, the least important ones first; the others are slow."
	case KindDBConnectionPoolSaturated:
		return "Requests that need the database are slower. If they are too slow, a budget alert fires too."
	case KindHpaMaxedOut:
		return "None yet. If traffic rises further, requests wait, and then some are rejected."
	case KindCPUHigh:
		return "All requests are slower, because they wait for CPU. If they are too slow, a budget alert fires too."
	case KindMemoryNearLimit:
		return "Requests are slower, because garbage collection takes CPU from them. If the kernel kills the instance, they fail."
	}
	return ""
}

func (r Rules) condition(a Alert) string {
	if a.Burn == nil {
		return ""
	}
	o := r.Spec.SLOs[a.SLO]
	text := fmt.Sprintf("The objective is %s %% over %s. The alert fires if the ratio of bad events is above the threshold in both windows of a row. Its labels `severity`, `long` and `short` identify the row.",
		o.Target, o.Window)
	if n := a.Burn.MinBadEvents; n > 0 {
		text += fmt.Sprintf(" It also needs at least %d bad events in the long window.", n)
	}
	if r.Spec.Runtime && o.Indicator.Availability != nil {
		text += " Requests with the outcome `server_error` (5xx, a panic, or a deadline of the service) or `shed` (rejected to protect the others) are bad. Requests with the outcome `client_error` are not: responses with 4xx, and requests whose client disconnected or sent a timeout shorter than the latency objective."
	}
	return text
}

func (r Rules) resolvesWhen(a Alert) string {
	if a.Burn == nil {
		return "The alert resolves by itself within minutes after the first query above returns the expected result."
	}
	return "The alert resolves by itself after the errors stop, within the time in the table above."
}

// percent formats the threshold of a burn alert.
func percent(b *Burn) string {
	f, _ := b.Threshold.Float64()
	return fmt.Sprintf("%.4g %%", f*100)
}

// checks returns the queries of the section Diagnose.
func (r Rules) checks(a Alert) []check {
	c := &compiler{spec: r.Spec, scope: newScope(r.Spec)}
	present := c.presence().String()
	out := []check{{"Is the alert condition still true?", a.Check, a.Expect}}
	if a.Burn != nil {
		var ratios []string
		for _, b := range r.burnsOf(a) {
			ratios = append(ratios, b.Check)
		}
		out = []check{{"Is the alert condition still true? These are the error ratios of the short windows.", strings.Join(ratios, "\nor "), "each at or below the threshold of the row with this short window"}}
	}
	if r.Spec.Runtime {
		versions := "count by (" + c.kept(semconv.LabelVersion, semconv.LabelRevision) + ") (" + c.scope.metric(semconv.BuildInfo).String()
		out = append(out,
			check{"Which versions run now?", versions + ")", "one version"},
			check{"Which versions ran six hours ago?", versions + " offset 6h)", "the same version; if not, suspect the deployment"})
	}
	out = append(out, check{"Which instances are new since six hours ago? Restarts in place are not shown.", present + " unless " + present + " offset 6h", "no result without a deployment"})
	if a.Where != "" {
		question, expect := narrowing(a.Kind)
		out = append(out, check{question, a.Where, expect})
	}
	if a.Kind == KindConcurrencyLimitAtMinimum {
		atMinimum := c.scope.metric(semconv.RuntimeOverloadAtMinLimit).String()
		out = append(out, check{"Which instances are at the minimum limit?", "max by (" + c.kept(semconv.LabelInstance) + ") (" + atMinimum + ") == 1", "no result; if it is one instance, suspect its node"})
	}
	if r.Spec.Runtime && a.Kind != KindHealthCheckFailing {
		out = append(out, check{"Which dependency is failing?", c.scope.metric(semconv.RuntimeHealthCheckUp).String() + " == 0", "no result"})
	}
	if a.Kind != KindDown {
		out = append(out, check{"How many instances run?", c.by("sum", present), "the configured number of instances"})
	}
	for i := range out {
		out[i].Query = inFence(out[i].Query)
	}
	return out
}

// narrowing returns the question and the expected result of the Where query.
func narrowing(kind Kind) (question, expect string) {
	const none = "no result"
	switch kind {
	case KindErrorBudgetBurn:
		return "Which routes have the most bad events?", none
	case KindNotReady:
		return "Which instances are not ready?", none
	case KindCrashLooping:
		return "Which instances restarted more than once in ten minutes?", none
	case KindHealthCheckFailing:
		return "Which checks fail on which instances?", none
	case KindTelemetryDropped:
		return "Which signals are dropped, and for which reason?", none
	case KindLogsDropped:
		return "Which instances drop log lines?", none
	case KindMetricCardinalityLimitReached:
		return "Which label of which metric has too many values?", none
	case KindConcurrencyLimitAtMinimum:
		return "For which reasons are requests rejected?", none
	case KindDBConnectionPoolSaturated:
		return "On which instances do requests wait for a connection?", none
	case KindHpaMaxedOut:
		return "How many requests are in flight per instance?", "about as many as before"
	case KindCPUHigh:
		return "Which instances use the most CPU?", "similar values for all instances"
	case KindMemoryNearLimit:
		return "Which instances use the most memory?", "similar values for all instances"
	default:
		return "Which series are affected?", none
	}
}

// inFence escapes what would end the facts or the code block. Both texts can occur only
// in strings of the query, where the escape means the same character.
func inFence(query string) string {
	return strings.NewReplacer("<!--", `\x3c!--`, "```", "\\x60``").Replace(query)
}

func (r Rules) links(a Alert) []link {
	var out []link
	add := func(text, address string) {
		out = append(out, link{text, strings.NewReplacer("(", "%28", ")", "%29", " ", "%20", "<", "%3C", ">", "%3E").Replace(address)})
	}
	if base := strings.TrimRight(r.Spec.Links.Grafana, "/"); base != "" {
		add("Overview dashboard", base+"/d/"+DashboardUID(r.Spec.Service, "overview")+"?from=now-6h&to=now")
		if a.Kind.saturation() {
			add("Resources dashboard", base+"/d/"+DashboardUID(r.Spec.Service, "saturation")+"?from=now-6h&to=now")
		}
		if a.Kind == KindErrorBudgetBurn {
			add("SLO dashboard", base+"/d/"+DashboardUID(r.Spec.Service, "slo")+"?var-slo="+r.Spec.SLOs[a.SLO].Name+"&from=now-6h&to=now")
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

// burnsOf returns the burn alerts with the name and the runbook of an alert.
func (r Rules) burnsOf(a Alert) []Alert {
	return slices.DeleteFunc(slices.Clone(r.Alerts), func(other Alert) bool { return other.Name != a.Name || other.Burn == nil })
}

func (r Rules) burnRows(a Alert) []burnRow {
	var out []burnRow
	for _, b := range r.burnsOf(a) {
		row := burnRow{
			Severity: markdown.Escape(r.Spec.Alerting.Severities.Of(b.Tier)), Long: window(b.Burn.Long), Short: window(b.Burn.Short), Share: b.Burn.Share,
			Threshold: percent(b.Burn), Factor: decimal(b.Burn.Factor(r.Spec.SLOs[b.SLO].Window)),
			Resolves: window(b.Burn.Short + r.Delay(b.Tier)), Delay: window(r.Delay(b.Tier)),
		}
		for _, ratio := range DetectionRatios() {
			after := "never"
			if d := r.detection(&b, ratio); d.Fires {
				after = rounded(d.FiresAfter)
			}
			row.After = append(row.After, after)
		}
		out = append(out, row)
	}
	return out
}

// rounded formats a duration with one unit and one decimal.
func rounded(d time.Duration) string {
	switch {
	case d >= day:
		return fmt.Sprintf("%.1f days", d.Hours()/24)
	case d >= time.Hour:
		return fmt.Sprintf("%.1f hours", d.Hours())
	}
	return fmt.Sprintf("%.1f minutes", d.Minutes())
}

// silence returns the command that silences the alert.
func (r Rules) silence(a Alert, environment string) string {
	command := "amtool silence add"
	if r.Spec.Links.Alertmanager != "" {
		command += " --alertmanager.url=" + shellQuote(r.Spec.Links.Alertmanager)
	}
	command += " --duration=2h --comment='repair in progress' alertname=" + a.Name + " service=" + r.Spec.Service
	return command + " environment=" + environment
}

// shellQuote quotes a text for a shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
