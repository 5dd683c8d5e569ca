// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package approval

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/release"
)

// Draft is what the request for a Release is made from.
type Draft struct {
	Release *releasev1.Release
	// Plan of the Release.
	Plan *release.Document
	// Application that is changed.
	Application *appv1.Application
	// Makers of the Revision that is brought in.
	Makers []string
	// Class of the environment.
	Class tenancyv1.EnvironmentClass
	// Running are the Deliveries that there are, by cluster.
	Running map[string]deliveryv1.DeliverySpec
	// Changes against what runs, in words.
	Changes []string
	// Number of the request, and why there is another one after the first.
	Number int32
	Before string
}

// Facts of the Release, for the policies.
func (d Draft) Facts() Facts {
	radius := d.blastRadius()
	tenant, environment, _ := app.SplitNamespace(d.Release.Namespace)
	var clusters []string
	for _, c := range d.Plan.Clusters {
		clusters = append(clusters, c.Cluster)
	}
	slices.Sort(clusters)
	return Facts{
		Act: ActOf(d.Release), Requester: d.Release.Spec.Requester, Instances: radius.Instances, Clusters: radius.Clusters,
		ChangeClass: cmp.Or(d.Release.Spec.ChangeClass, releasev1.ChangeNormal), Risk: cmp.Or(d.Release.Spec.Risk, releasev1.RiskMedium),
		Scope: approvalv1.Scope{
			Tenant: tenant, Environment: environment, EnvironmentClass: d.Class, Application: d.Release.Spec.Application,
			SecurityLevel: d.Application.Spec.SecurityLevel, Clusters: clusters,
		},
	}
}

// ActOf names the act of a Release, such as release.Deploy.
func ActOf(r *releasev1.Release) string { return "release." + string(r.Spec.Kind) }

// StateOf is the version of what a Release's plan was made from.
func StateOf(a *appv1.Application) string {
	return fmt.Sprintf("Application %s, generation %d", a.Name, a.Generation)
}

// RequestName is the name of the number-th request for a Release.
func RequestName(releaseName string, number int32) string {
	return fmt.Sprintf("%s-%d", releaseName, number)
}

// Request makes the request under the policy that holds.
func (d Draft) Request(policy approvalv1.PolicySnapshot, now time.Time) (*approvalv1.ApprovalRequest, error) {
	spec, err := Open(policy)
	if err != nil {
		return nil, err
	}
	f := d.Facts()
	r := d.Release
	return &approvalv1.ApprovalRequest{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.Namespace, Name: RequestName(r.Name, d.Number),
			Labels: map[string]string{
				approvalv1.LabelSubject: string(r.UID), approvalv1.LabelPolicy: policy.Name, appv1.LabelApplication: r.Spec.Application,
			},
		},
		Spec: approvalv1.ApprovalRequestSpec{
			Act: f.Act, Subject: approvalv1.Subject{Kind: "Release", Name: r.Name, UID: string(r.UID)}, Digest: r.Status.PlanDigest,
			State: StateOf(d.Application), Number: d.Number, Requester: r.Spec.Requester, Makers: d.makers(), Scope: f.Scope,
			ChangeClass: f.ChangeClass, Risk: f.Risk, Reason: r.Spec.Reason, Ticket: r.Spec.Ticket, Attachments: r.Spec.Attachments,
			Policy: policy, Summary: d.summary(), Changes: bounded(d.Changes, mostChanges), BlastRadius: d.blastRadius(),
			DecideBy: metav1.NewTime(DecideBy(spec, now)),
		},
	}, nil
}

// What a request holds at most (see its type).
const (
	mostChanges = 256
	mostText    = 1024
)

func bounded(lines []string, most int) []string {
	out := make([]string, 0, min(len(lines), most))
	for i, line := range lines {
		if i == most-1 && len(lines) > most {
			return append(out, fmt.Sprintf("and %d more", len(lines)-i))
		}
		if len(line) > mostText {
			line = string([]rune(line)[:mostText/4]) + " …"
		}
		out = append(out, line)
	}
	return out
}

// makers are those of the Revision, and whoever has written the application since.
func (d Draft) makers() []string {
	set := map[string]bool{}
	for _, m := range append(slices.Clone(d.Makers), app.Makers(d.Application)...) {
		if m != "" {
			set[m] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// blastRadius counts what the plan changes against what runs: a workload whose
// rendering stays is touched only by as many instances as come or go.
func (d Draft) blastRadius() approvalv1.BlastRadius {
	out := approvalv1.BlastRadius{}
	components := map[string]bool{}
	touch := func(component string, n int32) int32 {
		if n > 0 {
			components[component] = true
		}
		return n
	}
	for _, c := range d.Plan.Clusters {
		now := map[string]deliveryv1.Workload{}
		for _, w := range d.Running[c.Cluster].Workloads {
			now[w.Name] = w
		}
		var n int32
		for _, w := range c.Workloads {
			have, there := now[w.Name]
			delete(now, w.Name)
			if there && have.Rendering.Digest == w.Rendering.Digest {
				n += touch(w.Component, max(w.Replicas-have.Replicas, have.Replicas-w.Replicas))
				continue
			}
			n += touch(w.Component, max(w.Replicas, have.Replicas))
		}
		for _, w := range c.Leaving {
			n += touch(w.Component, w.Replicas)
			delete(now, w.Name)
		}
		if c.Retire {
			for _, w := range now {
				n += touch(w.Component, w.Replicas)
			}
		}
		n += int32(len(c.Restarts)) //nolint:gosec // at most 1,000 seats
		if n > 0 || c.Retire {
			out.Clusters++
		}
		out.Instances += n
	}
	out.Components = slices.Sorted(maps.Keys(components))
	return out
}

// summary says in plain words what will happen, where, and what is the way back.
func (d Draft) summary() []string {
	r, radius := d.Release, d.blastRadius()
	var out []string
	if d.Before != "" {
		out = append(out, "An earlier request for this is void: "+d.Before)
	}
	switch r.Spec.Kind {
	case releasev1.KindRestart:
		out = append(out, fmt.Sprintf("Restart %s of application %s, one at a time: %v.", plural(len(r.Spec.Seats), "instance"), r.Spec.Application, r.Spec.Seats))
	case releasev1.KindRetire:
		out = append(out, fmt.Sprintf("Take application %s out of service everywhere.", r.Spec.Application))
	case releasev1.KindRollback:
		out = append(out, fmt.Sprintf("Bring application %s back to revision %s.", r.Spec.Application, r.Spec.Revision))
	default:
		out = append(out, fmt.Sprintf("Bring application %s to revision %s.", r.Spec.Application, r.Spec.Revision))
	}
	if d.Plan.Fenced != "" {
		out = append(out, fmt.Sprintf("Instances that run once or keep an identity may start elsewhere. By the word of %s their old hosts are cut off: %q.", r.Spec.Requester, d.Plan.Fenced))
	}
	for _, c := range d.Plan.Clusters {
		var total int32
		for _, w := range c.Workloads {
			total += w.Replicas
		}
		switch {
		case c.Retire:
			out = append(out, fmt.Sprintf("Cluster %s: everything of the application is taken out.", c.Cluster))
		case len(c.Restarts) > 0:
			out = append(out, fmt.Sprintf("Cluster %s: %s restarted.", c.Cluster, plural(len(c.Restarts), "instance")))
		default:
			out = append(out, fmt.Sprintf("Cluster %s: %s afterwards, %s going.", c.Cluster, plural(int(total), "instance"), plural(len(c.Leaving), "workload")))
		}
	}
	out = append(out, fmt.Sprintf("Touched: %s in %s.", plural(int(radius.Instances), "instance"), plural(int(radius.Clusters), "cluster")))
	if d.Plan.WayBack != "" {
		out = append(out, fmt.Sprintf("The way back is revision %s; it needs no further approval.", d.Plan.WayBack))
	}
	return bounded(out, 64)
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
