package dashboards

import (
	"github.com/observability-first/scaffold/runtime/semconv"
)

// Scaling is what an autoscaler aims at and how far it may go. What is zero is
// not drawn.
type Scaling struct {
	CPU      float64 // processors that one process uses on average
	InFlight float64 // requests that one process works on, on average
}

// saturation answers whether there is room for more traffic, and what runs out
// first.
func saturation(s Scope) Dashboard {
	return New(s, dashboardSaturation, "Saturation and autoscaling",
		"How full the processes are, what runs out first, and whether more of them can still be added.",
		s.roomRow(), s.autoscalerRow(), s.fullRow())
}

// share is a part of a whole that runs out.
type share struct {
	name, empty string // what it is, and until when there is none
	part, whole Expr   // of each process
}

// ofEach is the share of each process.
func (s share) ofEach() Expr {
	return "(" + s.part + ") / on (" + semconv.LabelInstance + ") (" + s.whole + ")"
}

// held is the memory that GOMEMLIMIT bounds.
func (s Scope) held() Expr {
	return "(" + s.Metric(goMemTotal).Expr() + " - " + s.Metric(goMemReleased).Expr() + ")"
}

// memoryLimit is GOMEMLIMIT where there is one.
func (s Scope) memoryLimit() Expr { return "(" + s.Metric(goMemLimit).Expr() + " < " + noLimit + ")" }

func (s Scope) shares() []share {
	shares := []share{
		{"processors", "", s.Metric(processCPU).Rate(), s.Metric(goMaxProcs).Expr()},
		{"memory", untilLimit, s.held(), s.memoryLimit()},
		{"requests", "", s.Metric(semconv.RuntimeOverloadInFlight).Expr(), s.Metric(semconv.RuntimeOverloadLimit).Expr()},
		// The maximum is 0 for a process that does not listen.
		{"HTTP connections", "", s.Metric(semconv.HTTPServerOpenConnections).Expr(), "(" + s.Metric(semconv.HTTPServerOpenConnectionsMax).Expr() + " > 0)"},
		{"file descriptors", "", s.Metric(processOpenFDs).Expr(), s.Metric(processMaxFDs).Expr()},
	}
	if s.in.HasPostgres {
		shares = append(shares, share{"database connections", "",
			s.Metric(semconv.DBClientConnectionCount, Is(semconv.LabelPoolState, semconv.ConnectionStateInUse)).Expr().Sum(semconv.LabelInstance),
			s.Metric(semconv.DBClientConnectionMax).Expr().Sum(semconv.LabelInstance)})
	}
	return shares
}

func (s Scope) roomRow() Row {
	first := Panel{Title: "What runs out first?", Kind: BarGauge, Unit: Share, Max: 1, Thresholds: []Threshold{{0.7, Warning}, {0.9, Failing}}}
	for _, one := range s.shares() {
		if one.empty == "" {
			first.Targets = append(first.Targets, Target{Expr: one.ofEach().Max(), Legend: one.name, Instant: true})
		}
	}
	first = first.says("The fullest process now: its share of each thing that can run out. Memory is below, where GOMEMLIMIT is set.",
		"What is nearest to 1 is what the next rise in traffic meets.",
		"Processors, requests and HTTP connections: more processes help. Database connections: they make it worse, unless the database has room.")
	refused := s.Rate("Refused for want of room", s.Metric(semconv.RuntimeOverloadShed), PerSecond, semconv.LabelReason).
		says("Requests refused to protect the others, by reason.", "Anything above zero is traffic that there was no room for. It spends the error budget, also where clients call it sheddable, but not where their timeout is shorter than the latency objective.",
			"At the largest number of processes: raise it. Below: the autoscaler is late, let it begin earlier.").
		leads(s.dashboard(dashboardOverview, "Overview at this time"))
	return Row{Title: "Is there room?", Height: 8, Panels: []Panel{first, refused.wide(2)}}
}

func (s Scope) autoscalerRow() Row {
	running := s.Metric(s.presence()).Expr()
	count := running.Sum()
	if s.presence() != semconv.Up {
		count = running.Count()
	}
	processes := Panel{Title: "Processes", Kind: TimeSeries, Unit: Count, Line: true, Targets: []Target{{Expr: count, Legend: "running"}}}
	if most := s.spec.Replicas.Max; most > 0 {
		processes.Thresholds = []Threshold{{float64(most), Failing}}
	}
	processes = processes.says("How many processes answer. The dashed line is where the autoscaler ends (deploy.replicas.max).",
		"At the line the next rise in traffic is not answered by more processes.", "See beside it what they are full of; raise the maximum if it is traffic.")
	inFlight := Panel{
		Title: "Requests in flight in one process", Kind: TimeSeries, Unit: Count, Line: true, Thresholds: target(s.in.Scaling.InFlight),
		Targets: []Target{{Expr: s.Metric(semconv.HTTPServerActiveRequests).Expr().Sum().Over(count), Legend: "mean"}},
	}.says("Requests that one process works on, on average. The dashed line is what the autoscaler aims at, if it asks for them.",
		"It rises before the processors do. More of them for the same traffic: something became slow, and more processes only feed it.",
		"Latency on the overview, then the dependencies.").leads(s.dashboard(dashboardOverview, "Overview at this time"))
	cpu := Panel{
		Title: "Processors used by one process", Kind: TimeSeries, Unit: Count, Line: true, Thresholds: target(s.in.Scaling.CPU),
		Targets: []Target{{Expr: s.Metric(processCPU).Rate().Sum().Over(count), Legend: "mean"}},
	}.says("Processors that one process uses, on average. The dashed line is what the autoscaler aims at.",
		"Above it processes are added, a tenth below it taken away. Long above it: the autoscaler is at its end, or does not work.",
		"Processes beside it; the flame graph of processor time on the runtime dashboard.").leads(s.profile())
	carried := Panel{
		Title: "Requests that one process carries", Kind: TimeSeries, Unit: RequestsPerSecond,
		Targets: []Target{{Expr: s.requests().Rate().Sum().Over(count), Legend: "mean"}},
	}.says("Requests a second that one process answers, on average: what a process is worth.",
		"Less of them at the same processor use is a version that costs more.", "The version on the overview; compare the flame graphs before and after.").
		leads(s.dashboard(dashboardOverview, "Versions on the overview"))
	return Row{Title: "Autoscaling", PerLine: 2, Panels: []Panel{processes, inFlight, cpu, carried}}
}

// target is the line that an autoscaler aims at.
func target(value float64) []Threshold {
	if value == 0 {
		return nil
	}
	return []Threshold{{value, Warning}}
}

// fullRow shows each share by process, so that one that is alone stands out.
func (s Scope) fullRow() Row {
	next := map[string][2]string{
		"processors": {"At 1 goroutines wait for a processor, and every request pays for it.", "Add processes; the flame graph of processor time says what uses it."},
		"memory":     {"Near 1 the collector runs without pause; a little more, and the kernel ends the process.", "Memory on the runtime dashboard: a level that rises is a leak."},
		"requests":   {"At 1 requests wait in line; what waits too long is refused.", "Something became slow, or there is more traffic than processes."},
		"HTTP connections": {"Above three quarters, connections that have sent no request are closed after HTTP_HEADER_TIMEOUT. At 1 new clients wait for a connection.",
			"Clients that open connections and send nothing, or too many clients: add processes, or raise HTTP_MAX_CONNECTIONS if there is memory."},
		"file descriptors":     {"At 1 new connections fail.", "A steady rise is a body or a file that nobody closes."},
		"database connections": {"At 1 the next request waits for a connection.", "The connection pool on the dependencies dashboard."},
	}
	row := Row{Title: "How full is each process?", PerLine: 2}
	for _, one := range s.shares() {
		row.Panels = append(row.Panels, Panel{
			Title: "Share of " + one.name, Kind: TimeSeries, Unit: Share, Line: true, EmptyUntil: one.empty,
			Thresholds: []Threshold{{0.7, Warning}, {0.9, Failing}},
			Targets: []Target{{
				Expr: one.ofEach(), Legend: Legend(semconv.LabelInstance),
			}},
		}.says("What each process uses of the "+one.name+" that it may.", next[one.name][0], next[one.name][1]))
	}
	return row
}
