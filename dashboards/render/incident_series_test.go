package render_test

import (
	"math"
	"time"

	"github.com/observability-first/scaffold/internal/promsim/synthetic"
)

// The errors of one route, and the locks of a table that all queries need.
const (
	errorsFrom = "12:08:15"
	errorsTo   = "12:13:45"
	lockTime   = 6 * time.Second
)

func locks() []time.Time {
	return []time.Time{clock("12:20:51"), clock("12:21:22"), clock("12:21:51"), clock("12:22:21")}
}

// locked reports whether the table is locked: only production has that database.
func (p process) locked(t time.Time) bool {
	if p.environment != "prod" {
		return false
	}
	for _, from := range locks() {
		if !t.Before(from) && t.Before(from.Add(lockTime)) {
			return true
		}
	}
	return false
}

// load returns the requests per second of a process: 50 of all on average, in waves.
func (w *world) load(p process, t time.Time) float64 {
	if p.environment == "staging" {
		return 5.6 + 2.1*wave(t, "11:59:30")
	}
	running := 0
	for _, other := range w.processes {
		if other.environment == p.environment && other.alive(t) {
			running++
		}
	}
	return (47 + 15*wave(t, "11:57:00")) / math.Max(float64(running), 1)
}

// wave is 1 at a time and every twelve minutes after it, and -1 between.
func wave(t time.Time, top string) float64 {
	return math.Cos(2 * math.Pi * t.Sub(clock(top)).Minutes() / 12)
}

// ramp rises from 0 to 1 between two times.
func ramp(t time.Time, from, to string) float64 {
	return min(max(t.Sub(clock(from)).Seconds()/clock(to).Sub(clock(from)).Seconds(), 0), 1)
}

// route is an endpoint. Operations are its database queries.
type route struct {
	method, path, status string
	share, rejected      float64 // of all requests; of its own
	operations           []string
}

func routes() []route {
	return []route{
		{"GET", "/v1/orders/{id}", "200", .39, .09, []string{"SELECT"}},
		{"GET", "/v1/orders", "200", .30, 0, []string{"SELECT"}},
		{"POST", "/v1/orders", "201", .17, .03, []string{"INSERT"}},
		{"PUT", "/v1/orders/{id}", "200", .08, .06, []string{"SELECT", "UPDATE"}},
		{"DELETE", "/v1/orders/{id}", "204", .035, .08, []string{"DELETE"}},
		{"GET", "/openapi.json", "200", .012, 0, nil},
		{"GET", "unmatched", "404", .008, 1, nil},
	}
}

func (r route) creates() bool { return r.method == "POST" }

// rate returns the requests per second of a route: clients repeat those that fail.
func (r route) rate(s state) float64 {
	rate := s.load * r.share
	if r.creates() && s.environment == "prod" {
		rate *= 1 + .8*ramp(s.at, "12:06:30", "12:09:30")*(1-ramp(s.at, "12:13:30", "12:15:30"))
	}
	return rate
}

// failing returns the share of requests of a route that end with a server error.
func (r route) failing(s state) float64 {
	switch {
	case s.environment != "prod" || len(r.operations) == 0:
		return 0
	case s.locked(s.at):
		return .7
	case !r.creates():
		return 0
	case between(s.at, errorsFrom, errorsTo):
		return .39 + .04*synthetic.Number(len(s.lives) > 1) // the new version is worse
	}
	return .026
}

// shares returns which shares of the requests have an outcome.
func (r route) shares(s state) map[string]float64 {
	bad := r.failing(s)
	return map[string]float64{
		"server_error": bad, "client_error": (1 - bad) * r.rejected,
		"success": (1 - bad) * (1 - r.rejected), "shed": 0,
	}
}

// duration returns the time of a request or a query that waits on nothing but locks and slow inserts.
func (p process) duration(at time.Time, inserts bool, share float64) float64 {
	late := 0.0
	switch {
	case p.locked(at) || p.locked(at.Add(-scrape/2)):
		late = .3
	case p.environment != "prod" || !inserts:
	case between(at, errorsFrom, "12:14:00"):
		late = .27
	default:
		late = .05
	}
	if share < late {
		return interpolate(share/late, [][2]float64{{0, .2}, {.08, .25}, {.65, .5}, {1, .72}})
	}
	return interpolate((share-late)/(1-late), [][2]float64{{0, .0008}, {.955, .0049}, {.98, .01}, {.992, .025}, {.998, .05}, {.9995, .075}, {1, .1}})
}

// interpolate interpolates between points of a share and a value.
func interpolate(share float64, points [][2]float64) float64 {
	for i, to := range points[1:] {
		if from := points[i]; share <= to[0] {
			return from[1] + (share-from[0])/(to[0]-from[0])*(to[1]-from[1])
		}
	}
	return points[len(points)-1][1]
}

// target adds what Prometheus knows of a process, and its build.
func (w *world) target(p process) {
	w.add(p, p.of("up"), always, func(n int) float64 {
		if p.alive(p.time(n)) {
			return 1
		}
		return 0
	})
	versions := map[string]bool{}
	for _, l := range p.lives {
		if versions[l.version] {
			continue
		}
		versions[l.version] = true
		has := func(t time.Time) bool { now := p.at(t); return now != nil && now.version == l.version }
		w.add(p, p.of("build_info", "version", l.version, "revision", "unknown", "goversion", "go1.26.1"), has, func(int) float64 { return 1 })
	}
	w.gauge(p, "process_start_time_seconds", func(s state) float64 {
		if l := p.at(s.at); l != nil {
			return float64(l.from.Unix())
		}
		return 0
	})
}

// requests adds the metrics of the HTTP server. Only the durations of successful requests are read.
func (w *world) requests(p process) {
	bounds := []float64{.005, .01, .025, .05, .075, .1, .2, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
	for _, r := range routes() {
		for _, outcome := range []string{"success", "client_error", "server_error", "shed"} {
			pairs := []string{"http_request_method", r.method, "http_route", r.path, "outcome", outcome}
			l := p.of("http_server_requests_total", pairs...)
			events := w.increments(p, l.String(), func(s state) float64 { return r.rate(s) * r.shares(s)[outcome] })
			totals := p.totals(events)
			w.add(p, l, p.alive, func(n int) float64 { return totals[n] })
			if outcome == "success" && r.path != "unmatched" {
				w.histogram(p, "http_server_request_duration_seconds", bounds, events, func(at time.Time, share float64) float64 {
					return p.duration(at, r.creates(), share)
				}, append(pairs, "http_response_status_code", r.status)...)
			}
		}
	}
	w.gauge(p, "http_server_active_requests", inFlight)
}

// inFlight is how many requests a scrape finds: as they take milliseconds, mostly none.
func inFlight(s state) float64 {
	chance := s.load * .006
	if between(s.at, errorsFrom, errorsTo) && s.environment == "prod" {
		chance *= 2
	}
	switch {
	case s.dice < chance*.15:
		return 2
	case s.dice < chance:
		return 1
	}
	return 0
}

// database adds the metrics of the connection pool and of queries.
func (w *world) database(p process) {
	w.pool(p)
	bounds := []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10}
	for _, operation := range []string{"SELECT", "INSERT", "UPDATE", "DELETE"} {
		rate := func(s state) (all, failing float64) {
			for _, r := range routes() {
				for _, o := range r.operations {
					if o == operation {
						all += r.rate(s) * (1 - r.failing(s)*synthetic.Number(s.locked(s.at)))
						failing = r.failing(s)
					}
				}
			}
			return all, failing
		}
		for _, failure := range []string{"", "resources", "timeout"} {
			share := func(s state, failing float64) float64 {
				switch {
				case s.locked(s.at) && failure == "timeout":
					return .2
				case s.locked(s.at) || failure == "timeout":
					return .8 * synthetic.Number(failure == "")
				case failure == "resources":
					return failing
				}
				return 1 - failing
			}
			pairs := []string{"db_operation_name", operation, "db_system_name", "postgresql"}
			if failure != "" {
				pairs = append(pairs, "error_type", failure)
			}
			key := p.of("db_client_operation_duration_seconds", pairs...).String()
			events := w.increments(p, key, func(s state) float64 { all, failing := rate(s); return all * share(s, failing) })
			w.histogram(p, "db_client_operation_duration_seconds", bounds, events, func(at time.Time, x float64) float64 {
				return p.duration(at, operation == "INSERT", x)
			}, pairs...)
		}
	}
}

// pool adds the metrics of the connection pool. Between two locks a scrape finds it nearly idle: what
// waited has failed.
func (w *world) pool(p process) {
	name := []string{"db_client_connection_pool_name", p.pool}
	used := func(s state) float64 {
		s.dice = dice(p.instance+" used", s.scrape)
		return inFlight(s)
	}
	w.gauge(p, "db_client_connection_count", used, append(name, "db_client_connection_state", "used")...)
	w.gauge(p, "db_client_connection_count", func(s state) float64 { return p.connections(s.at) - used(s) }, append(name, "db_client_connection_state", "idle")...)
	w.gauge(p, "db_client_connection_max", func(state) float64 { return 10 }, name...)
	w.gauge(p, "db_client_connection_pending_requests", func(state) float64 { return 0 }, name...)
	waits := func(s state) float64 {
		switch {
		case s.locked(s.at):
			return s.load * .95
		case p.environment == "prod" && between(s.at, "12:07:40", "12:09:30"):
			return .05
		}
		return 0
	}
	w.counter(p, "db_client_connection_waits_total", 1, waits, name...)
	w.counter(p, "db_client_connection_wait_time_seconds_total", .001, func(s state) float64 {
		if s.locked(s.at) {
			return waits(s) * .57
		}
		return waits(s) * .4 * ramp(s.at, "12:08:00", "12:09:30")
	}, name...)
	w.counter(p, "db_client_connection_timeouts_total", 1, func(s state) float64 { return s.load * .68 * synthetic.Number(s.locked(s.at)) }, name...)
}

// connections is the number of open connections: it grows with the requests that come at once.
func (p process) connections(t time.Time) float64 {
	switch {
	case p.environment != "prod":
		return 4
	case !t.Before(clock("12:20:57")):
		return 10
	case len(p.lives) > 1 && p.at(t) != nil && t.Sub(p.at(t).from) < 45*time.Second && t.After(clock("12:07:00")):
		return 3
	case !t.Before(clock("12:09:00")):
		return 7 + synthetic.Number(len(p.lives) == 1)
	}
	return 6 + synthetic.Number(len(p.lives) == 1)
}

// runtime adds the metrics of the service's own libraries.
func (w *world) runtime(p process) {
	w.gauge(p, "runtime_ready", func(state) float64 { return 1 })
	w.gauge(p, "runtime_health_check_up", func(state) float64 { return 1 }, "check", "postgres")
	w.gauge(p, "runtime_overload_in_flight", inFlight)
	w.gauge(p, "runtime_overload_queued", func(state) float64 { return 0 })
	w.gauge(p, "runtime_overload_at_floor", func(state) float64 { return 0 })
	w.gauge(p, "runtime_overload_limit", func(s state) float64 {
		if p.environment != "prod" {
			return 64
		}
		return 64 - math.Round(24*ramp(s.at, "12:21:00", "12:25:30"))
	})
	for _, priority := range []string{"critical", "default", "sheddable"} {
		for _, reason := range []string{"deadline", "limit", "memory", "queue_full", "scheduler"} {
			w.counter(p, "runtime_overload_shed_total", 1, never, "priority", priority, "reason", reason)
		}
	}
	for _, signal := range []string{"traces", "logs", "metrics", "profiles"} {
		for _, reason := range []string{"queue_full", "export_failed", "rejected", "shutdown", "blocked"} {
			rate := never
			if reason == "export_failed" {
				rate = func(s state) float64 { return dropped(s, signal) }
			}
			w.counter(p, "runtime_telemetry_dropped_total", 1, rate, "signal", signal, "reason", reason)
		}
	}
	for _, of := range [][]string{
		{"build_info", "goversion", "revision", "version"},
		{"db_client_operation_duration_seconds", "db_operation_name", "db_system_name", "error_type"},
		{"http_server_request_duration_seconds", "http_request_method", "http_response_status_code", "http_route", "outcome"},
		{"http_server_requests_total", "http_request_method", "http_route", "outcome"},
		{"runtime_health_check_up", "check"},
	} {
		for _, label := range of[1:] {
			w.counter(p, "runtime_label_overflow_total", 1, never, "metric", of[0], "label", label)
		}
	}
}

func never(state) float64 { return 0 }

// The backends take telemetry from these times on.
const (
	logsFrom     = "12:21:00"
	profilesFrom = "12:29:05"
	tracesFrom   = "12:33:15"
)

// dropped is the telemetry that a process drops per second while a backend is away.
func dropped(s state, signal string) float64 {
	requests := s.load
	if s.environment == "prod" {
		requests *= 1 + .6*ramp(s.at, "12:07:30", "12:09:00")*(1-ramp(s.at, "12:12:00", "12:14:00"))
	}
	switch {
	case signal == "traces" && s.at.Before(clock(tracesFrom)):
		return 1.6 + .2*requests
	case signal == "logs" && s.at.Before(clock(logsFrom)):
		return 1.4 + .12*requests
	case signal == "profiles" && s.at.Before(clock(profilesFrom)):
		return .21
	}
	return 0
}

const mebibyte = 1 << 20

// goRuntime adds the metrics of Go and of the process.
func (w *world) goRuntime(p process) {
	after := func(s state) float64 { // the connections and goroutines of the locks stay for a while
		return ramp(s.at, "12:20:50", "12:21:20") * (1 - ramp(s.at, "12:24:00", "12:24:20")) * synthetic.Number(p.environment == "prod")
	}
	gauge := func(name string, base, perRequest, noise, afterLock float64) {
		w.gauge(p, name, func(s state) float64 { return base + perRequest*s.load + noise*(s.dice-.5) + afterLock*after(s) })
	}
	whole := func(name string, base, noise, afterLock float64) {
		w.gauge(p, name, func(s state) float64 { return math.Floor(base + noise*s.dice + afterLock*after(s)) })
	}
	whole("go_sched_goroutines_running_goroutines", 1, 1.5, 0)
	whole("go_sched_goroutines_runnable_goroutines", 0, 1.05, 0)
	whole("go_sched_goroutines_waiting_goroutines", 31, 3, 38)
	whole("go_sched_goroutines_not_in_go_goroutines", 2, 1.2, 0)
	whole("go_sched_gomaxprocs_threads", 2, 0, 0)
	whole("go_sched_threads_total_threads", 9.6, .5, 0)
	whole("process_open_fds", 21+5*synthetic.Number(p.environment == "prod"), 1.5, 36)
	whole("process_max_fds", 20000, 0, 0)
	gauge("go_gc_heap_live_bytes", 8*mebibyte, 0, 1.5*mebibyte, mebibyte)
	gauge("go_gc_heap_goal_bytes", 16*mebibyte, 0, 3*mebibyte, 2*mebibyte)
	gauge("go_gc_gomemlimit_bytes", 256*mebibyte, 0, 0, 0)
	gauge("go_memory_classes_total_bytes", 29*mebibyte, .02*mebibyte, 4*mebibyte, 2*mebibyte)
	gauge("go_memory_classes_heap_released_bytes", 5*mebibyte, 0, mebibyte, 0)
	gauge("process_resident_memory_bytes", 40*mebibyte, 0, 3*mebibyte, 2*mebibyte)
	counter := func(name string, grain, base, perRequest float64) {
		w.counter(p, name, grain, func(s state) float64 { return base + perRequest*s.load })
	}
	counter("process_cpu_seconds_total", .0001, .0035, .00045)
	counter("go_cpu_classes_total_cpu_seconds_total", .001, 2, 0)
	counter("go_gc_heap_allocs_bytes_total", 1000, 120_000, 30_000)
	counter("go_gc_heap_allocs_objects_total", 1, 900, 190)
	counter("go_gc_cycles_total_gc_cycles_total", 1, .04, .004)
	w.counter(p, "go_cpu_classes_gc_total_cpu_seconds_total", .0001, func(s state) float64 {
		return .0006 + .009*rarely(p.instance+" gc", s.at, .04)
	})
	w.counter(p, "go_sync_mutex_wait_total_seconds_total", .00001, func(s state) float64 {
		return .00002 + .00045*rarely(p.instance+" mutex", s.at, .05)
	})
	w.counter(p, "process_network_receive_bytes_total", 1000, func(s state) float64 {
		return 40_000 + 2_000*s.load + 3_000_000*rarely("network", s.at, .06)
	})
	w.counter(p, "process_network_transmit_bytes_total", 1000, func(s state) float64 {
		return 150_000 + 4_000*s.load + 9_000_000*rarely("network", s.at, .06)
	})
	w.pauses(p)
}

// rarely is up to 1 in a share of the minutes, else 0.
func rarely(key string, t time.Time, share float64) float64 {
	minute := int(t.Unix() / 60)
	if dice(key, minute) > share {
		return 0
	}
	return .3 + .7*dice(key+" height", minute)
}

// pauses adds how long goroutines wait for a processor, and for the garbage collector.
func (w *world) pauses(p process) {
	bounds := []float64{6.4e-08, 6.4e-07, 7.168e-06, 8.192e-05, .0009175, .01048576, .117440512}
	latencies := w.increments(p, p.of("go_sched_latencies_seconds").String(), func(s state) float64 { return 5 + 2*s.load })
	w.histogram(p, "go_sched_latencies_seconds", bounds, latencies, func(_ time.Time, share float64) float64 {
		return interpolate(share, [][2]float64{{0, 1e-8}, {.6, 6.4e-08}, {.8, 6.4e-07}, {.93, 7.168e-06}, {.98, 8.192e-05}, {.9965, .0009175}, {1, .005}})
	})
	pauses := w.increments(p, p.of("go_sched_pauses_total_gc_seconds").String(), func(s state) float64 { return 2 * (.04 + .004*s.load) })
	w.histogram(p, "go_sched_pauses_total_gc_seconds", bounds, pauses, func(at time.Time, share float64) float64 {
		if share > .9 && rarely("pause", at, .15) > 0 {
			return .06
		}
		return interpolate(share, [][2]float64{{0, 7.168e-06}, {.3, 8.192e-05}, {.9, .0009175}, {1, .009}})
	})
}
