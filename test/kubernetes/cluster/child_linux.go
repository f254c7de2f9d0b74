package cluster

import "syscall"

// childAttr kills the program when the test process ends, even by a signal. If
// uid is not 0, the program runs as that user.
func childAttr(uid int) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if uid != 0 {
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)} //nolint:gosec // the uid of nobody fits
	}
	return attr
}
