// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package notify

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// Kind is what people are told.
type Kind string

// The kinds of notice.
const (
	// Waiting: the request waits for somebody out of the audience.
	Waiting Kind = "Waiting"
	// Escalated: nobody decided in time; the audience may decide in place of others.
	Escalated Kind = "Escalated"
	// ExpiresSoon: the request expires soon and still waits.
	ExpiresSoon Kind = "ExpiresSoon"
	// Approved, Rejected, Void and Expired: how the request ended.
	Approved Kind = "Approved"
	Rejected Kind = "Rejected"
	Void     Kind = "Void"
	Expired  Kind = "Expired"
	// Emergency: an emergency change has begun.
	Emergency Kind = "Emergency"
	// Overdue: a verification or review is owed and its time is over.
	Overdue Kind = "Overdue"
)

// Kinds lists every kind of notice.
func Kinds() []Kind {
	return []Kind{Waiting, Escalated, ExpiresSoon, Approved, Rejected, Void, Expired, Emergency, Overdue}
}

// Audience is whom a notice is for.
type Audience struct {
	// People by person id.
	People []string
	// Groups of the bank's directory.
	Groups []string
	// Roles of the tenant in the environment.
	Roles []tenancyv1.Role
}

// Notice is one thing that people are told.
type Notice struct {
	Kind Kind
	// Name of the notice, unique for the request: it is told once.
	Name string
	// To says whom.
	To Audience
	// Part is what the audience is asked for: a party, a verification, a review.
	Part string
	// Message is what the request's own status says.
	Message string
	// At is since when it is so.
	At time.Time
}

// stale is how old something may be and still be told: whoever starts with an empty
// database is not told of last year.
const stale = 7 * 24 * time.Hour

// Due returns what is to be told of a request as it stands at that time, and when
// to look again. soon is how long before its end a request that waits expires soon.
func Due(r *approvalv1.ApprovalRequest, soon time.Duration, now time.Time) (notices []Notice, next time.Time) {
	// A policy that cannot be read has no groups to tell; requester and makers remain.
	policy := approvalv1.ApprovalPolicySpec{}
	if canonical.Verify(r.Spec.Policy.Content, r.Spec.Policy.Digest) == nil {
		_ = json.Unmarshal([]byte(r.Spec.Policy.Content), &policy)
	}
	d := due{r: r, policy: policy, now: now, soon: soon}
	d.ending()
	d.afterwards()
	if r.DeletionTimestamp.IsZero() && !d.decided() {
		d.waiting()
	}
	return slices.DeleteFunc(d.notices, func(n Notice) bool { return now.Sub(n.At) > stale }), d.next
}

type due struct {
	r       *approvalv1.ApprovalRequest
	policy  approvalv1.ApprovalPolicySpec
	now     time.Time
	soon    time.Duration
	notices []Notice
	next    time.Time
}

func (d *due) condition(kind string) *metav1.Condition {
	return meta.FindStatusCondition(d.r.Status.Conditions, kind)
}

func (d *due) is(kind string) (*metav1.Condition, bool) {
	c := d.condition(kind)
	return c, c != nil && c.Status == metav1.ConditionTrue
}

// decided says that nobody is waited for.
func (d *due) decided() bool {
	for _, kind := range []string{approvalv1.ConditionReady, approvalv1.ConditionVoid, approvalv1.ConditionRejected, approvalv1.ConditionExpired, approvalv1.ConditionUsed} {
		if _, is := d.is(kind); is {
			return true
		}
	}
	return d.r.Spec.Policy.Standing == approvalv1.StandingAutomatic
}

func (d *due) tell(n Notice) { d.notices = append(d.notices, n) }

// interested are those who hear how a request ended. What a policy agrees to by
// itself is no news.
func (d *due) interested() Audience {
	return Audience{People: append([]string{d.r.Spec.Requester}, d.r.Spec.Makers...), Groups: d.policy.Copies}
}

func (d *due) ending() {
	if d.r.Spec.Policy.Standing == approvalv1.StandingAutomatic {
		return
	}
	for _, end := range []struct {
		condition string
		kind      Kind
	}{
		{approvalv1.ConditionReady, Approved}, {approvalv1.ConditionRejected, Rejected}, {approvalv1.ConditionVoid, Void}, {approvalv1.ConditionExpired, Expired},
	} {
		if c, is := d.is(end.condition); is {
			d.tell(Notice{Kind: end.kind, Name: string(end.kind), To: d.interested(), Message: c.Message, At: c.LastTransitionTime.Time})
		}
	}
}

// afterwards tells of emergency changes, and of what is owed for too long.
func (d *due) afterwards() {
	if c, used := d.is(approvalv1.ConditionUsed); used && d.r.Spec.ChangeClass == releasev1.ChangeEmergency {
		to := d.interested()
		if d.policy.Review != nil {
			to.Groups, to.Roles = append(slices.Clone(to.Groups), d.policy.Review.Groups...), d.policy.Review.Roles
		}
		to.Roles = append(slices.Clone(to.Roles), tenancyv1.RoleChangeManager)
		d.tell(Notice{Kind: Emergency, Name: string(Emergency), To: to, Message: c.Message, At: c.LastTransitionTime.Time})
	}
	for _, owed := range []struct {
		condition, part string
		who             *approvalv1.Followup
	}{{approvalv1.ConditionVerified, "verification", d.policy.Verification}, {approvalv1.ConditionReviewed, "review", d.policy.Review}} {
		c := d.condition(owed.condition)
		if c == nil || c.Status == metav1.ConditionTrue || c.Reason != approvalv1.ReasonOverdue {
			continue
		}
		to := Audience{People: []string{d.r.Spec.Requester}, Groups: d.policy.Copies, Roles: []tenancyv1.Role{tenancyv1.RoleChangeManager}}
		if owed.who != nil {
			to.Groups, to.Roles = append(slices.Clone(to.Groups), owed.who.Groups...), append(to.Roles, owed.who.Roles...)
		}
		// One that stays overdue is told of each day.
		days := int(d.now.Sub(c.LastTransitionTime.Time) / (24 * time.Hour))
		d.tell(Notice{Kind: Overdue, Name: fmt.Sprintf("%s/%s/%d", Overdue, owed.part, days), To: to, Part: owed.part, Message: c.Message, At: d.now})
		d.again(c.LastTransitionTime.Add(time.Duration(days+1) * 24 * time.Hour))
	}
}

// waiting tells the parties whose turn it is, and others when time runs out.
func (d *due) waiting() {
	created := d.r.CreationTimestamp.Time
	soonAt := d.r.Spec.DecideBy.Add(-d.soon)
	if soonAt.Before(created) {
		soonAt = created.Add(d.r.Spec.DecideBy.Sub(created) / 2)
	}
	soon := !d.now.Before(soonAt)
	if !soon {
		d.again(soonAt)
	}
	for _, p := range d.r.Status.Parties {
		if p.Open != metav1.ConditionTrue || int(p.Needed) <= len(p.Agreed) {
			continue
		}
		to, found := d.party(p)
		if !found {
			continue // a system of the bank, which is asked otherwise
		}
		d.tell(Notice{Kind: Waiting, Name: fmt.Sprintf("%s/%s/%s", Waiting, p.Stage, p.Party), To: to, Part: p.Party, At: d.now})
		if soon {
			d.tell(Notice{Kind: ExpiresSoon, Name: fmt.Sprintf("%s/%s/%s", ExpiresSoon, p.Stage, p.Party), To: to, Part: p.Party, At: d.now})
		}
	}
	if soon {
		d.tell(Notice{Kind: ExpiresSoon, Name: string(ExpiresSoon), To: Audience{People: []string{d.r.Spec.Requester}}, At: d.now})
	}
	if e := d.policy.Escalation; e != nil {
		at := created.Add(e.After.Duration)
		if d.now.Before(at) {
			d.again(at)
			return
		}
		d.tell(Notice{Kind: Escalated, Name: string(Escalated), To: Audience{Groups: e.Groups}, At: d.now})
	}
}

func (d *due) party(p approvalv1.PartyProgress) (Audience, bool) {
	for _, stage := range d.policy.Stages {
		for _, party := range stage.Parties {
			if stage.Name == p.Stage && party.Name == p.Party {
				return Audience{Groups: party.Groups, Roles: party.Roles}, true
			}
		}
	}
	return Audience{}, false
}

// again asks to look at the request at that time.
func (d *due) again(at time.Time) {
	if at.After(d.now) && (d.next.IsZero() || at.Before(d.next)) {
		d.next = at
	}
}
