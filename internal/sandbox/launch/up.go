// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package launch starts and ends the daemon of a sandbox from the command line
// (or a test) and shows how it goes.
package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fairway-cloud/fairway/internal/sandbox/control"
	"github.com/fairway-cloud/fairway/internal/sandbox/daemon"
	"github.com/fairway-cloud/fairway/internal/sandbox/kubebox"
	"github.com/fairway-cloud/fairway/internal/sandbox/state"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

// Options of Up.
type Options struct {
	// Topology is the content of the topology file.
	Topology []byte
	// Root is the folder of all sandboxes; state.DefaultRoot() when empty.
	Root string
	// Name overrides the topology's name of the sandbox.
	Name string
	// Binary is the fairway binary that runs the daemon; the running one when
	// empty.
	Binary string
	// Progress shows how it goes; nothing when nil.
	Progress *Progress
}

// poll is how often a waiting command asks the daemon.
const poll = 200 * time.Millisecond

// Up starts the sandbox (or takes over what a crash left of it) and returns
// when all phases are done.
func Up(ctx context.Context, o Options) (*control.Status, error) {
	sandbox, err := topology.Parse(o.Topology)
	if err != nil {
		return nil, err
	}
	if o.Name != "" {
		sandbox.Metadata.Name = o.Name
		if err := sandbox.Validate(); err != nil {
			return nil, fmt.Errorf("could not accept the name %q: %w", o.Name, err)
		}
	}
	if o.Root == "" {
		o.Root = state.DefaultRoot()
	}
	folder := state.Folder{Root: o.Root, Name: sandbox.Metadata.Name}
	missing := daemon.Preflight()
	for _, line := range missing.Lines() {
		o.Progress.Line("left out: %s", line)
	}
	o.Progress.Begin("binaries")
	box, err := kubebox.Ensure(ctx, kubebox.Options{Progress: o.Progress.Writer()})
	if err != nil {
		return nil, err
	}
	o.Progress.End("binaries")
	if err := folder.Create(o.Topology); err != nil {
		return nil, err
	}
	client := control.NewClient(folder.Socket())
	ended, err := ensureDaemon(ctx, client, folder, o.Binary, box)
	if err != nil {
		return nil, err
	}
	return await(ctx, client, folder, ended, o.Progress)
}

// ensureDaemon starts the daemon unless one answers; one that failed tries
// again. The returned channel is closed when a daemon started here ends.
func ensureDaemon(ctx context.Context, client *control.Client, folder state.Folder, binary, box string) (<-chan struct{}, error) {
	status, err := client.Status(ctx, false)
	if err == nil {
		if status.State == control.Stopping {
			return nil, fmt.Errorf("could not start sandbox %q: it is going down; try again when it is gone", folder.Name)
		}
		return nil, client.Retry(ctx)
	}
	if !errors.Is(err, control.ErrNoDaemon) {
		return nil, err
	}
	if binary == "" {
		if binary, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("could not find the running binary: %w", err)
		}
	}
	if err := os.MkdirAll(folder.Logs(), 0o755); err != nil {
		return nil, fmt.Errorf("could not make the log folder: %w", err)
	}
	log, err := os.OpenFile(supervisorLog(folder), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("could not open the supervisor's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(binary, "sandbox", "run", "--name="+folder.Name, "--state="+folder.Root, "--kubebox="+box)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "GOGC=50")
	// A session of its own: it stays when the terminal goes.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("could not start the supervisor: %w", err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	return ended, nil
}

func supervisorLog(folder state.Folder) string { return filepath.Join(folder.Logs(), "supervisor.log") }

// await shows the phases until all are done or one has failed.
func await(ctx context.Context, client *control.Client, folder state.Folder, ended <-chan struct{}, progress *Progress) (*control.Status, error) {
	for {
		status, err := client.Status(ctx, false)
		switch {
		case err == nil:
			progress.Phases(status.Phases)
			last, ok := lastPhase(status)
			switch {
			case ok && last.State == control.Failed && status.State == control.Failed:
				return nil, fmt.Errorf("%s; the logs are in %s, \"fairway sandbox up\" tries again", last.Message, status.LogDir)
			case ok && last.State == control.Ready && status.State == control.Ready:
				return status, nil
			case ok && last.State == control.Ready && status.State == control.Failed:
				// All phases are done, and since then a component died.
				progress.Line("  ! %s", status.Message)
				return status, nil
			}
		case ctx.Err() != nil:
			return nil, fmt.Errorf("could not wait for sandbox %q, which goes on starting: %w", folder.Name, ctx.Err())
		}
		select {
		case <-ended:
			if !folder.Exists() {
				return nil, fmt.Errorf("sandbox %q was taken down while it came up", folder.Name)
			}
			return nil, fmt.Errorf("the supervisor of sandbox %q ended: %s", folder.Name, lastLines(supervisorLog(folder), 10))
		case <-ctx.Done():
		case <-time.After(poll):
		}
	}
}

func lastPhase(status *control.Status) (control.Phase, bool) {
	if n := len(status.Phases); n > 0 {
		return status.Phases[n-1], true
	}
	return control.Phase{}, false
}

// Down takes the sandbox down, with its daemon's help or without, and returns
// when nothing is left. A sandbox that is not there is down already.
func Down(ctx context.Context, folder state.Folder, progress *Progress) error {
	if !folder.Exists() {
		progress.Line("sandbox %q is not there", folder.Name)
		return nil
	}
	progress.Begin("down")
	saved, err := folder.Load()
	if err != nil {
		return err
	}
	err = control.NewClient(folder.Socket()).Down(ctx)
	if err != nil && !errors.Is(err, control.ErrNoDaemon) {
		return err
	}
	if err == nil {
		if err := saved.Supervisor.Wait(ctx); err != nil {
			return fmt.Errorf("could not wait for sandbox %q to go down: %w", folder.Name, err)
		}
	}
	// The daemon has removed the folder when all went well. What it could not
	// do, or if it was not there, is done from here.
	if folder.Exists() {
		if err := daemon.TearDown(ctx, folder); err != nil {
			return fmt.Errorf("could not take sandbox %q down whole; \"fairway sandbox down\" goes on where it stopped: %w", folder.Name, err)
		}
	}
	progress.End("down")
	return nil
}

func lastLines(file string, n int) string {
	content, _ := os.ReadFile(file)
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}
