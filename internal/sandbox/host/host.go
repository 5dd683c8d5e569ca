// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
)

// endTimeout bounds how long the kernel may take to end killed processes.
const endTimeout = 20 * time.Second

// Prepare writes the host's files and makes its control groups. It is safe to
// repeat and while the host runs. When nothing of the host runs it is a boot:
// what an earlier run left in memory (mounts, sockets, pod addresses) is wiped
// first.
func (h Host) Prepare(ctx context.Context) error {
	if err := h.Validate(); err != nil {
		return err
	}
	alive, err := h.Alive()
	if err != nil {
		return err
	}
	if !alive {
		if err := h.wipe(ctx); err != nil {
			return err
		}
		if err := h.loadFirstRules(ctx); err != nil {
			return err
		}
	}
	for _, dir := range []string{h.run(), h.path("cni"), h.path("log"), h.path("pki"), h.path("kubelet", "volume-plugins"), h.path("local"), h.LogDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("could not prepare host %q: %w", h.Name, err)
		}
	}
	for _, group := range []string{h.CgroupRoot(), h.cgroupSystem()} {
		if err := ensureCgroup(group); err != nil {
			return fmt.Errorf("could not prepare host %q: %w", h.Name, err)
		}
	}
	if err := h.writeCredentials(); err != nil {
		return fmt.Errorf("could not prepare host %q: %w", h.Name, err)
	}
	if err := h.writeFiles(); err != nil {
		return fmt.Errorf("could not prepare host %q: %w", h.Name, err)
	}
	return nil
}

func (h Host) writeFiles() error {
	files := map[string][]byte{
		h.path("containerd.toml"): []byte(h.containerdConfig()),
		h.path("Corefile"):        []byte(h.corefile()),
		// Pods that ask for the host's own resolver get the cluster's.
		h.path("resolv.conf"): []byte("nameserver " + h.IP.String() + "\n"),
		h.path("machine-id"):  []byte(fingerprint(h.Sandbox, h.Name) + "\n"),
	}
	for path, value := range map[string]any{
		h.path("kubelet.yaml"):               h.kubeletConfig(),
		h.path("proxy.yaml"):                 h.proxyConfig(),
		h.path("cni", "10-fairway.conflist"): h.cniConfig(),
	} {
		data, err := yaml.Marshal(value)
		if err == nil && strings.HasSuffix(path, ".conflist") {
			data, err = yaml.YAMLToJSON(data)
		}
		if err != nil {
			return err
		}
		files[path] = data
	}
	for _, r := range h.Registries {
		dir := h.path("certs.d", r.Name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		files[filepath.Join(dir, "hosts.toml")] = []byte(registryFile(r))
	}
	if _, err := os.Stat(h.run("boot-id")); errors.Is(err, fs.ErrNotExist) {
		var id [16]byte
		if _, err := rand.Read(id[:]); err != nil {
			return err
		}
		files[h.run("boot-id")] = []byte(hex.EncodeToString(id[:]) + "\n")
	}
	for path, content := range files {
		if err := pki.WriteFile(path, content); err != nil {
			return err
		}
	}
	return nil
}

// loadFirstRules runs before any pod can, so that none is open for a moment.
func (h Host) loadFirstRules(ctx context.Context) error {
	if h.FirstRules == "" {
		return nil
	}
	cmd := exec.CommandContext(ctx, "nsenter", "--net="+h.NetNS, "--", "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(h.FirstRules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("could not load the first rules of host %q: %w: %s", h.Name, err, out)
	}
	return nil
}

// fingerprint is a stable id of the form of /etc/machine-id.
func fingerprint(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "/")))
	return hex.EncodeToString(sum[:16])
}

// Alive tells whether any process of the host is left.
func (h Host) Alive() (bool, error) {
	pids, err := members(h.CgroupRoot())
	return len(pids) > 0, err
}

// PowerOff ends everything that runs on the host, containers included, and
// forgets what a machine without power forgets. The disk (images, volumes,
// certificates) stays. With a grace, containers are first asked to end.
//
// The supervisor must have let go of the host's processes. Afterwards the
// caller removes the namespace (network.HostDown).
func (h Host) PowerOff(ctx context.Context, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, endTimeout+grace)
	defer cancel()
	if grace > 0 {
		// Containers before their shims, so that none is left half ended.
		if err := endGroup(ctx, filepath.Join(h.CgroupRoot(), "kubepods"), grace); err != nil {
			return fmt.Errorf("could not stop the pods of host %q: %w", h.Name, err)
		}
	}
	if err := endGroup(ctx, h.CgroupRoot(), 0); err != nil {
		return fmt.Errorf("could not power off host %q: %w", h.Name, err)
	}
	if err := h.wipe(ctx); err != nil {
		return fmt.Errorf("could not power off host %q: %w", h.Name, err)
	}
	return nil
}

// wipe does what a loss of power does to a host of which nothing runs any
// more: mounts, sockets, runtime state and control groups go.
func (h Host) wipe(ctx context.Context) error {
	if err := unmountBelow(h.Dir); err != nil {
		return err
	}
	h.removeShimSockets()
	h.removeTraces()
	if err := os.RemoveAll(h.run()); err != nil {
		return fmt.Errorf("could not empty %q: %w", h.run(), err)
	}
	if err := removeCgroup(ctx, h.CgroupRoot()); err != nil {
		return err
	}
	removeEmptyCgroups(filepath.Dir(h.CgroupRoot()))
	return nil
}

// Remove powers the host off and removes its disk. It needs no more than the
// sandbox, the name and the folder.
func (h Host) Remove(ctx context.Context, grace time.Duration) error {
	if err := h.PowerOff(ctx, grace); err != nil {
		return err
	}
	if !filepath.IsAbs(h.Dir) || filepath.Clean(h.Dir) == "/" {
		return fmt.Errorf("could not remove host %q: folder %q is none of its own", h.Name, h.Dir)
	}
	if err := os.RemoveAll(h.Dir); err != nil {
		return fmt.Errorf("could not remove host %q: %w", h.Name, err)
	}
	return nil
}
