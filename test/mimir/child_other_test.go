//go:build !linux

package mimir

import "syscall"

// childAttr has nothing to offer: a test that is killed leaves Mimir behind.
func childAttr() *syscall.SysProcAttr { return nil }
