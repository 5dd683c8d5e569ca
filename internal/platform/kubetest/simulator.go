// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package kubetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// WithSimulator plays the hosts of each cluster that carry the label of simulated hosts:
// they are ready as long as they carry it, and what is bound to them runs.
func WithSimulator() Option { return func(o *options) { o.simulator = true } }

// simulate starts what plays a cluster's hosts.
func (f *fleet) simulate(ctx context.Context, c *Cluster) error {
	kubeconfig := filepath.Join(f.dir, c.Name+"-simulator.kubeconfig")
	if err := os.WriteFile(kubeconfig, c.kubeconfig, 0o600); err != nil {
		return fmt.Errorf("could not write the simulator's kubeconfig: %w", err)
	}
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	process, err := c.plane.Simulator(ctx, f.dir, kubeconfig, fmt.Sprintf("127.0.0.1:%d", ports[0]), c.plane.PodCIDR)
	if err != nil {
		return err
	}
	p, err := run(process)
	if err != nil {
		return err
	}
	f.processes = append(f.processes, p)
	return p.wait(ctx, startTimeout)
}
