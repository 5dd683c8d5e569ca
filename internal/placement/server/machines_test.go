// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/placement/server"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

var hub *kubetest.Cluster

func TestMain(m *testing.M) {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, appv1.AddToScheme, fleetv1.AddToScheme, placementv1.AddToScheme, releasev1.AddToScheme, tenancyv1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	os.Exit(kubetest.Main(m, &hub, kubetest.WithCRDs(), kubetest.WithAdmission(), kubetest.WithManifests("config/rbac"), kubetest.WithScheme(s)))
}

// bank makes, on a real hub, mobile-bank in retail-prod and the places that machines are in,
// and lets group releasers write there. The desk acts as a member of it.
func bank(t *testing.T) (*server.Desk, client.Client, *clocktesting.FakePassiveClock) {
	t.Helper()
	if testing.Short() {
		t.Skip("no cluster under -short")
	}
	system := hub.UserClient(t, "fairway", "fairway:system")
	eventually := func(do func() error) {
		t.Helper()
		var err error
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
			if err = client.IgnoreAlreadyExists(do()); err == nil {
				return
			}
		}
		t.Fatal(err)
	}
	application := apptest.MobileBank()
	application.Spec.Components = application.Spec.Components[1:2]
	application.Spec.Components[0].DependsOn, application.Spec.Exposure = nil, nil
	for _, o := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "retail-prod", Labels: map[string]string{
			"tenancy.fairway.cloud/tenant": "retail", "tenancy.fairway.cloud/environment": "prod", "app.kubernetes.io/managed-by": "fairway"}}},
		&fleetv1.DataCenter{ObjectMeta: metav1.ObjectMeta{Name: "dc-east"}, Spec: fleetv1.DataCenterSpec{City: "Shanghai", Racks: []fleetv1.Rack{{Name: "vm-1"}, {Name: "vm-2"}}}},
		&fleetv1.DCN{ObjectMeta: metav1.ObjectMeta{Name: "dcn-east-1"}, Spec: fleetv1.DCNSpec{DataCenter: "dc-east", Environment: "prod"}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: "fairway-releaser"},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "fairway-releaser"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "releasers"}}},
		application,
	} {
		o.SetResourceVersion("")
		eventually(func() error { return system.Create(t.Context(), o.DeepCopyObject().(client.Object)) })
	}
	person := hub.UserClient(t, "p1", "releasers")
	eventually(func() error {
		return person.List(t.Context(), &placementv1.MachineImportList{}, client.InNamespace("retail-prod"))
	})
	clock := clocktesting.NewFakePassiveClock(time.Now().Truncate(time.Second))
	t.Cleanup(func() { // each test begins without machines
		var all placementv1.MachineImportList
		if err := system.List(context.Background(), &all); err != nil {
			t.Error(err)
		}
		for i := range all.Items {
			if err := system.Delete(context.Background(), &all.Items[i]); err != nil {
				t.Error(err)
			}
		}
	})
	return &server.Desk{
		Hub: system, Direct: system, Authority: readers{may: true}, Clock: clock, As: func(context.Context) (client.Client, error) { return person, nil },
	}, system, clock
}

// file is a CSV file of machines that run account, numbered from 1.
func file(n int) string {
	var out strings.Builder
	out.WriteString("application,component,seat,dcn,dataCenter,rack,host,address\n")
	for i := range n {
		fmt.Fprintf(&out, "mobile-bank,account,%d,dcn-east-1,dc-east,vm-%d,vm%04d,10.1.0.%d\n", i+1, i%2+1, i+1, i+1)
	}
	return out.String()
}

func importing(clock *clocktesting.FakePassiveClock, more ...string) string {
	values := url.Values{"namespace": {"retail-prod"}, "observedAt": {clock.Now().UTC().Format(time.RFC3339)}}
	for i := 0; i < len(more); i += 2 {
		values.Set(more[i], more[i+1])
	}
	return "/api/v1/placement/machines?" + values.Encode()
}

// The whole way of an import on a real hub: dry run, import, the same again, a file that is
// cut off, its confirmation, and data that grow old.
func TestImportOnARealHub(t *testing.T) {
	desk, system, clock := bank(t)
	has := func(what, answer, want string) {
		t.Helper()
		if !strings.Contains(answer, want) {
			t.Errorf("%s: want %s, got %s", what, want, answer)
		}
	}
	stored := func() *placementv1.MachineImport {
		t.Helper()
		var m placementv1.MachineImport
		if err := system.Get(t.Context(), client.ObjectKey{Namespace: "retail-prod", Name: "mobile-bank.cmdb"}, &m); err != nil {
			t.Fatal(err)
		}
		return &m
	}
	has("dry run", ask(t, desk, "POST", importing(clock, "dryRun", "All"), file(10)), `"created":["retail-prod/mobile-bank.cmdb"]`)
	var none placementv1.MachineImportList
	if err := system.List(t.Context(), &none); err != nil || len(none.Items) > 0 {
		t.Fatalf("a dry run writes nothing: %v %v", none.Items, err)
	}
	first := importing(clock)
	has("import", ask(t, desk, "POST", first, file(10)), `"machines":10`)
	version := stored().ResourceVersion
	has("again", ask(t, desk, "POST", first, file(10)), `"unchanged":1`)
	if got := stored().ResourceVersion; got != version {
		t.Errorf("the same import twice writes nothing, and the version went from %s to %s", version, got)
	}
	has("a bad row", ask(t, desk, "POST", importing(clock), file(2)+"mobile-bank,account,3,dcn-moon,dc-east,vm-1,vm3,10.1.9.9\n"), `line 4: there is no DCN \"dcn-moon\"`)
	clock.SetTime(clock.Now().Add(time.Hour))
	has("cut off", ask(t, desk, "POST", importing(clock), file(4)), "6 of 10 of retail-prod/mobile-bank; nothing was written")
	if got := stored().ResourceVersion; got != version {
		t.Error("what is held writes nothing")
	}
	has("confirmed", ask(t, desk, "POST", importing(clock, "gone", "6"), file(4)), `"updated":["retail-prod/mobile-bank.cmdb"]`)

	// The controller says whether it may be relied on, and the list does.
	tell := &controller.Machines{Hub: system, Clock: clock}
	for _, step := range []struct {
		after        time.Duration
		ready, reads string
	}{{0, "Current", `"doubts":[]`}, {24 * time.Hour, "Stale", `"automation":"Blocked"`}} {
		clock.SetTime(clock.Now().Add(step.after))
		m := stored()
		result, err := tell.Reconcile(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		if c := meta.FindStatusCondition(stored().Status.Conditions, "Ready"); c == nil || c.Reason != step.ready || stored().Status.Instances != 4 {
			t.Errorf("after %s: want %s, got %v", step.after, step.ready, c)
		}
		if (result.RequeueAfter > 0) != (step.ready == "Current") {
			t.Errorf("after %s it is looked at again in %s", step.after, result.RequeueAfter)
		}
		has("list", ask(t, desk, "GET", "/api/v1/placement/machines?namespace=retail-prod", ""), step.reads)
		version := stored().ResourceVersion
		if _, err := tell.Reconcile(t.Context(), stored()); err != nil || stored().ResourceVersion != version {
			t.Errorf("what stays as it is costs no write: %v", err)
		}
	}
	has("a page", ask(t, desk, "GET", "/api/v1/placement/machines?namespace=retail-prod&limit=3", ""), `"continue":"mobile-bank/account/3/cmdb"`)
	page := ask(t, desk, "GET", "/api/v1/placement/machines?namespace=retail-prod&limit=3&continue=mobile-bank/account/3/cmdb", "")
	if got := seatsOf(t, page); len(got) != 1 || got[0] != "account-4" {
		t.Errorf("the second page shows %v", got)
	}

	// The definition itself turns away what one object can show.
	for name, change := range map[string]func(m *placementv1.MachineImport){
		"another name":   func(m *placementv1.MachineImport) { m.Name = "x" },
		"the same twice": func(m *placementv1.MachineImport) { m.Spec.Instances = append(m.Spec.Instances, m.Spec.Instances[0]) },
		"seat 0":         func(m *placementv1.MachineImport) { m.Spec.Instances[0].Seat = 0 },
	} {
		m := stored()
		m.ResourceVersion, m.UID, m.Spec.Source, m.Name = "", "", "excel", "mobile-bank.excel"
		change(m)
		if err := system.Create(t.Context(), m); err == nil {
			t.Errorf("%s: the hub takes it", name)
		}
	}
	moved := stored()
	moved.Spec.Application = "other"
	if err := system.Update(t.Context(), moved); err == nil {
		t.Error("an import changes its application")
	}
}

// dying writes as a person does until its process is killed: after some writes none comes
// through any more.
type dying struct {
	client.Client
	left int
}

func (d *dying) write(dry bool) error {
	if dry {
		return nil
	}
	if d.left--; d.left < 0 {
		return errors.New("killed")
	}
	return nil
}

func (d *dying) Create(ctx context.Context, o client.Object, options ...client.CreateOption) error {
	var all client.CreateOptions
	all.ApplyOptions(options)
	if err := d.write(len(all.DryRun) > 0); err != nil {
		return err
	}
	return d.Client.Create(ctx, o, options...)
}

func (d *dying) Update(ctx context.Context, o client.Object, options ...client.UpdateOption) error {
	var all client.UpdateOptions
	all.ApplyOptions(options)
	if err := d.write(len(all.DryRun) > 0); err != nil {
		return err
	}
	return d.Client.Update(ctx, o, options...)
}

// TestABrokenImportGoesOn kills the server after each write of an import of three
// applications. Readers see each application wholly, and the same file again does what is
// left.
func TestABrokenImportGoesOn(t *testing.T) {
	desk, system, clock := bank(t)
	names := []string{"mobile-bank", "second-bank", "third-bank"}
	for _, name := range names[1:] {
		a := apptest.MobileBank()
		a.Name, a.Spec.Components = name, a.Spec.Components[1:2]
		a.Spec.Components[0].DependsOn, a.Spec.Exposure = nil, nil
		if err := system.Create(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := system.Delete(context.Background(), a); err != nil {
				t.Error(err)
			}
		})
	}
	of := func(n int) string {
		text := "application,component,seat,dcn,dataCenter,rack,host,address\n"
		for i, name := range names {
			for j := range n {
				text += fmt.Sprintf("%s,account,%d,dcn-east-1,dc-east,vm-1,vm%d-%d,10.1.%d.%d\n", name, j+1, i, j, i, j+1)
			}
		}
		return text
	}
	stored := func() map[string]string {
		t.Helper()
		var all placementv1.MachineImportList
		if err := system.List(t.Context(), &all, client.InNamespace("retail-prod")); err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, m := range all.Items {
			out[m.Spec.Application] = fmt.Sprintf("%d at %s", len(m.Spec.Instances), m.Spec.ObservedAt.UTC().Format(time.RFC3339))
		}
		return out
	}
	person, err := desk.As(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for killed := range len(names) + 1 {
		clock.SetTime(clock.Now().Add(time.Hour))
		old := fmt.Sprintf("10 at %s", clock.Now().UTC().Format(time.RFC3339))
		if answer := ask(t, desk, "POST", importing(clock), of(10)); !strings.Contains(answer, `"machines":30`) {
			t.Fatalf("before: %s", answer)
		}
		clock.SetTime(clock.Now().Add(time.Hour))
		now := fmt.Sprintf("4 at %s", clock.Now().UTC().Format(time.RFC3339))
		target := importing(clock, "gone", "18")
		broken := *desk
		broken.As = func(context.Context) (client.Client, error) { return &dying{Client: person, left: killed}, nil }
		answer := ask(t, &broken, "POST", target, of(4))
		if finished := strings.Contains(answer, `"machines":12`); finished != (killed == len(names)) {
			t.Errorf("killed after %d writes: %s", killed, answer)
		}
		count := map[string]int{}
		for _, is := range stored() {
			count[is]++
		}
		if count[now] != killed || count[old] != len(names)-killed {
			t.Errorf("killed after %d writes, each application is as before or as in the file: %v", killed, stored())
		}
		clock.SetTime(clock.Now().Add(time.Minute)) // the file keeps its age
		answer = ask(t, desk, "POST", target, of(4))
		if want := fmt.Sprintf(`"unchanged":%d`, killed); !strings.Contains(answer, want) || !strings.Contains(answer, `"machines":12`) {
			t.Errorf("killed after %d writes, the same file again: want %s, got %s", killed, want, answer)
		}
		for name, is := range stored() {
			if is != now {
				t.Errorf("killed after %d writes and gone on, %s has %s, want %s", killed, name, is, now)
			}
		}
	}
}

func seatsOf(t *testing.T, page string) []string {
	t.Helper()
	var list struct{ Items []struct{ Seat string } }
	if err := json.Unmarshal([]byte(page), &list); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, i := range list.Items {
		out = append(out, i.Seat)
	}
	return out
}

func TestImportIsRefused(t *testing.T) {
	desk, _, clock := bank(t)
	stranger := *desk
	stranger.Authority = readers{}
	blind := *desk
	blind.As = nil
	for name, c := range map[string]struct {
		desk   *server.Desk
		target string
		body   string
		want   string
	}{
		"a stranger":    {&stranger, importing(clock), file(1), "your roles do not allow"},
		"no hands":      {&blind, importing(clock), file(1), "could not import machines now"},
		"no age":        {desk, "/api/v1/placement/machines?namespace=retail-prod", file(1), "say when the source saw it so"},
		"odd source":    {desk, importing(clock, "source", "C M"), file(1), "could not read source"},
		"odd validity":  {desk, importing(clock, "validFor", "1s"), file(1), "could not read validFor"},
		"odd gone":      {desk, importing(clock, "gone", "-1"), file(1), "could not read gone"},
		"empty":         {desk, importing(clock), "\ufeff", "the file is empty"},
		"too large":     {desk, importing(clock), strings.Repeat("x", 4<<20+1), "too large"},
		"GBK":           {desk, importing(clock), file(1) + "\xcd\xf8\n", "it may be GBK"},
		"unknown query": {desk, importing(clock, "moon", "1"), file(1), "no such parameter"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ask(t, c.desk, "POST", c.target, c.body); !strings.Contains(got, c.want) {
				t.Errorf("want %q, got %s", c.want, got)
			}
		})
	}
}

// A Release places beside what runs on machines, and its Placement says so.
func TestPlacementCountsMachines(t *testing.T) {
	revision := placementtest.Revision(t, "mobile-bank", 5)
	now := apptest.Now
	m := &placementv1.MachineImport{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: "mobile-bank.cmdb"}, Spec: placementv1.MachineImportSpec{
		Application: "mobile-bank", Source: "cmdb", ObservedAt: metav1.NewTime(now.Add(-25 * time.Hour)),
	}}
	for i := range int32(3) {
		m.Spec.Instances = append(m.Spec.Instances, placementv1.MachineInstance{Component: "account", Seat: i + 1, DCN: "dcn-east-1", DataCenter: "dc-east", Rack: "vm-1", Host: "h", Address: "10.1.0.1"})
	}
	memory := placementtest.Hub(t).WithObjects(revision, m).Build()
	placer := &controller.Placer{Hub: memory, Direct: memory, Clock: clocktesting.NewFakePassiveClock(now)}
	made := placementtest.Run(t, placer, releasetest.New("r1", revision.Name, func(r *releasev1.Release) { r.Spec.Application = "mobile-bank" }), revision)
	var seats []int32
	for _, a := range made.Spec.Assignments {
		seats = append(seats, a.Seats...)
	}
	if len(seats) != 2 || seats[0] != 1000 {
		t.Errorf("five are asked for and three on machines: want seats 1000 and 1001, got %v", seats)
	}
	said := fmt.Sprint(made.Spec.Reasons)
	for _, want := range []string{"3 of 5 on virtual machines: 3 in rack dc-east/vm-1", "source cmdb has not confirmed it for 24h"} {
		if !strings.Contains(said, want) {
			t.Errorf("the placement does not say %q: %s", want, said)
		}
	}
	// Nobody can hold two minds about a number: a second source, or a container's number.
	other := m.DeepCopy()
	other.Name, other.Spec.Source, other.Spec.ObservedAt = "mobile-bank.excel", "excel", metav1.NewTime(now)
	other.Spec.Instances[0].Seat = 1000
	known := observed.Machines([]placementv1.MachineImport{*m, *other}, []placementv1.Placement{*made}, now)
	for _, k := range known {
		if k.Stale == "" {
			t.Errorf("%+v is in no doubt", k)
		}
	}
	if len(known) != 4 {
		t.Errorf("each number counts once: %v", known)
	}
}
