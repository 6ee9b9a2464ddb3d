package process

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// birth returns boot and start time of a process that runs, from field 22 of
// /proc/PID/stat (see proc(5)); an error for one that does not or is a zombie.
func birth(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The second field is the command in parentheses and may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return "", fmt.Errorf("reading /proc/%d/stat: %d fields after the command, want 20 or more", pid, len(fields))
	}
	if state := fields[0]; state == "Z" || state == "X" {
		return "", syscall.ESRCH
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(boot)) + "/" + fields[19], nil
}
