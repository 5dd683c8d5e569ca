// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package kubetest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
)

// WithSimulator plays the hosts of each cluster that carry the label of simulated hosts:
// they are ready as long as they carry it, and what is bound to them runs.
func WithSimulator() Option { return func(o *options) { o.simulator = true } }

// simulate starts what plays a cluster's hosts.
func (f *fleet) simulate(ctx context.Context, c *Cluster) error {
	stages, err := exec.CommandContext(ctx, c.plane.Kubebox, "kwok-stages").Output()
	if err != nil {
		return fmt.Errorf("could not print the simulator's stages: %w", err)
	}
	file := func(name string) string { return filepath.Join(f.dir, c.Name+"-"+name) }
	if err := os.WriteFile(file("stages.yaml"), stages, 0o600); err != nil {
		return fmt.Errorf("could not write the simulator's stages: %w", err)
	}
	if err := os.WriteFile(file("simulator.kubeconfig"), c.kubeconfig, 0o600); err != nil {
		return fmt.Errorf("could not write the simulator's kubeconfig: %w", err)
	}
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	address := fmt.Sprintf("127.0.0.1:%d", ports[0])
	p, err := run(supervise.Process{
		Name: c.Name + "/simulator",
		Argv: []string{
			c.plane.Kubebox, "kwok",
			"--config=" + file("stages.yaml"),
			"--kubeconfig=" + file("simulator.kubeconfig"),
			"--manage-nodes-with-label-selector=" + fleetv1.LabelSimulated + "=true",
			"--cidr=" + c.plane.PodCIDR.String(),
			"--server-address=" + address,
			"--node-lease-duration-seconds=120",
		},
		Env:     []string{"GOGC=50", "HOME=" + f.dir},
		LogFile: filepath.Join(c.plane.LogDir, c.Name+"-simulator.log"),
		Ready:   func(ctx context.Context) error { return healthy(ctx, "http://"+address+"/healthz") },
	})
	if err != nil {
		return err
	}
	f.processes = append(f.processes, p)
	return p.wait(ctx, startTimeout)
}

func healthy(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, answer.Status)
	}
	return nil
}
