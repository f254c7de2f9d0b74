package drain

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is the timeout of all waits; only a test that hangs reaches it.
const patience = 60 * time.Second

// process is one process of the service.
type process struct {
	cmd        *exec.Cmd
	stdin      io.Closer
	stdout     io.Closer
	api, admin string // addresses
	exited     chan struct{}

	mu    sync.Mutex
	lines []map[string]any
}

// start starts a process and waits until it is ready.
func start(t *testing.T) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(self), exited: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), childVariable+"=1",
		"HTTP_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0", "DRAIN_DELAY=1s", "STOP_TIMEOUT=30s", "ACCESS_LOG=notable")
	p.cmd.Stderr = os.Stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = stdout
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.stdin.Close()
		_ = p.cmd.Process.Kill()
		<-p.exited
	})
	started := make(chan struct{})
	go p.follow(stdout, started)
	select {
	case <-started:
	case <-p.exited:
		t.Fatalf("the process exited before it was ready: %v", p.log())
	case <-time.After(patience):
		t.Fatalf("the process did not start within %s", patience)
	}
	eventually(t, "ready", func() bool { return ready(p.admin) })
	return p
}

// follow reads the log, with the addresses in it, until the process exits.
func (p *process) follow(stdout io.Reader, started chan<- struct{}) {
	scanner := bufio.NewScanner(stdout)
	for scanner.Scan() {
		var line map[string]any
		if json.Unmarshal(scanner.Bytes(), &line) != nil {
			continue
		}
		p.mu.Lock()
		p.lines = append(p.lines, line)
		p.mu.Unlock()
		if line["msg"] == "service started" {
			p.api, _ = line["http_addr"].(string)
			p.admin, _ = line["admin_addr"].(string)
			close(started)
		}
	}
	_ = p.cmd.Wait()
	close(p.exited)
}

func (p *process) log() []map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

// stop sends SIGTERM and checks that the process passes every phase of a shutdown.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.wait(t)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d, want 0: %v", code, p.log())
	}
	var phases []any
	for _, line := range p.log() {
		if line["msg"] == "drain phase done" {
			phases = append(phases, line["phase"])
		}
	}
	if want := []any{"announce", "delay", "requests", "workers", "flush", "close"}; !slices.Equal(phases, want) {
		t.Errorf("shutdown phases %v, want %v", phases, want)
	}
}

func (p *process) wait(t *testing.T) {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatalf("the process did not exit within %s: %v", patience, p.log())
	}
}

func ready(admin string) bool {
	client := http.Client{Timeout: time.Second}
	res, err := client.Get("http://" + admin + "/readyz")
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// eventually waits until met returns true.
func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("timeout after %s waiting for: %s", patience, what)
		}
	}
}
