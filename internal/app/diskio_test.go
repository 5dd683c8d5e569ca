// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
)

// ioBank is mobile-bank with a bound of disk IO on two of its components.
func ioBank() *appv1.Application {
	return apptest.MobileBank(
		apptest.With("account", func(c *appv1.Component) { c.Resources.DiskIO = appv1.DiskIOLow }),
		apptest.With("ledger", func(c *appv1.Component) { c.Resources.DiskIO = appv1.DiskIOHigh }),
	)
}

// TestDiskIOGolden keeps what members get whose hosts limit disk IO, and whose do not.
func TestDiskIOGolden(t *testing.T) {
	frozen := freeze(t, ioBank(), apptest.Bank())
	for limit, name := range map[fleetv1.DiskIOLimit]string{fleetv1.DiskIOBlockIO: "blockio", fleetv1.DiskIOCgroupV1: "cgroup-v1"} {
		for _, version := range []string{"v1.22.17", "v1.36.3"} {
			t.Run(name+" "+version, func(t *testing.T) {
				k8s := published(t, version)
				in := apptest.East(frozen.Content)
				in.DiskIO = limit
				out, err := app.Render(in, k8s.served)
				if err != nil {
					t.Fatal(err)
				}
				for _, o := range objects(out) {
					if err := k8s.validate(o); err != nil {
						t.Errorf("Kubernetes %s would not take %s %s: %v", version, o.GetKind(), o.GetName(), err)
					}
				}
				only := app.Output{Reasons: out.Reasons, Workloads: out.Workloads}
				golden(t, filepath.Join("testdata", "disk-io-"+name+"-"+version+".yaml"), narrate(t, only))
			})
		}
	}
}

// TestDiskIOTemplates holds the names of workloads to what their pods are: a member that
// comes to limit disk IO gets new workloads beside the old ones, others are left alone.
func TestDiskIOTemplates(t *testing.T) {
	served := published(t, "v1.36.3").served
	templates := func(a *appv1.Application, limit fleetv1.DiskIOLimit) map[string]string {
		in := apptest.East(freeze(t, a, apptest.Bank()).Content)
		in.DiskIO = limit
		out, err := app.Render(in, served)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, w := range out.Workloads {
			all[w.Component] = w.Template + " " + w.Name
		}
		return all
	}
	without, with, plain := templates(ioBank(), fleetv1.DiskIORuntimeWithout), templates(ioBank(), fleetv1.DiskIOBlockIO), templates(apptest.MobileBank(), fleetv1.DiskIOBlockIO)
	for component, changes := range map[string]bool{"account": true, "ledger": true, "channel": false} {
		if (with[component] != without[component]) != changes {
			t.Errorf("%s is %s where disk IO is limited, %s where it is not", component, with[component], without[component])
		}
		if (without[component] != plain[component]) != changes {
			t.Errorf("%s with a class is %s, without %s", component, without[component], plain[component])
		}
	}
	if !cmp.Equal(templates(ioBank(), ""), without) {
		t.Error("where nobody has said it, nothing is limited")
	}
}

func TestCheckDiskIO(t *testing.T) {
	w := apptest.Bank()
	w.Members = []app.Member{
		{Name: "east-1", DataCenter: "dc-east", Environment: "prod", DiskIO: fleetv1.DiskIOBlockIO},
		{Name: "east-2", DataCenter: "dc-east", Environment: "prod", DiskIO: fleetv1.DiskIOCgroupV1},
		{Name: "east-3", DataCenter: "dc-east", Environment: "uat", DiskIO: fleetv1.DiskIOCgroupV1},
		{Name: "west-1", DataCenter: "dc-west", Environment: "prod", DiskIO: fleetv1.DiskIORuntimeWithout},
		{Name: "west-2", DataCenter: "dc-west", Environment: "prod"},
		{Name: "north-1", DataCenter: "dc-north", Environment: "prod"},
	}
	a := apptest.MobileBank(apptest.With("account", func(c *appv1.Component) { c.Resources.DiskIO = appv1.DiskIOLow }))
	var got []string
	for _, f := range app.Check(a, w) {
		got = append(got, string(f.Severity)+" "+f.Rule+" "+f.Component+": "+f.Message)
	}
	const tail = "; its instances may be put there, and read and write without a bound"
	want := []string{
		`Warning DiskIONotLimited account: disk IO is not limited on cluster "east-2", since its hosts have cgroup v1` + tail,
		`Warning DiskIONotLimited account: disk IO is not limited on cluster "west-1", since the runtime of its hosts has no classes of disk IO` + tail,
		`Warning DiskIONotLimited account: disk IO is not limited on cluster "west-2", since nobody has said that its hosts do (spec.diskIO of the Cluster)` + tail,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("clusters that do not limit it are named, those that matter only (-want +got):\n%s", diff)
	}
	if found := app.Check(apptest.MobileBank(), w); len(found) != 0 {
		t.Errorf("who wishes for nothing is told nothing: %v", found)
	}
}

// TestDiskIOFileIsDocumented holds the manual to the classes.
func TestDiskIOFileIsDocumented(t *testing.T) {
	for _, page := range []string{"../../docs/howto/limit-disk-io.md", "../../docs/zh-CN/howto/limit-disk-io.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "```yaml\n"+app.DiskIOFile("/dev/sd[a-z]", "/dev/vd[a-z]")+"```\n") {
			t.Errorf("%s does not show what hosts have to be told:\n%s", page, app.DiskIOFile("/dev/sd[a-z]", "/dev/vd[a-z]"))
		}
	}
}
