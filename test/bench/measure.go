package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Numbers of requests. The warm-up fills pools, maps and the queues of log lines and
// spans, which grow to megabytes. The runs under cachegrind differ by enough requests
// that 1 % of them are dozens; more would take too long, because valgrind is about 50
// times slower.
const (
	warmUp    = 20_000
	measured  = 20_000
	fewInstr  = 1_000
	manyInstr = 9_000
)

// cost is the cost of one request.
type cost struct {
	Allocs       float64 `json:"allocs"`
	Bytes        float64 `json:"bytes"`
	Instructions float64 `json:"-"` // 0 if not counted
}

// noExporter counts spans and drops them.
type noExporter struct{ spans atomic.Int64 }

// ExportSpans implements [sdktrace.SpanExporter].
func (e *noExporter) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	e.spans.Add(int64(len(spans)))
	return nil
}

// Shutdown implements [sdktrace.SpanExporter].
func (*noExporter) Shutdown(context.Context) error { return nil }

// serve serves n requests sequentially.
func serve(h http.Handler, m mode, n int) error {
	r, w := newRequest(m), newSink()
	for range n {
		w.reset()
		h.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			return fmt.Errorf("the stack responded with status %d, want 200", w.status)
		}
	}
	return nil
}

// allocations runs in a separate process; see measure.
func allocations(s stack, m mode) (cost, error) {
	h, err := s.build(m, &noExporter{})
	if err != nil {
		return cost{}, err
	}
	if err := serve(h, m, warmUp); err != nil {
		return cost{}, err
	}
	var before, after goruntime.MemStats
	goruntime.ReadMemStats(&before)
	if err := serve(h, m, measured); err != nil {
		return cost{}, err
	}
	goruntime.ReadMemStats(&after)
	return cost{
		Allocs: float64(after.Mallocs-before.Mallocs) / measured,
		Bytes:  float64(after.TotalAlloc-before.TotalAlloc) / measured,
	}, nil
}

// measure starts this program once to count allocations and twice to count instructions.
func measure(ctx context.Context, s stack, m mode, valgrind string) (cost, error) {
	var c cost
	out, err := child(ctx, nil, s, m, 0)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(out, &c); err != nil {
		return c, fmt.Errorf("decode the output %q of the child process: %w", out, err)
	}
	if valgrind == "" {
		return c, nil
	}
	few, err := instructions(ctx, valgrind, s, m, fewInstr)
	if err != nil {
		return c, err
	}
	many, err := instructions(ctx, valgrind, s, m, manyInstr)
	if err != nil {
		return c, err
	}
	c.Instructions = float64(many-few) / (manyInstr - fewInstr)
	return c, nil
}

var totalInstructions = regexp.MustCompile(`I\s+refs:\s+([0-9,]+)`)

func instructions(ctx context.Context, valgrind string, s stack, m mode, n int) (int64, error) {
	out, err := child(ctx, append([]string{valgrind}, cachegrind()...), s, m, n)
	if err != nil {
		return 0, err
	}
	return total(out)
}

func cachegrind() []string {
	return []string{"--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"}
}

// total returns the instructions that cachegrind counted.
func total(out []byte) (int64, error) {
	found := totalInstructions.FindSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("no number of instructions in the output of cachegrind:\n%s", out)
	}
	return strconv.ParseInt(strings.ReplaceAll(string(found[1]), ",", ""), 10, 64)
}

// child runs one measurement in a separate process, started by the command wrapper if any.
func child(ctx context.Context, wrapper []string, s stack, m mode, n int) ([]byte, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := append(slices.Clone(wrapper), self, "-stack", s.name, "-mode", string(m), "-n", strconv.Itoa(n))
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	if n > 0 { // one more garbage collection would add a thousand instructions a request
		cmd.Env = append(cmd.Env, "GOGC=off")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s at %s: %w", s.name, m, err), errors.New(strings.TrimSpace(string(out))))
	}
	return out, nil
}
