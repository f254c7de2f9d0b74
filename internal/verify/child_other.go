//go:build !linux && !windows

package verify

import (
	"os/exec"
	"syscall"
)

// tie keeps a Ctrl-C of the terminal from the child: we stop it in order. Where
// this process is killed the child has to be ended by hand; only Linux offers more.
func tie(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
