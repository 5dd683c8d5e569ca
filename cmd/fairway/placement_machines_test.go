// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"strings"
	"testing"
)

// An explanation ends with what runs on virtual machines now, and what is in doubt of it.
func TestExplainMachines(t *testing.T) {
	var quiet, told strings.Builder
	if err := explainMachines(&quiet, machineList{}); err != nil || quiet.Len() > 0 {
		t.Errorf("where there are none nothing is said: %q %v", quiet.String(), err)
	}
	list := machineList{Total: 3}
	list.Doubts = append(list.Doubts, struct{ Application, Automation, Why string }{"teller", "Blocked", "source cmdb has not confirmed it for 24h"})
	if err := explainMachines(&told, list); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"now 3 on virtual machines", "nothing acts by itself on teller: source cmdb has not confirmed it for 24h"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("want %q in %q", want, told.String())
		}
	}
}
