package render_test

import (
	"math"
	"strings"
	"time"

	"github.com/observability-first/scaffold/dashboards/render"
)

// logLines returns the lines of the run until a time, newest first. A query for the service has those of all
// environments.
func logLines(q render.Query) []render.Line {
	var out []render.Line
	for t := q.To.Add(-time.Second).Truncate(time.Second); t.After(q.From) && t.After(clock(runStart)) && len(out) < q.Limit; t = t.Add(-time.Second) {
		second := int(t.Unix())
		fails := .06
		if between(t, errorsFrom, errorsTo) {
			fails = .9
		}
		if dice("failed", second) < fails {
			out = append(out, failedLine(t, second))
		}
		if dice("telemetry", second) < .15 && t.Before(clock(tracesFrom)) {
			out = append(out, logLine(t, "WARN", "telemetry was not delivered", "signal", "traces", "error", "connection refused"))
		}
	}
	return out
}

func failedLine(t time.Time, second int) render.Line {
	trace := strings.Repeat(strings.ToLower(t.Format("0102150405")), 4)[:32]
	l := logLine(t, "ERROR", "request failed", "http_request_method", "POST", "http_route", "/v1/orders", "http_response_status_code", "503",
		"error", "no room for the order", "trace_id", trace, "exported_trace", trace)
	l.Time = t.Add(time.Duration(dice("millisecond", second)*999) * time.Millisecond)
	return l
}

func logLine(t time.Time, level, text string, pairs ...string) render.Line {
	l := render.Line{Time: t, Text: text, Labels: map[string]string{"service_name": "orders", "level": level, "detected_level": strings.ToLower(level)}}
	environment := "prod"
	if level == "WARN" && dice("environment", int(t.Unix())) < .25 {
		environment = "staging"
	}
	l.Labels["deployment_environment_name"] = environment
	for i := 0; i < len(pairs); i += 2 {
		l.Labels[pairs[i]] = pairs[i+1]
	}
	return l
}

// profile returns the sum of all profiles in a time range, as Pyroscope does: also of those that are a gauge.
func profile(q render.Query) *render.Flame {
	from := q.From
	if first := clock(profilesFrom); from.Before(first) {
		from = first
	}
	minutes := q.To.Sub(from).Minutes()
	if minutes <= 0 {
		return nil
	}
	kind := strings.SplitN(q.ProfileType, ":", 3)
	switch kind[0] + ":" + kind[1] {
	case "process_cpu:cpu":
		return flame(1.7e9*minutes, "ns", cpuStacks)
	case "memory:inuse_space":
		return flame(125*mebibyte*minutes, "bytes", heapStacks)
	case "memory:alloc_space":
		return flame(132*mebibyte*minutes, "bytes", allocationStacks)
	case "mutex:delay":
		return flame(2.77e6*minutes, "ns", lockStacks)
	case "goroutines:goroutine":
		return flame(1.5+445.5*minutes, "short", goroutineStacks) // 447 in a minute, 1,338 in three
	}
	return nil
}

// stack is a list of functions, the outermost first, and its share of a profile.
type stack struct {
	share float64
	calls string
}

const (
	serve   = "net/http.(*conn).serve "
	handler = serve + "net/http.serverHandler.ServeHTTP github.com/observability-first/scaffold/runtime/httpserver.(*Server).serve github.com/go-chi/chi/v5.(*Mux).routeHTTP github.com/danielgtaylor/huma/v2.Register "
)

var cpuStacks = []stack{
	{.24, handler + "example.com/orders/internal/orders.(*Store).List github.com/jackc/pgx/v5.(*Conn).Query"},
	{.20, handler + "example.com/orders/internal/orders.(*Store).Get github.com/jackc/pgx/v5.(*Conn).QueryRow"},
	{.12, handler + "encoding/json.Marshal"},
	{.19, serve + "bufio.(*Writer).Flush internal/poll.(*FD).Write syscall.Syscall"},
	{.13, "runtime.mcall runtime.park_m runtime.schedule runtime.findRunnable"},
	{.07, "runtime.gcBgMarkWorker runtime.gcDrain"},
	{.05, "go.opentelemetry.io/otel/sdk/trace.(*batchSpanProcessor).processQueue"},
}

var heapStacks = []stack{
	{.31, "github.com/grafana/pyroscope-go.(*session).takeSnapshots compress/flate.NewWriter"},
	{.22, handler + "bufio.NewReaderSize"},
	{.17, "runtime.main main.main github.com/spf13/cobra.(*Command).Execute"},
	{.18, "runtime/pprof.WriteHeapProfile compress/gzip.(*Writer).Write"},
	{.12, serve + "bufio.NewWriterSize"},
}

var allocationStacks = []stack{
	{.36, handler + "example.com/orders/internal/orders.(*Store).List encoding/json.Marshal"},
	{.16, handler + "github.com/jackc/pgx/v5/pgtype.(*Map).Scan"},
	{.26, "github.com/grafana/pyroscope-go.(*session).takeSnapshots runtime/pprof.(*profileBuilder).build compress/flate.NewWriter"},
	{.22, "runtime/pprof.writeHeap"},
}

var lockStacks = []stack{
	{.93, "runtime.mcall runtime.gosched_m runtime.goschedImpl runtime.schedule runtime.findRunnable runtime.unlock"},
	{.07, serve + "sync.(*Mutex).Unlock"},
}

var goroutineStacks = []stack{
	{.38, serve + "bufio.(*Reader).Peek internal/poll.(*FD).Read runtime.netpollblock runtime.gopark"},
	{.27, "github.com/grafana/pyroscope-go.(*session).takeSnapshots runtime.selectgo runtime.gopark"},
	{.22, "github.com/jackc/pgx/v5/pgxpool.(*Pool).backgroundHealthCheck runtime.selectgo runtime.gopark"},
	{.07, "os/signal.loop runtime.notetsleepg"},
	{.06, "runtime/pprof.writeGoroutine runtime.goroutineProfileWithLabels"},
}

// flame makes a tree of stacks.
func flame(total float64, unit string, stacks []stack) *render.Flame {
	root := &render.Flame{Name: "total", Unit: unit}
	share := 0.0
	for _, s := range stacks {
		share += s.share
		value := math.Round(total*share) - root.Total
		at := root
		at.Total += value
		for name := range strings.FieldsSeq(s.calls) {
			at = child(at, name)
			at.Total += value
		}
		at.Self += value
	}
	return root
}

func child(of *render.Flame, name string) *render.Flame {
	for i := range of.Children {
		if of.Children[i].Name == name {
			return &of.Children[i]
		}
	}
	of.Children = append(of.Children, render.Flame{Name: name})
	return &of.Children[len(of.Children)-1]
}
