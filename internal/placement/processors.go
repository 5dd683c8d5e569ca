// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// knownArchs are the processors that images and hosts are told apart by (R10).
var knownArchs = []struct {
	name string
	set  archs
}{{"amd64", 1}, {"arm64", 2}, {"loong64", 4}}

func (a archs) words() string {
	for _, k := range knownArchs {
		if a == k.set {
			return k.name
		}
	}
	return "of an unknown processor"
}

// byArch counts the hosts, one number for each processor: those that may take what runs on
// these, or those that may not.
func (h hosts) byArch(on archs, may bool) (total int64, words string) {
	counts := map[archs]int64{}
	var order []archs
	for _, c := range h.classes {
		if on.onto(c.arch) != may || c.count <= 0 {
			continue
		}
		if counts[c.arch] == 0 {
			order = append(order, c.arch)
		}
		counts[c.arch] += c.count
		total += c.count
	}
	slices.SortFunc(order, func(a, b archs) int { return cmp.Compare(a, b) })
	parts := make([]string, len(order))
	for i, a := range order {
		parts[i] = a.words()
		if len(order) > 1 {
			parts[i] = fmt.Sprintf("%d %s", counts[a], parts[i])
		}
	}
	return total, list(parts)
}

// idle says why an open room has no host for an image.
func (r *room) idle(archs []string) (rule, why string) {
	n, words := r.hosts.byArch(archsOf(archs), false)
	if n == 0 {
		return "HostsReady", fmt.Sprintf("no host of pool %s on rack %s of cluster %s is ready", r.pool, r.rack, r.cluster)
	}
	return "Processor", fmt.Sprintf("the image runs on %s; the %s of pool %s on rack %s of cluster %s %s", sorted(archs), theHosts(n), r.pool, r.rack, r.cluster, are(n, words))
}

func theHosts(n int64) string {
	if n == 1 {
		return "host"
	}
	return fmt.Sprintf("%d hosts", n)
}

func are(n int64, words string) string {
	if n == 1 {
		return "is " + words
	}
	return "are " + words
}

// wouldDo says which hosts would take what no processor of an open room does.
func wouldDo(rule string, c *Component) string {
	if rule != "Processor" {
		return ""
	}
	return fmt.Sprintf(": hosts of %s would do, or an image for the processors that are there", sorted(c.Archs))
}

// others says which of some hosts an image cannot use, when it can use some.
func (h hosts) others(c *Component) string {
	on := archsOf(c.Archs)
	if n, words := h.byArch(on, false); n > 0 {
		usable, _ := h.byArch(on, true)
		return fmt.Sprintf("; of its %d hosts %d cannot take it: the image runs on %s, and they are %s", n+usable, n, sorted(c.Archs), words)
	}
	return ""
}

// processors says, of the rooms that are open, which hosts an image leaves aside, and where
// an image that does not say what it runs on may meet several kinds.
func (k *look) processors() {
	on := archsOf(k.component.Archs)
	var aside []string
	var all hosts
	for i := range k.spots {
		r := k.spots[i].room
		all.classes = append(all.classes, r.hosts.classes...)
		if n, words := r.hosts.byArch(on, false); n > 0 {
			aside = append(aside, fmt.Sprintf("the %s of pool %s on rack %s of cluster %s that %s", theHosts(n), r.pool, r.rack, r.cluster, are(n, words)))
		}
	}
	if more := len(aside) - mostCauses; more > 0 {
		aside = append(aside[:mostCauses], fmt.Sprintf("and those of %d racks more", more))
	}
	if len(aside) > 0 {
		k.say(k.component, k.dcn, "Processor", "the image runs on %s and leaves aside %s", sorted(k.component.Archs), strings.Join(aside, "; "))
	}
	if on == 0 && kinds(all) > 1 {
		n, words := all.byArch(0, true)
		k.say(k.component, k.dcn, "Processor", "the image does not say which processors it runs on, so it may come onto any of the %s: %s", theHosts(n), words)
	}
}

// kinds is how many processors hosts have.
func kinds(h hosts) int {
	var set archs
	for _, c := range h.classes {
		set |= c.arch
	}
	n := 0
	for ; set != 0; set &= set - 1 {
		n++
	}
	return n
}
