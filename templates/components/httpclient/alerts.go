package httpclient

import (
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

// failing is the ratio of failed calls above which an upstream is in trouble. Retries hide less than that.
const failing = 0.05

// upstreamFailing fires if calls to an upstream fail after all attempts. Rejections by the circuit breaker count.
func upstreamFailing() slo.ComponentAlert {
	bad := labels.MustNewMatcher(labels.MatchRegexp, semconv.LabelOutcome, semconv.OutcomeServerError+"|"+semconv.OutcomeShed)
	rate := func(q slo.Queries, matchers []*labels.Matcher, by ...string) string {
		return q.Sum("rate("+q.Metric(semconv.HTTPClientCalls, matchers...)+"[5m])", append([]string{semconv.LabelServerAddress}, by...)...)
	}
	return slo.ComponentAlert{
		Name: "UpstreamFailing",
		Value: func(q slo.Queries) string {
			return rate(q, []*labels.Matcher{bad}) + " / (" + rate(q, nil) + " > 0)"
		},
		Above: failing, For: 5 * time.Minute,
		Expect: "below 0.05 for each server",
		Where: func(q slo.Queries) string {
			return "topk(10, " + rate(q, []*labels.Matcher{bad}, semconv.LabelOutcome, semconv.LabelInstance) + " > 0)"
		},
		Question:    "Which instances have failed calls, and did the server reject them (shed)?",
		Condition:   "More than 5 % of the calls to a server fail after all attempts, for 5 minutes. Calls that the circuit breaker rejects count as failed.",
		Summary:     `{{ $value | humanizePercentage }} of the calls to {{ printf "%.64s" $labels.` + semconv.LabelServerAddress + ` }} fail`,
		Description: "Requests that need this server fail or lack a part of their response. Either the server has a problem, or the network or a configuration between it and the service.",
		Impact:      "Requests that need the server fail or lack a part of their response. If too many fail, a budget alert fires too.",
		Mitigation: "1. The label `server_address` of the alert is the host of the server. Call its owner, and look at its dashboards.\n" +
			"2. If the incident [began with a deployment](#common-queries) of this service, the URL, a timeout or a header may be wrong: [roll back](#commands).\n" +
			"3. Check on the dependencies dashboard whether calls fail or are slow. Slow calls end after the timeout of the upstream in `scaffold.yaml` and fail. " +
			"If the server rejects calls (`shed`), it is overloaded: reject the least important requests that need it at the gateway.\n" +
			"4. While most calls fail, the circuit breaker rejects them, and a few calls test the server. The service needs no restart when the server recovers.",
		Faults: []slo.Fault{
			fault("an upstream is away", semconv.OutcomeServerError, 1),
			fault("an upstream is often slower than its timeout", semconv.OutcomeServerError, 0.5),
			fault("an upstream responds to some calls with 5xx", semconv.OutcomeServerError, 0.1),
			fault("an upstream rejects calls", semconv.OutcomeShed, 0.3),
		},
	}
}

// fault makes a ratio of the calls fail with an outcome.
func fault(name, outcome string, ratio float64) slo.Fault {
	const perSecond = 10.0
	calls := func(outcome string, healthy, faulty float64) slo.Growth {
		return slo.Growth{
			Metric: semconv.HTTPClientCalls, Healthy: healthy, Faulty: faulty,
			Labels: map[string]string{semconv.LabelServerAddress: "payments.internal", semconv.LabelOutcome: outcome},
		}
	}
	return slo.Fault{Name: name, Series: []slo.Growth{calls(semconv.OutcomeSuccess, perSecond, perSecond*(1-ratio)), calls(outcome, 0, perSecond*ratio)}}
}
