// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/cases"
	approvalgate "github.com/fairway-cloud/fairway/internal/approval/gate"
	"github.com/fairway-cloud/fairway/internal/identity/rights"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

var errHubAway = errors.New("the hub is away")

// nothing is a hub of which the Gate reads nothing.
type nothing struct{}

func (nothing) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errHubAway
}

func (nothing) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errHubAway
}

// A Release that went wrong half-way is stopped and brought back to the revision that
// its plan names, whatever is away: by the real Gate, which lets nothing go forward
// then.
func TestTheWayBackGoesThrough(t *testing.T) {
	real := &approvalgate.Gate{Cases: &cases.Reader{
		Direct: nothing{}, Now: time.Now, People: func(context.Context) (approval.People, error) { return nil, errHubAway },
	}}
	differs := func() rights.State { return rights.State{Reason: "the hub's policies were changed"} }
	for name, test := range map[string]struct {
		gate approval.Gate
		log  bool
	}{
		"hub and database away from the gate": {gate: real},
		"log away":                            {gate: approval.Unrestricted{}, log: true},
		"policies not whole":                  {gate: rights.Gate{Inner: real, State: differs, Hub: nothing{}}},
		"everything at once":                  {gate: rights.Gate{Inner: real, State: differs, Hub: nothing{}}, log: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBank(t)
			first := b.revise()
			b.create(releasetest.New("first", first))
			b.settle()
			b.members["east-1"].Broken = map[string]string{"account": "it does not start"}
			b.members["west-1"].Broken = b.members["east-1"].Broken
			b.create(releasetest.New("second", b.revise(changed("account.image=2.0"))))
			b.settle()
			if r := b.release("second"); release.Finished(r) || r.Status.StartedAt == nil {
				t.Fatalf("the second is to be under way: %+v", r.Status)
			}

			b.steps.Gate, b.journal.away = test.gate, test.log
			b.say("second", "Stop")
			b.settle()
			b.create(releasetest.New("back", first, releasetest.Rollback))
			b.settle()
			if r := b.release("back"); !release.Finished(r) {
				t.Errorf("the way back is open: %+v", r.Status.Conditions)
			}
			if got := b.application().Status.ReleasedRevision; got != first {
				t.Errorf("revision %q is in service, wanted %q", got, first)
			}
			b.create(releasetest.New("forward", b.revise(changed("account.image=3.0"))))
			b.settle()
			if r := b.release("forward"); r.Status.StartedAt != nil {
				t.Errorf("nothing goes forward then: %+v", r.Status.Conditions)
			}
		})
	}
}
