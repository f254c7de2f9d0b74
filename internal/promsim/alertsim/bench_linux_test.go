//go:build !race

package alertsim_test

import (
	"syscall"
	"testing"

	"github.com/observability-first/scaffold/internal/promsim/alertsim"
)

// BenchmarkSimulation simulates one objective at its declared scrape interval: five incidents, low traffic
// and a healthy week. The limit is 2 CPU seconds (docs/benchmarks.md).
func BenchmarkSimulation(b *testing.B) {
	one := load(b, compileOne(b))
	for _, part := range []struct {
		name string
		run  func(alertsim.Simulation) error
	}{
		{"incidents-traffic-week", func(d alertsim.Simulation) error { _, err := d.Core(b.Context()); return err }},
		{"everything", func(d alertsim.Simulation) error { _, err := d.Run(b.Context()); return err }},
	} {
		b.Run(part.name, func(b *testing.B) {
			before := cpuSeconds(b)
			for b.Loop() {
				if err := part.run(one); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((cpuSeconds(b)-before)/float64(b.N), "cpu-s/op")
		})
	}
}

// cpuSeconds returns the CPU time that this process has used.
func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(u.Utime) + seconds(u.Stime)
}
