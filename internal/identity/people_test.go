// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
)

var noon = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

func person(id string, changes ...func(*identityv1.PersonSpec)) identityv1.Person {
	made := identityv1.Person{ObjectMeta: metav1.ObjectMeta{Name: id}, Spec: identityv1.PersonSpec{
		State: identityv1.StateActive, Duty: identityv1.DutyNone, Logins: []identityv1.Login{{Provider: "ldap", Login: "login-" + id}},
	}}
	for _, change := range changes {
		change(&made.Spec)
	}
	return made
}

func until(t time.Time) func(*identityv1.PersonSpec) {
	return func(s *identityv1.PersonSpec) { end := metav1.NewTime(t); s.ValidUntil = &end }
}

func alias(names ...string) func(*identityv1.PersonSpec) {
	return func(s *identityv1.PersonSpec) {
		for _, name := range names {
			s.Aliases = append(s.Aliases, identityv1.Alias{Name: name, Use: identityv1.UseHuman})
		}
	}
}

func mapping(name, from string, duty identityv1.Duty, groups ...string) identityv1.GroupMapping {
	return identityv1.GroupMapping{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: identityv1.GroupMappingSpec{From: from, Duty: duty, Groups: groups}}
}

func duty(d identityv1.Duty) func(*identityv1.PersonSpec) {
	return func(s *identityv1.PersonSpec) { s.Duty = d }
}

func groups(names ...string) func(*identityv1.PersonSpec) {
	return func(s *identityv1.PersonSpec) { s.Groups = names }
}

func TestResolve(t *testing.T) {
	people := identity.NewPeople([]identityv1.Person{
		person("p1", groups("retail-developers")),
		person("p2", duty(identityv1.DutySystem)),
		person("p3", func(s *identityv1.PersonSpec) { s.State = identityv1.StateDisabled }),
		person("p4", until(noon)),
		person("p5", func(s *identityv1.PersonSpec) { s.Logins[0].Login = "shared" }),
		person("p6", func(s *identityv1.PersonSpec) { s.Logins[0].Login = "Shared" }),
		person("p7", func(s *identityv1.PersonSpec) {
			s.Logins = []identityv1.Login{{Provider: "oidc", Login: "li", Subject: "u-7"}}
		}),
		person("p8", until(noon.Add(time.Second))),
		person("k1"), person("p9", func(s *identityv1.PersonSpec) { s.Groups = []string{"system:masters", "fairway:system"} }),
	}, []identityv1.GroupMapping{
		mapping("ops", "CN=ops", identityv1.DutyNone, "bank-operations"),
		mapping("security", "CN=security", identityv1.DutySecurity),
		mapping("also-security", "CN=security-2", identityv1.DutySecurity),
		mapping("system", "CN=system", identityv1.DutySystem),
		mapping("crooked", "CN=crooked", identityv1.DutyNone, "fairway:system", "System:Masters"),
	})
	ldap := func(login string, groups ...string) identity.Claim {
		return identity.Claim{Provider: "ldap", Login: login, Groups: groups}
	}
	for name, c := range map[string]struct {
		reason string
		claim  identity.Claim
		want   identity.Person
		duty   identityv1.Duty
		err    error
		says   string
	}{
		"groups of both":       {"the directory's and the Person's, once each", ldap("login-p1", "staff", "retail-developers"), identity.Person{ID: "p1", Groups: []string{"retail-developers", "staff"}}, identityv1.DutyNone, nil, ""},
		"upper case":           {"Latin letters are the same", ldap("LOGIN-P1"), identity.Person{ID: "p1", Groups: []string{"retail-developers"}}, identityv1.DutyNone, nil, ""},
		"mapped group":         {"a mapping adds", ldap("login-p8", "CN=ops"), identity.Person{ID: "p8", Groups: []string{"CN=ops", "bank-operations"}}, identityv1.DutyNone, nil, ""},
		"mapped duty":          {"a mapping gives a duty", ldap("login-p8", "CN=security"), identity.Person{ID: "p8", Groups: []string{"CN=security", "fairway:security-administrators"}}, identityv1.DutySecurity, nil, ""},
		"the same duty twice":  {"is one duty", ldap("login-p8", "CN=security", "CN=security-2"), identity.Person{ID: "p8", Groups: []string{"CN=security", "CN=security-2", "fairway:security-administrators"}}, identityv1.DutySecurity, nil, ""},
		"own duty":             {"the Person's", ldap("login-p2"), identity.Person{ID: "p2", Groups: []string{"fairway:system-administrators"}}, identityv1.DutySystem, nil, ""},
		"reserved groups":      {"no directory gives the platform's", ldap("login-p8", "system:masters", "SYSTEM:masters", "fairway:system", "Fairway:administrators", "", "a\x00b", "a\u202eb", "\xff", strings.Repeat("g", 254)), identity.Person{ID: "p8"}, identityv1.DutyNone, nil, ""},
		"reserved by mapping":  {"nor a mapping", ldap("login-p8", "CN=crooked"), identity.Person{ID: "p8", Groups: []string{"CN=crooked"}}, identityv1.DutyNone, nil, ""},
		"reserved by Person":   {"nor a Person that was written past the schema", ldap("login-p9"), identity.Person{ID: "p9"}, identityv1.DutyNone, nil, ""},
		"subject":              {"decides", identity.Claim{Provider: "oidc", Login: "other", Subject: "u-7"}, identity.Person{ID: "p7"}, identityv1.DutyNone, nil, ""},
		"recycled login":       {"a login that was handed on does not bring the person with it", identity.Claim{Provider: "oidc", Login: "li", Subject: "u-8"}, identity.Person{}, "", identity.ErrNobody, "adds the login"},
		"login without":        {"a provider that lost the subject is not believed", identity.Claim{Provider: "oidc", Login: "li"}, identity.Person{}, "", identity.ErrNobody, ""},
		"another provider":     {"logins are a provider's own", identity.Claim{Provider: "oidc", Login: "login-p1"}, identity.Person{}, "", identity.ErrNobody, ""},
		"the id":               {"is no login", ldap("p1"), identity.Person{}, "", identity.ErrNobody, ""},
		"stranger":             {"is nobody", ldap("mallory"), identity.Person{}, "", identity.ErrNobody, `"mallory" is at "ldap"`},
		"nothing":              {"is nobody", identity.Claim{Provider: "ldap"}, identity.Person{}, "", identity.ErrNobody, ""},
		"Kelvin sign":          {"is no k", ldap("login-\u212a1"), identity.Person{}, "", identity.ErrNobody, ""},
		"shared login":         {"belongs to nobody, in any case", ldap("shared"), identity.Person{}, "", identity.ErrNobody, "p5 and p6 share it"},
		"disabled":             {"stays out", ldap("login-p3"), identity.Person{}, "", identity.ErrDisabled, "is disabled"},
		"expired":              {"at that very second", ldap("login-p4"), identity.Person{}, "", identity.ErrDisabled, "was valid until 2027-03-01T12:00:00Z"},
		"duty of each":         {"of Person and mapping", ldap("login-p2", "CN=security"), identity.Person{}, "", identity.ErrExclusive, `Security by GroupMapping "security", System by the Person`},
		"two by mapping":       {"of two mappings", ldap("login-p1", "CN=system", "CN=security"), identity.Person{}, "", identity.ErrExclusive, ""},
		"reserved and claimed": {"a duty's group from a directory is no duty", ldap("login-p2", "fairway:security-administrators"), identity.Person{ID: "p2", Groups: []string{"fairway:system-administrators"}}, identityv1.DutySystem, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := people.Resolve(c.claim, noon)
			if !errors.Is(err, c.err) || (c.err == nil && err != nil) || (err != nil && !strings.Contains(err.Error(), c.says)) {
				t.Fatalf("%s: %v", c.reason, err)
			}
			if diff := cmp.Diff(c.want, got.Person); diff != "" || got.Duty != c.duty {
				t.Errorf("%s: duty %q (-want +got):\n%s", c.reason, got.Duty, diff)
			}
		})
	}
}

func TestLeftOutGroupsAreTold(t *testing.T) {
	people := identity.NewPeople([]identityv1.Person{person("p1")}, nil)
	got, err := people.Current("p1", []string{"system:masters"}, noon)
	if err != nil || len(got.Reasons) != 1 || !strings.Contains(got.Reasons[0], `"system:masters" of the login was left out`) {
		t.Errorf("%v %v", got.Reasons, err)
	}
}

// Whoever asks under one name and decides under another is one person.
func TestSame(t *testing.T) {
	people := identity.NewPeople([]identityv1.Person{
		person("p1", alias("kubernetes-admin", "Root-Of-All", "shared")),
		person("p2", alias("shared"), func(s *identityv1.PersonSpec) {
			s.Aliases = append(s.Aliases, identityv1.Alias{Name: "system:serviceaccount:ci:deployer", Use: identityv1.UseMachine})
		}),
		person("p3", alias("p2")),
	}, nil)
	for name, c := range map[string]struct {
		a, b string
		want bool
	}{
		"the same id":                    {"p1", "p1", true},
		"id and alias":                   {"p1", "kubernetes-admin", true},
		"alias and id":                   {"ROOT-of-all", "P1", true},
		"two aliases of one":             {"kubernetes-admin", "root-of-all", true},
		"a machine and whose it is":      {"system:serviceaccount:ci:deployer", "p2", true},
		"two people":                     {"p1", "p2", false},
		"a shared alias is both":         {"shared", "p1", true},
		"and the other":                  {"p2", "shared", true},
		"an id as somebody else's alias": {"p2", "p3", true},
		"strangers":                      {"x", "y", false},
		"a stranger is himself":          {"x", "X", true},
		"a stranger and a person":        {"x", "p1", false},
	} {
		if got := people.Same(c.a, c.b); got != c.want {
			t.Errorf("%s: Same(%q, %q) = %v", name, c.a, c.b, got)
		}
		if people.Same(c.a, c.b) != people.Same(c.b, c.a) {
			t.Errorf("%s: it matters who is named first", name)
		}
	}
	for user, want := range map[string]string{"p1": "p1", "Kubernetes-Admin": "p1", "system:serviceaccount:ci:deployer": "p2", "shared": "", "p2": "", "x": "", "": ""} {
		if got, known := people.Of(user); got != want || known != (want != "") {
			t.Errorf("Of(%q) = %q, %v", user, got, known)
		}
	}
	if !people.Machine("system:serviceaccount:ci:deployer") || people.Machine("p1") || people.Machine("kubernetes-admin") {
		t.Error("machines are told from people")
	}
}

func TestActive(t *testing.T) {
	leaving := person("p4")
	leaving.DeletionTimestamp = &metav1.Time{Time: noon}
	people := identity.NewPeople([]identityv1.Person{
		person("p1", until(noon.Add(time.Hour)), duty(identityv1.DutyAudit), groups("examiners")),
		person("p2", func(s *identityv1.PersonSpec) { s.State = identityv1.StateDisabled }), person("p3", until(noon)), leaving,
	}, nil)
	var active []string
	for _, id := range append(people.IDs(), "nobody") {
		if people.Active(id, noon) {
			active = append(active, id)
		}
	}
	if diff := cmp.Diff([]string{"p1"}, active); diff != "" {
		t.Errorf("active (-want +got):\n%s", diff)
	}
	if !slices.Equal(people.Groups("p1"), []string{"examiners", "fairway:audit-administrators"}) || people.Groups("nobody") != nil {
		t.Errorf("groups: %v", people.Groups("p1"))
	}
	if got := people.Members("fairway:audit-administrators"); !slices.Equal(got, []string{"p1"}) {
		t.Errorf("members: %v", got)
	}
}
