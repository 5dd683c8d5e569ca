// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
)

func TestCheck(t *testing.T) {
	set := func(component string, change func(*appv1.Component)) func(*appv1.Application, *app.World) {
		return func(a *appv1.Application, _ *app.World) { apptest.With(component, change)(a) }
	}
	spec := func(change func(*appv1.ApplicationSpec)) func(*appv1.Application, *app.World) {
		return func(a *appv1.Application, _ *app.World) { change(&a.Spec) }
	}
	cases := map[string]struct {
		reason string
		change func(*appv1.Application, *app.World)
		// want are "severity rule component", and a piece of the first message.
		want    []string
		message string
	}{
		"Good":        {"the example application may go live", func(*appv1.Application, *app.World) {}, nil, ""},
		"NoProbes":    {"missing probes are told one by one", set("account", func(c *appv1.Component) { c.Probes = nil }), []string{"Error MissingProbe account", "Error MissingProbe account"}, "add probes.readiness"},
		"NoLogs":      {"undeclared logs are told", set("account", func(c *appv1.Component) { c.Logs = nil }), []string{"Error UndeclaredLogs account"}, "add logs"},
		"NoResources": {"a component without a size is told", set("account", func(c *appv1.Component) { c.Resources = nil }), []string{"Error NoResources account"}, "give resources.class"},
		"NoTag":       {"an image without a tag is told", set("account", func(c *appv1.Component) { c.Image = "registry.bank:5000/account" }), []string{"Error FloatingTag account"}, "no tag"},
		"Latest":      {"a floating tag is told", set("account", func(c *appv1.Component) { c.Image = "registry.bank:5000/account:latest" }), []string{"Error FloatingTag account"}, `"latest"`},
		"Digest":      {"a digest is as good as a version", set("account", func(c *appv1.Component) { c.Image = "registry.bank:5000/account@" + apptest.Digest("1") }), nil, ""},
		"Root":        {"root is told", set("account", func(c *appv1.Component) { c.User = &appv1.User{UID: ptr.To[int64](0)} }), []string{"Error RootUser account"}, "runs as root"},
		"RootImage": {"an image that runs as root is told", func(a *appv1.Application, w *app.World) {
			apptest.With("account", func(c *appv1.Component) { c.User = nil; w.Images[c.Image] = app.ImageFacts{User: ""} })(a)
		}, []string{"Error RootUser account"}, "USER"},
		"NamedUser": {"a user by name cannot be told from root", func(a *appv1.Application, w *app.World) {
			apptest.With("account", func(c *appv1.Component) { c.User = nil; w.Images[c.Image] = app.ImageFacts{User: "app:app"} })(a)
		}, []string{"Error RootUser account"}, "by word"},
		"NumericUser": {"a numeric user in the image is good", func(a *appv1.Application, w *app.World) {
			apptest.With("account", func(c *appv1.Component) { c.User = nil; w.Images[c.Image] = app.ImageFacts{User: "65532:65532"} })(a)
		}, nil, ""},
		"Single": {"one instance in the highest class is told", set("account", func(c *appv1.Component) { c.Instances[1].Count = 1 }), []string{"Error TooFewInstances account"}, `one instance in DCN "dcn-west-1"`},
		"SingleInB": {"one instance in a lower class is allowed", func(a *appv1.Application, _ *app.World) {
			a.Spec.AvailabilityClass = "class-b"
			apptest.With("account", func(c *appv1.Component) { c.Instances[1].Count = 1 })(a)
		}, nil, ""},
		"OneSite":   {"one data centre in a class of two is told", set("account", func(c *appv1.Component) { c.Instances = c.Instances[:1] }), []string{"Error TooFewDataCenters account"}, "2 data centres"},
		"Flow":      {"a flow that no zone allows is told", set("channel", func(c *appv1.Component) { c.DependsOn = []appv1.Dependency{{Component: "ledger", Port: "http"}} }), []string{"Error ForbiddenFlow channel"}, `from zone "dmz"`},
		"FlowPort":  {"a flow to another port than the zone allows is told", set("account", func(c *appv1.Component) { c.Ports[0].Port = 9090 }), []string{"Error ForbiddenFlow channel"}, "port 9090"},
		"ZoneLevel": {"a level that its zone refuses is told", set("account", func(c *appv1.Component) { c.SecurityLevel = "level-2" }), []string{"Error ZoneLevel account", "Error PoolLevel account"}, "does not accept"},
		"PoolLevel": {"a level that no pool of the tenant carries is told", set("channel", func(c *appv1.Component) { c.SecurityLevel = "level-2" }), []string{"Error PoolLevel channel"}, "no pool of tenant"},
		"OtherPool": {"a pool of another tenant is told", spec(func(s *appv1.ApplicationSpec) {
			s.Placement = &appv1.PlacementWishes{Pools: []string{"cards-business"}}
		}), []string{"Error PoolLevel "}, "another tenant"},
		"NoZone": {"a zone that does not exist is told once", set("account", func(c *appv1.Component) { c.Zone = "moon"; c.DependsOn = nil }), []string{"Error UnknownReference account", "Error ForbiddenFlow channel"}, `zone "moon"`},
		"NoDCN":  {"a DCN that does not exist is told", set("account", func(c *appv1.Component) { c.Instances[0].DCN = "dcn-x" }), []string{"Error UnknownReference account", "Error TooFewDataCenters account"}, `DCN "dcn-x"`},
		"NoPort": {"a probe of a port that does not exist is told", set("account", func(c *appv1.Component) { c.Probes.Liveness.HTTP.Port = "admin" }), []string{"Error UnknownReference account"}, `port "admin"`},
		"Network": {"a binding's network must be one", spec(func(s *appv1.ApplicationSpec) {
			s.Bindings = []appv1.Binding{{Name: "db", Kind: appv1.BindingDatabase, Networks: []string{"10.0.0.0/99"}, Zone: "database", Port: 1}}
		}), []string{"Error InvalidValue "}, "not an IP network"},
		"Cron":   {"a schedule must be readable", set("account", func(c *appv1.Component) { c.Schedule = &appv1.Schedule{Cron: "61 * * * *"} }), []string{"Error InvalidValue account"}, "cannot be read"},
		"Mounts": {"two things in one place are told", set("account", func(c *appv1.Component) { c.Secrets = []appv1.SecretMount{{Name: "x", MountPath: "/etc/account/"}} }), []string{"Error InvalidValue account"}, "mount one of them elsewhere"},
		"Proc": {"the system's own places are refused", set("account", func(c *appv1.Component) {
			c.Volumes = []appv1.Volume{{Name: "x", Kind: appv1.VolumeEphemeral, MountPath: "/proc/x", Size: ptr.To(resource.MustParse("1Mi"))}}
		}), []string{"Error InvalidValue account"}, "belongs to the system"},
		"Limit":      {"a limit below what is asked for is told", set("account", func(c *appv1.Component) { c.Resources.CPULimit = ptr.To(resource.MustParse("1m")) }), []string{"Error InvalidValue account"}, "a limit is smaller"},
		"Overcommit": {"memory beyond what is reserved is a warning even in production", set("account", func(c *appv1.Component) { c.Resources.MemoryLimit = ptr.To(resource.MustParse("4Gi")) }), []string{"Warning Overcommit account"}, "make them equal"},
		"Heap":       {"a heap that does not follow the limit is told", set("account", func(c *appv1.Component) { c.JVM = &appv1.JVM{Options: []string{"-Xmx4g"}} }), []string{"Error Sizing account"}, "heapPercent"},
		"Metaspace": {"a JVM that cannot fit is told", set("account", func(c *appv1.Component) {
			c.JVM = &appv1.JVM{HeapPercent: 80, MaxMetaspace: ptr.To(resource.MustParse("256Mi"))}
		}), []string{"Error Sizing account"}, "too little for threads"},
		"ClearSecret": {"a secret in the clear is told", set("account", func(c *appv1.Component) { c.Env = []appv1.EnvVar{{Name: "DB_PASSWORD", Value: ptr.To("x")}} }), []string{"Error SecretInEnv account"}, "env[].secret"},
		"LogInTmp":    {"logs in /tmp are told", set("account", func(c *appv1.Component) { c.Logs = []appv1.Log{{Name: "x", Source: appv1.LogFile, Path: "/tmp/x.log"}} }), []string{"Error LogPath account"}, "not kept"},
		"ExpiredWaive": {"an expired exception is told", func(_ *appv1.Application, w *app.World) {
			w.Levels[1].Exceptions = []app.Exception{{Name: "old", Rule: app.RunAsNonRoot, Tenant: "retail", Application: "mobile-bank", Component: "account", ExpiresAt: apptest.Now.Add(-time.Hour)}}
		}, []string{"Error ExpiredException account"}, "has expired"},
		"TestClass": {"in a test environment the same is a warning", func(a *appv1.Application, w *app.World) {
			w.EnvironmentClass = app.Test
			apptest.With("account", func(c *appv1.Component) { c.Logs = nil })(a)
		}, []string{"Warning UndeclaredLogs account"}, ""},
		"TestZone": {"in a test environment a refused level stays an error", func(a *appv1.Application, w *app.World) { w.EnvironmentClass = app.Test; w.Zones[1].Accepts = nil }, []string{"Error ZoneLevel account"}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a, w := apptest.MobileBank(), apptest.Bank()
			tc.change(a, &w)
			found := app.Check(a, w)
			var got []string
			for _, f := range found {
				got = append(got, string(f.Severity)+" "+f.Rule+" "+f.Component)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s\n%+v", tc.reason, diff, found)
			}
			if tc.message != "" && (len(found) == 0 || !strings.Contains(found[0].Message, tc.message)) {
				t.Errorf("%s: message of %+v lacks %q", tc.reason, found, tc.message)
			}
			errors := slices.ContainsFunc(tc.want, func(s string) bool { return strings.HasPrefix(s, "Error") })
			if app.Blocks(found) != errors {
				t.Errorf("Blocks() = %v for %+v", app.Blocks(found), found)
			}
		})
	}
}

func TestCheckEverythingIsGood(t *testing.T) {
	w := apptest.Bank()
	for _, f := range app.Check(apptest.Everything(), w) {
		if f.Rule != "TooFewDataCenters" {
			t.Errorf("%+v", f)
		}
	}
}
