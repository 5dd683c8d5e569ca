// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package imports

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

func TestParse(t *testing.T) {
	end := metav1.NewTime(time.Date(2027, 12, 31, 16, 0, 0, 0, time.UTC))
	whole := identityv1.PersonSpec{
		DisplayName: "王芳", Unit: "零售银行部", State: identityv1.StateActive, ValidUntil: &end, Groups: []string{"retail-developers", "staff"},
		Logins:  []identityv1.Login{{Provider: "ldap", Login: "wang.fang"}, {Provider: "oidc", Subject: "u-1"}, {Provider: "oidc", Login: "wf", Subject: "u-2"}},
		Aliases: []identityv1.Alias{{Name: "root", Use: "Human"}, {Name: "system:serviceaccount:ci:wf", Use: "Machine"}},
	}
	for name, c := range map[string]struct {
		reason, file string
		want         []Row
		units        []string
		fault        string
	}{
		"CSV": {"every column", "id,displayName,unit,state,validUntil,groups,logins,aliases\np1,王芳,零售银行部,,2028-01-01T00:00:00+08:00,retail-developers; staff,ldap:wang.fang;oidc#u-1;oidc:wf#u-2,root;machine=system:serviceaccount:ci:wf\n",
			[]Row{{Line: 2, ID: "p1", Spec: whole}}, nil, ""},
		"spreadsheet":            {"a byte-order mark, CRLF and quotes", "\ufeffid,displayName\r\np1,\"王, 芳\"\r\n", []Row{{Line: 2, ID: "p1", Spec: identityv1.PersonSpec{DisplayName: "王, 芳"}}}, nil, ""},
		"JSON":                   {"a spec with its id", ` {"people":[{"id":"p1","displayName":"王芳","groups":["a"]}]}`, []Row{{Line: 1, ID: "p1", Spec: identityv1.PersonSpec{DisplayName: "王芳", Groups: []string{"a"}}}}, nil, ""},
		"units":                  {"a tree", "name,displayName,parent,environments\nretail,零售,bank,prod;sit\n", nil, []string{"retail under bank in [prod sit]"}, ""},
		"units as JSON":          {"a tree", `{"tenants":[{"name":"retail","parent":"bank","environments":["prod"]}]}`, nil, []string{"retail under bank in [prod]"}, ""},
		"GBK":                    {"it says on which line", "id,displayName\np1,ok\np2,\xcd\xf5\xb7\xbc\n", nil, nil, "line 3: the file is not UTF-8 (it may be GBK)"},
		"empty":                  {"a file that was cut off changes nothing", " \n", nil, nil, "the file is empty"},
		"no header":              {"columns go by name", "p1,王芳\n", nil, nil, "the first line names the columns"},
		"unknown column":         {"a misspelt column is no silent loss", "id,displayNme\np1,x\n", nil, nil, `there is no column "displayNme"`},
		"column twice":           {"which one holds", "id,unit,unit\np1,a,b\n", nil, nil, "is there twice"},
		"short row":              {"cells are not guessed", "id,unit\np1\n", nil, nil, "line 2: the row has 1 columns and the header 2"},
		"quotes":                 {"an open quote", "id,unit\np1,\"a\n", nil, nil, "could not read the row"},
		"control characters":     {"are refused", "id,displayName\np1,a\x07b\n", nil, nil, `line 2, p1: column "displayName" holds characters that cannot be seen`},
		"text turned round":      {"is refused", "id,displayName\np1,a\u202eb\n", nil, nil, "cannot be seen"},
		"nothing wide":           {"a zero-width space is refused", "id,displayName\np\u200b1,ab\n", nil, nil, "cannot be seen"},
		"NUL in JSON":            {"is refused", `{"people":[{"id":"p1","unit":"a\u0000"}]}`, nil, nil, `line 1, p1: could not read person 1 of the file: field "unit" holds`},
		"deep in JSON":           {"too", `{"people":[{"id":"p1","logins":[{"provider":"ldap","login":"a\u202e"}]}]}`, nil, nil, `field "logins" holds`},
		"unknown JSON field":     {"is refused", `{"people":[{"id":"p1","roles":["x"]}]}`, nil, nil, `unknown field "roles"`},
		"unknown part of a file": {"is refused", `{"persons":[]}`, nil, nil, `unknown field "persons"`},
		"two JSON documents":     {"are one too many", `{"people":[]}{"people":[]}`, nil, nil, "something follows"},
		"nobody in JSON":         {"a row without an id", `{"people":[{"unit":"x"}]}`, nil, nil, "id is missing"},
		"a bad time":             {"says how to write it", "id,validUntil\np1,31.12.2027\n", nil, nil, "write it as 2027-12-31T23:59:59+08:00"},
		"a bad login":            {"says how to write it", "id,logins\np1,wang\n", nil, nil, "write provider:login"},
		"too many":               {"are refused", "id\n" + strings.Repeat("p1\n", MostRows+2), nil, nil, "more than 5000 rows"},
	} {
		t.Run(name, func(t *testing.T) {
			got, faults := Parse([]byte(c.file))
			if c.fault != "" {
				if len(faults) != 1 || !strings.Contains(faults[0].String(), c.fault) {
					t.Errorf("%s: %v", c.reason, faults)
				}
				return
			}
			if len(faults) > 0 {
				t.Fatalf("%s: %v", c.reason, faults)
			}
			for i := range got.People {
				got.People[i].Columns = nil
			}
			if diff := cmp.Diff(c.want, got.People); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
			var units []string
			for _, u := range got.Units {
				units = append(units, fmt.Sprintf("%s under %s in %v", u.Name, u.Spec.Parent, u.Spec.Environments))
			}
			if diff := cmp.Diff(c.units, units); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}

func person(id, source string, changes ...func(*identityv1.PersonSpec)) identityv1.Person {
	made := identityv1.Person{ObjectMeta: metav1.ObjectMeta{Name: id}, Spec: identityv1.PersonSpec{State: identityv1.StateActive, Duty: identityv1.DutyNone}}
	if source != "" {
		made.Annotations = map[string]string{AnnotationSource: source}
	}
	for _, change := range changes {
		change(&made.Spec)
	}
	return made
}

func login(s string) func(*identityv1.PersonSpec) {
	return func(p *identityv1.PersonSpec) { p.Logins = []identityv1.Login{{Provider: "ldap", Login: s}} }
}

func TestPlan(t *testing.T) {
	has := Seen{
		People: []identityv1.Person{
			person("p1", "hr", login("a"), func(s *identityv1.PersonSpec) { s.Unit, s.Groups = "old", []string{"retail-releasers"} }),
			person("p2", "hr", login("b")), person("p3", ""), person("p4", "hr", func(s *identityv1.PersonSpec) { s.State = identityv1.StateDisabled }),
		},
		Tenants: []tenancyv1.Tenant{{ObjectMeta: metav1.ObjectMeta{Name: "bank"}, Spec: tenancyv1.TenantSpec{Kind: "LegalEntity", Environments: []string{"prod"}}}},
	}
	for name, c := range map[string]struct {
		reason, file string
		options      Options
		want         []string
		unchanged    int
		faults       []string
	}{
		"as it is":              {"nothing is written", "id,logins\np1,ldap:a\np2,ldap:b\n", Options{}, nil, 2, nil},
		"new and changed":       {"each once", "id,unit\np1,new\np2,\np9,new\n", Options{}, []string{"update person p1", "create person p9"}, 1, nil},
		"another's list":        {"a person that is on this list now is of this list", "id\np3\n", Options{}, []string{"update person p3"}, 0, nil},
		"missing, and kept":     {"nobody is disabled unasked", "id\np1\n", Options{}, nil, 1, nil},
		"missing":               {"who left is disabled; who came otherwise, or was disabled, is left alone", "id\np1\n", Options{DisableMissing: true}, []string{"disable person p2"}, 1, nil},
		"a list cut short":      {"absence is no proof", "id\np3\n", Options{DisableMissing: true, DisableAtMost: 1}, nil, 0, []string{"2 of 2 active people of list"}},
		"twice":                 {"which row holds", "id,unit\np9,a\np9,b\n", Options{}, nil, 0, []string{`line 3, p9: person "p9" is on line 2 already`}},
		"a bad id":              {"is refused", "id\nP9\n\uff50\uff11\n", Options{}, nil, 0, []string{`line 2, P9: "P9" is no person's id`, `line 3, ｐ１:`}},
		"one bad row":           {"all or nothing", "id,unit\np1,new\nX,y\n", Options{}, nil, 0, []string{"line 3, X:"}},
		"a login of another's":  {"two people would be one", "id,logins\np9,ldap:A\n", Options{}, nil, 0, []string{`line 2, p9: p1 has login "A" of "ldap" too`}},
		"a login given twice":   {"both rows are told", "id,logins\np8,ldap:x\np9,ldap:x\n", Options{}, nil, 0, []string{"line 2, p8: p9 has login", "line 3, p9: p8 has login"}},
		"an alias of another's": {"two people would be one", "id,aliases\np9,p1\n", Options{}, nil, 0, []string{`line 2, p9: p1 stands behind "p1" too`}},
		"a login that moves":    {"is taken from one and given to another in one import", "id,logins\np1,\np9,ldap:a\n", Options{}, []string{"update person p1", "create person p9"}, 0, nil},
		"a tree":                {"from the top down", "name,parent,environments\nteam,unit,prod\nunit,bank,prod\n", Options{}, []string{"create tenant unit", "create tenant team"}, 0, nil},
		"a tenant as it is":     {"columns that are not there stay", "name,environments\nbank,prod\n", Options{}, nil, 1, nil},
		"a circle":              {"nobody is above himself", "name,parent,environments\na,b,prod\nb,a,prod\n", Options{}, nil, 0, []string{"a under b under a"}},
		"an orphan":             {"the tenant above is somewhere", "name,parent,environments\na,gone,prod\n", Options{}, nil, 0, []string{"is neither in the file nor on the hub"}},
		"a tenant twice":        {"which row holds", "name,environments\na,prod\na,sit\n", Options{}, nil, 0, []string{`tenant "a" is on line 2 already`}},
	} {
		t.Run(name, func(t *testing.T) {
			batch, faults := Parse([]byte(c.file))
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			c.options.Source = "hr"
			got := Plan(batch, has, c.options)
			var actions []string
			for _, a := range got.Actions {
				actions = append(actions, a.String())
			}
			if diff := cmp.Diff(c.want, actions); diff != "" || got.Unchanged != c.unchanged && len(c.faults) == 0 {
				t.Errorf("%s: %d unchanged (-want +got):\n%s", c.reason, got.Unchanged, diff)
			}
			if len(got.Faults) != len(c.faults) {
				t.Fatalf("%s: %v", c.reason, got.Faults)
			}
			for i, want := range c.faults {
				if !strings.Contains(got.Faults[i].String(), want) {
					t.Errorf("%s: %s, wanted %q", c.reason, got.Faults[i], want)
				}
			}
		})
	}
}

// A list that says nothing of roles takes none away.
func TestColumnsThatAreNotThereStay(t *testing.T) {
	before := person("p1", "hr", login("a"), func(s *identityv1.PersonSpec) { s.Groups, s.Duty = []string{"g"}, identityv1.DutyAudit })
	batch, _ := Parse([]byte("id,unit\np1,new\n"))
	got := Plan(batch, Seen{People: []identityv1.Person{before}}, Options{Source: "hr"})
	want := before.Spec.DeepCopy()
	want.Unit = "new"
	if len(got.Actions) != 1 {
		t.Fatal(got)
	}
	if diff := cmp.Diff(*want, got.Actions[0].Person.Spec); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whatever a file holds, reading it ends well, and nothing is planned beside a fault.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"id,unit\np1,a\n", `{"people":[{"id":"p1"}]}`, `{"tenants":[{"name":"a"}]}`, "name,parent\na,b\n", "\xff", "id\n\"", `{"people":null}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		batch, faults := Parse(raw)
		if len(faults) > 0 {
			return
		}
		if got := Plan(batch, Seen{}, Options{Source: "x", DisableMissing: true}); len(got.Faults) > 0 && len(got.Actions) > 0 {
			t.Errorf("%v and %v", got.Faults, got.Actions)
		}
	})
}
