// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package amendments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/local"
)

// owner is the field manager of what is carried out.
const owner = client.FieldOwner("fairway-amendment")

// Accounts are the local accounts. They are the identity room's own.
type Accounts interface {
	// Get fails with local.ErrNone.
	Get(ctx context.Context, name string) (local.Account, error)
	// Offered says whether that amendment has offered the account already.
	Offered(ctx context.Context, name, amendment string) (bool, error)
	// Open fails with local.ErrTaken, InviteAgain with local.ErrNone.
	Open(ctx context.Context, o local.Offer) error
	InviteAgain(ctx context.Context, o local.Offer) error
}

// Hands carry single items out. Every act is safe to repeat, by two at once too.
type Hands struct {
	// Own writes on the hub as Fairway, and Direct reads past every cache.
	Own    client.Client
	Direct client.Reader
	// Accounts of Fairway's own. Nil: there are none.
	Accounts Accounts
	// EndSessions ends everything that a person is logged in by.
	EndSessions func(ctx context.Context, person string) error
}

// Pair are the two who agreed.
type Pair struct {
	// Author and Second by person id.
	Author, Second string
}

// Look says of an item whether it was carried out already, and if not, why it cannot be:
// what it replaces is not what was there. moved is a sentence.
func (h *Hands) Look(ctx context.Context, a *identityv1.Amendment, item identityv1.AmendmentItem) (done bool, moved string, err error) {
	if item.Kind == identity.KindAccount {
		return h.lookAccount(ctx, a, item)
	}
	guarded, ok := identity.GuardedKind(item.Kind)
	if !ok {
		return false, fmt.Sprintf("%s is no kind that is changed by two", item.Kind), nil
	}
	now, err := object(ctx, h.Direct, guarded, item.Name)
	if err != nil {
		return false, "", err
	}
	done, moved = compare(a, item, now)
	return done, moved, nil
}

// compare says what is to be said about an object as it is now; nil: there is none.
func compare(a *identityv1.Amendment, item identityv1.AmendmentItem, now *unstructured.Unstructured) (done bool, moved string) {
	what := item.Kind + " " + item.Name
	if now == nil {
		switch item.Act {
		case identityv1.ActCreate:
			return false, ""
		case identityv1.ActDelete:
			return true, ""
		}
		return false, what + " is gone"
	}
	if now.GetAnnotations()[identityv1.AnnotationAmendment] == string(a.UID) && item.Act != identityv1.ActDelete {
		return true, ""
	}
	if item.Act == identityv1.ActCreate {
		return false, what + " is there meanwhile"
	}
	content, err := identity.ContentOf(now.Object)
	switch {
	case err != nil:
		return false, what + " cannot be read"
	case item.Before == nil || item.Before.UID != string(now.GetUID()) || item.Before.Generation != now.GetGeneration() || item.Before.Content != content:
		return false, what + " was changed meanwhile"
	}
	return false, ""
}

// Carry carries an item out, unless it was.
func (h *Hands) Carry(ctx context.Context, a *identityv1.Amendment, item identityv1.AmendmentItem, by Pair) (moved string, err error) {
	if item.Kind == identity.KindAccount {
		return h.carryAccount(ctx, a, item, by)
	}
	guarded, ok := identity.GuardedKind(item.Kind)
	if !ok {
		return fmt.Sprintf("%s is no kind that is changed by two", item.Kind), nil
	}
	now, err := object(ctx, h.Direct, guarded, item.Name)
	if err != nil {
		return "", err
	}
	done, moved := compare(a, item, now)
	if done || moved != "" {
		return moved, nil
	}
	if item.Act == identityv1.ActDelete {
		uid, version := now.GetUID(), now.GetResourceVersion()
		err := h.Own.Delete(ctx, now, client.Preconditions{UID: &uid, ResourceVersion: &version})
		return told(item, client.IgnoreNotFound(err))
	}
	_, err = write(ctx, h.Own, guarded, item.Name, item.Content, now, string(a.UID), false)
	return told(item, err)
}

// told sorts what the hub said: what another one wrote meanwhile is looked at again, what
// the hub does not take is for people.
func told(item identityv1.AmendmentItem, err error) (moved string, failed error) {
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return "", nil
	case errors.As(err, &status) && (apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err)):
		return fmt.Sprintf("the hub does not take %s %s: %s", item.Kind, item.Name, status.Status().Message), nil
	}
	return "", fmt.Errorf("could not write %s %q: %w", item.Kind, item.Name, err)
}

// write makes or replaces an object. An update holds only for the version that was read.
func write(ctx context.Context, own client.Client, g identity.Guarded, name, content string, now *unstructured.Unstructured, stamp string, dry bool) (*unstructured.Unstructured, error) {
	annotations, labels, spec, err := identity.OpenContent(content)
	if err != nil {
		return nil, err
	}
	o := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{}, "spec": spec}}
	if now != nil {
		o = now.DeepCopy()
		o.Object["spec"] = spec
	}
	o.SetGroupVersionKind(gvk(g))
	o.SetName(name)
	o.SetLabels(labels)
	if stamp != "" {
		annotations = over(annotations, map[string]string{identityv1.AnnotationAmendment: stamp})
	}
	o.SetAnnotations(annotations)
	o.SetManagedFields(nil)
	if now == nil {
		options := []client.CreateOption{owner}
		if dry {
			options = append(options, client.DryRunAll)
		}
		return o, own.Create(ctx, o, options...)
	}
	options := []client.UpdateOption{owner}
	if dry {
		options = append(options, client.DryRunAll)
	}
	return o, own.Update(ctx, o, options...)
}

func (h *Hands) lookAccount(ctx context.Context, a *identityv1.Amendment, item identityv1.AmendmentItem) (done bool, moved string, err error) {
	person, moved := h.owner(ctx, item)
	if moved != "" {
		return false, moved, nil
	}
	if done, err = h.Accounts.Offered(ctx, item.Name, string(a.UID)); err != nil || done {
		return done, "", err
	}
	p := &identityv1.Person{}
	err = h.Direct.Get(ctx, types.NamespacedName{Name: person}, p)
	switch {
	case apierrors.IsNotFound(err):
		// An item before this one may make him.
		if !makes(a, person) {
			return false, fmt.Sprintf("there is no person %q", person), nil
		}
	case err != nil:
		return false, "", fmt.Errorf("could not read person %q: %w", person, err)
	}
	account, err := h.Accounts.Get(ctx, item.Name)
	switch {
	case errors.Is(err, local.ErrNone):
		if item.Act == identityv1.ActInvite {
			moved = fmt.Sprintf("there is no account %q", item.Name)
		}
	case err != nil:
		return false, "", err
	case item.Act == identityv1.ActOpen:
		moved = fmt.Sprintf("there is an account %q meanwhile", item.Name)
	case account.Person != person:
		moved = fmt.Sprintf("account %q belongs to %s, not to %s", item.Name, account.Person, person)
	}
	return false, moved, nil
}

func makes(a *identityv1.Amendment, person string) bool {
	for _, item := range a.Spec.Items {
		if item.Kind == "Person" && item.Name == person && item.Act == identityv1.ActCreate {
			return true
		}
	}
	return false
}

func (h *Hands) owner(_ context.Context, item identityv1.AmendmentItem) (person, moved string) {
	if h.Accounts == nil {
		return "", "there are no local accounts here"
	}
	c := identity.AccountContent{}
	if err := json.Unmarshal([]byte(item.Content), &c); err != nil || c.Person == "" {
		return "", "it does not say whose account it is"
	}
	return c.Person, ""
}

func (h *Hands) carryAccount(ctx context.Context, a *identityv1.Amendment, item identityv1.AmendmentItem, by Pair) (moved string, err error) {
	done, moved, err := h.lookAccount(ctx, a, item)
	if err != nil || moved != "" {
		return moved, err
	}
	person, _ := h.owner(ctx, item)
	o := local.Offer{Name: item.Name, Person: person, First: by.Author, Second: by.Second, Amendment: string(a.UID)}
	if !done {
		if item.Act == identityv1.ActOpen {
			err = h.Accounts.Open(ctx, o)
		} else {
			err = h.Accounts.InviteAgain(ctx, o)
		}
	}
	var bad *local.Invalid
	switch {
	case errors.Is(err, local.ErrTaken):
		return fmt.Sprintf("there is an account %q meanwhile", item.Name), nil
	case errors.Is(err, local.ErrNone):
		return fmt.Sprintf("there is no account %q of %s", item.Name, person), nil
	case errors.As(err, &bad):
		return bad.Why, nil
	case err != nil:
		return "", err
	}
	// What the account was logged in by is gone. Done again it ends nothing that was opened
	// by the new password before this was known to be done: the status is written next.
	return "", h.EndSessions(ctx, person)
}
