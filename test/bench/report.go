package main

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// row is one measurement.
type row struct {
	stack stack
	mode  mode
	cost  cost
}

// limit is the maximum cost of observing a request, over bare chi.
type limit struct {
	mode         mode
	allocs       float64
	bytes        float64
	instructions float64
	times        float64 // minimum factor of instructions that the usual stack adds in the same run
}

// limits returns the limit of each mode. That of an unsampled parent is close to that of
// 1 %, because most requests are not sampled in either mode.
func limits() []limit {
	return []limit{
		{onePercent, 1, 350, 9_000, 7},
		{everyRequest, 10, 4 << 10, 50_000, 2.8},
		{remoteUnsampled, 1, 350, 10_000, 7},
	}
}

func find(rows []row, name string, m mode) cost {
	i := slices.IndexFunc(rows, func(r row) bool { return r.stack.name == name && (r.mode == m || r.stack.plain) })
	if i < 0 {
		return cost{}
	}
	return rows[i].cost
}

func minus(a, b cost) cost {
	return cost{a.Allocs - b.Allocs, a.Bytes - b.Bytes, a.Instructions - b.Instructions}
}

// report returns the results as Markdown.
func report(rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What observing a request costs\n\nWritten by `make bench-peers` on %s with %s.\n\n", time.Now().UTC().Format(time.DateOnly), versions())
	b.WriteString("| stack | sampled | allocations | bytes | instructions | over bare chi: allocations | bytes | instructions | times ours |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		mode := string(r.mode)
		if r.stack.plain {
			mode = "-"
		}
		more := minus(r.cost, find(rows, bareChi, r.mode))
		mine := minus(find(rows, ours, r.mode), find(rows, bareChi, r.mode))
		times := "-"
		if !r.stack.plain && mine.Instructions > 0 {
			times = fmt.Sprintf("%.1f", more.Instructions/mine.Instructions)
		}
		fmt.Fprintf(&b, "| %s | %s | %.2f | %.0f | %.0f | %+.2f | %+.0f | %+.0f | %s |\n", r.stack.name, mode,
			r.cost.Allocs, r.cost.Bytes, r.cost.Instructions, more.Allocs, more.Bytes, more.Instructions, times)
	}
	b.WriteString("\nOne in-process request: GET /users/42, one parameter, three JSON fields, GOMAXPROCS=1. Instructions are those of the\n" +
		"whole process, counted with cachegrind as the difference of two runs. They exclude garbage collection, whose cost is\n" +
		"proportional to the bytes. Allocations are exactly reproducible, instructions within a few percent.\n")
	return b.String()
}

// String returns the section of the report.
func (l loopback) String() string {
	return fmt.Sprintf("## Over loopback\n\nexamples/minimal, with its default configuration and the memory limit of its manifest, needs %.2f times the CPU time\n"+
		"of bare chi for a GET of one item: %s and %s, medians of %d rounds of %d requests over %d connections. Rounds alternate\n"+
		"between the two; the ratio is the median of the ratios of consecutive rounds. CPU time is that of the Linux scheduler.\n",
		l.Ratio, l.Ours.Round(100*time.Nanosecond), l.Bare.Round(100*time.Nanosecond), rounds, connections*perConnection, connections)
}

// maxRatio is the maximum ratio of the CPU time of a service to that of bare chi. The goal
// is 1.25.
const maxRatio = 1.35

func (l loopback) check() error {
	if l.Ratio > maxRatio {
		return fmt.Errorf("over loopback: %.2f times the CPU time of bare chi, want at most %.2f", l.Ratio, maxRatio)
	}
	return nil
}

// versions returns the versions of Go and of the compared modules.
func versions() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "an unknown build"
	}
	list := []string{info.GoVersion}
	for _, m := range info.Deps {
		switch m.Path {
		case "github.com/go-chi/chi/v5", "go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp",
			"github.com/riandyrn/otelchi", "github.com/prometheus/client_golang", "github.com/zeromicro/go-zero", "github.com/go-kratos/kratos/v2":
			list = append(list, m.Path+" "+m.Version)
		}
	}
	return strings.Join(list, ", ")
}

// check returns an error for each exceeded limit. Limits of instructions apply only if
// they were counted.
func check(rows []row) error {
	var missed []error
	for _, b := range limits() {
		base := find(rows, bareChi, b.mode)
		mine, theirs := minus(find(rows, ours, b.mode), base), minus(find(rows, usual, b.mode), base)
		// The tolerance of 0.5 covers the sampled 1 % and background goroutines.
		if mine.Allocs > b.allocs+0.5 || mine.Bytes > b.bytes {
			missed = append(missed, fmt.Errorf("%s: %+.2f allocations and %+.0f bytes over bare chi, want at most %+.0f and %+.0f", b.mode, mine.Allocs, mine.Bytes, b.allocs, b.bytes))
		}
		if base.Instructions == 0 {
			continue
		}
		if mine.Instructions > b.instructions {
			missed = append(missed, fmt.Errorf("%s: %+.0f instructions over bare chi, want at most %+.0f", b.mode, mine.Instructions, b.instructions))
		}
		if theirs.Instructions < b.times*mine.Instructions {
			missed = append(missed, fmt.Errorf("%s: the usual stack adds %.1f times as many instructions, want at least %.1f", b.mode, theirs.Instructions/mine.Instructions, b.times))
		}
	}
	return errors.Join(missed...)
}
