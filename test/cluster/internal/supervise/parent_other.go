//go:build !linux

package supervise

import "syscall"

// dieWithParent can do nothing here: `down` ends the children by their recorded
// identities.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
