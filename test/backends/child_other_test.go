//go:build !linux

package backends

import "syscall"

// childAttr returns nil: Mimir continues to run if the test is killed.
func childAttr() *syscall.SysProcAttr { return nil }
