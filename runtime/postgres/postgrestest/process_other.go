//go:build unix && !linux

package postgrestest

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// dieWithParent does nothing: only Linux has a signal for this. The watcher stops the server.
func dieWithParent(*exec.Cmd) {}

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
