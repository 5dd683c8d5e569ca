// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/fairway-cloud/fairway/config"
	"github.com/fairway-cloud/fairway/internal/identity/imports"
	"github.com/fairway-cloud/fairway/internal/identity/ldap"
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
	wanted, err := h.hooked()
	if err != nil {
		return err
	}
	if wanted != nil {
		if err := built.Add(wanted); err != nil {
			return err
		}
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
		Own: h.mgr.GetClient(), Cases: h.amendments, Accounts: h.accounts(), Prove: h.proofs.ProveAmendment,
	})
}

// addSync keeps people in step with each directory whose settings say so.
func (h *house) addSync(context.Context) error {
	settings, err := loginSettings(h.options.loginSettings)
	if err != nil {
		return err
	}
	for _, p := range settings.Providers {
		if p.LDAP == nil || p.LDAP.Sync == nil {
			continue
		}
		from, err := ldap.New(p.Name, *p.LDAP)
		if err != nil {
			return err
		}
		if err := h.mgr.Add(&imports.Sync{
			Provider: p.Name, Everybody: from.Everybody, Settings: *p.LDAP.Sync, Hub: h.mgr.GetClient(), Gate: h.gate, Recorder: h.recorder, Log: h.log,
		}); err != nil {
			return err
		}
	}
	return nil
}
