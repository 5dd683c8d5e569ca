// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package proof_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval/proof"
	"github.com/fairway-cloud/fairway/internal/identity/seal"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/database/databasetest"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// clock is set by the test.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func sealing(t testing.TB, name string) *seal.Key {
	t.Helper()
	key, err := seal.Ensure(filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func keys(t testing.TB, db *database.DB, key proof.Seal, c *clock) *proof.Keys {
	t.Helper()
	made, err := proof.New(t.Context(), db, key, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func embedded(t testing.TB) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), filepath.Join(t.TempDir(), "fairway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func decision() *approvalv1.Decision {
	return &approvalv1.Decision{
		ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: "first-1-abc", CreationTimestamp: metav1.NewTime(noon)},
		Spec: approvalv1.DecisionSpec{
			Request: "first-1", Digest: "sha256:plan", Verdict: approvalv1.VerdictApprove, Comment: "看过 <seen>", Author: "p10005",
			Groups: []string{"retail-business", "all-staff"}, Session: "s-1",
		},
	}
}

func delegation() *approvalv1.Delegation {
	return &approvalv1.Delegation{
		ObjectMeta: metav1.ObjectMeta{Name: "chen-away", CreationTimestamp: metav1.NewTime(noon)},
		Spec: approvalv1.DelegationSpec{
			Principal: "p10005", Delegate: "p10009", From: metav1.NewTime(noon), Until: metav1.NewTime(noon.Add(48 * time.Hour)), Groups: []string{"retail-business"},
		},
	}
}

// proven checks a Decision.
func proven(t testing.TB, k *proof.Keys, d *approvalv1.Decision) (holds bool, why string) {
	t.Helper()
	got, err := k.Decision(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return got.Holds, got.Why
}

// The proof of what somebody said holds on every server of the database, after a
// restart, and for as long as the key is kept.
func TestAProofHolds(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, open func() *database.DB) {
		c, file := &clock{noon}, sealing(t, "identity.key")
		k := keys(t, open(), file, c)
		d := decision()
		if err := k.ProveDecision(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(d.Spec.Proof, "v1.") || len(d.Spec.Proof) > 160 {
			t.Errorf("proof %q", d.Spec.Proof)
		}
		other := keys(t, open(), file, c)
		for name, of := range map[string]*proof.Keys{"itself": k, "another server": other} {
			if holds, why := proven(t, of, d); !holds {
				t.Errorf("%s: %s", name, why)
			}
		}
		// The order in which the hub keeps groups is nobody's word.
		turned := d.DeepCopy()
		turned.Spec.Groups = []string{"all-staff", "retail-business"}
		if holds, why := proven(t, k, turned); !holds {
			t.Errorf("turned round: %s", why)
		}
		// A key is renewed, and the old one still checks.
		c.now = noon.Add(proof.Renewed + time.Hour)
		later := decision()
		later.CreationTimestamp = metav1.NewTime(c.now)
		if err := k.ProveDecision(t.Context(), later); err != nil {
			t.Fatal(err)
		}
		if a, b := strings.Split(d.Spec.Proof, ".")[1], strings.Split(later.Spec.Proof, ".")[1]; a == b {
			t.Errorf("key %s is used for longer than it should", a)
		}
		for name, it := range map[string]*approvalv1.Decision{"by the old key": d, "by the new one": later} {
			if holds, why := proven(t, other, it); !holds {
				t.Errorf("%s: %s", name, why)
			}
		}
	})
}

// Whoever has the database and not the key file proves nothing, and reads no key.
func TestTheDatabaseAloneProvesNothing(t *testing.T) {
	c, db := &clock{noon}, embedded(t)
	k := keys(t, db, sealing(t, "identity.key"), c)
	honest := decision()
	if err := k.ProveDecision(t.Context(), honest); err != nil {
		t.Fatal(err)
	}
	thief := keys(t, db, sealing(t, "another.key"), c)
	forged := decision()
	if err := thief.ProveDecision(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	if holds, why := proven(t, k, forged); holds || !strings.Contains(why, "a key that this server does not have") {
		t.Errorf("a key sealed by somebody else: %v %q", holds, why)
	}
	// A replaced key file ends what was proven before, and the server goes on.
	if holds, why := proven(t, thief, honest); holds || !strings.Contains(why, "a key that this server does not have") {
		t.Errorf("after the key file was replaced: %v %q", holds, why)
	}
	if holds, why := proven(t, thief, forged); !holds {
		t.Errorf("the server does not go on: %s", why)
	}
	var sealed string
	if err := db.QueryRow(t.Context(), "SELECT sealed FROM approval_proof_keys ORDER BY made LIMIT 1").Scan(&sealed); err != nil || len(sealed) < 100 {
		t.Errorf("the key is not sealed: %q %v", sealed, err)
	}
}

func TestAProofHoldsForNothingElse(t *testing.T) {
	c := &clock{noon}
	k := keys(t, embedded(t), sealing(t, "identity.key"), c)
	honest := decision()
	if err := k.ProveDecision(t.Context(), honest); err != nil {
		t.Fatal(err)
	}
	unnamed := decision()
	unnamed.Name = ""
	if err := k.ProveDecision(t.Context(), unnamed); err == nil {
		t.Error("what has no name can be made under any")
	}
	for name, test := range map[string]struct {
		change func(*approvalv1.Decision)
		why    string
	}{
		"no proof":          {func(d *approvalv1.Decision) { d.Spec.Proof = "" }, "no proof of the server"},
		"another name":      {func(d *approvalv1.Decision) { d.Name = "first-1-xyz" }, "for something else"},
		"another namespace": {func(d *approvalv1.Decision) { d.Namespace = "cards-prod" }, "for something else"},
		"another request":   {func(d *approvalv1.Decision) { d.Spec.Request = "first-2" }, "for something else"},
		"another group":     {func(d *approvalv1.Decision) { d.Spec.Groups = append(d.Spec.Groups, "architects") }, "for something else"},
		"no groups":         {func(d *approvalv1.Decision) { d.Spec.Groups = nil }, "for something else"},
		"a minute later":    {func(d *approvalv1.Decision) { d.CreationTimestamp = metav1.NewTime(noon.Add(61 * time.Second)) }, "made again, or held back"},
		"a minute before":   {func(d *approvalv1.Decision) { d.CreationTimestamp = metav1.NewTime(noon.Add(-61 * time.Second)) }, "made again, or held back"},
		"another version":   {func(d *approvalv1.Decision) { d.Spec.Proof = "v2" + d.Spec.Proof[2:] }, "none of this server"},
		"another key": {func(d *approvalv1.Decision) {
			parts := strings.Split(d.Spec.Proof, ".")
			parts[1] = "00000000"
			d.Spec.Proof = strings.Join(parts, ".")
		}, "a key that this server does not have"},
		"a later time": {func(d *approvalv1.Decision) {
			parts := strings.Split(d.Spec.Proof, ".")
			parts[2] = "1795867260000"
			d.Spec.Proof = strings.Join(parts, ".")
		}, "for something else"},
		"a delegation's form": {func(d *approvalv1.Decision) {
			d.Spec.Proof = strings.Replace(d.Spec.Proof, ".", ".1795867260.", 1)
		}, "none of this server"},
		"rubbish": {func(d *approvalv1.Decision) { d.Spec.Proof = "v1.…" }, "none of this server"},
	} {
		t.Run(name, func(t *testing.T) {
			d := honest.DeepCopy()
			test.change(d)
			if holds, why := proven(t, k, d); holds || !strings.Contains(why, test.why) {
				t.Errorf("holds=%v %q, want %q", holds, why, test.why)
			}
		})
	}
}

// A change of anything that a Decision says, in any way, leaves it unproven.
func TestAnyChangeLeavesItUnproven(t *testing.T) {
	c := &clock{noon}
	k := keys(t, embedded(t), sealing(t, "identity.key"), c)
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.StringMatching(`[a-z0-9.]{1,12}`)
		d := &approvalv1.Decision{
			ObjectMeta: metav1.ObjectMeta{Namespace: words.Draw(t, "namespace"), Name: words.Draw(t, "name"), CreationTimestamp: metav1.NewTime(noon)},
			Spec: approvalv1.DecisionSpec{
				Request: words.Draw(t, "request"), Digest: words.Draw(t, "digest"), Comment: rapid.String().Draw(t, "comment"), Ticket: words.Draw(t, "ticket"),
				Verdict: rapid.SampledFrom([]approvalv1.VerdictKind{"Approve", "Reject", "Withdraw", "Operate"}).Draw(t, "verdict"),
				Author:  words.Draw(t, "author"), Session: words.Draw(t, "session"), OnBehalfOf: words.Draw(t, "principal"),
				Groups: rapid.SliceOfDistinct(words, rapid.ID[string]).Draw(t, "groups"),
			},
		}
		if err := k.ProveDecision(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		check := func() bool {
			got, err := k.Decision(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			return got.Holds
		}
		if !check() {
			t.Fatal("what was said does not count")
		}
		fields := []*string{
			&d.Namespace, &d.Name, &d.Spec.Request, &d.Spec.Digest, &d.Spec.Comment, &d.Spec.Ticket, (*string)(&d.Spec.Verdict), &d.Spec.Author,
			&d.Spec.Session, &d.Spec.OnBehalfOf, &d.Spec.Proof,
		}
		alone := len(fields)
		for i := range d.Spec.Groups {
			fields = append(fields, &d.Spec.Groups[i])
		}
		into, from := rapid.IntRange(0, len(fields)-1).Draw(t, "into"), rapid.IntRange(0, len(fields)-1).Draw(t, "from")
		before := *fields[into]
		switch rapid.IntRange(0, 3).Draw(t, "how") {
		case 0: // what one field said moves into another
			*fields[into], *fields[from] = *fields[from], *fields[into]
		case 1:
			*fields[into] += words.Draw(t, "more")
		case 2:
			*fields[into] = strings.Repeat("x", len(before)+1)
		case 3:
			at := rapid.IntRange(0, len(before)).Draw(t, "at")
			*fields[into] = before[:at] + "." + before[at:]
		}
		if into >= alone && from >= alone && *fields[from] == before {
			return // groups are a set
		}
		if *fields[into] != before && check() {
			t.Fatalf("it counts with field %d as %q instead of %q", into, *fields[into], before)
		}
	})
}

// A delegation may be shortened without asking the server, and not made longer.
func TestADelegationIsShortened(t *testing.T) {
	c := &clock{noon}
	k := keys(t, embedded(t), sealing(t, "identity.key"), c)
	made := delegation()
	if err := k.ProveDelegation(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*approvalv1.Delegation)
		why    string
	}{
		"as it is":         {func(*approvalv1.Delegation) {}, ""},
		"shortened":        {func(d *approvalv1.Delegation) { d.Spec.Until = metav1.NewTime(noon.Add(time.Hour)) }, ""},
		"longer":           {func(d *approvalv1.Delegation) { d.Spec.Until = metav1.NewTime(noon.Add(49 * time.Hour)) }, "lasts longer"},
		"another delegate": {func(d *approvalv1.Delegation) { d.Spec.Delegate = "p10099" }, "for something else"},
		"another's":        {func(d *approvalv1.Delegation) { d.Spec.Principal = "p10006" }, "for something else"},
		"more groups":      {func(d *approvalv1.Delegation) { d.Spec.Groups = append(d.Spec.Groups, "architects") }, "for something else"},
		"begun before":     {func(d *approvalv1.Delegation) { d.Spec.From = metav1.NewTime(noon.Add(-time.Hour)) }, "for something else"},
		"made again": {func(d *approvalv1.Delegation) { d.CreationTimestamp = metav1.NewTime(noon.Add(time.Hour)) },
			"made again, or held back"},
		"another name": {func(d *approvalv1.Delegation) { d.Name = "chen-away-2" }, "for something else"},
		"no proof":     {func(d *approvalv1.Delegation) { d.Spec.Proof = "" }, "no proof of the server"},
		"longer, and says so": {func(d *approvalv1.Delegation) {
			parts := strings.Split(d.Spec.Proof, ".")
			parts[4] = "1999999999"
			d.Spec.Proof, d.Spec.Until = strings.Join(parts, "."), metav1.NewTime(noon.Add(49*time.Hour))
		}, "for something else"},
	} {
		t.Run(name, func(t *testing.T) {
			d := made.DeepCopy()
			test.change(d)
			got, err := k.Delegation(t.Context(), d)
			if err != nil || got.Holds != (test.why == "") || !strings.Contains(got.Why, test.why) {
				t.Errorf("%+v %v, want %q", got, err, test.why)
			}
		})
	}
}

// While the database is away nobody can say whether a proof holds, and nothing is
// proven; a key that is known needs no database.
func TestTheDatabaseIsAway(t *testing.T) {
	c, db, file := &clock{noon}, embedded(t), sealing(t, "identity.key")
	k := keys(t, db, file, c)
	stranger := keys(t, db, file, c)
	d := decision()
	if err := k.ProveDecision(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if holds, why := proven(t, k, d); !holds {
		t.Error(why)
	}
	if got, err := stranger.Decision(t.Context(), d); err == nil {
		t.Errorf("nobody can know, got %+v", got)
	}
	if err := stranger.ProveDecision(t.Context(), decision()); err == nil {
		t.Error("proven without a key")
	}
}
