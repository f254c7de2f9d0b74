package verify_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	base "path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// files are the generated files of a service, by path.
type files map[string]string

// mutant is one way to break them.
type mutant struct {
	name   string
	mutate func(files) (files, error)
}

const (
	instances = "observability/rules/orders.instances.rules.yaml"
	page      = "observability/rules/orders.page.rules.yaml"
	ticket    = "observability/rules/orders.ticket.rules.yaml"

	overview     = "observability/dashboards/orders-overview.json"
	goruntime    = "observability/dashboards/orders-runtime.json"
	objectives   = "observability/dashboards/orders-slo.json"
	dependencies = "observability/dashboards/orders-dependencies.json"
	resources    = "observability/dashboards/orders-resources.json"

	routes      = "observability/alertmanager.yaml"
	prometheus  = "observability/stack/prometheus.yaml"
	datasources = "observability/stack/datasources.yaml"
	runbooks    = "observability/runbooks/"
)

// edit replaces the n-th match, starting at 1; 0 replaces all matches. It fails the test if it changes
// nothing.
func edit(name, path, pattern, with string, n int) mutant {
	re := regexp.MustCompile(pattern)
	return mutant{base.Base(path) + ": " + name, func(f files) (files, error) {
		text, ok := f[path]
		if !ok {
			return nil, fmt.Errorf("there is no %s", path)
		}
		seen := 0
		changed := re.ReplaceAllStringFunc(text, func(found string) string {
			seen++
			if n != 0 && seen != n {
				return found
			}
			return re.ReplaceAllString(found, with)
		})
		if changed == text {
			return nil, fmt.Errorf("%s matches nothing in %s", pattern, path)
		}
		out := maps.Clone(f)
		out[path] = changed
		return out, nil
	}}
}

// remove deletes a file.
func remove(path string) mutant {
	return mutant{base.Base(path) + " is gone", func(f files) (files, error) {
		if _, ok := f[path]; !ok {
			return nil, fmt.Errorf("there is no %s", path)
		}
		out := maps.Clone(f)
		delete(out, path)
		return out, nil
	}}
}

// word matches a whole name.
func word(name string) string { return `\b` + regexp.QuoteMeta(name) + `\b` }

// renamedMetrics misspells each metric that a file reads, only in that file.
func renamedMetrics() []mutant {
	var out []mutant
	for path, metrics := range map[string][]string{
		instances: {"up", "runtime_ready", "process_start_time_seconds"},
		page: {
			"http_server_routed_requests_total", "http_server_routed_request_duration_seconds_count", "http_server_routed_request_duration_seconds_bucket",
			"http_server_requests_total", "http_server_request_duration_seconds_count", "http_server_request_duration_seconds_bucket",
		},
		ticket: {
			"up", "runtime_health_check_up", "runtime_telemetry_dropped_total", "runtime_cardinality_overflow_total", "runtime_overload_at_min_limit",
			"db_client_connection_wait_time_seconds_total",
		},
		overview: {
			"http_server_requests_total", "http_server_request_duration_seconds_bucket", "process_cpu_seconds_total",
			"go_sched_gomaxprocs_threads", "runtime_ready", "runtime_health_check_up", "runtime_telemetry_dropped_total", "build_info", "process_start_time_seconds",
			"slo:period_error_budget_remaining:ratio", "runtime_cardinality_overflow_total", "up",
		},
		goruntime: {
			"go_sched_latencies_seconds_bucket", "go_sched_goroutines_waiting_goroutines", "go_gc_heap_live_bytes", "go_memory_classes_total_bytes",
			"process_resident_memory_bytes", "go_cpu_classes_gc_total_cpu_seconds_total", "process_network_receive_bytes_total", "go_sync_mutex_wait_total_seconds_total",
		},
		dependencies: {"db_client_connection_count", "db_client_connection_max", "db_client_operation_duration_seconds_count", "db_client_connection_timeouts_total"},
		objectives:   {"slo:objective:ratio", "slo:sli_coverage:ratio30d", "slo:error_budget:ratio", "slo:sli_error:ratio_rate3d", "ALERTS"},
	} {
		for _, metric := range metrics {
			out = append(out, edit(metric+" is misspelled", path, word(metric), metric+"x", 0))
		}
	}
	return out
}

// renamedRecords changes the name of a recording, but not in its readers.
func renamedRecords() []mutant {
	var out []mutant
	for path, records := range map[string][]string{
		instances: {"service:up:sum", "service:last_seen:timestamp_seconds"},
		page:      {"slo:sli_bad:increase30s", "slo:sli_total:increase30s", "slo:sli_bad:increase5m", "slo:sli_error:ratio_rate5m", "slo:sli_error:ratio_rate1h", "slo:sli_error:ratio_rate6h", "slo:current_burn_rate:ratio"},
		ticket:    {"slo:sli_bad:increase2m", "slo:sli_total:increase1d", "slo:sli_error:ratio_rate3d", "slo:sli_coverage:ratio1h", "slo:error_budget:ratio", "slo:period_error_budget_remaining:ratio"},
	} {
		for _, record := range records {
			out = append(out, edit(record+" is recorded under another name", path, "record: "+regexp.QuoteMeta(record)+"\n", "record: "+record+"x\n", 0))
		}
	}
	return out
}

// renamedLabels misspells labels in matchers and groupings.
func renamedLabels() []mutant {
	var out []mutant
	for path, names := range map[string][]string{
		page:         {"outcome", "le", "job"},
		ticket:       {"check", "signal", "sli", "slo"},
		instances:    {"deployment_environment_name"},
		overview:     {"outcome", "http_route", "instance", "reason", "slo", "check"},
		dependencies: {"db_client_connection_state", "db_operation_name", "error_type", "db_client_connection_pool_name"},
		objectives:   {"severity", "alertstate", "sli"},
		goruntime:    {"instance", "le"},
	} {
		for _, name := range names {
			pattern := `\b` + name + `\b(\s*(?:!=|=~|!~|=|,|\)))`
			out = append(out, edit("label "+name+" is misspelled", path, pattern, name+"s$1", 0))
		}
	}
	return out
}

// decisions breaks the conditions of alerts: thresholds, windows, guards, and what is good or bad.
func decisions() []mutant {
	out := []mutant{
		edit("good and bad are swapped", page, `outcome=~"server_error\|shed"`, `outcome!~"server_error|shed"`, 0),
		edit("failures are no longer bad", page, `server_error\|shed`, `shed`, 0),
		edit("another bucket decides what is slow", page, `le="0\.2"`, `le="0.25"`, 0),
		edit("a bucket that does not exist decides what is slow", page, `le="0\.2"`, `le="0.21"`, 0),
		edit("first samples are not counted", page, `max_over_time\(up\{job="orders"\}\[1m30s\] offset 15s\) == 1 or process_start_time_seconds\{job="orders"\} > time\(\) - 90`, `up{job="orders"} == 7`, 0),
		edit("the step is twice the scrape interval", page, `\[30s:15s\]`, `[30s:30s]`, 0),
		edit("idle time divides by zero", page, `\((slo:sli_total:increase5m\{service="orders"\}) > 0\)`, `$1`, 0),
		edit("environments are summed", instances, `sum by \(deployment_environment_name\)`, `sum`, 0),
		edit("environments are summed", page, `sum by \(deployment_environment_name\)`, `sum`, 0),
		edit("down compares with one", instances, `== 0 or 0 \*`, `== 1 or 0 *`, 1),
		edit("the alert on unready instances has another ratio", instances, `< 0\.5`, `< 0.05`, 0),
		edit("a failing dependency counts as healthy", ticket, `(runtime_health_check_up\{job="orders"\}\)) == 0`, `$1 == 1`, 0),
		edit("the declared scrape interval is wrong", ticket, `15 \* 1\.25`, `60 * 1.25`, 0),
		edit("coverage is never too low", ticket, `< 0\.95`, `< 0.15`, 0),
		edit("dropped spans open no ticket", ticket, `\[10m\]\)\) > 0`, `[10m])) > 100000`, 0),
		edit("blocked log lines open no ticket", ticket, `(reason="blocked"\}\[10m\]\)\)) > 0`, "$1 > 100000", 0),
		edit("another reason blocks the log", ticket, `reason="blocked"`, `reason="block"`, 0),
		edit("unlimited labels open no ticket", ticket, `(runtime_cardinality_overflow_total\{job="orders"\}\[10m\]\)\)) > 0`, "$1 > 100000", 0),
		edit("a limit at its minimum counts as healthy", ticket, `(runtime_overload_at_min_limit\{job="orders"\}\)) == 1`, "$1 == 0", 0),
		edit("the number of waiting callers is unlimited", ticket, `(db_client_connection_wait_time_seconds_total\{job="orders"\}\[5m\]\)\)) > 1`, "$1 > 1000", 0),
		edit("the autoscaler has no maximum", ticket, `(\(up\{job="orders"\}\)) >= 10\b`, "$1 >= 100", 0),
		edit("the autoscaler's maximum is three processes", ticket, `(\(up\{job="orders"\}\)) >= 10\b`, "$1 >= 3", 0),
		edit("CPU saturation is never reported", ticket, `(go_sched_gomaxprocs_threads\{job="orders"\}\)) > 0\.9\b`, "$1 > 9", 0),
		edit("memory is never full", ticket, `(< 2 \^ 62\)\)) > 0\.95\b`, "$1 > 9.5", 0),
		edit("a process without GOMEMLIMIT is full", ticket, `max by \(deployment_environment_name\) (\(\(go_memory_classes_total_bytes[^<]*) < 2 \^ 62\)\) > 0\.95`, "$1 > 2 ^ 62)) < 0.95", 0),
		edit("missing data is present", ticket, `unless on (\(deployment_environment_name\) slo:sli_bad:increase2m\{service="orders",slo="availability"\})`, `and on $1`, 0),
		edit("a new service opens a ticket", ticket, ` and on \(deployment_environment_name\) sum_over_time\(slo:sli_coverage:ratio1h\{[^}]*\}\[\d+d:1h\]\) >= \d+`, ``, 0),
		edit("an alert on missing data fires too early", ticket, `for: 10m\n`, "for: 0s\n", 1),
		edit("crash loops are detected too late", instances, `for: 30s\n`, "for: 30m\n", 0),
		edit("one good scrape ends a page on instance health", instances, `keep_firing_for: 5m`, "keep_firing_for: 0s", 0),
		edit("the budget is ten times as large", ticket, `vector\(0\.001\)`, `vector(0.01)`, 0),
		edit("the period omits the current hour", ticket, `offset -1h`, `offset 1h`, 0),
		edit("the period is a day short", ticket, `\[29d23h:1h\]`, `[28d23h:1h]`, 0),
	}
	for n, alert := range []string{"availability, fast", "availability, slow", "latency, fast", "latency, slow"} {
		out = append(out,
			edit("page on "+alert+" needs twice as much", page, `(?m)^      (slo:sli_error:ratio_rate(?:5m|30m)\{service="orders",slo="[a-z]+"\}) > 0\.\d+(.*)$`, "      $1 > 0.5$2", n+1),
			edit("page on "+alert+" fires for one failure", page, `>= 4\.5`, `>= 0.5`, n+1))
	}
	for n, alert := range []string{"availability, fast", "availability, slow", "latency, fast", "latency, slow"} {
		out = append(out, edit("ticket on "+alert+" fires for less", ticket, `(?m)^      (slo:sli_error:ratio_rate(?:1d|3d)\{[^}]*\}) > 0\.\d+( and ignoring \(window\) [^ ]+) > 0\.\d+(.*)$`, "      $1 > 0.00001$2 > 0.00001$3", n+1))
	}
	for path, windows := range map[string][]string{page: {"5m", "30m", "1h", "6h"}, ticket: {"2h", "1d", "3d"}} {
		for _, w := range windows {
			shorter := map[string]string{"5m": "1m", "30m": "10m", "1h": "20m", "6h": "2h", "2h": "30m", "1d": "6h", "3d": "1d"}[w]
			out = append(out, edit("windows of "+w+" are shorter", path, regexp.QuoteMeta("["+w+"]"), "["+shorter+"]", 0))
		}
	}
	return out
}

// surroundings breaks files other than rules and dashboards.
func surroundings() []mutant {
	out := []mutant{
		edit("the scrape interval is wrong", prometheus, `scrape_interval: 15s`, `scrape_interval: 30s`, 0),
		edit("the page group runs half as often", page, `interval: 30s`, `interval: 1m`, 1),
		edit("the ticket group runs half as often", ticket, `interval: 2m`, `interval: 4m`, 1),
		edit("pages are grouped by alert", routes, `group_by: \[service, environment, slo\]`, `group_by: [alertname]`, 1),
		edit("a page goes to the wrong receiver", routes, `severity="critical"`, `severity="page"`, 1),
		edit("exemplars have no link", datasources, `name: trace_id,`, `name: traceID,`, 0),
		edit("traces are in a store that does not exist", datasources, `datasourceUid: tempo,`, `datasourceUid: jaeger,`, 0),
		edit("log lines are selected by another field", datasources, `json trace_id="trace_id"`, `json trace_id="traceid"`, 0),
		edit("profiles have a type that is not pushed", datasources, `process_cpu:cpu:nanoseconds`, `process_cpu:wall:nanoseconds`, 0),
		edit("traces lead to a metric that does not exist", datasources, `http_server_requests_total`, `http_requests_total`, 0),
		edit("log lines link to traces by another label", datasources, `exported_trace`, `trace`, 0),
		remove(runbooks + "instances.md"),
		remove(runbooks + "availability.md"),
		edit("an alert has no section", runbooks+"telemetry.md", `## OrdersSLONoData`, `## OrdersNoData`, 1),
		edit("a link names a missing heading", runbooks+"resources.md", `\(#silence\)`, `(#silences)`, 2),
	}
	for n := range 6 {
		out = append(out, mutant{fmt.Sprintf("%s: inhibition %d is gone", base.Base(routes), n+1), func(f files) (files, error) { return withoutInhibition(f, n) }})
	}
	for _, book := range []struct{ file, metric string }{
		{"instances.md", "up"}, {"instances.md", "runtime_ready"}, {"instances.md", "runtime_health_check_up"},
		{"availability.md", "http_server_requests_total"}, {"latency.md", "http_server_request_duration_seconds_bucket"},
		{"telemetry.md", "slo:sli_coverage:ratio1h"},
	} {
		out = append(out, edit("a query reads another metric than "+book.metric, runbooks+book.file, word(book.metric)+`\{`, book.metric+"x{", 1))
	}
	return append(out,
		edit("a query groups by a missing label", runbooks+"availability.md", word("version")+`,`, "release,", 1),
		edit("a query does not parse", runbooks+"telemetry.md", `\[10m\]\)\)`, "[10m])", 1),
	)
}

func withoutInhibition(f files, n int) (files, error) {
	head, rules, ok := strings.Cut(f[routes], "inhibit_rules:\n")
	if !ok {
		return nil, errors.New("there are no inhibitions")
	}
	parts := strings.Split(strings.TrimPrefix(rules, "- source_matchers:\n"), "- source_matchers:\n")
	if n >= len(parts) {
		return nil, fmt.Errorf("there are only %d inhibitions", len(parts))
	}
	parts = slices.Delete(parts, n, n+1)
	out := maps.Clone(f)
	out[routes] = head + "inhibit_rules:\n- source_matchers:\n" + strings.Join(parts, "- source_matchers:\n")
	return out, nil
}

// pictures breaks dashboards without changing metric names.
func pictures() []mutant {
	return []mutant{
		edit("a link leads to a dashboard that does not exist", overview, `/d/orders-slo\?`, `/d/orders-objectives?`, 1),
		edit("a link leads to a dashboard that does not exist", dependencies, `/d/orders-overview\?`, `/d/overview?`, 1),
		edit("the capacity of another pool is shown", resources, `runtime_overload_limit\{`, `runtime_overload_limits{`, 1),
		edit("the ten busiest instances are matched by another label", resources, `on \(instance\)`, `on (pod)`, 1),
		edit("a link leads to a dashboard that does not exist", goruntime, `/d/orders-runtime\?`, `/d/runtime?`, 1),
		edit("a link sets an unknown variable", overview, `(/d/orders-runtime\?)`, `${1}var-pod=x&`, 1),
		edit("a link uses an unknown variable", objectives, `\$\{__url_time_range\}`, `$${range}`, 1),
		edit("two dashboards have the same uid", objectives, `"uid": "orders-slo"`, `"uid": "orders-overview"`, 1),
		edit("a variable has no values", overview, `label_values\(up\{job=\\"orders\\"\}, deployment_environment_name\)`, `label_values(up{job=\"orders\"}, env)`, 0),
		edit("a variable selects another job", goruntime, `label_values\(up\{job=\\"orders\\"\}`, `label_values(up{job=\"order\"}`, 0),
		edit("a variable is missing", dependencies, `"name": "instance"`, `"name": "pod"`, 1),
		edit("an objective is offered that does not exist", objectives, `availability,latency`, `availability,freshness`, 0),
		edit("seconds are shown as milliseconds", overview, `"unit": "s"`, `"unit": "ms"`, 1),
		edit("bytes are shown as a ratio", goruntime, `"unit": "bytes"`, `"unit": "percentunit"`, 1),
		edit("a ratio is shown as seconds", overview, `"unit": "percentunit"`, `"unit": "s"`, 1),
		edit("requests a second are shown as bytes", overview, `"unit": "reqps"`, `"unit": "bytes"`, 1),
		edit("a rate is shown as seconds", goruntime, `"unit": "Bps"`, `"unit": "s"`, 1),
		edit("a flame graph has a profile type that is not pushed", goruntime, `memory:inuse_space:bytes:space:bytes`, `memory:used_space:bytes:space:bytes`, 0),
		edit("flame graphs are of another service", goruntime, `service_name=\\"orders\\"`, `service_name=\"order\"`, 0),
		edit("log lines are of another service", overview, `service_name=\\"orders\\"`, `service_name=\"order\"`, 0),
		edit("traces are of another service", overview, `resource\.service\.name = \\"orders\\"`, `resource.service.name = \"order\"`, 0),
		edit("traces are selected by an attribute that no resource has", overview, `resource\.deployment\.environment\.name`, `resource.environment`, 0),
		edit("log lines have another field", overview, `trace_id=\\"trace_id\\"`, `trace_id=\"traceid\"`, 0),
		edit("a quantile has no buckets", overview, `sum by \(le\)`, `sum`, 0),
		edit("a counter is drawn without its rate", dependencies, `rate\((db_client_operation_duration_seconds_count\{[^}]*\})\[\$__rate_interval\]\)`, `$1`, 1),
		edit("a window is shorter than two scrapes", overview, `\$__rate_interval`, `10s`, 1),
		edit("a query does not parse", objectives, `group_left \(\)`, `group_left (`, 1),
	}
}

func dataMutants() []mutant {
	return slices.Concat(renamedMetrics(), renamedRecords(), renamedLabels(), decisions(), surroundings(), pictures(), misleading())
}

// atLeast is the minimum number of mutants.
const atLeast = 100

func TestThereAreEnoughMutants(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	generated := read(t, example)
	for _, m := range dataMutants() {
		if names[m.name] {
			t.Errorf("two mutants are called %q", m.name)
		}
		names[m.name] = true
		if _, err := m.mutate(generated); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
	for _, m := range codeMutants() {
		names[m.name] = true
	}
	if len(names) < atLeast {
		t.Errorf("%d mutants, want %d or more", len(names), atLeast)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("breaks a service in %d ways", len(names)); !strings.Contains(string(readme), want) {
		t.Errorf("README.md does not say that it %s", want)
	}
}
