package verify

import (
	"os/exec"
	"syscall"
)

// tie makes the kernel kill the child when this process dies. The child has a separate process group, so that
// Ctrl-C in the terminal only reaches this process, which then stops the child.
func tie(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// interrupt asks a child that is tied, and those that it started, to stop.
func interrupt(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }

// killAll kills a child that is tied, and those that it started.
func killAll(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
