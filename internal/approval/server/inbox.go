// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package server answers what there is to decide: the inbox of a person, one
// request in plain words, and early why a decision would not count.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/cases"
	"github.com/fairway-cloud/fairway/internal/identity"
)

// Authority says what a person may see, as the hub's RBAC has it.
type Authority interface {
	// MayRead says whether the person may read the approval requests of a namespace.
	MayRead(ctx context.Context, person identity.Person, namespace string) (bool, error)
}

// Desk is where requests are looked at.
type Desk struct {
	// Hub lists requests, from the cache.
	Hub client.Reader
	// Cases gathers what a request is judged by, from the cache.
	Cases *cases.Reader
	// Strict gathers the same past the cache, for a decision that is being made.
	Strict *cases.Reader
	// Authority says who sees which namespace.
	Authority Authority
}

// Tab of the inbox.
type Tab string

// The tabs.
const (
	// ToDo waits for the person.
	ToDo Tab = "todo"
	// Done was decided on by the person.
	Done Tab = "done"
	// Mine was asked for or made by the person.
	Mine Tab = "mine"
	// Copied is told to a group of the person.
	Copied Tab = "copied"
	// All is everything that the person may see.
	All Tab = "all"
)

// Item is one request as it is shown.
type Item struct {
	Namespace   string                     `json:"namespace"`
	Name        string                     `json:"name"`
	Act         string                     `json:"act"`
	Subject     approvalv1.Subject         `json:"subject"`
	Requester   string                     `json:"requester"`
	Makers      []string                   `json:"makers,omitempty"`
	Scope       approvalv1.Scope           `json:"scope"`
	ChangeClass string                     `json:"changeClass"`
	Risk        string                     `json:"risk"`
	Reason      string                     `json:"reason,omitempty"`
	Ticket      string                     `json:"ticket,omitempty"`
	Digest      string                     `json:"digest"`
	Policy      string                     `json:"policy"`
	BlastRadius approvalv1.BlastRadius     `json:"blastRadius"`
	CreatedAt   time.Time                  `json:"createdAt"`
	DecideBy    time.Time                  `json:"decideBy"`
	State       string                     `json:"state"`
	Message     string                     `json:"message"`
	Next        string                     `json:"next,omitempty"`
	Parties     []approvalv1.PartyProgress `json:"parties,omitempty"`
	// May lists what the person who looks may say now.
	May []approvalv1.VerdictKind `json:"may"`
	// Owed is what is still to be done after the act.
	Owed []string `json:"owed,omitempty"`

	// What only the view of one request holds.
	Summary     []string               `json:"summary,omitempty"`
	Changes     []string               `json:"changes,omitempty"`
	Attachments any                    `json:"attachments,omitempty"`
	Decisions   []Said                 `json:"decisions,omitempty"`
	Uncounted   []approvalv1.Uncounted `json:"uncounted,omitempty"`
}

// Said is one decision as it is shown.
type Said struct {
	Author     string                 `json:"author"`
	OnBehalfOf string                 `json:"onBehalfOf,omitempty"`
	Verdict    approvalv1.VerdictKind `json:"verdict"`
	Comment    string                 `json:"comment,omitempty"`
	At         time.Time              `json:"at"`
	// Counts says whether it counts; if not, Why says why.
	Counts string `json:"counts"`
	Why    string `json:"why,omitempty"`
}

// Inbox lists the requests of one tab that the person may see, newest first, at
// most limit. more counts those that were left out.
func (d *Desk) Inbox(ctx context.Context, person identity.Person, tab Tab, namespace string, limit int) (items []Item, more int, err error) {
	list := &approvalv1.ApprovalRequestList{}
	if err := d.Hub.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, 0, fmt.Errorf("could not list the approval requests: %w", err)
	}
	slices.SortFunc(list.Items, func(a, b approvalv1.ApprovalRequest) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	sees := map[string]bool{}
	items = []Item{}
	for i := range list.Items {
		r := &list.Items[i]
		seen, asked := sees[r.Namespace]
		if !asked {
			if seen, err = d.Authority.MayRead(ctx, person, r.Namespace); err != nil {
				return nil, 0, err
			}
			sees[r.Namespace] = seen
		}
		if !seen || (tab == ToDo && closed(r)) {
			continue
		}
		item, c, err := d.item(ctx, person, r)
		if err != nil {
			return nil, 0, err
		}
		if !belongs(tab, person, item, c) {
			continue
		}
		if len(items) == limit {
			more++
			continue
		}
		items = append(items, item)
	}
	return items, more, nil
}

// closed says that nobody has anything to say about a request any more. The status
// is enough here: the list is not what decides.
func closed(r *approvalv1.ApprovalRequest) bool {
	state, _ := settled(r)
	return state != ""
}

// settled returns the state in which a request has ended without its act, or "".
func settled(r *approvalv1.ApprovalRequest) (state, message string) {
	for _, c := range r.Status.Conditions {
		if c.Status == "True" && (c.Type == approvalv1.ConditionVoid || c.Type == approvalv1.ConditionRejected || c.Type == approvalv1.ConditionExpired) {
			return c.Type, c.Message
		}
	}
	return "", ""
}

func belongs(tab Tab, person identity.Person, item Item, c approval.Case) bool {
	same := func(name string) bool { return name != "" && c.People.Same(name, person.ID) }
	switch tab {
	case ToDo:
		// What somebody could still refuse or take back does not wait for him.
		return slices.ContainsFunc(item.May, func(v approvalv1.VerdictKind) bool {
			return v != approvalv1.VerdictWithdraw && v != approvalv1.VerdictReject
		})
	case Done:
		return slices.ContainsFunc(c.Decisions, func(x approvalv1.Decision) bool { return same(x.Spec.Author) })
	case Mine:
		return same(item.Requester) || slices.ContainsFunc(item.Makers, same)
	case Copied:
		policy, err := approval.Open(c.Request.Spec.Policy)
		return err == nil && slices.ContainsFunc(policy.Copies, func(g string) bool { return slices.Contains(person.Groups, g) })
	}
	return true
}

// gather reads the Release and the case of a request.
func gather(ctx context.Context, from *cases.Reader, r *approvalv1.ApprovalRequest) (approval.Case, error) {
	rel, err := from.Release(ctx, r.Namespace, r.Spec.Subject.Name)
	if err != nil {
		return approval.Case{}, err
	}
	digest := r.Spec.Digest
	if rel != nil {
		digest = rel.Status.PlanDigest
	}
	return from.Of(ctx, r, rel, digest)
}

func (d *Desk) item(ctx context.Context, person identity.Person, r *approvalv1.ApprovalRequest) (Item, approval.Case, error) {
	c, err := gather(ctx, d.Cases, r)
	if err != nil {
		return Item{}, c, err
	}
	s := r.Spec
	item := Item{
		Namespace: r.Namespace, Name: r.Name, Act: s.Act, Subject: s.Subject, Requester: s.Requester, Makers: s.Makers, Scope: s.Scope,
		ChangeClass: string(s.ChangeClass), Risk: string(s.Risk), Reason: s.Reason, Ticket: s.Ticket, Digest: s.Digest, Policy: s.Policy.Name,
		BlastRadius: s.BlastRadius, CreatedAt: r.CreationTimestamp.Time, DecideBy: s.DecideBy.Time, May: []approvalv1.VerdictKind{},
	}
	if state, message := settled(r); state != "" {
		// What a request came to does not change any more, also where it would be judged
		// otherwise now: the next one of its subject took its place. Nobody judges it again.
		item.State, item.Message, item.Parties = state, message, r.Status.Parties
		return item, c, nil
	}
	now := d.Cases.Now()
	j := approval.Judge(c, now)
	item.State, item.Message, item.Parties, item.May = string(j.State), j.Message, j.Parties, approval.May(c, person.ID, person.Groups, now)
	if j.State == approval.Approved && !j.May {
		item.Next = j.Why
	}
	item.Owed = owed(j, now)
	return item, c, nil
}

// owed says what is still to be done after the act, by when, and whether that is over.
func owed(j approval.Judgement, now time.Time) []string {
	var out []string
	for _, o := range j.Owed {
		switch due := o.Due.UTC().Format(time.RFC3339); {
		case o.By != "" || o.Due.IsZero():
		case now.After(o.Due):
			out = append(out, fmt.Sprintf("%s, overdue since %s", o.Verdict, due))
		default:
			out = append(out, fmt.Sprintf("%s until %s", o.Verdict, due))
		}
	}
	return out
}

// errHidden says that there is no such request for the person who asks.
var errHidden = errors.New("no such request")

// View is one request with everything that somebody needs to decide.
func (d *Desk) View(ctx context.Context, person identity.Person, namespace, name string) (Item, error) {
	r, err := d.visible(ctx, person, namespace, name)
	if err != nil {
		return Item{}, err
	}
	item, c, err := d.item(ctx, person, r)
	if err != nil {
		return item, err
	}
	now := d.Cases.Now()
	j := approval.Judge(c, now)
	item.Summary, item.Changes, item.Uncounted = r.Spec.Summary, r.Spec.Changes, j.Uncounted
	if len(r.Spec.Attachments) > 0 {
		item.Attachments = r.Spec.Attachments
	}
	why := map[string]string{}
	for _, u := range j.Uncounted {
		why[u.Decision] = u.Reason
	}
	for _, x := range c.Decisions {
		said := Said{Author: x.Spec.Author, OnBehalfOf: x.Spec.OnBehalfOf, Verdict: x.Spec.Verdict, Comment: x.Spec.Comment, At: x.CreationTimestamp.Time, Counts: "True"}
		if reason, ignored := why[x.Name]; ignored {
			said.Counts, said.Why = "False", reason
		}
		item.Decisions = append(item.Decisions, said)
	}
	slices.SortStableFunc(item.Decisions, func(a, b Said) int { return a.At.Compare(b.At) })
	return item, nil
}

func (d *Desk) visible(ctx context.Context, person identity.Person, namespace, name string) (*approvalv1.ApprovalRequest, error) {
	sees, err := d.Authority.MayRead(ctx, person, namespace)
	if err != nil {
		return nil, err
	}
	if !sees {
		return nil, errHidden
	}
	r := &approvalv1.ApprovalRequest{}
	if err := d.Hub.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, r); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return nil, errHidden
		}
		return nil, fmt.Errorf("could not read approval request %q: %w", name, err)
	}
	return r, nil
}

// Refusal says why a decision would not count, before it is made; "" where it
// would. It spares people a decision that the Gate looks past.
func (d *Desk) Refusal(ctx context.Context, decision *approvalv1.Decision) (string, error) {
	r := &approvalv1.ApprovalRequest{}
	err := d.Strict.Direct.Get(ctx, client.ObjectKey{Namespace: decision.Namespace, Name: decision.Spec.Request}, r)
	if client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("could not read approval request %q: %w", decision.Spec.Request, err)
	}
	if err != nil {
		return fmt.Sprintf("there is no approval request %q in %s", decision.Spec.Request, decision.Namespace), nil
	}
	c, err := gather(ctx, d.Strict, r)
	if err != nil {
		return "", err
	}
	if _, known := c.Logins[decision.Spec.Session]; !known && decision.Spec.Session != "" {
		login, found, err := d.Strict.Logins.Login(ctx, decision.Spec.Session)
		if err != nil {
			return "", fmt.Errorf("could not find out in which login the decision is made: %w", err)
		}
		if found {
			c.Logins[decision.Spec.Session] = login
		}
	}
	if decision.Spec.OnBehalfOf != "" {
		// The case brings them only where somebody has stood in already.
		if c.Delegations, err = d.Strict.Delegations(ctx); err != nil {
			return "", err
		}
	}
	if err := d.Strict.Prove(ctx, &c, *decision); err != nil {
		return "", err
	}
	return approval.Refusal(c, *decision, d.Strict.Now()), nil
}
