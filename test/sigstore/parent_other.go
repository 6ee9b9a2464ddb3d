//go:build !linux

package sigstore

import "syscall"

// dieWithParent is Linux's alone: elsewhere a test that is killed leaves its children behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
