// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controlplane

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	fleetv1alpha1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
)

// hostGrace is how long a host may say nothing before the cluster calls it not ready.
const hostGrace = 25 * time.Second

// simulatedLease is how long a simulated host's lease holds. A quarter of it lies between
// two renewals, and two renewals fit into hostGrace: no host is lost for one that is late.
const simulatedLease = 40 * time.Second

// LabelSilent on a simulated host, with whatever value, has it say nothing any more, as a
// host does that has lost its power: what is known of it stays as it was said last.
const LabelSilent = "sandbox.fairway.cloud/silent"

// Simulator is what plays the cluster's simulated hosts, which are ready as long as they
// carry the label and are not silent, and the pods on them, with addresses of pods, as kwok's own stages have
// it. It works in folder, and says at an address (host and port) that it lives.
func (c Cluster) Simulator(ctx context.Context, folder, kubeconfig, address string, pods netip.Prefix) (supervise.Process, error) {
	stages, err := exec.CommandContext(ctx, c.Kubebox, "kwok-stages").Output()
	if err != nil {
		return supervise.Process{}, fmt.Errorf("could not print the simulator's stages: %w", err)
	}
	file := filepath.Join(folder, c.Name+"-stages.yaml")
	if err := os.WriteFile(file, stages, 0o600); err != nil {
		return supervise.Process{}, fmt.Errorf("could not write the simulator's stages: %w", err)
	}
	name := c.Name + "/simulator"
	return supervise.Process{
		Name: name,
		Argv: []string{
			c.Kubebox, "kwok",
			"--config=" + file,
			"--kubeconfig=" + kubeconfig,
			"--manage-nodes-with-label-selector=" + fleetv1alpha1.LabelSimulated + "=true,!" + LabelSilent,
			"--cidr=" + pods.String(),
			"--server-address=" + address,
			fmt.Sprintf("--node-lease-duration-seconds=%.0f", simulatedLease.Seconds()),
		},
		Dir:     folder,
		Env:     []string{frugal, "GOMEMLIMIT=200MiB", "HOME=" + folder},
		LogFile: logFile(c.LogDir, name),
		After:   []string{c.APIServerName()},
		Ready:   func(ctx context.Context) error { return getOK(ctx, "http://"+address+"/healthz", "", "", "") },
	}, nil
}
