//go:build !linux

package main

import "syscall"

// childAttr returns nil: the service continues to run if the demo is killed.
func childAttr() *syscall.SysProcAttr { return nil }
