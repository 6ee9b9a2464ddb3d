package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// server is one of the two programs, running.
type server struct {
	name string
	// program and its arguments, without the port.
	argv []string
	// ca is the file with the certificate that the program serves with or that signed it.
	ca  string
	log string

	port    int
	process *os.Process
	client  *http.Client
	idle    memory
}

// memory of a process in bytes.
type memory struct{ resident, peak int64 }

// start runs a program and waits until it accepts connections.
func (s *server) start(ctx context.Context) error {
	out, err := os.Create(s.log)
	if err != nil {
		return fmt.Errorf("making the log of %s: %w", s.name, err)
	}
	defer out.Close()
	if s.port, err = freePort(ctx); err != nil {
		return err
	}
	argv := make([]string, len(s.argv))
	for i, arg := range s.argv {
		argv[i] = strings.ReplaceAll(arg, "PORT", strconv.Itoa(s.port))
	}
	command := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // the programs that the caller names
	command.Stdout, command.Stderr = out, out
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", s.name, err)
	}
	s.process = command.Process
	err = wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		return s.connect(ctx), nil
	})
	if err != nil {
		return fmt.Errorf("waiting for %s, whose log is %s: %w", s.name, s.log, err)
	}
	return nil
}

// connect makes a client for one HTTP/2 connection, as an API server keeps it.
func (s *server) connect(ctx context.Context) bool {
	pem, err := os.ReadFile(s.ca)
	if err != nil {
		return false
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return false
	}
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	dialer := &tls.Dialer{Config: config}
	connection, err := dialer.DialContext(ctx, "tcp", s.address())
	if err != nil {
		return false
	}
	_ = connection.Close()
	s.client = &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true},
	}
	return true
}

func (s *server) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// stop ends the program and waits for it.
func (s *server) stop() error {
	if s.process == nil {
		return nil
	}
	if err := s.process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping %s: %w", s.name, err)
	}
	_, err := s.process.Wait()
	s.process = nil
	return err
}

// cpu returns the processor time that the program has used: utime and stime of proc_pid_stat(5).
func (s *server) cpu() (time.Duration, error) {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.process.Pid), "stat"))
	if err != nil {
		return 0, fmt.Errorf("reading the processor time of %s: %w", s.name, err)
	}
	// The second field is the program's name in parentheses, which may hold spaces.
	_, rest, _ := strings.Cut(string(content), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("reading the processor time of %s: %q has too few fields", s.name, content)
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the processor time of %s: %w", s.name, err)
		}
		ticks += n
	}
	// Linux shows this file in units of USER_HZ, which is 100 on every architecture that Go serves.
	return time.Duration(ticks) * (time.Second / 100), nil
}

// memory returns VmRSS and VmHWM of proc_pid_status(5).
func (s *server) memory() (memory, error) {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.process.Pid), "status"))
	if err != nil {
		return memory{}, fmt.Errorf("reading the memory of %s: %w", s.name, err)
	}
	var m memory
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "VmRSS:":
			m.resident = kib << 10
		case "VmHWM:":
			m.peak = kib << 10
		}
	}
	if m.resident == 0 {
		return memory{}, fmt.Errorf("reading the memory of %s: no VmRSS", s.name)
	}
	return m, nil
}

func freePort(ctx context.Context) (int, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	defer listener.Close()
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("finding a free port: %s is no TCP address", listener.Addr())
	}
	return address.Port, nil
}
