// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fairway-cloud/fairway/internal/sandbox/host"
	"github.com/fairway-cloud/fairway/internal/sandbox/netpol"
	"github.com/fairway-cloud/fairway/internal/sandbox/netpol/agent"
	"github.com/fairway-cloud/fairway/internal/sandbox/network"
	"github.com/fairway-cloud/fairway/internal/sandbox/state"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

const (
	policyUser = "fairway-sandbox-netpol"
	// policyCheck is how often the agent looks for hosts that came back with
	// an empty namespace; a booting host waits that long for its rules.
	policyCheck = time.Second
	// policyWait bounds how long a booting host waits.
	policyWait = 30 * time.Second
)

func policyProcess(cluster string) string { return cluster + "/netpol" }

// policyAgent starts what enforces a cluster's NetworkPolicies on its hosts.
func (s *Sandbox) policyAgent(c topology.ClusterPlan) error {
	if len(s.Plan.HostsOf(topology.Real, c.Name)) == 0 {
		return nil
	}
	kubeconfig, err := s.planes[c.Name].LocalKubeconfig("netpol", policyUser)
	if err != nil {
		return err
	}
	return s.Supervise(supervise.Process{
		Name: policyProcess(c.Name),
		Argv: []string{
			s.Options.Self, "sandbox", "netpol", "--name=" + s.Plan.Sandbox, "--state=" + s.Options.Folder.Root,
			"--cluster=" + c.Name, "--kubeconfig=" + kubeconfig,
		},
		Env:     []string{"GOGC=50", "GOMEMLIMIT=100MiB"},
		LogFile: s.LogFile(c.Name + "-netpol"),
		After:   []string{s.planes[c.Name].APIServerName()},
	})
}

// RunPolicyAgent enforces the NetworkPolicies of one cluster on its real hosts
// until ctx ends.
func RunPolicyAgent(ctx context.Context, folder state.Folder, cluster, kubeconfig string) error {
	plan, _, err := folder.Plan()
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("could not read the kubeconfig of the network policy agent: %w", err)
	}
	var hosts []agent.Host
	for _, h := range plan.HostsOf(topology.Real, cluster) {
		hosts = append(hosts, agent.Host{Node: h.Name, NetNS: network.NamespacePath(plan.Sandbox, h.Name), PodCIDRs: []netip.Prefix{h.PodCIDR}})
	}
	return agent.Run(ctx, agent.Config{REST: config, Hosts: hosts, PodRanges: []netip.Prefix{plan.PodCIDR}, Check: policyCheck})
}

// awaitPolicies returns when the host's namespace has rules: from then on no
// pod is open before the agent has seen it.
func awaitPolicies(ctx context.Context, h host.Host) error {
	ctx, cancel := context.WithTimeout(ctx, policyWait)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := exec.CommandContext(ctx, "nsenter", "--net="+h.NetNS, "--", "nft", "list", "chain", "inet", netpol.Table, "forward").Run()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("could not boot host %q, whose network policies are not enforced: see the log of %s/netpol: %w", h.Name, h.Cluster.Name, err)
		case <-ticker.C:
		}
	}
}

// policyObjects are the rights of the agent.
func policyObjects() ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for _, object := range []runtime.Object{
		&rbacv1.ClusterRole{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
			ObjectMeta: metav1.ObjectMeta{Name: policyUser},
			Rules: []rbacv1.PolicyRule{
				{APIGroups: []string{""}, Resources: []string{"pods", "namespaces"}, Verbs: []string{"list", "watch"}},
				{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"networkpolicies"}, Verbs: []string{"list", "watch"}},
			},
		},
		&rbacv1.ClusterRoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding"},
			ObjectMeta: metav1.ObjectMeta{Name: policyUser},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: policyUser}},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: policyUser},
		},
	} {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return nil, fmt.Errorf("could not convert %T: %w", object, err)
		}
		objects = append(objects, &unstructured.Unstructured{Object: content})
	}
	return objects, nil
}
