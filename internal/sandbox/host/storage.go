// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
)

// Names of the storage classes of a sandbox's clusters.
const (
	// SharedClass offers volumes that many pods on any hosts write (a file
	// server's place in a bank).
	SharedClass = "shared"
	// LocalClass offers volumes on the disk of one host; the pod follows.
	LocalClass = "local"
)

// Storage is the supply of volumes of one cluster. Volumes are made ahead;
// each is kept (Retain) after its claim is gone, until the sandbox goes.
type Storage struct {
	// SharedDir holds one folder per shared volume. All hosts of a sandbox
	// see the machine's files, so the folder is the same on each.
	SharedDir string
	// Shared is how many shared volumes there are.
	Shared int
	// Hosts offer Local volumes each, below their own folders.
	Hosts []Host
	Local int
	// Size each volume claims to have; 10Gi when zero. Nothing enforces it.
	Size resource.Quantity
}

func (s Storage) sharedPath(n int) string { return filepath.Join(s.SharedDir, fmt.Sprint(n)) }

func localPath(h Host, n int) string { return h.path("local", fmt.Sprint(n)) }

// Prepare makes the volumes' folders, open to every user: pods run under
// users of their own choice.
func (s Storage) Prepare() error {
	var dirs []string
	for n := range s.Shared {
		dirs = append(dirs, s.sharedPath(n))
	}
	for _, h := range s.Hosts {
		for n := range s.Local {
			dirs = append(dirs, localPath(h, n))
		}
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("could not prepare a volume: %w", err)
		}
		if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // see above
			return fmt.Errorf("could not prepare a volume: %w", err)
		}
	}
	return nil
}

// Objects are the storage classes and volumes of the cluster.
func (s Storage) Objects() ([]*unstructured.Unstructured, error) {
	size := s.Size
	if size.IsZero() {
		size = resource.MustParse("10Gi")
	}
	class := func(name string, mode storagev1.VolumeBindingMode) *storagev1.StorageClass {
		return &storagev1.StorageClass{
			TypeMeta:          metav1.TypeMeta{APIVersion: "storage.k8s.io/v1", Kind: "StorageClass"},
			ObjectMeta:        metav1.ObjectMeta{Name: name},
			Provisioner:       "kubernetes.io/no-provisioner",
			ReclaimPolicy:     ptr.To(corev1.PersistentVolumeReclaimRetain),
			VolumeBindingMode: ptr.To(mode),
		}
	}
	volume := func(name, class string, modes ...corev1.PersistentVolumeAccessMode) *corev1.PersistentVolume {
		return &corev1.PersistentVolume{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolume"},
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: corev1.PersistentVolumeSpec{
				Capacity:                      corev1.ResourceList{corev1.ResourceStorage: size},
				AccessModes:                   modes,
				PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
				StorageClassName:              class,
			},
		}
	}
	objects := []runtime.Object{
		class(SharedClass, storagev1.VolumeBindingImmediate),
		class(LocalClass, storagev1.VolumeBindingWaitForFirstConsumer),
	}
	for n := range s.Shared {
		v := volume(fmt.Sprintf("shared-%d", n), SharedClass, corev1.ReadWriteOnce, corev1.ReadWriteMany)
		v.Spec.HostPath = &corev1.HostPathVolumeSource{Path: s.sharedPath(n), Type: ptr.To(corev1.HostPathDirectory)}
		objects = append(objects, v)
	}
	for _, h := range s.Hosts {
		for n := range s.Local {
			v := volume(fmt.Sprintf("local-%s-%d", h.Name, n), LocalClass, corev1.ReadWriteOnce)
			v.Spec.Local = &corev1.LocalVolumeSource{Path: localPath(h, n)}
			v.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{h.Name},
				}}}},
			}}
			objects = append(objects, v)
		}
	}
	return toUnstructured(objects...)
}

func toUnstructured(objects ...runtime.Object) ([]*unstructured.Unstructured, error) {
	list := make([]*unstructured.Unstructured, 0, len(objects))
	for _, o := range objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			return nil, fmt.Errorf("could not convert %T: %w", o, err)
		}
		delete(content, "status")
		list = append(list, &unstructured.Unstructured{Object: content})
	}
	return list, nil
}
