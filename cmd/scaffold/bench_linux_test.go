package main_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func median[T int64 | float64 | time.Duration](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

// BenchmarkNew makes a service with the real program on the real disk, which
// syncs each file. The bar is a median of 200 ms (docs/benchmarks.md).
func BenchmarkNew(b *testing.B) {
	bin := built(b)
	runtime, err := filepath.Abs(filepath.Join("..", "..", "runtime"))
	if err != nil {
		b.Fatal(err)
	}
	for _, components := range []string{"", "postgres"} {
		b.Run("with="+components, func(b *testing.B) {
			parent := b.TempDir()
			var took []time.Duration
			for b.Loop() {
				cmd := exec.CommandContext(b.Context(), bin, "new", "orders", "--dir", strconv.Itoa(len(took)), "--with", components, "--runtime", runtime)
				cmd.Dir, cmd.Env = parent, append(os.Environ(), "GOPROXY=off")
				start := time.Now()
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
				took = append(took, time.Since(start))
			}
			b.ReportMetric(float64(median(took))/float64(time.Millisecond), "median-ms")
		})
	}
}

// BenchmarkAdd adds a component with the real program, and reports CPU times: of scaffold alone, which is that of a dry run,
// and with the run of the service that prints its declarations (docs/benchmarks.md).
func BenchmarkAdd(b *testing.B) {
	bin := built(b)
	runtime, err := filepath.Abs(filepath.Join("..", "..", "runtime"))
	if err != nil {
		b.Fatal(err)
	}
	dir := filepath.Join(b.TempDir(), "orders")
	cpu := func(args ...string) float64 {
		cmd := exec.CommandContext(b.Context(), bin, args...)
		cmd.Dir = filepath.Dir(dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		return float64(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()) / float64(time.Millisecond)
	}
	var created, planned, added []float64
	for b.Loop() {
		created = append(created, cpu("new", "orders", "--runtime", runtime))
		planned = append(planned, cpu("add", "postgres", "--dir", dir, "--dry-run"))
		added = append(added, cpu("add", "postgres", "--dir", dir))
		if err := os.RemoveAll(dir); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(median(created), "new-cpu-ms")
	b.ReportMetric(median(planned), "dry-run-cpu-ms")
	b.ReportMetric(median(added), "add-cpu-ms")
}

// objectives is a file of that many, each on a metric of its own, with every
// link set: nothing is shared and nothing left out.
func objectives(n int) []byte {
	var b strings.Builder
	b.WriteString("apiVersion: scaffold.slo/v1\nservice: shop\nowner: team-checkout\n" +
		"links: {grafana: 'https://grafana.acme.test', runbooks: 'https://runbooks.acme.test/shop'}\nslos:\n")
	for i := range n {
		fmt.Fprintf(&b, "- name: objective-%d\n  objective: 99.9\n  indicator:\n    ratio: {total: events_%d_total, bad: 'events_%d_total{code=~\"5..\"}'}\n", i, i, i)
	}
	return []byte(b.String())
}

// counted counts what is written to it.
type counted int

func (c *counted) Write(p []byte) (int, error) {
	*c += counted(len(p))
	return len(p), nil
}

// BenchmarkSLO compiles 1,000 objectives from a file to standard output with the
// real program. The bars are 1.2 CPU seconds, 80 MB and 12 kB for each
// (docs/benchmarks.md).
func BenchmarkSLO(b *testing.B) {
	const n = 1000
	bin := built(b)
	file := filepath.Join(b.TempDir(), "shop.slo.yaml")
	if err := os.WriteFile(file, objectives(n), 0o644); err != nil {
		b.Fatal(err)
	}
	var cpu, memory []float64
	var size counted
	for b.Loop() {
		size = 0
		cmd := exec.CommandContext(b.Context(), bin, "slo", file)
		cmd.Stdout, cmd.Stderr = &size, io.Discard
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		cpu = append(cpu, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
		memory = append(memory, float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)/1024)
	}
	b.ReportMetric(median(cpu), "cpu-s")
	b.ReportMetric(median(memory), "peak-MB")
	b.ReportMetric(float64(size)/n, "rule-bytes/slo")
}
