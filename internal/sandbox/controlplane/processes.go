// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controlplane

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
)

// Memory limits the Go runtimes aim at, far above what an idle sandbox needs:
// they bound garbage, not use.
const (
	apiServerMemory = "GOMEMLIMIT=900MiB"
	otherMemory     = "GOMEMLIMIT=300MiB"
	frugal          = "GOGC=50"
)

// APIServerName is the name of the API server's process.
func (c Cluster) APIServerName() string { return c.Name + "/kube-apiserver" }

// Processes are the cluster's processes in the order they start, etcd not
// among them.
func (c Cluster) Processes() []supervise.Process {
	processes := []supervise.Process{c.apiServer()}
	if c.ControllerManager {
		processes = append(processes, c.controllerManager())
	}
	if c.Scheduler {
		processes = append(processes, c.scheduler())
	}
	return processes
}

func (c Cluster) apiServer() supervise.Process {
	file := func(name string) string { return filepath.Join(c.pki(), name) }
	argv := []string{
		c.Kubebox, "kube-apiserver",
		"--bind-address=" + c.Bind,
		fmt.Sprintf("--secure-port=%d", c.Port),
		"--advertise-address=" + c.Address.String(),
		"--endpoint-reconciler-type=" + c.reconciler(),
		"--tls-cert-file=" + file("apiserver.crt"), "--tls-private-key-file=" + file("apiserver.key"),
		"--client-ca-file=" + file("ca.crt"),
		"--kubelet-certificate-authority=" + file("ca.crt"),
		"--kubelet-client-certificate=" + file("kubelet-client.crt"),
		"--kubelet-client-key=" + file("kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + file("front-proxy-ca.crt"),
		"--requestheader-allowed-names=" + frontProxyName,
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group", "--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + file("front-proxy-client.crt"), "--proxy-client-key-file=" + file("front-proxy-client.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + file("service-account.key"),
		"--service-account-signing-key-file=" + file("service-account.key"),
		"--service-cluster-ip-range=" + c.ServiceCIDR.String(),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--anonymous-auth=false",
		"--allow-privileged=true",
		"--profiling=false",
		"--max-requests-inflight=800", "--max-mutating-requests-inflight=400",
	}
	argv = append(argv, c.Etcd.flags(c.Name)...)
	if !c.ControllerManager {
		// Without a controller manager nobody makes the default service accounts,
		// and no pod could be created, and nobody takes the taint off new hosts.
		argv = append(argv, "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition")
	}
	if c.audited() {
		argv = append(argv,
			"--audit-policy-file="+c.auditPolicyFile(),
			"--audit-log-path="+c.Files().AuditLog,
			"--audit-log-maxsize=64", "--audit-log-maxbackup=2",
		)
	}
	if c.audited() && !c.Lean {
		argv = append(argv, "--audit-log-mode=batch", "--audit-log-batch-max-wait=2s")
	}
	argv = append(argv, c.APIServerFlags...)
	return supervise.Process{
		Name: c.APIServerName(), Argv: argv, Env: []string{apiServerMemory, frugal},
		LogFile: logFile(c.LogDir, c.APIServerName()),
		After:   []string{EtcdName},
		Ready: func(ctx context.Context) error {
			return getOK(ctx, c.url("127.0.0.1")+"/readyz", file("ca.crt"), file("kubelet-client.crt"), file("kubelet-client.key"))
		},
		StopSeconds: 15,
	}
}

// reconciler keeps the Service "kubernetes" without endpoints where the API
// server can only be reached over loopback, which may not be an endpoint.
func (c Cluster) reconciler() string {
	if c.Address.IsLoopback() {
		return "none"
	}
	return "master-count"
}

func (c Cluster) controllerManager() supervise.Process {
	name := c.Name + "/kube-controller-manager"
	controllers := c.Controllers
	if len(controllers) == 0 {
		controllers = []string{"*", "-node-route-controller", "-cloud-node-lifecycle-controller", "-service-lb-controller", "-node-ipam-controller",
			"-bootstrap-signer-controller", "-token-cleaner-controller", "-kube-apiserver-serving-clustertrustbundle-publisher-controller"}
	}
	return supervise.Process{
		Name: name,
		Argv: []string{
			c.Kubebox, "kube-controller-manager",
			"--kubeconfig=" + c.kubeconfig("controller-manager"),
			"--authentication-kubeconfig=" + c.kubeconfig("controller-manager"),
			"--authorization-kubeconfig=" + c.kubeconfig("controller-manager"),
			"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", c.ControllerPort),
			"--leader-elect=false",
			"--use-service-account-credentials=true",
			"--service-account-private-key-file=" + filepath.Join(c.pki(), "service-account.key"),
			"--root-ca-file=" + filepath.Join(c.pki(), "ca.crt"),
			"--cluster-signing-cert-file=" + filepath.Join(c.pki(), "ca.crt"),
			"--cluster-signing-key-file=" + filepath.Join(c.pki(), "ca.key"),
			"--controllers=" + strings.Join(controllers, ","),
			// Its default lies in /usr and would outlive the sandbox.
			"--flex-volume-plugin-dir=" + filepath.Join(c.Dir, "volume-plugins"),
			"--kube-api-qps=200", "--kube-api-burst=400",
			"--node-monitor-grace-period=" + hostGrace.String(), "--node-monitor-period=5s",
			"--profiling=false",
		},
		Env:     []string{otherMemory, frugal},
		LogFile: logFile(c.LogDir, name),
		After:   []string{c.APIServerName()},
		Ready:   c.healthz(c.ControllerPort),
	}
}

func (c Cluster) scheduler() supervise.Process {
	name := c.Name + "/kube-scheduler"
	return supervise.Process{
		Name: name,
		Argv: []string{
			c.Kubebox, "kube-scheduler",
			"--kubeconfig=" + c.kubeconfig("scheduler"),
			"--authentication-kubeconfig=" + c.kubeconfig("scheduler"),
			"--authorization-kubeconfig=" + c.kubeconfig("scheduler"),
			"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", c.SchedulerPort),
			"--leader-elect=false",
			"--kube-api-qps=200", "--kube-api-burst=400",
			"--profiling=false",
		},
		Env:     []string{otherMemory, frugal},
		LogFile: logFile(c.LogDir, name),
		After:   []string{c.APIServerName()},
		Ready:   c.healthz(c.SchedulerPort),
	}
}

// healthz asks a component that serves with a certificate of its own making.
func (c Cluster) healthz(port int) func(context.Context) error {
	return func(ctx context.Context) error {
		return getOK(ctx, fmt.Sprintf("https://127.0.0.1:%d/healthz", port), "", "", "")
	}
}

func logFile(dir, process string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, strings.ReplaceAll(process, "/", "-")+".log")
}
