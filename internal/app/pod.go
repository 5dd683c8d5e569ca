// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// instanceFolder is where an instance finds its own labels, seat and revision among them,
// as lines key="value" in the file "labels". They change while the instance runs.
const instanceFolder = "/etc/fairway/instance"

// podLabels are on the pods of a component in a cell. The revision is not among them: it
// changes with every component, and would restart all.
func (r *rendering) podLabels(c component, a Assignment) map[string]string {
	return r.labels(
		appv1.LabelComponent, string(c.Name), appv1.LabelDCN, a.Cell.DCN,
		appv1.LabelCell, CellHash(a.Cell), appv1.LabelTemplate, canonical.Short(c.frozen.TemplateDigest, 8),
	)
}

// workloadSelector selects the pods of one workload. A workload that is updated in place
// holds pods of several templates.
func workloadSelector(c component, a Assignment) map[string]string {
	out := selector(appv1.LabelComponent, string(c.Name), appv1.LabelCell, CellHash(a.Cell))
	if !HasIdentity(c.Component) {
		out[appv1.LabelTemplate] = canonical.Short(c.frozen.TemplateDigest, 8)
	}
	return out
}

func (r *rendering) pod(c component, a Assignment, name, about string) (corev1.PodTemplateSpec, error) {
	container := corev1.Container{
		Name: string(c.Name), Image: c.Image, ImagePullPolicy: corev1.PullIfNotPresent,
		Command: c.Command, Args: c.Args, WorkingDir: c.WorkingDirectory,
		Env: r.env(c, a), Resources: resources(c.Resources),
	}
	for _, p := range c.Ports {
		container.Ports = append(container.Ports, corev1.ContainerPort{Name: string(p.Name), ContainerPort: p.Port, Protocol: corev1.Protocol(p.Protocol)})
	}
	spec := corev1.PodSpec{
		Containers:         []corev1.Container{container},
		ServiceAccountName: r.serviceAccount(),
		EnableServiceLinks: ptr.To(false),
		SecurityContext:    &corev1.PodSecurityContext{},
		Affinity:           &corev1.Affinity{NodeAffinity: onProcessors(cellAffinity(a.Cell), c.frozen.Architectures)},
		Tolerations:        tolerations(a, unreachable(c.Component, r.in.Content.Class)),
	}
	if secret := r.in.Content.Spec.PullSecret; secret != "" {
		spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: r.secret(secret)}}
	}
	setUser(&spec, c.User)
	r.volumes(c, a, name, about, &spec)
	if runsForever(c.Component) {
		r.probes(c, about, &spec)
		r.shutdown(c, about, &spec)
		r.spread(c, a, about, &spec)
	} else {
		spec.RestartPolicy = corev1.RestartPolicyNever
	}
	r.boundHosts(c, a, about, &spec)
	r.keepApart(c, &spec)
	if err := harden(&spec, c.frozen.Rules()); err != nil {
		return corev1.PodTemplateSpec{}, err
	}
	meta := metav1.ObjectMeta{Labels: r.podLabels(c, a)}
	if spec.SecurityContext.SeccompProfile != nil && !r.served.has(fieldSeccomp) {
		spec.SecurityContext.SeccompProfile = nil
		meta.Annotations = map[string]string{"seccomp.security.alpha.kubernetes.io/pod": "runtime/default"}
		r.reason(string(c.Name), about, "spec.template.spec.securityContext.seccompProfile", Adapted,
			"version %s takes the seccomp profile as an annotation; the effect is the same", r.served.Version)
	}
	if c.diskIO != "" {
		if meta.Annotations == nil {
			meta.Annotations = map[string]string{}
		}
		meta.Annotations[annotationDiskIO] = c.diskIO
	}
	return corev1.PodTemplateSpec{ObjectMeta: meta, Spec: spec}, nil
}

// cellAffinity pins pods to the hosts of a cell: those of its pool in its rack.
func cellAffinity(cell placementv1.Cell) *corev1.NodeAffinity {
	return &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: fleetv1.LabelPool, Operator: corev1.NodeSelectorOpIn, Values: []string{cell.Pool}},
			{Key: fleetv1.LabelRack, Operator: corev1.NodeSelectorOpIn, Values: []string{cell.Rack}},
		}}},
	}}
}

func tolerations(a Assignment, unreachableSeconds int64) []corev1.Toleration {
	out := []corev1.Toleration{{
		Key: fleetv1.TaintPool, Operator: corev1.TolerationOpEqual, Value: a.Cell.Pool, Effect: corev1.TaintEffectNoSchedule,
	}}
	if a.Simulated {
		out = append(out, corev1.Toleration{
			Key: fleetv1.LabelSimulated, Operator: corev1.TolerationOpEqual, Value: "true", Effect: corev1.TaintEffectNoSchedule,
		})
	}
	for _, key := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		out = append(out, corev1.Toleration{
			Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &unreachableSeconds,
		})
	}
	return out
}

func setUser(spec *corev1.PodSpec, u *appv1.User) {
	if u == nil {
		return
	}
	spec.SecurityContext.RunAsUser, spec.SecurityContext.RunAsGroup, spec.SecurityContext.FSGroup = u.UID, u.GID, u.GID
	if u.VolumeGID != nil {
		spec.SecurityContext.FSGroup = u.VolumeGID
	}
}

func resources(in *appv1.Resources) corev1.ResourceRequirements {
	size, ok := SizeOf(in)
	if !ok {
		return corev1.ResourceRequirements{}
	}
	out := corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: size.CPU, corev1.ResourceMemory: size.Memory},
		Limits:   corev1.ResourceList{corev1.ResourceCPU: size.CPULimit, corev1.ResourceMemory: size.MemoryLimit},
	}
	if size.EphemeralStorage != nil {
		out.Requests[corev1.ResourceEphemeralStorage] = *size.EphemeralStorage
		out.Limits[corev1.ResourceEphemeralStorage] = *size.EphemeralStorage
	}
	return out
}

// secret is the name that a Secret of the hub has in the member; it changes with the content.
func (r *rendering) secret(name string) string {
	member := name
	if version, ok := r.in.Content.SecretVersions[name]; ok {
		member += "-" + hash8(name, version)
	}
	r.out.Secrets = append(r.out.Secrets, SecretCopy{Name: name, MemberName: member})
	return member
}

func (r *rendering) env(c component, a Assignment) []corev1.EnvVar {
	content := r.in.Content
	out := []corev1.EnvVar{
		{Name: "FAIRWAY_TENANT", Value: content.Tenant},
		{Name: "FAIRWAY_ENVIRONMENT", Value: content.Environment},
		{Name: "FAIRWAY_APPLICATION", Value: content.Application},
		{Name: "FAIRWAY_COMPONENT", Value: string(c.Name)},
		{Name: "FAIRWAY_DCN", Value: a.Cell.DCN},
		{Name: "FAIRWAY_DATA_CENTER", Value: r.in.DataCenter},
		{Name: "FAIRWAY_CLUSTER", Value: a.Cell.Cluster},
		{Name: "FAIRWAY_ZONE", Value: a.Cell.Zone},
		{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "status.podIP"}}},
	}
	for _, d := range c.deps {
		prefix := "FAIRWAY_DEPENDENCY_" + d.Variable
		out = append(out, corev1.EnvVar{Name: prefix + "_URL", Value: r.address(d, a.Cell.DCN)})
		if d.Secret != "" {
			for _, key := range []string{"username", "password"} {
				out = append(out, r.fromSecret(prefix+"_"+strings.ToUpper(key), d.Secret, key))
			}
		}
	}
	if c.JVM != nil {
		out = append(out, corev1.EnvVar{Name: "JAVA_TOOL_OPTIONS", Value: javaOptions(*c.JVM)})
	}
	for _, e := range c.Env {
		switch {
		case e.Secret != nil:
			out = append(out, r.fromSecret(e.Name, e.Secret.Name, e.Secret.Key))
		case e.Value != nil:
			out = append(out, corev1.EnvVar{Name: e.Name, Value: literal(*e.Value)})
		}
	}
	return out
}

// literal keeps the member from expanding $(NAME) within a value.
func literal(value string) string { return strings.ReplaceAll(value, "$(", "$$(") }

func (r *rendering) fromSecret(name, secret, key string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: r.secret(secret)}, Key: key,
	}}}
}

// address is the URL of a dependency as the caller's DCN sees it.
func (r *rendering) address(d target, dcn string) string {
	host := d.Address
	switch {
	case d.Component != "":
		host = serviceName(d.Component, dcn) + "." + r.out.Namespace
	case host == "" && d.Application != nil:
		tenant := d.Application.Tenant
		if tenant == "" {
			tenant = r.in.Content.Tenant
		}
		host = serviceName(string(d.Application.Component), dcn) + "." + MemberNamespace(tenant, r.in.Content.Environment, d.Application.Name)
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]" // IPv6
	}
	return fmt.Sprintf("%s://%s:%d", d.Scheme, host, d.Port)
}

// javaOptions makes the heap follow the memory limit (R09).
func javaOptions(j appv1.JVM) string {
	out := []string{fmt.Sprintf("-XX:MaxRAMPercentage=%d.0", j.HeapPercent)}
	if j.MaxMetaspace != nil {
		out = append(out, fmt.Sprintf("-XX:MaxMetaspaceSize=%d", j.MaxMetaspace.Value()))
	}
	if j.MaxDirectMemory != nil {
		out = append(out, fmt.Sprintf("-XX:MaxDirectMemorySize=%d", j.MaxDirectMemory.Value()))
	}
	if j.OnOutOfMemory != appv1.OutOfMemoryContinue {
		out = append(out, "-XX:+ExitOnOutOfMemoryError")
	}
	return strings.Join(append(out, j.Options...), " ")
}

func (r *rendering) probes(c component, about string, spec *corev1.PodSpec) {
	if c.Probes == nil {
		return
	}
	container := &spec.Containers[0]
	container.ReadinessProbe = probe(c.Component, c.Probes.Readiness, false)
	container.LivenessProbe = probe(c.Component, c.Probes.Liveness, true)
	if c.Probes.Startup == nil {
		return
	}
	if r.served.has(fieldStartupProbe) {
		container.StartupProbe = probe(c.Component, c.Probes.Startup, true)
		return
	}
	s := c.Probes.Startup
	wait := s.InitialDelaySeconds + s.PeriodSeconds*s.FailureThreshold
	if container.LivenessProbe != nil {
		container.LivenessProbe.InitialDelaySeconds = max(container.LivenessProbe.InitialDelaySeconds, wait)
	}
	r.reason(string(c.Name), about, "spec.template.spec.containers.startupProbe", Adapted,
		"version %s has no startup probe; liveness waits %d seconds instead, as long as starting may take", r.served.Version, wait)
}

// probe turns a question into Kubernetes' form. Only readiness may ask for several yeses.
func probe(c appv1.Component, p *appv1.Probe, once bool) *corev1.Probe {
	if p == nil {
		return nil
	}
	out := &corev1.Probe{
		InitialDelaySeconds: p.InitialDelaySeconds, PeriodSeconds: p.PeriodSeconds, TimeoutSeconds: p.TimeoutSeconds,
		FailureThreshold: p.FailureThreshold, SuccessThreshold: p.SuccessThreshold,
	}
	if once {
		out.SuccessThreshold = 1
	}
	switch {
	case p.HTTP != nil:
		scheme := corev1.URISchemeHTTP
		if port, ok := named(c.Ports, string(p.HTTP.Port), func(p appv1.Port) string { return string(p.Name) }); ok && port.Scheme == appv1.SchemeHTTPS {
			scheme = corev1.URISchemeHTTPS
		}
		out.HTTPGet = &corev1.HTTPGetAction{Path: p.HTTP.Path, Port: intstr.FromString(string(p.HTTP.Port)), Scheme: scheme}
	case p.TCP != nil:
		out.TCPSocket = &corev1.TCPSocketAction{Port: intstr.FromString(string(p.TCP.Port))}
	case p.Exec != nil:
		out.Exec = &corev1.ExecAction{Command: p.Exec.Command}
	}
	return out
}

// shutdown takes an instance out of traffic, lets it serve on for the drain, then stops it.
func (r *rendering) shutdown(c component, about string, spec *corev1.PodSpec) {
	drain, grace := int64(10), int64(30)
	var command []string
	if s := c.Shutdown; s != nil {
		if s.DrainSeconds != nil {
			drain = int64(*s.DrainSeconds)
		}
		if s.GraceSeconds != nil {
			grace = int64(*s.GraceSeconds)
		}
		command = s.DrainCommand
	}
	spec.TerminationGracePeriodSeconds = ptr.To(drain + grace)
	field := "spec.template.spec.containers.lifecycle.preStop"
	switch {
	case drain == 0:
	case r.served.has(fieldSleep):
		spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: drain}}}
	case len(command) > 0:
		spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: command}}}
		r.reason(string(c.Name), about, field, Adapted,
			"version %s cannot wait before it stops an instance; shutdown.drainCommand waits in its place", r.served.Version)
	default:
		r.reason(string(c.Name), about, field, Missing,
			"version %s cannot wait before it stops an instance, so the drain of %d seconds is left to the process; name shutdown.drainCommand to wait it out", r.served.Version, drain)
	}
}

// spread keeps instances of one workload apart inside the cell, as far as hosts allow: a
// lost host must not keep its instances from coming back elsewhere.
func (r *rendering) spread(c component, a Assignment, about string, spec *corev1.PodSpec) {
	selects := &metav1.LabelSelector{MatchLabels: workloadSelector(c, a)}
	if r.served.has(fieldTopologySpread) {
		spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway, LabelSelector: selects,
		}}
	} else if c.MaxPerHost == nil || *c.MaxPerHost != 1 {
		spec.Affinity.PodAntiAffinity = &corev1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
			Weight: 100, PodAffinityTerm: corev1.PodAffinityTerm{LabelSelector: selects, TopologyKey: corev1.LabelHostname},
		}}}
		r.reason(string(c.Name), about, "spec.template.spec.topologySpreadConstraints", Adapted,
			"version %s cannot spread evenly; instances prefer hosts without one of their kind", r.served.Version)
	}
}

// covered says whether a path lies in one of the places that are mounted already.
func covered(mounts []corev1.VolumeMount, folder string) bool {
	return slices.ContainsFunc(mounts, func(m corev1.VolumeMount) bool {
		return !m.ReadOnly && (m.MountPath == folder || strings.HasPrefix(folder, path.Clean(m.MountPath)+"/"))
	})
}
