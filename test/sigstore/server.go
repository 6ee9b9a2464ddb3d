package sigstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Bounds of the wait for one program. Starting takes less than a second on an idle machine; a busy one
// must not fail for being busy.
const (
	readyTimeout  = time.Minute
	readyInterval = 20 * time.Millisecond
	// portAttempts is how often a program is started again because somebody else took its port.
	portAttempts = 4
)

// errEnded is that a program ended by itself.
var errEnded = errors.New("it ended by itself")

// server is a program that serves HTTP on loopback.
type server struct {
	name    string
	program string
	env     []string
	// args returns the arguments, with the free ports that port hands out; the first one is that of URL.
	args func(port func() string) []string
	// ready is the path that answers 200 once the program serves.
	ready string
}

// start runs the program until the test ends and returns its URL.
func (s server) start(t testing.TB) string {
	t.Helper()
	log := filepath.Join(t.TempDir(), s.name+".log")
	var err error
	for range portAttempts {
		var url string
		if url, err = s.try(t, log); err == nil {
			return url
		}
		if !errors.Is(err, errEnded) {
			break
		}
	}
	text, _ := os.ReadFile(log) //nolint:errcheck // without the log the error alone must do
	t.Fatalf("starting %s: %v\n%s", s.name, err, text)
	return ""
}

// try starts the program once and waits until it is ready.
func (s server) try(t testing.TB, logPath string) (string, error) {
	t.Helper()
	var ports []string
	args := s.args(func() string {
		port := freePort(t)
		ports = append(ports, port)
		return port
	})
	log, err := os.Create(logPath)
	if err != nil {
		return "", err
	}
	defer log.Close()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	command := exec.CommandContext(ctx, s.program, args...)
	command.Dir = filepath.Dir(logPath)
	command.Env = append(cleanEnvironment(command.Dir), s.env...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = dieWithParent()
	ended := make(chan struct{})
	started := make(chan error, 1)
	go runOnOneThread(command, started, ended)
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	if err := <-started; err != nil {
		return "", err
	}
	url := "http://127.0.0.1:" + ports[0]
	return url, awaitReady(ctx, url+s.ready, ended)
}

// runOnOneThread starts the child from a thread that lives for as long as the child: Linux ends a child
// with PR_SET_PDEATHSIG when the thread that started it ends, and the Go runtime ends threads as it likes.
func runOnOneThread(command *exec.Cmd, started chan<- error, ended chan<- struct{}) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(ended)
	err := command.Start()
	started <- err
	if err == nil {
		_ = command.Wait() // what it says of being killed interests nobody
	}
}

func awaitReady(ctx context.Context, url string, ended <-chan struct{}) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, readyInterval, readyTimeout, true, func(ctx context.Context) (bool, error) {
		select {
		case <-ended:
			return false, errEnded
		default:
		}
		last = ping(ctx, url)
		return last == nil, nil
	})
	if err != nil && last != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return err
}

func ping(ctx context.Context, url string) error {
	_, err := get(ctx, url)
	return err
}

// get returns the body of an answer of 200.
func get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking %s: %s", url, response.Status)
	}
	return body.Bytes(), nil
}

// freePort returns a port of loopback that nobody listens on now.
func freePort(t testing.TB) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("looking for a free port: %v", err)
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// cleanEnvironment is what a child sees: a home of its own, so that nobody's credentials, caches or
// settings play a part, and a proxy that nobody serves, so that nothing but loopback can be reached:
// cosign looks for Sigstore's public services here and there. Go asks no proxy for loopback.
func cleanEnvironment(home string) []string {
	const nobody = "http://127.0.0.1:1"
	return []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + home,
		"DOCKER_CONFIG=" + home, "XDG_CONFIG_HOME=" + home, "XDG_CACHE_HOME=" + home,
		"TUF_ROOT=" + filepath.Join(home, "tuf"), "HTTP_PROXY=" + nobody, "HTTPS_PROXY=" + nobody,
	}
}
