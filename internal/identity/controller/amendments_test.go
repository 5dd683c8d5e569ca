// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/amendments"
	"github.com/fairway-cloud/fairway/internal/identity/local"
	"github.com/fairway-cloud/fairway/internal/identity/seal"
	"github.com/fairway-cloud/fairway/internal/platform/database"
)

// always is logged in whoever the session names.
type always struct{}

func (always) Login(_ context.Context, session string) (identity.Login, bool, error) {
	person, found := strings.CutPrefix(session, "of-")
	return identity.Login{Person: person, From: time.Unix(1, 0)}, found, nil
}

// madeHere takes every proof for one of the server: what a false one does is tested
// where there are real ones.
type madeHere struct{}

func (madeHere) Amendment(context.Context, *identityv1.Amendment) (string, error) { return "", nil }
func (madeHere) Confirmation(context.Context, *identityv1.Confirmation) (string, error) {
	return "", nil
}

// notes keep the evidence, and can be away.
type notes struct {
	mu    sync.Mutex
	acts  []audit.Act
	ended map[string]audit.Outcome
	away  error
}

func (n *notes) Intent(_ context.Context, act audit.Act) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away != nil {
		return "", n.away
	}
	n.acts = append(n.acts, act)
	return fmt.Sprint(len(n.acts)), nil
}

func (n *notes) Outcome(_ context.Context, id string, o audit.Outcome) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended == nil {
		n.ended = map[string]audit.Outcome{}
	}
	n.ended[id] = o
	return nil
}

// killed stands for a process that is killed: after so many calls of the hub nothing
// comes back any more, though the last one was carried out.
type killed struct {
	client.Client
	mu   sync.Mutex
	left int
}

var errKilled = errors.New("killed")

func (k *killed) after(err error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.left--
	if k.left <= 0 {
		return errKilled
	}
	return err
}

func (k *killed) dead() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.left <= 0
}

func (k *killed) Create(ctx context.Context, o client.Object, more ...client.CreateOption) error {
	if k.dead() {
		return errKilled
	}
	return k.after(k.Client.Create(ctx, o, more...))
}

func (k *killed) Update(ctx context.Context, o client.Object, more ...client.UpdateOption) error {
	if k.dead() {
		return errKilled
	}
	return k.after(k.Client.Update(ctx, o, more...))
}

func (k *killed) Delete(ctx context.Context, o client.Object, more ...client.DeleteOption) error {
	if k.dead() {
		return errKilled
	}
	return k.after(k.Client.Delete(ctx, o, more...))
}

func (k *killed) Status() client.SubResourceWriter {
	return killedStatus{k.Client.Status(), k}
}

type killedStatus struct {
	client.SubResourceWriter
	k *killed
}

func (s killedStatus) Update(ctx context.Context, o client.Object, more ...client.SubResourceUpdateOption) error {
	if s.k.dead() {
		return errKilled
	}
	return s.k.after(s.SubResourceWriter.Update(ctx, o, more...))
}

// office is where amendments are carried out: the hub, and accounts in a database.
type office struct {
	*testing.T
	own      client.Client
	accounts *local.Accounts
	notes    *notes
	now      func() time.Time
	whole    bool
	ended    []string
}

func newOffice(t *testing.T) *office {
	t.Helper()
	db, err := database.Open(t.Context(), filepath.Join(t.TempDir(), "fairway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	key, err := seal.Ensure(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	o := &office{T: t, own: own(t), notes: &notes{}, now: time.Now, whole: true}
	if o.accounts, err = local.New(t.Context(), db, local.Options{Key: key, Log: slog.New(slog.DiscardHandler), Cost: local.Cost{Memory: 64, Passes: 1, Lanes: 1}}); err != nil {
		t.Fatal(err)
	}
	for id, duty := range map[string]identityv1.Duty{"off-s1": identityv1.DutySecurity, "off-s2": identityv1.DutySecurity} {
		o.must(client.IgnoreAlreadyExists(o.own.Create(t.Context(), person(id, identityv1.PersonSpec{Duty: duty}))))
	}
	// The policy that fills authors in learns of a new kind in its own time.
	probe := amendments.New([]identityv1.AmendmentItem{{Kind: "Person", Name: "x", Act: identityv1.ActCreate, Content: "{}"}}, "probe", "", identity.Person{ID: "off-s1"})
	for deadline := time.Now().Add(30 * time.Second); ; <-time.After(100 * time.Millisecond) {
		if err = o.as("off-s1").Create(t.Context(), probe.DeepCopy(), client.DryRunAll); err == nil {
			return o
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func (o *office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

func (o *office) reconciler(through client.Client) *Amendments {
	return &Amendments{
		Hub: through, Recorder: o.notes, Policies: func() (bool, string) { return o.whole, "a policy was changed" },
		Cases: &amendments.Reader{Direct: o.own, Logins: always{}, Proofs: madeHere{}, Now: o.now},
		Hands: &amendments.Hands{Own: through, Direct: o.own, Accounts: o.accounts, EndSessions: func(_ context.Context, person string) error {
			o.ended = append(o.ended, person)
			return nil
		}},
	}
}

// reconcile runs once, like a worker of the controller.
func (o *office) reconcile(through client.Client, name string) (ctrl.Result, error) {
	return o.reconciler(through).Reconcile(o.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Name: name}})
}

func (o *office) wish(id string, groups ...string) amendments.Wish {
	list := make([]any, 0, len(groups))
	for _, g := range groups {
		list = append(list, g)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"groups": list}}}
	u.SetAPIVersion("identity.fairway.cloud/v1alpha1")
	u.SetKind("Person")
	u.SetName(id)
	return amendments.Wish{Object: u}
}

// as is somebody in his login, as the server acts for him.
func (o *office) as(id string) client.Client {
	o.Helper()
	config := hub.Config()
	config.Impersonate.UserName, config.Impersonate.Groups = id, []string{identity.GroupSecurity}
	config.Impersonate.Extra = map[string][]string{"fairway.cloud/session": {"of-" + id}}
	made, err := client.New(config, client.Options{Scheme: scheme()})
	o.must(err)
	return made
}

// propose has s1 propose, and s2 agree where that is asked for.
func (o *office) propose(agreed bool, more []identityv1.AmendmentItem, wishes ...amendments.Wish) *identityv1.Amendment {
	o.Helper()
	items, err := amendments.Draft(o.Context(), o.own, o.own, wishes)
	o.must(err)
	a := amendments.New(append(items, more...), "test", "", identity.Person{ID: "off-s1", Groups: []string{identity.GroupSecurity}, Session: "of-off-s1"})
	a.Spec.Proof = "v1.test"
	o.must(o.as("off-s1").Create(o.Context(), a))
	if agreed {
		o.must(o.as("off-s2").Create(o.Context(), &identityv1.Confirmation{ObjectMeta: metav1.ObjectMeta{GenerateName: a.Name + "-"}, Spec: identityv1.ConfirmationSpec{
			Amendment: a.Name, UID: string(a.UID), Digest: identity.DigestOfAmendment(a), Verdict: identityv1.VerdictAgree, Author: "off-s2", Groups: []string{identity.GroupSecurity}, Session: "of-off-s2", Proof: "v1.test",
		}}))
	}
	return a
}

func (o *office) look(name string) *identityv1.Amendment {
	o.Helper()
	a := &identityv1.Amendment{}
	o.must(o.own.Get(o.Context(), client.ObjectKey{Name: name}, a))
	return a
}

func (o *office) reason(name string) string {
	o.Helper()
	return meta.FindStatusCondition(o.look(name).Status.Conditions, identityv1.ConditionReady).Reason
}

func (o *office) there(id string) *identityv1.Person {
	o.Helper()
	p := &identityv1.Person{}
	if err := o.own.Get(o.Context(), client.ObjectKey{Name: id}, p); err != nil {
		return nil
	}
	return p
}

func opening(o *office, name, person string) []identityv1.AmendmentItem {
	o.Helper()
	item, err := amendments.Account(identityv1.ActOpen, name, person)
	o.must(err)
	return []identityv1.AmendmentItem{item}
}

// Killed after any call of the hub, another process finishes it: everything is there,
// nothing was written twice.
func TestKilledAtAnyPoint(t *testing.T) {
	o := newOffice(t)
	for calls := 1; calls <= 7; calls++ {
		t.Run(fmt.Sprintf("after %d calls", calls), func(t *testing.T) {
			first, second, third := fmt.Sprintf("kill%d-a", calls), fmt.Sprintf("kill%d-b", calls), fmt.Sprintf("kill%d-c", calls)
			o.must(o.own.Create(t.Context(), person(third, identityv1.PersonSpec{Groups: []string{"old"}})))
			login := fmt.Sprintf("kill%d", calls)
			a := o.propose(true, opening(o, login, first), o.wish(first, "g"), o.wish(second, "g"), o.wish(third, "new"))
			dying := &killed{Client: o.own, left: calls}
			_, err := o.reconcile(dying, a.Name)
			if calls <= 4 && !errors.Is(err, errKilled) {
				t.Fatalf("it was not killed: %v", err)
			}
			if _, err := o.reconcile(o.own, a.Name); err != nil {
				t.Fatal(err)
			}
			if got := o.reason(a.Name); got != identityv1.ReasonCarriedOut {
				t.Fatalf("%s: %+v", got, o.look(a.Name).Status)
			}
			for id, generation := range map[string]int64{first: 1, second: 1, third: 2} {
				if p := o.there(id); p == nil || p.Generation != generation || p.Annotations[identityv1.AnnotationAmendment] != string(a.UID) {
					t.Errorf("%s: %+v", id, p)
				}
			}
			if account, err := o.accounts.Get(t.Context(), login); err != nil || account.Person != first {
				t.Errorf("the account: %+v, %v", account, err)
			}
			if result, err := o.reconcile(o.own, a.Name); err != nil || result.RequeueAfter != 0 {
				t.Errorf("it is over: %v %v", result, err)
			}
		})
	}
	for i, act := range o.notes.acts {
		if !strings.Contains(act.Reason, "proposed by off-s1, agreed to by off-s2") || act.Person != "off-s1" {
			t.Fatalf("evidence names both: %+v", act)
		}
		if _, ended := o.notes.ended[fmt.Sprint(i+1)]; !ended {
			t.Errorf("intent without an outcome: %+v", act)
		}
	}
}

// Two replicas that both take themselves for the leader write everything once.
func TestTwoCarryItOut(t *testing.T) {
	o := newOffice(t)
	var wishes []amendments.Wish
	for i := range 12 {
		wishes = append(wishes, o.wish(fmt.Sprintf("both-%d", i), "g"))
	}
	o.must(o.own.Create(t.Context(), person("both-0", identityv1.PersonSpec{Groups: []string{"old"}})))
	a := o.propose(true, nil, wishes...)
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			for range 50 {
				if result, err := o.reconcile(o.own, a.Name); err == nil && result.RequeueAfter == 0 {
					return
				}
			}
		})
	}
	wait.Wait()
	if got := o.reason(a.Name); got != identityv1.ReasonCarriedOut {
		t.Fatalf("%s: %+v", got, o.look(a.Name).Status)
	}
	for i := range 12 {
		want := int64(1)
		if i == 0 {
			want = 2
		}
		if p := o.there(fmt.Sprintf("both-%d", i)); p == nil || p.Generation != want {
			t.Errorf("both-%d: %+v", i, p)
		}
	}
}

// What keeps an agreed amendment from being carried out, and what does not.
func TestWhatIsNotCarriedOut(t *testing.T) {
	o := newOffice(t)
	nothing := func(name, id, reason, says string) {
		t.Helper()
		if _, err := o.reconcile(o.own, name); err != nil {
			t.Fatal(err)
		}
		ready := meta.FindStatusCondition(o.look(name).Status.Conditions, identityv1.ConditionReady)
		if o.there(id) != nil || ready.Reason != reason || !strings.Contains(ready.Message, says) {
			t.Errorf("%s: %+v", name, ready)
		}
	}
	t.Run("one alone", func(*testing.T) {
		nothing(o.propose(false, nil, o.wish("not-1", "g")).Name, "not-1", identityv1.ReasonWaiting, "waits for another")
	})
	t.Run("a policy is off", func(t *testing.T) {
		a := o.propose(true, nil, o.wish("not-2", "g"))
		o.whole = false
		nothing(a.Name, "not-2", identityv1.ReasonAgreed, "a policy was changed")
		o.whole = true
		if _, err := o.reconcile(o.own, a.Name); err != nil || o.there("not-2") == nil {
			t.Errorf("once the policies hold it goes on: %v", err)
		}
	})
	t.Run("no evidence", func(t *testing.T) {
		a := o.propose(true, nil, o.wish("not-3", "g"))
		o.notes.away = errors.New("the disk is full")
		if _, err := o.reconcile(o.own, a.Name); !errors.Is(err, audit.ErrAway) || o.there("not-3") != nil {
			t.Errorf("unrecorded: %v", err)
		}
		o.notes.away = nil
		if _, err := o.reconcile(o.own, a.Name); err != nil || o.there("not-3") == nil {
			t.Errorf("once the log is back it goes on: %v", err)
		}
	})
	t.Run("too late", func(*testing.T) {
		a := o.propose(true, nil, o.wish("not-4", "g"))
		o.now = func() time.Time { return time.Now().Add(73 * time.Hour) }
		nothing(a.Name, "not-4", identityv1.ReasonRunOut, "ran out")
		o.now = time.Now
		nothing(a.Name, "not-4", identityv1.ReasonRunOut, "ran out") // and a clock that goes back brings nothing back
	})
	t.Run("changed and changed back", func(t *testing.T) {
		o.must(o.own.Create(t.Context(), person("not-5", identityv1.PersonSpec{Groups: []string{"a"}})))
		a := o.propose(true, nil, o.wish("not-6", "g"), o.wish("not-5", "a", "b"))
		for _, groups := range []string{`["c"]`, `["a"]`} {
			o.must(o.own.Patch(t.Context(), o.there("not-5"), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"groups":`+groups+`}}`))))
		}
		nothing(a.Name, "not-6", identityv1.ReasonMoved, "Person not-5 was changed meanwhile; propose it again")
	})
	t.Run("there meanwhile", func(t *testing.T) {
		a := o.propose(true, nil, o.wish("not-7", "g"), o.wish("not-8", "g"))
		o.must(o.own.Create(t.Context(), person("not-8", identityv1.PersonSpec{})))
		nothing(a.Name, "not-7", identityv1.ReasonMoved, "Person not-8 is there meanwhile")
	})
	t.Run("a lie about what is there", func(t *testing.T) {
		o.must(o.own.Create(t.Context(), person("not-9", identityv1.PersonSpec{Groups: []string{"a"}})))
		p := o.there("not-9")
		a := o.propose(true, []identityv1.AmendmentItem{{
			Kind: "Person", Name: "not-9", Act: identityv1.ActUpdate, Content: `{"spec":{"duty":"None","groups":["a","rich"],"state":"Active"}}`,
			Before: &identityv1.AmendmentBase{UID: string(p.UID), Generation: p.Generation, Content: `{"spec":{"duty":"None","groups":["a","rich"],"state":"Active"}}`},
		}})
		nothing(a.Name, "none", identityv1.ReasonMoved, "was changed meanwhile")
		if got := o.there("not-9").Spec.Groups; len(got) != 1 {
			t.Errorf("it was written: %v", got)
		}
	})
	t.Run("an account of nobody", func(*testing.T) {
		nothing(o.propose(true, opening(o, "nobodys", "ghost")).Name, "ghost", identityv1.ReasonMoved, `there is no person "ghost"`)
	})
	t.Run("an alias of one of the two", func(t *testing.T) {
		o.must(o.own.Create(t.Context(), person("not-two", identityv1.PersonSpec{Aliases: []identityv1.Alias{{Name: "off-s2-at-home"}}})))
		a := o.propose(false, nil, o.wish("not-10", "g"))
		o.must(o.own.Patch(t.Context(), o.there("off-s1"), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"aliases":[{"name":"off-s2"}]}}`))))
		o.must(o.as("off-s2").Create(t.Context(), &identityv1.Confirmation{ObjectMeta: metav1.ObjectMeta{GenerateName: "alias-"}, Spec: identityv1.ConfirmationSpec{
			Amendment: a.Name, UID: string(a.UID), Digest: identity.DigestOfAmendment(a), Verdict: identityv1.VerdictAgree, Author: "off-s2", Groups: []string{identity.GroupSecurity}, Session: "of-off-s2", Proof: "v1.test",
		}}))
		nothing(a.Name, "not-10", identityv1.ReasonWaiting, "waits for another")
	})
}
