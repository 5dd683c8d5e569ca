// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
)

func (r *rendering) meta(name string, more ...string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: r.out.Namespace, Labels: r.labels(more...)}
}

// serviceAccount is the account of the application's pods. It has no rights and no token.
func (r *rendering) serviceAccount() string { return r.in.Content.Application }

func (r *rendering) namespace() {
	var frozen []FrozenComponent
	r.each(func(c component) { frozen = append(frozen, c.frozen) })
	standard, because := podSecurity(frozen)
	if because != "" {
		r.reason("", "v1/Namespace "+r.out.Namespace, "metadata.labels", Adapted,
			"the namespace enforces Pod Security %q instead of %q, since %s", podSecurityBaseline, podSecurityRestricted, because)
	}
	if r.served.Minor() < sincePodSecurity {
		r.reason("", "v1/Namespace "+r.out.Namespace, "metadata.labels", Missing,
			"version %s does not enforce Pod Security; only what Fairway renders is hardened", r.served.Version)
	}
	var pools []string
	for _, a := range r.in.Assignments {
		pools = append(pools, a.Cell.Pool)
	}
	slices.Sort(pools)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: r.out.Namespace,
		Labels: r.labels(
			"pod-security.kubernetes.io/enforce", standard,
			"pod-security.kubernetes.io/warn", podSecurityRestricted,
			"pod-security.kubernetes.io/audit", podSecurityRestricted,
		),
		Annotations: map[string]string{appv1.AnnotationPools: strings.Join(slices.Compact(pools), ",")},
	}}
	nsObject := object("v1", "Namespace", ns)
	delete(nsObject.Object, "spec")
	r.share(nsObject)
	r.share(object("v1", "ServiceAccount", &corev1.ServiceAccount{
		ObjectMeta: r.meta(r.serviceAccount()), AutomountServiceAccountToken: ptr.To(false),
	}))
}

// serviceName is the name under which a component of a DCN is called.
func serviceName(component, dcn string) string { return component + "-" + dcn }

// claimName is the name of a shared volume's claim: one per component and DCN.
func claimName(component, volume, dcn string) string { return component + "-" + volume + "-" + dcn }

func (r *rendering) claims() {
	r.each(func(c component) {
		for _, v := range c.Volumes {
			if v.Kind != appv1.VolumeShared {
				continue
			}
			if v.NFS != nil {
				r.reason(string(c.Name), "", "volumes["+v.Name+"].nfs", Refused,
					"an existing export cannot be mounted yet: Pod Security forbids it in pods; use a storage class for Shared volumes that provides it")
				continue
			}
			class, ok := r.in.StorageClasses[v.Kind]
			if !ok {
				r.noStorage(c, v)
				continue
			}
			for _, dcn := range c.dcns {
				claim := &corev1.PersistentVolumeClaim{
					ObjectMeta: r.meta(claimName(string(c.Name), v.Name, dcn), appv1.LabelComponent, string(c.Name), appv1.LabelDCN, dcn),
					Spec:       claimSpec(v, class),
				}
				claim.Annotations = prune(v)
				r.share(object("v1", "PersistentVolumeClaim", claim))
			}
		}
	})
}

func (r *rendering) noStorage(c component, v appv1.Volume) {
	r.reason(string(c.Name), "", "volumes["+v.Name+"]", Refused,
		"cluster %q has no storage class for %s volumes; name one in the Cluster's storageClasses or place the component elsewhere", r.in.Cluster, v.Kind)
}

func prune(v appv1.Volume) map[string]string {
	if v.Data == appv1.DataRegenerable {
		return nil
	}
	return map[string]string{appv1.AnnotationPrune: appv1.PruneNever}
}

func claimSpec(v appv1.Volume, class string) corev1.PersistentVolumeClaimSpec {
	mode := corev1.ReadWriteOnce
	switch {
	case v.Kind == appv1.VolumeShared && v.Access == appv1.AccessReadOnly:
		mode = corev1.ReadOnlyMany
	case v.Kind == appv1.VolumeShared:
		mode = corev1.ReadWriteMany
	}
	spec := corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{mode}, StorageClassName: &class,
	}
	if v.Size != nil {
		spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: v.Size.DeepCopy()}
	}
	return spec
}

func (r *rendering) services() {
	r.each(func(c component) {
		if len(c.Ports) == 0 || !runsForever(c.Component) {
			return
		}
		for _, dcn := range c.dcns {
			labels := []string{appv1.LabelComponent, string(c.Name), appv1.LabelDCN, dcn}
			r.share(object("v1", "Service", &corev1.Service{
				ObjectMeta: r.meta(serviceName(string(c.Name), dcn), labels...),
				Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, Selector: selector(labels...), Ports: servicePorts(c.Ports)},
			}))
			if HasIdentity(c.Component) {
				r.share(object("v1", "Service", &corev1.Service{
					ObjectMeta: r.meta(headlessName(string(c.Name), dcn), labels...),
					Spec: corev1.ServiceSpec{
						Type: corev1.ServiceTypeClusterIP, ClusterIP: corev1.ClusterIPNone, Selector: selector(labels...),
						Ports: servicePorts(c.Ports), PublishNotReadyAddresses: true,
					},
				}))
			}
		}
		for _, e := range r.in.Content.Spec.Exposure {
			if e.Component == c.Name && e.NodePort != nil {
				r.nodePort(c, e)
			}
		}
	})
}

// headlessName is the name of the service that gives each seat of a component with identity
// a name of its own.
func headlessName(component, dcn string) string { return serviceName(component, dcn) + "-seats" }

func (r *rendering) nodePort(c component, e appv1.Exposure) {
	field := "exposure[" + e.Name + "].nodePort"
	if len(c.dcns) > 1 {
		r.reason(string(c.Name), "", field, Refused,
			"cluster %q runs the component for %s, and one node port can serve only one DCN; place the DCNs in different clusters or leave nodePort out", r.in.Cluster, strings.Join(c.dcns, " and "))
		return
	}
	port, ok := named(c.Ports, string(e.Port), func(p appv1.Port) string { return string(p.Name) })
	if !ok {
		r.reason(string(c.Name), "", "exposure["+e.Name+"].port", Refused, "the component has no port %q; correct exposure[].port", e.Port)
		return
	}
	dcn := c.dcns[0]
	labels := []string{appv1.LabelComponent, string(c.Name), appv1.LabelDCN, dcn}
	spec := corev1.ServiceSpec{
		Type: corev1.ServiceTypeNodePort, Selector: selector(labels...),
		Ports: servicePorts([]appv1.Port{port}),
	}
	spec.Ports[0].NodePort = *e.NodePort
	if e.Affinity == appv1.AffinityClientIP {
		spec.SessionAffinity = corev1.ServiceAffinityClientIP
	}
	if len(e.Sources) > 0 {
		// The client's address must arrive for the sources to be told apart.
		spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
		r.reason(string(c.Name), "", "exposure["+e.Name+"].sources", Adapted,
			"with sources, the node port answers only on hosts that run an instance")
	}
	r.share(object("v1", "Service", &corev1.Service{
		ObjectMeta: r.meta(serviceName(string(c.Name), dcn)+"-"+e.Name, labels...), Spec: spec,
	}))
}

func servicePorts(ports []appv1.Port) []corev1.ServicePort {
	var out []corev1.ServicePort
	for _, p := range ports {
		out = append(out, corev1.ServicePort{
			Name: string(p.Name), Port: p.Port, Protocol: corev1.Protocol(p.Protocol), TargetPort: intstr.FromString(string(p.Name)),
		})
	}
	return out
}

// disruptionBudgets let at most one instance of a component and DCN be taken away at a time
// by maintenance of hosts.
func (r *rendering) disruptionBudgets() {
	apiVersion := "policy/v1"
	if !r.served.Kind(apiVersion, "PodDisruptionBudget") {
		apiVersion = "policy/v1beta1"
	}
	r.each(func(c component) {
		if !runsForever(c.Component) {
			return
		}
		for _, dcn := range c.dcns {
			labels := []string{appv1.LabelComponent, string(c.Name), appv1.LabelDCN, dcn}
			one := intstr.FromInt32(1)
			budget := &policyv1.PodDisruptionBudget{
				ObjectMeta: r.meta(serviceName(string(c.Name), dcn), labels...),
				Spec: policyv1.PodDisruptionBudgetSpec{
					MaxUnavailable: &one, Selector: &metav1.LabelSelector{MatchLabels: selector(labels...)},
				},
			}
			if r.served.has(fieldUnhealthyEvict) {
				budget.Spec.UnhealthyPodEvictionPolicy = ptr.To(policyv1.AlwaysAllow)
			}
			o := object(apiVersion, "PodDisruptionBudget", budget)
			if !r.served.has(fieldUnhealthyEvict) {
				r.reason(string(c.Name), describe(o), "spec.unhealthyPodEvictionPolicy", Missing,
					"version %s may refuse to evict instances that are not ready; maintenance of a host may need a person", r.served.Version)
			}
			r.share(o)
		}
	})
}
