// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// desk is an Amendment of s1's that s2 agrees to an hour later, and everybody around.
type desk struct {
	AmendmentCase
	persons  []identityv1.Person
	mappings []identityv1.GroupMapping
	now      time.Time
	// unproven leaves proofs unchecked.
	unproven bool
}

func somebody(id string, duty identityv1.Duty, aliases ...string) identityv1.Person {
	p := identityv1.Person{ObjectMeta: metav1.ObjectMeta{Name: id}, Spec: identityv1.PersonSpec{Duty: duty, State: identityv1.StateActive}}
	for _, a := range aliases {
		p.Spec.Aliases = append(p.Spec.Aliases, identityv1.Alias{Name: a})
	}
	return p
}

func newDesk() *desk {
	a := &identityv1.Amendment{
		ObjectMeta: metav1.ObjectMeta{Name: "am-1", UID: "uid-1", CreationTimestamp: metav1.NewTime(noon)},
		Spec: identityv1.AmendmentSpec{
			Items:  []identityv1.AmendmentItem{{Kind: "Person", Name: "p1", Act: identityv1.ActCreate, Content: `{"spec":{"groups":["g"]}}`}},
			Reason: "joins", Author: "s1", Groups: []string{GroupSecurity}, Session: "of-s1",
		},
	}
	d := &desk{now: noon.Add(2 * time.Hour), persons: []identityv1.Person{
		somebody("s1", identityv1.DutySecurity, "root"), somebody("s2", identityv1.DutySecurity), somebody("au", identityv1.DutyAudit), somebody("sy", identityv1.DutySystem), somebody("p9", identityv1.DutyNone),
	}}
	d.Amendment, d.Logins, d.Proofs = a, map[string]Login{}, map[string]string{"Amendment/am-1": ""}
	for _, id := range []string{"s1", "s2", "au", "sy", "p9", "root"} {
		d.Logins["of-"+id] = Login{Person: id, From: noon.Add(-time.Hour)}
	}
	d.Confirmations = []identityv1.Confirmation{d.says("s2", GroupSecurity, identityv1.VerdictAgree, time.Hour)}
	return d
}

// says is a Confirmation that is as it should be.
func (d *desk) says(author, group string, verdict identityv1.ConfirmationVerdict, after time.Duration) identityv1.Confirmation {
	return identityv1.Confirmation{
		ObjectMeta: metav1.ObjectMeta{Name: "by-" + author + string(verdict), CreationTimestamp: metav1.NewTime(noon.Add(after))},
		Spec: identityv1.ConfirmationSpec{
			Amendment: "am-1", UID: "uid-1", Digest: DigestOfAmendment(d.Amendment), Verdict: verdict, Comment: "no", Author: author, Groups: []string{group}, Session: "of-" + author,
		},
	}
}

func (d *desk) judge() AmendmentJudgement {
	d.People = NewPeople(d.persons, d.mappings)
	for _, said := range d.Confirmations {
		if _, told := d.Proofs["Confirmation/"+said.Name]; !told && !d.unproven {
			d.Proofs["Confirmation/"+said.Name] = ""
		}
	}
	return JudgeAmendment(d.AmendmentCase, d.now)
}

func (d *desk) items(items ...identityv1.AmendmentItem) {
	d.Amendment.Spec.Items = items
	for i := range d.Confirmations {
		d.Confirmations[i].Spec.Digest = DigestOfAmendment(d.Amendment)
	}
}

func (d *desk) only(said ...identityv1.Confirmation) { d.Confirmations = said }

func TestJudgeAmendment(t *testing.T) {
	person := func(name, content string) identityv1.AmendmentItem {
		return identityv1.AmendmentItem{Kind: "Person", Name: name, Act: identityv1.ActCreate, Content: content}
	}
	for name, c := range map[string]struct {
		reason string
		edit   func(*desk)
		state  AmendmentState
		by     string
		says   string
	}{
		"Agreed":     {"another security administrator agrees", func(*desk) {}, AmendmentAgreed, "s2", "proposed by s1, agreed to by s2"},
		"AuditToo":   {"so does an audit administrator", func(d *desk) { d.only(d.says("au", GroupAudit, identityv1.VerdictAgree, time.Hour)) }, AmendmentAgreed, "au", ""},
		"Nobody":     {"one alone does nothing", func(d *desk) { d.only() }, AmendmentWaiting, "", "waits for another"},
		"Himself":    {"nobody agrees to his own", func(d *desk) { d.only(d.says("s1", GroupSecurity, identityv1.VerdictAgree, time.Hour)) }, AmendmentWaiting, "", ""},
		"UnderAlias": {"under no name", func(d *desk) { d.only(d.says("root", GroupSecurity, identityv1.VerdictAgree, time.Hour)) }, AmendmentWaiting, "", ""},
		"TwoIDs": {"whom an alias makes one is one", func(d *desk) {
			d.persons[1] = somebody("s2", identityv1.DutySecurity, "shared")
			d.persons[0] = somebody("s1", identityv1.DutySecurity, "shared", "s2")
		}, AmendmentWaiting, "", ""},
		"System":   {"a system administrator agrees to nothing", func(d *desk) { d.only(d.says("sy", GroupSystem, identityv1.VerdictAgree, time.Hour)) }, AmendmentWaiting, "", ""},
		"Claims":   {"nor does whoever only claims the group", func(d *desk) { d.only(d.says("sy", GroupSecurity, identityv1.VerdictAgree, time.Hour)) }, AmendmentWaiting, "", ""},
		"LostDuty": {"a duty that is gone counts no more", func(d *desk) { d.persons[1] = somebody("s2", identityv1.DutyNone) }, AmendmentWaiting, "", ""},
		"ByMapping": {"a duty that the directory gives counts", func(d *desk) {
			d.persons[1] = somebody("s2", identityv1.DutyNone)
			d.mappings = []identityv1.GroupMapping{{Spec: identityv1.GroupMappingSpec{From: "CN=sec", Duty: identityv1.DutySecurity}}}
			d.Confirmations[0].Spec.Groups = []string{"CN=sec", GroupSecurity}
		}, AmendmentAgreed, "s2", ""},
		"MappingGone": {"until what the group means is taken away", func(d *desk) {
			d.persons[1] = somebody("s2", identityv1.DutyNone)
			d.Confirmations[0].Spec.Groups = []string{"CN=sec", GroupSecurity}
		}, AmendmentWaiting, "", ""},
		"Disabled":       {"who is kept out agrees to nothing", func(d *desk) { d.persons[1].Spec.State = identityv1.StateDisabled }, AmendmentWaiting, "", ""},
		"Unknown":        {"whom nobody knows neither", func(d *desk) { d.persons = append(d.persons[:1:1], d.persons[2:]...) }, AmendmentWaiting, "", ""},
		"NoLogin":        {"it is said in a login", func(d *desk) { d.Confirmations[0].Spec.Session = "" }, AmendmentWaiting, "", ""},
		"NoSuchLogin":    {"one that there was", func(d *desk) { delete(d.Logins, "of-s2") }, AmendmentWaiting, "", ""},
		"OthersLogin":    {"of his own", func(d *desk) { d.Confirmations[0].Spec.Session = "of-s1" }, AmendmentWaiting, "", ""},
		"EndedLogin":     {"that held then", func(d *desk) { d.Logins["of-s2"] = Login{Person: "s2", From: noon.Add(-time.Hour), Until: noon} }, AmendmentWaiting, "", ""},
		"LaterLogin":     {"then, and not only later", func(d *desk) { d.Logins["of-s2"] = Login{Person: "s2", From: noon.Add(90 * time.Minute)} }, AmendmentWaiting, "", ""},
		"EndedSince":     {"he may have gone home", func(d *desk) { d.Logins["of-s2"] = Login{Person: "s2", From: noon, Until: noon.Add(70 * time.Minute)} }, AmendmentAgreed, "s2", ""},
		"Unproven":       {"it carries the server's proof", func(d *desk) { d.Proofs["Confirmation/by-s2Agree"] = "forged" }, AmendmentWaiting, "", ""},
		"Unchecked":      {"which somebody has checked", func(d *desk) { d.unproven = true }, AmendmentWaiting, "", ""},
		"AuthorUnproven": {"and so does the proposal", func(d *desk) { d.Proofs["Amendment/am-1"] = "it was never said" }, AmendmentInvalid, "", "it was never said"},
		"OtherDigest":    {"to what it says", func(d *desk) { d.Confirmations[0].Spec.Digest = "sha256:0" }, AmendmentWaiting, "", ""},
		"Edited":         {"whose edit voids it", func(d *desk) { d.Amendment.Spec.Reason = "other" }, AmendmentWaiting, "", ""},
		"OtherUID":       {"not to another of that name", func(d *desk) { d.Confirmations[0].Spec.UID = "uid-0" }, AmendmentWaiting, "", ""},
		"OtherName":      {"not to another one", func(d *desk) { d.Confirmations[0].Spec.Amendment = "am-2" }, AmendmentWaiting, "", ""},
		"Before":         {"not before there was one", func(d *desk) { d.Confirmations[0].CreationTimestamp = metav1.NewTime(noon.Add(-time.Minute)) }, AmendmentWaiting, "", ""},
		"Future":         {"not in the future", func(d *desk) { d.Confirmations[0].CreationTimestamp = metav1.NewTime(noon.Add(3 * time.Hour)) }, AmendmentWaiting, "", ""},
		"Late": {"in time", func(d *desk) {
			d.Confirmations[0].CreationTimestamp, d.now = metav1.NewTime(noon.Add(73*time.Hour)), noon.Add(74*time.Hour)
		}, AmendmentRunOut, "", "ran out"},
		"NotUsed": {"and is carried out in time", func(d *desk) { d.now = noon.Add(72 * time.Hour) }, AmendmentRunOut, "s2", "ran out"},
		"BegunBefore": {"what was begun is finished", func(d *desk) {
			d.now = noon.Add(80 * time.Hour)
			at := metav1.NewTime(noon.Add(71 * time.Hour))
			d.Amendment.Status.StartedAt = &at
		}, AmendmentAgreed, "s2", ""},
		"StatusOnly": {"a status that says agreed is nothing", func(d *desk) {
			d.only()
			at := metav1.NewTime(noon)
			d.Amendment.Status.StartedAt, d.Amendment.Status.AgreedBy = &at, "s2"
		}, AmendmentWaiting, "", ""},
		"Refused": {"a no ends it", func(d *desk) {
			d.Confirmations = append(d.Confirmations, d.says("au", GroupAudit, identityv1.VerdictRefuse, 90*time.Minute))
		}, AmendmentRefused, "s2", "au refused it: no"},
		"TakenBack": {"also of its author", func(d *desk) {
			d.Confirmations = append(d.Confirmations, d.says("s1", GroupSecurity, identityv1.VerdictRefuse, 90*time.Minute))
		}, AmendmentRefused, "s2", "s1 refused it"},
		"StrangersNo": {"a stranger's no is nothing", func(d *desk) {
			d.Confirmations = append(d.Confirmations, d.says("p9", "x", identityv1.VerdictRefuse, 90*time.Minute))
		}, AmendmentAgreed, "s2", ""},
		"NoAuthor": {"its author is an administrator", func(d *desk) {
			d.Amendment.Spec.Author, d.Amendment.Spec.Session = "p9", "of-p9"
			d.items(d.Amendment.Spec.Items...)
		}, AmendmentInvalid, "", "no security administrator"},
		"AuditAuthor": {"of security", func(d *desk) {
			d.Amendment.Spec.Author, d.Amendment.Spec.Session, d.Amendment.Spec.Groups = "au", "of-au", []string{GroupAudit}
			d.items(d.Amendment.Spec.Items...)
		}, AmendmentInvalid, "", "no security administrator"},
		"AuthorGone":   {"who may still act", func(d *desk) { d.persons[0].Spec.State = identityv1.StateDisabled }, AmendmentInvalid, "", "may not act any more"},
		"AuthorForged": {"in a login of his", func(d *desk) { d.Amendment.Spec.Session = "of-s2"; d.items(d.Amendment.Spec.Items...) }, AmendmentInvalid, "", "its login belongs to s2"},
		"AboutAuthor":  {"it is not about himself", func(d *desk) { d.items(person("s1", `{}`)) }, AmendmentInvalid, "", "about s1 himself (Person s1)"},
		"AliasAuthor":  {"nor of an alias of his", func(d *desk) { d.items(person("p1", `{"spec":{"aliases":[{"name":"ROOT"}]}}`)) }, AmendmentInvalid, "", "alias ROOT"},
		"AboutSecond":  {"nor about the second", func(d *desk) { d.items(person("s2", `{}`)) }, AmendmentWaiting, "", ""},
		"AliasSecond":  {"nor does it make him one with somebody", func(d *desk) { d.items(person("p1", `{"spec":{"aliases":[{"name":"s2"}]}}`)) }, AmendmentWaiting, "", ""},
		"WasSecond": {"nor does it part him from somebody", func(d *desk) {
			d.items(identityv1.AmendmentItem{Kind: "Person", Name: "p1", Act: identityv1.ActUpdate, Content: `{}`, Before: &identityv1.AmendmentBase{Content: `{"spec":{"aliases":[{"name":"s2"}]}}`}})
		}, AmendmentWaiting, "", ""},
		"HisAccount": {"nor is it his account", func(d *desk) {
			d.items(identityv1.AmendmentItem{Kind: KindAccount, Name: "x", Act: identityv1.ActOpen, Content: `{"person":"s2"}`})
		}, AmendmentWaiting, "", ""},
		"AuthorsAccount": {"nor the author's", func(d *desk) {
			d.items(identityv1.AmendmentItem{Kind: KindAccount, Name: "x", Act: identityv1.ActInvite, Content: `{"person":"root"}`})
		}, AmendmentInvalid, "", "his account x"},
		"HisGroup": {"nor what his group means", func(d *desk) {
			d.items(identityv1.AmendmentItem{Kind: "GroupMapping", Name: "m", Act: identityv1.ActCreate, Content: `{"spec":{"from":"` + GroupSecurity + `"}}`})
		}, AmendmentInvalid, "", "his group"},
		"Unreadable": {"what cannot be read is about everybody", func(d *desk) { d.items(person("p1", `{"spec":7}`)) }, AmendmentInvalid, "", "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk()
			c.edit(d)
			j := d.judge()
			if j.State != c.state || j.AgreedBy != c.by || !strings.Contains(j.Message, c.says) {
				t.Errorf("%s: %s by %q: %s %v", c.reason, j.State, j.AgreedBy, j.Message, j.Uncounted)
			}
		})
	}
}

// Whatever people say in whatever order: nothing is agreed to without two active people
// of the right duties, neither of them concerned, in logins of their own.
func TestNothingIsAgreedToByOne(t *testing.T) {
	names := []string{"s1", "s2", "au", "sy", "p9", "root", "ghost"}
	rapid.Check(t, func(r *rapid.T) {
		d := newDesk()
		pick := func(label string) string { return rapid.SampledFrom(names).Draw(r, label) }
		d.Amendment.Spec.Author, d.Amendment.Spec.Session = pick("author"), "of-"+pick("author's session")
		d.items(identityv1.AmendmentItem{Kind: "Person", Name: pick("about"), Act: identityv1.ActCreate, Content: `{"spec":{"aliases":[{"name":"` + pick("alias") + `"}]}}`})
		d.only()
		for range rapid.IntRange(0, 4).Draw(r, "confirmations") {
			who := pick("who")
			said := d.says(who, rapid.SampledFrom([]string{GroupSecurity, GroupAudit, "x"}).Draw(r, "group"), identityv1.VerdictAgree, time.Duration(rapid.IntRange(-1, 80).Draw(r, "hours"))*time.Hour)
			said.Spec.Session = "of-" + pick("session")
			d.Confirmations = append(d.Confirmations, said)
		}
		d.now = noon.Add(time.Duration(rapid.IntRange(0, 80).Draw(r, "now")) * time.Hour)
		for i := range d.persons {
			if rapid.Bool().Draw(r, "out") {
				d.persons[i].Spec.State = identityv1.StateDisabled
			}
		}
		j := d.judge()
		if j.State != AmendmentAgreed {
			return
		}
		item := d.Amendment.Spec.Items[0]
		switch people := d.People; {
		case j.Author != "s1" && j.Author != "s2", j.AgreedBy != "s1" && j.AgreedBy != "s2" && j.AgreedBy != "au", people.Same(j.Author, j.AgreedBy):
			r.Fatalf("%s and %s agreed", j.Author, j.AgreedBy)
		case !people.Active(j.Author, d.now), !people.Active(j.AgreedBy, d.now):
			r.Fatal("somebody is out")
		case d.now.Sub(noon) >= AmendmentHolds:
			r.Fatal("it had run out")
		case people.Same(item.Name, j.Author), people.Same(item.Name, j.AgreedBy), strings.Contains(item.Content, `"`+j.Author+`"`), strings.Contains(item.Content, `"`+j.AgreedBy+`"`):
			r.Fatal("it is about one of the two")
		}
	})
}

func TestExplain(t *testing.T) {
	item := identityv1.AmendmentItem{
		Kind: "Person", Name: "p1", Act: identityv1.ActUpdate,
		Content: `{"annotations":{"a":"b"},"spec":{"duty":"Security","groups":["x","z"],"state":"Active"}}`,
		Before:  &identityv1.AmendmentBase{Content: `{"spec":{"duty":"None","groups":["x","y"],"mail":"a@b","state":"Active"}}`},
	}
	want := []string{"change Person p1", "  annotation a: b", "  duty: None → Security", "  groups: + z, - y", "  mail: a@b → nothing"}
	if diff := cmp.Diff(want, Explain(item)); diff != "" {
		t.Error(diff)
	}
	opened := identityv1.AmendmentItem{Kind: KindAccount, Name: "w", Act: identityv1.ActOpen, Content: `{"person":"p1"}`}
	if diff := cmp.Diff([]string{"open account w for person p1, by an invitation of two codes"}, Explain(opened)); diff != "" {
		t.Error(diff)
	}
}
