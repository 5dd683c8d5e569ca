// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package retention

import (
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/audittest"
)

func TestEveryActHasAClass(t *testing.T) {
	for verb, want := range map[string]audit.Class{
		"approval.decide": audit.ClassApproval, "identity.login": audit.ClassLogin, "identity.logout": audit.ClassLogin, "identity.oidcCallback": audit.ClassLogin,
		"identity.create": audit.ClassChange, "identity.setPassword": audit.ClassChange, "audit.export": audit.ClassSystem, "audit.open": audit.ClassSystem,
		"release.step": audit.ClassChange, "server.hub": audit.ClassChange, "app.apply": audit.ClassChange, "": audit.ClassChange,
	} {
		log := audittest.New("s", time.Now)
		r := Recorder(log)
		if _, err := r.Intent(t.Context(), audit.Act{Verb: verb}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.(audit.Spooler).Spool(t.Context(), audit.Act{Verb: verb, Class: "given"}); err != nil {
			t.Fatal(err)
		}
		entries := log.Entries()
		if got := entries[0].Record.Act.Class; got != want {
			t.Errorf("%s: want %s, got %s", verb, want, got)
		}
		if got := entries[1].Record.Act.Class; got != "given" {
			t.Errorf("%s: what is named stays: %s", verb, got)
		}
	}
}
