// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
)

// Rule names one rule of the hardening table (R88). It hangs on a SecurityLevel.
type Rule string

const (
	// RunAsNonRoot refuses to start a process as root.
	RunAsNonRoot Rule = "RunAsNonRoot"
	// ReadOnlyRootFilesystem leaves only /tmp, declared volumes and log folders writable.
	ReadOnlyRootFilesystem Rule = "ReadOnlyRootFilesystem"
	// NoPrivilegeEscalation keeps a process from gaining rights, by setuid for example.
	NoPrivilegeEscalation Rule = "NoPrivilegeEscalation"
	// DropAllCapabilities takes every Linux capability away.
	DropAllCapabilities Rule = "DropAllCapabilities"
	// SeccompDefault limits system calls to the runtime's default list.
	SeccompDefault Rule = "SeccompDefault"
	// NoHostNamespaces keeps pods out of the host's network, processes and IPC.
	NoHostNamespaces Rule = "NoHostNamespaces"
	// NoServiceAccountToken keeps the cluster's credential out of pods.
	NoServiceAccountToken Rule = "NoServiceAccountToken"
)

const (
	podSecurityRestricted = "restricted"
	podSecurityBaseline   = "baseline"
)

// hardeningRule is a row of the hardening table.
type hardeningRule struct {
	rule Rule
	// restricted says that the Pod Security standard "restricted" demands the rule.
	restricted bool
	apply      func(*corev1.PodSpec)
}

// hardening is the one table: what each rule does to a pod with one container. The order is
// that of the documentation.
var hardening = []hardeningRule{
	{RunAsNonRoot, true, func(p *corev1.PodSpec) { p.SecurityContext.RunAsNonRoot = ptr.To(true) }},
	{ReadOnlyRootFilesystem, false, func(p *corev1.PodSpec) {
		secured(p).ReadOnlyRootFilesystem = ptr.To(true)
		writableTmp(p)
	}},
	{NoPrivilegeEscalation, true, func(p *corev1.PodSpec) { secured(p).AllowPrivilegeEscalation = ptr.To(false) }},
	{DropAllCapabilities, true, func(p *corev1.PodSpec) {
		secured(p).Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
	}},
	{SeccompDefault, true, func(p *corev1.PodSpec) {
		p.SecurityContext.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}},
	// The model has no word for the host's namespaces, so nothing needs to be taken away.
	{NoHostNamespaces, false, func(*corev1.PodSpec) {}},
	{NoServiceAccountToken, false, func(p *corev1.PodSpec) { p.AutomountServiceAccountToken = ptr.To(false) }},
}

// harden applies the rules to a pod. A rule that the table does not know is an error: it
// would otherwise be believed to hold.
func harden(pod *corev1.PodSpec, rules []Rule) error {
	for _, rule := range rules {
		if !slices.ContainsFunc(hardening, func(h hardeningRule) bool { return h.rule == rule }) {
			return fmt.Errorf("hardening rule %q is not known to this version; remove it from the security level or upgrade Fairway", rule)
		}
	}
	for _, h := range hardening {
		if slices.Contains(rules, h.rule) {
			h.apply(pod)
		}
	}
	return nil
}

// podSecurity is the strictest Pod Security standard that the namespace of the components
// can enforce without refusing their pods, and the component that keeps it from being
// stricter, if the level asks for more than its rules and exceptions allow.
func podSecurity(components []FrozenComponent) (standard string, because string) {
	standard = podSecurityRestricted
	for _, f := range components {
		if f.Level.PodSecurity != podSecurityRestricted {
			standard = podSecurityBaseline
			continue
		}
		for _, h := range hardening {
			if h.restricted && !slices.Contains(f.Rules(), h.rule) {
				return podSecurityBaseline, fmt.Sprintf("component %q does not obey %s", f.Name, h.rule)
			}
		}
	}
	return standard, ""
}

func secured(p *corev1.PodSpec) *corev1.SecurityContext {
	if p.Containers[0].SecurityContext == nil {
		p.Containers[0].SecurityContext = &corev1.SecurityContext{}
	}
	return p.Containers[0].SecurityContext
}

// writableTmp gives a pod with a read-only image 256 MiB in /tmp, unless it has a volume there.
func writableTmp(p *corev1.PodSpec) {
	for _, m := range p.Containers[0].VolumeMounts {
		if m.MountPath == "/tmp" {
			return
		}
	}
	p.Volumes = append(p.Volumes, corev1.Volume{Name: "fairway-tmp", VolumeSource: corev1.VolumeSource{
		EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: ptr.To(resource.MustParse("256Mi"))},
	}})
	p.Containers[0].VolumeMounts = append(p.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "fairway-tmp", MountPath: "/tmp"})
}
