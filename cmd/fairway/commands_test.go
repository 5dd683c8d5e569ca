// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairway-cloud/fairway/internal/platform/database"
)

const world = `# Two data centres of one city.
apiVersion: fleet.fairway.cloud/v1alpha1
kind: DataCenter
metadata: {name: dc-cli}
spec: {city: 上海, displayName: 上海张江一号, role: Active}
---
apiVersion: release.fairway.cloud/v1alpha1
kind: Release
metadata: {name: r-1, namespace: retail-sit}
spec: {application: pay, kind: Retire, reason: a test}
`

// step is one command of a story, and what it must answer.
type step struct {
	reason string
	words  string
	code   int
	out    []string
	err    []string
}

// tell runs the commands of a story one after the other.
func tell(t *testing.T, steps []step) {
	t.Helper()
	for _, step := range steps {
		out, errOut, code := run(t, strings.Fields(step.words)...)
		if code != step.code {
			t.Errorf("%s: fairway %s: want exit %d, got %d\n%s\n%s", step.reason, step.words, step.code, code, out, errOut)
		}
		for _, want := range step.out {
			if !strings.Contains(out, want) {
				t.Errorf("%s: fairway %s: stdout lacks %q:\n%s\n%s", step.reason, step.words, want, out, errOut)
			}
		}
		for _, want := range step.err {
			if !strings.Contains(errOut, want) {
				t.Errorf("%s: fairway %s: stderr lacks %q:\n%s", step.reason, step.words, want, errOut)
			}
		}
	}
}

// One server, two stories: what users do from the first apply to the delete.
func TestCommands(t *testing.T) {
	b := startServer(t)
	t.Run("any kind", func(t *testing.T) { kindsStory(t, b) })
	t.Run("the bank", func(t *testing.T) { bankStory(t, b) })
	t.Run("its people", func(t *testing.T) { peopleStory(t, b) })
	t.Run("the auditor", func(t *testing.T) { auditStory(t, b) })
	t.Run("the evidence", func(t *testing.T) { b.end(t); evidenceStory(t, b) })
	t.Run("what registries said outlives the server", func(t *testing.T) { keptImages(t, b) })
}

// keptImages looks at what the registries of the bank's images said, in the database of a
// server that has ended.
func keptImages(t *testing.T, b *bench) {
	db, err := database.Open(t.Context(), filepath.Join(b.dir, "data", "fairway.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, image := range []string{"bank/channel", "bank/account", "bank/ledger"} {
		var account string
		if err := db.QueryRow(t.Context(), "SELECT account FROM images_facts WHERE image LIKE ?", "%/"+image+"@sha256:%").Scan(&account); err != nil || account != "65532" {
			t.Errorf("%s is kept by its digest: %q, %v", image, account, err)
		}
	}
}

// evidenceStory looks at what the other stories left in the log.
func evidenceStory(t *testing.T, b *bench) {
	dir := filepath.Join(b.dir, "data", "evidence")
	intents, outcomes, evidence := readEvidence(t, dir)
	if outcomes < 4 || outcomes != intents {
		t.Errorf("each act has an intent and an outcome:\n%s", evidence)
	}
	secret, err := os.ReadFile(filepath.Join(b.dir, "data", "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(evidence, strings.TrimSpace(string(secret))) {
		t.Error("the token must not reach the evidence")
	}
	tell(t, []step{
		{"the log verifies without its server", "audit verify --dir " + dir, 0, []string{"VERIFIED", "source server"}, nil},
		{"as JSON for scripts", "audit verify --dir " + dir + " -o json", 0, []string{`"faults": []`}, nil},
		{"a folder without a log is said so", "audit verify --dir " + b.dir + " --log-key " + filepath.Join(dir, "log.key.pub"), 1, nil, []string{"could not find a log"}},
		{"the private key is never taken for the public one", "audit verify --dir " + dir + " --log-key " + filepath.Join(dir, "log.key"), 1, nil, []string{"expected one line"}},
	})
	bundles, err := filepath.Glob(filepath.Join(dir, "2*", "tile", "entries", "000.p", "*"))
	if full, _ := filepath.Glob(filepath.Join(dir, "2*", "tile", "entries", "000")); len(full) > 0 {
		bundles = full
	}
	if err != nil || len(bundles) == 0 {
		t.Fatalf("there are records: %v, %v", bundles, err)
	}
	raw, err := os.ReadFile(bundles[0])
	if err != nil {
		t.Fatal(err)
	}
	raw[40] ^= 1
	if err := os.WriteFile(bundles[0], raw, 0o600); err != nil {
		t.Fatal(err)
	}
	tell(t, []step{{"one changed byte is found, and the record named", "audit verify --dir " + dir, 1, []string{"NOT AS WRITTEN", "record 0"}, nil}})
}

func kindsStory(t *testing.T, b *bench) {
	file := filepath.Join(b.dir, "world.yaml")
	if err := os.WriteFile(file, []byte(world), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(b.dir, "bad.yaml")
	if err := os.WriteFile(bad, []byte(strings.Replace(world, "role:", "rolle:", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	token := filepath.Join(b.dir, "data", "admin.token")
	tell(t, []step{
		{"what differs is shown, and exits 1", "diff -f " + file, 1, []string{"datacenter.fleet.fairway.cloud/dc-cli", "+ spec.city: 上海"}, nil},
		{"a dry run makes nothing", "apply -f " + file + " --dry-run=server", 0, []string{"dc-cli created (server dry run)"}, nil},
		{"so it is not there", "get datacenter dc-cli", 6, nil, []string{`could not find datacenter "dc-cli"`, "next:", "code: not-found"}},
		{"an unknown field is refused with its path", "apply -f " + bad, 8, nil, []string{"bad.yaml, document 1", `spec.rolle: no such field; do you mean "role"?`}},
		{"objects are made, cluster-scoped first", "apply -f " + file, 0, []string{"dc-cli created", "release.release.fairway.cloud/r-1 created"}, nil},
		{"the same again changes nothing", "apply -f " + file, 0, []string{"dc-cli unchanged"}, nil},
		{"nothing differs then", "diff -f " + file, 0, nil, nil},
		{"the requester is who asks", "get release r-1 -n retail-sit -o json", 0, []string{`"requester": "sandbox-admin"`}, nil},
		{"tables show the kind's columns", "get releases -n retail-sit", 0, []string{"NAME", "APPLICATION", "r-1", "pay"}, nil},
		{"short output for scripts", "get datacenters -o name", 0, []string{"datacenter.fleet.fairway.cloud/dc-cli"}, nil},
		{"instances are a list even when there are none", "get instances -A -o json", 0, []string{`"items": []`}, nil},
		{"describe shows what is wanted", "describe datacenter dc-cli", 0, []string{"DataCenter dc-cli", "city:", "上海"}, nil},
		{"explain shows fields", "explain datacenter.spec", 0, []string{"city <string> (required)", "FIELDS:"}, nil},
		{"explain lists the kinds", "explain", 0, []string{"KIND", "Application", "applications", "app.fairway.cloud"}, nil},
		{"explain names what there is", "explain datacenter.spec.colour", 6, nil, []string{"displayName"}},
		{"an unknown kind is an error of usage", "get elephants", 2, nil, []string{"there are", "applications"}},
		{"a release is stopped by its application's name", "release stop pay -n retail-sit", 0, []string{"r-1 stopped"}, nil},
		{"and shows it", "release status pay -n retail-sit", 0, []string{"Desired:", "Stop"}, nil},
		{"a seat that is not there", "logs pay-1 -n retail-sit", 6, nil, []string{`could not find instance "pay-1"`}},
		{"delete", "delete datacenter dc-cli --wait", 0, []string{"dc-cli deleted"}, nil},
		{"version of both", "version", 0, []string{"client:", "seals:  digests sha256", "TLS 1.2 and 1.3", "server:"}, nil},
		{"completion for shells", "completion bash", 0, []string{"fairway"}, nil},
		{"a server that is not there", "get clusters --server https://127.0.0.1:1 --token-file " + token, 9, nil, []string{"could not reach the server at 127.0.0.1:1"}},
		{"a token is sent to its own server only", "get clusters --server https://127.0.0.1:1", 2, nil, []string{"no token is given"}},
		{"a token over http is refused", "get clusters --server http://10.0.0.1 --token-file " + token, 2, nil, []string{"https only"}},
	})
}
