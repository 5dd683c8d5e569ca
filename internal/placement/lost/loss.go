// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package lost

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// mostWait is how long something that comes and goes is waited for at most, unless policy waits
// longer for it the first time already.
const mostWait = 2 * time.Hour

// Loss is a place of one environment that is away.
type Loss struct {
	Environment string
	Kind        placementv1.LostKind
	// Name of it; a rack's is "<data centre>/<rack>".
	Name string
	// Since is when it went away.
	Since time.Time
	// Due is when it counts as lost.
	Due time.Time
	// Times that it went away lately.
	Times int
	// Lost says that it is due.
	Lost bool
}

func (l Loss) String() string {
	return fmt.Sprintf("%s %s", word(l.Kind), l.Name)
}

func word(k placementv1.LostKind) string {
	switch k {
	case placementv1.LostRack:
		return "rack"
	case placementv1.LostCluster:
		return "cluster"
	}
	return "data centre"
}

// losses are the places that are away, by environment, kind and name. Of a data centre that
// is away its clusters are not named again, nor of a cluster its racks.
func losses(s Seen, now time.Time) []Loss {
	var out []Loss
	site := map[string]string{}
	answering := map[string]bool{}
	for _, c := range s.Clusters {
		site[c.Name] = c.DataCenter
		answering[c.DataCenter] = answering[c.DataCenter] || !c.Away || c.Broken
	}
	for _, environment := range environments(s) {
		policy := s.policy(environment)
		add := func(kind placementv1.LostKind, name string, since time.Time, times int, after time.Duration) {
			i := slices.IndexFunc(out, func(l Loss) bool { return l.Environment == environment && l.Kind == kind && l.Name == name })
			if i >= 0 {
				// All of it is away only since the last part went.
				if since.After(out[i].Since) {
					out[i].Since = since
				}
				out[i].Times = max(out[i].Times, times)
			} else {
				i, out = len(out), append(out, Loss{Environment: environment, Kind: kind, Name: name, Since: since, Times: times})
			}
			out[i].Due = out[i].Since.Add(backedOff(after, out[i].Times))
			out[i].Lost = !now.Before(out[i].Due)
		}
		for _, c := range s.Clusters {
			switch {
			case c.Environment != environment || !c.Away || c.Broken:
			case answering[c.DataCenter]:
				add(placementv1.LostCluster, c.Name, c.Since, c.Times, policy.Cluster)
			default:
				add(placementv1.LostDataCenter, c.DataCenter, c.Since, c.Times, policy.DataCenter)
			}
		}
		for _, r := range s.Racks {
			i := slices.IndexFunc(s.Clusters, func(c Cluster) bool { return c.Name == r.Cluster })
			if i < 0 || s.Clusters[i].Environment != environment || s.Clusters[i].Away || !r.Away || offers(s.Fleet, site, site[r.Cluster], r.Name) {
				continue
			}
			add(placementv1.LostRack, site[r.Cluster]+"/"+r.Name, r.Since, r.Times, policy.Rack)
		}
	}
	slices.SortFunc(out, func(a, b Loss) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// backedOff is how long to wait for something that went away so many times lately: twice
// as long each time.
func backedOff(after time.Duration, times int) time.Duration {
	if times < 2 {
		return after
	}
	most := max(after, mostWait)
	for ; times > 1 && after < most; times-- {
		after *= 2
	}
	return min(after, most)
}

// offers reports whether any pool has a host that is ready in a rack of a site.
func offers(s placement.Snapshot, site map[string]string, dataCenter, rack string) bool {
	for _, p := range s.Pools {
		for _, r := range p.Racks {
			if r.Name == rack && site[r.Cluster] == dataCenter && len(r.Hosts) > 0 {
				return true
			}
		}
	}
	return false
}

func environments(s Seen) []string {
	var out []string
	for _, c := range s.Clusters {
		if !slices.Contains(out, c.Environment) {
			out = append(out, c.Environment)
		}
	}
	slices.Sort(out)
	return out
}

func (s Seen) policy(environment string) Policy {
	if p, ok := s.Policies[environment]; ok {
		return p
	}
	return PolicyOf(placementv1.PolicyBuiltIn, nil)
}

// gone is what is lost in one environment, as cells know it.
type gone struct {
	losses []Loss
	site   map[string]string
}

// of is the loss that took a cell; nil: none did.
func (g gone) of(c placement.Cell) *Loss {
	for i, l := range g.losses {
		if l.Kind == placementv1.LostDataCenter && g.site[c.Cluster] == l.Name ||
			l.Kind == placementv1.LostCluster && c.Cluster == l.Name ||
			l.Kind == placementv1.LostRack && g.site[c.Cluster]+"/"+c.Rack == l.Name {
			return &g.losses[i]
		}
	}
	return nil
}

// Took reports whether places that were lost are where a cell lies; site is the data centre of
// its cluster.
func Took(places []placementv1.LostPlace, c placement.Cell, site string) bool {
	g := gone{site: map[string]string{c.Cluster: site}}
	for _, p := range places {
		g.losses = append(g.losses, Loss{Kind: p.Kind, Name: p.Name})
	}
	return g.of(c) != nil
}

// sites that are lost.
func (g gone) sites() map[string]bool {
	out := map[string]bool{}
	for _, l := range g.losses {
		if l.Kind == placementv1.LostDataCenter {
			out[l.Name] = true
		}
	}
	return out
}
