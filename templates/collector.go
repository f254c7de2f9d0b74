package templates

import (
	"math"
	"strconv"
	"time"

	"github.com/observability-first/scaffold/templates/spec"
)

// ScrapedByCollector reports whether the collector scrapes the service. It discovers pods, so
// it needs Kubernetes.
func (v view) ScrapedByCollector() bool {
	return v.Deploy.RunsOn(spec.PlatformKubernetes) && !v.PushesMetrics()
}

// slowTrace is the duration from which the collector keeps a trace.
type slowTrace struct {
	Objective string // the strictest threshold in the spec
	Above     int    // milliseconds
}

// SlowTrace returns nil without a latency objective. The collector truncates durations to whole
// milliseconds and keeps those above the number: with 200 it would drop 200.9 ms.
func (v view) SlowTrace() *slowTrace {
	thresholds := v.thresholds()
	if len(thresholds) == 0 {
		return nil
	}
	strictest := time.Duration(math.Round(thresholds[0] * float64(time.Second)))
	return &slowTrace{Objective: strictest.String(), Above: max(0, int(strictest.Milliseconds())-1)}
}

// TracePercent returns the trace ratio in percent, without the error of binary fractions: 0.07
// times 100 is not 7.
func (v view) TracePercent() string {
	const digits = 12 // more than the precision of the collector
	percent, err := strconv.ParseFloat(strconv.FormatFloat(v.Telemetry.TraceRatio*100, 'g', digits, 64), 64)
	if err != nil { // unreachable: formatted one line above
		percent = v.Telemetry.TraceRatio * 100
	}
	return strconv.FormatFloat(percent, 'f', -1, 64)
}
