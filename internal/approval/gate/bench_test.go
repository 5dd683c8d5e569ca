// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package gate_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval/approvaltest"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/ledger"
)

// busy is an approved Release that has begun, whose request was decided on by many.
func busy(b *testing.B) (*approvaltest.World, func() error) {
	w := approvaltest.New(b, hub, tenancyv1.ClassProduction)
	w.Joint(func(s *approvalv1.ApprovalPolicySpec) { s.Stages[0].Parties[0].Approvers = 2 })
	r := w.Release("busy")
	q := w.Ask(r)
	for range 8 {
		w.Decide("dev", q, approvalv1.VerdictApprove) // does not count, and is looked at
	}
	w.Decide("all", q, approvalv1.VerdictApprove)
	w.Agree(q)
	w.Start(r)
	return w, func() error {
		verdict, err := w.Gate.Check(context.Background(), w.Act(step, r))
		if err == nil && !verdict.Allowed {
			err = fmt.Errorf("refused: %s", verdict.Reason)
		}
		return err
	}
}

// BenchmarkCheck asks the Gate for a step of an approved Release, with everything
// read from a real API server. "floor" reads one object from it.
func BenchmarkCheck(b *testing.B) {
	w, check := busy(b)
	b.Run("gate", func(b *testing.B) {
		for b.Loop() {
			if err := check(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		key := types.NamespacedName{Name: w.Tenant}
		for b.Loop() {
			if err := w.System.Get(context.Background(), key, &tenancyv1.Tenant{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkWrite writes an Application on a real API server: alone ("floor"), with an
// intent and an outcome in a real log around it, and with the Gate asked for a step of
// an approved Release besides. The three take turns, so that all see the same machine.
//
// "apart" lets 150 ms pass before each round, as a Release does between its steps; in
// "close" one follows on another. An API server asks its etcd at most each 100 ms how
// new its cache is, and a list that is as of now waits for that: what follows close on
// another check and a write waits nearly as long.
func BenchmarkWrite(b *testing.B) {
	b.Run("apart", func(b *testing.B) { turns(b, 150*time.Millisecond) })
	b.Run("close", func(b *testing.B) { turns(b, 0) })
}

func turns(b *testing.B, pause time.Duration) {
	w, check := busy(b)
	log, err := ledger.Open(ledger.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = log.Close() })
	a, turn := w.Application(), 0
	write := func(ctx context.Context) error {
		turn++
		before := a.DeepCopy()
		a.Spec.Identity.Owner = fmt.Sprintf("team-%d", turn)
		return w.System.Patch(ctx, a, client.MergeFrom(before))
	}
	act := audit.Act{Verb: "app.update", Person: w.ID("dev"), Subject: "Application/" + a.Namespace + "/" + a.Name, Environment: w.Environment}
	ways := []func() error{
		func() error { return write(context.Background()) },
		func() error { return audit.Do(context.Background(), log, audit.FailClosed, act, write) },
		func() error {
			if err := check(); err != nil {
				return err
			}
			return audit.Do(context.Background(), log, audit.FailClosed, act, write)
		},
	}
	took := make([][]time.Duration, len(ways))
	for b.Loop() {
		time.Sleep(pause)
		for i, way := range ways {
			began := time.Now()
			if err := way(); err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	var median [3]float64
	for i := range took {
		slices.Sort(took[i])
		median[i] = float64(took[i][len(took[i])/2].Microseconds()) / 1000
	}
	b.ReportMetric(median[0], "write-ms")
	b.ReportMetric(median[1], "recorded-ms")
	b.ReportMetric(median[2], "gated-ms")
	b.ReportMetric(median[1]/median[0], "recorded-ratio")
	b.ReportMetric(median[2]/median[0], "gated-ratio")
}
