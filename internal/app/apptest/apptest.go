// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package apptest builds applications and the world around them for tests: the example
// application mobile-bank of tenant retail, and the bank it lives in.
package apptest

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
)

// Now is the time of the test world.
var Now = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// Digest is a digest that ends in the given hex digit.
func Digest(digit string) string { return "sha256:" + strings.Repeat("0", 63) + digit }

// Option changes an application.
type Option func(*appv1.Application)

// With changes one component.
func With(component string, change func(*appv1.Component)) Option {
	return func(a *appv1.Application) {
		for i := range a.Spec.Components {
			if string(a.Spec.Components[i].Name) == component {
				change(&a.Spec.Components[i])
				return
			}
		}
		panic("no component " + component)
	}
}

// Images maps every image of an application to a digest made of its name.
func Images(a *appv1.Application) map[string]string {
	out := map[string]string{}
	for _, c := range a.Spec.Components {
		sum := 0
		for _, b := range []byte(c.Image) {
			sum = sum*31 + int(b)
		}
		out[c.Image] = Digest(string("0123456789abcdef"[sum&15]))
	}
	return out
}

// Bank is the world of retail in production: three zones, two levels, two classes.
func Bank() app.World {
	hardening := []app.Rule{
		app.RunAsNonRoot, app.ReadOnlyRootFilesystem, app.NoPrivilegeEscalation, app.DropAllCapabilities,
		app.SeccompDefault, app.NoHostNamespaces, app.NoServiceAccountToken,
	}
	return app.World{
		Now: Now, Tenant: "retail", Environment: "prod", EnvironmentClass: app.Production,
		Levels: []app.Level{
			{Name: "level-2", Rank: 20, Hardening: hardening, PodSecurity: "restricted"},
			{Name: "level-3", Rank: 30, Hardening: hardening, PodSecurity: "restricted"},
		},
		Classes: []app.Class{
			{Name: "class-b", Rank: 10, MinimumInstances: 1, MinimumDataCenters: 1, UnreachableSeconds: 60},
			{Name: "class-a", Rank: 20, MinimumInstances: 2, MinimumDataCenters: 2, UnreachableSeconds: 30},
		},
		Zones: []app.Zone{
			{Name: "dmz", Accepts: []string{"level-2", "level-3"}, Flows: []app.Flow{{To: "business", Ports: []int32{8080}}}},
			{Name: "business", Accepts: []string{"level-3"}, Flows: []app.Flow{{To: "core", Ports: []int32{8080}}, {To: "database"}}},
			{Name: "core", Accepts: []string{"level-3"}, Flows: []app.Flow{{To: "database", Ports: []int32{1521}}}},
			{Name: "database", Accepts: []string{"level-3"}},
		},
		Pools: []app.Pool{
			{Name: "retail-dmz", Tenants: []string{"retail"}, Level: "level-3", Zones: []string{"dmz"}},
			{Name: "retail-business", Tenants: []string{"retail"}, Level: "level-3", Zones: []string{"business"}},
			{Name: "retail-core", Tenants: []string{"retail"}, Level: "level-3", Zones: []string{"core"}},
			{Name: "cards-business", Tenants: []string{"cards"}, Level: "level-3", Zones: []string{"business"}},
		},
		DCNs: []app.DCN{
			{Name: "dcn-east-1", DataCenter: "dc-east", Environment: "prod"},
			{Name: "dcn-west-1", DataCenter: "dc-west", Environment: "prod"},
		},
		Sites:  []app.Site{{Name: "dc-east", City: "Shanghai"}, {Name: "dc-west", City: "Shanghai"}, {Name: "dc-remote", City: "Hefei"}},
		Images: map[string]app.ImageFacts{},
	}
}

// MobileBank is the example application: channel (dmz) calls account (business) calls ledger
// (core, with identity and a shared volume).
func MobileBank(options ...Option) *appv1.Application {
	both := func(n int32) []appv1.InstanceCount {
		return []appv1.InstanceCount{{DCN: "dcn-east-1", Count: n}, {DCN: "dcn-west-1", Count: n}}
	}
	component := func(name, zone string, n int32) appv1.Component {
		return appv1.Component{
			Name: appv1.ComponentName(name), Image: "registry.bank:5000/mobile-bank/" + name + ":1.0", Zone: zone,
			Instances: both(n), Resources: &appv1.Resources{Class: appv1.SizeXSmall},
			Ports: []appv1.Port{{Name: "http", Port: 8080}},
			User:  &appv1.User{UID: ptr.To[int64](65532), GID: ptr.To[int64](65532)},
			Probes: &appv1.Probes{
				Readiness: &appv1.Probe{HTTP: &appv1.HTTPProbe{Port: "http", Path: "/readyz"}, PeriodSeconds: 2},
				Liveness:  &appv1.Probe{HTTP: &appv1.HTTPProbe{Port: "http", Path: "/healthz"}},
			},
			Shutdown: &appv1.Shutdown{DrainSeconds: ptr.To[int32](5), GraceSeconds: ptr.To[int32](20)},
			Logs:     []appv1.Log{{Name: "stdout"}},
		}
	}
	channel, account, ledger := component("channel", "dmz", 2), component("account", "business", 2), component("ledger", "core", 2)
	channel.DependsOn = []appv1.Dependency{{Component: "account", Port: "http"}}
	account.DependsOn = []appv1.Dependency{{Component: "ledger", Port: "http"}}
	account.Configuration = []appv1.ConfigurationSet{{
		Name: "limits", MountPath: "/etc/account", Reload: appv1.ReloadHot,
		Files: []appv1.ConfigurationFile{{Name: "limits.json", Content: "{\"dailyLimit\": 50000}\n"}},
	}}
	ledger.Kind = appv1.KindStateful
	ledger.Volumes = []appv1.Volume{{Name: "journal", Kind: appv1.VolumeShared, Size: ptr.To(resource.MustParse("1Gi")), MountPath: "/var/lib/ledger"}}
	a := &appv1.Application{
		TypeMeta:   metav1.TypeMeta{APIVersion: appv1.GroupVersion.String(), Kind: "Application"},
		ObjectMeta: metav1.ObjectMeta{Name: "mobile-bank", Namespace: "retail-prod"},
		Spec: appv1.ApplicationSpec{
			Identity:      appv1.Identity{System: "MB", Code: "MB-001", DisplayName: "手机银行", Owner: "team-mobile"},
			SecurityLevel: "level-3", AvailabilityClass: "class-a",
			Components: []appv1.Component{channel, account, ledger},
			Exposure:   []appv1.Exposure{{Name: "web", Component: "channel", Port: "http", Layer: appv1.LayerL4, NodePort: ptr.To[int32](30080)}},
		},
	}
	for _, o := range options {
		o(a)
	}
	return a
}

// Everything is mobile-bank with a use of every part of the model: Java, configuration of
// both kinds, secrets, volumes of every kind, autoscaling, a job, a nightly run, bindings.
func Everything() *appv1.Application {
	a := MobileBank(
		With("channel", func(c *appv1.Component) {
			c.Autoscaling = &appv1.Autoscaling{Min: 2, Max: 6, Speed: appv1.SpeedFast, Metrics: []appv1.ScalingMetric{{Kind: appv1.MetricCPU, Percent: 60}}}
			c.Probes.Startup = &appv1.Probe{TCP: &appv1.TCPProbe{Port: "http"}, PeriodSeconds: 5, FailureThreshold: 24}
			c.Volumes = []appv1.Volume{
				{Name: "cache", Kind: appv1.VolumeLocal, Size: ptr.To(resource.MustParse("2Gi")), MountPath: "/var/cache/channel", Data: appv1.DataRegenerable},
				{Name: "scratch", Kind: appv1.VolumeEphemeral, Size: ptr.To(resource.MustParse("64Mi")), MountPath: "/scratch", Medium: appv1.MediumMemory},
			}
		}),
		With("account", func(c *appv1.Component) {
			c.JVM = &appv1.JVM{HeapPercent: 60, MaxMetaspace: ptr.To(resource.MustParse("128Mi")), Options: []string{"-XX:+UseG1GC"}}
			c.Resources = &appv1.Resources{Class: appv1.SizeSmall, EphemeralStorage: ptr.To(resource.MustParse("1Gi"))}
			c.Env = []appv1.EnvVar{
				{Name: "GREETING", Value: ptr.To("hello $(POD_IP)")},
				{Name: "SIGNING_KEY", Secret: &appv1.SecretKey{Name: "signing", Key: "key"}},
			}
			c.Configuration = append(c.Configuration, appv1.ConfigurationSet{
				Name: "rules", MountPath: "/etc/rules", Files: []appv1.ConfigurationFile{{Name: "rules.yaml", Content: "fee: 0.1\n"}},
			})
			c.Secrets = []appv1.SecretMount{{Name: "tls", MountPath: "/etc/tls"}}
			c.Logs = append(c.Logs, appv1.Log{Name: "trade", Source: appv1.LogFile, Path: "/var/log/account/trade.log", Format: appv1.LogText})
			c.DependsOn = append(c.DependsOn, appv1.Dependency{Binding: "customer-db"})
			c.Shutdown.DrainCommand = []string{"/bin/sleep", "5"}
			c.MaxPerHost = ptr.To[int32](1)
			c.DNS = &appv1.DNS{Searches: []string{"bank.internal"}, Hosts: []appv1.HostAlias{{IP: "10.9.0.7", Names: []string{"hsm"}}}}
		}),
		With("ledger", func(c *appv1.Component) {
			c.Volumes = append(c.Volumes, appv1.Volume{Name: "index", Kind: appv1.VolumeBlock, Size: ptr.To(resource.MustParse("5Gi")), MountPath: "/var/lib/index"})
			c.UnreachableSeconds = ptr.To[int64](120)
		}),
	)
	a.Spec.Bindings = []appv1.Binding{{
		Name: "customer-db", Kind: appv1.BindingDatabase, Address: "customer.db.bank", Networks: []string{"10.8.0.0/28"},
		Port: 1521, Scheme: "oracle", Zone: "database", Secret: "customer-db",
	}}
	batch := func(name string, kind appv1.ComponentKind) appv1.Component {
		return appv1.Component{
			Name: appv1.ComponentName(name), Kind: kind, Image: "registry.bank:5000/mobile-bank/batch:1.0", Zone: "core",
			Instances: []appv1.InstanceCount{{DCN: "dcn-east-1", Count: 1}}, Resources: &appv1.Resources{Class: appv1.SizeXSmall},
			User: &appv1.User{UID: ptr.To[int64](65532)}, Logs: []appv1.Log{{Name: "stdout"}},
			Job: &appv1.JobBounds{Retries: ptr.To[int32](1), DeadlineSeconds: ptr.To[int64](3600)},
		}
	}
	migrate, nightly := batch("migrate", appv1.KindJob), batch("nightly", appv1.KindCron)
	nightly.Schedule = &appv1.Schedule{Cron: "30 1 * * *"}
	a.Spec.Components = append(a.Spec.Components, migrate, nightly)
	a.Spec.PullSecret = "registry"
	return a
}

// East is the rendering input of an application for member east-1 of data centre dc-east:
// each component in the one cell of its pool.
func East(content app.Content) app.Input {
	in := app.Input{
		Content: content, Cluster: "east-1", DataCenter: "dc-east", Zones: Bank().Zones,
		StorageClasses: map[appv1.VolumeKind]string{appv1.VolumeLocal: "local", appv1.VolumeShared: "shared", appv1.VolumeBlock: "block"},
		DNSNetworks:    []string{"10.96.0.10/32"},
		Allowances:     []app.Allowance{{Name: "monitoring", From: []string{"10.200.0.0/24"}, Ports: []int32{8080}}, {Name: "bastion", From: []string{"10.201.0.1/32"}}},
	}
	rack := map[string]string{"dmz": "east-a", "business": "east-a", "core": "east-b"}
	for _, c := range content.Spec.Components {
		for _, n := range c.Instances {
			if n.DCN != "dcn-east-1" || n.Count == 0 {
				continue
			}
			a := app.Assignment{Component: c.Name, Cell: placementv1.Cell{
				Cluster: "east-1", Pool: "retail-" + c.Zone, Zone: c.Zone, Rack: rack[c.Zone], DCN: n.DCN,
			}}
			if c.Kind == appv1.KindStateful {
				a.Block = 1000
			}
			if c.Autoscaling != nil {
				a.Share = &app.Share{Min: c.Autoscaling.Min, Max: c.Autoscaling.Max}
			}
			in.Assignments = append(in.Assignments, a)
		}
	}
	return in
}
