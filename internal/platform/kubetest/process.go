// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package kubetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
)

// process is a child that the kernel ends when the test process ends, however
// that happens.
type process struct {
	spec  supervise.Process
	cmd   *exec.Cmd
	ended chan struct{}
}

func run(spec supervise.Process) (*process, error) {
	p := &process{spec: spec, cmd: exec.Command(spec.Argv[0], spec.Argv[1:]...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), spec.Env...)
	log, err := os.OpenFile(spec.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("could not open the log of %q: %w", spec.Name, err)
	}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	go func() {
		// The death signal is sent when the thread that started the child
		// ends, so this goroutine keeps its thread until the child is gone.
		runtime.LockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
		}
		_ = log.Close()
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("could not start %q: %w", spec.Name, err)
	}
	return p, nil
}

// wait returns when the process is ready.
func (p *process) wait(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := p.spec.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%q ended at its start:\n%s", p.spec.Name, p.lastLines())
		case <-ctx.Done():
			return fmt.Errorf("could not wait for %q: %w\n%s", p.spec.Name, errors.Join(ctx.Err(), err), p.lastLines())
		case <-ticker.C:
		}
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

func (p *process) lastLines() string {
	content, _ := os.ReadFile(p.spec.LogFile)
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	if len(lines) > 25 {
		lines = lines[len(lines)-25:]
	}
	return strings.Join(lines, "\n")
}

// freePorts finds n loopback ports that nobody listens on.
func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("could not find a free port: %w", err)
		}
		defer func() { _ = listener.Close() }()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// short reports whether -short was given; flags are not parsed yet in TestMain.
func short() bool {
	for _, arg := range os.Args[1:] {
		if arg == "-test.short" || arg == "-test.short=true" {
			return true
		}
	}
	return false
}
