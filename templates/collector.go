package templates

import (
	"math"
	"strconv"
	"time"

	"github.com/observability-first/scaffold/templates/spec"
)

// ScrapedByCollector says whether the collector scrapes the service: it finds
// pods, so that there have to be some.
func (v view) ScrapedByCollector() bool {
	return v.Deploy.RunsOn(spec.PlatformKubernetes) && !v.PushesMetrics()
}

// slowTrace is when the collector keeps a trace for its duration.
type slowTrace struct {
	Objective string // the strictest threshold of the spec
	Above     int    // milliseconds
}

// SlowTrace is nil without an objective on latency. The collector cuts a duration
// down to whole milliseconds and keeps what is then above the number: with 200 it
// would lose 200.9 ms.
func (v view) SlowTrace() *slowTrace {
	thresholds := v.thresholds()
	if len(thresholds) == 0 {
		return nil
	}
	strictest := time.Duration(math.Round(thresholds[0] * float64(time.Second)))
	return &slowTrace{Objective: strictest.String(), Above: max(0, int(strictest.Milliseconds())-1)}
}

// TracePercent is the ratio in percent, without what binary fractions add to it:
// 0.07 times 100 is not 7.
func (v view) TracePercent() string {
	const digits = 12 // more than the collector tells apart
	percent, err := strconv.ParseFloat(strconv.FormatFloat(v.Telemetry.TraceRatio*100, 'g', digits, 64), 64)
	if err != nil { // it was formatted one line above
		percent = v.Telemetry.TraceRatio * 100
	}
	return strconv.FormatFloat(percent, 'f', -1, 64)
}
