//go:build !linux

package sandbox

import (
	"context"
	"errors"
	"os"
	"syscall"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/component"
)

var errLinux = errors.New("running a real node: needs Linux")

// Attributes is not possible here.
func Attributes() (*syscall.SysProcAttr, error) { return nil, errLinux }

// Prepare is not possible here.
func Prepare(component.Spec) error { return errLinux }

// Reap is not possible here.
func Reap(*os.Process) error { return errLinux }

// RemoveCgroup has nothing to remove here.
func RemoveCgroup(context.Context, string) error { return nil }
