package heartbeat

import (
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

const (
	sent        = "heartbeat_sent_total" // counts heartbeats by labelResult
	labelResult = "result"
	success     = "success"
	failed      = "failed"
)

// failing fires if heartbeats do not reach the monitor, which then watches nothing.
func failing() slo.ComponentAlert {
	rate := func(q slo.Queries, by []string, matchers ...*labels.Matcher) string {
		return q.Sum("rate("+q.Metric(sent, matchers...)+"[5m])", by...)
	}
	bad := labels.MustNewMatcher(labels.MatchEqual, labelResult, failed)
	return slo.ComponentAlert{
		Name:  "HeartbeatFailing",
		Value: func(q slo.Queries) string { return rate(q, nil, bad) + " / (" + rate(q, nil) + " > 0)" },
		Above: 0.5, For: 5 * time.Minute,
		Expect: "below 0.5",
		Where: func(q slo.Queries) string {
			return "topk(5, " + rate(q, []string{semconv.LabelInstance}, bad) + " > 0)"
		},
		Question:    "Which instances cannot send heartbeats?",
		Condition:   "More than half of the heartbeats fail, for 5 minutes.",
		Summary:     "{{ $value | humanizePercentage }} of the heartbeats fail",
		Description: "The monitor does not receive them. Either it is down, or the network or the URL is wrong.",
		Impact:      "None on users, but nobody is notified by the monitor while heartbeats fail.",
		Mitigation: "1. If the incident [began with a deployment](#common-queries), `HEARTBEAT_URL` may be wrong: [roll back](#commands).\n" +
			"2. Otherwise call the owner of the monitor. The service needs no restart when the monitor recovers.",
		Faults: []slo.Fault{{Name: "the monitor is down", Series: []slo.Growth{
			{Metric: sent, Labels: map[string]string{labelResult: success}, Healthy: 1},
			{Metric: sent, Labels: map[string]string{labelResult: failed}, Faulty: 1},
		}}},
	}
}
