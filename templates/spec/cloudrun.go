package spec

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/observability-first/scaffold/slo"
)

// cloudRunSize is a number of CPUs on Cloud Run, with the minimum and maximum memory in MiB.
type cloudRunSize struct{ cpu, least, most int }

// cloudRunSizes follow https://cloud.google.com/run/docs/configuring/services/cpu as read in
// November 2026. Less than one CPU allows only one concurrent request and no CPU between
// requests, when metrics are pushed. The second generation, a full Linux, starts at 512 MiB.
func cloudRunSizes() []cloudRunSize {
	return []cloudRunSize{{1, 512, 4 << 10}, {2, 512, 8 << 10}, {4, 2 << 10, 16 << 10}, {6, 4 << 10, 24 << 10}, {8, 4 << 10, 32 << 10}}
}

// OnCloudRun returns the smallest Cloud Run size for the resources: whole CPUs, and MiB of
// memory. It returns false if there is none.
func (r Resources) OnCloudRun() (cpus, mebibytes int, ok bool) {
	cpu, err := r.cpus()
	if err != nil {
		return 0, 0, false
	}
	memory := r.MiB()
	for _, size := range cloudRunSizes() {
		if float64(size.cpu) >= cpu && size.most >= memory {
			return size.cpu, max(size.least, memory), true
		}
	}
	return 0, 0, false
}

func (r Resources) cpus() (float64, error) {
	if milli, ok := strings.CutSuffix(r.CPU, "m"); ok {
		n, err := strconv.ParseFloat(milli, 64)
		return math.Ceil(n) / 1000, err
	}
	return strconv.ParseFloat(r.CPU, 64)
}

// cloudRun rejects what Cloud Run does not support: a second port, larger sizes, and more than
// a thousand concurrent requests per instance.
func (v *validator) cloudRun() {
	d := v.s.Deploy
	at := slices.Index(d.Platforms, PlatformCloudRun)
	if at < 0 {
		return
	}
	if v.s.Telemetry.Metrics != slo.MetricsPush {
		v.problemf("deploy.platforms["+strconv.Itoa(at)+"]", "Cloud Run opens one port, so Prometheus cannot scrape the service; add telemetry: {metrics: %s}", slo.MetricsPush)
	}
	if checkCPU(d.Resources.CPU) == nil && checkMemory(d.Resources.Memory) == nil {
		if _, _, ok := d.Resources.OnCloudRun(); !ok {
			v.problemf("deploy.resources", "cpu %s and memory %s exceed the limits of Cloud Run, 8 and 32Gi", d.Resources.CPU, d.Resources.Memory)
		}
	}
	if d.Autoscale.InFlight > 1000 {
		v.problemf("deploy.autoscale.inFlight", "%d exceeds the maximum concurrency of a Cloud Run instance; use 1000 or less", d.Autoscale.InFlight)
	}
}
