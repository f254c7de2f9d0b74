package cluster

import "syscall"

// childAttr ends the program when the test dies, however it dies. A test that
// is run by root gives its privileges up for it.
func childAttr(uid int) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if uid != 0 {
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)} //nolint:gosec // nobody's number fits
	}
	return attr
}
