// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// TestHardRules compares decisions about random fleets with rules that are so dumb
// that they cannot be wrong: exact counts, only permitted cells, distinct numbers,
// seats that stay, and hosts that hold everything in whatever order it comes.
func TestHardRules(t *testing.T) {
	for range 20 {
		rapid.Check(t, hardRules)
	}
}

func hardRules(t *rapid.T) {
	s, components := drawFleet(t)
	policy := placement.DefaultPolicy()
	policy.SpareFrom = rapid.SampledFrom([]int{0, 0, 1, 2, 3}).Draw(t, "spare from")
	policy.Surge = rapid.SampledFrom([]int32{0, 0, 10, 34, 50}).Draw(t, "surge")
	var previous []placement.Assignment
	for round := range 3 {
		drawApart(t, &s, components)
		r := placement.Request{Application: "retail-prod/pay", Tenant: "retail", Environment: "prod", Components: components, Previous: previous}
		for _, p := range s.Pools {
			r.Quotas = append(r.Quotas, drawQuota(t, p.Name))
		}
		d := placement.Place(s, []placement.Request{r}, policy)[0]
		if diff := cmp.Diff(d, placement.Place(shuffled(s, int64(round)), []placement.Request{shuffledRequest(r, int64(round))}, policy)[0]); diff != "" {
			t.Fatalf("the decision depends on the order of what it was given:\n%s", diff)
		}
		if !d.Refused {
			judge(t, s, r, d, policy)
			s.Reserved = slices.DeleteFunc(s.Reserved, func(h placement.Reservation) bool { return h.Application == r.Application })
			for _, a := range d.Assignments {
				s.Reserved = append(s.Reserved, placement.Reservation{Application: r.Application, Tenant: "retail", Environment: "prod", Assignment: a})
			}
			previous = d.Assignments
		} else if !slices.ContainsFunc(d.Reasons, func(x placement.Reason) bool { return x.Refusal }) {
			t.Fatalf("refused without saying what lacks: %v", d.Reasons)
		}
		components = changeComponents(t, components)
	}
}

func drawFleet(t *rapid.T) (placement.Snapshot, []placement.Component) {
	s := placement.Snapshot{
		Zones:  []placement.Zone{{Name: "business", Levels: []string{"basic"}}, {Name: "core", Levels: []string{"basic", "high"}}},
		Levels: []placement.Level{{Name: "basic"}, {Name: "high", NeedsGuard: true}},
	}
	for _, site := range []string{"east", "west"} {
		s.DCNs = append(s.DCNs, placement.DCN{Name: "dcn-" + site, DataCenter: site, Environment: "prod"})
		s.DataCenters = append(s.DataCenters, placement.DataCenter{Name: site, Racks: map[string]string{
			"rack-0": rapid.SampledFrom([]string{"", "az-1", "az-2"}).Draw(t, "zone"), "rack-1": rapid.SampledFrom([]string{"", "az-1", "az-2"}).Draw(t, "zone"),
		}})
		for i := range rapid.IntRange(1, 2).Draw(t, "clusters of "+site) {
			c := placement.Cluster{Name: fmt.Sprintf("%s-%d", site, i), DataCenter: site, Environment: rapid.SampledFrom([]string{"prod", "prod", "prod", "prod", "sit"}).Draw(t, "environment")}
			c.GuardsPools = rapid.IntRange(0, 3).Draw(t, "guards") > 0
			if rapid.IntRange(0, 5).Draw(t, "away") == 0 {
				c.Away = "it does not answer"
			}
			s.Clusters = append(s.Clusters, c)
		}
	}
	if rapid.Bool().Draw(t, "partners") {
		s.DCNs = append(s.DCNs, placement.DCN{Name: "dcn-partner", DataCenter: "east", Environment: "prod", Partner: "dcn-east"})
		s.DCNs[0].Partner = "dcn-partner"
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "machines") {
		s.Machines = append(s.Machines, placement.Machine{
			Application: "retail-prod/pay", Component: "c0", DCN: rapid.SampledFrom([]string{"dcn-east", "dcn-west"}).Draw(t, "dcn"),
			DataCenter: "west", Rack: fmt.Sprintf("rack-%d", i),
		})
	}
	for i := range s.Machines {
		s.Machines[i].DataCenter = strings.TrimPrefix(s.Machines[i].DCN, "dcn-")
	}
	for i := range rapid.IntRange(2, 5).Draw(t, "pools") {
		p := placement.Pool{
			Name: fmt.Sprintf("pool-%d", i), Tenants: []string{rapid.SampledFrom([]string{"retail", "retail", "retail", "cards"}).Draw(t, "tenant")},
			Level: rapid.SampledFrom([]string{"basic", "basic", "basic", "high"}).Draw(t, "level"), Kind: placement.RealHosts,
			Zones: rapid.SampledFrom([][]string{{"business"}, {"core"}, {"business", "core"}, {"business", "core"}}).Draw(t, "zones"),
		}
		for _, c := range s.Clusters {
			for j := range rapid.IntRange(1, 2).Draw(t, "racks") {
				rack := placement.Rack{Cluster: c.Name, Name: fmt.Sprintf("rack-%d", j)}
				for k := range rapid.IntRange(0, 3).Draw(t, "hosts") {
					rack.Hosts = append(rack.Hosts, placement.Host{Name: fmt.Sprintf("%s-%d-%d-%d", c.Name, i, j, k), Arch: rapid.SampledFrom([]string{"amd64", "amd64", "arm64"}).Draw(t, "arch"), Room: placement.Amount{
						CPU: int64(rapid.IntRange(1, 8).Draw(t, "cpu")) * 500, Memory: int64(rapid.IntRange(1, 8).Draw(t, "memory")) << 29, Instances: int64(rapid.IntRange(2, 12).Draw(t, "instances")),
					}})
				}
				p.Racks = append(p.Racks, rack)
			}
		}
		for range rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "sizes") {
			p.Sizes = append(p.Sizes, placement.NamedSize{Name: fmt.Sprint(len(p.Sizes)), Size: drawSize(t)})
		}
		s.Pools = append(s.Pools, p)
	}
	var components []placement.Component
	for i := range rapid.IntRange(1, 3).Draw(t, "components") {
		components = append(components, placement.Component{
			Name: fmt.Sprintf("c%d", i), Template: "t0", Zone: rapid.SampledFrom([]string{"business", "core"}).Draw(t, "zone"),
			Level: rapid.SampledFrom([]string{"basic", "basic", "basic", "high"}).Draw(t, "level"), Size: drawSize(t), Counts: drawCounts(t),
			InPlace: rapid.Bool().Draw(t, "in place"), MaxPerHost: int32(rapid.SampledFrom([]int{0, 0, 1, 2, 3}).Draw(t, "per host")),
			MinRacks: int32(rapid.IntRange(0, 3).Draw(t, "racks")), MinZones: int32(rapid.SampledFrom([]int{0, 0, 2}).Draw(t, "zones")),
			MinDataCenters: int32(rapid.SampledFrom([]int{0, 0, 0, 2}).Draw(t, "data centres")), Archs: rapid.SampledFrom([][]string{nil, nil, {"amd64"}, {"arm64", "amd64"}}).Draw(t, "archs"),
		})
		if c := &components[i]; c.MaxPerHost == 0 {
			c.MaxOfCell = int32(rapid.SampledFrom([]int{0, 0, 2}).Draw(t, "of a cell"))
		}
		if sizes := s.Pools[0].Sizes; len(sizes) > 0 && rapid.Bool().Draw(t, "size of the pool") {
			components[i].Size = sizes[0].Size
		}
	}
	return s, components
}

func drawSize(t *rapid.T) placement.Amount {
	return placement.Amount{CPU: int64(rapid.IntRange(0, 4).Draw(t, "cpu")) * 250, Memory: int64(rapid.IntRange(0, 4).Draw(t, "memory")) << 28, Instances: 1}
}

func drawCounts(t *rapid.T) []placement.Count {
	return []placement.Count{
		drawClusters(t, placement.Count{DCN: "dcn-east", Count: int32(rapid.IntRange(0, 4).Draw(t, "east"))}, "east-0", "east-1"),
		drawClusters(t, placement.Count{DCN: "dcn-west", Count: int32(rapid.IntRange(0, 4).Draw(t, "west"))}, "west-1", "west-0"),
		drawClusters(t, placement.Count{DCN: "dcn-partner", Count: int32(rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, "partner"))}, "east-0", "east-1"),
	}
}

func drawQuota(t *rapid.T, pool string) tenancyv1.Quota {
	return tenancyv1.Quota{
		Environment: "prod", Pool: pool, Instances: int64(rapid.IntRange(5, 40).Draw(t, "quota")),
		CPU: resource.MustParse("1000"), Memory: resource.MustParse("1Ti"),
	}
}

func changeComponents(t *rapid.T, components []placement.Component) []placement.Component {
	out := slices.Clone(components)
	for i := range out {
		if rapid.Bool().Draw(t, "changes") {
			out[i].Template += "'"
			out[i].Size = drawSize(t)
		}
		if rapid.Bool().Draw(t, "scales") {
			out[i].Counts = drawCounts(t)
		}
	}
	return out
}

// judge holds a decision against the rules, one by one.
func judge(t *rapid.T, s placement.Snapshot, r placement.Request, d placement.Decision, policy placement.Policy) {
	numbers := map[string]bool{}
	perPool := map[string]int64{}
	for _, c := range r.Components {
		for _, count := range c.Counts {
			var got int32
			for _, a := range d.Assignments {
				if a.Component == c.Name && a.Cell.DCN == count.DCN {
					got += int32(len(a.Seats))
				}
			}
			var machines int32
			for _, m := range s.Machines {
				if m.Component == c.Name && m.DCN == count.DCN {
					machines++
				}
			}
			if got != max(count.Count-machines, 0) {
				t.Fatalf("%s has %d instances in %s and %d on machines, asked for are %d", c.Name, got, count.DCN, machines, count.Count)
			}
			clustersOf(t, s, c, count, d)
			racksOf(t, s, r, c, count, d)
		}
		sitesOf(t, s, r, c)
	}
	for _, a := range d.Assignments {
		perPool[a.Cell.Pool] += int64(len(a.Seats))
		c := r.Components[slices.IndexFunc(r.Components, func(c placement.Component) bool { return c.Name == a.Component })]
		if len(a.Seats) > 0 {
			permitted(t, s, c, a, before(r, a))
		}
		if a.Block%1000 != 0 {
			t.Fatalf("block %d is no multiple of 1,000", a.Block)
		}
		for i, seat := range a.Seats {
			number := fmt.Sprintf("%s-%d", a.Component, seat)
			if numbers[number] || seat < a.Block || seat >= a.Block+1000 {
				t.Fatalf("number %s is given twice or lies outside its block %d", number, a.Block)
			}
			numbers[number] = true
			if int32(i) != seat-a.Block {
				t.Fatalf("the numbers %v of %s are not the lowest of the block", a.Seats, a.Component)
			}
		}
	}
	for _, c := range r.Components {
		stays(t, s, r, c, d)
	}
	holds(t, s, r, d, policy)
	apart(t, s, r, d)
	keptApart(t, s, r, d)
	for _, q := range r.Quotas {
		var kept int64
		for _, a := range r.Previous {
			if a.Cell.Pool == q.Pool {
				kept += int64(len(a.Seats))
			}
		}
		if perPool[q.Pool] > max(q.Instances, kept) {
			t.Fatalf("pool %s: %d instances, quota %d", q.Pool, perPool[q.Pool], q.Instances)
		}
	}
}

func before(r placement.Request, a placement.Assignment) int {
	for _, p := range r.Previous {
		if p.Component == a.Component && p.Cell == a.Cell {
			return len(p.Seats)
		}
	}
	return 0
}

func permitted(t *rapid.T, s placement.Snapshot, c placement.Component, a placement.Assignment, there int) {
	for _, p := range s.Pools {
		if p.Name == a.Cell.Pool && (!slices.Contains(p.Tenants, "retail") || p.Level != c.Level || !slices.Contains(p.Zones, c.Zone)) {
			t.Fatalf("%s is in pool %s, which it may not use", c.Name, p.Name)
		}
		if p.Name == a.Cell.Pool && len(p.Sizes) > 0 && len(a.Seats) > there && !slices.ContainsFunc(p.Sizes, func(n placement.NamedSize) bool { return n.Size == c.Size }) {
			t.Fatalf("%s grows in pool %s, which takes other sizes", c.Name, p.Name)
		}
	}
	for _, cluster := range s.Clusters {
		if cluster.Name != a.Cell.Cluster {
			continue
		}
		if site := map[string]string{"dcn-east": "east", "dcn-partner": "east", "dcn-west": "west"}[a.Cell.DCN]; cluster.Environment != "prod" || cluster.DataCenter != site {
			t.Fatalf("%s of %s is in cluster %s", c.Name, a.Cell.DCN, cluster.Name)
		}
		if cluster.Away != "" && len(a.Seats) > there {
			t.Fatalf("%s grows in cluster %s, which is away", c.Name, cluster.Name)
		}
		if c.Level == "high" && !cluster.GuardsPools && len(a.Seats) > there {
			t.Fatalf("%s grows in cluster %s, which does not guard its pools", c.Name, cluster.Name)
		}
	}
	if c.Zone == "business" && c.Level == "high" {
		t.Fatalf("zone business does not accept level high")
	}
}

// stays wants that a component which keeps its template loses no seat unless it
// shrinks there, or lies where one is that it keeps apart from, or in fewer racks or zones than
// it must: it did when it had to leave some, and moves as soon as it may.
func stays(t *rapid.T, s placement.Snapshot, r placement.Request, c placement.Component, d placement.Decision) {
	for _, count := range c.Counts {
		racks, zones := lies(s, c, count.DCN, r.Previous)
		if int32(len(racks)) < min(c.MinRacks, count.Count) || int32(len(zones)) < min(c.MinZones, count.Count) {
			continue
		}
		var lost int
		for _, p := range r.Previous {
			if p.Component != c.Name || p.Cell.DCN != count.DCN || p.Template != c.Template || mustLeave(s, r, c, d, p.Cell) {
				continue
			}
			for _, a := range d.Assignments {
				if a.Component == c.Name && a.Cell == p.Cell {
					lost += max(len(p.Seats)-len(a.Seats), 0)
				}
			}
		}
		if allowed := hadToGo(s, r, c, count); lost > allowed {
			t.Fatalf("%s in %s lost %d seats, %d had to go", c.Name, count.DCN, lost, allowed)
		}
	}
}

// holds fills the hosts of every room in random orders, each instance on a random
// host that has room: nobody may be left over, old instances that still run while
// new ones come included.
func holds(t *rapid.T, s placement.Snapshot, r placement.Request, d placement.Decision, policy placement.Policy) {
	type room = roomName
	wanted := map[room][]wish{}
	grown := map[room]bool{}
	// spares are rooms in which something is new of what may use the reserve for successors.
	spares := map[room]bool{}
	open := unkept(s, "prod", int(policy.Surge))
	add := func(a placement.Assignment) {
		k := room{a.Cell.Cluster, a.Cell.Pool, a.Cell.Rack}
		w := wish{size: a.Size, archs: a.Archs, who: r.Application + "/" + a.Component, off: offHosts(s, r, k, r.Application, a.Component)}
		w.kin, w.most = a.Component+a.Template+a.Cell.DCN, int(a.MaxPerHost)
		for range a.Seats {
			wanted[k] = append(wanted[k], w)
		}
	}
	for _, a := range d.Assignments {
		c := r.Components[slices.IndexFunc(r.Components, func(c placement.Component) bool { return c.Name == a.Component })]
		if a.MaxPerHost != c.MaxPerHost || !slices.Equal(a.Archs, c.Archs) {
			t.Fatalf("the assignment of %s does not say what it may use: %+v", c.Name, a)
		}
		if most := int(c.MaxOfCell) * len(a.Hosts); most > 0 && len(a.Seats) > most && len(a.Seats) > before(r, a) {
			t.Fatalf("%s grows to %d on %d hosts, and a cell may have %d for each", c.Name, len(a.Seats), len(a.Hosts), c.MaxOfCell)
		}
		add(a)
		var p placement.Assignment
		for _, x := range r.Previous {
			if x.Component == a.Component && x.Cell == a.Cell {
				p = x
			}
		}
		if p.Template != a.Template && !c.InPlace {
			add(p)
		}
		if len(a.Seats) > 0 && (p.Template != a.Template || len(a.Seats) > len(p.Seats)) {
			grown[room{a.Cell.Cluster, a.Cell.Pool, a.Cell.Rack}] = true
			if !grows(s, r, c, a.Cell.DCN) {
				spares[room{a.Cell.Cluster, a.Cell.Pool, a.Cell.Rack}] = true
			}
		}
	}
	for _, h := range s.Reserved {
		if h.Application != r.Application {
			k := room{h.Cell.Cluster, h.Cell.Pool, h.Cell.Rack}
			wanted[k] = append(wanted[k], slices.Repeat([]wish{{
				size: h.Size, archs: h.Archs, who: h.Application + "/" + h.Component, off: offHosts(s, r, k, h.Application, h.Component),
				kin: h.Application + h.Component + h.Template + h.Cell.DCN, most: int(h.MaxPerHost),
			}}, len(h.Seats))...)
		}
	}
	for _, p := range s.Pools {
		for _, rack := range p.Racks {
			k := room{rack.Cluster, p.Name, rack.Name}
			if !grown[k] {
				continue // nothing new: hosts may have been lost since
			}
			for seed := range 5 {
				random := rand.New(rand.NewSource(int64(seed)))
				hosts := slices.Clone(rack.Hosts)
				if !spares[k] {
					hosts = slices.Clone(open[k])
				}
				if policy.SpareFrom > 0 && len(rack.Hosts) >= policy.SpareFrom {
					lost := random.Intn(len(hosts))
					hosts = slices.Delete(hosts, lost, lost+1)
				}
				if !fill(random, hosts, wanted[k]) {
					t.Fatalf("the hosts %v of %v cannot hold %v in every order", hosts, k, wanted[k])
				}
			}
		}
	}
}

// grows says whether a component asks for more, or for larger instances, than it has.
func grows(s placement.Snapshot, r placement.Request, c placement.Component, dcn string) bool {
	var had, wants int
	for _, m := range s.Machines {
		if m.Component == c.Name && m.DCN == dcn {
			had++
		}
	}
	for _, p := range r.Previous {
		if p.Component == c.Name && p.Cell.DCN == dcn && len(p.Seats) > 0 {
			had += len(p.Seats)
			if c.Size.CPU > p.Size.CPU || c.Size.Memory > p.Size.Memory {
				return true
			}
		}
	}
	for _, count := range c.Counts {
		if count.DCN == dcn {
			wants += int(count.Count)
		}
	}
	return wants > had
}

// wish is one instance that looks for a host.
type wish struct {
	size  placement.Amount
	archs []string
	// kin names those of which a host may hold so many only. 0: any number.
	kin  string
	most int
	// who it is, and those that share no host with it.
	who string
	off []string
}

func fill(random *rand.Rand, hosts []placement.Host, wanted []wish) bool {
	left := slices.Clone(hosts)
	there, kin := make([]map[string]bool, len(hosts)), make([]map[string]int, len(hosts))
	for i := range there {
		there[i], kin[i] = map[string]bool{}, map[string]int{}
	}
	for _, i := range random.Perm(len(wanted)) {
		w := wanted[i]
		var fitting []int
		for j := range left {
			if w.size.Within(left[j].Room) && (len(w.archs) == 0 || slices.Contains(w.archs, left[j].Arch)) && (w.most == 0 || kin[j][w.kin] < w.most) && !slices.ContainsFunc(w.off, func(o string) bool { return there[j][o] }) {
				fitting = append(fitting, j)
			}
		}
		if len(fitting) == 0 {
			return false
		}
		j := fitting[random.Intn(len(fitting))]
		left[j].Room = left[j].Room.Plus(w.size.Times(-1))
		there[j][w.who] = true
		kin[j][w.kin]++
	}
	return true
}

// domainOf is the failure domain that a rack lies in.
func domainOf(s placement.Snapshot, site, rack string) string {
	for _, d := range s.DataCenters {
		if d.Name == site && d.Racks[rack] != "" {
			return site + "/" + d.Racks[rack]
		}
	}
	return site + "//" + rack
}

func siteOf(s placement.Snapshot, cluster string) string {
	return s.Clusters[slices.IndexFunc(s.Clusters, func(c placement.Cluster) bool { return c.Name == cluster })].DataCenter
}

// sitesOf wants what grows to be asked for in as many data centres as the component asks for.
func sitesOf(t *rapid.T, s placement.Snapshot, r placement.Request, c placement.Component) {
	sites := map[string]bool{}
	more := false
	for _, count := range c.Counts {
		if i := slices.IndexFunc(s.DCNs, func(d placement.DCN) bool { return d.Name == count.DCN }); i >= 0 && count.Count > 0 {
			sites[s.DCNs[i].DataCenter] = true
		}
		more = more || grows(s, r, c, count.DCN)
	}
	if more && len(sites) > 0 && int32(len(sites)) < c.MinDataCenters {
		t.Fatalf("%s lies in %d data centres and wants %d", c.Name, len(sites), c.MinDataCenters)
	}
}

// racksOf wants what grows to lie in as many racks and availability zones as the component
// asks for.
func racksOf(t *rapid.T, s placement.Snapshot, r placement.Request, c placement.Component, count placement.Count, d placement.Decision) {
	racks, zones := lies(s, c, count.DCN, d.Assignments)
	grows := slices.ContainsFunc(d.Assignments, func(a placement.Assignment) bool {
		return a.Component == c.Name && a.Cell.DCN == count.DCN && len(a.Seats) > before(r, a)
	})
	if want := min(c.MinRacks, count.Count); grows && int32(len(racks)) < want {
		t.Fatalf("%s lies in %d racks in %s and wants %d", c.Name, len(racks), count.DCN, want)
	}
	if want := min(c.MinZones, count.Count); grows && int32(len(zones)) < want {
		t.Fatalf("%s lies in %d zones in %s and wants %d", c.Name, len(zones), count.DCN, want)
	}
}

// lies is in which racks and zones a component's instances of a DCN lie, those on machines
// included.
func lies(s placement.Snapshot, c placement.Component, dcn string, all []placement.Assignment) (racks, zones map[string]bool) {
	racks, zones = map[string]bool{}, map[string]bool{}
	for _, m := range s.Machines {
		if m.Component == c.Name && m.DCN == dcn {
			racks[m.Rack] = true
			zones[domainOf(s, m.DataCenter, m.Rack)] = true
		}
	}
	for _, a := range all {
		if a.Component == c.Name && a.Cell.DCN == dcn && len(a.Seats) > 0 {
			racks[a.Cell.Rack] = true
			zones[domainOf(s, siteOf(s, a.Cell.Cluster), a.Cell.Rack)] = true
		}
	}
	return racks, zones
}

// apart wants that a DCN and its partner in one site share no failure domain.
func apart(t *rapid.T, s placement.Snapshot, r placement.Request, d placement.Decision) {
	in := map[string]map[string]bool{"dcn-east": {}, "dcn-partner": {}}
	old := map[string]bool{}
	for _, m := range s.Machines {
		if in[m.DCN] != nil {
			in[m.DCN][domainOf(s, m.DataCenter, m.Rack)] = true
		}
	}
	for _, a := range d.Assignments {
		if in[a.Cell.DCN] == nil || len(a.Seats) == 0 {
			continue
		}
		in[a.Cell.DCN][domainOf(s, siteOf(s, a.Cell.Cluster), a.Cell.Rack)] = true
		if before(r, a) >= len(a.Seats) {
			old[domainOf(s, siteOf(s, a.Cell.Cluster), a.Cell.Rack)] = true
		}
	}
	domains := map[string]bool{}
	for _, c := range []string{"rack-0", "rack-1"} {
		domains[domainOf(s, "east", c)] = true
	}
	if len(s.DCNs) < 3 || len(domains) < 2 {
		return // alone, or parted by racks: another test
	}
	for domain := range in["dcn-east"] {
		if in["dcn-partner"][domain] && !old[domain] {
			t.Fatalf("%s holds instances of dcn-east and of its partner", domain)
		}
	}
}

func shuffled(s placement.Snapshot, seed int64) placement.Snapshot {
	random := rand.New(rand.NewSource(seed))
	s.Clusters, s.Pools, s.DCNs, s.Reserved = slices.Clone(s.Clusters), slices.Clone(s.Pools), slices.Clone(s.DCNs), slices.Clone(s.Reserved)
	random.Shuffle(len(s.Clusters), func(i, j int) { s.Clusters[i], s.Clusters[j] = s.Clusters[j], s.Clusters[i] })
	random.Shuffle(len(s.Pools), func(i, j int) { s.Pools[i], s.Pools[j] = s.Pools[j], s.Pools[i] })
	random.Shuffle(len(s.Reserved), func(i, j int) { s.Reserved[i], s.Reserved[j] = s.Reserved[j], s.Reserved[i] })
	for i := range s.Pools {
		racks := slices.Clone(s.Pools[i].Racks)
		random.Shuffle(len(racks), func(i, j int) { racks[i], racks[j] = racks[j], racks[i] })
		s.Pools[i].Racks = racks
	}
	return s
}

func shuffledRequest(r placement.Request, seed int64) placement.Request {
	random := rand.New(rand.NewSource(seed))
	r.Components, r.Previous, r.Quotas = slices.Clone(r.Components), slices.Clone(r.Previous), slices.Clone(r.Quotas)
	random.Shuffle(len(r.Components), func(i, j int) { r.Components[i], r.Components[j] = r.Components[j], r.Components[i] })
	random.Shuffle(len(r.Previous), func(i, j int) { r.Previous[i], r.Previous[j] = r.Previous[j], r.Previous[i] })
	random.Shuffle(len(r.Quotas), func(i, j int) { r.Quotas[i], r.Quotas[j] = r.Quotas[j], r.Quotas[i] })
	return r
}
