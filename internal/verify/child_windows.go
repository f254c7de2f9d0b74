package verify

import (
	"os"
	"os/exec"
)

// tie does nothing on Windows.
func tie(*exec.Cmd) {}

// interrupt asks a child to stop.
func interrupt(cmd *exec.Cmd) error { return cmd.Process.Signal(os.Interrupt) }

// killAll kills a child. Windows has no groups of processes.
func killAll(cmd *exec.Cmd) error { return cmd.Process.Kill() }
