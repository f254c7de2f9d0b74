package dashboards

import (
	"github.com/observability-first/scaffold/runtime/semconv"
)

// goRuntime shows what makes requests wait within the instances.
func goRuntime(s Scope) Dashboard {
	return New(s, dashboardRuntime, "Go runtime", "Overload, CPU, memory, garbage collection, locks and flame graphs of the instances.",
		s.schedulerRow(), s.memoryRow(), s.overloadRow(), s.garbageRow(), s.limitsRow(), s.telemetryRow(), s.flameRow())
}

// gauges draws sums of gauges; each pair is a metric and its legend.
func (s Scope) gauges(title string, unit Unit, series ...[2]string) Panel {
	p := Panel{Title: title, Kind: TimeSeries, Unit: unit}
	for _, one := range series {
		p.Targets = append(p.Targets, Target{Expr: s.Metric(one[0]).Expr().Sum(), Legend: one[1]})
	}
	return p
}

func (s Scope) flameGraphs() Link { return s.dashboard(dashboardRuntime, "Flame graphs") }

func (s Scope) schedulerRow() Row {
	latency := s.quantiles("Scheduler latency", goSchedLatencies, "goroutines wait for CPU").
		Describe("Time that runnable goroutines wait for CPU; the dashed line is at 1 ms.",
			"If p99 is above 1 ms, add CPU or instances.")
	goroutines := s.gauges("Goroutines by state", Count,
		[2]string{goGoroutinesRunning, "running"}, [2]string{goGoroutinesRunnable, "runnable"},
		[2]string{goGoroutinesWaiting, "waiting"}, [2]string{goGoroutinesOutside, "in system calls"}).
		Describe("Number of goroutines by state.",
			"If the waiting ones only rise, there is a leak: find it in the flame graph of goroutines.")
	goroutines.Stack = true
	cpu := Panel{
		Title: "CPU cores", Kind: TimeSeries, Unit: Count, LegendTable: true,
		Targets: []Target{
			{Expr: s.Metric(processCPU).Rate().Max(), Legend: "busiest instance"},
			{Expr: s.Metric(goMaxProcs).Expr().Max(), Legend: "GOMAXPROCS", Limit: true},
		},
	}.Describe("CPU cores that the busiest instance uses, and GOMAXPROCS, the maximum that Go uses.",
		"Near the limit, requests are slow: find the cause in the flame graph of CPU time, or add CPU.").LinkTo(s.flameGraphs())
	mutex := Panel{
		Title: "Mutex wait time", Kind: TimeSeries, Unit: Seconds,
		Targets: []Target{{Expr: s.Metric(goMutexWait).Rate().Sum(), Legend: "wait time per second"}},
	}.Describe("Time that goroutines wait for mutexes, per second; 1 s is one goroutine that always waits.",
		"If it rises, find the mutex in the flame graph of mutex contention.").LinkTo(s.flameGraphs())
	return Row{Title: "CPU and scheduler", Panels: []Panel{latency, goroutines, cpu, mutex}}
}

// quantiles draws p50 and p99 of a histogram of the Go collector, which is empty until something happens.
func (s Scope) quantiles(title, metric, until string) Panel {
	const long = 0.001
	return Panel{Title: title, Kind: TimeSeries, Unit: Seconds, EmptyUntil: until, Thresholds: []Threshold{{long, Warning}}, Line: true, SoftMax: long, LegendTable: true, Targets: []Target{
		{Expr: s.classic(metric).Quantile(0.5), Legend: "p50"}, {Expr: s.classic(metric).Quantile(0.99), Legend: "p99"},
	}}
}

func (s Scope) memoryRow() Row {
	heap := s.gauges("Heap", Bytes, [2]string{goHeapLive, "live after GC"}, [2]string{goHeapGoal, "goal"}).
		Describe("Heap that survived the last garbage collection, and the size that starts the next one.",
			"If the live heap only rises, there is a leak or an unbounded cache: find it in the flame graph of memory in use.").LinkTo(s.flameGraphs())
	resident := Panel{
		Title: "Resident memory", Kind: TimeSeries, Unit: Bytes,
		Targets: []Target{
			{Expr: s.Metric(processRSS).Expr().Sum(), Legend: "resident"},
			{Expr: s.Metric(goMemTotal).Expr().Sum() + " - " + s.Metric(goMemReleased).Expr().Sum(), Legend: "Go"},
		},
	}.Describe("Resident memory of all processes, and the memory of the Go runtime.",
		"If resident memory nears the limit of the container, the kernel kills the process: compare with the memory utilization on the resources dashboard.")
	allocated := s.Rate("Allocation rate", s.Metric(goHeapAllocs), BytesPerSecond).
		Describe("Bytes allocated per second.",
			"If it rises without more requests, find the change in the flame graph of allocations.").LinkTo(s.flameGraphs())
	allocated.Targets[0].Legend = "allocated"
	return Row{Title: "Memory", Collapsed: true, Panels: []Panel{heap, resident, allocated}}
}

func (s Scope) garbageRow() Row {
	total := s.Metric(goCPUTotal).Rate().Sum()
	cpu := Panel{
		Title: "GC CPU utilization", Kind: TimeSeries, Unit: Ratio, SoftMax: 0.5, Line: true, Thresholds: []Threshold{{0.25, Warning}, {0.5, Failing}},
		Targets: []Target{{Expr: s.Metric(goCPUGC).Rate().Sum().Over(total), Legend: "garbage collection"}},
	}.Describe("Ratio of the available CPU time that garbage collection uses.",
		"If it stays above 25 %, lower the allocation rate or raise GOMEMLIMIT.").LinkTo(s.flameGraphs())
	pauses := s.quantiles("GC pauses", goPausesGC, "the first garbage collection").
		Describe("Time that garbage collection stops all goroutines; the dashed line is at 1 ms.",
			"If p99 is above 1 ms, check the scheduler latency and the number of goroutines.")
	cycles := s.Rate("GC cycles", s.Metric(goGCCycles), PerSecond).
		Describe("Garbage collections per second.", "If an instance has many per second, its heap goal is small: raise GOGC or GOMEMLIMIT.")
	cycles.Targets[0].Legend = "cycles"
	objects := s.Rate("Object allocation rate", s.Metric(goHeapAllocObjects), PerSecond).
		Describe("Objects allocated per second.",
			"Many small objects cost more than a few large ones: find them in the flame graph of allocations.").LinkTo(s.flameGraphs())
	objects.Targets[0].Legend = "objects"
	return Row{Title: "Garbage collection", Collapsed: true, Panels: []Panel{cpu, pauses, cycles, objects}}
}

func (s Scope) limitsRow() Row {
	threads := s.gauges("Threads", Count, [2]string{goThreads, "threads"}).
		Describe("Operating system threads.",
			"Far more threads than CPU cores: goroutines block in system calls or C. Suspect file access and DNS.")
	network := Panel{
		Title: "Network traffic", Kind: TimeSeries, Unit: BytesPerSecond,
		Targets: []Target{
			{Expr: s.Metric(processReceived).Rate().Sum(), Legend: "received"}, {Expr: s.Metric(processSent).Rate().Sum(), Legend: "sent"},
		},
	}.Describe("Bytes per second received and sent in the network namespace of the instances.",
		"If sent bytes rise without more requests, responses became larger.").LinkTo(s.OverviewLink())
	uptime := Panel{
		Title: "Time since last start", Kind: Stat, Unit: Seconds,
		Targets: []Target{{Expr: "time() - " + s.Metric(processStart).Expr().Max(), Legend: "uptime"}},
	}.Describe("Time since an instance last started.",
		"If it is low without a deployment, instances crash or are killed: check the last state of the pods.")
	return Row{Title: "Process", Collapsed: true, Panels: []Panel{threads, network, uptime}}
}

// profileRange is the time range of profiles of a gauge: that of one upload of each instance, since Grafana
// adds up all that are within the time range.
const profileRange = "15s"

func (s Scope) flameRow() Row {
	panel := func(title, kind string, unit Unit, shows, action string) Panel {
		selector := Selector{}.With(Is(semconv.LabelServiceName, s.spec.Service), Is(semconv.LabelEnvironment, "$"+varEnvironment))
		p := Panel{
			Title: title, Kind: FlameGraph, Unit: unit, EmptyUntil: untilProfiles,
			Targets: []Target{{Source: Pyroscope, Expr: selector.Expr(), ProfileType: kind}},
		}.Describe(shows, action)
		if kind == profileInuse || kind == profileGoroutines {
			p.Range = profileRange
		}
		return p
	}
	return Row{Title: "Flame graphs", Collapsed: true, PerLine: 2, Panels: []Panel{
		panel("CPU time", profileCPU, Count, "CPU time by function, of all instances.", "Compare with the time before the incident: a frame that became wide is the cause."),
		panel("Memory in use", profileInuse, Bytes, "Live heap by allocating function, in the newest profile of each instance. In an absolute time range, profiles are added up.", "A frame that grows over hours is a leak."),
		panel("Allocations", profileAlloc, Bytes, "Allocated bytes by function, of all instances.", "Reuse or avoid what the widest frames allocate."),
		panel("Mutex contention", profileMutex, Count, "Time spent waiting for mutexes, by function, of all instances.", "One wide frame is one contended mutex."),
		panel("Goroutines by stack", profileGoroutines, Count, "Number of goroutines by stack, in the newest profile of each instance. In an absolute time range, profiles are added up.", "Thousands on one stack are a leak or a queue."),
	}}
}
