// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/audit/index"
	"github.com/fairway-cloud/fairway/internal/audit/retention"
	auditserver "github.com/fairway-cloud/fairway/internal/audit/server"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
	"github.com/fairway-cloud/fairway/internal/server"
)

// indexEvery is how far the index stays behind the log.
const indexEvery = 500 * time.Millisecond

// addIndex opens the index of evidence and has the leader keep it up to date.
func (h *house) addIndex(ctx context.Context) error {
	log := h.ledger
	source := h.options.databaseSource()
	if !strings.Contains(source, "://") {
		// A file of its own: a damaged index is thrown away, what else the server owns is not.
		source = filepath.Join(h.options.dataDir, "evidence-index.db")
	}
	store, err := index.Open(ctx, source)
	if err != nil {
		return err
	}
	key, err := sealing.Ensure(filepath.Join(h.options.dataDir, "export.key"), "fairway-export")
	if err != nil {
		return err
	}
	policy, err := retentionPolicy(h.options.hook.retention)
	if err != nil {
		return err
	}
	h.audit = auditserver.Deps{Policy: policy, Index: store, Log: log, Recorder: h.recorder, Key: key, PublicKey: key.Public, Kin: h.kin, Logger: h.log, Background: ctx}
	h.audit.Checkpoint, h.audit.Receipts, h.index = log.Checkpoint, log, store
	return h.mgr.Add(leading(func(ctx context.Context) error {
		defer store.Close() //nolint:errcheck // everything in it comes from the log
		if wrong := log.Wrong(); wrong != nil {
			h.log.Error("the index of evidence stays as it was before the log was altered; it follows again once the log is restored")
			<-ctx.Done()
			return nil
		}
		return store.Follow(ctx, log, indexEvery, func(anew bool, err error) {
			if anew {
				h.log.Info("the index of evidence did not belong to the log and was made anew")
			}
			if err != nil {
				h.log.Error("the index of evidence falls behind; it is tried again", "cause", err.Error())
			}
		})
	}))
}

// retentionPolicy reads how long evidence is kept; without a file the defaults hold.
func retentionPolicy(path string) (retention.Policy, error) {
	var raw []byte
	if path != "" {
		var err error
		if raw, err = os.ReadFile(path); err != nil {
			return retention.Policy{}, fmt.Errorf("could not read the retention of evidence: %w", err)
		}
	}
	return retention.Parse(raw)
}

// leading is a runnable of the leader alone.
type leading func(context.Context) error

// Start implements manager.Runnable.
func (l leading) Start(ctx context.Context) error { return l(ctx) }

// auditRoutes are the audit room's part of the API.
func (h *house) auditRoutes(authority server.Authority, kinds []httpapi.Kind) []httpapi.Route {
	h.audit.Authority, h.audit.Kinds, h.audit.Crosscheck = authority, kinds, h.crosscheck.Statuses
	return auditserver.Routes(h.audit)
}

// kin lists the Releases of an application as the hub has them: records from
// before evidence named the application do not say so.
func (h *house) kin(ctx context.Context, subject index.Subject) (kin []index.Subject) {
	if subject.Kind != "application" {
		return nil
	}
	releases := &releasev1.ReleaseList{}
	if err := h.mgr.GetClient().List(ctx, releases, client.InNamespace(subject.Namespace)); err != nil {
		return nil // the records that name it are told all the same
	}
	for i := range releases.Items {
		if r := &releases.Items[i]; r.Spec.Application == subject.Name {
			kin = append(kin, index.Subject{Kind: "release", Namespace: r.Namespace, Name: r.Name})
		}
	}
	return kin
}
