package main

import "syscall"

// childAttr kills the service when the demo ends, even by a signal.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
