package verify

import (
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
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Default limits of the options for starting and stopping. A service that takes longer fails the check.
const (
	startWithin = 60 * time.Second
	stopWithin  = 30 * time.Second
)

// Limits on stored service output: the length of one log line, and the end of standard error.
const (
	maxLogLine = 1 << 20
	maxStderr  = 64 << 10
)

// line is one line of the service's log.
type line map[string]any

func (l line) text(key string) string { s, _ := l[key].(string); return s }

// child is the process of the service.
type child struct {
	cmd        *exec.Cmd
	api, admin string // base URLs; api is empty for a service without an API

	exited chan struct{}
	err    error // of the exit; read it only after exited is closed

	mu     sync.Mutex
	lines  []line
	rest   []string      // output that is not JSON: panics, prints
	stderr bytes.Buffer  // the end of standard error
	grown  chan struct{} // closed and replaced with each line
	began  time.Time     // just before the start
}

// launch starts the binary and returns when the service has logged its addresses and /readyz responds with
// 200. The addresses come from the service's own log, so they cannot belong to another program.
func launch(ctx context.Context, binary, dir string, env []string, within time.Duration) (*child, error) {
	c := &child{exited: make(chan struct{}), grown: make(chan struct{})}
	c.cmd = exec.Command(binary) //nolint:noctx // signals stop it
	c.cmd.Dir, c.cmd.Env = dir, env
	tie(c.cmd)
	stdout := &lineWriter{c: c}
	c.cmd.Stdout, c.cmd.Stderr = stdout, lastOf{c}
	c.cmd.WaitDelay = outputWithin
	c.began = time.Now()
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	go c.wait(stdout)
	if err := c.waitStarted(ctx, within); err != nil {
		return nil, errors.Join(err, c.kill())
	}
	return c, nil
}

func (c *child) waitStarted(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("it did not happen within %s", within))
	defer cancel()
	started, err := c.waitLine(ctx, "says that it started", func(l line) bool {
		pid, _ := l["pid"].(float64)
		return l.text("msg") == "service started" && int(pid) == c.cmd.Process.Pid
	})
	if err != nil {
		return err
	}
	c.admin = "http://" + started.text("admin_addr")
	if addr := started.text("http_addr"); addr != "" {
		c.api = "http://" + addr
	}
	return until(ctx, "/readyz responds with 200", func() bool {
		return !c.running() || statusOf(ctx, c.admin+"/readyz") == http.StatusOK
	}, c.alive)
}

// alive returns nil while the process runs, else an error with the end of its output.
func (c *child) alive() error {
	if c.running() {
		return nil
	}
	return fmt.Errorf("the service ended with %s\n%s", c.state(), c.lastWords())
}

// dyingWithin is the maximum time between a broken connection and the exit status of the process. The kernel
// closes the connection before it reports the exit, and a loaded machine delays that report.
const dyingWithin = 5 * time.Second

// reasonOf returns why a request to the service failed: the exit of the service if it has exited, or is about
// to exit after a broken connection, else err.
func (c *child) reasonOf(ctx context.Context, err error) error {
	if brokeOff(err) {
		timer := time.NewTimer(dyingWithin)
		defer timer.Stop()
		select {
		case <-c.exited:
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	if dead := c.alive(); dead != nil {
		return dead
	}
	return err
}

// brokeOff reports whether a connection ended before the complete response.
func brokeOff(err error) bool {
	_, network := errors.AsType[*net.OpError](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func (c *child) running() bool {
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

func (c *child) state() string {
	if c.cmd.ProcessState == nil {
		return "no exit status"
	}
	return c.cmd.ProcessState.String()
}

// outputWithin is how long the output stays open after the exit: a process that the service started may hold it.
const outputWithin = time.Second

// wait waits for the exit of the process.
func (c *child) wait(stdout *lineWriter) {
	if c.err = c.cmd.Wait(); errors.Is(c.err, exec.ErrWaitDelay) {
		c.err = nil
	}
	_ = killAll(c.cmd) // what the service started and left; usually nothing
	stdout.end()
	close(c.exited)
}

// lineWriter takes the lines of standard output. A line that is too long is left out.
type lineWriter struct {
	c       *child
	line    []byte
	tooLong bool
}

// Write implements [io.Writer].
func (w *lineWriter) Write(b []byte) (int, error) {
	n := len(b)
	for {
		before, after, found := bytes.Cut(b, []byte("\n"))
		if w.tooLong = w.tooLong || len(w.line)+len(before) > maxLogLine; !w.tooLong {
			w.line = append(w.line, before...)
		}
		if !found {
			return n, nil
		}
		w.end()
		b = after
	}
}

// end takes the line so far, if there is one.
func (w *lineWriter) end() {
	if len(w.line) > 0 && !w.tooLong {
		w.c.take(w.line)
	}
	w.line, w.tooLong = w.line[:0], false
}

func (c *child) take(raw []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var l line
	if json.Unmarshal(raw, &l) == nil {
		c.lines = append(c.lines, l)
	} else {
		c.rest = append(c.rest, string(raw))
	}
	close(c.grown)
	c.grown = make(chan struct{})
}

// log returns the lines so far.
func (c *child) log() []line {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.lines)
}

// waitLine waits for a line that accept returns true for.
func (c *child) waitLine(ctx context.Context, what string, accept func(line) bool) (line, error) {
	seen := 0
	for {
		c.mu.Lock()
		fresh, grown := c.lines[seen:], c.grown
		c.mu.Unlock()
		for _, l := range fresh {
			if accept(l) {
				return l, nil
			}
		}
		seen += len(fresh)
		select {
		case <-grown:
		case <-c.exited:
			return nil, c.alive()
		case <-ctx.Done():
			return nil, fmt.Errorf("waited for a line that %s: %w\n%s", what, context.Cause(ctx), c.lastWords())
		}
	}
}

// keptWords is the number of output lines that an error shows.
const keptWords = 10

// lastWords returns the end of the service's output: problems, then text that is not a log line.
func (c *child) lastWords() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, l := range c.lines {
		if level := l.text("level"); level == "ERROR" || level == "WARN" {
			if text, err := json.Marshal(map[string]any(l)); err == nil {
				out = append(out, string(text))
			}
		}
	}
	out = append(out, c.rest...)
	if text := strings.TrimSpace(c.stderr.String()); text != "" {
		out = append(out, strings.Split(text, "\n")...)
	}
	return strings.Join(out[max(0, len(out)-keptWords):], "\n")
}

// lastOf keeps the end of standard error.
type lastOf struct{ c *child }

func (l lastOf) Write(b []byte) (int, error) {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	l.c.stderr.Write(b)
	l.c.stderr.Next(max(0, l.c.stderr.Len()-maxStderr))
	return len(b), nil
}

// stop sends SIGTERM and waits. If the service does not exit in time, stop kills it and returns an error.
func (c *child) stop(within time.Duration) error {
	if !c.running() {
		return c.alive()
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errors.Join(err, c.kill())
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-c.exited:
	case <-timer.C:
		_ = c.kill()
		return fmt.Errorf("the service still ran %s after SIGTERM and was killed; a worker or a hook ignores its context\n%s", within, c.lastWords())
	}
	if c.err != nil {
		return fmt.Errorf("the service ended with %s after SIGTERM\n%s", c.state(), c.lastWords())
	}
	return nil
}

// kill stops the process immediately. It is not an error if the process has exited.
func (c *child) kill() error {
	if c.running() {
		if err := killAll(c.cmd); err != nil && c.running() {
			return err
		}
	}
	<-c.exited
	return nil
}

// askEvery is the interval at which a condition is checked.
const askEvery = 10 * time.Millisecond

// until waits until the condition is true. give returns an error if waiting is pointless; it may be nil.
func until(ctx context.Context, what string, holds func() bool, give func() error) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for !holds() {
		if give != nil {
			if err := give(); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("timed out waiting until %s: %w", what, context.Cause(ctx))
		}
	}
	if give != nil {
		return give()
	}
	return nil
}

// statusOf returns the status of a response; 0 without a response.
func statusOf(ctx context.Context, url string) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = res.Body.Close() }()
	return res.StatusCode
}
