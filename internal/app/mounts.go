// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"fmt"
	"path"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// volumes mounts what a component reads and writes: its own labels, configuration, secrets,
// declared volumes and log folders.
func (r *rendering) volumes(c component, a Assignment, workload, about string, spec *corev1.PodSpec) {
	container := &spec.Containers[0]
	add := func(name, at string, readOnly bool, source corev1.VolumeSource) {
		spec.Volumes = append(spec.Volumes, corev1.Volume{Name: name, VolumeSource: source})
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: path.Clean(at), ReadOnly: readOnly})
	}
	add("fairway-instance", instanceFolder, true, corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{
		Items: []corev1.DownwardAPIVolumeFile{{Path: "labels", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.labels"}}},
	}})
	for _, set := range c.Configuration {
		add("c-"+set.Name, set.MountPath, true, corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: configName(c, set, a, workload)},
		}})
	}
	for _, s := range c.Secrets {
		add("s-"+s.Name, s.MountPath, true, corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
			SecretName: r.secret(s.Name), DefaultMode: ptr.To[int32](0o440),
		}})
	}
	for _, v := range c.Volumes {
		readOnly := v.Access == appv1.AccessReadOnly
		if !perSeat(c, v) {
			add("v-"+v.Name, v.MountPath, readOnly, r.source(c, v, a, about))
			continue
		}
		// The claim comes from the workload's claim template of the same name.
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: "v-" + v.Name, MountPath: path.Clean(v.MountPath), ReadOnly: readOnly})
	}
	for i, folder := range logFolders(c.Component) {
		if !covered(container.VolumeMounts, folder) {
			add(fmt.Sprintf("l-%d", i), folder, false, corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
		}
	}
	if c.DNS != nil {
		if len(c.DNS.Servers)+len(c.DNS.Searches) > 0 {
			spec.DNSConfig = &corev1.PodDNSConfig{Nameservers: c.DNS.Servers, Searches: c.DNS.Searches}
		}
		for _, h := range c.DNS.Hosts {
			spec.HostAliases = append(spec.HostAliases, corev1.HostAlias{IP: h.IP, Hostnames: h.Names})
		}
	}
}

// perSeat says whether each seat has a volume of its own that outlives its pod.
func perSeat(c component, v appv1.Volume) bool {
	return HasIdentity(c.Component) && (v.Kind == appv1.VolumeLocal || v.Kind == appv1.VolumeBlock)
}

func (r *rendering) source(c component, v appv1.Volume, a Assignment, about string) corev1.VolumeSource {
	empty := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	if v.Size != nil {
		empty.EmptyDir.SizeLimit = ptr.To(v.Size.DeepCopy())
	}
	if v.Medium == appv1.MediumMemory {
		empty.EmptyDir.Medium = corev1.StorageMediumMemory
	}
	switch v.Kind {
	case appv1.VolumeShared:
		return corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{
			ClaimName: claimName(string(c.Name), v.Name, a.Cell.DCN), ReadOnly: v.Access == appv1.AccessReadOnly,
		}}
	case appv1.VolumeLocal, appv1.VolumeBlock:
		// Data that can be made again, of instances without identity.
		class, ok := r.in.StorageClasses[v.Kind]
		if !ok {
			r.noStorage(c, v)
			return empty
		}
		if !r.served.has(fieldEphemeralVolume) {
			r.reason(string(c.Name), about, "spec.template.spec.volumes.ephemeral", Adapted,
				"version %s has no volumes that live as long as an instance; volume %q lies on the host's own disk", r.served.Version, v.Name)
			return empty
		}
		return corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{VolumeClaimTemplate: &corev1.PersistentVolumeClaimTemplate{
			ObjectMeta: metav1.ObjectMeta{Labels: r.labels(appv1.LabelComponent, string(c.Name))},
			Spec:       claimSpec(v, class),
		}}}
	}
	return empty
}

// claimTemplates are the volumes that each seat has for its own.
func (r *rendering) claimTemplates(c component) []corev1.PersistentVolumeClaim {
	var out []corev1.PersistentVolumeClaim
	for _, v := range c.Volumes {
		if !perSeat(c, v) {
			continue
		}
		class, ok := r.in.StorageClasses[v.Kind]
		if !ok {
			r.noStorage(c, v)
			continue
		}
		claim := corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Name: "v-" + v.Name, Labels: r.labels(appv1.LabelComponent, string(c.Name)), Annotations: prune(v)},
			Spec:       claimSpec(v, class),
		}
		out = append(out, claim)
	}
	return out
}

// configName names the ConfigMap of a set in one workload. Where a change restarts, the name
// follows the content; where it is reloaded hot, the name stays with the workload, so that
// the content changes in place.
func configName(c component, set appv1.ConfigurationSet, a Assignment, workload string) string {
	base := string(c.Name) + "-" + set.Name + "-"
	if set.Reload == appv1.ReloadHot {
		return base + "hot-" + hash8(workload)
	}
	parts := []string{a.Cell.Key()}
	for _, f := range set.Files {
		parts = append(parts, f.Name, canonical.Digest(f.Content))
	}
	return base + hash8(parts...)
}

// configMaps are the ConfigMaps of one workload.
func (r *rendering) configMaps(c component, a Assignment, workload string) []*corev1.ConfigMap {
	var out []*corev1.ConfigMap
	for _, set := range c.Configuration {
		cm := &corev1.ConfigMap{
			ObjectMeta: r.meta(configName(c, set, a, workload), appv1.LabelComponent, string(c.Name), appv1.LabelDCN, a.Cell.DCN, appv1.LabelCell, CellHash(a.Cell)),
			Data:       map[string]string{},
		}
		for _, f := range set.Files {
			cm.Data[f.Name] = f.Content
		}
		if set.Reload != appv1.ReloadHot {
			if r.served.has(fieldImmutable) {
				cm.Immutable = ptr.To(true)
			} else {
				r.reason(string(c.Name), "v1/ConfigMap "+cm.Namespace+"/"+cm.Name, "immutable", Missing,
					"version %s cannot make configuration immutable; a foreign change is put back when it is seen", r.served.Version)
			}
		}
		out = append(out, cm)
	}
	return out
}
