package main

import (
	"bufio"
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
	"sync"
	"syscall"
	"time"

	"github.com/observability-first/scaffold/runtime/servicetest"
)

// patience is the timeout of all waits for the service.
const patience = 20 * time.Second

// service is the generated binary as a child process.
type service struct {
	url, admin string
	cmd        *exec.Cmd
	exited     chan struct{}
	err        error

	mu    sync.Mutex
	lines []map[string]any
}

func (d *demo) start(ctx context.Context) error {
	d.title("Start it")
	receiver, stop := servicetest.ListenReceiver()
	d.receiver = receiver
	d.closers = append(d.closers, func() error { stop(); return nil })
	s, err := d.launch(ctx)
	d.service = s
	if err != nil {
		return err
	}
	d.sayf("  API %s, probes and metrics %s, store: %s", s.url, s.admin, d.store)
	return nil
}

func (d *demo) launch(ctx context.Context) (*service, error) {
	apiAddr, adminAddr, err := freeAddrs()
	if err != nil {
		return nil, err
	}
	env := []string{
		"HTTP_ADDR=" + apiAddr, "ADMIN_ADDR=" + adminAddr, "DRAIN_DELAY=2s",
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + d.receiver.URL, "PYROSCOPE_SERVER_ADDRESS=" + d.receiver.URL,
		"OTEL_BSP_SCHEDULE_DELAY=500", "PYROSCOPE_UPLOAD_INTERVAL=2s", "TRACE_RATIO=1", "ACCESS_LOG=all", "LOG_FORMAT=json",
	}
	if d.database != nil {
		env = append(env, "POSTGRES_URL="+d.database.URL, "POSTGRES_MIGRATE=true")
	}
	d.sayf("$ %s ./bin/orders", "TRACE_RATIO=1 ACCESS_LOG=all OTEL_EXPORTER_OTLP_ENDPOINT="+d.receiver.URL)
	s := &service{url: "http://" + apiAddr, admin: "http://" + adminAddr, exited: make(chan struct{})}
	binary, err := filepath.Abs(filepath.Join(d.dir, "bin", "orders"))
	if err != nil {
		return nil, err
	}
	s.cmd = exec.Command(binary) //nolint:noctx // the demo stops it with signals
	s.cmd.Dir, s.cmd.Env, s.cmd.Stderr = d.dir, append(os.Environ(), env...), os.Stderr
	s.cmd.SysProcAttr = childAttr()
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go s.read(stdout)
	d.closers = append(d.closers, s.kill)
	return s, s.waitReady(ctx)
}

// freeAddrs returns two addresses with free ports. If another process binds one
// first, the service fails to start with an error.
func freeAddrs() (api, admin string, err error) {
	var addrs [2]string
	for i := range addrs {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
		if err != nil {
			return "", "", err
		}
		defer func() { _ = l.Close() }()
		addrs[i] = l.Addr().String()
	}
	return addrs[0], addrs[1], nil
}

func (s *service) read(stdout io.Reader) {
	scanner := bufio.NewScanner(stdout)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var line map[string]any
		if json.Unmarshal(scanner.Bytes(), &line) == nil {
			s.mu.Lock()
			s.lines = append(s.lines, line)
			s.mu.Unlock()
		}
	}
	s.err = s.cmd.Wait()
	close(s.exited)
}

func (s *service) log(accept func(map[string]any) bool) (map[string]any, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		if accept(line) {
			return line, true
		}
	}
	return nil, false
}

func (s *service) waitReady(ctx context.Context) error {
	return waitFor(ctx, "the service is ready", func() bool {
		status, _, err := get(ctx, s.admin+"/readyz")
		return err == nil && status == http.StatusOK
	})
}

func (s *service) kill() error {
	select {
	case <-s.exited:
		return nil
	default:
	}
	err := s.cmd.Process.Signal(syscall.SIGKILL)
	<-s.exited
	return err
}

// waitFor waits until met returns true.
func waitFor(ctx context.Context, what string, met func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("timeout after %s waiting for: %s", patience, what)
		}
	}
	return nil
}

func get(ctx context.Context, url string, header ...string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	body, err = io.ReadAll(res.Body)
	return res.StatusCode, body, errors.Join(err, res.Body.Close())
}
