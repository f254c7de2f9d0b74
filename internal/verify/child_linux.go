package verify

import (
	"os/exec"
	"syscall"
)

// tie makes the child die with this process, however it dies. The child leads a
// group of its own, so that a Ctrl-C of the terminal reaches only us and we stop
// it in order.
func tie(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
