// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"fmt"
	"slices"
	"strings"
)

// to brings hosts to a rack, and says which they are.
func (a Addition) to(s *Snapshot) (string, error) {
	if a.Count < 1 || a.Count > 5000 {
		return "", fmt.Errorf("could not add %d hosts to pool %q: give a number from 1 to 5,000", a.Count, a.Pool)
	}
	cluster, ok := find(s.Clusters, func(c Cluster) bool { return c.Name == a.Cluster })
	if !ok {
		return "", fmt.Errorf("could not add hosts to cluster %q: the fleet does not know it", a.Cluster)
	}
	i := slices.IndexFunc(s.Pools, func(p Pool) bool { return p.Name == a.Pool })
	if i < 0 {
		return "", fmt.Errorf("could not add hosts to pool %q: the fleet does not know it", a.Pool)
	}
	if err := a.stands(*s, cluster.DataCenter); err != nil {
		return "", err
	}
	p := &s.Pools[i]
	like, why, err := a.like(*p)
	if err != nil {
		return "", err
	}
	j := slices.IndexFunc(p.Racks, func(r Rack) bool { return r.Cluster == a.Cluster && r.Name == a.Rack })
	if j < 0 {
		p.Racks = append(p.Racks, Rack{Cluster: a.Cluster, Name: a.Rack})
		j = len(p.Racks) - 1
	}
	r := &p.Racks[j]
	r.Hosts = slices.Clone(r.Hosts)
	first := len(r.Hosts)
	for n := range a.Count {
		r.Hosts = append(r.Hosts, Host{Name: fmt.Sprintf("what-if-%s-%s-%d", a.Cluster, a.Rack, first+n), Room: like.Room, Arch: like.Arch})
	}
	hosts := "1 host comes"
	if a.Count > 1 {
		hosts = fmt.Sprintf("%d hosts come", a.Count)
	}
	rack := "rack"
	if a.NewRack {
		rack = "the new rack"
	}
	return fmt.Sprintf("%s to pool %s on %s %s of cluster %s, with %s each, %s%s", hosts, a.Pool, rack, a.Rack, a.Cluster,
		Amount{CPU: like.Room.CPU, Memory: like.Room.Memory}.words(), archOf(like.Arch).words(), why), nil
}

// stands refuses a rack that nobody knows, unless it is meant to be new, and a new one that is
// there.
func (a Addition) stands(s Snapshot, site string) error {
	if a.Rack == "" || strings.Contains(a.Rack, "/") {
		return fmt.Errorf("could not add hosts to rack %q: give the rack's own name", a.Rack)
	}
	siteOf := map[string]string{}
	for _, c := range s.Clusters {
		siteOf[c.Name] = c.DataCenter
	}
	var here, elsewhere []string
	for _, d := range s.DataCenters {
		for rack := range d.Racks {
			if d.Name == site {
				here = append(here, rack)
			} else if rack == a.Rack {
				elsewhere = append(elsewhere, d.Name)
			}
		}
	}
	for _, p := range s.Pools {
		for _, r := range p.Racks {
			if siteOf[r.Cluster] == site {
				here = append(here, r.Name)
			} else if r.Name == a.Rack {
				elsewhere = append(elsewhere, siteOf[r.Cluster])
			}
		}
	}
	slices.Sort(here)
	here = slices.Compact(here)
	known := slices.Contains(here, a.Rack)
	switch {
	case known && a.NewRack:
		return fmt.Errorf("could not add hosts to a new rack %q of cluster %q: data centre %s has that rack; leave out that it is new", a.Rack, a.Cluster, site)
	case known || a.NewRack:
		return nil
	}
	told := fmt.Sprintf("data centre %s lists no such rack", site)
	if len(elsewhere) > 0 {
		slices.Sort(elsewhere)
		told = fmt.Sprintf("the cluster is in data centre %s, the rack in %s", site, strings.Join(slices.Compact(elsewhere), ", "))
	}
	there := "it has none"
	if len(here) > 0 {
		there = "it has " + strings.Join(fewOf(here, mostNamed), ", ")
	}
	return fmt.Errorf("could not add hosts to rack %q of cluster %q: %s (%s): name one of these, or say that the rack is new (rackIs: New, or \",new\" after the number)", a.Rack, a.Cluster, told, there)
}

// like is what each host is; why says where its processor comes from if nobody gave it.
func (a Addition) like(p Pool) (like Host, why string, err error) {
	if a.Arch != "" && archOf(a.Arch) == unknownArch {
		return like, "", fmt.Errorf("could not add hosts of processor %q to pool %q: it is amd64, arm64 or loong64", a.Arch, a.Pool)
	}
	var archs []string
	for _, r := range p.Racks {
		for _, h := range r.Hosts {
			if r.Cluster != a.Cluster {
				continue
			}
			if h.Room.CPU > like.Room.CPU || like.Room == (Amount{}) {
				like = Host{Room: h.Room, Arch: h.Arch}
			}
			if !slices.Contains(archs, h.Arch) {
				archs = append(archs, h.Arch)
			}
		}
	}
	slices.Sort(archs)
	if a.Room == (Amount{}) {
		if like.Room == (Amount{}) {
			return like, "", fmt.Errorf("could not add hosts to pool %q in cluster %q: it has none there to take the size from: say it", a.Pool, a.Cluster)
		}
		if a.Arch != "" {
			like.Arch = a.Arch
			return like, ", as large as its largest host there", nil
		}
		return like, ", as its largest host there", nil
	}
	if a.Room.CPU <= 0 || a.Room.Memory <= 0 || a.Room.Instances <= 0 || !a.Room.Within(mostSane) {
		return like, "", fmt.Errorf("could not add hosts to pool %q: no host is believed to have less than nothing, or more than 100,000 cores, 1 PiB of memory and 100,000 instances", a.Pool)
	}
	like = Host{Room: a.Room, Arch: a.Arch}
	switch {
	case a.Arch != "":
	case len(archs) == 1 && archOf(archs[0]) != unknownArch:
		like.Arch, why = archs[0], ", as its hosts there"
	case len(archs) == 0:
		like.Arch, why = "amd64", ", since it has none there to take the processor from"
	default:
		like.Arch, why = "amd64", ", since its hosts there are not alike"
	}
	return like, why, nil
}
