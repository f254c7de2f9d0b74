package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
)

// The comparison over loopback sends sequential requests on each connection. Rounds
// alternate between the servers, so that other load on the machine affects both.
const (
	connections   = 16
	rounds        = 15
	perConnection = 1_000 // requests of a round
)

// itemFlag makes this program serve an item with bare chi.
const itemFlag = "-item"

// item is the response of both servers: an order of examples/minimal.
type item struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Version   int64     `json:"version"`
}

// serveItem serves the item from a map with bare chi. It logs its address like a service.
func serveItem(ctx context.Context, out io.Writer, text string) error {
	var of item
	if err := json.Unmarshal([]byte(text), &of); err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "{\"http_addr\":%q}\n", l.Addr()); err != nil {
		return err
	}
	var mu sync.RWMutex
	items := map[string]item{of.ID: of}
	router := chi.NewRouter()
	router.Get("/v1/orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		mu.RLock()
		found, ok := items[chi.URLParam(r, "id")]
		mu.RUnlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		body, err := json.Marshal(found)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Etag", strconv.Quote(strconv.FormatInt(found.Version, 10)))
		_, _ = w.Write(body)
	})
	return http.Serve(l, router) //nolint:gosec // loopback; the only client is this program
}

// loopback is the CPU time of each server for a request, as the median of the rounds, and
// the median of the ratios of consecutive rounds.
type loopback struct {
	Ours, Bare time.Duration
	Ratio      float64
}

// memoryLimit is the soft memory limit of the generated manifests.
const memoryLimit = "GOMEMLIMIT=230MiB"

// overLoopback compares examples/minimal with bare chi. env is added to the default
// configuration of examples/minimal.
func overLoopback(ctx context.Context, env ...string) (loopback, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return loopback{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := filepath.Join(dir, "minimal")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/minimal")
	build.Dir = filepath.Join("..", "..", "examples", "minimal")
	if out, err := build.CombinedOutput(); err != nil {
		return loopback{}, fmt.Errorf("build examples/minimal: %w\n%s", err, out)
	}
	env = append([]string{"HTTP_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0", memoryLimit}, env...)
	ours, err := startServer(ctx, env, program)
	if err != nil {
		return loopback{}, err
	}
	defer ours.stop()
	of, err := ours.createItem(ctx)
	if err != nil {
		return loopback{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return loopback{}, err
	}
	text, err := json.Marshal(of)
	if err != nil {
		return loopback{}, err
	}
	bare, err := startServer(ctx, []string{memoryLimit}, self, itemFlag, string(text))
	if err != nil {
		return loopback{}, err
	}
	defer bare.stop()
	return pairs(ours, bare, "/v1/orders/"+of.ID)
}

func pairs(ours, bare *server, path string) (loopback, error) {
	var mine, theirs []time.Duration
	var ratios []float64
	for i := range rounds + 1 {
		a, err := ours.round(path)
		if err != nil {
			return loopback{}, err
		}
		b, err := bare.round(path)
		if err != nil {
			return loopback{}, err
		}
		if i > 0 { // the first warms up
			mine, theirs, ratios = append(mine, a), append(theirs, b), append(ratios, float64(a)/float64(b))
		}
	}
	return loopback{median(mine), median(theirs), median(ratios)}, nil
}

func median[T time.Duration | float64](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

// server is a child process that listens on loopback.
type server struct {
	cmd  *exec.Cmd
	addr string
}

// startServer starts a program and waits until it logs its address.
func startServer(ctx context.Context, env []string, program string, args ...string) (*server, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if s.addr = addressIn(lines.Bytes()); s.addr != "" {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return s, nil
		}
	}
	s.stop()
	if err := errors.Join(lines.Err(), context.Cause(ctx)); err != nil {
		return nil, fmt.Errorf("%s: read the address from stdout: %w", filepath.Base(program), err)
	}
	return nil, fmt.Errorf("%s exited without logging http_addr", filepath.Base(program))
}

// addressIn returns the address in a log line, or "".
func addressIn(line []byte) string {
	var started struct {
		Addr string `json:"http_addr"`
	}
	if json.Unmarshal(line, &started) != nil {
		return ""
	}
	return started.Addr
}

func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *server) createItem(ctx context.Context) (item, error) {
	var of item
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.addr+"/v1/orders", strings.NewReader(`{"name":"First order"}`))
	if err != nil {
		return of, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return of, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusCreated {
		return of, fmt.Errorf("create an order: status %d, want 201", res.StatusCode)
	}
	if err := json.NewDecoder(res.Body).Decode(&of); err != nil {
		return of, fmt.Errorf("create an order: decode the response: %w", err)
	}
	return of, nil
}

// round sends requests over all connections and returns the CPU time of the server for each
// request.
func (s *server) round(path string) (time.Duration, error) {
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	failed := make(chan error, connections)
	for range connections {
		go func() { failed <- s.send(path, perConnection) }()
	}
	for range connections {
		err = errors.Join(err, <-failed)
	}
	after, readErr := s.cpu()
	return (after - before) / (connections * perConnection), errors.Join(err, readErr)
}

// send requests a path n times over one connection.
func (s *server) send(path string, n int) error {
	conn, err := net.Dial("tcp", s.addr) //nolint:noctx // on loopback
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: " + s.addr + "\r\nUser-Agent: bench/1\r\nAccept: */*\r\n\r\n")
	responses := bufio.NewReader(conn)
	for range n {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		res, err := http.ReadResponse(responses, nil)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, res.Body)
		if err = errors.Join(err, res.Body.Close()); err != nil {
			return fmt.Errorf("GET %s: read the response: %w", path, err)
		}
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: status %d, want 200", path, res.StatusCode)
		}
	}
	return nil
}

// cpu returns the CPU time of the threads of the server so far. Go does not end threads.
func (s *server) cpu() (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	if len(files) == 0 {
		return 0, fmt.Errorf("no /proc/%d/task/*/schedstat; run on Linux", s.cmd.Process.Pid)
	}
	var sum time.Duration
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		first, _, _ := bytes.Cut(text, []byte(" "))
		ns, err := strconv.ParseInt(string(first), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}
