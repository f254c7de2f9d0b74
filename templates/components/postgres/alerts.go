package postgres

import (
	"time"

	"github.com/observability-first/scaffold/runtime/semconv"
	"github.com/observability-first/scaffold/slo"
)

// poolSaturated fires if at least one request waits at any time, summed over all instances, for longer than the
// pool needs to grow in a burst.
func poolSaturated() slo.ComponentAlert {
	waiting := func(q slo.Queries, by ...string) string {
		return q.Sum("rate("+q.Metric(semconv.DBClientConnectionWaitTime)+"[5m])", by...)
	}
	return slo.ComponentAlert{
		Name:  "DBConnectionPoolSaturated",
		Value: func(q slo.Queries) string { return waiting(q, semconv.LabelPoolName) },
		Above: 1, For: 10 * time.Minute,
		Expect: "below 1, the average number of requests that wait for a connection",
		Where: func(q slo.Queries) string {
			return "topk(5, " + waiting(q, semconv.LabelPoolName, semconv.LabelInstance) + " > 0)"
		},
		Question:    "On which instances do requests wait for a connection?",
		Condition:   "On average, more than 1 request waits for a connection of a pool, counted over all instances, for 10 minutes.",
		Summary:     `{{ $value | humanize }} requests wait for a connection of pool {{ printf "%.24s" $labels.` + semconv.LabelPoolName + ` }} on average`,
		Description: "Requests that need the database are slower. Either queries became slow, or the pool is too small for the traffic.",
		Impact:      "Requests that need the database are slower. If they are too slow, a budget alert fires too.",
		Mitigation: "1. If the incident [began with a deployment](#common-queries), a transaction may hold its connection while it waits for another service: [roll back](#commands).\n" +
			"2. Check on the dependencies dashboard whether queries take longer than before. If they do, find the query: its spans contain the SQL. Usual causes are a missing index, and a migration that holds a lock.\n" +
			"3. If queries are as fast as before, the pool is too small for the traffic. If the database has room for more connections, raise `POSTGRES_MAX_CONNS` in `literals` of the overlay's `kustomization.yaml` and deploy, or [start more instances](#commands).",
		Faults: []slo.Fault{{
			Name:   "requests wait for connections",
			Series: []slo.Growth{{Metric: semconv.DBClientConnectionWaitTime, Labels: map[string]string{semconv.LabelPoolName: "main"}, Faulty: 2}},
		}},
	}
}
