// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"slices"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/history"
	"github.com/fairway-cloud/fairway/internal/placement/inventory"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/release/kept"
	"github.com/fairway-cloud/fairway/internal/server"
)

// Desk answers from what is on the hub.
type Desk struct {
	// Hub reads through a cache, and Direct past it.
	Hub, Direct client.Reader
	// Authority says who may look at the Placements of the whole fleet.
	Authority server.Authority
	// Drafts freezes applications that were sent along with a question.
	Drafts Drafts
	Clock  clock.PassiveClock
	// As acts on the hub as the person who asks.
	As func(ctx context.Context) (client.Client, error)
	// Keep keeps a brake that the hub cannot take now, until it can. Nil: it is refused.
	Keep func(ctx context.Context, person identity.Person, name string, said kept.Brake) error
	// History of what pools held; nil: there is none.
	History *history.Store
	// Inventory of all instances, and Replay, which has a receiver of it told anew; nil: there
	// is none.
	Inventory *inventory.Store
	Replay    Replayer
}

// Outcome is what would follow of a change.
type Outcome struct {
	// Notes say where the instances of lost DCNs would go, what of virtual machines is lost,
	// which hosts come, and what could not be looked at.
	Notes []string `json:"notes"`
	// Moves are the cells that gain instances, or lose them.
	Moves []Move `json:"moves"`
	// Unplaced are the applications that would not fit, the most important first.
	Unplaced []Unplaced `json:"unplaced"`
	// Trials say where the applications that were sent along would run.
	Trials []Trial `json:"trials"`
}

// Move is instances that a cell gains, or loses where by is negative.
type Move struct {
	Application string           `json:"application"`
	Component   string           `json:"component"`
	Cell        placementv1.Cell `json:"cell"`
	By          int              `json:"by"`
}

// Unplaced is an application that would not fit.
type Unplaced struct {
	Application string   `json:"application"`
	Reasons     []string `json:"reasons"`
}

// badChange is a change that names what the fleet does not know, or that cannot be.
type badChange struct{ error }

// Pool is how full a pool is.
type Pool struct {
	Pool  string `json:"pool"`
	Hosts int    `json:"hosts"`
	// Packing is how new instances fill the hosts: Spread or Pack.
	Packing fleetv1.Packing `json:"packing"`
	// SpareHosts is how many hosts' worth of room is kept free for lost hosts, and
	// SurgeHosts how many for successors of what runs.
	SpareHosts int `json:"spareHosts"`
	SurgeHosts int `json:"surgeHosts"`
	// Total is what the hosts could hold, Held what Placements reserve.
	Total Amount `json:"total"`
	Held  Amount `json:"held"`
	// Classes are the hosts by size and processor, and what is free on them.
	Classes []HostClass `json:"classes"`
	// More is how many instances more of each sizing class fit that the pool takes, each on
	// its own, and Sites are the same in each data centre.
	More  []More `json:"more"`
	Sites []Site `json:"sites"`
	// Advice says which sizes should have hosts of their own, and what that brings; left out:
	// it would not bring much.
	Advice string `json:"advice,omitempty"`
	// Losses say what is left when the largest rack or data centre is lost.
	Losses []Left `json:"losses"`
	// Trend of what is held.
	Trend Trend `json:"trend"`
}

// Amount of what hosts offer. CPU counts in thousandths of a core, memory in bytes.
type Amount struct {
	CPU       int64 `json:"cpu"`
	Memory    int64 `json:"memory"`
	Instances int64 `json:"instances"`
}

// HostClass is hosts that are alike, what they are certain to have free, and what they have
// free at most: where hosts of several classes stand in a rack, the cluster's scheduler
// chooses among them.
type HostClass struct {
	Class      string `json:"class"`
	Hosts      int64  `json:"hosts"`
	Free       Amount `json:"free"`
	FreeAtMost Amount `json:"freeAtMost"`
}

// More is how many instances more of a sizing class fit for certain, and how many would if
// sizes had hosts of their own.
type More struct {
	Size      string `json:"size"`
	Instances int64  `json:"instances"`
	Separate  int64  `json:"separate"`
}

// Site is what a pool has in one data centre.
type Site struct {
	DataCenter string `json:"dataCenter"`
	Free       Amount `json:"free"`
	More       []More `json:"more"`
}

// Left is what is free after a loss; negative: that much lacks.
type Left struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	Free Amount `json:"free"`
}

// Trend is how what is held has grown.
type Trend struct {
	// HistoryDays is how many days of history it is drawn from.
	HistoryDays float64 `json:"historyDays"`
	// Since is the first day of it (UTC), such as "2026-10-29"; left out: there is none.
	Since string `json:"since,omitempty"`
	// FullInDays is when the pool is full if it goes on so; left out: nobody can tell, or
	// it does not fill up.
	FullInDays *float64 `json:"fullInDays,omitempty"`
	// Why says what is full first, or why there is no date.
	Why string `json:"why"`
}

// Capacity says how full pools are; name: only that one.
func (d *Desk) Capacity(ctx context.Context, name string) ([]Pool, error) {
	world, err := observed.Read(ctx, d.Hub, d.Direct)
	if err != nil {
		return nil, err
	}
	now := d.Clock.Now()
	use := history.Use(world, now)
	var past map[string][]placement.Point
	if d.History != nil {
		if past, err = d.History.Of(ctx, now); err != nil {
			return nil, err
		}
	}
	out := []Pool{}
	policies := map[string]placement.Policy{}
	for _, c := range world.Clusters.Items {
		if policies[c.Spec.Environment], _, err = world.Policy(c.Spec.Environment); err != nil {
			return nil, err
		}
	}
	snapshot := world.Snapshot(now)
	if name != "" {
		snapshot.Pools = slices.DeleteFunc(snapshot.Pools, func(p placement.Pool) bool { return p.Name != name })
	}
	for _, c := range placement.Capacity(snapshot, observed.Sizes(), func(environment string) placement.Policy { return policies[environment] }) {
		p := Pool{Pool: c.Pool, Hosts: c.Hosts, Packing: fleetv1.PackingSpread, SpareHosts: c.Spare, SurgeHosts: c.Kept, Total: Amount(c.Total), Held: Amount(c.Held), Classes: []HostClass{}, More: moreOf(c.More), Sites: []Site{}, Advice: c.Advice, Losses: []Left{}}
		if c.Pack {
			p.Packing = fleetv1.PackingPack
		}
		for _, k := range c.Classes {
			p.Classes = append(p.Classes, HostClass{Class: k.Class, Hosts: k.Hosts, Free: Amount(k.Free), FreeAtMost: Amount(k.AtMost)})
		}
		for _, s := range c.Sites {
			p.Sites = append(p.Sites, Site{DataCenter: s.DataCenter, Free: Amount(s.Free), More: moreOf(s.More)})
		}
		for _, l := range c.Losses {
			p.Losses = append(p.Losses, Left{Kind: l.Kind, Name: l.Name, Free: Amount(l.Free)})
		}
		p.Trend = trendOf(past[c.Pool], placement.Point{At: now, Held: use[c.Pool]}, c.Total)
		out = append(out, p)
	}
	return out, nil
}

func moreOf(all []placement.More) []More {
	out := []More{}
	for _, m := range all {
		out = append(out, More(m))
	}
	return out
}

// trendOf draws a line through what was recorded of a pool and what it holds now.
func trendOf(past []placement.Point, now placement.Point, total placement.Amount) Trend {
	t := placement.TrendOf(append(past, now), total)
	out := Trend{HistoryDays: t.Days, Why: t.Why}
	if !t.Since.IsZero() {
		out.Since = t.Since.Format(time.DateOnly)
	}
	if t.Full >= 0 {
		out.FullInDays = &t.Full
	}
	return out
}
