// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func topologyOf(name string) []byte {
	return []byte("apiVersion: sandbox.fairway.cloud/v1alpha1\nkind: Sandbox\nmetadata: {name: " + name + "}\nspec: {dataCenters: [{name: dc-east, racks: [east-a]}]}\n")
}

func TestSandboxesGetNumbersOfTheirOwn(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	index := func(name string) int {
		t.Helper()
		f := Folder{Root: root, Name: name}
		if err := f.Create(topologyOf(name)); err != nil {
			t.Fatal(err)
		}
		plan, _, err := f.Plan()
		if err != nil {
			t.Fatal(err)
		}
		return plan.Index
	}
	if a, b, again := index("a"), index("b"), index("a"); a == b || again != a {
		t.Errorf("numbers are %d, %d and %d again; want two, and the first again", a, b, again)
	}
	first := index("a")
	if err := (Folder{Root: root, Name: "a"}).Remove(); err != nil {
		t.Fatal(err)
	}
	if c := index("c"); c != first {
		t.Errorf("the number %d of one that went is free again, got %d", first, c)
	}
	for _, name := range []string{"b", "c"} {
		if err := (Folder{Root: root, Name: name}).Remove(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(root); !os.IsNotExist(err) {
		t.Errorf("the last one takes the root folder along: %v", err)
	}
}

func TestAChangedTopologyIsRefused(t *testing.T) {
	f := Folder{Root: t.TempDir(), Name: "a"}
	if err := f.Create(topologyOf("a")); err != nil {
		t.Fatal(err)
	}
	err := f.Create(append(topologyOf("a"), '\n'))
	if err == nil || !strings.Contains(err.Error(), "sandbox down") {
		t.Errorf("the way out must be said, got %v", err)
	}
}

func TestOnlyOneSupervisor(t *testing.T) {
	f := Folder{Root: t.TempDir(), Name: "a"}
	if err := f.Create(topologyOf("a")); err != nil {
		t.Fatal(err)
	}
	unlock, err := f.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Lock(); err == nil {
		t.Error("a second supervisor must be refused")
	}
	unlock()
	if unlock, err = f.Lock(); err != nil {
		t.Errorf("the lock ends with its holder: %v", err)
	} else {
		unlock()
	}
}
