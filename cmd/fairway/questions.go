// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	app "github.com/fairway-cloud/fairway/internal/app/controller"
	"github.com/fairway-cloud/fairway/internal/audit/mask"
	"github.com/fairway-cloud/fairway/internal/fleet/join"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/images/registry"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/server"
)

// newResolver asks the registries that the flags name, and no others.
func newResolver(o serverOptions) (*registry.Resolver, error) {
	var known []registry.Registry
	for _, list := range []struct {
		texts []string
		plain bool
	}{{o.registries, false}, {o.plainRegistries, true}} {
		for _, text := range list.texts {
			r, err := registry.ParseRegistry(text, list.plain)
			if err != nil {
				return nil, err
			}
			known = append(known, r)
		}
	}
	if o.registryLogin == "" {
		return registry.New(known...), nil
	}
	logins, err := registry.OpenLogins(o.registryLogin)
	if err != nil {
		return nil, err
	}
	return registry.New(known...).WithLogins(logins), nil
}

// join takes a cluster in: the Cluster is written as the person, the Secret as
// the server.
func (h *house) join() server.JoinFunc {
	return func(ctx context.Context, name string, request server.JoinRequest) error {
		person, err := h.clientOf(ctx)
		if err != nil {
			return err
		}
		joiner := join.Joiner{Person: person, System: h.mgr.GetClient(), Loopback: h.options.loopback}
		cluster, err := joiner.Join(ctx, join.Request{
			Name: name, Kubeconfig: []byte(request.Kubeconfig), DataCenter: request.DataCenter, Environment: request.Environment,
		})
		if err != nil {
			return joinProblem(name, err)
		}
		return setStorage(ctx, person, cluster, request.StorageClasses)
	}
}

// setStorage names the classes that provide the model's kinds of volume.
func setStorage(ctx context.Context, person client.Client, cluster *fleetv1.Cluster, classes []server.JoinStorage) error {
	if len(classes) == 0 {
		return nil
	}
	before := cluster.DeepCopy()
	cluster.Spec.StorageClasses = nil
	for _, c := range classes {
		cluster.Spec.StorageClasses = append(cluster.Spec.StorageClasses, fleetv1.StorageClass{Kind: c.Kind, ClassName: c.ClassName})
	}
	if err := person.Patch(ctx, cluster, client.MergeFrom(before)); err != nil {
		return joinProblem(cluster.Name, fmt.Errorf("could not set the storage classes of cluster %q: %w", cluster.Name, err))
	}
	return nil
}

// clientOf acts on the hub as the person who asks.
func (h *house) clientOf(ctx context.Context) (client.Client, error) {
	person, ok := identity.FromContext(ctx)
	if !ok {
		return nil, errors.New("could not act on the hub: nobody is named as the one who acts")
	}
	config := rest.CopyConfig(h.mgr.GetConfig())
	config.Impersonate = rest.ImpersonationConfig{UserName: person.ID, Groups: person.Groups, Extra: h.caller.Mark(ctx, person)}
	if person.Session != "" {
		// In which login somebody proposes is looked at when it is carried out.
		config.Impersonate.Extra["fairway.cloud/session"] = []string{person.Session}
	}
	made, err := client.New(config, client.Options{Scheme: h.mgr.GetScheme(), Mapper: h.mgr.GetRESTMapper()})
	if err != nil {
		return nil, fmt.Errorf("could not act on the hub: %w", err)
	}
	return made, nil
}

func joinProblem(name string, err error) error {
	switch {
	case errors.Is(err, join.ErrKubeconfig):
		return httpapi.NewProblem(httpapi.CodeInvalid, "%v", err).WithNext("Make a kubeconfig as the message says and join again.").Because(err)
	case errors.Is(err, join.ErrUnreachable):
		return httpapi.NewProblem(httpapi.CodeInvalid, "%v", err).WithNext("Check the address, the certificate and the way to the cluster, and join again.").Because(err)
	case errors.Is(err, join.ErrJoinedTwice), errors.Is(err, join.ErrConflict):
		return httpapi.NewProblem(httpapi.CodeAlreadyExists, "%v", err).WithNext("See which clusters there are: fairway get clusters.").Because(err)
	case errors.Is(err, join.ErrUnknown):
		return httpapi.NewProblem(httpapi.CodeInvalid, "%v", err).WithNext("Make the data centre and the environment first.").Because(err)
	}
	return statusProblem(fmt.Sprintf("cluster %q", name), err)
}

// statusProblem turns the hub's refusal into a problem; anything else stays inside.
func statusProblem(subject string, err error) error {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return err
	}
	s := status.Status()
	return httpapi.FromAPIStatus(s, subject).Because(err)
}

// check runs the go-live checks.
func (h *house) check() server.ApplicationFunc {
	q := app.Questions{Hub: h.mgr.GetClient(), Resolver: h.images}
	return func(ctx context.Context, a *appv1.Application) (any, error) {
		findings, err := q.Check(ctx, a)
		return findings, questionProblem(a, err)
	}
}

// diff says what a release would change.
func (h *house) diff() server.ApplicationFunc {
	q := app.Questions{Hub: h.mgr.GetClient(), Resolver: h.images}
	return func(ctx context.Context, a *appv1.Application) (any, error) {
		changes, err := q.Diff(ctx, a)
		for i := range changes.Changes {
			c := &changes.Changes[i]
			c.Before, c.After = mask.Field(c.Path, c.Before), mask.Field(c.Path, c.After)
		}
		return changes, questionProblem(a, err)
	}
}

// questionProblem tells what keeps an application from being judged. The room's
// errors are sentences for people; those of the hub are not.
func questionProblem(a *appv1.Application, err error) error {
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return nil
	case errors.As(err, &status), meta.IsNoMatchError(err):
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not judge application %q now", a.Name).Because(err)
	}
	return httpapi.NewProblem(httpapi.CodeInvalid, "%v", err).WithNext("Correct what the message names and ask again.").Because(err)
}
