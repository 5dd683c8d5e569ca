// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/release"
)

var errKilled = errors.New("killed")

// fuse ends the process, as it were, at a write of the release room.
type fuse struct {
	writes int
	// at is the write at which it blows. 0: never.
	at int
	// after says that the write at which it blows still happens.
	after bool
	blown bool
	// off lets the writes of members pass uncounted.
	off bool
}

func (f *fuse) write(do func() error) error {
	if f.off {
		return do()
	}
	if f.blown {
		return errKilled
	}
	f.writes++
	if f.at == 0 || f.writes < f.at {
		return do()
	}
	f.blown = true
	if f.after {
		_ = do()
	}
	return errKilled
}

type journal struct {
	fuse *fuse
	acts []audit.Act
	open map[string]bool
	away bool
}

func (j *journal) Intent(_ context.Context, act audit.Act) (string, error) {
	if j.away {
		return "", errors.New("the disk is full")
	}
	if j.fuse.blown {
		return "", errKilled
	}
	j.acts = append(j.acts, act)
	id := fmt.Sprint(len(j.acts))
	j.open[id] = true
	return id, nil
}

func (j *journal) Outcome(_ context.Context, id string, _ audit.Outcome) error {
	delete(j.open, id)
	return nil
}

type gate struct {
	refuse string
	err    error
	acts   []approval.Act
	// meanwhile happens while it is asked.
	meanwhile func()
}

func (g *gate) Check(_ context.Context, act approval.Act) (approval.Verdict, error) {
	g.acts = append(g.acts, act)
	if g.meanwhile != nil {
		g.meanwhile()
	}
	return approval.Verdict{Allowed: g.refuse == "", Reason: g.refuse}, g.err
}

// finder finds everybody who is asked for, except in the cluster that it is cut from.
type finder struct {
	seats map[string]release.Instance
	away  string
}

func newFinder() *finder { return &finder{seats: map[string]release.Instance{}} }

func (f *finder) Find(_ context.Context, _ string, seats []string) (found []release.Instance, away []string, err error) {
	if f.away != "" {
		away = []string{f.away}
	}
	for _, s := range seats {
		if i, ok := f.seats[s]; ok && i.Cluster != f.away {
			found = append(found, i)
		}
	}
	return found, away, nil
}
