// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval/cases"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/kept"
	"github.com/fairway-cloud/fairway/internal/server"
)

// addStops carries out the stops that were kept while the hub was away.
func (h *house) addStops(context.Context) error {
	return h.mgr.Add(&kept.Worker{Stops: h.stops, Log: h.log, Carry: h.carryStop})
}

// keepStop keeps a stop on the server's disk; where the disk is full, in memory.
func (h *house) keepStop(ctx context.Context, person identity.Person, namespace, name string) error {
	err := h.stops.Keep(kept.Stop{
		Namespace: namespace, Name: name, Person: person.ID, Groups: person.Groups, Session: person.Session, At: time.Now().UTC(), Trace: httpapi.Trace(ctx),
	})
	if err != nil && !errors.Is(err, kept.ErrFull) {
		h.log.Error("a stop is kept in memory only: it is lost if this process ends before the hub answers", "release", namespace+"/"+name, "actor", person.ID, "cause", err.Error())
		return nil
	}
	return err
}

// keepBrake keeps a brake likewise.
func (h *house) keepBrake(ctx context.Context, person identity.Person, name string, said kept.Brake) error {
	err := h.stops.Keep(kept.Stop{Name: name, Brake: &said, Person: person.ID, Groups: person.Groups, Session: person.Session, At: time.Now().UTC(), Trace: httpapi.Trace(ctx)})
	if err != nil && !errors.Is(err, kept.ErrFull) {
		h.log.Error("a brake is kept in memory only: it is lost if this process ends before the hub answers", "brake", name, "actor", person.ID, "cause", err.Error())
		return nil
	}
	return err
}

// carryBrake writes a kept brake to the hub, as the person who set it.
func (h *house) carryBrake(ctx context.Context, stop kept.Stop) (again bool, err error) {
	body, err := json.Marshal(&placementv1.Brake{
		TypeMeta:   metav1.TypeMeta{APIVersion: placementv1.GroupVersion.String(), Kind: "Brake"},
		ObjectMeta: metav1.ObjectMeta{Name: stop.Name},
		Spec:       placementv1.BrakeSpec{Environments: stop.Brake.Environments, Reason: stop.Brake.Reason, By: stop.Person},
	})
	if err != nil {
		return false, err
	}
	write := func(ctx context.Context, query url.Values) error {
		_, err := h.caller.Do(ctx, identity.Person{ID: stop.Person, Groups: stop.Groups, Session: stop.Session}, server.Call{
			Method: http.MethodPost, Media: "application/json", Body: body, Query: query,
			Path: "/apis/" + placementv1.GroupVersion.Group + "/" + placementv1.GroupVersion.Version + "/brakes", Subject: fmt.Sprintf("brake %q", stop.Name),
		})
		if err != nil && httpapi.AsProblem(err).Code == httpapi.CodeAlreadyExists {
			return nil // it was written before this process could note it
		}
		return err
	}
	if trial := write(ctx, url.Values{"dryRun": {"All"}}); trial != nil && !final(trial) {
		return true, nil
	}
	var failed error
	_ = audit.Do(ctx, h.recorder, audit.FailOpen, audit.Act{
		Verb: "placement.brake", Person: stop.Person, Subject: stop.Subject(), Class: audit.ClassChange, Trace: stop.Trace, From: "kept by the server", Reason: stop.Brake.Reason,
		Details: []string{"asked for at " + stop.At.Format(time.RFC3339) + ", while the hub was away"},
	}, func(ctx context.Context) error {
		failed = write(ctx, nil)
		return failed
	})
	return failed != nil && !final(failed), failed
}

// carryStop writes a kept stop to the hub, as the person who asked for it.
func (h *house) carryStop(ctx context.Context, stop kept.Stop) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if h.caller.Ping(ctx) != nil {
		return true, nil
	}
	if stop.Brake != nil {
		return h.carryBrake(ctx, stop)
	}
	name, away := h.meant(ctx, stop)
	if away != nil {
		return true, nil //nolint:nilerr // it is tried again
	}
	person := identity.Person{ID: stop.Person, Groups: stop.Groups, Session: stop.Session}
	write := func(ctx context.Context, query url.Values) error {
		if name == "" {
			return httpapi.NewProblem(httpapi.CodeNotFound, "could not stop %q in %q: there is no such release", stop.Name, stop.Namespace)
		}
		group := releasev1.GroupVersion
		_, err := h.caller.Do(ctx, person, server.Call{
			Method: http.MethodPatch, Media: "application/merge-patch+json", Body: []byte(`{"spec":{"desired":"Stop"}}`), Query: query,
			Path:    "/apis/" + group.Group + "/" + group.Version + "/namespaces/" + url.PathEscape(stop.Namespace) + "/releases/" + url.PathEscape(name),
			Subject: fmt.Sprintf("release %q in %q", name, stop.Namespace),
		})
		return err
	}
	// Tried first without writing: one that the hub cannot take yet leaves no records.
	if trial := write(ctx, url.Values{"dryRun": {"All"}}); trial != nil && !final(trial) {
		return true, nil
	}
	release := stop.Namespace + "/" + name
	var failed error
	_ = audit.Do(ctx, h.recorder, audit.FailOpen, audit.Act{
		Verb: "release.stop", Person: stop.Person, Subject: "Release/" + release, Release: release, Environment: cases.Environment(stop.Namespace),
		Class: audit.ClassChange, Trace: stop.Trace, From: "kept by the server", Details: []string{"asked for at " + stop.At.Format(time.RFC3339) + ", while the hub was away"},
	}, func(ctx context.Context) error {
		failed = write(ctx, nil)
		return failed
	})
	return failed != nil && !final(failed), failed
}

// final says that the hub has answered: trying again brings nothing else.
func final(err error) bool {
	return slices.Contains([]httpapi.Code{httpapi.CodeNotFound, httpapi.CodeDenied, httpapi.CodeInvalid, httpapi.CodeBadRequest}, httpapi.AsProblem(err).Code)
}

// meant is the Release that a stop names, by its own name or by its application's;
// empty where there is none.
func (h *house) meant(ctx context.Context, stop kept.Stop) (string, error) {
	hub := h.mgr.GetAPIReader()
	found := &releasev1.Release{}
	err := hub.Get(ctx, client.ObjectKey{Namespace: stop.Namespace, Name: stop.Name}, found)
	if err == nil || !apierrors.IsNotFound(err) {
		return found.Name, err
	}
	var list releasev1.ReleaseList
	if err := hub.List(ctx, &list, client.InNamespace(stop.Namespace)); err != nil {
		return "", err
	}
	name, newest := "", int64(-1)
	for i := range list.Items {
		if it := &list.Items[i]; it.Spec.Application == stop.Name && !release.Over(it) && it.Status.Sequence > newest {
			name, newest = it.Name, it.Status.Sequence
		}
	}
	return name, nil
}
