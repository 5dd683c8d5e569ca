// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package imports

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
)

// System is the person id under which Fairway itself acts.
const System = "fairway"

// Sync keeps the Persons in step with a directory. It is the part identity.sync, and
// runs on the leader.
type Sync struct {
	// Provider is the way of logging in that the directory is.
	Provider string
	// Everybody lists all people of the directory. An error, also of a list that is not
	// complete, changes nobody.
	Everybody func(ctx context.Context) ([]identity.Claim, error)
	// Settings with their defaults.
	Settings identity.SyncSettings
	// Hub is written under Fairway's own account.
	Hub client.Client
	// Gate and Recorder as for everything that Fairway does by itself.
	Gate     approval.Gate
	Recorder audit.Recorder
	// Log tells what changed, and what could not be done.
	Log *slog.Logger
}

// Start keeps in step until ctx ends.
func (s *Sync) Start(ctx context.Context) error {
	ticker := time.NewTicker(s.Settings.Every.Duration)
	defer ticker.Stop()
	for {
		if done, faults, err := s.Once(ctx); ctx.Err() == nil {
			switch {
			case err != nil:
				s.Log.Error("could not keep people in step with their directory: nobody was changed", "provider", s.Provider, "cause", err.Error())
			case len(done) > 0 || len(faults) > 0:
				s.Log.Info("people are in step with their directory", "provider", s.Provider, "written", len(done), "left out", len(faults))
			}
			for i, f := range faults {
				if i == most {
					break
				}
				s.Log.Error("a person of the directory was left out", "provider", s.Provider, "person", f.ID, "cause", f.Message)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// most is how many single faults are told.
const most = 20

// Once brings the Persons in step. Who cannot be written is left out and told; an
// error means that nobody was changed.
func (s *Sync) Once(ctx context.Context) (done []Action, faults []Fault, err error) {
	claims, err := s.Everybody(ctx)
	if err != nil {
		return nil, nil, err
	}
	if len(claims) == 0 {
		return nil, nil, fmt.Errorf("could not list anybody of %q: an empty directory is taken for one that is away", s.Provider)
	}
	people := &identityv1.PersonList{}
	if err := s.Hub.List(ctx, people); err != nil {
		return nil, nil, fmt.Errorf("could not list the people of the bank: %w", err)
	}
	rows, faults := s.rows(claims)
	options := Options{Source: s.Provider, DisableMissing: s.Settings.DisableMissing, DisableAtMost: s.Settings.DisableAtMost, Present: map[string]bool{}}
	for _, c := range claims {
		options.Present[s.Settings.IDOf(c)] = true
	}
	decision := Decision{}
	for {
		decision = Plan(Batch{People: rows}, Seen{People: people.Items}, options)
		if len(decision.Faults) == 0 {
			break
		}
		bad := map[string]bool{}
		for _, f := range decision.Faults {
			if f.ID == "" {
				return nil, faults, fmt.Errorf("could not keep %q in step: %s", s.Provider, f.Message)
			}
			bad[f.ID] = true
		}
		faults, rows = append(faults, decision.Faults...), without(rows, bad)
		if len(rows) == 0 {
			return nil, faults, fmt.Errorf("could not keep %q in step: nobody of the directory can be written", s.Provider)
		}
	}
	actions := decision.Actions
	if refused := Try(ctx, s.Hub, actions); len(refused) > 0 {
		bad := map[string]bool{}
		for _, f := range refused {
			bad[f.ID] = true
		}
		var good []Action
		for _, a := range actions {
			if !bad[a.Name()] {
				good = append(good, a)
			}
		}
		actions, faults = good, append(faults, refused...)
	}
	if len(actions) == 0 {
		return nil, faults, nil
	}
	return actions, faults, s.write(ctx, actions)
}

// write does the actions as one act with its evidence. FailClosed: who comes in cannot
// change unrecorded.
func (s *Sync) write(ctx context.Context, actions []Action) error {
	const verb = "identity.sync"
	subject := "Person/*"
	verdict, err := s.Gate.Check(ctx, approval.Act{Verb: verb, Subject: subject, Person: System})
	if err != nil {
		return fmt.Errorf("could not find out whether people may change: %w", err)
	}
	if !verdict.Allowed {
		return fmt.Errorf("could not change people: %s", verdict.Reason)
	}
	act := audit.Act{Verb: verb, Person: System, Subject: subject, From: "directory " + s.Provider, Approval: verdict.Approval, Verdict: verdict.Reason}
	for i, a := range actions {
		if i == mostDetails {
			act.Details = append(act.Details, fmt.Sprintf("and %d more", len(actions)-mostDetails))
			break
		}
		act.Details = append(act.Details, a.String())
	}
	return audit.Do(ctx, s.Recorder, audit.FailClosed, act, func(ctx context.Context) error {
		if failed := CarryOut(ctx, s.Hub, actions); len(failed) > 0 {
			return fmt.Errorf("could not write %d of %d people, the next time does what is left: %s", len(failed), len(actions), failed[0])
		}
		return nil
	})
}

// mostDetails is how many single people one record names.
const mostDetails = 200

// rows are the people of a directory as an import takes them.
func (s *Sync) rows(claims []identity.Claim) ([]Row, []Fault) {
	var rows []Row
	var faults []Fault
	for _, c := range claims {
		id := s.Settings.IDOf(c)
		if id == "" {
			faults = append(faults, Fault{ID: printable(c.Login), Message: "the directory says nothing that an id can be made from (sync.id)"})
			continue
		}
		rows = append(rows, Row{
			ID: id, Provider: s.Provider,
			Spec: identityv1.PersonSpec{
				DisplayName: c.Name, StaffNumber: c.StaffNumber, Unit: c.Unit, Mail: c.Mail,
				Logins: []identityv1.Login{{Provider: s.Provider, Login: c.Login, Subject: c.Subject}},
			},
			Columns: Columns{"displayName": c.Name != "", "staffNumber": c.StaffNumber != "", "unit": c.Unit != "", "mail": c.Mail != "", "logins": true},
		})
	}
	return rows, faults
}

func without(rows []Row, bad map[string]bool) []Row {
	var good []Row
	for _, r := range rows {
		if !bad[r.ID] {
			good = append(good, r)
		}
	}
	return good
}
