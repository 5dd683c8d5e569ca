// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/ledger"
	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
)

// readEvidence counts the records in a folder that no server holds any more, and
// returns them as text.
func readEvidence(t *testing.T, dir string) (intents, outcomes int, text string) {
	t.Helper()
	r, err := ledger.OpenReader(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := r.Read(context.Background(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Record.Kind == audit.KindIntent {
			intents++
		} else {
			outcomes++
		}
		text += string(e.Record.Canonical()) + "\n"
	}
	return intents, outcomes, text
}

// TestWitnessCommand runs the witness as an operator does, over TLS, and a log that
// is configured by the server's flags.
func TestWitnessCommand(t *testing.T) {
	dir := t.TempDir()
	authority, err := pki.New("ca")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(pki.Request{CommonName: "witness", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	evidence, address := filepath.Join(dir, "evidence"), freeAddress(t)
	if _, err := ledger.EnsureKey(evidence); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- runWitness(ctx, witnessOptions{
			dir: filepath.Join(dir, "witness"), listen: address, name: "witness.bank.example", logKeys: []string{filepath.Join(evidence, "log.key.pub")},
			certFile: write("tls.crt", pair.Cert), keyFile: write("tls.key", pair.Key),
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the witness stops without an error: %v", err)
		}
	})
	public := filepath.Join(dir, "witness", "witness.key.pub")
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the witness does not listen")
		}
	}
	o := evidenceOptions{dir: evidence, copy: filepath.Join(dir, "copy"), witness: "https://" + address, witnessKey: public, witnessCA: write("ca.crt", authority.CertPEM())}
	log, err := o.open(dir, &production{}, slog.New(slog.DiscardHandler)) // no hub is known: every environment counts as production
	if err != nil {
		t.Fatal(err)
	}
	for _, environment := range []string{"", "prod"} {
		act := audit.Act{Verb: "release.start", Person: "p-1", Subject: "Release/retail-prod/r-1", Environment: environment}
		if err := audit.Do(t.Context(), log, audit.FailClosed, act, func(context.Context) error { return nil }); err != nil {
			t.Errorf("environment %q: %v", environment, err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	verify := "audit verify --witness-key " + public + " --witness-dir " + filepath.Join(dir, "witness")
	tell(t, []step{
		{"the log is countersigned to its end", verify + " --dir " + evidence, 0, []string{"6 records, 6 confirmed by the witness", "VERIFIED"}, nil},
		{"and so is its copy, with a key brought along", verify + " --dir " + o.copy + " --log-key " + filepath.Join(evidence, "log.key.pub") + " --copy " + evidence, 0, []string{"VERIFIED"}, nil},
		{"the report is for scripts too", verify + " --dir " + o.copy + " -o json", 0, []string{`"confirmed": 6`}, nil},
		{"another output is an error of usage", verify + " --dir " + o.copy + " -o yaml", 2, nil, []string{"the only one is json"}},
		{"a witness on every address needs TLS", "witness --listen 0.0.0.0:1 --dir " + dir + " --log-key " + public, 1, nil, []string{"--tls-cert"}},
		{"a witness is told which logs", "witness --dir " + dir, 2, nil, []string{"log-key"}},
	})
	for _, wrong := range []evidenceOptions{
		{witness: "http://witness.bank.example:8444", witnessKey: public}, {witness: "https://" + address}, {witness: "x", witnessKey: public},
		{witness: "https://" + address, witnessKey: filepath.Join(dir, "witness", "witness.key")}, {witness: "https://" + address, witnessKey: public, witnessCA: public},
	} {
		if _, err := wrong.readWitness(); err == nil || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%+v is refused, without a word of a key: %v", wrong, err)
		}
	}
}
