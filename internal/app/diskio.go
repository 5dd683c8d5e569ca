// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"fmt"
	"slices"
	"strings"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// annotationDiskIO names a pod's class of disk IO to containerd (1.7 and newer) and CRI-O.
// A runtime without classes refuses the pod, so that it is set only where a Cluster says
// that its hosts have them.
const annotationDiskIO = "blockio.resources.beta.kubernetes.io/pod"

// DiskIO is what one instance of a class may read from and write to each disk of its host.
type DiskIO struct {
	Class appv1.DiskIOClass
	// BytesPerSecond and OperationsPerSecond bound reading and writing, each by itself.
	BytesPerSecond, OperationsPerSecond int64
}

// DiskIOClasses are the classes of disk IO (R53), the smallest first. What they mean is the
// same on every host of the bank; changing a number here changes what hosts have to be told.
func DiskIOClasses() []DiskIO {
	return []DiskIO{
		{appv1.DiskIOLow, 20 << 20, 500},
		{appv1.DiskIOMedium, 100 << 20, 2_500},
		{appv1.DiskIOHigh, 400 << 20, 10_000},
	}
}

// hostClass is what hosts call a class.
func hostClass(c appv1.DiskIOClass) string { return "fairway-" + strings.ToLower(string(c)) }

// DiskIOFile is what the hosts' runtime reads to know the classes (blockio_config_file of
// containerd and CRI-O), for these devices, for example "/dev/vd[a-z]".
func DiskIOFile(devices ...string) string {
	var b strings.Builder
	b.WriteString("Classes:\n")
	for _, c := range DiskIOClasses() {
		fmt.Fprintf(&b, "  %s:\n  - Devices:\n", hostClass(c.Class))
		for _, d := range devices {
			fmt.Fprintf(&b, "    - %s\n", d)
		}
		fmt.Fprintf(&b, "    ThrottleReadBps: %q\n    ThrottleWriteBps: %q\n", fmt.Sprint(c.BytesPerSecond), fmt.Sprint(c.BytesPerSecond))
		fmt.Fprintf(&b, "    ThrottleReadIOPS: %q\n    ThrottleWriteIOPS: %q\n", fmt.Sprint(c.OperationsPerSecond), fmt.Sprint(c.OperationsPerSecond))
	}
	return b.String()
}

// diskIOOf is the class that a component wishes; "" for none.
func diskIOOf(c appv1.Component) appv1.DiskIOClass {
	if c.Resources == nil {
		return ""
	}
	return c.Resources.DiskIO
}

// unlimited says why a member's hosts do not limit disk IO; "" where they do.
func unlimited(by fleetv1.DiskIOLimit) string {
	switch by {
	case fleetv1.DiskIOBlockIO:
		return ""
	case fleetv1.DiskIOCgroupV1:
		return "its hosts have cgroup v1"
	case fleetv1.DiskIORuntimeWithout:
		return "the runtime of its hosts has no classes of disk IO"
	}
	return "nobody has said that its hosts do (spec.diskIO of the Cluster)"
}

// bounded marks a component's pods with their class where the member limits disk IO. The
// template's digest then says so, too: where a Cluster comes to limit disk IO, the next
// Release puts new instances beside the old ones in its steps, as for any new template.
func (r *rendering) bounded(c *component) {
	class := diskIOOf(c.Component)
	if class == "" {
		return
	}
	if why := unlimited(r.in.DiskIO); why != "" {
		r.reason(string(c.Name), "", "resources.diskIO", Missing,
			"cluster %q does not limit disk IO, since %s; instances read and write without a bound there", r.in.Cluster, why)
		return
	}
	c.diskIO = hostClass(class)
	c.frozen.TemplateDigest = canonical.Digest(c.frozen.TemplateDigest + "\n" + annotationDiskIO + "=" + c.diskIO)
}

// checkDiskIO names the clusters on which a wished bound would not hold.
func checkDiskIO(c *checking, found func(component, format string, args ...any)) {
	for _, comp := range c.spec.Components {
		if diskIOOf(comp) == "" {
			continue
		}
		for _, m := range c.world.Members {
			why := unlimited(m.DiskIO)
			runs := slices.ContainsFunc(comp.Instances, func(n appv1.InstanceCount) bool {
				dcn, ok := c.world.dcn(n.DCN)
				return ok && n.Count > 0 && dcn.DataCenter == m.DataCenter
			})
			if why != "" && runs && m.Environment == c.world.Environment {
				found(string(comp.Name), "disk IO is not limited on cluster %q, since %s; its instances may be put there, and read and write without a bound", m.Name, why)
			}
		}
	}
}
