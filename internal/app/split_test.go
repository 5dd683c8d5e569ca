// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
)

func dcn(name string, weight, minimum int32) appv1.DCNShare {
	return appv1.DCNShare{DCN: name, Weight: weight, Minimum: minimum}
}

// over has a DCN divide what it gets over clusters.
func over(d appv1.DCNShare, clusters ...appv1.ClusterShare) appv1.DCNShare {
	d.Clusters = clusters
	return d
}

func cluster(name string, weight, minimum int32) appv1.ClusterShare {
	return appv1.ClusterShare{Cluster: name, Weight: weight, Minimum: minimum}
}

func site(name string, weight, minimum int32, dcns ...appv1.DCNShare) appv1.DataCenterShare {
	return appv1.DataCenterShare{DataCenter: name, Weight: weight, Minimum: minimum, DCNs: dcns}
}

func region(name string, weight, minimum int32, sites ...appv1.DataCenterShare) appv1.RegionShare {
	return appv1.RegionShare{Region: name, Weight: weight, Minimum: minimum, DataCenters: sites}
}

func TestCounts(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		split  appv1.Split
		want   map[string]int32
		says   string
	}{
		"even":            {"40 over three alike: the first by name gets what is left over", appv1.Split{Total: 40, DCNs: []appv1.DCNShare{dcn("c", 1, 0), dcn("a", 1, 0), dcn("b", 1, 0)}}, map[string]int32{"a": 14, "b": 13, "c": 13}, ""},
		"largest part":    {"10 by 5:3:1 is 5.56, 3.33, 1.11: the largest fraction is rounded up", appv1.Split{Total: 10, DCNs: []appv1.DCNShare{dcn("a", 5, 0), dcn("b", 3, 0), dcn("c", 1, 0)}}, map[string]int32{"a": 6, "b": 3, "c": 1}, ""},
		"nothing":         {"a total of nothing is nothing everywhere", appv1.Split{DCNs: []appv1.DCNShare{dcn("a", 1, 0), dcn("b", 0, 0)}}, map[string]int32{"a": 0, "b": 0}, ""},
		"minimum":         {"who would get less than its minimum gets that, the others divide the rest", appv1.Split{Total: 10, DCNs: []appv1.DCNShare{dcn("a", 8, 0), dcn("b", 1, 0), dcn("c", 1, 4)}}, map[string]int32{"a": 5, "b": 1, "c": 4}, ""},
		"minimum only":    {"weight 0 gets the minimum", appv1.Split{Total: 10, DCNs: []appv1.DCNShare{dcn("a", 1, 0), dcn("b", 0, 2)}}, map[string]int32{"a": 8, "b": 2}, ""},
		"minima together": {"all minimums, and nothing is left", appv1.Split{Total: 5, DCNs: []appv1.DCNShare{dcn("a", 0, 3), dcn("b", 0, 2)}}, map[string]int32{"a": 3, "b": 2}, ""},
		"nested": {"40 by 3:1 is 30 and 10; 30 by 2:1 is 20 and 10; 20 by 1:1:1 is 7, 7, 6", appv1.Split{Total: 40, Regions: []appv1.RegionShare{
			region("Shanghai", 3, 0, site("dc-east", 2, 0, dcn("e1", 1, 0), dcn("e2", 1, 0), dcn("e3", 1, 0)), site("dc-west", 1, 0, dcn("w1", 1, 0))),
			region("Hefei", 1, 0, site("dc-remote", 1, 0, dcn("r1", 9, 0), dcn("r2", 1, 0))),
		}}, map[string]int32{"e1": 7, "e2": 7, "e3": 6, "w1": 10, "r1": 9, "r2": 1}, ""},
		"clusters": {"30 by 2:3 is 12 and 18, and 10 by 1:1:1 is 4, 3, 3", appv1.Split{Total: 40, Regions: []appv1.RegionShare{
			region("Shanghai", 3, 0, site("dc-east", 1, 0, over(dcn("e1", 1, 0), cluster("east-2", 3, 0), cluster("east-1", 2, 0)))),
			region("Hefei", 1, 0, site("dc-remote", 1, 0, over(dcn("r1", 1, 0), cluster("b", 1, 0), cluster("c", 1, 0), cluster("a", 1, 0)))),
		}}, map[string]int32{"e1": 30, "e1/east-1": 12, "e1/east-2": 18, "r1": 10, "r1/a": 4, "r1/b": 3, "r1/c": 3}, ""},
		"a cluster's minimum": {"it is its DCN's as well, and the others divide the rest", appv1.Split{Total: 10, DCNs: []appv1.DCNShare{
			over(dcn("a", 1, 0), cluster("x", 0, 2), cluster("y", 1, 4)), dcn("b", 9, 0),
		}}, map[string]int32{"a": 6, "a/x": 2, "a/y": 4, "b": 4}, ""},
		"no weight of a cluster": {"it says where", appv1.Split{Total: 10, DCNs: []appv1.DCNShare{over(dcn("a", 1, 0), cluster("x", 0, 2), cluster("y", 0, 0))}}, nil, `the weights of cluster "x", cluster "y" are all 0, and 8 of 10 instances are left to divide: give one of them a weight in DCN "a"`},
		"minimum below": {"a DCN's minimum is its region's as well", appv1.Split{Total: 10, Regions: []appv1.RegionShare{
			region("Shanghai", 9, 0, site("dc-east", 1, 0, dcn("e1", 1, 0))), region("Hefei", 1, 0, site("dc-remote", 1, 0, dcn("r1", 1, 4))),
		}}, map[string]int32{"e1": 6, "r1": 4}, ""},
		"too little":    {"the minimums do not fit", appv1.Split{Total: 5, DCNs: []appv1.DCNShare{dcn("a", 1, 3), dcn("b", 1, 3)}}, nil, `the minimums of DCN "a", DCN "b" add up to 6, and there are 5 instances to divide`},
		"no weight":     {"nobody has a weight", appv1.Split{Total: 5, DCNs: []appv1.DCNShare{dcn("a", 0, 1), dcn("b", 0, 0)}}, nil, `the weights of DCN "a", DCN "b" are all 0, and 4 of 5 instances are left`},
		"no weight in":  {"it says where", appv1.Split{Total: 5, DataCenters: []appv1.DataCenterShare{site("dc-east", 1, 0, dcn("a", 0, 0))}}, nil, `in data centre "dc-east"`},
		"in two places": {"one DCN, two branches", appv1.Split{Total: 5, DataCenters: []appv1.DataCenterShare{site("dc-east", 1, 0, dcn("a", 1, 0)), site("dc-west", 1, 0, dcn("a", 1, 0))}}, nil, `DCN "a" gets a share in two places`},
		"too many":      {"a DCN has an end", appv1.Split{Total: 6000, DCNs: []appv1.DCNShare{dcn("a", 1, 0)}}, nil, "divide them over more DCNs"},
	} {
		t.Run(name, func(t *testing.T) {
			counts, err := app.Counts(&c.split)
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Fatalf("%s: the error is %v, want %q in it", c.reason, err, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]int32{}
			for _, n := range counts {
				got[n.DCN] = n.Count
				for _, x := range n.Clusters {
					got[n.DCN+"/"+x.Cluster] = x.Count
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", c.reason, diff)
			}
		})
	}
}

// Whatever the weights: the parts add up to the total, each has its minimum, and where no
// minimum is in the way each is within one of its exact share. The order does not matter.
func TestCountsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := appv1.Split{Total: int32(rapid.IntRange(0, 500).Draw(t, "total"))}
		weights, minima := int64(0), int32(0)
		for i := range rapid.IntRange(1, 8).Draw(t, "parts") {
			d := dcn(fmt.Sprintf("d%d", i), int32(rapid.IntRange(0, 20).Draw(t, "weight")), int32(rapid.SampledFrom([]int{0, 0, 0, 3, 40}).Draw(t, "minimum")))
			s.DCNs = append(s.DCNs, d)
			weights += int64(d.Weight)
			minima += d.Minimum
		}
		counts, err := app.Counts(&s)
		if possible := minima <= s.Total && (weights > 0 || minima == s.Total); possible != (err == nil) {
			t.Fatalf("possible: %v, and the error is %v", possible, err)
		}
		if err != nil {
			return
		}
		var sum int32
		for i, n := range counts {
			d := s.DCNs[i]
			sum += n.Count
			if n.DCN != d.DCN || n.Count < d.Minimum {
				t.Fatalf("%s has %d instances, its minimum is %d", n.DCN, n.Count, d.Minimum)
			}
			if exact := big.NewRat(int64(s.Total)*int64(d.Weight), max(weights, 1)); minima == 0 && new(big.Rat).Abs(new(big.Rat).Sub(exact, big.NewRat(int64(n.Count), 1))).Cmp(big.NewRat(1, 1)) >= 0 {
				t.Fatalf("%s has %d instances, its exact share is %s", n.DCN, n.Count, exact.FloatString(3))
			}
		}
		if sum != s.Total {
			t.Fatalf("the parts add up to %d, the total is %d", sum, s.Total)
		}
		turned := appv1.Split{Total: s.Total}
		for _, d := range s.DCNs {
			turned.DCNs = append([]appv1.DCNShare{d}, turned.DCNs...)
		}
		if again, err := app.Counts(&turned); err != nil || !cmp.Equal(counts, again) {
			t.Fatalf("the order matters: %v and %v (%v)", counts, again, err)
		}
	})
}

// A Revision holds the exact counts; a new total restarts nothing.
func TestSplitIsFrozenAsCounts(t *testing.T) {
	split := func(total int32) *appv1.Application {
		return apptest.MobileBank(apptest.With("account", func(c *appv1.Component) {
			c.Instances = nil
			c.Split = &appv1.Split{Total: total, Regions: []appv1.RegionShare{
				region("Shanghai", 3, 0, site("dc-west", 1, 0, dcn("dcn-west-1", 1, 0)), site("dc-east", 1, 0, dcn("dcn-east-1", 1, 0))),
			}}
		}))
	}
	now, more := freeze(t, split(7), apptest.Bank()), freeze(t, split(8), apptest.Bank())
	of := func(f app.Frozen) []appv1.InstanceCount {
		for _, c := range f.Content.Spec.Components {
			if c.Name == "account" {
				return c.Instances
			}
		}
		return nil
	}
	if diff := cmp.Diff([]appv1.InstanceCount{{DCN: "dcn-east-1", Count: 4}, {DCN: "dcn-west-1", Count: 3}}, of(now)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if names := app.Restarting(now.Content, more.Content); len(names) > 0 || now.Digest == more.Digest {
		t.Errorf("a new total restarts %v", names)
	}
	if _, err := app.Freeze(apptest.MobileBank(apptest.With("account", func(c *appv1.Component) {
		c.Split = &appv1.Split{Total: 3, DCNs: []appv1.DCNShare{dcn("dcn-east-1", 0, 0)}}
	})), map[string]string{}, apptest.Bank()); err == nil || !strings.Contains(err.Error(), `could not divide the instances of component "account"`) {
		t.Errorf("the error is %v", err)
	}
}

// What a Split says of the bank's world has to be so.
func TestSplitIsChecked(t *testing.T) {
	for name, c := range map[string]struct {
		split appv1.Split
		want  string
	}{
		"good":           {appv1.Split{Total: 4, Regions: []appv1.RegionShare{region("Shanghai", 1, 0, site("dc-east", 1, 0, dcn("dcn-east-1", 1, 0)), site("dc-west", 1, 0, dcn("dcn-west-1", 1, 0)))}}, ""},
		"unknown region": {appv1.Split{Total: 4, Regions: []appv1.RegionShare{region("Mars", 1, 0, site("dc-east", 1, 0, dcn("dcn-east-1", 1, 0)), site("dc-west", 1, 0, dcn("dcn-west-1", 1, 0)))}}, `no data centre lies in region "Mars"; regions are the cities of data centres: Hefei, Shanghai`},
		"other region":   {appv1.Split{Total: 4, Regions: []appv1.RegionShare{region("Hefei", 1, 0, site("dc-east", 1, 0, dcn("dcn-east-1", 1, 0)), site("dc-west", 1, 0, dcn("dcn-west-1", 1, 0)))}}, `data centre "dc-east" lies in region "Shanghai", not in "Hefei"`},
		"unknown site":   {appv1.Split{Total: 4, DataCenters: []appv1.DataCenterShare{site("dc-moon", 1, 0, dcn("dcn-east-1", 1, 0)), site("dc-west", 1, 0, dcn("dcn-west-1", 1, 0))}}, `data centre "dc-moon" does not exist`},
		"other site":     {appv1.Split{Total: 4, DataCenters: []appv1.DataCenterShare{site("dc-east", 1, 0, dcn("dcn-west-1", 1, 0)), site("dc-west", 1, 0, dcn("dcn-east-1", 1, 0))}}, `DCN "dcn-west-1" lies in data centre "dc-west", not in "dc-east"`},
		"unknown DCN":    {appv1.Split{Total: 6, DCNs: []appv1.DCNShare{dcn("dcn-east-1", 1, 0), dcn("dcn-west-1", 1, 0), dcn("dcn-moon", 1, 0)}}, `DCN "dcn-moon" does not exist`},
		"no weights":     {appv1.Split{Total: 4, DCNs: []appv1.DCNShare{dcn("dcn-east-1", 0, 0)}}, "are all 0"},
		"good clusters":  {appv1.Split{Total: 4, DCNs: []appv1.DCNShare{over(dcn("dcn-east-1", 1, 0), cluster("east-1", 1, 0)), dcn("dcn-west-1", 1, 0)}}, ""},
		"no cluster":     {appv1.Split{Total: 4, DCNs: []appv1.DCNShare{over(dcn("dcn-east-1", 1, 0), cluster("east-1", 1, 0), cluster("east-9", 0, 0)), dcn("dcn-west-1", 1, 0)}}, `split: cluster "east-9" does not exist, and DCN "dcn-east-1" is to run in it; name one of`},
		"other cluster":  {appv1.Split{Total: 4, DCNs: []appv1.DCNShare{over(dcn("dcn-east-1", 1, 0), cluster("west-1", 1, 0)), dcn("dcn-west-1", 1, 0)}}, `split: cluster "west-1" is in data centre "dc-west", DCN "dcn-east-1" in "dc-east"; name one of`},
		"too few":        {appv1.Split{Total: 3, DCNs: []appv1.DCNShare{dcn("dcn-east-1", 1, 0), dcn("dcn-west-1", 1, 0)}}, `one instance in DCN "dcn-west-1" is not enough`},
	} {
		t.Run(name, func(t *testing.T) {
			a := apptest.MobileBank(apptest.With("account", func(comp *appv1.Component) { comp.Instances, comp.Split = nil, &c.split }))
			world := apptest.Bank()
			for _, name := range []string{"east-1", "west-1"} {
				world.Members = append(world.Members, app.Member{Name: name, DataCenter: "dc-" + strings.TrimSuffix(name, "-1"), Environment: world.Environment})
			}
			var said []string
			for _, f := range app.Check(a, world) {
				said = append(said, f.Message)
			}
			if got := strings.Join(said, "; "); c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("it says %q, want %q", got, c.want)
			}
		})
	}
}
