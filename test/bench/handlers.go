package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// maxHandlerRatio is the maximum ratio of instructions of a generated handler to one by hand, for a
// request that succeeds.
const maxHandlerRatio = 1.25

// handlerRequests are the requests of testdata/handlers. The last one is rejected with 422.
func handlerRequests() []string { return []string{"get", "list", "create", "invalid"} }

// handlerRow is the instructions of one in-process request.
type handlerRow struct {
	Request           string
	Generated, ByHand float64
}

func (r handlerRow) ratio() float64 { return r.Generated / r.ByHand }

// buildHandlers builds testdata/handlers inside of examples/minimal, whose internal packages it imports. It
// returns the path of the program.
func buildHandlers(ctx context.Context, dir string) (string, error) {
	source, errSource := filepath.Abs(filepath.Join("testdata", "handlers", "main.go"))
	module, errModule := filepath.Abs(filepath.Join("..", "..", "examples", "minimal"))
	if err := errors.Join(errSource, errModule); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(module, "cmd", "handlers", "main.go"): source}})
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return "", err
	}
	program := filepath.Join(dir, "handlers")
	build := exec.CommandContext(ctx, "go", "build", "-overlay", list, "-o", program, "./cmd/handlers")
	build.Dir = module
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build testdata/handlers: %w\n%s", err, out)
	}
	return program, nil
}

// compareHandlers counts the instructions of each request.
func compareHandlers(ctx context.Context, valgrind string) ([]handlerRow, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program, err := buildHandlers(ctx, dir)
	if err != nil {
		return nil, err
	}
	var rows []handlerRow
	for _, request := range handlerRequests() {
		generated, err := handlerInstructions(ctx, valgrind, program, request, false)
		if err != nil {
			return nil, err
		}
		byHand, err := handlerInstructions(ctx, valgrind, program, request, true)
		if err != nil {
			return nil, err
		}
		rows = append(rows, handlerRow{request, generated, byHand})
	}
	return rows, nil
}

func handlerInstructions(ctx context.Context, valgrind, program, request string, byHand bool) (float64, error) {
	var counted [2]int64
	for i, n := range []int{fewInstr, manyInstr} {
		cmd := exec.CommandContext(ctx, valgrind, append(cachegrind(), program, "-request", request, "-by-hand="+strconv.FormatBool(byHand), "-n", strconv.Itoa(n))...)
		cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("%s: %w\n%s", request, err, out)
		}
		if counted[i], err = total(out); err != nil {
			return 0, err
		}
	}
	return float64(counted[1]-counted[0]) / (manyInstr - fewInstr), nil
}

func handlerReport(rows []handlerRow) string {
	var b strings.Builder
	b.WriteString("\n## Generated handlers and handlers by hand\n\n| request | instructions | by hand, on chi and encoding/json | ratio |\n|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %.0f | %.0f | %.2f |\n", r.Request, r.Generated, r.ByHand, r.ratio())
	}
	b.WriteString("\nOne in-process request to `internal/api` of examples/minimal and to testdata/handlers, with the same domain and store. Both\n" +
		"counts include the construction of the request. `invalid` is a 422: both list every invalid member; only the generated\n" +
		"handler checks for duplicate names and invalid UTF-8. `list` returns ten items.\n")
	return b.String()
}

// checkHandlers checks maxHandlerRatio for the requests that succeed.
func checkHandlers(rows []handlerRow) error {
	var missed []error
	for _, r := range rows {
		if r.Request != "invalid" && r.ratio() > maxHandlerRatio {
			missed = append(missed, fmt.Errorf("%s: %.2f times the instructions of the handler by hand, want at most %.2f", r.Request, r.ratio(), maxHandlerRatio))
		}
	}
	return errors.Join(missed...)
}
