//go:build !windows

package verify

import (
	"os/exec"
	"testing"
	"time"
)

// A process that the service leaves behind holds its output open, and does not keep verify waiting.
func TestProcessesThatTheServiceLeavesEndWithIt(t *testing.T) {
	t.Parallel()
	c := &child{exited: make(chan struct{}), grown: make(chan struct{})}
	c.cmd = exec.Command("sh", "-c", `sleep 300 & echo '{"msg":"last"}'; printf '%2000000d' 0; echo; echo '{"msg":"after a long line"}'`)
	stdout := &lineWriter{c: c}
	c.cmd.Stdout, c.cmd.WaitDelay = stdout, outputWithin
	tie(c.cmd)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go c.wait(stdout)
	select {
	case <-c.exited:
	case <-time.After(time.Minute):
		t.Fatal("it waits for a process that the service started")
	}
	if c.err != nil || len(c.log()) != 2 || c.log()[1].text("msg") != "after a long line" {
		t.Errorf("got %v and the lines %v, want those around a line that is too long", c.err, c.log())
	}
}
