// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package scale

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

// layout is what each of the two members is furnished with.
type layout struct {
	pools []pool
	// hosts in each rack, every second with twice the cores.
	hosts int
	// most instances of one application in one member.
	most int
}

// pool is hosts of one tenant.
type pool struct {
	name, tenant string
	sizes        []appv1.SizingClass
	// apart is how many of its applications keep their instances on hosts of their own
	// (maxPerHost: 1): every so-manieth. 0: none.
	apart int
	racks int
	// cores that a lesser host has for instances.
	cores int64
	// least is the share of what the spare hosts leave that has to be held in the end.
	least float64
}

// oneSize says that the pool lists its only size, and is to be filled to its last place.
// Where instances keep apart, some hosts stay free for them, whatever the order.
func (p pool) oneSize() bool { return len(p.sizes) == 1 }

var mixed = []appv1.SizingClass{appv1.SizeMedium, appv1.SizeLarge, appv1.SizeXLarge, appv1.SizeXXLarge}

// small is 96 hosts, large 1,000.
var (
	small = layout{hosts: 16, most: 6, pools: []pool{
		{"xlarge", "retail", []appv1.SizingClass{appv1.SizeXLarge}, 0, 1, 8, 0.95},
		{"xxlarge", "retail", []appv1.SizingClass{appv1.SizeXXLarge}, 0, 1, 8, 0.95},
		{"mixed", "cards", mixed, 8, 1, 8, 0.35},
	}}
	large = layout{hosts: 50, most: 12, pools: []pool{
		{"large", "retail", []appv1.SizingClass{appv1.SizeLarge}, 0, 1, 8, 0.95},
		{"xlarge", "retail", []appv1.SizingClass{appv1.SizeXLarge}, 0, 3, 8, 0.95},
		{"xxlarge", "retail", []appv1.SizingClass{appv1.SizeXXLarge}, 0, 2, 8, 0.95},
		{"apart", "loans", []appv1.SizingClass{appv1.SizeXLarge}, 8, 1, 8, 0.75},
		{"mixed", "cards", mixed, 8, 1, 8, 0.35},
		{"wide", "trade", mixed, 0, 1, 64, 0.9},
		{"broad", "funds", mixed, 0, 1, 128, 0.95},
	}}
)

// TestFit fills two real members until nothing fits any more, with hosts lost meanwhile,
// and no instance ever waits for room. FAIRWAY_FIT=large takes 1,000 hosts.
func TestFit(t *testing.T) {
	ctrllog.SetLogger(logr.Discard())
	l, began := small, time.Now()
	if os.Getenv("FAIRWAY_FIT") == "large" {
		l = large
	}
	members := kubetest.StartFleet(t, []string{"east-1", "west-1"}, kubetest.WithControllerManager(), kubetest.WithScheduler(), kubetest.WithSimulator())
	s := furnish(t, l, members)
	s.say("%d hosts with their node agents stand after %s", s.hosts(), since(began))

	s.fill(0.6)
	lost := s.loseOnePerRoom()
	n := 0
	for _, names := range lost {
		n += len(names)
	}
	s.say("%d hosts lost", n)
	s.fill(0.8) // nobody knows yet that they are lost
	s.awaitLost(lost)
	s.look()
	s.say("the fleet knows that %d hosts are lost", n)
	s.fill(2)
	s.settle(lost)
	s.sameAfterRestart()
	s.report()
	s.say("all of it took %s", since(began))
}

// fill places and applies applications until a share of each pool's CPU is held, or until
// not one more instance fits.
func (s *scene) fill(share float64) {
	s.t.Helper()
	for open := append([]pool(nil), s.layout.pools...); len(open) > 0; {
		i := s.chance.IntN(len(open))
		if s.share(open[i]) >= share || !s.more(open[i]) {
			open = append(open[:i], open[i+1:]...)
		}
	}
	s.sample()
}

// more places one more application onto a pool, a smaller one where it is refused; false:
// not one instance fits.
func (s *scene) more(p pool) bool {
	s.t.Helper()
	sizes := s.chance.Perm(len(p.sizes))
	for most := s.layout.most; most > 0; most /= 2 {
		for _, k := range sizes {
			a := s.application(p, p.sizes[k], 1+s.chance.IntN(most), s.chance.IntN(most+1))
			request := s.request(a)
			decision := s.fleet.Place([]placement.Request{request}, s.policy)[0]
			if decision.Refused {
				s.refused[p.name]++
				continue
			}
			s.apply(a, request, decision)
			return true
		}
	}
	// One instance, in either member, of each size.
	for _, k := range sizes {
		for _, n := range [][2]int{{1, 0}, {0, 1}} {
			a := s.application(p, p.sizes[k], n[0], n[1])
			request := s.request(a)
			decision := s.fleet.Place([]placement.Request{request}, s.policy)[0]
			if !decision.Refused {
				s.apply(a, request, decision)
				return true
			}
			s.refused[p.name]++
		}
	}
	return false
}

// report says how full each pool is, and fails where one is not as full as it has to be, or
// where an instance has ever waited for room.
func (s *scene) report() {
	s.t.Helper()
	for _, p := range s.layout.pools {
		f := s.filled(p)
		s.say("pool %-8s %4d hosts ready, %5d instances of %d applications; %5.1f %% of the CPU, %5.1f %% of what the spare hosts leave; %d requests refused",
			p.name, f.hosts, f.instances, s.applications[p.name], 100*f.share, 100*f.besideSpare, s.refused[p.name])
		if f.besideSpare < p.least {
			s.t.Errorf("pool %q is filled to %.1f %% of what its spare hosts leave, want %.1f", p.name, 100*f.besideSpare, 100*p.least)
		}
	}
	for _, m := range s.members {
		for _, w := range m.watch.Waited("") {
			s.t.Errorf("%s: %s", m.name, w)
		}
	}
	s.say("pods that were Pending for lack of room at any moment: %d", s.waited())
}

func (s *scene) say(format string, args ...any) {
	s.t.Helper()
	s.t.Logf("%6s  %s", since(s.began), fmt.Sprintf(format, args...))
}

func since(t time.Time) time.Duration { return time.Since(t).Round(time.Second / 10) }

func chance() *rand.Rand { return rand.New(rand.NewPCG(4, 95)) } //nolint:gosec // a test's fixed dice
