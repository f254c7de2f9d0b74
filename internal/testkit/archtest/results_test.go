package archtest

import (
	"math"
	"regexp"
	"strconv"
	"testing"

	"github.com/observability-first/scaffold/internal/testkit/golden"
)

const results = "../../../test/bench/RESULTS.md"

// overBareChi is a row of RESULTS.md: the overhead of a stack over bare chi.
type overBareChi struct{ allocations, bytes, instructions, times float64 }

// measuredOf reads the row of a stack at a sampling rate.
func measuredOf(t *testing.T, stack, sampled string) overBareChi {
	t.Helper()
	const cell, plus = `[^|]*\|`, ` \+([\d.]+) \|`
	row := regexp.MustCompile(`\| ` + regexp.QuoteMeta(stack) + ` \| ` + regexp.QuoteMeta(sampled) + ` \|` + cell + cell + cell + plus + plus + plus + ` ([\d.]+) \|`).
		FindStringSubmatch(readText(t, results))
	if row == nil {
		t.Fatalf("%s has no row of %s at %s", results, stack, sampled)
	}
	var values [4]float64
	for i := range values {
		var err error
		if values[i], err = strconv.ParseFloat(row[i+1], 64); err != nil {
			t.Fatal(err)
		}
	}
	return overBareChi{values[0], values[1], values[2], values[3]}
}

// The costs of a request in documents are those of the last measurement.
func TestFiguresInDocumentsAreMeasured(t *testing.T) {
	t.Parallel()
	const usual = "chi + otelhttp + promhttp + slog + recover"
	for _, tc := range []struct{ sampled, row string }{
		{"1 %", `\| 1 % sampling, over bare chi \|[^|]*\| `}, {"100 %", `\| 100 % sampling, real SDK spans \|[^|]*\| `},
	} {
		ours := measuredOf(t, "chi + runtime/httpserver", tc.sampled)
		theirs := measuredOf(t, usual, tc.sampled)
		golden.Figure(t, benchmarks, tc.row+`\+(\d+),`, math.Trunc(ours.allocations), 0) // hundredths are other goroutines
		golden.Figure(t, benchmarks, tc.row+`\+\d+, \+([\d,]+) B`, ours.bytes, 0)
		golden.Figure(t, benchmarks, tc.row+`[^\n]*\n\| the same: instructions \|[^|]*\| \+([\d.]+)k`, ours.instructions/1000, 0)
		golden.Figure(t, benchmarks, tc.row+`[^\n]*\n\| the same: instructions \|[^|]*\| \+[\d.]+k, ([\d.]+)x`, theirs.times, 0)
	}
	all := measuredOf(t, "chi + runtime/httpserver, ACCESS_LOG=all", "1 %")
	golden.Figure(t, benchmarks, `with `+"`ACCESS_LOG=all`"+`\*\*: \+([\d.]+)k`, all.instructions/1000, 0)

	ours, theirs := measuredOf(t, "chi + runtime/httpserver", "1 %"), measuredOf(t, usual, "1 %")
	golden.Figure(t, "../../../README.md", `adds one allocation and about ([\d,]+) instructions`, ours.instructions, 0.05)
	golden.Figure(t, "../../../README.md", `1/(\d+) of what otelhttp`, theirs.times, 0)
	ratio := regexp.MustCompile(`needs ([\d.]+) times the CPU time`).FindStringSubmatch(readText(t, results))
	if ratio == nil {
		t.Fatalf("%s does not compare a service with bare chi over loopback", results)
	}
	times, err := strconv.ParseFloat(ratio[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	golden.Figure(t, benchmarks, `over loopback[^|]*\|[^|]*\| ([\d.]+) times`, times, 0)
}
