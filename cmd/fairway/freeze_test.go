// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const nights = `apiVersion: approval.fairway.cloud/v1alpha1
kind: ChangeCalendar
metadata: {name: nights}
spec:
  timeZone: Asia/Shanghai
  windows: [{name: nights, from: "22:00", to: "06:00"}]
---
apiVersion: tenancy.fairway.cloud/v1alpha1
kind: Environment
metadata: {name: frz}
spec: {class: Production}
---
apiVersion: approval.fairway.cloud/v1alpha1
kind: ApprovalPolicy
metadata: {name: frozen-env}
spec:
  match: {environments: [frz]}
  stages: [{name: one, parties: [{name: technology, groups: [tech]}]}]
  window: {calendars: [nights]}
`

// A scheduler begins and ends a freeze, and people see what it holds back.
func TestFreezesAndWindows(t *testing.T) {
	b := startServer(t)
	file := filepath.Join(b.dir, "nights.yaml")
	if err := os.WriteFile(file, []byte(nights), 0o600); err != nil {
		t.Fatal(err)
	}
	tell(t, []step{
		{"the calendar is applied like anything else", "apply -f " + file, 0, []string{"changecalendar.approval.fairway.cloud/nights"}, nil},
		{"by day the window is closed", "calendar check -n retail-frz --at 2026-03-10T12:00:00+08:00", 0,
			[]string{"retail-frz (Production)", "frozen-env", "Closed", "2026-03-10 22:00 +08:00", `calendar "nights" has no change window now`}, nil},
		{"by night it is open", "calendar check -n retail-frz --at 2026-03-10T23:00:00+08:00", 0, []string{"Open", "2026-03-11 06:00 +08:00"}, nil},
		{"a reason is needed", "freeze start eod --environment frz", 2, nil, []string{"say why with --reason"}},
		{"a moment has to be one", "freeze start eod --reason x --from yesterday", 2, nil, []string{`could not read --from "yesterday"`}},
		{"one end is enough", "freeze start eod --reason x --to 2030-01-01 --for 1h", 2, nil, []string{"not with both"}},
		{"the end comes after the beginning", "freeze start eod --reason x --from 2030-01-02 --to 2030-01-01", 8, nil, []string{"the freeze ends before it begins"}},
		{"the batch begins", "freeze start eod --kind Batch --environment frz --tenant retail --reason batch --from 2026-03-10T14:30:00Z", 0,
			[]string{"freeze.approval.fairway.cloud/eod started"}, nil},
		{"and is listed", "freeze list", 0, []string{"eod", "Batch", "2026-03-10T14:30:00Z"}, nil},
		{"it blocks by night", "calendar check -n retail-frz --at 2026-03-10T23:00:00+08:00", 0, []string{"Closed", "unknown", `the running batch "eod" holds until it is ended: batch`}, nil},
		{"others it does not", "calendar check -n cards-frz --at 2026-03-10T23:00:00+08:00", 0, []string{"Open"}, nil},
		{"it is on record", "delete freeze eod", 3, nil, []string{"end it first"}},
		{"the batch has ended", "freeze end eod", 0, []string{"freeze.approval.fairway.cloud/eod ended"}, nil},
		{"once", "freeze end eod", 5, nil, []string{"it was ended at"}},
		{"one that is not there", "freeze end none", 6, nil, nil},
		{"nothing holds", "freeze list", 0, nil, []string{"no freeze holds or is planned"}},
		{"the record stays", "freeze list --all -o wide", 0, []string{"eod", time.Now().UTC().Format("2006-01-02")}, nil},
		{"and may be cleared away", "delete freeze eod", 0, nil, nil},
		{"no environment", "calendar check -n retail-none", 6, nil, []string{`could not find environment "none"`}},
	})
	if out, _, code := run(t, strings.Fields("calendar check -n retail-frz --at 2026-03-10T12:00:00+08:00 -o json")...); code != 0 || !strings.Contains(out, `"next":"2026-03-10T22:00:00+08:00"`) {
		t.Errorf("scripts read JSON: %d %s", code, out)
	}
}
