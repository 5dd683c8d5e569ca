// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"encoding/json"
	"fmt"
	"testing"
)

// BenchmarkPlanUnchanged plans for an application of 300 instances in three
// workloads whose member holds just what is wished: what each look at an idle
// application costs. It fails when such a look would write anything. "floor"
// writes the observed pods as JSON once.
func BenchmarkPlanUnchanged(b *testing.B) {
	account, channel, ledger := service("account-a", 100), service("channel-a", 100), service("ledger-a", 100)
	channel.Component, ledger.Component = "channel", "ledger"
	seen := there(wishOf(account, channel, ledger))
	for _, w := range seen.Wish.Workloads {
		for n := range 100 {
			seen.Pods = append(seen.Pods, podOf(w, fmt.Sprintf("%s-%d", w.Name, n), fmt.Sprintf("%s-%d", w.Component, n+1), func(p *Pod) { p.Component = w.Component }))
		}
	}
	b.Run("plan", func(b *testing.B) {
		for b.Loop() {
			if d := Plan(seen); len(d.Actions) > 0 || d.Stalled != nil {
				b.Fatalf("an unchanged application is written to: %v %v", d.Actions, d.Stalled)
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			if _, err := json.Marshal(seen.Pods); err != nil {
				b.Fatal(err)
			}
		}
	})
}
