package backends

import "syscall"

// childAttr kills Mimir when the test process ends, even by a signal.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
