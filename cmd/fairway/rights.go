// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/fairway-cloud/fairway/config"
	"github.com/fairway-cloud/fairway/internal/identity/register"
	"github.com/fairway-cloud/fairway/internal/identity/rights"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// addRights has the hub's policies compared with those of this binary, and puts
// their guard around the Gate: parts that come later get the guarded one.
func (h *house) addRights(context.Context) error {
	built, err := rights.Read(config.Installed)
	if err != nil {
		return err
	}
	h.rights, err = rights.New(rights.Options{Built: built, Cache: h.mgr.GetCache(), Log: h.log, Metrics: metrics.Registry})
	if err != nil {
		return err
	}
	h.gate = rights.Gate{Inner: h.gate, State: h.rights.State, Hub: h.mgr.GetClient()}
	return h.mgr.Add(h.rights)
}

// register answers about the people of the bank.
func (h *house) register(kinds []httpapi.Kind) *register.Register {
	return register.New(register.Config{
		Kinds: kinds, Reviews: h.reviews, Hub: h.mgr.GetClient(), People: h.door.people.People, As: h.clientOf, Policies: h.rights.State,
	})
}
