// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// site has the hub of placementtest with a second rack, in which things get lost.
type site struct {
	client.Client
	t      *testing.T
	clock  *clocktesting.FakePassiveClock
	placer *controller.Placer
	lost   *controller.Lost
	acts   []string
	// writes counts what is written, fail is the number of the write that is cut off.
	writes, fail int
	// refuse is the application whose Placements the hub does not take.
	refuse string
}

// Intent implements audit.Recorder.
func (s *site) Intent(_ context.Context, act audit.Act) (string, error) {
	s.acts = append(s.acts, act.Verb+" "+act.Subject)
	return act.Verb, nil
}

// Outcome implements audit.Recorder.
func (s *site) Outcome(context.Context, string, audit.Outcome) error { return nil }

var errKilled = errors.New("killed")

func (s *site) cut() error {
	if s.writes++; s.writes == s.fail {
		return errKilled
	}
	return nil
}

func newSite(t *testing.T, policy *placementv1.LostPolicy) *site {
	t.Helper()
	s := &site{t: t, clock: clocktesting.NewFakePassiveClock(apptest.Now)}
	s.Client = placementtest.Hub(t).WithStatusSubresource(&placementv1.Placement{}, &appv1.Application{}).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if err := s.cut(); err != nil {
				return err
			}
			if p, is := o.(*placementv1.Placement); is && p.Spec.Application == s.refuse {
				return apierrors.NewInvalid(placementv1.GroupVersion.WithKind("Placement").GroupKind(), p.Name, nil)
			}
			o.SetCreationTimestamp(metav1.NewTime(s.clock.Now()))
			o.SetUID(types.UID(fmt.Sprintf("u-%d", s.writes)))
			return c.Create(ctx, o, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			if err := s.cut(); err != nil {
				return err
			}
			return c.Patch(ctx, o, p, opts...)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			if err := s.cut(); err != nil {
				return err
			}
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			if err := s.cut(); err != nil {
				return err
			}
			return c.SubResource(sub).Update(ctx, o, opts...)
		},
	}).Build()
	s.placer = &controller.Placer{Hub: s.Client, Direct: s.Client, Clock: s.clock}
	s.lost = &controller.Lost{Hub: s.Client, Direct: s.Client, Clock: s.clock, Recorder: s}
	s.change(&placementv1.PlacementPolicy{ObjectMeta: metav1.ObjectMeta{Name: "all"}}, func(o client.Object) {
		o.(*placementv1.PlacementPolicy).Spec.Lost = policy
	})
	s.racks(4, 4)
	return s
}

// change changes an object of the hub.
func (s *site) change(o client.Object, how func(client.Object)) {
	s.t.Helper()
	if err := s.Get(s.t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		s.t.Fatal(err)
	}
	how(o)
	if err := s.Update(s.t.Context(), o); err != nil {
		s.t.Fatal(err)
	}
}

// racks says how many hosts of racks east-a and east-b, of four each, answer.
func (s *site) racks(a, b int) {
	s.t.Helper()
	now := metav1.NewTime(s.clock.Now())
	s.change(&fleetv1.Pool{ObjectMeta: metav1.ObjectMeta{Name: "retail-business"}}, func(o client.Object) {
		p := o.(*fleetv1.Pool)
		before := p.Status.Away
		p.Status.Racks, p.Status.Away = nil, nil
		for name, n := range map[string]int{"east-a": a, "east-b": b} {
			i := slices.IndexFunc(before, func(r fleetv1.RackAway) bool { return r.Rack == name })
			switch {
			case n == 0 && i >= 0 && before[i].Back == nil:
				p.Status.Away = append(p.Status.Away, before[i])
			case n == 0:
				p.Status.Away = append(p.Status.Away, fleetv1.RackAway{Cluster: "east-1", Rack: name, Hosts: 4, Absence: fleetv1.Absence{Since: now, Times: 1}})
			case i >= 0:
				gone := before[i]
				gone.Back = &now
				p.Status.Away = append(p.Status.Away, gone)
			}
			if n == 0 {
				continue
			}
			r := fleetv1.PoolRack{Cluster: "east-1", Rack: name, Capacity: fleetv1.Resources{CPU: *resource.NewQuantity(int64(n), resource.DecimalSI), Memory: *resource.NewQuantity(int64(n)<<31, resource.BinarySI), Instances: int64(10 * n)}}
			for h := range n {
				r.Hosts = append(r.Hosts, fmt.Sprintf("%s-%d", name, h))
			}
			p.Status.Racks = append(p.Status.Racks, r)
		}
	})
	s.change(&fleetv1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "east-1"}}, func(o client.Object) {
		o.(*fleetv1.Cluster).Status.Hosts = fleetv1.HostCounts{Total: 8, Ready: int32(a + b)}
	})
}

// run has an application run with n instances.
func (s *site) run(application string, n int32, options ...func(*appv1.Component)) (*placementv1.Placement, *appv1.Revision) {
	s.t.Helper()
	revision := placementtest.Revision(s.t, application, n, options...)
	if err := s.Create(s.t.Context(), revision); err != nil {
		s.t.Fatal(err)
	}
	return placementtest.Run(s.t, s.placer, releasetest.New(application+"-1", revision.Name, func(r *releasev1.Release) { r.Spec.Application = application }), revision), revision
}

// pass lets time go by and has the controller look until it has nothing to do.
func (s *site) pass(d time.Duration) {
	s.t.Helper()
	s.clock.SetTime(s.clock.Now().Add(d))
	s.settle()
}

func (s *site) settle() {
	s.t.Helper()
	for range 20 {
		result, err := s.lost.Reconcile(s.t.Context(), ctrl.Request{})
		if err != nil && !errors.Is(err, errKilled) {
			s.t.Fatal(err)
		}
		if err == nil && result.RequeueAfter != 200*time.Millisecond {
			return
		}
	}
	s.t.Fatal("the controller does not come to rest")
}

// proposals that hold room.
func (s *site) proposals() []placementv1.Placement {
	s.t.Helper()
	var all placementv1.PlacementList
	if err := s.List(s.t.Context(), &all); err != nil {
		s.t.Fatal(err)
	}
	return slices.DeleteFunc(all.Items, func(p placementv1.Placement) bool {
		return p.Spec.Cause == nil || p.Status.Release != "" || meta.IsStatusConditionFalse(p.Status.Conditions, placementv1.ConditionReserved)
	})
}

func (s *site) releases() []releasev1.Release {
	s.t.Helper()
	var all releasev1.ReleaseList
	if err := s.List(s.t.Context(), &all); err != nil {
		s.t.Fatal(err)
	}
	return all.Items
}

func (s *site) brakes() []placementv1.Brake {
	s.t.Helper()
	var all placementv1.BrakeList
	if err := s.List(s.t.Context(), &all); err != nil {
		s.t.Fatal(err)
	}
	return all.Items
}

func seatsIn(p *placementv1.Placement) map[string]int {
	out := map[string]int{}
	for _, a := range p.Spec.Assignments {
		if len(a.Seats) > 0 {
			out[a.Cell.Rack] += len(a.Seats)
		}
	}
	return out
}

// A lost rack leads to one proposal with its cause; a Release that names it uses it.
func TestALostRackIsProposedAndUsed(t *testing.T) {
	s := newSite(t, nil)
	first, revision := s.run("pay", 8)
	if seats := seatsIn(first); seats["east-a"] != 4 || seats["east-b"] != 4 {
		t.Fatalf("%v: want four in each rack", seats)
	}
	s.pass(time.Minute)
	s.racks(0, 4)
	s.pass(4 * time.Minute)
	if n := len(s.proposals()); n != 0 {
		t.Fatalf("%d proposals after four minutes, want none before five", n)
	}
	s.pass(time.Minute)
	s.pass(time.Minute)
	all := s.proposals()
	if len(all) != 1 {
		t.Fatalf("%d proposals, want one", len(all))
	}
	p := all[0]
	if seats := seatsIn(&p); seats["east-b"] != 8 || seats["east-a"] != 0 {
		t.Errorf("%v: want all eight in east-b", seats)
	}
	c := p.Spec.Cause
	if c.Kind != placementv1.CauseLost || c.From != first.Name || c.Policy != "all" || len(c.Places) != 1 || c.Places[0].Name != "dc-east/east-a" || c.Gains[0].Instances != 4 || len(c.Check) == 0 {
		t.Errorf("cause %+v: want what is lost, from where, by which policy, and what to check", c)
	}
	if n := len(s.releases()); n != 0 {
		t.Errorf("%d releases: by default a person starts them", n)
	}
	named := func(name, placement string) *releasev1.Release {
		return releasetest.New(name, revision.Name, func(r *releasev1.Release) { r.Spec.Application, r.Spec.Placement = "pay", placement })
	}
	for range 2 { // again after a kill
		used := placementtest.Run(t, s.placer, named("pay-2", p.Name), revision)
		if used.Name != p.Name || used.Status.Release != "pay-2" {
			t.Fatalf("%v: want the proposal", used)
		}
	}
	s.pass(time.Minute)
	if n := len(s.proposals()); n != 0 {
		t.Errorf("%d proposals: what was proposed is in use", n)
	}
	// Back and well for half an hour: the way back is proposed.
	s.racks(4, 4)
	s.pass(29 * time.Minute)
	if n := len(s.proposals()); n != 0 {
		t.Fatalf("%d proposals: the rack has not been well for half an hour", n)
	}
	s.pass(time.Minute)
	all = s.proposals()
	if len(all) != 1 || all[0].Spec.Cause.Kind != placementv1.CauseRecovered {
		t.Fatalf("%+v: want the way back", all)
	}
	if seats := seatsIn(&all[0]); seats["east-a"] != 4 || seats["east-b"] != 4 {
		t.Errorf("%v: want four in each rack again", seats)
	}
}

// A proposal that is of no use any more is refused, with the reason.
func TestNamedPlacementsAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		before func(s *site, p *placementv1.Placement)
		change func(r *releasev1.Release)
		want   string
	}{
		"NotThere":      {nil, func(r *releasev1.Release) { r.Spec.Placement = "pay-0000000000" }, "it is not there, or has expired"},
		"Expired":       {func(s *site, _ *placementv1.Placement) { s.clock.SetTime(s.clock.Now().Add(time.Hour)) }, nil, "its room is given back"},
		"NoProposal":    {nil, func(r *releasev1.Release) { r.Spec.Placement = "other" }, "it is no proposal"},
		"Used":          {func(s *site, p *placementv1.Placement) { s.mark(p, "pay-9") }, nil, `release "pay-9" uses it`},
		"HostsGone":     {func(s *site, _ *placementv1.Placement) { s.racks(0, 3) }, nil, "that it counts on 3 are left"},
		"ClusterAway":   {func(s *site, _ *placementv1.Placement) { s.away() }, nil, "cluster east-1 takes nothing now"},
		"Altered":       {func(s *site, p *placementv1.Placement) { s.alter(p) }, nil, "it is not what its digest says"},
		"OtherInForce":  {func(s *site, _ *placementv1.Placement) { s.supersede() }, nil, "which is not in force any more"},
		"OtherRevision": {func(s *site, p *placementv1.Placement) { s.otherRevision(p) }, nil, "it is for revision pay-ffffffffff"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, nil)
			first, revision := s.run("pay", 4)
			if name == "NoProposal" {
				c.change = func(r *releasev1.Release) { r.Spec.Placement = first.Name }
				s.mark(first, "")
			}
			s.racks(0, 4)
			s.pass(5 * time.Minute)
			var target placementv1.Placement
			if all := s.proposals(); len(all) == 1 {
				target = all[0]
			} else if name != "NoProposal" {
				t.Fatalf("%d proposals, want one", len(all))
			}
			if c.before != nil {
				c.before(s, &target)
			}
			r := releasetest.New("pay-2", revision.Name, func(r *releasev1.Release) { r.Spec.Application, r.Spec.Placement = "pay", target.Name })
			if c.change != nil {
				c.change(r)
			}
			_, err := s.placer.Place(t.Context(), r, revision)
			refusal := release.Refused(err)
			if refusal == nil || !strings.Contains(refusal.Message, c.want) {
				t.Fatalf("%v: want a refusal that says %q", err, c.want)
			}
		})
	}
}

func (s *site) mark(p *placementv1.Placement, by string) {
	s.t.Helper()
	p.Status.Release = by
	if err := s.Status().Update(s.t.Context(), p); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) away() {
	s.change(&fleetv1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "east-1"}}, func(o client.Object) {
		o.(*fleetv1.Cluster).Status.Conditions = []metav1.Condition{{Type: fleetv1.ConditionReachable, Status: metav1.ConditionFalse, Message: "it does not answer"}}
	})
}

func (s *site) alter(p *placementv1.Placement) {
	s.change(p, func(o client.Object) {
		a := o.(*placementv1.Placement).Spec.Assignments
		a[len(a)-1].Seats = append(a[len(a)-1].Seats, 77)
	})
}

func (s *site) otherRevision(p *placementv1.Placement) {
	s.change(p, func(o client.Object) { o.(*placementv1.Placement).Spec.Revision = "pay-ffffffffff" })
}

// supersede has another Placement in force.
func (s *site) supersede() {
	s.t.Helper()
	s.clock.SetTime(s.clock.Now().Add(time.Minute))
	revision := placementtest.Revision(s.t, "pay", 3)
	placementtest.Run(s.t, s.placer, releasetest.New("pay-3", revision.Name, func(r *releasev1.Release) { r.Spec.Application = "pay" }), revision)
}

// TestEvictionStormMovesNothing: many hosts vanish and come back after ten minutes, while
// policy lets automation start Releases (R86). The brake trips, nothing moves, and the
// brake holds until somebody releases it.
func TestEvictionStormMovesNothing(t *testing.T) {
	s := newSite(t, &placementv1.LostPolicy{Action: placementv1.LostRelease})
	for _, application := range []string{"pay", "loan", "card"} {
		s.run(application, 4)
	}
	held := func() map[string]int {
		var all placementv1.PlacementList
		if err := s.List(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		out := map[string]int{}
		for _, p := range all.Items {
			if p.Status.Release != "" {
				for rack, n := range seatsIn(&p) {
					out[p.Spec.Application+" "+rack] += n
				}
			}
		}
		return out
	}
	before := held()
	s.racks(0, 3) // five of eight hosts
	for range 10 {
		s.pass(time.Minute)
	}
	if n := len(s.proposals()); n != 3 {
		t.Errorf("%d proposals, want one for each application: they move nothing", n)
	}
	s.racks(4, 4)
	for range 90 {
		s.pass(time.Minute)
	}
	if n := len(s.releases()); n != 0 {
		t.Errorf("%d releases: nothing may move", n)
	}
	if n := len(s.proposals()); n != 0 {
		t.Errorf("%d proposals: all hosts are back", n)
	}
	if b := s.brakes(); len(b) != 1 || b[0].Spec.By != "fairway" || b[0].Spec.Released != nil || !strings.Contains(b[0].Spec.Reason, "5 of 8 hosts") {
		t.Errorf("%+v: want one brake that holds, set by fairway, with the numbers", b)
	}
	if after := held(); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("instances moved from %v to %v", before, after)
	}
	if !slices.ContainsFunc(s.acts, func(a string) bool { return strings.HasPrefix(a, "placement.brake Brake/sick-prod-") }) {
		t.Errorf("%v: want the brake on record", s.acts)
	}
}

// Automation starts one Release with a proposal, whatever write it is killed at; a brake
// stops it, and what a person started goes on.
func TestAutomationStartsOnceAndStops(t *testing.T) {
	for fail := range 4 {
		s := newSite(t, &placementv1.LostPolicy{Action: placementv1.LostRelease, Ticket: "CHG-7"})
		s.run("pay", 4)
		s.racks(0, 4)
		s.fail = s.writes + fail
		s.pass(5 * time.Minute)
		s.settle()
		s.fail = 0
		all := s.releases()
		if len(all) != 1 || len(s.proposals()) != 1 {
			t.Fatalf("killed at write %d: %d releases and %d proposals, want one of each", fail, len(all), len(s.proposals()))
		}
		r := all[0]
		if r.Spec.Requester != "fairway" || r.Spec.Ticket != "CHG-7" || r.Spec.Placement != s.proposals()[0].Name || r.Spec.ChangeClass != releasev1.ChangeStandard || r.Spec.Kind != releasev1.KindDeploy {
			t.Errorf("%+v: want a standard Deploy of fairway's with the proposal", r.Spec)
		}
		persons := releasetest.New("by-hand", r.Spec.Revision, func(r *releasev1.Release) { r.Spec.Application, r.Spec.Placement = "pay", "pay-x" })
		brakes := &controller.Brakes{Direct: s}
		if why := brakes.Hold(t.Context(), &r); why != "" {
			t.Errorf("held without a brake: %s", why)
		}
		if err := s.Create(t.Context(), &placementv1.Brake{ObjectMeta: metav1.ObjectMeta{Name: "night"}, Spec: placementv1.BrakeSpec{Reason: "stop", By: "li.na"}}); err != nil {
			t.Fatal(err)
		}
		if why := brakes.Hold(t.Context(), &r); !strings.Contains(why, "brake night holds, set by li.na: stop") {
			t.Errorf("%q: want the brake to hold what automation started", why)
		}
		if why := brakes.Hold(t.Context(), persons); why != "" {
			t.Errorf("a person's release is held: %s", why)
		}
		s.pass(time.Second)
		if all := s.releases(); all[0].Spec.Desired != "Stop" {
			t.Errorf("desired %s, want Stop", all[0].Spec.Desired)
		}
	}
}

// A brake that is set between decision and act keeps the act from being done.
func TestABrakeCountsAtTheMomentOfUse(t *testing.T) {
	s := newSite(t, &placementv1.LostPolicy{Action: placementv1.LostRelease})
	s.run("pay", 4)
	s.racks(0, 4)
	s.clock.SetTime(s.clock.Now().Add(5 * time.Minute))
	if _, err := s.lost.Reconcile(t.Context(), ctrl.Request{}); err != nil {
		t.Fatal(err)
	}
	// The brake lands after the decision has read the brakes.
	first := true
	s.lost.Direct = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			err := c.List(ctx, list, opts...)
			if _, brakes := list.(*placementv1.BrakeList); brakes && first {
				first = false
				return errors.Join(err, s.Create(ctx, &placementv1.Brake{ObjectMeta: metav1.ObjectMeta{Name: "late"}, Spec: placementv1.BrakeSpec{Reason: "stop", By: "li.na"}}))
			}
			return err
		},
	})
	if _, err := s.lost.Reconcile(t.Context(), ctrl.Request{}); err == nil || !strings.Contains(err.Error(), "brake late holds") {
		t.Errorf("%v: want the start refused for the brake", err)
	}
	if n := len(s.releases()); n != 0 {
		t.Errorf("%d releases, want none", n)
	}
}

// What runs stays where it is when the same Revision is released again while a rack that it
// is in is lost: absence of data moves nothing.
func TestTheSameDecisionAgainMovesNothing(t *testing.T) {
	s := newSite(t, nil)
	first, revision := s.run("pay", 4)
	s.racks(0, 4)
	s.clock.SetTime(s.clock.Now().Add(time.Minute))
	again, err := s.placer.Place(t.Context(), releasetest.New("pay-2", revision.Name, func(r *releasev1.Release) { r.Spec.Application = "pay" }), revision)
	if err != nil {
		t.Fatal(err)
	}
	if again.Name != first.Name || fmt.Sprint(seatsIn(again)) != fmt.Sprint(seatsIn(first)) {
		t.Errorf("%s with %v, want %s with %v as before", again.Name, seatsIn(again), first.Name, seatsIn(first))
	}
}

// What keeps an identity, or runs once only, starts elsewhere only if the Release says how its
// old hosts were cut off, also where the rack answers again meanwhile. Automation says no such
// thing, and the way back, between places that answer, asks for none (R86).
func TestMovingAnIdentityAsksHowItWasFenced(t *testing.T) {
	for name, sole := range map[string]func(*appv1.Component){
		"keeps an identity": func(c *appv1.Component) { c.Kind, c.Identity = appv1.KindStateful, appv1.IdentityFixed },
		"runs once only": func(c *appv1.Component) {
			c.Kind, c.Schedule = appv1.KindCron, &appv1.Schedule{Cron: "30 1 * * *"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, &placementv1.LostPolicy{Action: placementv1.LostRelease, Ticket: "CHG-7"})
			revision := placementtest.Revision(t, "pay", 1, sole)
			if err := s.Create(t.Context(), revision); err != nil {
				t.Fatal(err)
			}
			deploy := func(name string, how ...func(*releasev1.Release)) *releasev1.Release {
				return releasetest.New(name, revision.Name, append(how, func(r *releasev1.Release) { r.Spec.Application = "pay" })...)
			}
			first := placementtest.Run(t, s.placer, deploy("pay-1"), revision)
			from, to := "east-a", "east-b"
			if seatsIn(first)[from] == 0 {
				from, to = to, from
			}
			down := func() {
				if from == "east-a" {
					s.racks(0, 4)
					return
				}
				s.racks(4, 0)
			}
			down()
			s.pass(5 * time.Minute)
			all := s.proposals()
			if len(all) != 1 || len(s.releases()) != 0 {
				t.Fatalf("%d proposals and %d releases: want one proposal, and no automation", len(all), len(s.releases()))
			}
			if fence := all[0].Spec.Cause.Fence; !slices.Equal(fence, []string{"account"}) {
				t.Errorf("fence %v: want what has to be cut off", fence)
			}
			named := func(r *releasev1.Release) { r.Spec.Placement = all[0].Name }
			refused := func(r *releasev1.Release, when string) {
				t.Helper()
				_, err := s.placer.Place(t.Context(), r, revision)
				refusal := release.Refused(err)
				if refusal == nil || refusal.Reason != releasev1.ReasonNotPlaced {
					t.Fatalf("%v: %s, want a refusal", err, when)
				}
				for _, want := range []string{"of component account, which " + name + ", leave rack " + from + " of pool retail-business in cluster east-1", "Cut their old hosts off first", "--fenced"} {
					if !strings.Contains(refusal.Message, want) {
						t.Errorf("%s: %q does not say %q", when, refusal.Message, want)
					}
				}
			}
			refused(deploy("pay-2", named), "nobody said how it was cut off")
			refused(deploy("pay-3", named, func(r *releasev1.Release) { r.Spec.Requester = "fairway" }), "automation cannot say so")
			s.racks(4, 4)
			refused(deploy("pay-4", named), "the rack answers again, and may run it still")
			down()
			moved := placementtest.Run(t, s.placer, deploy("pay-5", named, func(r *releasev1.Release) { r.Spec.Fenced = "power cut at the PDU, CHG-9" }), revision)
			if moved.Name != all[0].Name || seatsIn(moved)[to] != 1 || seatsIn(moved)[from] != 0 {
				t.Fatalf("%s with %v: want the proposal, all in %s", moved.Name, seatsIn(moved), to)
			}
			s.racks(4, 4)
			s.pass(30 * time.Minute)
			s.pass(time.Minute)
			if all = s.proposals(); len(all) != 1 || all[0].Spec.Cause.Kind != placementv1.CauseRecovered || all[0].Spec.Cause.Fence != nil {
				t.Fatalf("%+v: want the way back, for which nothing is cut off", all)
			}
			back := placementtest.Run(t, s.placer, deploy("pay-6", named), revision)
			if seatsIn(back)[from] != 1 {
				t.Errorf("%v: want it back in %s", seatsIn(back), from)
			}
		})
	}
}
