// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package register

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/amendments"
	"github.com/fairway-cloud/fairway/internal/identity/rights"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

func (r *Register) amendmentRoutes() []httpapi.Route {
	return []httpapi.Route{
		{Method: http.MethodPost, Pattern: base + "/propose", Room: "identity", Verb: "propose", Effect: httpapi.Writes, BodyLimit: importLimit, Handler: r.propose, Describe: describeProposal,
			Doc: httpapi.Doc{Summary: "Proposes to make, change or delete people, mappings of groups and approval policies. Fairway carries it out once another person has agreed.",
				Request: "identity.Proposal", Response: "identity.Proposed"}},
		{Method: http.MethodGet, Pattern: base + "/amendments/{name}/view", Room: "identity", Kind: "Amendment", Verb: "view", Effect: httpapi.Reads, Handler: r.viewAmendment,
			Doc: httpapi.Doc{Summary: "Shows one amendment in plain words: what changes, who agreed, and whether you may agree.", Response: "identity.AmendmentView"}},
	}
}

// Proposal is the body that proposes.
type Proposal struct {
	// Reason why, and Ticket of the bank's process.
	Reason string `json:"reason"`
	Ticket string `json:"ticket,omitempty"`
	// Objects as they are to be, and those to Delete.
	Objects []map[string]any `json:"objects,omitempty"`
	Delete  []Target         `json:"delete,omitempty"`
}

// Target names an object of a guarded kind.
type Target struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Proposed is the answer.
type Proposed struct {
	// Amendments that were made; none where everything is as proposed already.
	Amendments []Made `json:"amendments"`
	// Next says what is to be done now.
	Next string `json:"next"`
}

// Made is one Amendment.
type Made struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	// Changes in plain words.
	Changes []string `json:"changes"`
}

func describeProposal(req *http.Request) (httpapi.Act, error) {
	in := Proposal{}
	// What cannot be read the handler refuses; the attempt is recorded.
	_ = httpapi.Strict(req, &in)
	return httpapi.Act{Subject: "Amendment/*", Class: audit.ClassApproval, Reason: in.Reason, Ticket: in.Ticket}, nil
}

func (r *Register) propose(w http.ResponseWriter, req *http.Request) error {
	in := Proposal{}
	if err := httpapi.Strict(req, &in); err != nil {
		return err
	}
	if err := r.mayPropose(req.Context()); err != nil {
		return err
	}
	var wishes []amendments.Wish
	for _, o := range in.Objects {
		wishes = append(wishes, amendments.Wish{Object: &unstructured.Unstructured{Object: o}})
	}
	for _, n := range in.Delete {
		g, _ := identity.GuardedKind(n.Kind)
		o := &unstructured.Unstructured{Object: map[string]any{}}
		o.SetAPIVersion(g.Group + "/" + g.Version)
		o.SetKind(n.Kind)
		o.SetName(n.Name)
		wishes = append(wishes, amendments.Wish{Object: o, Delete: true})
	}
	if len(wishes) == 0 || len(wishes) > mostWishes {
		return httpapi.NewProblem(httpapi.CodeInvalid, "could not propose %d changes: name 1 to %d", len(wishes), mostWishes)
	}
	items, err := amendments.Draft(req.Context(), r.Own, r.Cases.Direct, wishes)
	if err != nil {
		return untaken(err)
	}
	made, err := r.Propose(req.Context(), items, in.Reason, in.Ticket)
	if err != nil {
		return err
	}
	answer := Proposed{Amendments: []Made{}, Next: "everything is so already"}
	for _, a := range made {
		answer.Amendments = append(answer.Amendments, madeOf(a))
	}
	if len(made) > 0 {
		answer.Next = agreeing(made)
		w.Header().Set("Location", base+"/amendments/"+made[len(made)-1].Name)
	}
	return httpapi.WriteJSON(w, http.StatusCreated, answer)
}

// mostWishes bounds one proposal.
const mostWishes = 1000

func madeOf(a *identityv1.Amendment) Made {
	made := Made{Name: a.Name, Digest: identity.DigestOfAmendment(a)}
	for _, item := range a.Spec.Items {
		made.Changes = append(made.Changes, identity.Explain(item)...)
	}
	return made
}

// agreeing says who does what next.
func agreeing(made []*identityv1.Amendment) string {
	var names []string
	for _, a := range made {
		names = append(names, a.Name)
	}
	return fmt.Sprintf("another security administrator or an audit administrator agrees until %s: fairway identity agree %s",
		made[0].CreationTimestamp.Add(identity.AmendmentHolds).UTC().Format(time.RFC3339), strings.Join(names, " "))
}

// mayPropose turns away whoever may propose nothing, before he learns what is there.
func (r *Register) mayPropose(ctx context.Context) error {
	person, _ := identity.FromContext(ctx)
	if allowed, _, err := r.may(ctx, person, rights.Question{Verb: "create", Group: "identity.fairway.cloud", Resource: "amendments"}); err != nil {
		return err
	} else if !allowed {
		return httpapi.NewProblem(httpapi.CodeDenied, "could not propose to change who is who: a security administrator does it").WithNext("Ask a security administrator.")
	}
	return nil
}

// Propose makes Amendments of items as the person who asks: several where one does not
// hold them. What could never be carried out is refused at once.
func (r *Register) Propose(ctx context.Context, items []identityv1.AmendmentItem, reason, ticket string) ([]*identityv1.Amendment, error) {
	if len(items) == 0 {
		return nil, nil
	}
	if strings.TrimSpace(reason) == "" {
		return nil, httpapi.NewProblem(httpapi.CodeInvalid, "could not propose: say why (reason)").WithCauses(httpapi.Cause{Field: "reason", Reason: "FieldValueRequired", Message: "why it is to be changed"})
	}
	person, _ := identity.FromContext(ctx)
	as, err := r.As(ctx)
	if err != nil {
		return nil, err
	}
	parts := amendments.Parts(items)
	var all []*identityv1.Amendment
	for i, part := range parts {
		a := amendments.New(part, reason, ticket, person)
		if len(parts) > 1 {
			a.Spec.Reason = fmt.Sprintf("%s (part %d of %d)", reason, i+1, len(parts))
		}
		if err := r.early(ctx, a); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	for _, a := range all {
		if person.Session == "" || person.Machine != "" {
			return nil, httpapi.NewProblem(httpapi.CodeDenied, "could not propose: a person does so in a login, and a machine does not").WithNext("Log in, and propose there.")
		}
		if err := r.Prove(ctx, a); err != nil {
			return nil, httpapi.NewProblem(httpapi.CodeUnavailable, "could not prove the amendment now").Because(err)
		}
		if err := as.Create(ctx, a); err != nil {
			return nil, hubs(err, "the amendment")
		}
	}
	return all, nil
}

// hubs is what the hub said.
func hubs(err error, subject string) error {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return httpapi.FromAPIStatus(status.Status(), subject)
	}
	return httpapi.NewProblem(httpapi.CodeUnavailable, "the hub does not answer for %s", subject).Because(err)
}

func untaken(err error) error {
	var refusal *amendments.Refusal
	if errors.As(err, &refusal) {
		return httpapi.NewProblem(httpapi.CodeInvalid, "%s", refusal.Error())
	}
	return httpapi.NewProblem(httpapi.CodeUnavailable, "could not look at what is there now").Because(err)
}

// early refuses a proposal that would be invalid if it were judged now.
func (r *Register) early(ctx context.Context, a *identityv1.Amendment) error {
	tried := a.DeepCopy()
	tried.CreationTimestamp = metav1.NewTime(r.Cases.Now())
	c, err := r.Cases.Case(ctx, tried)
	if err != nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not find out whether the proposal would hold").Because(err)
	}
	c.Confirmations, c.Proofs = nil, map[string]string{identity.ProofOf("Amendment", tried.Name): ""} // it is proved next
	if j := identity.JudgeAmendment(c, r.Cases.Now()); j.State == identity.AmendmentInvalid {
		return httpapi.NewProblem(httpapi.CodeDenied, "could not propose: %s", j.Message).WithNext("Ask another security administrator to propose it.")
	}
	return nil
}

// RefuseEarly says before a Confirmation is made why it would not count. It spares people
// one that is looked past when the Amendment is carried out.
func (r *Register) RefuseEarly(ctx context.Context, object map[string]any) error {
	raw, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("could not read the confirmation: %w", err)
	}
	said := identityv1.Confirmation{}
	if err := json.Unmarshal(raw, &said); err != nil {
		return httpapi.NewProblem(httpapi.CodeInvalid, "could not read the confirmation: it does not have the shape of one")
	}
	person, _ := identity.FromContext(ctx)
	if allowed, _, err := r.may(ctx, person, rights.Question{Verb: "get", Group: "identity.fairway.cloud", Resource: "amendments"}); err != nil || !allowed {
		return err // the hub refuses it; what there is stays hidden
	}
	a, err := r.amendment(ctx, said.Spec.Amendment)
	if err != nil {
		return err
	}
	why, err := r.foresee(ctx, a, said)
	switch {
	case err != nil:
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not find out whether the confirmation would count").Because(err)
	case why != "":
		return httpapi.NewProblem(httpapi.CodeDenied, "could not decide on amendment %q: %s", a.Name, why).WithNext("See what it is about: fairway identity show %s.", a.Name)
	}
	return nil
}

// foresee says why a Confirmation made now would not count; "" where it would.
func (r *Register) foresee(ctx context.Context, a *identityv1.Amendment, said identityv1.Confirmation) (string, error) {
	c, err := r.Cases.Case(ctx, a)
	if err != nil {
		return "", err
	}
	now := r.Cases.Now()
	if j := identity.JudgeAmendment(c, now); a.Status.EndedAt != nil || j.State != identity.AmendmentWaiting && j.State != identity.AmendmentAgreed {
		return "it is over: " + stateOf(a, j).Message, nil
	}
	if a.Status.StartedAt != nil {
		return "it is being carried out already", nil
	}
	// Unlike any name that the hub takes: it is told apart from those there are.
	said.Name, said.CreationTimestamp = "\x00foreseen", metav1.NewTime(now)
	c.Confirmations = append(c.Confirmations, said)
	c.Proofs[identity.ProofOf("Confirmation", said.Name)] = ""
	if err := r.Cases.Know(ctx, &c, said.Spec.Session); err != nil {
		return "", err
	}
	return identity.JudgeAmendment(c, now).Uncounted[said.Name], nil
}

func (r *Register) amendment(ctx context.Context, name string) (*identityv1.Amendment, error) {
	a := &identityv1.Amendment{}
	err := r.Cases.Direct.Get(ctx, client.ObjectKey{Name: name}, a)
	if apierrors.IsNotFound(err) {
		return nil, httpapi.Missing(fmt.Sprintf("amendment %q", identity.Shown(name, 63)))
	}
	if err != nil {
		return nil, httpapi.NewProblem(httpapi.CodeUnavailable, "could not read the amendment now").Because(err)
	}
	return a, nil
}

// AmendmentView is one Amendment as it is shown.
type AmendmentView struct {
	Name    string    `json:"name"`
	Author  string    `json:"author"`
	Reason  string    `json:"reason"`
	Ticket  string    `json:"ticket,omitempty"`
	Created time.Time `json:"created"`
	Until   time.Time `json:"until"`
	UID     string    `json:"uid"`
	Digest  string    `json:"digest"`
	// State is Waiting, Agreed, CarriedOut, Refused, RunOut, Invalid or Moved, and
	// Message says it in a sentence.
	State   string `json:"state"`
	Message string `json:"message"`
	// Changes in plain words, Moved what is not any more as it was, and Left what was
	// not carried out.
	Changes []string `json:"changes"`
	Moved   []string `json:"moved,omitempty"`
	Left    []string `json:"left,omitempty"`
	// Said is who said what.
	Said []Said `json:"said"`
	// May is Yes where whoever looks may agree now, else No with Why.
	May string `json:"may"`
	Why string `json:"why,omitempty"`
}

// Said is one Confirmation as it is shown.
type Said struct {
	Author  string    `json:"author"`
	Verdict string    `json:"verdict"`
	Comment string    `json:"comment,omitempty"`
	At      time.Time `json:"at"`
	// Counts is True or False; Why says why it does not.
	Counts string `json:"counts"`
	Why    string `json:"why,omitempty"`
}

// stateOf is what came of an Amendment: what was carried out stays so.
func stateOf(a *identityv1.Amendment, j identity.AmendmentJudgement) metav1.Condition {
	if a.Status.EndedAt != nil {
		for _, c := range a.Status.Conditions {
			if c.Type == identityv1.ConditionReady {
				return c
			}
		}
	}
	return metav1.Condition{Reason: string(j.State), Message: j.Message}
}

func (r *Register) viewAmendment(w http.ResponseWriter, req *http.Request) error {
	if len(req.URL.Query()) > 0 {
		return httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the query: this takes no parameters")
	}
	ctx, name := req.Context(), req.PathValue("name")
	person, _ := identity.FromContext(ctx)
	allowed, _, err := r.may(ctx, person, rights.Question{Verb: "get", Group: "identity.fairway.cloud", Resource: "amendments", Name: name})
	if err != nil {
		return err
	}
	if !allowed {
		return httpapi.Missing(fmt.Sprintf("amendment %q", identity.Shown(name, 63)))
	}
	a, err := r.amendment(ctx, name)
	if err != nil {
		return err
	}
	c, err := r.Cases.Case(ctx, a)
	if err != nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not judge the amendment now").Because(err)
	}
	j := identity.JudgeAmendment(c, r.Cases.Now())
	state := stateOf(a, j)
	view := AmendmentView{
		Name: a.Name, Author: a.Spec.Author, Reason: a.Spec.Reason, Ticket: a.Spec.Ticket, Created: a.CreationTimestamp.UTC(), Until: a.CreationTimestamp.Add(identity.AmendmentHolds).UTC(),
		UID: string(a.UID), Digest: j.Digest, State: state.Reason, Message: state.Message, Changes: madeOf(a).Changes, Left: a.Status.Left, Said: []Said{}, May: "Yes",
	}
	for _, s := range c.Confirmations {
		said := Said{Author: s.Spec.Author, Verdict: string(s.Spec.Verdict), Comment: s.Spec.Comment, At: s.CreationTimestamp.UTC(), Counts: "True"}
		if why, ignored := j.Uncounted[s.Name]; ignored {
			said.Counts, said.Why = "False", why
		}
		view.Said = append(view.Said, said)
	}
	if a.Status.StartedAt == nil && a.Status.EndedAt == nil {
		hands := &amendments.Hands{Direct: r.Cases.Direct, Accounts: r.Accounts}
		for _, item := range a.Spec.Items {
			if _, moved, err := hands.Look(ctx, a, item); err == nil && moved != "" {
				view.Moved = append(view.Moved, moved)
			}
		}
	}
	view.Why, err = r.foresee(ctx, a, identityv1.Confirmation{Spec: identityv1.ConfirmationSpec{
		Amendment: a.Name, UID: string(a.UID), Digest: j.Digest, Verdict: identityv1.VerdictAgree, Author: person.ID, Groups: person.Groups, Session: person.Session,
	}})
	if err != nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not judge the amendment now").Because(err)
	}
	if view.Why != "" {
		view.May = "No"
	}
	return httpapi.WriteJSON(w, http.StatusOK, view)
}
