package dashboards

import (
	"github.com/observability-first/scaffold/runtime/semconv"
)

// goRuntime answers whether the process itself is what makes requests wait.
func goRuntime(s Scope) Dashboard {
	return New(s, dashboardRuntime, "Go runtime",
		"Whether the Go processes refuse requests, wait for processors, collect garbage, contend for locks or run out of something, down to the line of code.",
		s.overloadRow(), s.schedulerRow(), s.memoryRow(), s.garbageRow(), s.limitsRow(), s.selfRow(), s.flameRow())
}

// gauge draws gauges of each instance with their names.
func (s Scope) gauges(title string, unit Unit, series ...[2]string) Panel {
	p := Panel{Title: title, Kind: TimeSeries, Unit: unit}
	for _, one := range series {
		p.Targets = append(p.Targets, Target{Expr: s.Metric(one[0]).Expr().Sum(), Legend: one[1]})
	}
	return p
}

// profile links a panel to the flame graphs at the end of the dashboard.
func (s Scope) profile() Link { return s.dashboard(dashboardRuntime, "Flame graphs at this time") }

func (s Scope) schedulerRow() Row {
	latency := s.quantiles("Scheduler latency", goSchedLatencies).
		says("How long goroutines that could run wait for a processor.", "p99 above a millisecond: there is more to run than there are processors, and every request pays for it.",
			"The processor panel beside it; at its limit, add processors or replicas, else look for a burst of goroutines.")
	goroutines := s.gauges("Goroutines", Count,
		[2]string{goGoroutinesRunning, "running"}, [2]string{goGoroutinesRunnable, "runnable"},
		[2]string{goGoroutinesWaiting, "waiting"}, [2]string{goGoroutinesOutside, "in system calls"}).
		says("Goroutines by what they do.", "Waiting ones that only ever rise are leaked; runnable ones wait for a processor.",
			"The flame graph of goroutines at the end says where they wait.")
	goroutines.Stack = true
	cpu := Panel{
		Title: "Processors", Kind: TimeSeries, Unit: Count,
		Targets: []Target{
			{Expr: s.Metric(processCPU).Rate().Sum(), Legend: "used"},
			{Expr: s.Metric(goMaxProcs).Expr().Sum(), Legend: "GOMAXPROCS"},
		}, limit: []string{refID(1)},
	}.says("Processors in use, and how many Go may use. Go follows the container's limit.", "Use near the limit means throttling and scheduler latency.",
		"The flame graph of processor time at the end says what uses it.").leads(s.profile())
	mutex := Panel{
		Title: "Waiting for locks", Kind: TimeSeries, Unit: Seconds,
		Targets: []Target{{Expr: s.Metric(goMutexWait).Rate().Sum(), Legend: "waited per second"}},
	}.says("Time that goroutines spent blocked on locks, per second.", "1 is one goroutine that always waits; more than the requests in flight explain is contention.",
		"The flame graph of locks at the end names them.").leads(s.profile())
	return Row{Title: "Scheduler", Panels: []Panel{latency, goroutines, cpu, mutex}}
}

// quantiles draws p50 and p99 of a histogram of the Go collector.
func (s Scope) quantiles(title, metric string) Panel {
	return Panel{Title: title, Kind: TimeSeries, Unit: Seconds, EmptyUntil: untilNativeGC, Targets: []Target{
		{Expr: s.classic(metric).Quantile(0.5), Legend: "p50"}, {Expr: s.classic(metric).Quantile(0.99), Legend: "p99"},
	}}
}

func (s Scope) memoryRow() Row {
	heap := s.gauges("Heap", Bytes, [2]string{goHeapLive, "live after collection"}, [2]string{goHeapGoal, "goal"}).
		says("What survived the last collection, and the size at which the next one begins.", "Live memory that rises from collection to collection is a leak or a cache without a bound.",
			"The flame graph of memory in use at the end says who holds it.").leads(s.profile())
	resident := Panel{
		Title: "Memory against its limit", Kind: TimeSeries, Unit: Bytes,
		Targets: []Target{
			{Expr: s.Metric(processRSS).Expr().Sum(), Legend: "resident"},
			{Expr: s.Metric(goMemTotal).Expr().Sum() + " - " + s.Metric(goMemReleased).Expr().Sum(), Legend: "held by Go"},
		},
	}.says("Memory of the processes as the system counts it, and the part that Go holds.", "Resident far above what Go holds is memory outside of Go; both near the container's limit end in a kill.",
		"Compare with GOMEMLIMIT beside it.")
	share := Panel{
		Title: "Share of GOMEMLIMIT", Kind: TimeSeries, Unit: Share, EmptyUntil: untilLimit, Line: true,
		Thresholds: []Threshold{{0.8, Warning}, {0.95, Failing}},
		Targets: []Target{{
			Expr:   s.held() + " / " + s.memoryLimit(),
			Legend: Legend(semconv.LabelInstance),
		}},
	}.says("Memory held by Go as a share of GOMEMLIMIT, which bounds it softly.", "Near 1 the collector runs without pause to stay below it, and requests pay with processor time.",
		"Look at the collector's share of the processor below; raise the limit or find what holds memory.")
	allocated := s.Rate("Allocation", s.Metric(goHeapAllocs), BytesPerSecond).
		says("Memory that is allocated per second.", "What is allocated has to be collected: a rise without more requests is a change in code.",
			"The flame graph of allocations at the end says who allocates.").leads(s.profile())
	allocated.Targets[0].Legend = "allocated"
	return Row{Title: "Memory", Panels: []Panel{heap, resident, share, allocated}}
}

func (s Scope) garbageRow() Row {
	total := s.Metric(goCPUTotal).Rate().Sum()
	cpu := Panel{
		Title: "Collector's share of the processor", Kind: TimeSeries, Unit: Share, Line: true, Thresholds: []Threshold{{0.25, Warning}, {0.5, Failing}},
		Targets: []Target{{Expr: s.Metric(goCPUGC).Rate().Sum().Over(total), Legend: "garbage collection"}},
	}.says("The share of the available processor time that collecting garbage takes.", "A quarter is what the collector aims at while it runs; steadily above it allocation is too fast or the limit too tight.",
		"Allocation and the share of GOMEMLIMIT above.").leads(s.profile())
	pauses := s.quantiles("Pauses of the world", goPausesGC).
		says("How long all goroutines stand still for the collector.", "p99 above a millisecond is rare in Go and shows in every request's tail.",
			"Too few processors, or a very large number of goroutines: look at the scheduler.")
	cycles := s.Rate("Collections", s.Metric(goGCCycles), PerSecond).
		says("Garbage collections per second.", "Many per second per process mean a small heap goal: raise GOGC or GOMEMLIMIT.", "Heap goal above.")
	cycles.Targets[0].Legend = "cycles"
	objects := s.Rate("Objects allocated", s.Metric(goHeapAllocObjects), PerSecond).
		says("Objects that are allocated per second.", "Many small objects cost more than a few large ones of the same size.",
			"The flame graph of allocations at the end.").leads(s.profile())
	objects.Targets[0].Legend = "objects"
	return Row{Title: "Garbage collection", Panels: []Panel{cpu, pauses, cycles, objects}}
}

func (s Scope) limitsRow() Row {
	threads := s.gauges("Threads", Count, [2]string{goThreads, "threads"}).
		says("Threads of the operating system that Go owns.", "Far more than processors: goroutines block in system calls or C.",
			"Goroutines in system calls above; files and DNS are the usual suspects.")
	descriptors := Panel{
		Title: "File descriptors", Kind: TimeSeries, Unit: Share, Line: true, Thresholds: []Threshold{{0.7, Warning}, {0.9, Failing}},
		Targets: []Target{{Expr: s.Metric(processOpenFDs).Expr() + " / " + s.Metric(processMaxFDs).Expr(), Legend: Legend(semconv.LabelInstance)}},
	}.says("Open files and sockets as a share of the limit.", "At the limit new connections fail. A steady rise is a body or a file that nobody closes.",
		"Goroutines that rise alike name the leak.")
	network := Panel{
		Title: "Network", Kind: TimeSeries, Unit: BytesPerSecond,
		Targets: []Target{
			{Expr: s.Metric(processReceived).Rate().Sum(), Legend: "received"}, {Expr: s.Metric(processSent).Rate().Sum(), Legend: "sent"},
		},
	}.says("Bytes that the processes' network namespace receives and sends.", "Sent bytes that rise without more requests are larger answers.", "Compare with requests on the overview.").
		leads(s.dashboard(dashboardOverview, "Overview"))
	uptime := Panel{
		Title: "Uptime of the youngest process", Kind: Stat, Unit: Seconds,
		Targets: []Target{{Expr: "time() - " + s.Metric(processStart).Expr().Max(), Legend: "uptime"}},
	}.says("How long ago the last process started.", "Low values without a deploy are crashes or kills for memory.", "The last state of the pod or unit, and memory above.")
	return Row{Title: "Limits", Panels: []Panel{threads, descriptors, network, uptime}}
}

func (s Scope) flameRow() Row {
	const next = "Click a frame to focus on it; choose the minutes of the incident at the top, then those before it, and compare."
	panel := func(title, kind string, unit Unit, shows, bad string) Panel {
		selector := Selector{}.With(Is(semconv.LabelServiceName, s.spec.Service), Matches(semconv.LabelEnvironment, "$"+varEnvironment))
		return Panel{
			Title: title, Kind: FlameGraph, Unit: unit, EmptyUntil: untilProfiles,
			Targets: []Target{{Source: Pyroscope, Expr: selector.Expr(), ProfileType: kind}},
		}.says(shows, bad, next)
	}
	return Row{Title: "Flame graphs", PerLine: 2, Panels: []Panel{
		panel("Processor time", profileCPU, Count, "Where processor time goes.", "A wide frame that was narrow before the deploy is the change."),
		panel("Memory in use", profileInuse, Bytes, "Who holds memory that is alive.", "A frame that grows over hours is the leak."),
		panel("Allocations", profileAlloc, Bytes, "Who allocates.", "Wide frames make the collector work; pool or avoid what they allocate."),
		panel("Locks", profileMutex, Count, "Who waits for locks, by the time that was lost.", "One wide frame is one lock that everybody wants."),
		panel("Goroutines by stack", profileGoroutines, Count, "Where goroutines stand.", "Thousands on one stack are a leak or a queue."),
	}}
}
