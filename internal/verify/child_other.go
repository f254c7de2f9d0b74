//go:build !linux && !windows

package verify

import (
	"os/exec"
	"syscall"
)

// tie puts the child into a separate process group, so that Ctrl-C in the terminal only reaches this process.
// If this process is killed, the child keeps running; only Linux can prevent that.
func tie(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// interrupt asks a child that is tied, and those that it started, to stop.
func interrupt(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }

// killAll kills a child that is tied, and those that it started.
func killAll(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
