// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"

// defaulting says what to do with a field that has a default.
type defaulting int

const (
	fill  defaulting = iota // an empty field gets its default
	strip                   // a field that holds its default becomes empty
)

func def[T comparable](how defaulting, field *T, value T) {
	var empty T
	switch {
	case how == fill && *field == empty:
		*field = value
	case how == strip && *field == value:
		*field = empty
	}
}

func defPointer[T comparable](how defaulting, field **T, value T) {
	switch {
	case how == fill && *field == nil:
		*field = &value
	case how == strip && *field != nil && **field == value:
		*field = nil
	}
}

// defaults walks the fields that have a default. It is the only list of them besides the
// schema; a test holds the two together. The content of a Revision is without defaults, so
// that a later schema does not change the digest of an old intent.
func defaults(spec *appv1.ApplicationSpec, how defaulting) {
	def(how, &spec.ReleasePolicy, appv1.ReleaseManual)
	if spec.Placement != nil {
		for i := range spec.Placement.AntiAffinity {
			def(how, &spec.Placement.AntiAffinity[i].Scope, appv1.SpreadHost)
		}
	}
	for i := range spec.Bindings {
		def(how, &spec.Bindings[i].Protocol, appv1.ProtocolTCP)
		def(how, &spec.Bindings[i].Scheme, "tcp")
	}
	for i := range spec.Exposure {
		def(how, &spec.Exposure[i].Affinity, appv1.AffinityNone)
		def(how, &spec.Exposure[i].Balancing, appv1.BalanceRoundRobin)
	}
	for i := range spec.Components {
		componentDefaults(&spec.Components[i], how)
	}
}

func componentDefaults(c *appv1.Component, how defaulting) {
	def(how, &c.Kind, appv1.KindService)
	def(how, &c.FixedIP, appv1.FixedIPNone)
	if c.JVM != nil {
		def(how, &c.JVM.HeapPercent, 70)
		def(how, &c.JVM.OnOutOfMemory, appv1.OutOfMemoryExit)
	}
	for i := range c.Ports {
		def(how, &c.Ports[i].Protocol, appv1.ProtocolTCP)
		def(how, &c.Ports[i].Scheme, appv1.SchemeHTTP)
	}
	for i := range c.Configuration {
		def(how, &c.Configuration[i].Reload, appv1.ReloadRestart)
	}
	for i := range c.Volumes {
		def(how, &c.Volumes[i].Access, appv1.AccessReadWrite)
		def(how, &c.Volumes[i].Data, appv1.DataPrecious)
		def(how, &c.Volumes[i].Medium, appv1.MediumDisk)
	}
	if c.Probes != nil {
		for _, p := range []*appv1.Probe{c.Probes.Startup, c.Probes.Readiness, c.Probes.Liveness} {
			if p == nil {
				continue
			}
			def(how, &p.PeriodSeconds, 10)
			def(how, &p.TimeoutSeconds, 1)
			def(how, &p.FailureThreshold, 3)
			def(how, &p.SuccessThreshold, 1)
		}
	}
	if c.Shutdown != nil {
		defPointer(how, &c.Shutdown.DrainSeconds, 10)
		defPointer(how, &c.Shutdown.GraceSeconds, 30)
	}
	for i := range c.Logs {
		def(how, &c.Logs[i].Source, appv1.LogStdout)
		def(how, &c.Logs[i].Class, appv1.LogApplication)
		def(how, &c.Logs[i].Format, appv1.LogJSON)
	}
	if c.Autoscaling != nil {
		def(how, &c.Autoscaling.Speed, appv1.SpeedSteady)
		for i := range c.Autoscaling.Schedules {
			def(how, &c.Autoscaling.Schedules[i].TimeZone, "Asia/Shanghai")
		}
	}
	if c.Schedule != nil {
		def(how, &c.Schedule.TimeZone, "Asia/Shanghai")
		def(how, &c.Schedule.Overlap, appv1.OverlapSkip)
		def(how, &c.Schedule.LateSeconds, 300)
	}
	if c.Job != nil {
		def(how, &c.Job.Completions, 1)
		defPointer(how, &c.Job.Retries, 3)
	}
	for i := range c.DependsOn {
		def(how, &c.DependsOn[i].Reach, appv1.ReachSameDCN)
	}
}

// HasIdentity says whether the component's instances keep their seat, name and volumes when
// they are replaced; their seats are then the ordinals of a StatefulSet.
func HasIdentity(c appv1.Component) bool {
	return c.Kind == appv1.KindStateful || c.Identity == appv1.IdentityFixed || c.FixedIP == appv1.FixedIPPerSeat
}

// runsForever says whether a component is a Service or Stateful rather than a Job or Cron.
func runsForever(c appv1.Component) bool {
	return c.Kind != appv1.KindJob && c.Kind != appv1.KindCron
}
