// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// newRegistry serves the named images of the bank, and returns its address.
func newRegistry(t *testing.T, images ...string) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	address := strings.TrimPrefix(server.URL, "http://")
	for _, image := range images {
		reference, err := name.ParseReference(address+"/"+image, name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		content, err := random.Image(64, 1)
		if err != nil {
			t.Fatal(err)
		}
		if content, err = mutate.Config(content, v1.Config{User: "65532"}); err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(reference, content); err != nil {
			t.Fatal(err)
		}
	}
	return address
}

// headerOnly is a file of machines that names none.
func headerOnly(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "none.csv")
	if err := os.WriteFile(path, []byte("namespace,application,component,seat,dcn,dataCenter,rack,host,address\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// bankStory is what a user does with the example bank before any cluster is there.
func bankStory(t *testing.T, b *bench) {
	const world, bank = "../../examples/bank/world", "../../examples/bank/applications/mobile-bank.yaml"
	content, err := os.ReadFile(bank)
	if err != nil {
		t.Fatal(err)
	}
	change := func(file, old, new string) string {
		path := filepath.Join(b.dir, file)
		if err := os.WriteFile(path, []byte(strings.Replace(string(content), old, new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tell(t, []step{
		{"the bank's world, from several files", "apply -R -f " + world, 0, []string{"tenant.tenancy.fairway.cloud/retail created", "pool.fleet.fairway.cloud/retail-dmz created"}, nil},
		{"the same again", "apply -R -f " + world, 0, []string{"tenant.tenancy.fairway.cloud/retail unchanged"}, nil},
		{"wide characters", "get tenants", 0, []string{"NAME     DISPLAY NAME", "retail   零售银行部"}, nil},
		{"all is new", "diff -f " + bank, 1, []string{"application.app.fairway.cloud/mobile-bank (new)"}, nil},
		{"it may go live", "app check -f " + bank, 0, nil, nil},
		{"an application becomes a Revision and nothing runs", "apply --wait --timeout 60s -f " + bank, 0,
			[]string{"application.app.fairway.cloud/mobile-bank created", "nothing runs yet; start a release with: fairway release start mobile-bank -n retail-prod"}, nil},
		{"what runs on virtual machines, looked at", "placement machines import -f ../../examples/bank/machines.csv --dry-run", 0, []string{"retail-prod/mobile-bank.cmdb created (server dry run)", "2 machines: 1 applications created"}, nil},
		{"imported", "placement machines import -f ../../examples/bank/machines.csv", 0, []string{"retail-prod/mobile-bank.cmdb created"}, nil},
		{"the same file again", "placement machines import -f ../../examples/bank/machines.csv", 0, []string{"2 machines: 0 applications created, 0 updated, 1 unchanged"}, nil},
		{"they are listed", "placement machines mobile-bank -n retail-prod", 0, []string{"account-9001", "dcn-east-1", "vm-mb-0001", "10.200.1.11"}, nil},
		{"a file that is not there", "placement machines import -f moon.csv", 2, nil, []string{"could not read"}},
		{"none any more, unconfirmed", "placement machines import -f " + headerOnly(t, b.dir) + " --none retail-prod/mobile-bank", 5, nil, []string{"2 of 2 of retail-prod/mobile-bank; nothing was written", "--gone 2"}},
		{"none any more", "placement machines import -f " + headerOnly(t, b.dir) + " --none retail-prod/mobile-bank --gone 2", 0, []string{"retail-prod/mobile-bank account-9001 gone"}, nil},
		{"nobody to tell", "placement inventory replay cmdb", 6, nil, []string{"none is configured"}},
		{"names are completed", "__complete get application -n retail-prod m", 0, []string{"mobile-bank"}, nil},
		{"namespaces are completed", "__complete get applications -n retail", 0, []string{"retail-prod"}, nil},
		{"an image that no registry has", "apply --wait --timeout 60s -f " + change("gone.yaml", "bank/account:v1", "bank/account:v404"), 8, nil, []string{"v404", "what runs is not touched"}},
		{"back to what was", "apply --wait --timeout 60s -f " + bank, 0, []string{"nothing runs yet"}, nil},
		{"a level that the zone refuses", "app check -f " + change("level.yaml", "securityLevel: l2", "securityLevel: l4"), 1, []string{"Error", "channel"}, []string{"may not go live"}},
		{"a dry run that finds an error fails", "apply --dry-run=server -f " + filepath.Join(b.dir, "level.yaml"), 1, []string{"(server dry run)"}, []string{"no Revision would come of it", "of the findings are errors"}},
		{"a dry run that finds none does not", "apply --dry-run=server -f " + bank, 0, []string{"(server dry run)"}, nil},
		{"a revision that is not there", "release start mobile-bank -n retail-prod --revision mobile-bank-0000000000 --reason test --ticket C-1", 8, nil,
			[]string{`revision "mobile-bank-0000000000" is not there`, "next: Name one that is there: fairway get revisions -n retail-prod"}},
		{"nor is it brought back", "release start mobile-bank -n retail-prod --kind Rollback --revision mobile-bank-0000000000 --reason test", 8, nil, []string{"is not there"}},
		{"without a cluster there is no room, and why is told once", "release start mobile-bank -n retail-prod --reason test --ticket C-1 --wait", 1, nil, []string{"needs a person", "no cell takes", "code: NotPlaced"}},
		{"the release of an application", "release status mobile-bank -n retail-prod", 0, []string{"Ticket:", "C-1", "Stalled", "NotPlaced"}, nil},
		{"it holds the application", "get applications,releases -n retail-prod", 0, []string{"mobile-bank", "NotPlaced"}, nil},
		{"stopping", "release stop mobile-bank -n retail-prod", 0, []string{"stopped"}, nil},
		{"what is stopped goes on", "release resume mobile-bank -n retail-prod --reason room", 0, []string{"resumed"}, nil},
		{"what goes on is not resumed", "release resume mobile-bank -n retail-prod", 5, nil, []string{"it is not stopped", "next: See how far it is: fairway release status"}},
		{"stopping once more", "release stop mobile-bank -n retail-prod", 0, []string{"stopped"}, nil},
		{"waiting for what is stopped ends", "release status mobile-bank -n retail-prod --wait", 1, nil, []string{"was stopped"}},
		{"seats that nobody sits on", "instance restart account-1 -n retail-prod --reason test", 6, nil, []string{`could not find instance "account-1" in "retail-prod"`}},
		{"a rule of the hub says what to do first", "delete tenant retail --dry-run=server", 3, nil, []string{"retire and delete them first", "next: Do what the message says first"}},
		{"a group without its command", "release begin mobile-bank", 2, nil, []string{`unknown command "begin" for "fairway release"`}},
		{"a command that there is not", "elease start", 2, nil, []string{"unknown command"}},
		{"too few words", "release start", 2, nil, []string{"accepts 1 arg"}},
	})
	// The inventory follows within a moment.
	listed := ""
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline) && !strings.Contains(listed, "account-9002"); <-time.After(100 * time.Millisecond) {
		listed, _, _ = run(t, "placement", "inventory", "-n", "retail-prod", "--since", "0")
	}
	if !strings.Contains(listed, "account-9001") || !strings.Contains(listed, "Gone") || !strings.Contains(listed, "go on with --since") {
		t.Errorf("the inventory tells of the machines that went: %s", listed)
	}
	out, _, code := run(t, "get", "revisions", "-n", "retail-prod", "-o", "name")
	_, revision, _ := strings.Cut(strings.Fields(out)[0], "/")
	tell(t, []step{
		{"a revision of another application", "release start other -n retail-prod --reason test --ticket C-1 --revision " + revision, 8, nil, []string{`is of application "mobile-bank"`}},
	})
	if code != 0 || revision == "" {
		t.Errorf("the revisions are listed: %d %q", code, out)
	}
}
