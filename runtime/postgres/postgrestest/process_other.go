//go:build unix && !linux

package postgrestest

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// dieWithParent is the watcher's work alone: only Linux has a signal for it.
func dieWithParent(*exec.Cmd) {}

// children lists the processes whose parent is pid.
func children(pid int) ([]int, error) {
	out, err := exec.CommandContext(context.Background(), "ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		return nil, err
	}
	var pids []int
	for line := range strings.Lines(string(out)) {
		var child, parent int
		if _, err := fmt.Sscan(line, &child, &parent); err == nil && parent == pid {
			pids = append(pids, child)
		}
	}
	return pids, nil
}
