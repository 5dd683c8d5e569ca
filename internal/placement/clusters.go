// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"maps"
	"slices"
)

// limits are how many instances of a DCN each cluster that is named gets, by name, beside
// those on virtual machines, which know no cluster; nil: clusters do not matter.
//
// While m instances run on machines, the clusters divide the others one by one: the next goes
// to the cluster in which it is the smallest part of what it will have in the end. So a
// cluster never has to give one up when a machine is shut down, and has its exact number when
// the last one is.
func (n *numbers) limits(count Count) map[string]int64 {
	if len(count.Clusters) == 0 {
		return nil
	}
	if n.limited[count.DCN] == nil {
		if n.limited == nil {
			n.limited = map[string]map[string]int64{}
		}
		n.limited[count.DCN] = count.inClusters(int64(n.machines(count.DCN)))
	}
	return n.limited[count.DCN]
}

// inClusters are the numbers of the clusters, by name, beside so many instances on virtual machines.
func (count Count) inClusters(machines int64) map[string]int64 {
	out := make(map[string]int64, len(count.Clusters))
	if machines == 0 {
		for _, c := range count.Clusters {
			out[c.Cluster] = int64(c.Count)
		}
		return out
	}
	for range max(int64(count.Count)-machines, 0) {
		var next *ClusterCount
		for i := range count.Clusters {
			c := &count.Clusters[i]
			if out[c.Cluster] == int64(c.Count) {
				continue
			}
			if next == nil {
				next = c
				continue
			}
			a, b := (2*out[c.Cluster]+1)*int64(next.Count), (2*out[next.Cluster]+1)*int64(c.Count)
			if cmp.Or(cmp.Compare(a, b), cmp.Compare(c.Cluster, next.Cluster)) < 0 {
				next = c
			}
		}
		if next == nil {
			break
		}
		out[next.Cluster]++
	}
	return out
}

// trim leaves as many of the instances that may stay as the count asks for, cluster by
// cluster where it names them.
func (n *numbers) trim(count Count, stay []*numbered) {
	limits := n.limits(count)
	if limits == nil {
		n.crowds(count.DCN).trim(stay, max(int(count.Count)-n.machines(count.DCN), 0))
		return
	}
	in := map[string][]*numbered{}
	var names []string
	for _, c := range stay {
		if in[c.Cluster] == nil {
			names = append(names, c.Cluster)
		}
		in[c.Cluster] = append(in[c.Cluster], c)
	}
	slices.Sort(names)
	for _, name := range names {
		had := seatsThatStay(in[name])
		n.crowds(count.DCN).trim(in[name], int(limits[name]))
		if less := had - seatsThatStay(in[name]); less > 0 {
			n.say(n.component, count.DCN, "ClusterCount", "%s must leave cluster %s, which is to have %s", instances(less), name, count.in(name))
		}
	}
}

func seatsThatStay(cells []*numbered) int64 {
	var sum int64
	for _, c := range cells {
		sum += int64(len(c.stay))
	}
	return sum
}

// clustersAgree refuses counts of clusters that contradict the count of their DCN.
func (n *numbers) clustersAgree() {
	for _, count := range n.counts {
		var sum, some int32
		said := map[string]bool{}
		for _, x := range count.Clusters {
			sum += x.Count
			if x.Count > 0 {
				some++
			}
			if said[x.Cluster] || x.Count < 0 {
				n.refuse(n.component, count.DCN, "ClusterCount", "cluster %s is named twice, or with fewer than no instances: name it once, with its number", x.Cluster)
			}
			said[x.Cluster] = true
		}
		switch {
		case len(count.Clusters) > 0 && sum != count.Count:
			n.refuse(n.component, count.DCN, "ClusterCount", "its clusters add up to %d, and its count is %d: correct one of them", sum, count.Count)
		case n.component.OneCell && some > 1:
			n.refuse(n.component, count.DCN, "ClusterCount", "all instances run in one cell of the fleet, and %d clusters are to have some: name one", some)
		}
	}
}

// shares are how many instances more each cluster takes that is named, by name; nil: clusters
// do not matter.
func (n *numbers) shares(dcn string) map[string]*int64 {
	count, _ := find(n.counts, func(c Count) bool { return c.DCN == dcn })
	limits := n.limits(count)
	if limits == nil {
		return nil
	}
	out := map[string]*int64{}
	for cluster, limit := range limits {
		if limit > 0 {
			left := limit - n.inCluster(dcn, cluster)
			out[cluster] = &left
		}
	}
	return out
}

func (n *numbers) inCluster(dcn, cluster string) int64 {
	var sum int64
	for _, c := range n.cells {
		if c.DCN == dcn && c.Cluster == cluster {
			sum += int64(len(c.seats))
		}
	}
	return sum
}

// names reports whether a cell lies in a cluster that takes instances of its DCN.
func (n *numbers) names(c *numbered) bool {
	count, _ := find(n.counts, func(x Count) bool { return x.DCN == c.DCN })
	limits := n.limits(count)
	return limits == nil || limits[c.Cluster] > 0
}

// quotaOf is how many instances more a spot may take, as its pool's quota and its cluster's
// number allow.
func (k *look) quotaOf(i int) int64 {
	s := &k.spots[i]
	if s.share != nil {
		return min(k.pools[s.pool].quota, *s.share)
	}
	return k.pools[s.pool].quota
}

// trades reports whether an instance may leave a cell for a spot: within its cluster where
// clusters have numbers, and into another pool only if the quota allows one more there.
func (k *look) trades(c *numbered, i int) bool {
	s := &k.spots[i]
	if s.share != nil && s.room.cluster != c.Cluster {
		return false
	}
	return k.pools[s.pool].quota > 0 || c.Pool == s.room.pool
}

// withinQuotas reports whether moves together leave every pool's quota as it may be.
func (k *look) withinQuotas(moves []move) bool {
	more := map[string]int64{}
	for _, m := range moves {
		more[m.from.Pool]--
		more[k.spots[m.to].room.pool]++
	}
	for i := range k.pools {
		if more[k.pools[i].name] > max(k.pools[i].quota, 0) {
			return false
		}
	}
	return true
}

// makeWay finds places for instances that a cluster lacks where only the quotas of its pools
// are in the way: instances of other clusters change to pools with quota left. New ones do
// so first; but an exact number is a hard rule and least disruption a soft one, so that one
// that runs does, too, and it is said which. What keeps an identity does not: its number is
// refused then. It returns how many find no place still.
func (k *look) makeWay(missing int64) int64 {
	for missing > 0 && k.shared() {
		moves, to := k.way(true)
		if to < 0 && !k.component.InPlace {
			moves, to = k.way(false)
		}
		if to < 0 {
			break
		}
		for _, m := range moves {
			k.makesWay(m, k.spots[to].room.cluster)
		}
		k.give(to)
		k.moved = true
		missing--
	}
	return missing
}

// makesWay moves an instance to another pool for the number of a cluster, and says so if it
// runs.
func (k *look) makesWay(m move, cluster string) {
	count, _ := find(k.counts, func(c Count) bool { return c.DCN == k.dcn })
	cell, s := m.from.Key(), &k.spots[m.to]
	seat := k.lift(m.from)
	k.give(m.to)
	if slices.Contains(m.from.before, seat) {
		k.displaced++
		k.say(k.component, k.dcn, "ClusterCount", "%s-%d must leave cell %s for pool %s: cluster %s is to have %s, and the quota of pool %s is used up", k.component.Name, seat, cell, s.room.pool, cluster, count.in(cluster), m.from.Pool)
	}
}

// shared reports whether clusters have numbers.
func (k *look) shared() bool {
	return len(k.spots) > 0 && k.spots[0].share != nil
}

// way is the shortest chain of moves between pools, each within one cluster, after which the
// spot to has quota; -1: there is none. The moves are in the order in which they are made, and
// of new instances only where it is asked so.
func (k *look) way(fromNew bool) (moves []move, to int) {
	type step struct {
		pool, to int
		moves    []move
	}
	var queue []step
	seen := map[int]bool{}
	for i := range k.spots {
		if s := &k.spots[i]; *s.share > 0 && !seen[s.pool] && k.space(i) > 0 {
			seen[s.pool] = true
			queue = append(queue, step{pool: s.pool, to: i})
		}
	}
	for len(queue) > 0 {
		now := queue[0]
		queue = queue[1:]
		if k.pools[now.pool].quota > 0 {
			return now.moves, now.to
		}
		for _, c := range k.cells {
			if c.DCN != k.dcn || len(c.seats) == 0 || c.Pool != k.pools[now.pool].name || fromNew && c.newest() < 0 {
				continue
			}
			for i := range k.spots {
				if s := &k.spots[i]; s.room.cluster == c.Cluster && !seen[s.pool] && k.space(i) > 0 {
					seen[s.pool] = true
					queue = append(queue, step{pool: s.pool, to: now.to, moves: slices.Insert(slices.Clone(now.moves), 0, move{c, i})})
				}
			}
		}
	}
	return nil, -1
}

// roomsIn are the rooms of a cluster, pool by pool in the order of their names.
func (f *Fleet) roomsIn(cluster string) []*room {
	var out []*room
	for _, pool := range slices.Sorted(maps.Keys(f.inPool)) {
		for _, r := range f.inPool[pool] {
			if r.cluster == cluster {
				out = append(out, r)
			}
		}
	}
	return out
}
