// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package amendments

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"strings"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// Wish is what somebody wants to be there.
type Wish struct {
	// Object as it is to be, or what is to be deleted: of that only kind and name count.
	Object *unstructured.Unstructured
	// Delete takes the object away.
	Delete bool
}

// Refusal is what the hub says about a wish, for whoever wishes.
type Refusal struct {
	// Kind and Name of the object, and Message in the hub's words.
	Kind, Name, Message string
}

// Error implements error.
func (r *Refusal) Error() string {
	return fmt.Sprintf("could not propose %s %q: %s", r.Kind, r.Name, r.Message)
}

// Draft makes the items of an Amendment from wishes. Each is tried on the hub as Fairway
// itself, which writes nothing: what would not be taken is a *Refusal now, and what the
// hub fills in is part of what people agree to. A wish that is fulfilled already makes no
// item.
func Draft(ctx context.Context, own client.Client, direct client.Reader, wishes []Wish) ([]identityv1.AmendmentItem, error) {
	drafts, failed := Drafts(ctx, own, direct, wishes)
	var items []identityv1.AmendmentItem
	for i, item := range drafts {
		if failed[i] != nil {
			return nil, failed[i]
		}
		if item != nil {
			items = append(items, *item)
		}
	}
	return items, nil
}

// atOnce is how many wishes are tried at a time.
const atOnce = 16

// Drafts is Draft for each wish by itself: its item, nil where it is fulfilled, or what
// failed.
func Drafts(ctx context.Context, own client.Client, direct client.Reader, wishes []Wish) ([]*identityv1.AmendmentItem, []error) {
	items, failed := make([]*identityv1.AmendmentItem, len(wishes)), make([]error, len(wishes))
	work := errgroup.Group{}
	work.SetLimit(atOnce)
	for i, w := range wishes {
		work.Go(func() error {
			items[i], failed[i] = draft(ctx, own, direct, w)
			return nil
		})
	}
	_ = work.Wait() // each failure is told in its place
	return items, failed
}

func draft(ctx context.Context, own client.Client, direct client.Reader, w Wish) (*identityv1.AmendmentItem, error) {
	guarded, ok := identity.GuardedKind(w.Object.GetKind())
	if !ok || w.Object.GroupVersionKind().Group != guarded.Group {
		return nil, &Refusal{w.Object.GetKind(), w.Object.GetName(), "a kind that no second person is needed for: write it as it is"}
	}
	item := &identityv1.AmendmentItem{Kind: guarded.Kind, Name: w.Object.GetName(), Act: identityv1.ActCreate}
	if item.Name == "" {
		return nil, &Refusal{item.Kind, "", "name it"}
	}
	now, err := object(ctx, direct, guarded, item.Name)
	if err != nil {
		return nil, err
	}
	if now != nil {
		item.Act = identityv1.ActUpdate
		if item.Before, err = base(now); err != nil {
			return nil, err
		}
	}
	if w.Delete {
		switch {
		case now == nil:
			return nil, nil
		case guarded.Kind == "Person":
			return nil, &Refusal{item.Kind, item.Name, "a Person stays, because evidence names people for good: set spec.state to Disabled"}
		}
		item.Act = identityv1.ActDelete
		return item, nil
	}
	content, err := wanted(w.Object, now)
	if err != nil {
		return nil, err
	}
	tried, err := write(ctx, own, guarded, item.Name, content, now, "", true)
	if err != nil {
		return nil, refusal(item, err)
	}
	if item.Content, err = identity.ContentOf(tried.Object); err != nil {
		return nil, err
	}
	if item.Before != nil && item.Before.Content == item.Content {
		return nil, nil
	}
	return item, nil
}

// wanted is the content of a wish: labels and annotations that are there stay.
func wanted(wish, now *unstructured.Unstructured) (string, error) {
	o := wish.DeepCopy()
	if now != nil {
		labels, annotations := now.GetLabels(), now.GetAnnotations()
		o.SetLabels(over(labels, wish.GetLabels()))
		o.SetAnnotations(over(annotations, wish.GetAnnotations()))
	}
	return identity.ContentOf(o.Object)
}

func over(under, top map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, under)
	maps.Copy(out, top)
	return out
}

func base(now *unstructured.Unstructured) (*identityv1.AmendmentBase, error) {
	content, err := identity.ContentOf(now.Object)
	if err != nil {
		return nil, err
	}
	return &identityv1.AmendmentBase{UID: string(now.GetUID()), Generation: now.GetGeneration(), Content: content}, nil
}

// refusal tells what the hub does not take; that it does not answer is another matter.
func refusal(item *identityv1.AmendmentItem, err error) error {
	var status apierrors.APIStatus
	if errors.As(err, &status) && (apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err)) {
		return &Refusal{item.Kind, item.Name, status.Status().Message}
	}
	return fmt.Errorf("could not try %s %q on the hub: %w", item.Kind, item.Name, err)
}

// Account makes the item that opens or re-invites a local account.
func Account(act identityv1.AmendmentAct, name, person string) (identityv1.AmendmentItem, error) {
	content, err := canonical.JSON(identity.AccountContent{Person: person})
	return identityv1.AmendmentItem{Kind: identity.KindAccount, Name: name, Act: act, Content: content}, err
}

// What one Amendment holds at most: its type's bound, and well under what etcd takes.
const (
	mostItems = 256
	mostBytes = 600 << 10
)

// Parts splits items into what one Amendment each can hold.
func Parts(items []identityv1.AmendmentItem) [][]identityv1.AmendmentItem {
	var parts [][]identityv1.AmendmentItem
	size := 0
	for _, item := range items {
		n := len(item.Content) + 256
		if item.Before != nil {
			n += len(item.Before.Content)
		}
		if len(parts) == 0 || len(parts[len(parts)-1]) == mostItems || size+n > mostBytes {
			parts, size = append(parts, nil), 0
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], item)
		size += n
	}
	return parts
}

// New makes an Amendment of a person in a login. It has a name already: the proof is bound
// to it.
func New(items []identityv1.AmendmentItem, reason, ticket string, author identity.Person) *identityv1.Amendment {
	return &identityv1.Amendment{
		ObjectMeta: metav1.ObjectMeta{Name: "am-" + strings.ToLower(rand.Text()[:8])},
		Spec:       identityv1.AmendmentSpec{Items: items, Reason: reason, Ticket: ticket, Author: author.ID, Groups: author.Groups, Session: author.Session},
	}
}
