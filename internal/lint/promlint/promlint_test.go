package promlint_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/observability-first/scaffold/internal/lint"
	"github.com/observability-first/scaffold/internal/lint/promlint"
	"github.com/observability-first/scaffold/internal/source/promql"
	"github.com/observability-first/scaffold/runtime/declared"
)

func parse(tb testing.TB, expr string) parser.Expr {
	tb.Helper()
	tree, err := promql.Parse(expr)
	if err != nil {
		tb.Fatalf("%s: %v", expr, err)
	}
	return tree
}

// offset returns a finding with the offset as its column.
func offset(at int) lint.Finding { return lint.Finding{Column: at} }

// world declares counters, gauges and histograms, and records sums of them.
func world(tb testing.TB) promlint.World {
	tb.Helper()
	w := promlint.NewWorld([]declared.Metric{
		{Name: "jobs_total", Type: "counter"},
		{Name: "job_cpu_seconds_total", Type: "counter", Unit: "seconds"},
		{Name: "queue_length", Type: "gauge"},
		{Name: "heap_bytes", Type: "gauge"},
		{Name: "busy_time_total", Type: "counter"},
		{Name: "process_start_time_seconds", Type: "gauge"},
		{Name: "wait_seconds", Type: "histogram", Unit: "seconds"},
		{Name: "body_bytes", Type: "histogram"},
		{Name: "runtime_ready", Type: "gauge"},
	}, 15*time.Second)
	for name, expr := range map[string]string{
		"job:jobs:sum":          `sum(jobs_total)`,
		"instance:jobs:sum":     `sum by (instance, job) (jobs_total)`,
		"job:jobs:rate5m":       `sum by (a) (rate(jobs_total[5m]))`,
		"job:errors:ratio5m":    `sum(rate(jobs_total{code="5"}[5m])) / sum(rate(jobs_total[5m]))`,
		"job:errors:percent":    `100 * job:errors:ratio5m`,
		"job:loop:a":            `job:loop:b`,
		"job:loop:b":            `job:loop:a`,
		"job:wait:mean_seconds": `rate(wait_seconds_sum[5m]) / rate(wait_seconds_count[5m])`,
	} {
		w.Record(promlint.Record{Name: name, Tree: parse(tb, expr), Interval: time.Minute})
	}
	for _, interval := range []time.Duration{5 * time.Minute, 10 * time.Second} {
		w.Record(promlint.Record{Name: "twice:x", Tree: parse(tb, "queue_length"), Interval: interval})
	}
	return w
}

// Near is a similar query without a finding.
func TestRules(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for _, tc := range []struct{ rule, name, bad, says, near string }{
		{"rate-range", "one scrape", `rate(jobs_total[15s])`, "rate over 15s never has two samples: scrapes are 15s apart; use 1m or longer", `rate(jobs_total[30s])`},
		{"rate-range", "a range below two scrapes", `rate(jobs_total[29s])`, "rate over 29s has two samples only part of the time: scrapes are 15s apart; use 1m or longer", `irate(jobs_total[30s])`},
		{"rate-range", "the shortest of several intervals", `rate(twice:x[10s])`, "rate over 10s never has two samples: records are 10s apart", `rate(twice:x[20s])`},
		{"rate-range", "one record", `delta(job:jobs:rate5m[90s])`, "has two samples only part of the time: records are 1m apart", `delta(job:jobs:rate5m[2m])`},
		{"rate-range", "one scrape, not samples from outside of the range", `increase(jobs_total[15s])`, "never has two samples", `increase(jobs_total[15s] anchored) + rate(jobs_total[15s] smoothed)`},
		{"rate-gauge", "a gauge", `increase(queue_length[5m])`, "increase of the gauge queue_length", `delta(queue_length[5m])`},
		{"rate-sum", "in a subquery", `rate(sum(jobs_total)[5m:15s])`, "rate of a sum", `max_over_time(sum(rate(jobs_total[5m]))[1h:1m])`},
		{"rate-sum", "through a record", `rate(job:jobs:sum[5m])`, "rate of job:jobs:sum, a recorded sum of counters", `avg_over_time(job:jobs:rate5m[5m])`},
		{"rate-sum", "of all instances, not one of each instance", `rate(sum by (job) (jobs_total)[5m:15s])`, "rate of a sum", `rate(sum by (instance) (jobs_total)[5m:15s]) + on () group_left () rate(sum by (pod, container) (jobs_total)[5m:15s])`},
		{"rate-sum", "of all instances, not one instance", `rate(sum(jobs_total{instance=~"a.+"})[5m:15s])`, "rate of a sum", `rate(sum(jobs_total{instance="a:1"})[5m:15s]) + rate(sum without (instance) (jobs_total{pod="a"})[5m:15s])`},
		{"rate-sum", "of a counter, not a gauge", `rate(sum(jobs_total)[5m:15s])`, "rate of a sum", `rate(sum(queue_length)[5m:15s])`},
		{"rate-sum", "of all pods, not one of each pod", `rate(sum without (instance, pod) (jobs_total)[5m:15s])`, "rate of a sum", `rate(avg without (cpu) (job_cpu_seconds_total)[5m:15s])`},
		{"rate-sum", "of sums by instance", `rate(sum(sum by (instance) (jobs_total))[5m:15s])`, "rate of a sum", `rate(sum by (instance) (sum without (cpu) (jobs_total))[5m:15s])`},
		{"rate-sum", "through a record, not a record of each instance", `rate(job:jobs:sum[5m])`, "a recorded sum of counters", `rate(instance:jobs:sum[5m])`},
		{"counter-rate", "compared without rate", `sum(jobs_total) > 100`, "jobs_total is a counter; use rate(jobs_total[...])", `sum(rate(jobs_total[5m])) > 100`},
		{"counter-rate", "over a gauge, not the time since the start", `job_cpu_seconds_total / queue_length > 0.9`, "job_cpu_seconds_total is a counter", `job_cpu_seconds_total / (time() - process_start_time_seconds) > 0.9`},
		{"counter-rate", "added to a gauge", `queue_length + on() jobs_total`, "jobs_total is a counter", `queue_length + on() 0 * jobs_total`},
		{"counter-rate", "over another counter", `jobs_total / on() job_cpu_seconds_total`, "is a counter", `jobs_total{code="5"} / ignoring(code) jobs_total`},
		{"counter-rate", "counted only", `jobs_total == 0`, "jobs_total is a counter", `count(jobs_total * on() queue_length) == 3 or absent(jobs_total) == 1`},
		{"counter-rate", "a multiple is compared", `jobs_total * 8 > 100`, "jobs_total is a counter", `jobs_total * 8`},
		{"counter-rate", "divided by a number and compared", `jobs_total / 1024 > 100`, "jobs_total is a counter", `jobs_total / 1024`},
		{"counter-rate", "a scalar", `queue_length * scalar(jobs_total)`, "jobs_total is a counter", `queue_length * scalar(rate(jobs_total[5m]))`},
		{"counter-rate", "divides a number", `5 / jobs_total`, "jobs_total is a counter", `wait_seconds_sum * 1000 / wait_seconds_count`},
		{"counter-rate", "joined and compared", `jobs_total * on (pod) group_left (node) kube_pod_info > 5`, "jobs_total is a counter", `jobs_total * on (pod) group_left (node) kube_pod_info`},
		{"counter-rate", "multiplied with a gauge", `jobs_total * on () queue_length`, "jobs_total is a counter", `jobs_total * on () group_left () (target_info == 1)`},
		{"delta-counter", "below zero at a restart", `delta(jobs_total[5m])`, "delta of the counter jobs_total", `(delta(jobs_total[5m]) >= 0) or increase(jobs_total[5m])`},
		{"delta-counter", "slope, not a fall", `deriv(jobs_total[5m]) < 1`, "deriv of the counter jobs_total", `deriv(queue_length[5m]) < 0 or 60 * deriv(jobs_total[5m]) < 0`},
		{"delta-counter", "below a bound, not equal to zero", `delta(jobs_total[10m]) < 1`, "delta of the counter jobs_total", `delta(jobs_total[10m]) == 0`},
		{"delta-counter", "not equal to a value, not any change", `delta(jobs_total[10m]) != 5`, "delta of the counter jobs_total", `delta(jobs_total[10m]) != 0`},
		{"delta-counter", "below the left side, not above it", `5 > delta(jobs_total[5m])`, "delta of the counter jobs_total", `0 < delta(jobs_total[5m])`},
		{"delta-counter", "no rise, not a fall", `delta(jobs_total[5m]) <= 0`, "delta of the counter jobs_total", `-delta(jobs_total[5m]) > 0 or 0 > delta(jobs_total[5m]) or delta(jobs_total[5m]) <= -1 or delta(jobs_total[5m]) < 0`},
		{"delta-counter", "kept from rising, not kept from falling", `clamp_max(delta(jobs_total[5m]), 0)`, "delta of the counter jobs_total", `clamp_min(delta(jobs_total[5m]), 0) + clamp(delta(jobs_total[5m]), 0, 5)`},
		{"delta-counter", "a negative factor, not a positive one", `-2 * delta(jobs_total[5m]) > 0`, "delta of the counter jobs_total", `(60 * delta(jobs_total[5m]) / 300) > bool 0`},
		{"delta-counter", "in a subquery, not a rate", `delta((jobs_total > 5)[1h:1m])`, "delta of the counter jobs_total", `delta(rate(jobs_total[5m])[1h:1m]) < 0`},
		{"delta-counter", "in a subquery, not a slope of a rate", `delta((jobs_total > 5)[1h:1m])`, "delta of the counter jobs_total", `deriv(rate(jobs_total[5m])[1h:1m]) < 0`},
		{"delta-counter", "in a subquery, not a count", `delta((jobs_total > 5)[1h:1m])`, "delta of the counter jobs_total", `delta(count(jobs_total)[1h:1m]) < -5`},
		{"delta-counter", "in a subquery, not changes", `delta((jobs_total > 5)[1h:1m])`, "delta of the counter jobs_total", `delta(changes(jobs_total[5m])[1h:1m]) < -5`},
		{"delta-counter", "in a subquery, not a number of samples", `delta((jobs_total > 5)[1h:1m])`, "delta of the counter jobs_total", `idelta(count_over_time(jobs_total[5m])[1h:1m]) != 0`},
		{"rate-gauge", "in a subquery, not a filter by another metric", `rate((5 < queue_length)[1h:1m])`, "rate of the gauge queue_length", `rate((jobs_total and on (instance) up == 1)[5m:1m]) > 1`},
		{"rate-gauge", "in a subquery, not changes of a gauge", `rate((5 < queue_length)[1h:1m])`, "rate of the gauge queue_length", `increase(changes(queue_length[5m])[1h:5m]) > 0`},
		{"rate-gauge", "in a subquery, not a comparison with bool", `rate((5 < queue_length)[1h:1m])`, "rate of the gauge queue_length", `increase((queue_length > bool 5)[1h:1m]) > 0`},
		{"rate-gauge", "without others", `rate((queue_length unless on () jobs_total)[1h:1m])`, "rate of the gauge queue_length", `rate((jobs_total * on (pod) group_left (node) up)[5m:1m]) > 1`},
		{"impossible-comparison", "a negative rate of some", `rate((jobs_total > 5)[5m:1m]) < 0`, "the left side is never below 0", `rate((0 - rate(jobs_total[5m]))[5m:1m]) < 0`},
		{"impossible-comparison", "with NaN", `queue_length == NaN`, "write x != x to find NaN", `queue_length != queue_length`},
		{"impossible-comparison", "anything but NaN", `queue_length != NaN`, "is always true: NaN equals nothing, not even NaN; write x == x to drop NaN", `queue_length == queue_length`},
		{"impossible-comparison", "a negative number of observations, not a difference", `histogram_count(sum(rate(wait_seconds[5m]))) < 0`, "never below 0", `histogram_count(rate(wait_seconds[5m]) - rate(wait_seconds[5m] offset 1d)) < 0 or histogram_count(delta(wait_seconds[5m])) < -5`},
		{"impossible-comparison", "a negative number of observations since the start", `histogram_count(wait_seconds{queue="a"}) < 0`, "never below 0", `histogram_count(body_size) < 0 or histogram_count(queue_length) < 0`},
		{"impossible-comparison", "a fraction above one, not one of a difference", `histogram_fraction(0, 1, rate(wait_seconds[5m])) > 1`, "between 0 and 1", `histogram_fraction(0, 1, sum(rate(wait_seconds[5m])) - sum(rate(wait_seconds[1h]))) > 1 or histogram_count(rate(job:loop:c[5m])) < 0`},
		{"impossible-comparison", "a part of a whole, not ranges and offsets that are expressions", `sum(rate(jobs_total[step() * 2])) / sum(rate(jobs_total[step() * 2])) > 1`, "is never true", `sum(rate(jobs_total[step() * 2])) / sum(rate(jobs_total[range()])) > 1 or sum(rate(jobs_total[5m] offset (step() * 2))) / sum(rate(jobs_total[5m] offset step())) > 1`},
		{"impossible-comparison", "of constants", `queue_length > 2 * (1 > bool 2)`, "compares two constants", `queue_length > 0 and on() vector(1)`},
		{"impossible-comparison", "a share above one", `sum(rate(jobs_total{code="5"}[5m])) / sum(rate(jobs_total[5m])) > 1.44`, "the left side is between 0 and 1", `sum(rate(jobs_total{code="5"}[5m])) / sum(rate(jobs_total[5m])) > 0.99`},
		{"impossible-comparison", "a recorded share above one", `job:errors:ratio5m > 14.4 * 0.1`, "job:errors:ratio5m > 14.4 * 0.1 is never true: the left side is between 0 and 1", `job:errors:percent > 14.4 * 0.1`},
		{"impossible-comparison", "not a part of the whole", `1 - (sum(rate(wait_seconds_bucket{le="1"}[5m])) / sum(rate(wait_seconds_count[5m]))) > 1`, "is between 0 and 1", `sum(rate(wait_seconds_bucket[5m])) / sum(rate(wait_seconds_count[5m])) > 1`},
		{"impossible-comparison", "a part of another whole", `sum by (a) (increase(jobs_total{x="1"}[1h])) / sum by (a) (increase(jobs_total[1h])) >= 1.01`, "is never true", `sum by (a) (increase(jobs_total{x="1"}[2h])) / sum by (a) (increase(jobs_total[1h])) >= 1.01`},
		{"impossible-comparison", "a part of a whole, not names that are patterns", `sum(rate({__name__="jobs_total"}[5m])) / sum(rate(jobs_total[5m])) > 1.5`, "is never true", `sum(rate({__name__=~".+_errors_total"}[5m])) / sum(rate({__name__=~".+_requests_total"}[5m])) > 1.5`},
		{"impossible-comparison", "a part of a whole, not one at the start of the graph", `sum(rate(jobs_total[5m] @ end())) / sum(rate(jobs_total[5m] @ end())) > 1`, "is never true", `sum(rate(jobs_total[5m])) / sum(rate(jobs_total[5m] @ start())) > 1`},
		{"impossible-comparison", "a part of a whole at one time, not one at another", `sum(rate(jobs_total[5m] @ 100)) / sum(rate(jobs_total[5m] @ 100)) > 1`, "is never true", `sum(rate(jobs_total[5m] @ 100)) / sum(rate(jobs_total[5m] @ 200)) > 1`},
		{"impossible-comparison", "a part of a smoothed whole, not one that is not", `sum(rate(jobs_total[5m] smoothed)) / sum(rate(jobs_total[5m] smoothed)) > 1`, "is never true", `sum(rate(jobs_total[5m] smoothed)) / sum(rate(jobs_total[5m])) > 1 or sum(rate(jobs_total[5m])) / sum(rate(jobs_total[5m] anchored)) > 1`},
		{"impossible-comparison", "above infinity", `queue_length > Inf`, "queue_length > +Inf is never true: no value is above +Inf", `queue_length < Inf`},
		{"impossible-comparison", "infinity below", `-Inf > queue_length`, "-Inf > queue_length is never true: no value is below -Inf", `Inf > queue_length`},
		{"impossible-comparison", "a negated flag", `-up > 0`, "the left side is between -1 and 0", `-up < 0`},
		{"impossible-comparison", "a thirteenth month", `month() == 13`, "is between 1 and 12", `month() == 12 and month() == 1`},
		{"impossible-comparison", "a day that no month has", `day_of_month(queue_length) > 31`, "is between 1 and 31", `day_of_month() > 30 or day_of_month() < 2`},
		{"impossible-comparison", "a day that no year has", `day_of_year() > 366`, "is between 1 and 366", `day_of_year() > 365`},
		{"impossible-comparison", "a month without days", `days_in_month() < 28`, "is between 28 and 31", `days_in_month() < 29`},
		{"impossible-comparison", "a sign above one", `sgn(queue_length) > 1`, "is between -1 and 1", `sgn(queue_length) > 0 or sgn(queue_length) == -1`},
		{"impossible-comparison", "a negative sign of a count", `sgn(count(up)) < 1`, "is always 1", `sgn(abs(queue_length)) < 1 or sgn(clamp_max(queue_length, 0.5)) > 0.7 or sgn(clamp_min(queue_length, 5)) > 0`},
		{"impossible-comparison", "an empty count", `count(up) == 0`, "the left side is never below 1", `count(up) == 1 or absent(up)`},
		{"impossible-comparison", "up has two values", `up > 1`, "is between 0 and 1", `sum(up) > 1`},
		{"impossible-comparison", "a negative rate", `rate(jobs_total[5m]) < 0`, "the left side is never below 0", `delta(queue_length[5m]) < 0`},
		{"impossible-comparison", "a negative quotient, not one by a negative zero", `jobs_total / rate(jobs_total[5m]) < 0`, "the left side is never below 0", `rate(jobs_total[5m]) / -0 < 0 or rate(jobs_total[5m]) / on () vector(-1 * 0) < 0 or rate(jobs_total[5m]) / (rate(jobs_total[5m]) or vector(-0)) < 0 or rate(jobs_total[5m]) / (0 * delta(queue_length[5m])) < 0 or count(jobs_total) / (-1 * 0) < 0`},
		{"impossible-comparison", "a positive quotient by a negative number", `rate(jobs_total[5m]) / -2 > 0`, "never above 0", `rate(jobs_total[5m]) / -2 < 0`},
		{"impossible-comparison", "the other way round", `0 > rate(jobs_total[5m])`, "is never true", `0 < rate(jobs_total[5m])`},
		{"impossible-comparison", "clamped away", `clamp_max(queue_length, 5) > 5`, "is never above 5", `clamp_max(queue_length, 5) >= 5`},
		{"impossible-comparison", "refined twice", `(queue_length > 10) < 5`, "is never true", `(queue_length > 5) < 10`},
		{"impossible-comparison", "different from what it is", `absent(up) != 1`, "is never true", `queue_length * 0 != 0`},
		{"impossible-comparison", "different from what a constant is", `vector(1) != 1`, "is never true", `vector(scalar(absent(up))) != 1`},
		{"impossible-comparison", "different from what was kept", `(queue_length == 5) != 5`, "is never true", `clamp(queue_length, 5, 5) != 5`},
		{"impossible-comparison", "a group of another value", `(group(up) unless queue_length) != 1`, "is never true", `sum(queue_length * 0) != 0`},
		{"quantile-le", "le is summed away", `histogram_quantile(0.9, sum by (a) (rate(wait_seconds_bucket[5m])))`, "write sum by (le, a) (...)", `histogram_quantile(0.9, sum by (a, le) (rate(wait_seconds_bucket[5m])))`},
		{"quantile-le", "le is left out", `histogram_quantile(0.9, sum without (le) (rate(wait_seconds_bucket[5m])))`, "remove le from without", `histogram_quantile(0.9, sum by (a) (rate(wait_seconds[5m])))`},
		{"quantile-le", "a percentage", `histogram_quantile(99, rate(wait_seconds_bucket[5m]))`, "write 0.99 for the 99th percentile", `histogram_quantile(1, rate(wait_seconds_bucket[5m]))`},
		{"quantile-le", "le is summed away below a filter", `histogram_quantile(0.9, sum by (pod) (rate(wait_seconds_bucket[5m])) > 0)`, "write sum by (le, pod)", `histogram_quantile(0.9, sum by (pod, le) (rate(wait_seconds_bucket[5m])) > 0)`},
		{"quantile-le", "le is summed away below a choice", `histogram_quantile(0.9, topk(5, sum by (pod) (rate(wait_seconds_bucket[5m]))))`, "write sum by (le, pod)", `histogram_quantile(0.9, topk(100, rate(wait_seconds_bucket[5m])))`},
		{"quantile-le", "le is summed away below a factor", `histogram_quantile(0.9, 2 * sum without (le) (rate(wait_seconds_bucket[5m])))`, "remove le", `histogram_quantile(0.9, bottomk by (pod) (5, rate(wait_seconds_bucket[5m])))`},
		{"quantile-le", "a percentage of series", `quantile(95, queue_length)`, "the quantile 95 is not between", `quantile(0.95, queue_length)`},
		{"quantile-le", "a percentage of samples", `quantile_over_time(95, queue_length[5m])`, "the quantile 95 is not between", `quantile_over_time(0.95, queue_length[5m])`},
		{"label-replace", "no regular expression", `label_replace(up, "a", "$1", "b", "(")`, `invalid regular expression "(": missing closing )`, `label_replace(up, "a", "$1", "b", "(.*)")`},
		{"label-replace", "a group that is not there", `label_replace(up, "a", "$2", "b", "(.*)")`, "reads group 2", `label_replace(up, "a", "x", "", "")`},
		{"label-replace", "a dollar sign", `label_replace(up, "a", "$$$1", "b", "a")`, "reads group 1", `label_replace(up, "a", "$$1", "b", "a")`},
		{"label-replace", "a letter behind a group", `label_replace(up, "a", "$1a", "b", "(a)")`, "write ${1}a", `label_replace(up, "a", "${1}a", "b", "(a)")`},
		{"label-replace", "a name of no group", `label_replace(up, "a", "$x", "b", "(a)")`, "reads group x", `label_replace(up, "a", "$x-$ ${x}", "b", "(?P<x>a)")`},
		{"label-replace", "no label", `label_replace(up, "a-b", "x", "b", ".*")`, `not every Prometheus accepts the label name "a-b"`, `label_replace(up, "a_b", "x", "b", ".*")`},
		{"server-feature", "an aggregation", `limitk(5, up)`, "limitk needs --enable-feature=promql-experimental-functions", `topk(5, up)`},
		{"server-feature", "a function", `ts_of_last_over_time(jobs_total[5m]) > 5`, "ts_of_last_over_time needs --enable-feature", `timestamp(jobs_total) > 5`},
		{"server-feature", "a name of Prometheus 2", `holt_winters(queue_length[1h], 0.5, 0.5)`, "write double_exponential_smoothing", `predict_linear(queue_length[1h], 60)`},
		{"always-empty", "no series", `topk(0, up)`, "topk(0, ...) selects no series", `topk(1, up)`},
		{"always-empty", "bounds the wrong way round", `clamp(queue_length, 10, 5)`, "write the lower bound first", `clamp(queue_length, 5, 5)`},
		{"always-empty", "two values of a label", `up{a="x",a="y"}`, "never match the same series", `up{a="x",a!="y",b="y"}`},
		{"rate-range", "less than a step", `rate(jobs_total[30s:1m])`, "never has two samples: the steps are 1m apart; use 2m or longer", `rate(jobs_total[2m:1m])`},
		{"rate-range", "one step", `increase(jobs_total[5m:5m])`, "only part of the time: the steps are 5m apart", `max_over_time(queue_length[5m:10m])`},
		{"label-match", "different labels", `sum by (pod) (queue_length) / sum by (instance) (queue_length)`, "grouped by different labels", `sum by (pod, a) (queue_length) / max by (a, pod) (queue_length) > 1 or vector(0)`},
		{"label-match", "no labels on one side", `sum by (pod) (rate(jobs_total[5m])) > sum(rate(jobs_total[5m]))`, "grouped by different labels", `sum by (pod) (rate(jobs_total[5m])) > on () group_left () sum(rate(jobs_total[5m]))`},
		{"label-match", "beside a set operator", `sum by (pod) (queue_length) and max(up)`, "grouped by different labels", `(sum by (pod) (queue_length) and on () max(up)) or sum(queue_length)`},
		{"absent-aggregate", "of a sum", `absent(sum by (job) (up))`, "absent(sum by (job) (up)) is true only if", `absent(up{job="a"})`},
		{"regex-equality", "no pattern", `up{job=~"orders"}`, `write job="orders"`, `up{job=~"orders|shop"}`},
		{"regex-equality", "no pattern, negated", `up{job!~"orders"}`, `write job!="orders"`, `up{job!~"orders.+"}`},
		{"regex-equality", "anything", `up{job=~".*"}`, "matches everything; remove it", `up{job=~".+"}`},
	} {
		covered[tc.rule] = true
		t.Run(tc.rule+": "+tc.name, func(t *testing.T) {
			t.Parallel()
			got := world(t).Check(parse(t, tc.bad), offset)
			if !slices.ContainsFunc(got, func(p lint.Finding) bool { return p.Rule == tc.rule && strings.Contains(p.Message, tc.says) }) {
				t.Errorf("%s: got %+v, want %s: %s", tc.bad, got, tc.rule, tc.says)
			}
			if got := world(t).Check(parse(t, tc.near), offset); len(got) > 0 {
				t.Errorf("%s: got %+v, want nothing", tc.near, got)
			}
		})
	}
	for _, rule := range promlint.Catalog() {
		if !covered[rule.Name] {
			t.Errorf("no test case for rule %s", rule.Name)
		}
	}
}

// Findings that depend on metric names or defaults are warnings.
func TestGuessesAreWarnings(t *testing.T) {
	t.Parallel()
	declared := func() promlint.World { return world(t) }
	guessed := func() promlint.World {
		w := promlint.NewWorld(nil, 15*time.Second)
		w.ScrapeGuessed, w.OtherMetrics = true, true
		return w
	}
	page := func() promlint.World {
		w := world(t)
		w.OtherMetrics = true
		return w
	}
	some := func() promlint.World {
		w := world(t)
		w.OtherRecords = true
		return w
	}
	for _, tc := range []struct {
		name, expr string
		in         func() promlint.World
		rule       string
		warning    bool
	}{
		{"a declared counter above a number", "sum(jobs_total) > 100", declared, "counter-rate", true},
		{"a declared counter above a gauge, which may be a quota", "jobs_total > on() queue_length", declared, "counter-rate", true},
		{"a name that ends in total", "ceph_pg_total > 100", guessed, "counter-rate", true},
		{"whether it ever happened", "jobs_total > 0", declared, "counter-rate", true},
		{"whether it ever happened, in other words", "jobs_total >= 1", declared, "counter-rate", true},
		{"how often it happened as a scalar", "jobs_total > scalar(queue_length)", declared, "counter-rate", true},
		{"a slope of a declared counter", "deriv(jobs_total[5m]) < 1", declared, "delta-counter", false},
		{"a slope of a name", "idelta(jobs_total[5m])", guessed, "delta-counter", true},
		{"a metric and those of a page", "ceph_pg_total > 100", page, "counter-rate", true},
		{"a total below zero may be a balance", "accounts_total < 0", guessed, "counter-rate", true},
		{"a scrape interval that was stated", "rate(jobs_total[15s])", declared, "rate-range", false},
		{"a range between one scrape and two", "rate(jobs_total[20s])", declared, "rate-range", true},
		{"a difference of two counters", "sum(jobs_total) - sum(wait_seconds_count)", declared, "counter-rate", true},
		{"a quotient of two counters", "jobs_total / on() wait_seconds_count", declared, "counter-rate", true},
		{"a counter times a gauge", "jobs_total * on() queue_length", declared, "counter-rate", true},
		{"a multiple of a counter above a bound", "jobs_total * 8 > 100", declared, "counter-rate", true},
		{"a part of a quota", "jobs_total / on() queue_length > 0.9", declared, "counter-rate", true},
		{"what is left of a quota", "queue_length - on() jobs_total", declared, "counter-rate", true},
		{"what is left of a number", "1e6 - jobs_total < 5", declared, "counter-rate", true},
		{"a counter minus the rate of another", "jobs_total - on() rate(wait_seconds_count[5m])", declared, "counter-rate", false},
		{"a counter times whether there is a rate", "jobs_total * on () (rate(wait_seconds_count[5m]) > bool 0)", declared, "counter-rate", true},
		{"a counter for each series", "jobs_total / on() count(queue_length)", declared, "counter-rate", true},
		{"a counter over the change of a gauge", "jobs_total / on() sum(delta(queue_length[5m]))", declared, "counter-rate", false},
		{"a default scrape interval", "rate(jobs_total[15s])", guessed, "rate-range", true},
		{"a label name that Prometheus 2 rejects", `label_replace(up, "a-b", "x", "b", ".*")`, declared, "label-replace", true},
		{"a comparison that NaN never fails", "up != NaN", declared, "impossible-comparison", true},
		{"a comparison that NaN always fails", "up == bool NaN", declared, "impossible-comparison", false},
		{"a comparison with a record, with all rules", "job:errors:ratio5m > 1.44", declared, "impossible-comparison", false},
		{"a comparison with a record that other rules may record, too", "job:errors:ratio5m > 1.44", some, "impossible-comparison", true},
		{"a comparison that is never true, whatever rules record", "count(job:errors:ratio5m) < 1", some, "impossible-comparison", false},
		{"a range of a record, with all rules", "rate(job:wait:mean_seconds[30s])", declared, "rate-range", false},
		{"a range of a record that other rules may record, too", "rate(job:wait:mean_seconds[30s])", some, "rate-range", true},
		{"an empty count", "count by (job) (backend_up) == 0", guessed, "impossible-comparison", false},
		{"a sum of zeros", "sum by (job) (reload_successful == 0) > 0", guessed, "impossible-comparison", false},
		{"a rate below zero", "sum(rate(jobs_total[5m])) < 0", guessed, "impossible-comparison", false},
		{"values for missing series", "queue_length + fill(0) up", declared, "server-feature", true},
		{"a comparison that a value for missing series makes true", "up > fill_left(5) up and sum(rate(jobs_total[5m])) / fill_right(0) sum(rate(jobs_total[5m])) > 1", declared, "server-feature", true},
		{"aggregations by different labels with values for missing series", "sum by (pod) (up) / fill(0) sum(up)", declared, "server-feature", true},
		{"a function that needs a flag", "ts_of_last_over_time(jobs_total[5m]) > 5", declared, "server-feature", true},
		{"buckets of which some are left out", "histogram_quantile(0.9, limit_ratio(0.5, wait_seconds_bucket))", declared, "server-feature", true},
		{"a subquery of less than a step", "rate(jobs_total[5m:10m])", guessed, "rate-range", false},
		{"a subquery of one step, which Prometheus 2 may find twice", "rate(jobs_total[5m:5m])", guessed, "rate-range", true},
		{"aggregations by different labels", "sum by (pod) (up) / sum(up)", guessed, "label-match", true},
		{"an absent aggregation", "absent(sum(up))", declared, "absent-aggregate", true},
		{"a plain value as a pattern", `up{job=~"a"}`, declared, "regex-equality", true},
		{"a rate of a sum of a declared counter", "rate(sum(jobs_total)[5m:15s])", declared, "rate-sum", false},
		{"a rate of a sum of what is named a counter", "rate(sum(ceph_pg_total)[5m:15s])", guessed, "rate-sum", true},
		{"a rate of a sum without instances, which may have pods", "rate(sum without (instance) (jobs_total)[5m:15s])", declared, "rate-sum", true},
		{"a rate of sums by all labels that instances share", "rate(sum by (job, service_name, deployment_environment_name, service, service_namespace, app, namespace, cluster, environment, env, stage, region) (jobs_total)[5m:15s])", declared, "rate-sum", false},
		{"a rate of sums of one service and environment", `rate(sum(jobs_total{job="a", service="b", namespace="c", instance!="a:1", pod=""})[5m:15s])`, declared, "rate-sum", false},
		{"a rate of sums of buckets", "rate(sum by (le) (wait_seconds_bucket)[5m:15s])", declared, "rate-sum", false},
		{"a rate of sums by a label of the counter, which may name the worker", "rate(sum by (kind) (jobs_total)[5m:15s])", declared, "rate-sum", true},
		{"a rate of sums of one value of a label, which may name the host", `rate(sum(jobs_total{host="a"})[5m:15s])`, declared, "rate-sum", true},
		{"a rate of sums by host, which may have one process each", "rate(sum by (host) (jobs_total)[5m:15s])", declared, "rate-sum", true},
		{"a rate of sums without instances and pods, which may have hosts", "rate(sum without (instance, pod) (jobs_total)[5m:15s])", declared, "rate-sum", true},
		{"a rate of sums by container, which replicas share", "rate(sum by (container) (jobs_total)[5m:15s])", declared, "rate-sum", true},
		{"a rate of sums by node, which may have several replicas", "rate(sum by (job, node) (jobs_total)[5m:15s])", declared, "rate-sum", true},
		{"a rate of sums by a label that may name the pod", "rate(sum by (kubernetes_pod_name) (jobs_total)[5m:15s])", declared, "rate-sum", true},
		{"a rate of sums by a label that may name the task", "rate(sum by (task) (jobs_total)[5m:15s])", declared, "rate-sum", true},
		{"a rate of a sum of sums by container", "rate(sum(sum by (container) (jobs_total))[5m:15s])", declared, "rate-sum", false},
		{"buckets without le", "histogram_quantile(0.9, sum by (job) (rate(run_seconds_bucket[5m]))) > 1", guessed, "quantile-le", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := tc.in().Check(parse(t, tc.expr), offset)
			if len(got) == 0 || slices.ContainsFunc(got, func(f lint.Finding) bool { return f.Rule != tc.rule || f.Warning != tc.warning }) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestCounterIsKnownByItsNameWithoutDeclarations(t *testing.T) {
	t.Parallel()
	w := promlint.NewWorld(nil, 15*time.Second)
	if got := w.Check(parse(t, "http_requests_total > 5"), offset); len(got) != 1 || got[0].Rule != "counter-rate" {
		t.Errorf("got %+v", got)
	}
	for _, expr := range []string{"rate(requests[5m])", "requests > 5", "rate(job:requests:sum[5s])", "a:b:c > 5"} {
		if got := w.Check(parse(t, expr), offset); len(got) > 0 {
			t.Errorf("%s: got %+v", expr, got)
		}
	}
}

func TestFindingHasItsPlace(t *testing.T) {
	t.Parallel()
	got := world(t).Check(parse(t, `up == 0 or rate(queue_length[5m]) > 0`), offset)
	if len(got) != 1 || got[0].Column != 11 {
		t.Errorf("got %+v", got)
	}
}

func TestUnitsOfResults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, expr, want string }{
		{"a gauge of bytes", "heap_bytes", "bytes"},
		{"a rate of a counter", "sum by (a) (rate(jobs_total[5m]))", "a number per second"},
		{"an increase", "increase(jobs_total[5m])", "a number"},
		{"a quantile", "histogram_quantile(0.9, sum by (le) (rate(wait_seconds_bucket[5m])))", "seconds"},
		{"a quantile of a native histogram", "histogram_quantile(0.9, sum(rate(wait_seconds[5m])))", "seconds"},
		{"a quantile of bytes", "histogram_quantile(0.9, rate(body_bytes_bucket[5m]))", "bytes"},
		{"a mean", "job:wait:mean_seconds", "seconds"},
		{"a rate of bytes", "rate(body_bytes_sum[5m])", "bytes per second"},
		{"bits", "8 * rate(body_bytes_sum[5m])", "bits per second"},
		{"milliseconds", "1000 * job:wait:mean_seconds", "milliseconds"},
		{"a share", "job:errors:ratio5m", "a ratio"},
		{"what is left of one", "1 - job:errors:ratio5m", "a ratio"},
		{"percent", "job:errors:percent", "percent"},
		{"processor time", "rate(job_cpu_seconds_total[5m])", "a ratio"},
		{"a count", "count(up)", "a number"},
		{"a flag", "min(runtime_ready)", "a ratio"},
		{"zero where there is nothing", "rate(jobs_total{a=\"b\"}[5m]) or 0 * rate(jobs_total[5m])", "a number per second"},
		{"a filter", "heap_bytes > 5", "bytes"},
		{"a gauge without a unit", "queue_length", ""},
		{"a date", "process_start_time_seconds", ""},
		{"a sum of shares", "sum(rate(job_cpu_seconds_total[5m]))", ""},
		{"a share of how many there should be", "count_over_time(up[1h]) / 240", ""},
		{"apples and pears", "heap_bytes + wait_seconds_count", ""},
		{"bytes in sevenths", "heap_bytes / 7", ""},
		{"a time without a unit", "rate(busy_time_total[5m])", ""},
		{"a cycle", "job:loop:a", ""},
		{"a constant", "vector(1)", ""},
		{"an undeclared metric", "undeclared_seconds", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, sure := world(t).UnitOf(parse(t, tc.expr))
			if sure != (tc.want != "") || sure && got.String() != tc.want {
				t.Errorf("%s: got %q, %v, want %q", tc.expr, got, sure, tc.want)
			}
		})
	}
}

func FuzzCheck(f *testing.F) {
	for _, expr := range []string{
		`sum(rate(a_total{b="c"}[5m])) / sum(rate(a_total[5m])) > 1`, `label_replace(a, "b", "$1", "c", "(")`, `clamp(up, 2, 1) == -1`,
		`histogram_quantile(0.9, sum(rate(wait_seconds_bucket[5m])))`, `1 - job:loop:a > 3`, `absent(sum(up)) * Inf - Inf > NaN`,
	} {
		f.Add(expr)
	}
	w := world(f)
	f.Fuzz(func(t *testing.T, expr string) {
		tree, err := promql.Parse(expr)
		if err != nil {
			return
		}
		for _, p := range w.Check(tree, offset) {
			if p.Column < 0 || p.Column > len(expr) || p.Message == "" {
				t.Errorf("%q: %+v", expr, p)
			}
		}
		w.UnitOf(tree)
	})
}
