// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package daemon

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairway-cloud/fairway/internal/sandbox/host"
	"github.com/fairway-cloud/fairway/internal/sandbox/network"
	"github.com/fairway-cloud/fairway/internal/sandbox/state"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

// podGrace is how long containers get to end when the sandbox goes down.
const podGrace = 2 * time.Second

// tearDown takes the sandbox down from inside its daemon.
func (s *Sandbox) tearDown(ctx context.Context) error {
	var hosts []string
	for _, h := range s.Plan.HostsOf(topology.Real, "") {
		described, err := s.host(h)
		if err != nil {
			continue
		}
		hosts = append(hosts, names(described.Processes())...)
	}
	if err := s.supervisor.Release(ctx, hosts...); err != nil {
		return err
	}
	err := sweepHosts(ctx, s.Options.Folder)
	err = errors.Join(err, s.supervisor.StopAll(ctx))
	return errors.Join(err, sweep(ctx, s.Options.Folder))
}

// TearDown takes a sandbox down whose daemon is gone, from what its folder
// remembers. It leaves no process, namespace, mount, control group, link or
// file behind.
func TearDown(ctx context.Context, folder state.Folder) error {
	unlock, err := folder.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	records, err := supervise.Records(folder.Processes())
	if err != nil {
		return err
	}
	err = sweepHosts(ctx, folder)
	err = errors.Join(err, supervise.EndAll(ctx, records))
	return errors.Join(err, sweep(ctx, folder))
}

// sweepHosts ends all that runs on real hosts, and the hosts.
func sweepHosts(ctx context.Context, folder state.Folder) error {
	if os.Getuid() != 0 {
		return nil
	}
	return host.Sweep(ctx, folder.Name, folder.Path("hosts"), podGrace)
}

// sweep removes what is left when all known processes have ended: those that a
// crash hid from the records, the network, the claim on the machine, files.
func sweep(ctx context.Context, folder state.Folder) error {
	saved, err := folder.Load()
	if err != nil {
		return err
	}
	var faults []error
	for _, stray := range supervise.Marked(saved.Mark) {
		faults = append(faults, stray.End(ctx, unix.SIGTERM, 5*time.Second))
	}
	if os.Getuid() == 0 {
		faults = append(faults, network.Remove(ctx, folder.Name), host.ReleaseMachine(folder.Name))
	}
	if err := errors.Join(faults...); err != nil {
		// The folder stays, so that "down" can be repeated.
		return err
	}
	if err := folder.Remove(); err != nil {
		return err
	}
	return nil
}
