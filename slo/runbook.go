package slo

import (
	"bytes"
	_ "embed"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/internal/markdown"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// The markers around the facts of a runbook. What stands between them is
// rewritten when the rules change; everything else belongs to its readers.
const (
	FactsBegin = "<!-- scaffold:facts:begin: rewritten on each run; write below the end marker -->"
	FactsEnd   = "<!-- scaffold:facts:end -->"
)

// RunbookOptions is what runbooks say about the way a service is deployed. The
// zero value means a Kubernetes deployment named like the service.
type RunbookOptions struct {
	Rollback string // command that brings back the version before
	History  string // command that lists what was deployed
	Scale    string // command that starts more instances
	Restart  string // command that replaces every instance
	Status   string // command that shows what runs
}

func (o RunbookOptions) withDefaults(service string) RunbookOptions {
	for _, d := range []struct {
		field *string
		value string
	}{
		{&o.Rollback, "kubectl rollout undo deployment/" + service},
		{&o.History, "kubectl rollout history deployment/" + service},
		{&o.Scale, "kubectl scale deployment/" + service + " --replicas=6"},
		{&o.Restart, "kubectl rollout restart deployment/" + service},
		{&o.Status, "kubectl get pods -l app.kubernetes.io/name=" + service},
	} {
		setDefault(d.field, d.value)
	}
	return o
}

// Runbook explains one alert to whoever it wakes.
type Runbook struct {
	Alert string
	// Facts is the managed block, markers included.
	Facts []byte
	// Body is written once and then belongs to its readers.
	Body    []byte
	queries []string
}

// FileName is the name of the runbook without a folder.
func (r Runbook) FileName() string { return r.Alert + ".md" }

// File is a new runbook: title, facts and body.
func (r Runbook) File() []byte {
	return slices.Concat([]byte("# "+r.Alert+"\n\n"), r.Facts, []byte("\n"), r.Body)
}

// Queries lists every query that the runbook asks its reader to run.
func (r Runbook) Queries() []string { return slices.Clone(r.queries) }

// Runbooks gives one runbook for each name of an alert, in the order of the
// rules.
func (r Rules) Runbooks(o RunbookOptions) ([]Runbook, error) {
	texts, err := template.New("runbook").Option("missingkey=error").Parse(runbookTemplates)
	if err != nil {
		return nil, fmt.Errorf("parse runbook templates: %w", err)
	}
	o = o.withDefaults(r.Spec.Service)
	var out []Runbook
	seen := map[string]bool{}
	for _, a := range r.Alerts {
		if seen[a.Name] {
			continue // NoData is one alert for each objective and one runbook
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

// page is what the templates of runbooks read.
type page struct {
	RunbookOptions
	Alert                             Alert
	Kind                              string
	Service, Description, Owner, Team string
	Feel, Fires, Resolves             string
	Burns                             []burnRow
	Shares                            []string // of bad events, in the order of burnRow.After
	Checks                            []check
	Links                             []link
	Silence                           string
	Alertmanager                      bool // its address is known
	NeedsEnvironment                  bool // the alert may have none
	Page, Runtime, ConnectionPool     bool
	BeginMarker, EndMarker            string
}

// burnRow is one alert of an objective in the tables of its runbook.
type burnRow struct {
	Severity, Long, Short, Threshold, Factor, Resolves string
	Delay                                              string // at most, by scraping and evaluating
	Share                                              int64
	After                                              []string // until it fires, by share of bad events
}

type check struct{ Question, Query, Expect string }

type link struct{ Text, URL string }

func (r Rules) runbook(a Alert, texts *template.Template, o RunbookOptions) (Runbook, error) {
	p := page{
		RunbookOptions: o, Alert: a, Kind: string(a.Kind), Service: r.Spec.Service,
		Description: markdown.Escape(r.description(a)), Owner: markdown.Escape(r.Spec.Owner),
		Feel: r.feels(a), Fires: r.firesWhen(a), Resolves: r.resolvesWhen(a),
		Checks: r.checks(a), Links: r.links(a), Burns: r.burnRows(a), Silence: r.silence(a),
		Alertmanager: r.Spec.Links.Alertmanager != "", NeedsEnvironment: a.Kind == KindDown,
		Page: a.Tier == TierPage, Runtime: r.Spec.Runtime, ConnectionPool: r.Spec.ConnectionPool,
		BeginMarker: FactsBegin, EndMarker: FactsEnd,
	}
	for _, share := range DrillShares() {
		p.Shares = append(p.Shares, fmt.Sprintf("%g %%", share*100))
	}
	book := Runbook{Alert: a.Name}
	for _, c := range p.Checks {
		book.queries = append(book.queries, c.Query)
	}
	var facts, body bytes.Buffer
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

// feels says in one sentence what users of the service notice.
func (r Rules) feels(a Alert) string {
	switch a.Kind {
	case KindErrorBudgetBurn:
		o := r.Spec.SLOs[a.SLO]
		switch in := o.Indicator; {
		case in.Availability != nil:
			return "Requests fail: users see errors, or their client retries and waits."
		case in.Latency != nil:
			return "Requests take over " + model.Duration(in.Latency.Threshold).String() + ": users wait, some give up."
		default:
			return "Too many events that the objective " + o.Name + " counts are bad."
		}
	case KindDown:
		return "Requests are rejected or time out. No request metric shows it, because no instance counts them."
	case KindCrashLooping:
		return "Requests fail when their instance crashes, and are rejected while none runs. Between two crashes everything works."
	case KindNotReady:
		return "Fewer than half of the instances accept requests. When none does, the load balancer rejects all of them."
	case KindHealthCheckFailing:
		return "Whatever needs the dependency fails fast. If users feel it, a budget alert fires too."
	case KindSLONoData, KindSLODataIncomplete, KindScrapeIntervalMismatch:
		return "Nothing by itself. But alerts on errors may stay silent while this lasts."
	case KindTelemetryDropped:
		return "Nothing. Traces, logs or profiles will be missing when somebody looks for them."
	case KindLogsDropped:
		return "Nothing. Log lines will be missing when somebody looks for them."
	case KindMetricCardinalityLimitReached:
		return "Nothing. One metric can no longer tell the values of one label apart."
	case KindConcurrencyLimitAtMinimum:
		return "Some requests are rejected with 503 and Retry-After, the least important ones first; the others are slow."
	case KindDBConnectionPoolSaturated:
		return "Requests that need the database are slow. If they are too slow, a budget alert fires too."
	case KindHpaMaxedOut:
		return "Nothing yet. The next rise in traffic gets no more instances: requests wait, then some are rejected."
	case KindCPUHigh:
		return "Every request is slower: it waits for CPU. If it is too slow, a budget alert fires too."
	case KindMemoryNearLimit:
		return "Requests are slower, because garbage collection takes CPU from them; they fail if the kernel kills the instance."
	}
	return ""
}

func (r Rules) firesWhen(a Alert) string {
	if a.Burn == nil {
		return ""
	}
	o := r.Spec.SLOs[a.SLO]
	text := fmt.Sprintf("The objective is %s %% over %s, and its error budget burns too fast: in both windows of a row below, the ratio of bad events is above the threshold. The labels `severity`, `long` and `short` of the alert name the row.",
		o.Target, o.Window)
	if r.Spec.Runtime && o.Indicator.Availability != nil {
		text += " Bad are requests with the outcome `server_error` (5xx, a panic, a deadline of the service itself) or `shed` (rejected to protect the others). Responses with 4xx, and requests whose client left or sent a timeout shorter than the latency objective, are `client_error` and not bad."
	}
	if n := a.Burn.MinBadEvents; n > 0 {
		text += fmt.Sprintf(" Fewer than %d bad events in the long window never fire an alert.", n)
	}
	return text
}

func (r Rules) resolvesWhen(a Alert) string {
	if a.Burn == nil {
		return "It resolves by itself within minutes once the first query above gives what is expected."
	}
	return "It resolves by itself within the time in the table above after the errors stop."
}

// percent writes the threshold of a burn alert for people.
func percent(b *Burn) string {
	f, _ := b.Threshold.Float64()
	return fmt.Sprintf("%.4g %%", f*100)
}

// checks are the questions in the order in which somebody asks them.
func (r Rules) checks(a Alert) []check {
	c := &compiler{spec: r.Spec, scope: newScope(r.Spec)}
	present := c.presence().String()
	out := []check{{"Is it real?", a.Check, a.Expect}}
	if a.Burn != nil {
		var short []string
		for _, b := range r.burnsOf(a) {
			short = append(short, b.Check)
		}
		out = []check{{"Is it real? These are the error ratios of the short windows.", strings.Join(short, "\nor "), "each at or below the threshold of its row"}}
	}
	if r.Spec.Runtime {
		versions := "count by (" + c.kept(semconv.LabelVersion, semconv.LabelRevision) + ") (" + c.scope.metric(semconv.BuildInfo).String()
		out = append(out,
			check{"What runs now?", versions + ")", "one version"},
			check{"What ran six hours ago?", versions + " offset 6h)", "the same version; if not, suspect the deployment"})
	}
	out = append(out, check{"Which instances are new within six hours?", present + " unless " + present + " offset 6h", "nothing, unless somebody deployed"})
	if a.Where != "" {
		out = append(out, check{"Where?", a.Where, "nothing; what it lists is the worst first"})
	}
	if a.Kind == KindConcurrencyLimitAtMinimum {
		atMinimum := c.scope.metric(semconv.RuntimeOverloadAtMinLimit).String()
		out = append(out, check{"Which instances?", "max by (" + c.kept(semconv.LabelInstance) + ") (" + atMinimum + ") == 1", "nothing; one instance alone suggests its node"})
	}
	if r.Spec.Runtime && a.Kind != KindHealthCheckFailing {
		out = append(out, check{"Which dependency?", c.scope.metric(semconv.RuntimeHealthCheckUp).String() + " == 0", "nothing; what it lists is away"})
	}
	if a.Kind != KindDown {
		out = append(out, check{"Does it run?", c.by("sum", present), "the number of instances that should run"})
	}
	for i := range out {
		out[i].Query = inFence(out[i].Query)
	}
	return out
}

// inFence writes a query so that it neither ends the facts nor its own code
// block. Both texts can only stand inside a string of the query, which reads
// the escape as the same character.
func inFence(query string) string {
	return strings.NewReplacer("<!--", `\x3c!--`, "```", "\\x60``").Replace(query)
}

func (r Rules) links(a Alert) []link {
	var out []link
	add := func(text, address string) {
		out = append(out, link{text, strings.NewReplacer("(", "%28", ")", "%29", " ", "%20", "<", "%3C", ">", "%3E").Replace(address)})
	}
	if base := strings.TrimRight(r.Spec.Links.Grafana, "/"); base != "" {
		add("Overview board", base+"/d/"+BoardUID(r.Spec.Service, "overview")+"?from=now-6h&to=now")
		if a.Kind.saturation() {
			add("Saturation board", base+"/d/"+BoardUID(r.Spec.Service, "saturation")+"?from=now-6h&to=now")
		}
		if a.Kind == KindErrorBudgetBurn {
			add("Objective board", base+"/d/"+BoardUID(r.Spec.Service, "slo")+"?var-slo="+r.Spec.SLOs[a.SLO].Name+"&from=now-6h&to=now")
		}
		add("Logs, traces and profiles: from any panel of the overview board", base+"/explore")
	}
	if base := strings.TrimRight(r.Spec.Links.Alertmanager, "/"); base != "" {
		add("What else fires", base+"/#/alerts?filter="+url.QueryEscape(`{service="`+r.Spec.Service+`"}`))
	}
	if r.Spec.Links.Repository != "" {
		add("Source", r.Spec.Links.Repository)
	}
	return out
}

// burnsOf are the burn alerts that share the name and the runbook of one.
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
		for _, share := range DrillShares() {
			after := "never"
			if d := r.drill(&b, share); d.Fires {
				after = short(d.FiresAfter)
			}
			row.After = append(row.After, after)
		}
		out = append(out, row)
	}
	return out
}

// short rounds a duration to what matters to a person.
func short(d time.Duration) string {
	switch {
	case d >= day:
		return fmt.Sprintf("%.1f days", d.Hours()/24)
	case d >= time.Hour:
		return fmt.Sprintf("%.1f hours", d.Hours())
	}
	return fmt.Sprintf("%.1f minutes", d.Minutes())
}

// silence is the command that quiets the alert for the time of the repair.
func (r Rules) silence(a Alert) string {
	command := "amtool silence add"
	if r.Spec.Links.Alertmanager != "" {
		command += " --alertmanager.url=" + shellQuote(r.Spec.Links.Alertmanager)
	}
	command += " --duration=2h --comment='being worked on' alertname=" + a.Name + " service=" + r.Spec.Service
	return command + " environment=production"
}

// shellQuote keeps a shell from reading anything into the text.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
