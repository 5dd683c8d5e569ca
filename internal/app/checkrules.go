// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/robfig/cron/v3"
	"k8s.io/apimachinery/pkg/api/resource"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
)

// checkValues refuses values that the schema cannot judge.
func checkValues(c *checking, found func(component, format string, args ...any)) {
	for _, b := range c.spec.Bindings {
		for _, n := range b.Networks {
			if _, err := netip.ParsePrefix(n); err != nil {
				found("", "binding %q: %q is not an IP network; write it like 10.8.0.0/28", b.Name, n)
			}
		}
	}
	for _, e := range c.spec.Exposure {
		for _, n := range e.Sources {
			if _, err := netip.ParsePrefix(n); err != nil {
				found(string(e.Component), "exposure %q: %q is not an IP network; write it like 10.8.0.0/28", e.Name, n)
			}
		}
	}
	for _, comp := range c.spec.Components {
		name := string(comp.Name)
		if comp.Schedule != nil {
			checkCron(name, string(comp.Schedule.Cron), found)
		}
		if comp.Autoscaling != nil {
			for _, s := range comp.Autoscaling.Schedules {
				checkCron(name, string(s.Cron), found)
			}
		}
		if comp.Resources != nil {
			if size, ok := SizeOf(comp.Resources); ok {
				if size.CPU.Sign() <= 0 || size.Memory.Sign() <= 0 {
					found(name, "resources ask for %s CPU and %s memory; both must be more than nothing", size.CPU.String(), size.Memory.String())
				}
				if size.CPULimit.Cmp(size.CPU) < 0 || size.MemoryLimit.Cmp(size.Memory) < 0 {
					found(name, "a limit is smaller than what is asked for; raise cpuLimit or memoryLimit, or leave them out")
				}
			}
		}
		for _, v := range comp.Volumes {
			if v.Size != nil && v.Size.Sign() <= 0 {
				found(name, "volume %q has size %s; it must be more than nothing", v.Name, v.Size)
			}
		}
		checkMountPaths(comp, found)
		checkDNS(comp, found)
	}
}

func checkCron(component, line string, found func(component, format string, args ...any)) {
	if strings.Contains(line, "TZ=") {
		found(component, "schedule %q names a time zone; write it in timeZone", line)
	} else if _, err := cron.ParseStandard(line); err != nil {
		found(component, "schedule %q cannot be read: %v; write five cron fields such as \"0 2 * * *\"", line, err)
	}
}

func checkMountPaths(comp appv1.Component, found func(component, format string, args ...any)) {
	seen := map[string]string{instanceFolder: "the instance's own labels"}
	use := func(at, what string) {
		at = path.Clean(at)
		if other, ok := seen[at]; ok {
			found(string(comp.Name), "%s is used for %s and for %s; mount one of them elsewhere", at, other, what)
		}
		seen[at] = what
		for _, system := range []string{"/proc", "/sys", "/dev", "/etc/fairway"} {
			if at == system || strings.HasPrefix(at, system+"/") {
				found(string(comp.Name), "%s for %s belongs to the system; mount it elsewhere", at, what)
			}
		}
	}
	for _, s := range comp.Configuration {
		use(s.MountPath, "configuration "+s.Name)
	}
	for _, s := range comp.Secrets {
		use(s.MountPath, "secret "+s.Name)
	}
	for _, v := range comp.Volumes {
		use(v.MountPath, "volume "+v.Name)
	}
}

func checkDNS(comp appv1.Component, found func(component, format string, args ...any)) {
	if comp.DNS == nil {
		return
	}
	for _, s := range comp.DNS.Servers {
		if _, err := netip.ParseAddr(s); err != nil {
			found(string(comp.Name), "dns.servers: %q is not an IP address", s)
		}
	}
	for _, h := range comp.DNS.Hosts {
		if _, err := netip.ParseAddr(h.IP); err != nil {
			found(string(comp.Name), "dns.hosts: %q is not an IP address", h.IP)
		}
	}
}

func checkProbes(c *checking, found func(component, format string, args ...any)) {
	for _, comp := range c.spec.Components {
		if !runsForever(comp) {
			continue
		}
		if comp.Probes == nil || comp.Probes.Readiness == nil {
			found(string(comp.Name), "there is no readiness probe, so traffic would reach instances that are not ready; add probes.readiness")
		}
		if comp.Probes == nil || comp.Probes.Liveness == nil {
			found(string(comp.Name), "there is no liveness probe, so an instance that hangs would stay; add probes.liveness")
		}
	}
}

func checkResources(c *checking, found func(component, format string, args ...any)) {
	for _, comp := range c.spec.Components {
		if _, ok := SizeOf(comp.Resources); !ok {
			found(string(comp.Name), "no size is given, so its neighbours would not be safe from it; give resources.class, or cpu and memory")
		}
	}
}

var versionLike = regexp.MustCompile(`[0-9]`)

func checkTags(c *checking, found func(component, format string, args ...any)) {
	for _, comp := range c.spec.Components {
		if strings.Contains(comp.Image, "@sha256:") {
			continue
		}
		tag := strings.TrimPrefix(strings.TrimPrefix(comp.Image, Repository(comp.Image)), ":")
		switch {
		case tag == "":
			found(string(comp.Name), "image %q has no tag, which means the newest; name a version or a digest", comp.Image)
		case !versionLike.MatchString(tag):
			found(string(comp.Name), "image %q has the floating tag %q, which may mean another image tomorrow; name a version or a digest", comp.Image, tag)
		}
	}
}

func checkRoot(c *checking, found func(component, format string, args ...any)) {
	for _, comp := range c.spec.Components {
		if comp.User != nil && comp.User.UID != nil {
			if *comp.User.UID == 0 {
				found(string(comp.Name), "it runs as root (user.uid 0); give another uid")
			}
			continue
		}
		facts, known := c.world.Images[comp.Image]
		if !known {
			continue
		}
		user, _, _ := strings.Cut(facts.User, ":")
		if user == "" || user == "root" || user == "0" {
			found(string(comp.Name), "image %q runs as root; set USER in the image or user.uid in the component", comp.Image)
		} else if strings.Trim(user, "0123456789") != "" {
			found(string(comp.Name), "image %q names its user %q by word, which a host cannot tell from root; set a number in the image or user.uid in the component", comp.Image, user)
		}
	}
}

func checkLogs(c *checking, found func(component, format string, args ...any)) {
	for _, comp := range c.spec.Components {
		if len(comp.Logs) == 0 {
			found(string(comp.Name), "no logs are declared, so none would be collected; add logs, for example {name: stdout, source: Stdout}")
		}
	}
}

func checkLogPaths(c *checking, found func(component, format string, args ...any)) {
	for _, comp := range c.spec.Components {
		for _, l := range comp.Logs {
			if l.Source != appv1.LogFile {
				continue
			}
			at := path.Clean(l.Path)
			if at == "/tmp" || strings.HasPrefix(at, "/tmp/") || strings.HasPrefix(at, "/proc/") || strings.HasPrefix(at, "/dev/") || strings.HasPrefix(at, "/sys/") {
				found(string(comp.Name), "log %q lies in %s, which is not kept; write it below /var/log or into a volume", l.Name, path.Dir(at))
			}
			for _, s := range comp.Configuration {
				if path.Clean(s.MountPath) == path.Dir(at) {
					found(string(comp.Name), "log %q lies in %s, which holds configuration and cannot be written; write it elsewhere", l.Name, path.Dir(at))
				}
			}
		}
	}
}

func checkInstances(c *checking, found func(component, format string, args ...any)) {
	class, ok := c.world.class(c.spec.AvailabilityClass)
	if !ok {
		return // said already
	}
	highest := !slices.ContainsFunc(c.world.Classes, func(other Class) bool { return other.Rank > class.Rank }) && len(c.world.Classes) > 1
	for _, comp := range c.spec.Components {
		if comp.Kind != appv1.KindService {
			continue
		}
		for _, n := range comp.Instances {
			count := n.Count
			if comp.Autoscaling != nil {
				count = comp.Autoscaling.Min
			}
			switch {
			case n.Count == 0:
			case count == 1 && highest:
				found(string(comp.Name), "one instance in DCN %q is not enough for %q, the highest availability class; run at least %d", n.DCN, class.Name, max(2, class.MinimumInstances))
			case count < class.MinimumInstances:
				found(string(comp.Name), "availability class %q asks for at least %d instances in each DCN, and DCN %q has %d; raise instances", class.Name, class.MinimumInstances, n.DCN, count)
			}
		}
	}
}

func checkDataCenters(c *checking, found func(component, format string, args ...any)) {
	class, ok := c.world.class(c.spec.AvailabilityClass)
	if !ok {
		return // said already
	}
	for _, comp := range c.spec.Components {
		if !runsForever(comp) {
			continue
		}
		sites := map[string]bool{}
		for _, n := range comp.Instances {
			if dcn, ok := c.world.dcn(n.DCN); ok && n.Count > 0 {
				sites[dcn.DataCenter] = true
			}
		}
		if len(sites) > 0 && len(sites) < int(class.MinimumDataCenters) {
			found(string(comp.Name), "availability class %q asks for %d data centres, and its DCNs lie in %d; add instances in a DCN of another data centre", class.Name, class.MinimumDataCenters, len(sites))
		}
	}
}

// heapOptions say the heap's size in a way that does not follow the limit.
var heapOptions = regexp.MustCompile(`^-(Xmx|Xms|XX:MaxRAM|XX:MaxHeapSize|XX:InitialRAM|XX:MinRAM)`)

func checkSizing(c *checking, found func(component, format string, args ...any)) {
	for _, comp := range c.spec.Components {
		size, sized := SizeOf(comp.Resources)
		for _, e := range comp.Env {
			if comp.JVM != nil && slices.Contains([]string{"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"}, e.Name) {
				found(string(comp.Name), "%s would compete with jvm; write its options in jvm.options", e.Name)
			}
		}
		if comp.JVM == nil {
			continue
		}
		for _, o := range comp.JVM.Options {
			if heapOptions.MatchString(o) {
				found(string(comp.Name), "JVM option %q fixes the heap, which then does not follow the memory limit; remove it and set jvm.heapPercent", o)
			}
		}
		if !sized {
			continue // said already
		}
		limit := size.MemoryLimit.Value()
		need := limit / 100 * int64(comp.JVM.HeapPercent)
		for _, q := range []*resource.Quantity{comp.JVM.MaxMetaspace, comp.JVM.MaxDirectMemory} {
			if q != nil {
				need += q.Value()
			}
		}
		if need > limit/100*95 {
			found(string(comp.Name), "heap, metaspace and direct memory together may take %d MiB of %d MiB and leave too little for threads; lower jvm.heapPercent or raise memory", need>>20, limit>>20)
		}
	}
}

func checkOvercommit(c *checking, found func(component, format string, args ...any)) {
	for _, comp := range c.spec.Components {
		if size, ok := SizeOf(comp.Resources); ok && size.MemoryLimit.Cmp(size.Memory) > 0 {
			found(string(comp.Name), "memoryLimit is above memory, so an instance may be ended when its host is full; make them equal where that must not happen")
		}
	}
}

var secretName = regexp.MustCompile(`(?i)(password|passwd|secret|token|credential|private_?key|api_?key)$`)

func checkSecretsInEnv(c *checking, found func(component, format string, args ...any)) {
	for _, comp := range c.spec.Components {
		for _, e := range comp.Env {
			if e.Value != nil && *e.Value != "" && secretName.MatchString(e.Name) {
				found(string(comp.Name), "env %q looks like a secret written in the clear, where many may read it; put it into a Secret and use env[].secret", e.Name)
			}
		}
	}
}

func checkExceptions(c *checking, found func(component, format string, args ...any)) {
	for _, comp := range c.spec.Components {
		level, ok := c.world.level(c.levelOf(comp))
		if !ok {
			continue // said already
		}
		for _, e := range level.Exceptions {
			fits := e.Tenant == c.world.Tenant && e.Application == c.name && (e.Component == "" || e.Component == string(comp.Name))
			if fits && !c.world.Now.Before(e.ExpiresAt) {
				found(string(comp.Name), "exception %q from rule %s has expired, so the rule holds again; make the component obey it or have the exception renewed", e.Name, e.Rule)
			}
		}
	}
}
