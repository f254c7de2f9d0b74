package render_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/observability-first/scaffold/internal/promsim/metricstore"
	"github.com/observability-first/scaffold/internal/promsim/synthetic"
	"github.com/observability-first/scaffold/runtime/semconv"
)

// stateEnd is the time at which states are drawn.
func stateEnd() time.Time { return time.Date(2026, time.November, 28, 12, 0, 0, 0, time.UTC) }

// replica is an instance of a state.
type replica struct {
	instance, environment, cluster, version string

	from    time.Time
	scrape  time.Duration
	routes  []stateRoute
	alive   func(time.Time) bool // since from, if nil
	runtime bool                 // it has series of requests and readiness
	// allBuckets are those of the runtime, instead of a few.
	allBuckets bool
}

// stateRoute is a route with its requests per second. A share of them fails from a time on.
type stateRoute struct {
	method, path string
	rate, bad    float64
	badFrom      time.Time
	badTo        time.Time // zero for no end
}

// plant adds series to a store.
type plant struct {
	tb    testing.TB
	store *metricstore.Store
	end   time.Time
}

func (w plant) add(r replica, name string, read func(seconds float64) float64, pairs ...string) {
	w.tb.Helper()
	epoch := func(t time.Time) time.Duration { return time.Duration(t.UnixNano()) }
	pairs = append(slices.Clone(pairs), "__name__", name, "job", "orders", "instance", r.instance, semconv.LabelEnvironment, r.environment)
	if r.cluster != "" {
		pairs = append(pairs, "cluster", r.cluster)
	}
	first := r.from.Truncate(r.scrape).Add(time.Duration(dice(r.instance, 0)*float64(r.scrape.Milliseconds())) * time.Millisecond)
	if first.Before(r.from) {
		first = first.Add(r.scrape)
	}
	err := w.store.Generate(labels.FromStrings(pairs...), synthetic.Series{
		First: epoch(first), Last: epoch(w.end), Every: r.scrape,
		Exists: func(t time.Duration) bool {
			return t >= epoch(first) && (r.alive == nil || r.alive(time.Unix(0, int64(t))))
		},
		Read: func(t time.Duration) float64 { return read((t - epoch(r.from)).Seconds()) },
	}.Generator())
	if err != nil {
		w.tb.Fatal(err)
	}
}

// replica adds the series of an instance.
func (w plant) replica(r replica) {
	w.tb.Helper()
	if r.runtime {
		w.add(r, semconv.Up, steadily(1))
		w.requests(r)
	}
	rate := 0.0
	for _, route := range r.routes {
		rate += route.rate
	}
	w.add(r, semconv.BuildInfo, steadily(1), "version", r.version, "revision", "unknown", "goversion", "go1.26.1")
	w.own(r)
	w.process(r, rate)
	w.database(r, rate)
}

func steadily(v float64) func(float64) float64 { return func(float64) float64 { return v } }
func counting(rate float64) func(float64) float64 {
	return func(s float64) float64 { return math.Floor(rate * s) }
}

// swinging is a value that goes up and down by a tenth.
func swinging(v float64) func(float64) float64 {
	return func(s float64) float64 { return v * (1 + .1*math.Sin(2*math.Pi*s/1200)) }
}

// buckets are the bounds of histograms of requests, and the share of them that is not slower.
func buckets() map[string]float64 {
	return map[string]float64{"0.005": .6, "0.1": .985, "0.2": .997, "1.0": 1, "+Inf": 1}
}

// bucketsOf returns the same distribution over all buckets of the runtime.
func (r replica) bucketsOf() map[string]float64 {
	if !r.allBuckets {
		return buckets()
	}
	out := map[string]float64{"+Inf": 1}
	for _, bound := range semconv.DurationBuckets() {
		share := 0.0
		for text, part := range buckets() {
			if known, err := strconv.ParseFloat(text, 64); err == nil && known <= bound {
				share = max(share, part)
			}
		}
		out[strconv.FormatFloat(bound, 'g', -1, 64)] = share
	}
	return out
}

// total is the sum of counts.
func total(counts []func(float64) float64) func(float64) float64 {
	return func(s float64) float64 {
		sum := 0.0
		for _, count := range counts {
			sum += count(s)
		}
		return sum
	}
}

func (w plant) requests(r replica) {
	w.tb.Helper()
	routed := map[string][]func(float64) float64{} // by outcome
	for _, route := range r.routes {
		bad := synthetic.Steady(0)
		if route.bad > 0 {
			bad = synthetic.NewFlow(synthetic.Segment{}, synthetic.Segment{From: max(route.badFrom.Sub(r.from), time.Nanosecond), Rate: route.rate * route.bad})
			if !route.badTo.IsZero() {
				bad = bad.Then(route.badTo.Sub(r.from), 0)
			}
		}
		failed := func(s float64) float64 { return math.Floor(bad.Count(time.Duration(s * float64(time.Second)))) }
		good := func(s float64) float64 { // never falls
			return math.Floor(route.rate*.98*s - bad.Count(time.Duration(s*float64(time.Second))))
		}
		pairs := []string{semconv.LabelMethod, route.method, semconv.LabelRoute, route.path, semconv.LabelOutcome}
		for outcome, read := range map[string]func(float64) float64{
			semconv.OutcomeSuccess: good, semconv.OutcomeServerError: failed, semconv.OutcomeClientError: counting(route.rate * .02),
		} {
			w.add(r, semconv.HTTPServerRequests, read, append(slices.Clone(pairs), outcome)...)
			routed[outcome] = append(routed[outcome], read)
		}
		w.histogram(r, semconv.HTTPServerRequestDuration, r.bucketsOf(), good, append(pairs, semconv.OutcomeSuccess, semconv.LabelStatus, "200")...)
	}
	for outcome, counts := range routed {
		w.add(r, semconv.HTTPServerRoutedRequests, total(counts), semconv.LabelOutcome, outcome)
	}
	if good := routed[semconv.OutcomeSuccess]; good != nil {
		w.histogram(r, semconv.HTTPServerRoutedRequestDuration, r.bucketsOf(), total(good), semconv.LabelOutcome, semconv.OutcomeSuccess)
	}
	w.add(r, semconv.RuntimeReady, steadily(1))
	w.add(r, semconv.ProcessStartTime, steadily(float64(r.from.Unix())))
	w.add(r, semconv.RuntimeHealthCheckUp, steadily(1), "check", "postgres")
	w.add(r, semconv.RuntimeOverloadAtMinLimit, steadily(0))
	w.add(r, semconv.ProcessCPU, func(s float64) float64 { return .35 * s })
	w.add(r, semconv.GoMaxProcs, steadily(2))
	w.add(r, semconv.GoMemoryLimit, steadily(256*mebibyte))
	w.add(r, semconv.GoMemoryTotal, swinging(40*mebibyte))
	w.add(r, semconv.GoMemoryReleased, swinging(4*mebibyte))
	w.add(r, semconv.HTTPServerActiveRequests, swinging(1))
	w.add(r, semconv.RuntimeTelemetryDropped, steadily(0), "signal", "traces", "reason", "queue_full")
}

func (w plant) histogram(r replica, name string, shares map[string]float64, events func(float64) float64, pairs ...string) {
	w.tb.Helper()
	for bound, share := range shares {
		w.add(r, name+"_bucket", func(s float64) float64 { return math.Floor(share * events(s)) }, append(slices.Clone(pairs), "le", bound)...)
	}
	w.add(r, name+"_count", events, pairs...)
	w.add(r, name+"_sum", func(s float64) float64 { return .012 * events(s) }, pairs...)
}

// own adds metrics of the runtime that no alert reads.
func (w plant) own(r replica) {
	w.tb.Helper()
	w.add(r, semconv.RuntimeOverloadInFlight, swinging(1))
	w.add(r, semconv.RuntimeOverloadQueued, steadily(0))
	w.add(r, semconv.RuntimeOverloadLimit, steadily(64))
	w.add(r, semconv.HTTPServerOpenConnections, swinging(12))
	w.add(r, semconv.HTTPServerOpenConnectionsMax, steadily(1000))
	for _, priority := range []string{semconv.PriorityCritical, semconv.PriorityDefault, semconv.PrioritySheddable} {
		for _, reason := range []string{semconv.ShedLimit, semconv.ShedQueueFull, semconv.ShedDeadline, semconv.ShedMemory, semconv.ShedBodies} {
			w.add(r, semconv.RuntimeOverloadShed, steadily(0), "priority", priority, "reason", reason)
		}
	}
	w.add(r, semconv.RuntimeCardinalityOverflow, steadily(0), "metric", "x", "label", "y")
}

// process adds metrics of Go and of the process.
func (w plant) process(r replica, rate float64) {
	w.tb.Helper()
	for name, value := range map[string]float64{
		"go_sched_goroutines_running_goroutines": 1, "go_sched_goroutines_runnable_goroutines": 0, "go_sched_goroutines_waiting_goroutines": 32,
		"go_sched_goroutines_not_in_go_goroutines": 2, "go_sched_threads_total_threads": 9, "process_open_fds": 26, "process_max_fds": 20000,
		"go_gc_heap_live_bytes": 9 * mebibyte, "go_gc_heap_goal_bytes": 18 * mebibyte, "process_resident_memory_bytes": 44 * mebibyte,
	} {
		w.add(r, name, swinging(value))
	}
	for name, perSecond := range map[string]float64{
		"go_cpu_classes_total_cpu_seconds_total": 2, "go_cpu_classes_gc_total_cpu_seconds_total": .01, "go_sync_mutex_wait_total_seconds_total": .0001,
		"go_gc_heap_allocs_bytes_total": 100_000 + 30_000*rate, "go_gc_heap_allocs_objects_total": 900 + 190*rate, "go_gc_cycles_total_gc_cycles_total": .05,
		"process_network_receive_bytes_total": 40_000 + 2_000*rate, "process_network_transmit_bytes_total": 90_000 + 4_000*rate,
	} {
		w.add(r, name, func(s float64) float64 { return perSecond * s })
	}
	for _, name := range []string{"go_sched_latencies_seconds", "go_sched_pauses_total_gc_seconds"} {
		w.histogram(r, name, map[string]float64{"6.4e-07": .8, "8.192e-05": .97, "0.0009175": .995, "0.01": 1, "+Inf": 1}, counting(5+rate))
	}
}

// database adds metrics of the connection pool, of queries, and of calls to another service.
func (w plant) database(r replica, rate float64) {
	w.tb.Helper()
	pool := []string{semconv.LabelPoolName, "orders"}
	w.add(r, semconv.DBClientConnectionCount, swinging(3), append(slices.Clone(pool), semconv.LabelPoolState, semconv.ConnectionStateInUse)...)
	w.add(r, semconv.DBClientConnectionCount, swinging(5), append(slices.Clone(pool), semconv.LabelPoolState, semconv.ConnectionStateIdle)...)
	w.add(r, semconv.DBClientConnectionMax, steadily(10), pool...)
	w.add(r, semconv.DBClientConnectionWaits, steadily(0), pool...)
	w.add(r, semconv.DBClientConnectionTimeouts, steadily(0), pool...)
	if r.runtime {
		w.add(r, semconv.DBClientConnectionWaitTime, steadily(0), pool...)
	}
	if rate == 0 {
		return
	}
	for _, operation := range []string{"SELECT", "INSERT"} {
		w.histogram(r, semconv.DBClientOperationDuration, buckets(), counting(rate), semconv.LabelDBOperation, operation, semconv.LabelDBSystem, "postgresql")
	}
	server := []string{semconv.LabelPeerName, "payments", semconv.LabelServerAddress, "payments.example.com"}
	w.histogram(r, semconv.HTTPClientRequestDuration, buckets(), counting(rate/5), append([]string{semconv.LabelMethod, "GET"}, server...)...)
	of := append([]string{semconv.LabelPurpose, "request", semconv.LabelOutcome}, server...)
	w.add(r, semconv.HTTPClientCalls, counting(rate/5), slices.Insert(slices.Clone(of), 3, semconv.OutcomeSuccess)...)
	w.add(r, semconv.HTTPClientCalls, steadily(0), slices.Insert(slices.Clone(of), 3, semconv.OutcomeServerError)...)
	for _, name := range []string{semconv.HTTPClientRetries, semconv.HTTPClientRetriesSuppressed, semconv.HTTPClientBreakerRejected} {
		w.add(r, name, steadily(0), server...)
	}
}

// someRoutes are n routes with long names, the last of which have little traffic.
func someRoutes(n int) []stateRoute {
	methods := []string{"GET", "POST", "PUT", "DELETE"}
	out := make([]stateRoute, n)
	for i := range out {
		out[i] = stateRoute{method: methods[i%len(methods)], path: "/v1/orders", rate: 20 / float64(i+1)}
		if i > 0 {
			out[i].path = fmt.Sprintf("/v1/organizations/{organization}/resource%03d/{id}", i)
		}
	}
	return out
}

// some are n instances.
func some(n int, environment string, since time.Duration, routes []stateRoute) []replica {
	out := make([]replica, n)
	for i := range out {
		out[i] = replica{
			instance: "10.0." + strconv.Itoa(i/250) + "." + strconv.Itoa(10+i%250) + ":9464", environment: environment, version: "1.5.0",
			from: stateEnd().Add(-since), scrape: 15 * time.Second, routes: routes, runtime: true,
		}
	}
	return out
}
