package httpclient

import (
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

// failedRatio is the ratio of failed calls above which an upstream is in trouble. Retries hide less than that.
const failedRatio = 0.05

// upstreamLabels identify an upstream.
func upstreamLabels() []string { return []string{semconv.LabelPeerName, semconv.LabelServerAddress} }

// upstreamFailing fires if calls to an upstream fail after all attempts. Rejections by the circuit breaker count. Requests
// and health checks have ratios of their own: many successful checks must not hide a few requests that all fail.
func upstreamFailing() slo.ComponentAlert {
	bad := labels.MustNewMatcher(labels.MatchRegexp, semconv.LabelOutcome, strings.Join(semconv.BadOutcomes(), "|"))
	rate := func(q slo.Queries, by []string, matchers ...*labels.Matcher) string {
		return q.Sum("rate("+q.Metric(semconv.HTTPClientCalls, matchers...)+"[5m])", by...)
	}
	return slo.ComponentAlert{
		Name: "UpstreamFailing",
		Value: func(q slo.Queries) string {
			by := append(upstreamLabels(), semconv.LabelPurpose)
			return q.Max(rate(q, by, bad)+" / ("+rate(q, by)+" > 0)", upstreamLabels()...)
		},
		Above: failedRatio, For: 10 * time.Minute,
		Expect: "below 0.05 for each upstream",
		Where: func(q slo.Queries) string {
			return "topk(10, " + rate(q, append(upstreamLabels(), semconv.LabelPurpose, semconv.LabelOutcome, semconv.LabelInstance), bad) + " > 0)"
		},
		Question: "Which instances have failed calls: requests or health checks, and did the upstream reject them (shed)?",
		Condition: "More than 5 % of the calls to an upstream within 5 minutes fail after all attempts, at each evaluation for 10 minutes. Requests and health checks are counted " +
			"apart. Calls that the circuit breaker rejects count as failed; 4xx other than 429, and calls whose caller gave up, do not.",
		Summary:     `{{ $value | humanizePercentage }} of the calls to {{ printf "%.40s" $labels.` + semconv.LabelPeerName + ` }} ({{ printf "%.64s" $labels.` + semconv.LabelServerAddress + ` }}) fail`,
		Description: "Requests that need this upstream fail or lack a part of their response. Either the upstream has a problem, or the network or a configuration between it and the service.",
		Impact:      "Requests that need the upstream fail or lack a part of their response. If too many fail, a budget alert fires too.",
		Mitigation: "1. The label `service_peer_name` of the alert names the upstream, `server_address` its host. Call its owner, and look at its dashboards.\n" +
			"2. If the incident [began with a deployment](#common-queries) of this service, its URL or a timeout may be wrong: [roll back](#commands).\n" +
			"3. Check on the dependencies dashboard whether calls fail or are slow. A call fails after the timeout of its upstream (`timeout` in `scaffold.yaml`, or the environment variable `NAME_TIMEOUT`).\n" +
			"4. If the outcome is `shed`, the upstream is overloaded or a quota is used up: reject the least important requests at the gateway, or ask the owner for more.\n\n" +
			"The circuit breaker rejects calls while most fail, and tries a few. The service needs no restart.",
		Faults: []slo.Fault{
			fault("an upstream is down", semconv.OutcomeServerError, 1),
			fault("an upstream is often slower than its timeout", semconv.OutcomeServerError, 0.5),
			fault("an upstream responds to some calls with 5xx", semconv.OutcomeServerError, 0.1),
			fault("an upstream rejects calls", semconv.OutcomeShed, 0.3),
		},
	}
}

// fault makes a ratio of the requests fail with an outcome. Health checks succeed.
func fault(name, outcome string, ratio float64) slo.Fault {
	const perSecond = 0.5
	calls := func(purpose, outcome string, healthy, faulty float64) slo.Growth {
		return slo.Growth{Metric: semconv.HTTPClientCalls, Healthy: healthy, Faulty: faulty, Labels: map[string]string{
			semconv.LabelPeerName: "payments", semconv.LabelServerAddress: "payments.internal", semconv.LabelPurpose: purpose, semconv.LabelOutcome: outcome,
		}}
	}
	return slo.Fault{Name: name, Series: []slo.Growth{
		calls("check", semconv.OutcomeSuccess, 2, 2),
		calls("request", semconv.OutcomeSuccess, perSecond, perSecond*(1-ratio)),
		calls("request", outcome, 0, perSecond*ratio),
	}}
}
