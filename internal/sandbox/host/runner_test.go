// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
)

// runner starts processes without watching over them: what dies stays dead.
type runner struct {
	t       *testing.T
	running map[string]*exec.Cmd
	done    map[string]chan struct{}
}

func newRunner(t *testing.T) *runner {
	r := &runner{t: t, running: map[string]*exec.Cmd{}, done: map[string]chan struct{}{}}
	t.Cleanup(func() {
		for name := range r.running {
			r.kill(name)
		}
	})
	return r
}

// start runs a process and waits until it is ready.
func (r *runner) start(ctx context.Context, p supervise.Process) {
	r.t.Helper()
	began := time.Now()
	argv := p.Argv
	if p.NetNS != "" {
		argv = append([]string{"nsenter", "--net=" + p.NetNS, "--"}, argv...)
	}
	log, err := os.OpenFile(p.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.Dir, append(os.Environ(), p.Env...), log, log
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		r.t.Fatalf("%s: %v", p.Name, err)
	}
	if p.Cgroup != "" {
		trees, err := hierarchies()
		if err != nil {
			r.t.Fatal(err)
		}
		for _, tree := range trees {
			if err := os.WriteFile(filepath.Join(tree.path, p.Cgroup, "cgroup.procs"), fmt.Append(nil, cmd.Process.Pid), 0o644); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	done := make(chan struct{})
	go func() {
		cmd.Wait()
		close(done)
	}()
	r.running[p.Name], r.done[p.Name] = cmd, done
	for p.Ready != nil {
		err := p.Ready(ctx)
		if err == nil {
			break
		}
		select {
		case <-done:
			r.t.Fatalf("%s ended before it was ready: %s", p.Name, tail(p.LogFile))
		case <-ctx.Done():
			r.t.Fatalf("%s did not become ready: %v: %s", p.Name, err, tail(p.LogFile))
		case <-time.After(100 * time.Millisecond):
		}
	}
	r.t.Logf("%s ready after %v", p.Name, time.Since(began).Round(time.Millisecond))
}

func (r *runner) kill(name string) {
	if cmd, ok := r.running[name]; ok {
		cmd.Process.Kill()
		<-r.done[name]
		delete(r.running, name)
	}
}

func tail(file string) string {
	data, _ := os.ReadFile(file)
	if len(data) > 4000 {
		data = data[len(data)-4000:]
	}
	return "\n" + string(data)
}
