// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
)

// administrators are three who keep who is who, and an application's people beside.
func administrators(t *testing.T) *wall {
	t.Helper()
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	w := &wall{bench: startServer(t), t: t, tenant: "wall"}
	for into, config := range map[*client.Client]*rest.Config{&w.masters: hub.Config(), &w.own: hub.UserConfig(t, "fairway", "fairway:system")} {
		if *into, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
			t.Fatal(err)
		}
	}
	for who, duty := range map[string]identityv1.Duty{"sun": identityv1.DutySecurity, "qian": identityv1.DutySecurity, "ma": identityv1.DutyAudit, "zheng": identityv1.DutySystem} {
		w.create(&identityv1.Person{ObjectMeta: metav1.ObjectMeta{Name: "wall-" + who}, Spec: identityv1.PersonSpec{Duty: duty}})
		w.login(who)
	}
	return w
}

func (w *wall) file(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *wall) there(name string) (*identityv1.Person, bool) {
	p := &identityv1.Person{}
	err := w.own.Get(w.t.Context(), client.ObjectKey{Name: name}, p)
	return p, err == nil
}

func (w *wall) amendment(name string) *identityv1.Amendment {
	w.t.Helper()
	a := &identityv1.Amendment{}
	if err := w.own.Get(w.t.Context(), client.ObjectKey{Name: name}, a); err != nil {
		w.t.Fatal(err)
	}
	return a
}

// proposed finds the name of the amendment that a command printed.
func proposed(t *testing.T, out string) string {
	t.Helper()
	for _, word := range strings.Fields(out) {
		if strings.HasPrefix(word, "am-") {
			return word
		}
	}
	t.Fatalf("no amendment is named: %s", out)
	return ""
}

func personFile(name, groups string) string {
	return fmt.Sprintf("apiVersion: identity.fairway.cloud/v1alpha1\nkind: Person\nmetadata: {name: %s}\nspec: {displayName: 新人, groups: [%s]}\n", name, groups)
}

// One security administrator makes nobody and opens nobody's account, by no surface; two
// do, and neither of them gets into the account.
func TestNobodyMakesPeopleAlone(t *testing.T) {
	w := administrators(t)
	const accomplice = "wall-accomplice"
	file := w.file("accomplice.yaml", personFile(accomplice, "bank-business-approvers"))
	made := &identityv1.Person{ObjectMeta: metav1.ObjectMeta{Name: accomplice}, Spec: identityv1.PersonSpec{Groups: []string{"bank-business-approvers"}}}

	// Alone: REST by apply, kubectl through /hub in every kind of write, the hub itself.
	out, code := w.fairway("sun", "apply", "-f", file, "--reason", "helps me")
	if code != 4 || !strings.Contains(out, "another security administrator or an audit administrator agrees") {
		t.Errorf("apply by one: exit %d: %s", code, out)
	}
	name := proposed(t, out)
	w.eventually("the digest is told", func() error {
		if w.amendment(name).Status.Digest == "" {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	hubbed := w.kubectl("sun")
	for what, c := range map[string]client.Client{"kubectl through /hub": hubbed, "the hub's administrator": w.masters} {
		for how, err := range map[string]error{
			"create": c.Create(t.Context(), made.DeepCopy()),
			"apply": c.Patch(t.Context(), &identityv1.Person{TypeMeta: metav1.TypeMeta{APIVersion: "identity.fairway.cloud/v1alpha1", Kind: "Person"}, ObjectMeta: made.ObjectMeta, Spec: made.Spec},
				client.Apply, client.FieldOwner("x"), client.ForceOwnership), //nolint:staticcheck // typed apply configurations are not generated
		} {
			if err == nil || !strings.Contains(err.Error(), "nobody changes alone") {
				t.Errorf("%s: %s: %v", what, how, err)
			}
		}
		status := c.Status().Patch(t.Context(), w.amendment(name), client.RawPatch("application/merge-patch+json", []byte(`{"status":{"agreedBy":"wall-qian","startedAt":"2026-01-01T00:00:00Z"}}`)))
		if status == nil {
			t.Errorf("%s writes that it was agreed to", what)
		}
		yes := &identityv1.Confirmation{ObjectMeta: metav1.ObjectMeta{GenerateName: "forged-"}, Spec: identityv1.ConfirmationSpec{
			Amendment: name, UID: string(w.amendment(name).UID), Digest: w.amendment(name).Status.Digest, Verdict: identityv1.VerdictAgree, Author: "wall-qian", Groups: []string{"fairway:security-administrators"}, Proof: "v1.a.b.c.d",
		}}
		if err := c.Create(t.Context(), yes); err == nil || !strings.Contains(err.Error(), "whoever proposes or agrees") {
			t.Errorf("%s agrees as another: %v", what, err)
		}
	}
	// Past Fairway in the other's name, with the rights of the hub's administrator: it is made, and does not count.
	forged := hub.Config()
	forged.Impersonate = rest.ImpersonationConfig{UserName: "wall-qian", Groups: []string{"fairway:security-administrators", "system:authenticated"}}
	forger, err := client.New(forged, client.Options{Scheme: w.own.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	if err := forger.Create(t.Context(), &identityv1.Confirmation{ObjectMeta: metav1.ObjectMeta{Name: "forged-in-his-name"}, Spec: identityv1.ConfirmationSpec{
		Amendment: name, UID: string(w.amendment(name).UID), Digest: w.amendment(name).Status.Digest, Verdict: identityv1.VerdictAgree, Author: "wall-qian", Groups: []string{"fairway:security-administrators"}, Proof: "v1.a.b.c.d",
	}}); err != nil {
		t.Errorf("the forged confirmation is there to be looked past: %v", err)
	}
	for who, why := range map[string]string{"sun": "proposed it himself", "zheng": "cannot"} {
		if out, code := w.fairway(who, "identity", "agree", name); code == 0 {
			t.Errorf("%s agrees (%s): %s", who, why, out)
		}
	}
	if out, code := w.fairway("sun", "identity", "account", "add", "wall.accomplice", "--person", "wall-zheng", "--reason", "helps me"); code != 0 || !strings.Contains(out, "am-") {
		t.Errorf("an account by one is a proposal: %d %s", code, out)
	} else if out, code := w.fairway("sun", "identity", "account", "code", "wall.accomplice"); code == 0 {
		t.Errorf("a code before anybody agreed: %s", out)
	}
	if shown := w.must("qian", "identity", "show", name); !strings.Contains(shown, "make Person "+accomplice) || !strings.Contains(shown, "bank-business-approvers") || !strings.Contains(shown, "you may agree") || !strings.Contains(shown, "does not count: its proof") {
		t.Errorf("what qian is shown: %s", shown)
	}
	if _, is := w.there(accomplice); is {
		t.Fatal("one person made a Person")
	}

	// Two: it is there, the stamp says by which amendment, and the log names both.
	w.must("qian", "identity", "agree", name, "--comment", "is hired")
	var p *identityv1.Person
	w.eventually("it is carried out", func() error {
		var is bool
		if p, is = w.there(accomplice); !is || w.amendment(name).Status.EndedAt == nil {
			return fmt.Errorf("%+v", w.amendment(name).Status)
		}
		return nil
	})
	if p.Annotations[identityv1.AnnotationAmendment] != string(w.amendment(name).UID) || p.Spec.Groups[0] != "bank-business-approvers" {
		t.Errorf("it is %+v", p)
	}
	w.eventually("the history names both", func() error {
		story := w.must("ma", "audit", "history", "person/"+accomplice)
		if !strings.Contains(story, "proposed by wall-sun, agreed to by wall-qian") {
			return fmt.Errorf("%s", story)
		}
		return nil
	})
	if out, code := w.fairway("ma", "identity", "agree", name); code == 0 || !strings.Contains(out, "it is over") {
		t.Errorf("it is agreed to once: %d %s", code, out)
	}

	// The account: each has one code, and with one alone nobody gets in.
	w.must("sun", "whoami")
	account := proposed(t, w.must("sun", "identity", "account", "add", "new.comer", "--person", accomplice, "--reason", "is hired"))
	w.must("ma", "identity", "agree", account)
	w.eventually("the account is offered", func() error {
		if w.amendment(account).Status.EndedAt == nil {
			return fmt.Errorf("%+v", w.amendment(account).Status)
		}
		return nil
	})
	first, second := lastLine(w.must("sun", "identity", "account", "code", "new.comer", "-q")), lastLine(w.must("ma", "identity", "account", "code", "new.comer", "-q"))
	if out, code := w.fairway("qian", "identity", "account", "code", "new.comer"); code == 0 {
		t.Errorf("a third one is shown a code: %s", out)
	}
	if out, code := w.fairway("sun", "identity", "account", "code", "new.comer"); code == 0 || !strings.Contains(out, "shown already") {
		t.Errorf("a code is shown twice: %s", out)
	}
	where := []string{"--config", filepath.Join(w.dir, "new.yaml"), "--server", "https://" + w.address, "--ca-file", filepath.Join(w.dir, "ca.crt")}
	for what, invitation := range map[string]string{"the proposer's": first, "the second's": second} {
		if out, errOut, code := typed(t, invitation+"\n"+goodPassword+"\n", append([]string{"password", "--invitation-file", "-", "--new-password-file", "-"}, where...)...); code == 0 {
			t.Errorf("%s code alone sets the password: %s%s", what, out, errOut)
		}
	}
	both := w.file("both", first+"\n"+second+"\n")
	if out, errOut, code := typed(t, goodPassword+"\n", append([]string{"password", "--invitation-file", both, "--new-password-file", "-"}, where...)...); code != 0 {
		t.Fatalf("both codes: %d %s%s", code, out, errOut)
	}
	if out, errOut, code := typed(t, goodPassword+"\n", append([]string{"login", "--user", "new.comer", "--password-file", "-"}, where...)...); code != 0 {
		t.Fatalf("the owner logs in: %d %s%s", code, out, errOut)
	}

	// What only takes away one does at once; giving back is for two.
	if err := hubbed.Patch(t.Context(), p.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"state":"Disabled"}}`))); err != nil {
		t.Errorf("the way to safety waits: %v", err)
	}
	if err := hubbed.Patch(t.Context(), p.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"state":"Active"}}`))); err == nil {
		t.Error("one lets somebody in again")
	}
}

func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}

// What a proposal replaces has to be there still when it is carried out; a list of many
// becomes amendments, and what only takes away is done at once.
func TestWhatMovedIsNotCarriedOut(t *testing.T) {
	w := administrators(t)
	w.create(&identityv1.Person{ObjectMeta: metav1.ObjectMeta{Name: "wall-moved"}, Spec: identityv1.PersonSpec{Groups: []string{"a", "b"}}})
	name := proposed(t, w.must("sun", "identity", "propose", "-f", w.file("moved.yaml", personFile("wall-moved", "a, b, c")), "--reason", "one more group"))
	moved, _ := w.there("wall-moved")
	if err := w.kubectl("qian").Patch(context.Background(), moved, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"groups":["a"]}}`))); err != nil {
		t.Fatal(err)
	}
	w.must("qian", "identity", "agree", name)
	w.eventually("it is told that it moved", func() error {
		a := w.amendment(name)
		if a.Status.EndedAt == nil || len(a.Status.Left) == 0 || !strings.Contains(a.Status.Left[0], "was changed meanwhile") {
			return fmt.Errorf("%+v", a.Status)
		}
		return nil
	})
	if p, _ := w.there("wall-moved"); len(p.Spec.Groups) != 1 {
		t.Errorf("it was written over: %v", p.Spec.Groups)
	}
	// Refused, and taken back.
	for who, why := range map[string]string{"ma": "not his job", "sun": "a mistake of mine"} {
		name := proposed(t, w.must("sun", "identity", "propose", "-f", w.file("again.yaml", personFile("wall-moved", "a, "+who)), "--reason", "again"))
		w.must(who, "identity", "refuse", name, "--comment", why)
		if out, code := w.fairway("qian", "identity", "agree", name); code == 0 || !strings.Contains(out, "refused it") {
			t.Errorf("agreed to after %s refused: %s", who, out)
		}
	}
	// A list.
	list := w.file("list.csv", "id,displayName,groups,state\nwall-l1,一,g,Active\nwall-l2,二,g,Active\nwall-moved,,,Disabled\n")
	out := w.must("sun", "identity", "import", "-f", list, "--source", "two")
	imported := proposed(t, out)
	if p, _ := w.there("wall-moved"); p.Spec.State != identityv1.StateDisabled {
		t.Errorf("who left is not kept out at once: %+v", p.Spec)
	}
	if _, is := w.there("wall-l1"); is {
		t.Error("a list of one administrator made somebody")
	}
	w.must("qian", "identity", "agree", imported)
	w.eventually("the list is there", func() error {
		for _, id := range []string{"wall-l1", "wall-l2"} {
			if _, is := w.there(id); !is {
				return fmt.Errorf("%s: %+v", id, w.amendment(imported).Status)
			}
		}
		return nil
	})
	var listed struct{ Items []json.RawMessage }
	if err := json.Unmarshal([]byte(w.must("ma", "get", "amendments", "-o", "json")), &listed); err != nil || len(listed.Items) < 4 {
		t.Errorf("the audit administrator lists them: %v, %d", err, len(listed.Items))
	}
}
