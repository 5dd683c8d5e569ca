// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package join takes a member cluster into the fleet (R01), or gives it new
// credentials: what a person asks for with "fairway cluster join".
package join

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/fleet"
	"github.com/fairway-cloud/fairway/internal/platform/members/connections"
)

// What a caller tells apart. Each error's text says what to do.
var (
	// ErrKubeconfig: the kubeconfig is of a sort that is not used.
	ErrKubeconfig = errors.New("the kubeconfig is refused")
	// ErrUnreachable: the cluster does not answer as it should.
	ErrUnreachable = errors.New("the cluster cannot be reached")
	// ErrJoinedTwice: the same cluster is in the fleet under another name.
	ErrJoinedTwice = errors.New("the cluster is joined already")
	// ErrConflict: another cluster of this name is in the fleet.
	ErrConflict = errors.New("the name is taken")
	// ErrUnknown: the data centre or the environment does not exist.
	ErrUnknown = errors.New("there is no such object")
)

// Request is what a person asks for.
type Request struct {
	// Name of the Cluster, at most 32 characters.
	Name string
	// Kubeconfig with the credentials of Fairway's account in the member.
	Kubeconfig []byte
	// DataCenter that the member lives in.
	DataCenter string
	// Environment that the member serves.
	Environment string
}

// Joiner takes clusters into the fleet.
type Joiner struct {
	// Person writes the Cluster, so that RBAC and admission see who asked.
	Person client.Client
	// System writes the Secret, which no person may read.
	System client.Client
	// Loopback allows members on the hub's own machine, as the sandbox has them.
	Loopback bool
	// Timeout bounds the first contact. Default: 20 s.
	Timeout time.Duration
}

// Join checks the kubeconfig, reaches the member, refuses one that is in the
// fleet under another name, and writes its Secret and Cluster. Joining the same
// member under the same name again gives it the new credentials. It may be
// repeated after it was interrupted at any point.
func (j Joiner) Join(ctx context.Context, r Request) (*fleetv1.Cluster, error) {
	credentials, err := fleet.CheckKubeconfig(r.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("could not join cluster %q: %w: %w", r.Name, ErrKubeconfig, err)
	}
	if err := j.known(ctx, r); err != nil {
		return nil, err
	}
	wanted := &fleetv1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Name: r.Name},
		Spec: fleetv1.ClusterSpec{
			DataCenter: r.DataCenter, Environment: r.Environment,
			Connection: fleetv1.ClusterConnection{Type: fleetv1.ConnectionPush, SecretName: "cluster-" + r.Name},
		},
	}
	existing, err := j.allowed(ctx, wanted)
	if err != nil {
		return nil, err
	}
	timeout := j.Timeout
	if timeout == 0 {
		timeout = 20 * time.Second
	}
	dialing, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	found, err := connections.Probe(dialing, credentials, j.Loopback)
	if err != nil {
		return nil, fmt.Errorf("could not join cluster %q: %w: %w", r.Name, ErrUnreachable, err)
	}
	if err := j.single(ctx, r.Name, found.UID); err != nil {
		return nil, err
	}
	if err := j.keep(ctx, r); err != nil {
		return nil, err
	}
	if existing != nil {
		return existing, nil
	}
	wanted.Annotations = map[string]string{fleetv1.AnnotationJoinedUID: found.UID}
	if err := j.Person.Create(ctx, wanted); err != nil {
		return nil, fmt.Errorf("could not join cluster %q: %w", r.Name, err)
	}
	return wanted, nil
}

// known wants the data centre and the environment to exist.
func (j Joiner) known(ctx context.Context, r Request) error {
	for name, object := range map[string]client.Object{r.DataCenter: &fleetv1.DataCenter{}, r.Environment: &tenancyv1.Environment{}} {
		err := j.Person.Get(ctx, client.ObjectKey{Name: name}, object)
		switch {
		case name == "" || apierrors.IsNotFound(err):
			kind := "data centre"
			if _, ok := object.(*tenancyv1.Environment); ok {
				kind = "environment"
			}
			return fmt.Errorf("could not join cluster %q: %w: %s %q: make it first, or correct the name", r.Name, ErrUnknown, kind, name)
		case err != nil:
			return fmt.Errorf("could not join cluster %q: %w", r.Name, err)
		}
	}
	return nil
}

// allowed asks the hub whether the person may do this, before anything is
// dialled or written, and returns the Cluster where it exists already.
func (j Joiner) allowed(ctx context.Context, wanted *fleetv1.Cluster) (*fleetv1.Cluster, error) {
	existing := &fleetv1.Cluster{}
	err := j.Person.Get(ctx, client.ObjectKeyFromObject(wanted), existing)
	if apierrors.IsNotFound(err) {
		if err := j.Person.Create(ctx, wanted.DeepCopy(), client.DryRunAll); err != nil {
			return nil, fmt.Errorf("could not join cluster %q: %w", wanted.Name, err)
		}
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("could not join cluster %q: %w", wanted.Name, err)
	}
	if existing.Spec.DataCenter != wanted.Spec.DataCenter || existing.Spec.Environment != wanted.Spec.Environment {
		return nil, fmt.Errorf("could not join cluster %q: %w: it serves %q in %q: choose another name",
			wanted.Name, ErrConflict, existing.Spec.Environment, existing.Spec.DataCenter)
	}
	if err := j.Person.Update(ctx, existing.DeepCopy(), client.DryRunAll); err != nil {
		return nil, fmt.Errorf("could not give cluster %q new credentials: %w", wanted.Name, err)
	}
	return existing, nil
}

// single refuses a member that is in the fleet under another name, and another
// member under a name that is taken.
func (j Joiner) single(ctx context.Context, name, uid string) error {
	clusters := &fleetv1.ClusterList{}
	if err := j.System.List(ctx, clusters); err != nil {
		return fmt.Errorf("could not join cluster %q: %w", name, err)
	}
	for _, other := range clusters.Items {
		theirs := other.Status.UID
		if theirs == "" {
			theirs = other.Annotations[fleetv1.AnnotationJoinedUID]
		}
		switch {
		case other.Name != name && theirs == uid:
			return fmt.Errorf("could not join cluster %q: %w as %q: a cluster has one name", name, ErrJoinedTwice, other.Name)
		case other.Name == name && theirs != "" && theirs != uid:
			return fmt.Errorf("could not join cluster %q: %w by another cluster than the one that answers: choose another name", name, ErrConflict)
		}
	}
	return nil
}

// keep writes the credentials.
func (j Joiner) keep(ctx context.Context, r Request) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: fleetv1.SystemNamespace, Labels: map[string]string{appv1.LabelManagedBy: appv1.ManagedBy},
	}}
	err := j.System.Get(ctx, client.ObjectKeyFromObject(namespace), &corev1.Namespace{})
	if apierrors.IsNotFound(err) {
		err = client.IgnoreAlreadyExists(j.System.Create(ctx, namespace))
	}
	if err != nil {
		return fmt.Errorf("could not keep the credentials of cluster %q: %w", r.Name, err)
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: fleetv1.SystemNamespace, Name: "cluster-" + r.Name,
			Labels: map[string]string{fleetv1.LabelCluster: r.Name, appv1.LabelManagedBy: appv1.ManagedBy},
		},
		Data: map[string][]byte{"kubeconfig": r.Kubeconfig},
	}
	err = j.System.Create(ctx, secret)
	if apierrors.IsAlreadyExists(err) {
		err = j.System.Patch(ctx, secret, client.Merge)
	}
	if err != nil {
		return fmt.Errorf("could not keep the credentials of cluster %q: %w", r.Name, err)
	}
	return nil
}
