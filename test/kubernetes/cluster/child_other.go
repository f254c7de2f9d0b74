//go:build !linux

package cluster

import "syscall"

func childAttr(int) *syscall.SysProcAttr { return nil }
