// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"context"
	"errors"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
)

// Resolver asks registries what an image is. Its adapter is internal/images/registry.
type Resolver interface {
	// Resolve returns the facts of an image as an application writes it. ErrImageNotFound,
	// ErrRegistryRefused, ErrRegistryDenied and ErrImageUnreadable need a person; any other
	// error may be gone the next time.
	Resolve(ctx context.Context, image string) (ImageFacts, error)
}

// ErrImageNotFound means that the registry answers and does not have the image: push it, or
// correct its name.
var ErrImageNotFound = errors.New("the registry does not have the image")

// ErrRegistryRefused means that the registry may not be asked: correct the image's name, or
// name the registry in the server's options.
var ErrRegistryRefused = errors.New("the registry may not be asked")

// ErrRegistryDenied means that the registry asks for a login that Fairway does not have, or
// whose rights do not reach: give the server one, with --registry-login.
var ErrRegistryDenied = errors.New("the registry does not let Fairway read it")

// ErrImageUnreadable means that the registry answers with something that cannot be used: a
// manifest that is no image, too large, or not what its digest promises. Push it again.
var ErrImageUnreadable = errors.New("what the registry gives cannot be used")

// ErrChecksFailed means that go-live checks found errors.
var ErrChecksFailed = errors.New("go-live checks found errors")

// Revise judges an application and, where nothing prevents it, freezes it. w.Images holds
// the facts of every image. Findings are returned in either case.
func Revise(a *appv1.Application, w World) (Frozen, []appv1.Finding, error) {
	findings := Check(a, w)
	if len(findings) > 100 { // what status can hold; errors first
		slices.SortStableFunc(findings, func(x, y appv1.Finding) int { return strings.Compare(string(x.Severity), string(y.Severity)) })
		findings = findings[:100]
	}
	if Blocks(findings) {
		return Frozen{}, findings, ErrChecksFailed
	}
	digests := map[string]string{}
	for image, facts := range w.Images {
		digests[image] = facts.Digest
	}
	frozen, err := Freeze(a, digests, w)
	return frozen, findings, err
}

// Images are the images of an application, sorted, each once.
func Images(spec appv1.ApplicationSpec) []string {
	var out []string
	for _, c := range spec.Components {
		out = append(out, c.Image)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Running counts an application's instances per component and DCN, from its Deliveries. Jobs
// and crons are left out: they come and go.
func Running(deliveries []deliveryv1.Delivery) []appv1.RunningCount {
	var out []appv1.RunningCount
	for _, d := range deliveries {
		ready := map[string]int32{} // by name and template: a stale count is no count
		for _, w := range d.Status.Workloads {
			ready[w.Name+" "+w.Template] = w.Ready
		}
		for _, w := range d.Spec.Workloads {
			if w.Kind != "Deployment" && w.Kind != "StatefulSet" {
				continue
			}
			i := slices.IndexFunc(out, func(r appv1.RunningCount) bool {
				return string(r.Component) == w.Component && r.DCN == w.Cell.DCN
			})
			if i < 0 {
				out = append(out, appv1.RunningCount{Component: appv1.ComponentName(w.Component), DCN: w.Cell.DCN})
				i = len(out) - 1
			}
			out[i].Wanted += w.Replicas
			out[i].Ready += min(ready[w.Name+" "+w.Template], w.Replicas)
		}
	}
	slices.SortFunc(out, func(a, b appv1.RunningCount) int {
		if c := strings.Compare(string(a.Component), string(b.Component)); c != 0 {
			return c
		}
		return strings.Compare(a.DCN, b.DCN)
	})
	return out
}

// Unseen says why what runs is not known now, a sentence for each cluster that does not
// report. Counts that were seen before it went away are no news of today.
func Unseen(deliveries []deliveryv1.Delivery) []string {
	var out []string
	for _, d := range deliveries {
		for _, c := range d.Status.Conditions {
			if c.Type == deliveryv1.ConditionReady && c.Status == metav1.ConditionUnknown {
				out = append(out, c.Message)
			}
		}
	}
	slices.Sort(out)
	return out
}

// SplitNamespace takes the namespace "<tenant>-<environment>" of an application apart; an
// environment's name has no dash.
func SplitNamespace(namespace string) (tenant, environment string, ok bool) {
	i := strings.LastIndex(namespace, "-")
	if i <= 0 || i == len(namespace)-1 {
		return "", "", false
	}
	return namespace[:i], namespace[i+1:], true
}

// Makers are the people who wrote the application since the last released Revision.
func Makers(a *appv1.Application) []string {
	var out []string
	for _, person := range strings.Split(a.Annotations[appv1.AnnotationMakers], ",") {
		if person = strings.TrimSpace(person); person != "" {
			out = append(out, person)
		}
	}
	return out
}
