// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
)

// DNS is the DNS server of one cluster: a CoreDNS in the machine's root
// namespace, which pods reach by the Service kube-system/kube-dns. One process
// per cluster instead of one per host saves about 30 MB per host; it survives
// the loss of any host and is out of reach with its data centre.
//
// It is no pod, so a NetworkPolicy allows it by address (Listen) or by port 53
// (its targetPort is Listen's port), not by the labels of kube-system pods.
type DNS struct {
	// Dir holds its configuration and certificate, LogDir its log.
	Dir, LogDir string
	// Kubebox is the path of the kubebox binary.
	Kubebox string
	// Listen is where it answers: the machine's address in the cluster's data
	// centre, and a port no other cluster there uses. It must not be a
	// loopback address.
	Listen netip.AddrPort
	// HealthPort answers /ready on 127.0.0.1.
	HealthPort uint16
	// Server is the API server's URL over 127.0.0.1, so that a cut hub link
	// does not cut the cluster's own DNS.
	Server string
	// Cluster gives name, authority, ClusterIP (DNS) and domain.
	Cluster Cluster
}

// dnsUser is the account of the DNS server in its cluster.
const dnsUser = "fairway-sandbox-dns"

// corefile answers for the cluster's services and pods; other names do not
// exist, as in a bank's network without a way out.
func (d DNS) corefile() string {
	return fmt.Sprintf(`.:%d {
    bind %s
    errors
    ready 127.0.0.1:%d
    kubernetes %s in-addr.arpa {
        kubeconfig %s
        pods insecure
        ttl 5
    }
    cache 5 {
        disable success %s
        disable denial %s
    }
}
`, d.Listen.Port(), d.Listen.Addr(), d.HealthPort, d.Cluster.domain(), filepath.Join(d.Dir, "dns.kubeconfig"), d.Cluster.domain(), d.Cluster.domain())
}

// Prepare writes the server's files.
func (d DNS) Prepare() error {
	if err := os.MkdirAll(d.Dir, 0o755); err != nil {
		return fmt.Errorf("could not prepare the DNS of cluster %q: %w", d.Cluster.Name, err)
	}
	pair, err := d.Cluster.Authority.IssueFile(d.Dir, "dns", pki.Request{CommonName: dnsUser})
	if err != nil {
		return err
	}
	content, err := pki.Kubeconfig(d.Cluster.Name, dnsUser, d.Server, d.Cluster.Authority.CertPEM(), pair)
	if err != nil {
		return err
	}
	if err := pki.WriteFile(filepath.Join(d.Dir, "dns.kubeconfig"), content); err != nil {
		return err
	}
	return pki.WriteFile(filepath.Join(d.Dir, "Corefile"), []byte(d.corefile()))
}

// Process is the DNS server. It becomes ready only after Objects are applied,
// since it needs their rights.
func (d DNS) Process() supervise.Process {
	url := fmt.Sprintf("http://127.0.0.1:%d/ready", d.HealthPort)
	return supervise.Process{
		Name:    d.Cluster.Name + "/dns",
		Argv:    []string{d.Kubebox, "coredns", "-conf", filepath.Join(d.Dir, "Corefile")},
		Env:     []string{"GOMEMLIMIT=64MiB", frugal},
		Dir:     d.Dir,
		LogFile: filepath.Join(d.LogDir, d.Cluster.Name+"-dns.log"),
		Ready:   func(ctx context.Context) error { return getOK(ctx, url) },
	}
}

// Objects are what the cluster needs to find its DNS server: the Service with
// the address by hand, and the right to read services.
func (d DNS) Objects() ([]*unstructured.Unstructured, error) {
	labels := map[string]string{"k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"}
	port := int32(d.Listen.Port())
	sliceLabels := map[string]string{
		discoveryv1.LabelServiceName: "kube-dns",
		discoveryv1.LabelManagedBy:   "fairway-sandbox",
	}
	servicePort := func(name string, protocol corev1.Protocol) corev1.ServicePort {
		return corev1.ServicePort{Name: name, Protocol: protocol, Port: 53, TargetPort: intstr.FromInt32(port)}
	}
	slicePort := func(name string, protocol corev1.Protocol) discoveryv1.EndpointPort {
		return discoveryv1.EndpointPort{Name: ptr.To(name), Protocol: ptr.To(protocol), Port: ptr.To(port)}
	}
	return toUnstructured(
		&corev1.Service{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-dns", Labels: labels},
			Spec: corev1.ServiceSpec{
				ClusterIP: d.Cluster.DNS.String(),
				Ports:     []corev1.ServicePort{servicePort("dns", corev1.ProtocolUDP), servicePort("dns-tcp", corev1.ProtocolTCP)},
			},
		},
		&discoveryv1.EndpointSlice{
			TypeMeta:    metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
			ObjectMeta:  metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-dns-fairway-sandbox", Labels: sliceLabels},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints: []discoveryv1.Endpoint{{
				Addresses:  []string{d.Listen.Addr().String()},
				Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true), Serving: ptr.To(true), Terminating: ptr.To(false)},
			}},
			Ports: []discoveryv1.EndpointPort{slicePort("dns", corev1.ProtocolUDP), slicePort("dns-tcp", corev1.ProtocolTCP)},
		},
		&rbacv1.ClusterRole{
			TypeMeta:   metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole"},
			ObjectMeta: metav1.ObjectMeta{Name: dnsUser},
			Rules: []rbacv1.PolicyRule{
				{APIGroups: []string{""}, Resources: []string{"services", "namespaces"}, Verbs: []string{"list", "watch"}},
				{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"list", "watch"}},
			},
		},
		&rbacv1.ClusterRoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRoleBinding"},
			ObjectMeta: metav1.ObjectMeta{Name: dnsUser},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: dnsUser}},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: dnsUser},
		},
	)
}
