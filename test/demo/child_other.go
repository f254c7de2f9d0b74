//go:build !linux

package main

import "syscall"

// childAttr has nothing to offer here; the demo stops its child on every path
// that it controls.
func childAttr() *syscall.SysProcAttr { return nil }
