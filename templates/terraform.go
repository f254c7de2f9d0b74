package templates

import (
	"math"
	"strconv"
	"time"

	"github.com/observability-first/scaffold/slo"
)

// promise is an objective as the Terraform module reads it.
type promise struct {
	Objective, Alert, Target, Total, Bad string
	Days, MinBad                         int
}

// Objectives returns the objectives whose alerts need no recorded series.
func (v view) Objectives() ([]promise, error) {
	rules, err := slo.Compile(v.SLO())
	if err != nil {
		return nil, err
	}
	var all []promise
	for _, c := range rules.Counts() {
		first := c.Burns[0]
		all = append(all, promise{
			Objective: c.Objective, Alert: first.Name, Target: c.Target.String(),
			Total: c.Total, Bad: c.Bad, Days: int(c.Window.Duration() / (24 * time.Hour)), MinBad: first.Burn.MinBadEvents,
		})
	}
	return all, nil
}

// threshold is the ratio of bad events above which an alert fires. Alert is its key in the
// module: the name and the long window.
type threshold struct{ Alert, Threshold string }

// BurnThresholds returns the thresholds of the rules; the module must compute the same.
func (v view) BurnThresholds() ([]threshold, error) {
	rules, err := slo.Compile(v.SLO())
	if err != nil {
		return nil, err
	}
	var all []threshold
	for _, c := range rules.Counts() {
		for _, b := range c.Burns {
			ratio, _ := b.Burn.Threshold.Float64()
			all = append(all, threshold{b.Name + "-" + b.Burn.LongWindow(), strconv.FormatFloat(ratio, 'f', -1, 64)})
		}
	}
	return all, nil
}

// CPUMillis is the requested CPU in thousandths.
func (v view) CPUMillis() int { return int(math.Round(v.Deploy.Resources.Cores() * 1000)) }

// MemoryMiB is the memory limit in MiB.
func (v view) MemoryMiB() int { return v.Deploy.Resources.MiB() }
