// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

func freeze(t testing.TB, a *appv1.Application, w app.World) app.Frozen {
	t.Helper()
	frozen, err := app.Freeze(a, apptest.Images(a), w)
	if err != nil {
		t.Fatal(err)
	}
	return frozen
}

// TestTemplateDigest says what restarts instances and what does not.
func TestTemplateDigest(t *testing.T) {
	set := func(change func(*appv1.Component)) func(*appv1.Application, *app.World) {
		return func(a *appv1.Application, _ *app.World) { apptest.With("account", change)(a) }
	}
	cases := map[string]struct {
		reason string
		change func(*appv1.Application, *app.World)
		want   []string
	}{
		"Image":       {"another image restarts its component only", set(func(c *appv1.Component) { c.Image = "registry.bank:5000/mobile-bank/account:2.0" }), []string{"account"}},
		"Scale":       {"a count restarts nothing", set(func(c *appv1.Component) { c.Instances[0].Count = 9 }), nil},
		"Zone":        {"a zone moves cells; the template stays", set(func(c *appv1.Component) { c.Zone = "core" }), nil},
		"DisplayName": {"a name that people read restarts nothing", set(func(c *appv1.Component) { c.DisplayName = "账户" }), nil},
		"Resize":      {"another size restarts", set(func(c *appv1.Component) { c.Resources.Class = appv1.SizeLarge }), []string{"account"}},
		"SameSize": {"the same size in other words restarts nothing", set(func(c *appv1.Component) {
			c.Resources = &appv1.Resources{CPU: ptr.To(resource.MustParse("0.5")), Memory: ptr.To(resource.MustParse("1024Mi")), EphemeralStorage: ptr.To(resource.MustParse("1Gi"))}
		}), nil},
		"HotFile":     {"a file that is reloaded hot restarts nothing", set(func(c *appv1.Component) { c.Configuration[0].Files[0].Content = "{}" }), nil},
		"RestartFile": {"a file that is not restarts", set(func(c *appv1.Component) { c.Configuration[1].Files[0].Content = "fee: 0.2\n" }), []string{"account"}},
		"Schedule": {"another schedule restarts nothing", func(a *appv1.Application, _ *app.World) {
			apptest.With("nightly", func(c *appv1.Component) { c.Schedule.Cron = "0 3 * * *" })(a)
		}, nil},
		"Owner":    {"another owner restarts nothing", func(a *appv1.Application, _ *app.World) { a.Spec.Identity.Owner = "team-x" }, nil},
		"Exposure": {"exposure restarts nothing", func(a *appv1.Application, _ *app.World) { a.Spec.Exposure = nil }, nil},
		"Port": {"a port restarts its component and those that call it", func(a *appv1.Application, _ *app.World) {
			apptest.With("ledger", func(c *appv1.Component) { c.Ports[0].Port = 9090 })(a)
		}, []string{"account", "ledger"}},
		"Binding":   {"another address of a database restarts who uses it", func(a *appv1.Application, _ *app.World) { a.Spec.Bindings[0].Address = "other.db.bank" }, []string{"account"}},
		"Networks":  {"other networks open the network and restart nothing", func(a *appv1.Application, _ *app.World) { a.Spec.Bindings[0].Networks = []string{"10.8.1.0/28"} }, nil},
		"Secret":    {"a new version of a Secret restarts who uses it", func(_ *appv1.Application, w *app.World) { w.SecretVersions = map[string]string{"tls": "4"} }, []string{"account"}},
		"Hardening": {"another rule restarts all", func(_ *appv1.Application, w *app.World) { w.Levels[1].Hardening = w.Levels[1].Hardening[1:] }, []string{"account", "channel", "ledger", "migrate", "nightly"}},
		"Rank":      {"another rank restarts nothing", func(_ *appv1.Application, w *app.World) { w.Levels[1].Rank = 31 }, nil},
		"NewDCN":    {"another DCN restarts nothing", set(func(c *appv1.Component) { c.Instances = c.Instances[:1] }), nil},
		"Autoscaler": {"other bounds restart nothing", func(a *appv1.Application, _ *app.World) {
			apptest.With("channel", func(c *appv1.Component) { c.Autoscaling.Max = 9 })(a)
		}, nil},
	}
	before := freeze(t, apptest.Everything(), apptest.Bank())
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a, w := apptest.Everything(), apptest.Bank()
			tc.change(a, &w)
			after := freeze(t, a, w)
			if after.Digest == before.Digest && name != "SameSize" {
				t.Errorf("%s: the change is not part of the revision", name)
			}
			if diff := cmp.Diff(tc.want, app.Restarting(before.Content, after.Content)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// TestSameTemplateSamePod holds the digest to what it promises: where it is the same, the
// rendered pods are the same, to the byte.
func TestSameTemplateSamePod(t *testing.T) {
	served := published(t, "v1.36.3").served
	pods := func(f app.Frozen, limit fleetv1.DiskIOLimit) map[string]string {
		in := apptest.East(f.Content)
		in.DiskIO = limit
		out, err := app.Render(in, served)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, w := range out.Workloads {
			o := w.Objects[len(w.Objects)-1].Object
			spec := o["spec"].(map[string]any)
			if w.Kind == "CronJob" {
				spec = spec["jobTemplate"].(map[string]any)["spec"].(map[string]any)
			}
			text, err := canonical.JSON(spec["template"])
			if err != nil {
				t.Fatal(err)
			}
			all[w.Component+" "+w.Template+" "+w.Cell.Key()] = text
		}
		return all
	}
	before := pods(freeze(t, apptest.Everything(), apptest.Bank()), "")
	rapid.Check(t, func(rt *rapid.T) {
		a := apptest.Everything()
		mutate(rt, a)
		w := apptest.Bank()
		told(&w, rapid.SampledFrom([][]string{nil, {"amd64"}, {"amd64", "arm64"}}).Draw(rt, "processors")...)
		frozen, err := app.Freeze(a, apptest.Images(a), w)
		if err != nil {
			rt.Fatal(err)
		}
		limit := rapid.SampledFrom([]fleetv1.DiskIOLimit{"", fleetv1.DiskIOBlockIO}).Draw(rt, "limit")
		for key, pod := range pods(frozen, limit) {
			if was, ok := before[key]; ok && was != pod {
				rt.Fatalf("%s has the same template and another pod:\n%s", key, cmp.Diff(was, pod))
			}
			before[key] = pod
		}
	})
}

// mutate changes something of one component, or of the application.
func mutate(t *rapid.T, a *appv1.Application) {
	names := []string{"account", "channel", "ledger", "migrate", "nightly"}
	apptest.With(rapid.SampledFrom(names).Draw(t, "component"), func(c *appv1.Component) {
		switch rapid.IntRange(0, 13).Draw(t, "what") {
		case 0:
			c.Image = fmt.Sprintf("registry.bank/x:%d", rapid.IntRange(1, 99).Draw(t, "tag"))
		case 1:
			c.Instances[0].Count = rapid.Int32Range(0, 20).Draw(t, "count")
		case 2:
			c.Args = rapid.SliceOfN(rapid.StringMatching("[a-z]{1,5}"), 0, 3).Draw(t, "args")
		case 3:
			c.Env = append(c.Env, appv1.EnvVar{Name: "X", Value: ptr.To(rapid.String().Draw(t, "value"))})
		case 4:
			c.DisplayName = rapid.String().Draw(t, "name")
		case 5:
			c.UnreachableSeconds = ptr.To(rapid.Int64Range(0, 600).Draw(t, "seconds"))
		case 6:
			c.MaxPerHost = ptr.To(rapid.Int32Range(1, 4).Draw(t, "most"))
		case 7:
			c.Shutdown = &appv1.Shutdown{DrainSeconds: ptr.To(rapid.Int32Range(0, 60).Draw(t, "drain"))}
		case 8:
			c.Logs = []appv1.Log{{Name: "f", Source: appv1.LogFile, Path: rapid.SampledFrom([]string{"/var/log/a/x.log", "/var/log/b/x.log"}).Draw(t, "path")}}
		case 9:
			c.DNS = &appv1.DNS{Record: "x.bank", Searches: rapid.SampledFrom([][]string{nil, {"bank"}}).Draw(t, "searches")}
		case 10:
			c.Probes = nil
		case 13:
			c.Resources.DiskIO = rapid.SampledFrom([]appv1.DiskIOClass{"", appv1.DiskIOLow, appv1.DiskIOHigh}).Draw(t, "disk")
		case 11:
			c.Job = &appv1.JobBounds{Completions: rapid.Int32Range(1, 3).Draw(t, "completions")}
		case 12:
			for i := range c.Configuration {
				c.Configuration[i].Files[0].Content = rapid.String().Draw(t, "content")
			}
		}
	})(a)
}

func TestFreezeProperties(t *testing.T) {
	before := freeze(t, apptest.Everything(), apptest.Bank())
	rapid.Check(t, func(rt *rapid.T) {
		a := apptest.Everything()
		mutate(rt, a)
		images := apptest.Images(a)
		one, err := app.Freeze(a, images, apptest.Bank())
		if err != nil {
			rt.Fatal(err)
		}
		// The order of lists that have keys means nothing.
		shuffled := a.DeepCopy()
		shuffled.Spec.Components = rapid.Permutation(a.Spec.Components).Draw(rt, "order")
		two, err := app.Freeze(shuffled, images, apptest.Bank())
		if err != nil {
			rt.Fatal(err)
		}
		if one.Text != two.Text || one.Digest != two.Digest {
			rt.Fatalf("the same application gives two contents:\n%s", cmp.Diff(one.Text, two.Text))
		}
		if err := canonical.Verify(one.Text, one.Digest); err != nil {
			rt.Fatal(err)
		}
		parsed, err := app.Parse(one.Text)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(one.Content, parsed); diff != "" {
			rt.Fatalf("what is parsed is not what was frozen (-frozen +parsed):\n%s", diff)
		}
		if got := app.Restarting(before.Content, one.Content); len(got) > 1 {
			rt.Fatalf("a change to one component restarts %q", got)
		}
	})
}

func TestFreezeRefuses(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*appv1.Application, map[string]string)
		want   string
	}{
		"NoDigest": {"an image that was not resolved is refused", func(a *appv1.Application, images map[string]string) { delete(images, a.Spec.Components[0].Image) }, "has no digest"},
		"OtherDigest": {"an image that names its digest keeps it", func(a *appv1.Application, images map[string]string) {
			a.Spec.Components[0].Image = "r/x@" + apptest.Digest("1")
			images[a.Spec.Components[0].Image] = apptest.Digest("2")
		}, "another digest"},
		"Level":      {"a level that does not exist is refused", func(a *appv1.Application, _ map[string]string) { a.Spec.SecurityLevel = "level-9" }, `security level "level-9" does not exist`},
		"Class":      {"a class that does not exist is refused", func(a *appv1.Application, _ map[string]string) { a.Spec.AvailabilityClass = "gold" }, `availability class "gold" does not exist`},
		"Dependency": {"a dependency on nothing is refused", func(a *appv1.Application, _ map[string]string) { a.Spec.Components[0].DependsOn[0].Component = "gone" }, "does not exist"},
		"Twice":      {"two components of one name are refused", func(a *appv1.Application, _ map[string]string) { a.Spec.Components[1].Name = "channel" }, "twice"},
		"Large": {"more files than a Revision holds are refused", func(a *appv1.Application, _ map[string]string) {
			for i := range a.Spec.Components {
				a.Spec.Components[i].Configuration = []appv1.ConfigurationSet{{Name: "x", MountPath: "/x", Files: []appv1.ConfigurationFile{{Name: "x", Content: strings.Repeat("x", 200<<10)}}}}
			}
		}, "content too large"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := apptest.MobileBank()
			images := apptest.Images(a)
			tc.change(a, images)
			if _, err := app.Freeze(a, images, apptest.Bank()); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: Freeze() = %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}

func TestExceptions(t *testing.T) {
	exception := func(change func(*app.Exception)) app.World {
		w := apptest.Bank()
		e := app.Exception{
			Name: "old-agent", Rule: app.ReadOnlyRootFilesystem, Tenant: "retail", Application: "mobile-bank", Component: "account",
			Reason: "the agent writes beside itself", Approver: "p-77", ExpiresAt: apptest.Now.Add(time.Hour),
		}
		change(&e)
		w.Levels[1].Exceptions = []app.Exception{e}
		return w
	}
	cases := map[string]struct {
		reason string
		world  app.World
		want   []string // components that the rule holds for
	}{
		"Waived":  {"an exception waives its rule for its component only", exception(func(*app.Exception) {}), []string{"channel", "ledger"}},
		"Expired": {"an expired exception waives nothing", exception(func(e *app.Exception) { e.ExpiresAt = apptest.Now }), []string{"account", "channel", "ledger"}},
		"Other":   {"an exception of another application waives nothing", exception(func(e *app.Exception) { e.Application = "x" }), []string{"account", "channel", "ledger"}},
		"Tenant":  {"an exception of another tenant waives nothing", exception(func(e *app.Exception) { e.Tenant = "cards" }), []string{"account", "channel", "ledger"}},
		"All":     {"an exception without a component holds for all", exception(func(e *app.Exception) { e.Component = "" }), nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, c := range freeze(t, apptest.MobileBank(), tc.world).Content.Components {
				for _, rule := range c.Rules() {
					if rule == app.ReadOnlyRootFilesystem {
						got = append(got, string(c.Name))
					}
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	frozen := freeze(t, apptest.MobileBank(), apptest.Bank())
	revision := func(change func(*appv1.RevisionSpec)) *appv1.Revision {
		r := &appv1.Revision{Spec: appv1.RevisionSpec{Application: "mobile-bank", Content: frozen.Text, Digest: frozen.Digest}}
		change(&r.Spec)
		return r
	}
	later := strings.Replace(frozen.Text, `"format":1`, `"format":2`, 1)
	unknown := strings.Replace(frozen.Text, `"format":1`, `"format":1,"future":1`, 1)
	cases := map[string]struct {
		reason, want string
		revision     *appv1.Revision
	}{
		"Good":    {"an untouched revision opens", "", revision(func(*appv1.RevisionSpec) {})},
		"Altered": {"an altered content is refused", "altered", revision(func(s *appv1.RevisionSpec) { s.Content = strings.Replace(s.Content, ":1.0", ":1.1", 1) + " " })},
		"Other":   {"the content of another application is refused", "its content of", revision(func(s *appv1.RevisionSpec) { s.Application = "other" })},
		"Later":   {"a format that is not known is refused", "not known here", revision(func(s *appv1.RevisionSpec) { s.Content, s.Digest = later, canonical.Digest(later) })},
		"Unknown": {"a field that is not known is refused, not carried out in part", "later version", revision(func(s *appv1.RevisionSpec) { s.Content, s.Digest = unknown, canonical.Digest(unknown) })},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := app.Open(tc.revision)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: Open() = %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	a := apptest.Everything()
	frozen, err := app.Freeze(a, apptest.Images(a), apptest.Bank())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frozen.Text)
	f.Add(`{"format":1,"renderer":1,"spec":{"components":[{"name":"a"}]},"components":[{"name":"a"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		content, err := app.Parse(text)
		if err != nil {
			return
		}
		// What can be read can be compared and rendered without a panic.
		if _, err := app.Diff(content, frozen.Content); err != nil {
			t.Fatal(err)
		}
		_, _ = app.Render(apptest.East(content), app.Served{Version: "v1.36.3"})
	})
}
