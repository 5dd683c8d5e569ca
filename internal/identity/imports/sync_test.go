// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package imports

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

var hub *kubetest.Cluster

func scheme() *runtime.Scheme {
	made := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, identityv1.AddToScheme} {
		if err := add(made); err != nil {
			panic(err)
		}
	}
	return made
}

func TestMain(m *testing.M) {
	os.Exit(kubetest.Main(m, &hub, kubetest.WithCRDs(), kubetest.WithAdmission(), kubetest.WithManifests("config/rbac"), kubetest.WithScheme(scheme())))
}

// notes keep what was recorded, and can be away.
type notes struct {
	acts []audit.Act
	away error
}

func (n *notes) Intent(_ context.Context, act audit.Act) (string, error) {
	if n.away == nil {
		n.acts = append(n.acts, act)
	}
	return "1", n.away
}

func (n *notes) Outcome(context.Context, string, audit.Outcome) error { return nil }

// A directory's people come, change and go, under Fairway's own account, with the
// rights and policies that an installation has.
func TestSync(t *testing.T) {
	own, err := client.New(hub.UserConfig(t, "fairway", "fairway:system"), client.Options{Scheme: scheme()})
	if err != nil {
		t.Fatal(err)
	}
	staff := func(number, name string) identity.Claim {
		return identity.Claim{Provider: "ad", Login: "login." + number, Subject: "guid-" + number, Name: name, StaffNumber: number}
	}
	var listed []identity.Claim
	var away error
	recorder := &notes{}
	s := &Sync{
		Provider: "ad", Everybody: func(context.Context) ([]identity.Claim, error) { return listed, away },
		Settings: identity.SyncSettings{DisableMissing: true}, Hub: own, Gate: approval.Unrestricted{}, Recorder: recorder, Log: slog.New(slog.DiscardHandler),
	}
	if err := s.Settings.Ready(); err != nil {
		t.Fatal(err)
	}
	once := func() ([]string, []string, error) {
		t.Helper()
		done, faults, err := s.Once(t.Context())
		var words, wrong []string
		for _, a := range done {
			words = append(words, a.String())
		}
		for _, f := range faults {
			wrong = append(wrong, f.ID)
		}
		slices.Sort(words)
		return words, wrong, err
	}
	state := func(id string) identityv1.PersonSpec {
		t.Helper()
		p := &identityv1.Person{}
		if err := hub.Client().Get(t.Context(), client.ObjectKey{Name: id}, p); err != nil {
			t.Fatal(err)
		}
		return p.Spec
	}
	check := func(what string, wantDone, wantWrong []string) {
		t.Helper()
		done, wrong, err := once()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if diff := cmp.Diff(wantDone, done) + cmp.Diff(wantWrong, wrong); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	// Somebody who is there already keeps his groups, his duty and his other logins.
	if err := hub.UserClient(t, "fairway", "fairway:system").Create(t.Context(), &identityv1.Person{ObjectMeta: metav1.ObjectMeta{Name: "p501"}, Spec: identityv1.PersonSpec{
		Groups: []string{"retail-releasers"}, Logins: []identityv1.Login{{Provider: "local", Login: "first"}},
	}}); err != nil {
		t.Fatal(err)
	}
	listed = []identity.Claim{staff("501", "李强"), staff("502", "陈静"), staff("503", "刘洋")}
	check("the first time", []string{"create person p502", "create person p503", "update person p501"}, nil)
	if got := state("p501"); !slices.Equal(got.Groups, []string{"retail-releasers"}) || len(got.Logins) != 2 || got.DisplayName != "李强" {
		t.Errorf("who was there: %+v", got)
	}
	check("again", nil, nil)
	if len(recorder.acts) != 1 || recorder.acts[0].Verb != "identity.sync" || !slices.Contains(recorder.acts[0].Details, "create person p502") {
		t.Errorf("evidence: %+v", recorder.acts)
	}
	// A name that the hub refuses, and somebody without a number: the others go on, and
	// neither counts as missing.
	listed = []identity.Claim{staff("501", "李强"), staff("502", strings.Repeat("长", 65)), staff("503", "刘洋洋"), {Provider: "ad", Login: "no.number", Subject: "x"}}
	check("two that cannot be written", []string{"update person p503"}, []string{"no.number", "p502"})
	listed = []identity.Claim{staff("501", "李强"), staff("502", "陈静")}
	check("somebody left", []string{"disable person p503"}, nil)
	if got := state("p503"); got.State != identityv1.StateDisabled || got.DisplayName != "刘洋洋" {
		t.Errorf("who left: %+v", got)
	}

	// What is not certain changes nobody.
	for i := range 20 {
		listed = append(listed, staff(fmt.Sprint(600+i), "员工"))
	}
	if _, _, err := once(); err != nil {
		t.Fatal(err)
	}
	before := len(recorder.acts)
	all := listed
	for what, change := range map[string]func(){
		"a directory that is away": func() { away = errors.New("connection refused") },
		"an empty directory":       func() { listed = nil },
		"half a directory":         func() { listed = all[:10] },
		"evidence that is away":    func() { listed = all[:20]; recorder.away = errors.New("the disk is full") },
		"a gate that says no":      func() { listed = all[:20]; s.Gate = closed{} },
	} {
		change()
		if _, _, err := once(); err == nil {
			t.Errorf("%s: no error", what)
		}
		listed, away, recorder.away, s.Gate = all, nil, nil, approval.Unrestricted{}
	}
	if len(recorder.acts) != before || state("p615").State != identityv1.StateActive {
		t.Errorf("somebody was changed: %d records, %+v", len(recorder.acts)-before, state("p615"))
	}
}

type closed struct{}

func (closed) Check(context.Context, approval.Act) (approval.Verdict, error) {
	return approval.Verdict{Reason: "the policies differ"}, nil
}

func TestSyncSettings(t *testing.T) {
	for name, s := range map[string]identity.SyncSettings{
		"too often": {Every: metav1.Duration{Duration: 1}}, "unknown": {ID: "Mail"}, "a digit first": {IDPrefix: "1"}, "upper case": {IDPrefix: "P"}, "less than nobody": {DisableAtMost: -1},
	} {
		if err := s.Ready(); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	s := identity.SyncSettings{ID: "Login", IDPrefix: "u-"}
	if err := s.Ready(); err != nil || s.IDOf(identity.Claim{Login: "Wang.Fang"}) != "u-wang.fang" {
		t.Errorf("%v %s", err, s.IDOf(identity.Claim{Login: "Wang.Fang"}))
	}
}
