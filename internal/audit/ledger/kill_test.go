// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/ledger"
	"github.com/fairway-cloud/fairway/internal/audit/verify"
)

// childVariable makes the test binary a process that writes evidence until it is killed.
const childVariable = "FAIRWAY_LEDGER_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		child(dir)
	}
	os.Exit(m.Run())
}

func options(dir string) ledger.Options {
	return ledger.Options{Dir: filepath.Join(dir, "log"), Copy: filepath.Join(dir, "copy"), Spool: filepath.Join(dir, "spool"), Interval: 3 * time.Millisecond}
}

// child writes acts and says of each record, once it was acknowledged, so.
func child(dir string) {
	l, err := ledger.Open(options(dir))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	var mu sync.Mutex
	say := func(format string, args ...any) { mu.Lock(); fmt.Printf(format+"\n", args...); mu.Unlock() }
	for i := range 16 {
		go func() {
			for n := 0; ; n++ {
				subject := fmt.Sprintf("%d/%d/%d", os.Getpid(), i, n)
				act := audit.Act{Verb: "app.apply", Person: "p-1", Subject: subject}
				var id string
				var err error
				if i == 0 { // as while the log is away
					id, err = l.Spool(context.Background(), act)
				} else {
					id, err = l.Intent(context.Background(), act)
				}
				if err != nil {
					say("error %v", err)
					return
				}
				say("intent %s", subject)
				if err := l.Outcome(context.Background(), id, audit.Outcome{Result: audit.Done, Message: subject}); err != nil {
					say("error %v", err)
					return
				}
				say("outcome %s", subject)
			}
		}()
	}
	select {}
}

// TestKilled kills a process that writes, again and again, and looks for every
// record that was acknowledged. FAIRWAY_MEASURE=1 kills it 200 times.
func TestKilled(t *testing.T) {
	kills := 20
	if os.Getenv("FAIRWAY_MEASURE") != "" {
		kills = 200
	}
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for range kills {
		for _, line := range runAndKill(t, dir, time.Duration(20+rand.IntN(200))*time.Millisecond) {
			acknowledged[line] = true
		}
	}
	l, err := ledger.Open(options(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, folder := range []string{"log", "copy"} {
		report, err := verify.Verify(verify.Options{Dir: filepath.Join(dir, folder), LogKey: l.PublicKey()})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Faults {
			t.Errorf("%s: %s", folder, f)
		}
		if report.Open != 0 {
			t.Errorf("%s: %d acts have no outcome after the sweep", folder, report.Open)
		}
	}
	reader, err := ledger.OpenReader(filepath.Join(dir, "log"), "")
	if err != nil {
		t.Fatal(err)
	}
	size, _ := reader.Size(t.Context())
	for at := uint64(0); at < size; {
		entries, err := reader.Read(t.Context(), at, 4096)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			key := ""
			if r := e.Record; r.Act != nil {
				key = "intent " + r.Act.Subject
			} else if r.Outcome.Result == audit.Done && r.Outcome.Message != "" {
				key = "outcome " + r.Outcome.Message
			}
			if there[key] && key != "" {
				t.Errorf("%s is there twice", key)
			}
			there[key] = true
		}
		at += uint64(len(entries))
	}
	lost := 0
	for line := range acknowledged {
		if !there[line] {
			t.Errorf("acknowledged and lost: %s", line)
			lost++
		}
	}
	t.Logf("%d kills, %d records acknowledged, %d in the log, %d lost", kills, len(acknowledged), size, lost)
	if len(acknowledged) < kills {
		t.Errorf("only %d records were acknowledged in %d runs: the test proves little", len(acknowledged), kills)
	}
}

// runAndKill returns what the child said before it was killed.
func runAndKill(t *testing.T, dir string, after time.Duration) []string {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^$")
	command.Env = append(os.Environ(), childVariable+"="+dir)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	in := bufio.NewScanner(out)
	for in.Scan() {
		if len(lines) == 0 { // it is up: a part of the runs is killed at once, others later
			time.AfterFunc(after, func() { _ = command.Process.Kill() })
		}
		if strings.HasPrefix(in.Text(), "error") {
			t.Errorf("the log took no record: %s", in.Text())
		}
		lines = append(lines, in.Text())
	}
	_ = command.Wait()
	if command.ProcessState.ExitCode() == 3 {
		t.Fatal("the log could not be opened after a kill")
	}
	if n := len(lines); n > 0 && !strings.Contains(lines[n-1], "/") {
		lines = lines[:n-1] // torn by the kill
	}
	return lines
}
