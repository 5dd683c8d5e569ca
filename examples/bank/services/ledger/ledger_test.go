// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be the ledger itself, so that tests can kill
// a real process.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LEDGER_UNDER_TEST"); dir != "" {
		if err := run(context.Background(), "127.0.0.1:0", os.Getenv("BANK_CONFIG"), dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// process is a running ledger.
type process struct {
	*exec.Cmd
	url string
}

// start runs a ledger on a folder and returns once it serves (ready or not).
func start(t *testing.T, dir string) process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(config, []byte(`{"accounts":10,"balance":1000,"drain":"50ms"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "LEDGER_UNDER_TEST="+dir, "BANK_CONFIG="+config)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // most have ended already
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var record struct{ Msg, Address string }
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			t.Fatalf("a log line is not JSON: %s", lines.Bytes())
		}
		if record.Msg == "serving" {
			go func() { _, _ = io.Copy(io.Discard, out) }() // until it ends
			return process{cmd, "http://" + record.Address}
		}
	}
	t.Fatal("the ledger ended before it served")
	return process{}
}

func (p process) ready(t *testing.T) bool {
	t.Helper()
	response, err := http.Get(p.url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode == 200
}

func (p process) waitReady(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !p.ready(t); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the ledger never became ready")
		}
	}
}

func (p process) get(t *testing.T, path string, into any) {
	t.Helper()
	response, err := http.Get(p.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

func (p process) post(id string, i int) (int, string, error) {
	body := fmt.Sprintf(`{"id":%q,"from":"acc-%06d","to":"acc-%06d","amount":%d}`, id, i%10+1, (i+3)%10+1, i%7+1)
	response, err := http.Post(p.url+"/transfer", "application/json", strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(bytes.TrimSpace(content)), err
}

// TestKill9 kills a ledger under load, again and again, while its replacement
// already waits for the volume.
func TestKill9(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	acknowledged := map[string]string{}
	indexes := map[string]int{}
	current := start(t, dir)
	for round := range 4 {
		current.waitReady(t)
		replacement := start(t, dir)
		if replacement.ready(t) {
			t.Fatal("two ledgers are ready on one volume")
		}
		var count atomic.Int32
		var group sync.WaitGroup
		enough := make(chan struct{})
		for worker := range 8 {
			group.Go(func() {
				for i := worker; ; i += 8 {
					id := fmt.Sprintf("r%d-%d", round, i)
					code, body, err := current.post(id, i)
					if err != nil {
						return // killed
					}
					if code != 200 {
						t.Errorf("transfer %s: %d %s", id, code, body)
						return
					}
					mu.Lock()
					acknowledged[id], indexes[id] = body, i
					mu.Unlock()
					if count.Add(1) == 200 {
						close(enough)
					}
				}
			})
		}
		<-enough
		if err := current.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		group.Wait()
		_ = current.Wait() // killed, as wanted
		current = replacement
	}
	current.waitReady(t)

	var sum struct{ Sum, Transfers int64 }
	current.get(t, "/sum", &sum)
	if sum.Sum != 10_000 {
		t.Errorf("the sum is %d, want 10000 for ever", sum.Sum)
	}
	if sum.Transfers < int64(len(acknowledged)) {
		t.Errorf("%d transfers acknowledged, %d in the journal", len(acknowledged), sum.Transfers)
	}
	for id, want := range acknowledged {
		if code, body, err := current.post(id, indexes[id]); err != nil || code != 200 || body != want {
			t.Errorf("transfer %s again: %d %s %v, want %s", id, code, body, err, want)
		}
	}
	var after struct{ Sum, Transfers int64 }
	current.get(t, "/sum", &after)
	if after != sum {
		t.Errorf("repeated transfers had a second effect: %+v, before %+v", after, sum)
	}
	if err := current.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := current.Wait(); err != nil {
		t.Errorf("SIGTERM: %v, want exit 0", err)
	}
}

func TestAnswers(t *testing.T) {
	p := start(t, t.TempDir())
	p.waitReady(t)
	for reason, tc := range map[string]struct {
		body string
		want int
		text string
	}{
		"overdraft":        {`{"id":"a","from":"acc-000001","to":"acc-000002","amount":1001}`, 409, "holds 1000"},
		"unknown account":  {`{"id":"b","from":"acc-9","to":"acc-000002","amount":1}`, 422, "does not exist"},
		"not a transfer":   {`[]`, 400, "send id, from, to and amount"},
		"amount as a text": {`{"id":"c","amount":"1"}`, 400, "could not read"},
	} {
		response, err := http.Post(p.url+"/transfer", "application/json", strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != tc.want || !strings.Contains(string(body), tc.text) {
			t.Errorf("%s: %d %s %v", reason, response.StatusCode, body, err)
		}
	}
	var journal struct{ Items []struct{ Seq int64 } }
	p.get(t, "/journal?from=9&limit=2", &journal)
	if len(journal.Items) != 2 || journal.Items[0].Seq != 9 {
		t.Errorf("journal from 9: %+v", journal)
	}
}
