// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"slices"
	"strings"

	"github.com/fairway-cloud/fairway/internal/placement"
)

// seat says of what runs and keeps to its hosts, for its volumes, on which they were seen last. Only
// the loss of hosts asks. Without an inventory nobody knows, and the answer says so.
func (d *Desk) seat(ctx context.Context, running []placement.Request, change placement.WhatIf) error {
	hosts := slices.ContainsFunc(change.Lose, func(l placement.Loss) bool { return l.Kind == "Host" || l.Kind == "" })
	if !hosts || d.Inventory == nil {
		return nil
	}
	for i := range running {
		r := &running[i]
		if !slices.ContainsFunc(r.Components, placement.Component.KeepsToHost) {
			continue
		}
		namespace, name, _ := strings.Cut(r.Application, "/")
		list, err := d.Inventory.Of(ctx, namespace, name)
		if err != nil {
			return err
		}
		for j := range list {
			if x := &list[j]; x.Cluster != "" && x.Host != "" {
				r.Sits = append(r.Sits, placement.Sits{Component: x.Component, Seat: x.Position().Number, Cluster: x.Cluster, Host: x.Host})
			}
		}
	}
	return nil
}
