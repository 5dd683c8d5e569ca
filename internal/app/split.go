// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// mostPerDCN is what instances may count in one DCN.
const mostPerDCN = 5000

// share is one part of a Split with its own parts; a cluster has none, and a DCN may have none.
type share struct {
	// what is "region", "data centre", "DCN" or "cluster"; the whole has neither it nor a name.
	what, name      string
	weight, minimum int64
	parts           []*share
}

// sharesOf is a Split as a tree. The minimum of a part is at least what its own parts have
// together.
func sharesOf(s *appv1.Split) *share {
	whole := &share{}
	for _, r := range s.Regions {
		one := &share{what: "region", name: r.Region, weight: int64(r.Weight), minimum: int64(r.Minimum)}
		one.addSites(r.DataCenters)
		whole.parts = append(whole.parts, one)
	}
	whole.addSites(s.DataCenters)
	whole.addDCNs(s.DCNs)
	whole.raise()
	return whole
}

func (s *share) addSites(sites []appv1.DataCenterShare) {
	for _, d := range sites {
		one := &share{what: "data centre", name: d.DataCenter, weight: int64(d.Weight), minimum: int64(d.Minimum)}
		one.addDCNs(d.DCNs)
		s.parts = append(s.parts, one)
	}
}

func (s *share) addDCNs(dcns []appv1.DCNShare) {
	for _, d := range dcns {
		one := &share{what: "DCN", name: d.DCN, weight: int64(d.Weight), minimum: int64(d.Minimum)}
		for _, c := range d.Clusters {
			one.parts = append(one.parts, &share{what: "cluster", name: c.Cluster, weight: int64(c.Weight), minimum: int64(c.Minimum)})
		}
		s.parts = append(s.parts, one)
	}
}

func (s *share) raise() {
	var sum int64
	for _, p := range s.parts {
		p.raise()
		sum += p.minimum
	}
	s.minimum = max(s.minimum, sum)
}

// Counts are the exact counts of a Split, by name of the DCN and of the cluster. The error
// says what to change.
func Counts(s *appv1.Split) ([]appv1.InstanceCount, error) {
	counts := map[string]appv1.InstanceCount{}
	if err := sharesOf(s).divide(int64(s.Total), counts); err != nil {
		return nil, err
	}
	var out []appv1.InstanceCount
	for _, dcn := range slices.Sorted(maps.Keys(counts)) {
		if n := counts[dcn].Count; n > mostPerDCN {
			return nil, fmt.Errorf("DCN %q would get %d of %d instances, and may have %d: divide them over more DCNs", dcn, n, s.Total, mostPerDCN)
		}
		out = append(out, counts[dcn])
	}
	return out, nil
}

// divide gives a number of instances to the parts, and on to their parts.
func (s *share) divide(total int64, counts map[string]appv1.InstanceCount) error {
	if s.what == "DCN" {
		if _, twice := counts[s.name]; twice {
			return fmt.Errorf("DCN %q gets a share in two places: name it once", s.name)
		}
		count := appv1.InstanceCount{DCN: s.name, Count: int32(total)} //nolint:gosec // a Split's total is bounded
		if len(s.parts) > 0 {
			each, err := apportion(total, s.parts)
			if err != nil {
				return fmt.Errorf("%w%s", err, s.where())
			}
			for i, p := range s.parts {
				count.Clusters = append(count.Clusters, appv1.ClusterCount{Cluster: p.name, Count: int32(each[i])}) //nolint:gosec // no more than the total
			}
			byKey(count.Clusters, func(c appv1.ClusterCount) string { return c.Cluster })
		}
		counts[s.name] = count
		return nil
	}
	each, err := apportion(total, s.parts)
	if err != nil {
		return fmt.Errorf("%w%s", err, s.where())
	}
	for i, p := range s.parts {
		if err := p.divide(each[i], counts); err != nil {
			return err
		}
	}
	return nil
}

func (s *share) where() string {
	if s.what == "" {
		return ""
	}
	return fmt.Sprintf(" in %s %q", s.what, s.name)
}

// apportion divides a total by weight: by the largest remainder, of two alike the first by
// name. A part whose exact share is less than its minimum gets the minimum, and what is left
// is divided among the others.
func apportion(total int64, parts []*share) ([]int64, error) {
	out := make([]int64, len(parts))
	var open []int
	left, minima := total, int64(0)
	for i, p := range parts {
		open = append(open, i)
		minima += p.minimum
	}
	if minima > total {
		return nil, fmt.Errorf("the minimums of %s add up to %d, and there are %d instances to divide: lower a minimum or raise the total", names(parts), minima, total)
	}
	weights := func() (sum int64) {
		for _, i := range open {
			sum += parts[i].weight
		}
		return sum
	}
	for {
		sum, before := weights(), len(open)
		if sum == 0 {
			break
		}
		had := left
		open = slices.DeleteFunc(open, func(i int) bool {
			if p := parts[i]; had*p.weight >= p.minimum*sum {
				return false
			}
			out[i] = parts[i].minimum
			left -= out[i]
			return true
		})
		if len(open) == before {
			break
		}
	}
	sum := weights()
	if sum == 0 {
		for _, i := range open {
			out[i] = parts[i].minimum
			left -= out[i]
		}
		if left > 0 {
			return nil, fmt.Errorf("the weights of %s are all 0, and %d of %d instances are left to divide: give one of them a weight", names(parts), left, total)
		}
		return out, nil
	}
	var by []placement.Weighted
	for _, i := range open {
		by = append(by, placement.Weighted{Name: parts[i].name, Weight: parts[i].weight})
	}
	for at, n := range placement.Divide(left, by) {
		out[open[at]] = n
	}
	return out, nil
}

func names(parts []*share) string {
	var out []string
	for _, p := range parts {
		out = append(out, fmt.Sprintf("%s %q", p.what, p.name))
	}
	return strings.Join(out, ", ")
}

// resolveSplits puts the exact counts of every Split into the component's instances. A
// Split that cannot be resolved leaves none.
func resolveSplits(spec *appv1.ApplicationSpec) error {
	for i := range spec.Components {
		c := &spec.Components[i]
		if c.Split == nil {
			continue
		}
		counts, err := Counts(c.Split)
		if err != nil {
			return fmt.Errorf("could not divide the instances of component %q: %w", c.Name, err)
		}
		c.Instances = counts
	}
	return nil
}

// sortSplit puts the parts of a Split into the order of their names.
func sortSplit(s *appv1.Split) {
	if s == nil {
		return
	}
	dcns := func(list []appv1.DCNShare) {
		byKey(list, func(d appv1.DCNShare) string { return d.DCN })
		for i := range list {
			byKey(list[i].Clusters, func(c appv1.ClusterShare) string { return c.Cluster })
		}
	}
	sites := func(list []appv1.DataCenterShare) {
		byKey(list, func(d appv1.DataCenterShare) string { return d.DataCenter })
		for i := range list {
			dcns(list[i].DCNs)
		}
	}
	byKey(s.Regions, func(r appv1.RegionShare) string { return r.Region })
	for i := range s.Regions {
		sites(s.Regions[i].DataCenters)
	}
	sites(s.DataCenters)
	dcns(s.DCNs)
}

// checkSplits refuses what a Split says of regions, data centres and DCNs that is not so.
func checkSplits(c *checking, found func(component, format string, args ...any)) {
	for _, comp := range c.spec.Components {
		if comp.Split == nil {
			continue
		}
		name := string(comp.Name)
		if comp.Kind == appv1.KindJob || comp.Kind == appv1.KindCron {
			found(name, "a %s runs in one cell of the fleet: name one DCN in instances instead of split", comp.Kind)
		}
		if _, err := Counts(comp.Split); err != nil {
			found(name, "split: %s", err)
		}
		for _, r := range comp.Split.Regions {
			if cities := c.world.cities(); !slices.Contains(cities, r.Region) {
				found(name, "split: no data centre lies in region %q; regions are the cities of data centres: %s", r.Region, strings.Join(cities, ", "))
				continue
			}
			for _, d := range r.DataCenters {
				if site, ok := c.world.site(d.DataCenter); ok && site.City != r.Region {
					found(name, "split: data centre %q lies in region %q, not in %q; move its share there", d.DataCenter, site.City, r.Region)
				}
			}
			checkSites(c, name, r.DataCenters, found)
		}
		checkSites(c, name, comp.Split.DataCenters, found)
	}
}

func checkSites(c *checking, component string, sites []appv1.DataCenterShare, found func(component, format string, args ...any)) {
	for _, d := range sites {
		if _, ok := c.world.site(d.DataCenter); !ok {
			found(component, "split: data centre %q does not exist; correct split", d.DataCenter)
			continue
		}
		for _, n := range d.DCNs {
			if dcn, ok := c.world.dcn(n.DCN); ok && dcn.DataCenter != d.DataCenter {
				found(component, "split: DCN %q lies in data centre %q, not in %q; move its share there", n.DCN, dcn.DataCenter, d.DataCenter)
			}
		}
	}
}
