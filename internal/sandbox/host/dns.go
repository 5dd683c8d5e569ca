// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// dnsUser is the account of the hosts' DNS servers in their cluster.
const dnsUser = "fairway-sandbox-dns"

// corefile is the configuration of the host's own DNS server: a CoreDNS on the
// host's address, to which all its pods' questions go. A host that is cut off
// still answers from what it knows; a pod's question never leaves the host, so
// NetworkPolicies (which do not concern a pod and its own host) cannot close
// it by accident. Names outside of the cluster do not exist, as in a bank's
// network without a way out.
func (h Host) corefile() string {
	domain := h.Cluster.domain()
	return fmt.Sprintf(`.:53 {
    bind %s
    errors
    ready %s:%d
    kubernetes %s in-addr.arpa {
        kubeconfig %s
        pods insecure
        ttl 5
    }
}
`, h.IP, h.IP, DNSHealthPort, domain, h.path("pki", "dns.kubeconfig"))
}

// DNSObjects is the right of the hosts' DNS servers to read services. Apply
// them to a cluster before its first host starts: a DNS server is ready, and
// names resolve, only from then on.
func DNSObjects() ([]*unstructured.Unstructured, error) {
	return toUnstructured(
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
