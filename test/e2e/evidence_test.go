// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// verify proves the sandbox's log from its files and public keys.
func verify(t *testing.T, dir string) (string, error) {
	t.Helper()
	return command(t.Context(), "audit", "verify", "--dir", dir, "--log-key", stateFolder("server", "data", "evidence", "log.key.pub"),
		"--witness-key", stateFolder("witness", "witness.key.pub"), "--witness-dir", stateFolder("witness"))
}

// TestOneChangedByteOfEvidenceIsNamed verifies the log as it is, and a copy of it
// in which one byte was changed.
func TestOneChangedByteOfEvidenceIsNamed(t *testing.T) {
	copied := filepath.Join(t.TempDir(), "evidence")
	if out, err := exec.Command("cp", "-a", stateFolder("server", "data", "evidence"), copied).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	said, err := verify(t, copied)
	if err != nil {
		t.Fatalf("the log does not verify: %v", err)
	}
	t.Log(said)
	var bundles []string
	_ = filepath.WalkDir(copied, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.Contains(path, "tile/entries") {
			bundles = append(bundles, path)
		}
		return err
	})
	if len(bundles) == 0 {
		t.Fatal("the log has no records")
	}
	content, err := os.ReadFile(bundles[0])
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(content, []byte(`"person":"`)) + len(`"person":"`)
	content[at] ^= 1
	if err := os.WriteFile(bundles[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
	said, err = verify(t, copied)
	if err == nil || !strings.Contains(said+err.Error(), "record") {
		t.Errorf("one changed byte is not named: %v %s", err, said)
	}
	t.Log(said, err)
}

// TestTheWayBackIsOpenWhileTheEvidenceIsFull fills the disk of the log: what goes
// forward in production is refused, the way back works, and is in the log once there
// is room again.
func TestTheWayBackIsOpenWhileTheEvidenceIsFull(t *testing.T) {
	const namespace = "retail-prod"
	before := running(t, namespace)
	as(t, maker, "apply", "-f", application(t, "bank/account:v1", "bank/account:v2"), "--wait")
	change(t, operator, "mobile-bank", namespace, "--reason", "account v2")
	full := smallDisk(t, stateFolder("server", "data", "evidence"))
	full.fill(t)
	until(t, time.Minute, "a change in production to be refused", func() (bool, string) {
		out, err := command(t.Context(), append([]string{"release", "start", "mobile-bank", "-n", namespace, "--reason", "forward", "--context", operator}, papers...)...)
		return err != nil && strings.Contains(err.Error(), "evidence"), fmt.Sprint(out, err)
	})
	if len(running(t, namespace)) != len(before) {
		t.Error("reading stopped with the log")
	}
	as(t, operator, "release", "start", "mobile-bank", "-n", namespace, "--kind", "Rollback", "--revision", before["account-0"].Revision, "--reason", "it must go back", "--wait", "--timeout", "4m")
	for seat, i := range running(t, namespace) {
		if i.Revision != before[seat].Revision {
			t.Errorf("%s runs %s, want %s", seat, i.Revision, before[seat].Revision)
		}
	}
	full.free(t)
	until(t, 2*time.Minute, "what was done meanwhile to be in the log", func() (bool, string) {
		out, err := command(t.Context(), "audit", "search", "-n", namespace, "--text", "it must go back", "--context", auditor)
		return err == nil && strings.Contains(out, "release"), fmt.Sprint(out, err)
	})
	as(t, maker, "apply", "-f", "examples/bank/applications/mobile-bank.yaml", "--wait")
}

// disk is a small file system over a folder.
type disk struct{ at, ballast string }

// smallDisk puts a small file system over a folder of the running server, with what
// the folder holds, and takes it away at the end. The server is held meanwhile.
func smallDisk(t *testing.T, dir string) *disk {
	t.Helper()
	size := "48m"
	held(t, func() {
		staging := filepath.Join(t.TempDir(), "disk")
		if err := os.Mkdir(staging, 0o700); err != nil {
			t.Fatal(err)
		}
		mustRun(t, "mount", "-t", "tmpfs", "-o", "size="+size+",mode=0700", "fairway-e2e", staging)
		mustRun(t, "cp", "-a", dir+"/.", staging)
		mustRun(t, "mount", "--bind", staging, dir)
		mustRun(t, "umount", staging)
	})
	t.Cleanup(func() {
		below := t.TempDir() // the file system below the small one
		mustRun(t, "mount", "--bind", "/", below)
		held(t, func() {
			mustRun(t, "cp", "-a", dir+"/.", filepath.Join(below, dir))
			mustRun(t, "umount", "--lazy", dir)
			// It still has files of the small disk open: it begins anew on the large one.
			_ = syscall.Kill(state.pid("fairway"), syscall.SIGKILL)
		})
		mustRun(t, "umount", below)
		for range 300 { // the test's own context has ended
			if _, err := command(context.Background(), "get", "clusters", "--timeout", "5s"); err == nil {
				return
			}
			time.Sleep(200 * time.Millisecond)
		}
		t.Error("the server does not answer again")
	})
	return &disk{at: dir, ballast: filepath.Join(dir, "ballast")}
}

// held stops the server's process while something is done to its files.
func held(t *testing.T, do func()) {
	t.Helper()
	if err := refresh(); err != nil {
		t.Fatal(err)
	}
	pid := state.pid("fairway")
	if pid <= 1 {
		t.Fatal("no server to hold")
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
	do()
}

func mustRun(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// fill leaves no byte.
func (d *disk) fill(t *testing.T) {
	t.Helper()
	file, err := os.Create(d.ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	block := make([]byte, 64<<10)
	for len(block) > 0 {
		if _, err := file.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
}

func (d *disk) free(t *testing.T) {
	t.Helper()
	if err := os.Remove(d.ballast); err != nil {
		t.Fatal(err)
	}
}

// TestAReceiptProvesAnAct has an act in production name its record, fetches the receipt
// and checks it with public keys only; with one changed letter it proves nothing.
func TestAReceiptProvesAnAct(t *testing.T) {
	out, err := command(t.Context(), "audit", "search", "--environment", "prod", "--result", "Done", "-o", "json", "--context", auditor)
	if err != nil {
		t.Fatal(err)
	}
	var found struct {
		Items []struct{ Index uint64 }
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil || len(found.Items) == 0 {
		t.Fatalf("no act in production is found: %v: %s", err, out)
	}
	file := filepath.Join(t.TempDir(), "receipt.txt")
	if _, err := command(t.Context(), "audit", "receipt", fmt.Sprint(found.Items[0].Index), "--file", file, "--context", auditor); err != nil {
		t.Fatal(err)
	}
	check := []string{"audit", "check-receipt", file, "--log-key", stateFolder("server", "data", "evidence", "log.key.pub"), "--witness-key", stateFolder("witness", "witness.key.pub")}
	said, err := command(t.Context(), check...)
	if err != nil || !strings.Contains(said, "PROVED") || !strings.Contains(said, "confirmed by the witness at") {
		t.Errorf("the receipt is not accepted: %v: %s", err, said)
	}
	t.Log(said)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := command(t.Context(), check...); err == nil {
		t.Errorf("a receipt with one changed letter is accepted: %s", said)
	}
}
