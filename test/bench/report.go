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

// bar is what observing may cost over bare chi, and how many times as much the
// usual stack must add in the same run.
type bar struct {
	mode         mode
	allocs       float64
	bytes        float64
	instructions float64
	times        float64
}

// The bars of the project's design. A request that a trusted caller did not
// sample is held to those of one that the ratio did not.
func bars() []bar {
	return []bar{
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

// report is the table, as Markdown.
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
	b.WriteString("\nOne request in process: GET /users/42, one parameter, three fields of JSON, GOMAXPROCS=1. Instructions are those of the\n" +
		"whole process by cachegrind, as the difference of two runs, without collecting garbage, whose cost follows the bytes.\n" +
		"Allocations repeat exactly, and instructions to a few percent.\n")
	return b.String()
}

// String is a paragraph of the report.
func (l loopback) String() string {
	return fmt.Sprintf("## Over loopback\n\nexamples/minimal, with its default configuration and the memory limit of its manifest, needs %.2f times the processor time\n"+
		"of bare chi for a GET of one item: %s and %s, medians of %d rounds of %d requests over %d connections, which alternate\n"+
		"between the two; the ratio is the median of the ratios of the pairs. It counts what the scheduler gave each process.\n",
		l.Ratio, l.Ours.Round(100*time.Nanosecond), l.Bare.Round(100*time.Nanosecond), rounds, connections*perConnection, connections)
}

// maxRatio is how many times as much processor time a service may need as bare chi. The goal
// is 1.25; this is what it may not grow to.
const maxRatio = 1.35

func (l loopback) check() error {
	if l.Ratio > maxRatio {
		return fmt.Errorf("over loopback: %.2f times the processor time of bare chi, want at most %.2f", l.Ratio, maxRatio)
	}
	return nil
}

// versions names Go and the peers, as they were linked.
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

// check says which bars were missed. Instructions are held where they were
// counted.
func check(rows []row) error {
	var missed []error
	for _, b := range bars() {
		base := find(rows, bareChi, b.mode)
		mine, theirs := minus(find(rows, ours, b.mode), base), minus(find(rows, usual, b.mode), base)
		// Hundredths of an allocation are the spans of 1 % and what runs beside.
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
