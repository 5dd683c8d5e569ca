// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placing

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
)

// sizeFromEnvironment is a small run that each change can afford, or as large a one as the
// variables say: FAIRWAY_SCALE_APPLICATIONS, FAIRWAY_SCALE_MEMBERS (an even number; default 2, or 8
// from 1,000 applications on) and FAIRWAY_SCALE_CALLERS (default 8).
func sizeFromEnvironment(t *testing.T) size {
	t.Helper()
	number := func(name string, otherwise int) int {
		text := os.Getenv(name)
		if text == "" {
			return otherwise
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("could not read %s=%q: it is a number", name, text)
		}
		return n
	}
	z := size{applications: number("FAIRWAY_SCALE_APPLICATIONS", 24), callers: number("FAIRWAY_SCALE_CALLERS", 8)}
	z.members = 2
	if z.applications >= 1000 {
		z.members = 8
	}
	z.members = number("FAIRWAY_SCALE_MEMBERS", z.members) / 2 * 2
	z.tenants = max(z.members/2, min(z.applications/100, 20))
	// An application has six instances of 584m CPU on average in one of its sites; the pools
	// are filled to between a third and a half there.
	each := (z.applications + z.tenants - 1) / z.tenants
	z.hosts = 2 * (1 + (each*inEast*584/1000+hostCPU*3/2-1)/(hostCPU*3/2))
	return z
}

// TestPlacing has callers write applications and their Releases through Fairway's API, on
// a real hub with real members, until each has its Placement. All of them are placed, and
// no host is over-committed. What it took is told, not judged.
func TestPlacing(t *testing.T) {
	ctrllog.SetLogger(logr.Discard())
	z := sizeFromEnvironment(t)
	s := open(t, z)
	stories := newBook()
	s.follow(stories)

	r := &result{asked: s.requests(), used: s.used()}
	r.took = s.load(stories)
	r.askedAfter, r.usedAfter = s.requests(), s.used()
	s.Say("all callers are done")
	r.carriedOn = s.carriedOn()
	s.CloseServer()

	all := s.gather()
	placements := make([]placementv1.Placement, 0, len(all))
	for _, w := range all {
		placements = append(placements, *w.placement)
	}
	r.stories, r.sizes, r.placements = stories.all(), bytesOf(all), len(placements)
	r.instances, r.racks, r.homeless = s.count(placements)
	failed := 0
	for _, of := range r.stories {
		if of.failed != "" {
			if failed++; failed <= 10 {
				t.Errorf("application %q was not placed: %s", of.name, of.failed)
			}
		}
	}
	if failed > 0 {
		t.Logf("%d applications were not placed; the server's last words:\n%s", failed, s.LastWords(20))
	}
	if want := z.applications * (inEast + inWest); r.placements != z.applications || r.instances != want {
		t.Errorf("%d placements of %d instances, want %d of %d", r.placements, r.instances, z.applications, want)
	}
	s.Say("what was placed is counted; the floor is written")
	r.floor = s.floor(all)
	s.report(r)
}

// result is what a run has come to.
type result struct {
	stories []story
	// took is how long callers took until the last Placement, floor how long raw writes did.
	took, floor time.Duration
	// used and asked are what processes took and what the hub was asked, before and after.
	used, usedAfter   map[string]usage
	asked, askedAfter map[string]float64
	carriedOn, sizes  string
	// racks are over-committed, and homeless instances find no host.
	placements, instances, racks, homeless int
}

// report tells what it took.
func (s *scene) report(r *result) {
	z := s.size
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	rate := func(d time.Duration) float64 { return float64(r.placements) / d.Seconds() }
	wrote, asked := func(of story) time.Time { return of.wrote }, func(of story) time.Time { return of.asked }
	placed := func(of story) time.Time { return of.placed }
	row("applications placed", "%d in %s: %.1f applications/s, with %d callers", r.placements, r.took.Round(time.Second/10), rate(r.took), z.callers)
	row("instances", "%d of three sizes", r.instances)
	row("members", "%d API servers with %d simulated hosts in %d pools", z.members, z.allHosts(), z.tenants)
	row("from asking for the release to its placement", "%s", spreadOf(r.stories, asked, placed))
	row("from writing the application to its placement", "%s", spreadOf(r.stories, wrote, placed))
	row("from writing the application to its revision", "%s", spreadOf(r.stories, wrote, func(of story) time.Time { return of.revised }))
	row("from asking for the release to its plan", "%s", spreadOf(r.stories, asked, func(of story) time.Time { return of.planned }))
	row("over-commit", "%d racks; %d instances without a host in five random orders", r.racks, r.homeless)
	row("floor: the same objects in raw writes", "%s: %.1f applications/s (%.0f writes/s); placing took %.2f times as long",
		r.floor.Round(time.Second/10), rate(r.floor), floorWrites*rate(r.floor), r.took.Seconds()/r.floor.Seconds())
	row("meanwhile", "%s", r.carriedOn)
	row("sizes", "%s", r.sizes)
	for _, what := range slices.Sorted(maps.Keys(r.usedAfter)) {
		u := r.usedAfter[what]
		cpu := u.cpu - r.used[what].cpu
		row(what, "%d processes, %d MiB at most, %.1f s of CPU: %.0f ms for each application", u.number, u.memory, cpu, 1000*cpu/float64(z.applications))
	}
	total, most := perApplication(r.asked, r.askedAfter, z.applications)
	row("requests to the hub for each application", "%.1f", total)
	row("load of the machine", "%s", loadNow())
	_ = table.Flush()
	s.t.Logf("summary\n%s\nrequests to the hub for each application\n%s", text.String(), strings.Join(most, "\n"))
}
