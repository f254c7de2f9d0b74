package slo

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/prometheus/common/model"

	"github.com/observability-first/scaffold/internal/source/markdown"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// section is the data of the section of one alert.
type section struct {
	Alert, Kind                         string
	Dependencies, Autoscaled, Generated bool // Dependencies: there is a dashboard of them
	Impact, Condition                   string
	Bad                                 string // which events are bad, empty if the specification says it
	Burns                               []burnRow
	Checks                              []check
	Mitigation, Silence                 string
}

// burnRow is one burn alert in the tables of a runbook.
type burnRow struct {
	Severity, Long, Short, Threshold, Factor, Resolves string
	Delay                                              string // the longest, of scrapes and evaluations
	Share                                              int64
	After                                              []string // time until the alert fires, by error ratio
}

type check struct{ Question, Query, Expect string }

func queries(checks []check) []string {
	var out []string
	for _, c := range checks {
		out = append(out, c.Query)
	}
	return out
}

func (r Rules) section(a Alert, texts *template.Template, o RunbookOptions) (section, error) {
	s := section{
		Alert: a.Name, Kind: string(a.Kind), Dependencies: o.Dependencies, Autoscaled: r.autoscaled(), Generated: o.Generated,
		Impact: r.impact(a), Condition: r.condition(a), Bad: r.badEvents(a), Burns: r.burnRows(a), Checks: r.checks(a), Silence: r.silence(a, o.Environment),
	}
	if a.Component != nil {
		s.Mitigation = a.Component.Mitigation
		return s, nil
	}
	var mitigation bytes.Buffer
	err := texts.ExecuteTemplate(&mitigation, "mitigate", s)
	s.Mitigation = mitigation.String()
	return s, err
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
			bad := markdown.Code(in.Ratio.Bad)
			if in.Ratio.Good != "" {
				bad = "all but " + markdown.Code(in.Ratio.Good)
			}
			return "Too many events are bad: " + bad + " of " + markdown.Code(in.Ratio.Total) + "."
		}
	case KindDown:
		return "Requests fail or time out. Request metrics do not contain requests that reached no instance."
	case KindCrashLooping:
		return "Requests fail when their instance crashes, or while no instance runs. Between crashes everything works."
	case KindNotReady:
		return "Fewer than half of the instances accept requests. If none does, all requests fail."
	case KindHealthCheckFailing:
		return "Requests that need the dependency fail. If users are affected, a budget alert fires too."
	case KindSLONoData, KindSLODataIncomplete, KindScrapeIntervalMismatch:
		return "None by itself. Meanwhile, alerts of the objective may not fire, including pages."
	case KindTelemetryDropped:
		return "None for users. Traces, logs or profiles of this time are missing."
	case KindLogsDropped:
		return "None for users. Log lines of this time are missing."
	case KindMetricCardinalityLimitReached:
		return "None for users. New values of one label are counted together."
	case KindConcurrencyLimitAtMinimum:
		return "Some requests are rejected with 503 and Retry-After, the least important ones first; the others are slow."
	case KindComponent:
		return a.Component.Impact
	case KindHpaMaxedOut:
		return "None yet. If traffic rises further, requests wait, and then some are rejected."
	case KindCPUHigh:
		return "All requests are slower, because they wait for CPU. If they are too slow, a budget alert fires too."
	case KindMemoryNearLimit:
		return "Requests are slower, because garbage collection takes CPU from them. If the kernel kills the instance, they fail."
	}
	return ""
}

// condition returns the condition of an alert. For burn alerts it precedes their table.
func (r Rules) condition(a Alert) string {
	if a.Burn == nil {
		return a.Condition
	}
	o := r.Spec.SLOs[a.SLO]
	text := "The ratio of bad events is above the threshold of a row in both of its windows"
	if n := a.Burn.MinBadEvents; n > 0 {
		text += fmt.Sprintf(", and the long one has at least %d bad events", n)
	}
	if slices.ContainsFunc(r.Alerts, func(other Alert) bool { return other.Burn != nil && other.SLO == a.SLO && other.Tier == TierTicket }) {
		text += ". An alert with the severity `warning` also needs data for half of its long window"
	}
	return text + fmt.Sprintf(". The labels `severity`, `long` and `short` of the alert identify the row. The objective is %s %% good events over %s.",
		o.Target, inWords(o.Window.Duration()))
}

// badEvents says which requests the runtime counts as bad.
func (r Rules) badEvents(a Alert) string {
	if !r.Spec.Runtime || a.Burn == nil || r.Spec.SLOs[a.SLO].Indicator.Availability == nil {
		return ""
	}
	return "Requests with the outcome `server_error` (5xx, a panic, or a deadline of the service) or `shed` (rejected to protect the others) are bad. " +
		"Requests with the outcome `client_error` are not: responses with 4xx, and requests whose client disconnected or sent a timeout shorter than the latency objective. " +
		"The log lines of bad requests in Loki: " + markdown.Code(`{service_name="`+r.Spec.Service+`"} | json | outcome=~"server_error|shed"`) + "; if your Loki has several environments, add the label that tells them apart. The `trace_id` of a line identifies the trace."
}

// percent formats the threshold of a burn alert.
func percent(b *Burn) string {
	f, _ := b.Threshold.Float64()
	return fmt.Sprintf("%.4g (%.4g %%)", f, f*100)
}

// checks returns the queries of the section of an alert.
func (r Rules) checks(a Alert) []check {
	question := "What is the value now?"
	switch a.Kind {
	case KindDown:
		question = "How many instances run?"
	case KindCrashLooping:
		question = "How many times did the instance with the most restarts restart in the last ten minutes?"
	case KindNotReady:
		question = "What ratio of the instances is ready?"
	}
	c := &compiler{spec: r.Spec, scope: newScope(r.Spec)}
	out := []check{{question, a.Check, a.Expect}}
	if a.Burn != nil {
		var ratios, windows []string
		for _, b := range r.burnsOf(a) {
			ratios, windows = append(ratios, b.Check), append(windows, markdown.Code(window(b.Burn.Short)))
		}
		out = []check{{
			"What are the error ratios of the short windows? The name of the metric has the window: " + strings.Join(windows, ", ") + ".",
			strings.Join(ratios, "\nor "), "each at or below the threshold of its row in the table",
		}}
	}
	if a.Where != "" {
		question, expect := narrowing(a)
		if a.Burn != nil && !c.resolve(a.SLO).events.routed() {
			question, expect = "Which series have the most bad events per second?", "no result"
		}
		out = append(out, check{question, a.Where, expect})
	}
	if a.Kind == KindConcurrencyLimitAtMinimum {
		atMinimum := c.scope.metric(semconv.RuntimeOverloadAtMinLimit).String()
		out = append(out, check{"Which instances are at the minimum limit?", "max by (" + c.kept(semconv.LabelInstance) + ") (" + atMinimum + ") == 1", "no result; if it is one instance, suspect its node"})
	}
	return fenced(out)
}

// commonChecks returns the queries that all alerts of a runbook share.
func (r Rules) commonChecks(runbook string) []check {
	c := &compiler{spec: r.Spec, scope: newScope(r.Spec)}
	present := c.presence().String()
	var out []check
	if r.Spec.Runtime {
		versions := "count by (" + c.kept(semconv.LabelVersion, semconv.LabelRevision) + ") (" + c.scope.metric(semconv.BuildInfo).String()
		out = append(out,
			check{"Which versions run now?", versions + ")", "one version"},
			check{"Which versions ran six hours ago?", versions + " offset 6h)", "the same version; if not, suspect the deployment"})
	}
	out = append(out, check{"Which instances started in the last six hours? A restart with the same address, such as that of a container in its pod, is not shown.", present + " unless " + present + " offset 6h", "no result without a deployment"})
	if r.Spec.Runtime && runbook != familyTelemetry {
		out = append(out, check{"Which dependency is failing?", c.scope.metric(semconv.RuntimeHealthCheckUp).String() + " == 0", "no result"})
	}
	if runbook != familyInstances { // it is the condition of Down
		out = append(out, check{"How many instances run?", c.by("sum", present), r.expectedInstances()})
	}
	return fenced(out)
}

// expectedInstances is how many instances run in health.
func (r Rules) expectedInstances() string {
	if lowest := r.Spec.Replicas.Min; lowest > 0 {
		return fmt.Sprintf("at least the configured minimum (%d)", lowest)
	}
	return "the configured number"
}

// narrowing returns the question and the expected result of the Where query.
func narrowing(a Alert) (question, expect string) {
	const none = "no result"
	switch a.Kind {
	case KindErrorBudgetBurn:
		return "Which routes have the most bad events?", "no result; if one route dominates, start there"
	case KindNotReady:
		return "Which instances are not ready?", none
	case KindCrashLooping:
		return "Which instances restarted more than once in ten minutes?", none
	case KindTelemetryDropped:
		return "Which signals are dropped, and for which reason?", none
	case KindLogsDropped:
		return "Which instances drop log lines?", none
	case KindConcurrencyLimitAtMinimum:
		return "For which reasons are requests rejected?", none
	case KindComponent:
		return a.Component.Question, none
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

// fenced escapes what would end the generated part or the code block. Both texts can occur
// only in strings of a query, where the escape means the same character.
func fenced(checks []check) []check {
	escape := strings.NewReplacer("<!--", `\x3c!--`, "```", "\\x60``")
	for i := range checks {
		checks[i].Query = escape.Replace(checks[i].Query)
	}
	return checks
}

// burnsOf returns the burn alerts with the name of an alert, empty if it is none.
func (r Rules) burnsOf(a Alert) []Alert {
	var out []Alert
	if a.Burn == nil {
		return nil
	}
	for _, other := range r.alertsOf(r.objective(a)) {
		if other.Burn != nil {
			out = append(out, other)
		}
	}
	return out
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
	arguments := []string{"--duration=2h --comment='repair in progress'", "alertname=" + a.Name, "service=" + r.Spec.Service, "environment=" + environment}
	for _, label := range r.groupedBy(a) {
		arguments = append(arguments, label+"="+strings.ToUpper(label))
	}
	return r.amtool("silence add", strings.Join(arguments, " "))
}

// groupedBy returns the labels besides the environment whose values have alerts of their own.
func (r Rules) groupedBy(a Alert) []string {
	out := slices.Clone(r.Spec.GroupBy)
	if a.Burn != nil {
		out = append(out, r.Spec.SLOs[a.SLO].GroupBy...)
	}
	return out
}

// amtool returns a command for the Alertmanager of the specification, or else for the
// configured one.
func (r Rules) amtool(command, arguments string) string {
	if address := r.Spec.Links.Alertmanager; address != "" {
		command += " --alertmanager.url=" + shellQuote(address)
	}
	return "amtool " + command + " " + arguments
}

// shellQuote quotes a text for a shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
