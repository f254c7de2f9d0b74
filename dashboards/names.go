package dashboards

import "github.com/observability-first/scaffold/runtime/semconv"

// Metrics of the Go and process collectors of client_golang. Go names follow
// runtime/metrics: path, then unit.
const (
	goGoroutinesRunnable = "go_sched_goroutines_runnable_goroutines"
	goGoroutinesRunning  = "go_sched_goroutines_running_goroutines"
	goGoroutinesWaiting  = "go_sched_goroutines_waiting_goroutines"
	goGoroutinesOutside  = "go_sched_goroutines_not_in_go_goroutines"
	goGoroutinesCreated  = "go_sched_goroutines_created_goroutines_total"
	goSchedLatencies     = "go_sched_latencies_seconds"
	goPausesGC           = "go_sched_pauses_total_gc_seconds"
	goPausesOther        = "go_sched_pauses_total_other_seconds"
	goCPUGC              = "go_cpu_classes_gc_total_cpu_seconds_total"
	goCPUUser            = "go_cpu_classes_user_cpu_seconds_total"
	goCPUIdle            = "go_cpu_classes_idle_cpu_seconds_total"
	goCPUScavenge        = "go_cpu_classes_scavenge_total_cpu_seconds_total"
	goCPUTotal           = "go_cpu_classes_total_cpu_seconds_total"
	goHeapLive           = "go_gc_heap_live_bytes"
	goHeapGoal           = "go_gc_heap_goal_bytes"
	goHeapAllocs         = "go_gc_heap_allocs_bytes_total"
	goHeapAllocObjects   = "go_gc_heap_allocs_objects_total"
	goMemLimit           = semconv.GoMemoryLimit
	goMemTotal           = semconv.GoMemoryTotal
	goMemReleased        = semconv.GoMemoryReleased
	goGCCycles           = "go_gc_cycles_total_gc_cycles_total"
	goGCLimiterCycle     = "go_gc_limiter_last_enabled_gc_cycle"
	goMaxProcs           = semconv.GoMaxProcs
	goThreads            = "go_sched_threads_total_threads"
	goMutexWait          = "go_sync_mutex_wait_total_seconds_total"

	processCPU      = semconv.ProcessCPU
	processRSS      = "process_resident_memory_bytes"
	processOpenFDs  = "process_open_fds"
	processMaxFDs   = "process_max_fds"
	processStart    = semconv.ProcessStartTime
	processReceived = "process_network_receive_bytes_total"
	processSent     = "process_network_transmit_bytes_total"
)

// Metrics of cAdvisor and kube-state-metrics, which a cluster may have.
const (
	containerThrottled = "container_cpu_cfs_throttled_periods_total"
	containerPeriods   = "container_cpu_cfs_periods_total"
	kubeRestarts       = "kube_pod_container_status_restarts_total"
)

// The series that Prometheus writes for pending and firing alerts.
const (
	metricAlerts    = "ALERTS"
	labelAlertState = "alertstate"
)

// noLimit is below 2^63-1, the value without a GOMEMLIMIT, which would flatten the
// other lines of a graph.
const noLimit = "2^62"

// Profile types of the Go client of Pyroscope.
const (
	profileCPU        = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
	profileInuse      = "memory:inuse_space:bytes:space:bytes"
	profileAlloc      = "memory:alloc_space:bytes:space:bytes"
	profileMutex      = "mutex:delay:nanoseconds:contentions:count"
	profileGoroutines = "goroutines:goroutine:count:goroutine:count"
)
