// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package register

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/config"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/amendments"
	"github.com/fairway-cloud/fairway/internal/identity/directory"
	"github.com/fairway-cloud/fairway/internal/identity/rights"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

var hub *kubetest.Cluster

func init() { ctrl.SetLogger(logr.Discard()) }

func scheme() *runtime.Scheme {
	made := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, identityv1.AddToScheme, tenancyv1.AddToScheme} {
		if err := add(made); err != nil {
			panic(err)
		}
	}
	return made
}

// The hub has the rights and policies that an installation has.
func TestMain(m *testing.M) {
	os.Exit(kubetest.Main(m, &hub, kubetest.WithCRDs(), kubetest.WithAdmission(), kubetest.WithManifests("config/rbac"), kubetest.WithScheme(scheme())))
}

// byID lets everybody in who names himself: "<id>=<group>,<group>".
type byID struct{}

func (byID) Authenticate(_ context.Context, credential string) (identity.Person, error) {
	id, groups, _ := strings.Cut(credential, "=")
	person := identity.Person{ID: id, Session: sessionOf + id}
	if groups != "" {
		person.Groups = strings.Split(groups, ",")
	}
	return person, nil
}

// sessionOf begins the session of everybody.
const sessionOf = "session-of-"

// loggedIn remembers a login for each of these sessions.
type loggedIn struct{}

func (loggedIn) Login(_ context.Context, session string) (identity.Login, bool, error) {
	id, found := strings.CutPrefix(session, sessionOf)
	return identity.Login{Person: id, From: time.Unix(1, 0)}, found, nil
}

// madeHere takes every proof for one of the server.
type madeHere struct{}

func (madeHere) Amendment(context.Context, *identityv1.Amendment) (string, error) { return "", nil }
func (madeHere) Confirmation(context.Context, *identityv1.Confirmation) (string, error) {
	return "", nil
}

type unwritten struct{}

func (unwritten) Intent(context.Context, audit.Act) (string, error)    { return "1", nil }
func (unwritten) Outcome(context.Context, string, audit.Outcome) error { return nil }

// serve is the register as a server has it, acting under Fairway's own account.
func serve(t *testing.T) string {
	t.Helper()
	kinds, err := httpapi.Kinds(config.CRDs)
	if err != nil {
		t.Fatal(err)
	}
	reviews, err := authorizationclient.NewForConfig(hub.UserConfig(t, "fairway", "fairway:system"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := client.New(hub.UserConfig(t, "fairway", "fairway:system"), client.Options{Scheme: scheme()})
	if err != nil {
		t.Fatal(err)
	}
	r := New(Config{
		Kinds: kinds, Reviews: reviews.SubjectAccessReviews(), Hub: own, People: directory.New(own, nil, time.Now).People,
		Own: own, Cases: &amendments.Reader{Direct: own, Logins: loggedIn{}, Proofs: madeHere{}, Now: time.Now},
		Prove: func(_ context.Context, a *identityv1.Amendment) error { a.Spec.Proof = "v1.test"; return nil },
		Policies: func() rights.State {
			return rights.State{Reason: "changed", Since: time.Unix(1, 0), Differences: []rights.Difference{{Kind: "ClusterRole", Name: "x", What: rights.Changed}}}
		},
		As: func(ctx context.Context) (client.Client, error) {
			person, _ := identity.FromContext(ctx)
			impersonating := hub.UserConfig(t, "fairway", "fairway:system")
			impersonating.Impersonate.UserName, impersonating.Impersonate.Groups = person.ID, person.Groups
			impersonating.Impersonate.Extra = map[string][]string{"fairway.cloud/session": {person.Session}}
			return client.New(impersonating, client.Options{Scheme: scheme()})
		},
	})
	handler, err := (&httpapi.Chain{Identity: byID{}, Gate: approval.Unrestricted{}, Recorder: unwritten{}, Log: slog.New(slog.DiscardHandler)}).Mount(r.Routes())
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(handler)
	t.Cleanup(listener.Close)
	return listener.URL
}

func call(t *testing.T, method, address, token, body string, into any) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s %s: %d %s", method, address, response.StatusCode, raw)
	}
	return response.StatusCode
}

func bind(t *testing.T, namespace, role, group string) {
	t.Helper()
	if err := client.IgnoreAlreadyExists(hub.UserClient(t, "fairway", "fairway:system").Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{"tenancy.fairway.cloud/tenant": "x"}}})); err != nil {
		t.Fatal(err)
	}
	if err := hub.Client().Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: group}},
	}); err != nil {
		t.Fatal(err)
	}
}

const (
	security = "s-1=fairway:security-administrators"
	founder  = "f-1=fairway:administrators"
)

func TestWhoMayDoWhat(t *testing.T) {
	url := serve(t)
	bind(t, "ask-prod", "fairway-business-approver", "ask-business")
	bind(t, "ask-prod", "fairway-developer", "ask-developers")
	for _, p := range []*identityv1.Person{
		{ObjectMeta: metav1.ObjectMeta{Name: "ask1"}, Spec: identityv1.PersonSpec{DisplayName: "陈静", Groups: []string{"ask-business"}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "ask2"}, Spec: identityv1.PersonSpec{Groups: []string{"ask-business"}, State: identityv1.StateDisabled}},
	} {
		if err := hub.UserClient(t, "fairway", "fairway:system").Create(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		reason, token, query string
		status               int
		allowed              bool
		says                 string
	}{
		"his own right":            {"by his role", "d=ask-developers", "verb=create&kind=releases&namespace=ask-prod", 200, true, "fairway-developer"},
		"by another word":          {"singular, in any case", "d=ask-developers", "verb=create&kind=Release&namespace=ask-prod", 200, true, "fairway-developer"},
		"not his right":            {"no role lets it", "d=ask-developers", "verb=create&kind=decisions&namespace=ask-prod", 200, false, "no role"},
		"elsewhere":                {"roles hold where they are given", "d=ask-developers", "verb=create&kind=releases&namespace=other-prod", 200, false, "no role"},
		"logs":                     {"a part of a kind", "d=ask-developers", "verb=get&kind=instances/log&namespace=ask-prod", 200, true, "fairway-developer"},
		"somebody else's":          {"asked by who may read people", security, "verb=create&kind=decisions&namespace=ask-prod&person=ask1", 200, true, "fairway-business-approver"},
		"somebody else's, foreign": {"a person one may not read is not there", "d=ask-developers", "verb=create&kind=decisions&namespace=ask-prod&person=ask1", 404, false, `could not find person "ask1"`},
		"nobody's":                 {"the same answer", "d=ask-developers", "verb=create&kind=decisions&namespace=ask-prod&person=gone", 404, false, `could not find person "gone"`},
		"nobody's, to security":    {"the same answer", security, "verb=create&kind=decisions&person=gone", 404, false, `could not find person "gone"`},
		"no verb":                  {"says what is missing", security, "kind=decisions", 400, false, "names a verb and a kind"},
		"no such kind":             {"says where the words are", security, "verb=get&kind=pods", 400, false, `no kind "pods"`},
	} {
		t.Run(name, func(t *testing.T) {
			got := struct {
				Allowed        bool
				Reason, Detail string
			}{}
			status := call(t, http.MethodGet, url+"/api/v1/identity/can-i?"+c.query, c.token, "", &got)
			if status != c.status || got.Allowed != c.allowed || !strings.Contains(got.Reason+got.Detail, c.says) {
				t.Errorf("%s: %d %+v", c.reason, status, got)
			}
		})
	}

	list := func(token, query string) (int, []string, string) {
		got := struct {
			Items  []Holder
			Detail string
		}{}
		status := call(t, http.MethodGet, url+"/api/v1/identity/who-can?"+query, token, "", &got)
		var words []string
		for _, h := range got.Items {
			words = append(words, fmt.Sprintf("%s %s by %s (%s) %v", h.Kind, h.Name, h.Role, h.Binding, h.People))
		}
		return status, words, got.Detail
	}
	_, got, _ := list(security, "verb=create&kind=decisions&namespace=ask-prod")
	got = slices.DeleteFunc(got, func(s string) bool {
		return strings.Contains(s, "system:masters") || strings.Contains(s, "fairway:system ")
	})
	if diff := cmp.Diff([]string{"Group ask-business by fairway-business-approver (RoleBinding ask-prod/fairway-business-approver) [{ask1 陈静}]"}, got); diff != "" {
		t.Errorf("who decides here (-want +got):\n%s", diff)
	}
	if _, got, _ := list("d=ask-developers", "verb=create&kind=decisions&namespace=ask-prod"); !slices.ContainsFunc(got, func(s string) bool { return strings.HasSuffix(s, "[{ask1 }]") }) {
		t.Errorf("who has a role here sees who decides, without names: %v", got)
	}
	for _, namespace := range []string{"ask-prod", "never-was"} {
		if status, _, detail := list("x=others", "verb=create&kind=decisions&namespace="+namespace); status != 404 || detail != fmt.Sprintf("could not find namespace %q", namespace) {
			t.Errorf("%s to a stranger: %d %s", namespace, status, detail)
		}
	}
	if status, _, _ := list("d=ask-developers", "verb=create&kind=tenants"); status != 403 {
		t.Errorf("who may everywhere is the administrators' to know: %d", status)
	}

	policies := struct {
		Whole       bool
		Differences []string
	}{}
	if status := call(t, http.MethodGet, url+"/api/v1/identity/policies", security, "", &policies); status != 200 || policies.Whole || !slices.Equal(policies.Differences, []string{`ClusterRole "x" is changed`}) {
		t.Errorf("policies: %d %+v", status, policies)
	}
	if status := call(t, http.MethodGet, url+"/api/v1/identity/policies", "d=ask-developers", "", &policies); status != 403 {
		t.Errorf("policies to a developer: %d", status)
	}
}

// What WhoCan works out is what the hub says when it is asked about each.
func TestWhoCanAgreesWithTheHub(t *testing.T) {
	bind(t, "agree-prod", "fairway-change-manager", "agree-cm")
	bind(t, "agree-prod", "fairway-viewer", "agree-v")
	r := &Register{Config{Hub: hub.Client()}}
	seen, err := r.rbac(t.Context(), "agree-prod")
	if err != nil {
		t.Fatal(err)
	}
	reviews, err := authorizationclient.NewForConfig(hub.Config())
	if err != nil {
		t.Fatal(err)
	}
	r.Reviews = reviews.SubjectAccessReviews()
	groups := []string{"agree-cm", "agree-v", "fairway:system-administrators", "fairway:security-administrators", "fairway:audit-administrators", "fairway:administrators", "fairway:system", "nobody"}
	asked := 0
	for _, resource := range []string{"applications.app.fairway.cloud", "releases.release.fairway.cloud", "decisions.approval.fairway.cloud", "freezes.approval.fairway.cloud", "tenants.tenancy.fairway.cloud", "people.identity.fairway.cloud", "records.audit.fairway.cloud", "secrets."} {
		for _, verb := range []string{"get", "list", "create", "patch", "delete", "deploy", "order", "bind", "export"} {
			word, group, _ := strings.Cut(resource, ".")
			q := rights.Question{Verb: verb, Group: group, Resource: word, Namespace: "agree-prod"}
			holders := rights.WhoCan(q, seen)
			everybody := slices.ContainsFunc(holders, func(h rights.Holder) bool { return h.Name == "system:authenticated" })
			for _, g := range groups {
				want, _, err := r.may(t.Context(), identity.Person{ID: "agree", Groups: []string{g}}, q)
				if err != nil {
					t.Fatal(err)
				}
				asked++
				if got := everybody || slices.ContainsFunc(holders, func(h rights.Holder) bool { return h.Kind == "Group" && h.Name == g }); got != want {
					t.Errorf("%s %s: %s is said to be %v, and the hub says %v", verb, resource, g, got, want)
				}
			}
		}
	}
	if asked < 500 {
		t.Errorf("asked %d questions", asked)
	}
}

func TestImport(t *testing.T) {
	address := serve(t) + "/api/v1/identity/import?source=hr"
	type result struct {
		Imported
		Detail string
		Causes []httpapi.Cause
	}
	send := func(token, more, file string) (int, result) {
		got := result{}
		return call(t, http.MethodPost, address+more, token, file, &got), got
	}
	there := func(id string) (identityv1.Person, bool) {
		p := identityv1.Person{}
		err := hub.Client().Get(t.Context(), client.ObjectKey{Name: id}, &p)
		return p, err == nil
	}
	const file = "id,displayName,unit,groups,logins\nim1,王芳,零售,staff,ldap:im1\nim2,李强,零售,staff,ldap:im2\nim3,陈静,零售,staff,ldap:im3\n"
	if status, got := send(founder, "&dryRun=All", file); status != 200 || !got.DryRun || len(got.Created) != 3 {
		t.Errorf("dry run: %d %+v", status, got)
	}
	if _, made := there("im1"); made {
		t.Error("a dry run made somebody")
	}
	if status, got := send(founder, "", file); status != 200 || !slices.Equal(got.Created, []string{"im1", "im2", "im3"}) {
		t.Fatalf("%d %+v", status, got)
	}
	if status, got := send(founder, "", file); status != 200 || got.Unchanged != 3 || len(got.Created)+len(got.Updated) != 0 {
		t.Errorf("the same again: %d %+v", status, got)
	}
	// One row that the hub refuses: nothing at all is written, and the row is named.
	status, got := send(founder, "", strings.Replace(file, "im2,李强,零售,staff", "im2,李强,零售,system:masters", 1)+"im4,x,y,z,ldap:im4\n")
	if status != 422 || len(got.Causes) != 1 || !strings.HasPrefix(got.Causes[0].Message, "line 3, im2: ") || !strings.Contains(got.Causes[0].Message, "belong to Kubernetes and to the platform") {
		t.Errorf("%d %+v", status, got)
	}
	if _, made := there("im4"); made {
		t.Error("a file with a wrong row made somebody")
	}
	if status, got := send(founder, "", "id,groups\nim1,a\nf-1,b\n"); status != 422 || !strings.Contains(fmt.Sprint(got.Causes), "line 3, f-1: ") || !strings.Contains(fmt.Sprint(got.Causes), "nobody changes his own Person") {
		t.Errorf("the importer writes about himself: %d %+v", status, got)
	}
	if p, _ := there("im1"); !slices.Equal(p.Spec.Groups, []string{"staff"}) {
		t.Errorf("half of a file was written: %v", p.Spec.Groups)
	}
	// Who left is disabled and stays.
	if status, got := send(founder, "&disableMissing=true", "id\nim1\nim2\n"); status != 200 || !slices.Equal(got.Disabled, []string{"im3"}) {
		t.Errorf("%d %+v", status, got)
	}
	if p, ok := there("im3"); !ok || p.Spec.State != identityv1.StateDisabled || p.Spec.DisplayName != "陈静" {
		t.Errorf("who left: %+v", p.Spec)
	}
	// A tree of tenants is the system administrator's, and he imports no people.
	tree := "name,parent,environments\nim-team,im-unit,prod\nim-unit,,prod\n"
	for _, token := range []string{"x=retail-releasers", "a-1=fairway:audit-administrators", "a-1=fairway:system-administrators"} {
		if status, got := send(token, "", file); status != 403 {
			t.Errorf("%s imports: %d %+v", token, status, got)
		}
	}
	if status, got := send(security, "", tree); status != 403 {
		t.Errorf("a security administrator makes tenants: %d %+v", status, got)
	}
	if status, got := send("a-1=fairway:system-administrators", "", tree); status != 200 || !slices.Equal(got.Created, []string{"im-unit", "im-team"}) {
		t.Errorf("a system administrator makes the tree: %d %+v", status, got)
	}
	for _, query := range []string{"&disableMissing=yes", "&disableAtMost=0", "&disableAtMost=x", "&dryRun=Some"} {
		if status, got := send(founder, query, file); status != 400 {
			t.Errorf("%s: %d %+v", query, status, got)
		}
	}
	if status, _ := send(founder, "", strings.Repeat("x", importLimit+1)); status != 413 {
		t.Errorf("a file without end: %d", status)
	}
}

// Two thousand people at once: all are there, in time.
func TestImportOfMany(t *testing.T) {
	address := serve(t) + "/api/v1/identity/import?source=many"
	file := &strings.Builder{}
	file.WriteString("id,displayName,logins\n")
	for i := range 2000 {
		_, _ = fmt.Fprintf(file, "many%d,员工%d,ldap:many%d\n", i, i, i)
	}
	got := Imported{}
	began := time.Now()
	if status := call(t, http.MethodPost, address, founder, file.String(), &got); status != 200 || len(got.Created) != 2000 {
		t.Fatalf("%d, %d made", status, len(got.Created))
	}
	t.Logf("2,000 people in %s", time.Since(began).Round(time.Millisecond))
}
