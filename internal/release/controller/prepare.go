// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
	"github.com/fairway-cloud/fairway/internal/release"
)

// claim takes the application, under the condition that nobody else did meanwhile.
func (r *Reconciler) claim(ctx context.Context, rel *releasev1.Release, a *appv1.Application, act release.Claim) error {
	before := a.DeepCopy()
	a.Status.ActiveRelease, a.Status.ReleaseSequence = rel.Name, act.Sequence
	if err := r.Hub.Status().Patch(ctx, a, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("could not claim application %q: %w", a.Name, err)
	}
	rel.Status.Sequence = act.Sequence
	return nil
}

func (r *Reconciler) place(ctx context.Context, rel *releasev1.Release) error {
	revision, err := r.revision(ctx, rel)
	if err != nil {
		return err
	}
	placement, err := r.Placer.Place(ctx, rel, revision)
	if err != nil {
		return err
	}
	rel.Status.Placement = placement.Name
	return nil
}

func (r *Reconciler) revision(ctx context.Context, rel *releasev1.Release) (*appv1.Revision, error) {
	revision := &appv1.Revision{}
	if err := r.unchanging(ctx, client.ObjectKey{Namespace: rel.Namespace, Name: rel.Spec.Revision}, revision); err != nil {
		return nil, fmt.Errorf("could not read revision %q: %w", rel.Spec.Revision, err)
	}
	if err := canonical.Verify(revision.Spec.Content, revision.Spec.Digest); err != nil {
		return nil, &release.Refusal{Reason: releasev1.ReasonBadPlan, Message: fmt.Sprintf("revision %q is not what its digest says: %v", revision.Name, err)}
	}
	return revision, nil
}

// render draws the plan, stores its renderings, and then the plan itself.
func (r *Reconciler) render(ctx context.Context, rel *releasev1.Release, s release.Seen) error {
	in, err := r.drawing(ctx, rel, s)
	if err != nil {
		return err
	}
	drawn, err := release.Draw(in)
	if err != nil {
		return &release.Refusal{Reason: releasev1.ReasonNotRendered, Message: err.Error()}
	}
	text, digest, err := release.Seal(drawn.Document)
	if err != nil {
		return err
	}
	if len(text) > maxPlan {
		return &release.Refusal{Reason: releasev1.ReasonNotRendered, Message: fmt.Sprintf("the plan has %d bytes, and a Release holds %d: divide the application", len(text), maxPlan)}
	}
	for _, cluster := range slices.Sorted(maps.Keys(drawn.Renderings)) {
		for _, name := range slices.Sorted(maps.Keys(drawn.Renderings[cluster])) {
			if err := r.store(ctx, rel, cluster, name, drawn.Renderings[cluster][name]); err != nil {
				return err
			}
			if r.Stored != nil {
				r.Stored(drawn.Renderings[cluster][name])
			}
		}
	}
	rel.Status.Plan, rel.Status.PlanDigest = text, digest
	return nil
}

// maxPlan is what Release.status.plan holds, in bytes.
const maxPlan = 512 << 10

func (r *Reconciler) drawing(ctx context.Context, rel *releasev1.Release, s release.Seen) (release.Drawing, error) {
	in := release.Drawing{
		Release: rel, Application: rel.Namespace + "/" + rel.Spec.Application,
		MemberNamespace: rel.Namespace + "-" + rel.Spec.Application,
		Sequence:        rel.Status.Sequence, InService: s.Application.Status.ReleasedRevision,
		Rendered: map[string]release.Rendered{}, Running: map[string]release.Running{},
	}
	var err error
	if in.Back, err = r.wayBack(ctx, rel, s); err != nil {
		return in, err
	}
	for cluster, d := range s.Deliveries {
		if in.Running[cluster], err = r.running(ctx, d); err != nil {
			return in, err
		}
	}
	switch rel.Spec.Kind {
	case releasev1.KindRestart:
		in.Restarts, err = r.restarts(ctx, rel, s)
		return in, err
	case releasev1.KindRetire:
		return in, nil
	}
	return in, r.renderAll(ctx, rel, &in)
}

func (r *Reconciler) renderAll(ctx context.Context, rel *releasev1.Release, in *release.Drawing) error {
	revision, err := r.revision(ctx, rel)
	if err != nil {
		return err
	}
	in.RevisionDigest = revision.Spec.Digest
	in.Placement = &placementv1.Placement{}
	if err := r.unchanging(ctx, client.ObjectKey{Namespace: rel.Namespace, Name: rel.Status.Placement}, in.Placement); err != nil {
		return fmt.Errorf("could not read placement %q: %w", rel.Status.Placement, err)
	}
	clusters := map[string]bool{}
	for _, a := range in.Placement.Spec.Assignments {
		if len(a.Seats) > 0 {
			clusters[a.Cell.Cluster] = true
		}
	}
	var errs []error
	for _, cluster := range slices.Sorted(maps.Keys(clusters)) {
		rendered, err := r.Renderer.Render(ctx, revision, in.Placement, cluster)
		errs = append(errs, err)
		in.Rendered[cluster] = rendered
	}
	return errors.Join(errs...)
}

// wayBack reports whether the Release goes back to what the plan that runs now
// names as its way back.
func (r *Reconciler) wayBack(ctx context.Context, rel *releasev1.Release, s release.Seen) (bool, error) {
	if rel.Spec.Kind != releasev1.KindRollback {
		return false, nil
	}
	for _, d := range s.Deliveries {
		last := &releasev1.Release{}
		err := r.Direct.Get(ctx, client.ObjectKey{Namespace: rel.Namespace, Name: d.Spec.Release}, last)
		if client.IgnoreNotFound(err) != nil {
			return false, fmt.Errorf("could not read release %q: %w", d.Spec.Release, err)
		}
		if err != nil || last.Status.Plan == "" {
			continue
		}
		if plan, err := release.Open(last.Status.Plan, last.Status.PlanDigest); err == nil && release.WayBack(rel, plan) {
			return true, nil
		}
	}
	return false, nil
}

// running reads what a Delivery's renderings hold.
func (r *Reconciler) running(ctx context.Context, d *deliveryv1.Delivery) (release.Running, error) {
	out := release.Running{Delivery: d, Objects: map[string][]release.Object{}}
	references := slices.Clone(d.Spec.Shared)
	for _, w := range d.Spec.Workloads {
		references = append(references, w.Rendering)
	}
	for _, reference := range references {
		rendering := &deliveryv1.Rendering{}
		err := r.Direct.Get(ctx, client.ObjectKey{Namespace: d.Namespace, Name: reference.Name}, rendering)
		if apierrors.IsNotFound(err) {
			continue // rendered anew
		}
		if err != nil {
			return out, fmt.Errorf("could not read rendering %q: %w", reference.Name, err)
		}
		if canonical.Verify(rendering.Spec.Content, reference.Digest) != nil {
			continue
		}
		var objects []release.Object
		if err := json.Unmarshal([]byte(rendering.Spec.Content), &objects); err != nil {
			return out, fmt.Errorf("could not read rendering %q: %w", reference.Name, err)
		}
		out.Objects[reference.Name] = objects
	}
	return out, nil
}

// restarts finds who sits on the seats that are to be restarted.
func (r *Reconciler) restarts(ctx context.Context, rel *releasev1.Release, s release.Seen) (map[string][]deliveryv1.InstanceRestart, error) {
	found, away, err := r.Instances.Find(ctx, rel.Namespace+"/"+rel.Spec.Application, rel.Spec.Seats)
	if err != nil {
		return nil, fmt.Errorf("could not find the instances of application %q: %w", rel.Spec.Application, err)
	}
	out := map[string][]deliveryv1.InstanceRestart{}
	for _, seat := range slices.Sorted(slices.Values(rel.Spec.Seats)) {
		i := slices.IndexFunc(found, func(x release.Instance) bool { return x.Seat == seat })
		if i < 0 && len(away) > 0 {
			slices.Sort(away)
			return nil, &release.Refusal{Reason: releasev1.ReasonAway, Again: release.AskAway, Message: fmt.Sprintf("who sits on seat %q is not known: not connected is %s: the release goes on when it connects", seat, strings.Join(away, ", "))}
		}
		if i < 0 || s.Deliveries[found[i].Cluster] == nil {
			return nil, &release.Refusal{Reason: releasev1.ReasonNotFound, Message: fmt.Sprintf("nobody sits on seat %q now: name seats that \"fairway get instances\" lists", seat)}
		}
		x := found[i]
		out[x.Cluster] = append(out[x.Cluster], deliveryv1.InstanceRestart{Seat: x.Seat, Pod: x.Pod, UID: x.UID})
	}
	return out, nil
}

// annotationRelease names on a rendering the Release that took it up last. Writing it
// keeps the clean-up from what it listed before (see Cleanup).
const annotationRelease = "release.fairway.cloud/release"

// store keeps a rendering. Its name is its content's, so one that exists is it.
func (r *Reconciler) store(ctx context.Context, rel *releasev1.Release, cluster, name string, spec deliveryv1.RenderingSpec) error {
	made := &deliveryv1.Rendering{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: fleetv1.ClusterNamespacePrefix + cluster, Name: name,
			Labels:      map[string]string{appv1.LabelApplication: rel.Spec.Application, fleetv1.LabelCluster: cluster},
			Annotations: map[string]string{annotationRelease: rel.Name},
		},
		Spec: spec,
	}
	err := r.Hub.Create(ctx, made)
	if err == nil {
		return nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("could not store rendering %q: %w", name, err)
	}
	found := &deliveryv1.Rendering{}
	if err := r.Direct.Get(ctx, client.ObjectKeyFromObject(made), found); err != nil {
		return fmt.Errorf("could not read rendering %q: %w", name, err)
	}
	if found.Spec.Digest != spec.Digest || canonical.Verify(found.Spec.Content, spec.Digest) != nil {
		return &release.Refusal{Reason: releasev1.ReasonNotRendered, Message: fmt.Sprintf("rendering %q in cluster %s holds other bytes than its name says: a person must find out why", name, cluster)}
	}
	if found.Annotations[annotationRelease] == rel.Name {
		return nil
	}
	before := found.DeepCopy()
	metav1.SetMetaDataAnnotation(&found.ObjectMeta, annotationRelease, rel.Name)
	if err := r.Hub.Patch(ctx, found, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("could not take rendering %q up again: %w", name, err)
	}
	return nil
}
