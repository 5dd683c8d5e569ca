// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package supervise

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const mark = "test-of-supervise"

// helperVariable makes the test binary a supervisor that can be killed.
const helperVariable = "SUPERVISE_TEST_STATE"

func TestMain(m *testing.M) {
	if state := os.Getenv(helperVariable); state != "" {
		s, err := New(Options{StateFile: state, Mark: mark})
		if err == nil {
			err = errors.Join(s.Add(sleeper("one"), sleeper("two", "one")), s.Wait(context.Background()))
		}
		fmt.Println("ready", err)
		select {}
	}
	os.Exit(m.Run())
}

func sleeper(name string, after ...string) Process {
	return Process{Name: name, Argv: []string{"sleep", "3600"}, After: after, StopSeconds: 2}
}

func open(t *testing.T, dir string) *Supervisor {
	t.Helper()
	s, err := New(Options{StateFile: filepath.Join(dir, "processes.json"), Mark: mark})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.StopAll(context.Background()) })
	return s
}

func pid(t *testing.T, s *Supervisor, name string) int {
	t.Helper()
	for _, status := range s.Status() {
		if status.Name == name {
			return status.PID
		}
	}
	t.Fatalf("%q is not kept", name)
	return 0
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if holds() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("waited in vain: %s", what)
}

func TestAProcessThatDiesIsStartedAgain(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Add(sleeper("one")); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := pid(t, s, "one")
	if err := unix.Kill(first, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another child with one restart counted", func() bool {
		now := s.Status()[0]
		return now.State == Ready && now.PID != first && now.Restarts == 1
	})
}

func TestOrder(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	log := filepath.Join(dir, "order")
	var open atomic.Bool
	script := func(name string) []string {
		return []string{"sh", "-c", fmt.Sprintf("echo start %[1]s >> %[2]s; trap 'echo stop %[1]s >> %[2]s; exit 0' TERM; while :; do sleep 0.05; done", name, log)}
	}
	one := Process{Name: "one", Argv: script("one"), Ready: func(context.Context) error {
		if !open.Load() {
			return errors.New("not yet")
		}
		return nil
	}}
	if err := s.Add(one, Process{Name: "two", Argv: script("two"), After: []string{"one"}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one says why it is not ready", func() bool { return s.Status()[0].Message == "not yet" })
	if got := s.Status()[1].State; got != Waiting {
		t.Errorf("two comes after one, which is not ready, yet it is %s", got)
	}
	open.Store(true)
	lines := func() string {
		content, _ := os.ReadFile(log)
		return strings.Join(strings.Fields(string(content)), " ")
	}
	eventually(t, "both have started", func() bool { return lines() == "start one start two" })
	if err := s.StopAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := lines(), "start one start two stop two stop one"; got != want {
		t.Errorf("order is %q, want %q", got, want)
	}
}

func TestAProcessThatIgnoresTheSignalIsKilled(t *testing.T) {
	s := open(t, t.TempDir())
	deaf := Process{Name: "deaf", Argv: []string{"sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"}, StopSeconds: 1}
	if err := s.Add(deaf); err != nil {
		t.Fatal(err)
	}
	_ = s.Wait(t.Context())
	child, err := Identify(pid(t, s, "deaf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), "deaf"); err != nil {
		t.Fatal(err)
	}
	if child.Alive() || s.Has("deaf") {
		t.Error("the process must be gone and forgotten")
	}
}

func TestOnce(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Add(Process{Name: "job", Argv: []string{"true"}, Once: true}); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.Status()[0]; got.State != Done || got.Restarts != 0 {
		t.Errorf("a job that ends well is done, got %+v", got)
	}
}

func TestACommandThatIsNotThereIsShown(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Add(Process{Name: "none", Argv: []string{"/does/not/exist"}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the failure is said", func() bool {
		return strings.Contains(s.Status()[0].Message, "no such file")
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Wait(ctx); err == nil || !strings.Contains(err.Error(), `"none"`) {
		t.Errorf("Wait must name who is not ready, got %v", err)
	}
}

func TestWaitGivesUpOnAProcessThatDiesAgainAndAgain(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	doomed := Process{
		Name: "doomed", Argv: []string{"sh", "-c", "echo no room left; exit 3"}, LogFile: filepath.Join(dir, "log"),
		Ready: func(context.Context) error { return errors.New("not yet") },
	}
	if err := s.Add(doomed); err != nil {
		t.Fatal(err)
	}
	// As if it had died so often already: the real waits would add up to 15 s.
	s.mu.Lock()
	s.keepers[0].status.Restarts = -1
	s.mu.Unlock()
	done := make(chan error, 1)
	go func() { done <- s.Wait(t.Context()) }()
	eventually(t, "it died once", func() bool { return s.Status()[0].State == Failed })
	s.mu.Lock()
	s.keepers[0].status.Restarts = hopeless
	s.mu.Unlock()
	s.set(s.keepers[0], func(*Status) {})
	if err := <-done; err == nil || !strings.Contains(err.Error(), "no room left") {
		t.Errorf("the wait must end and say the log's last line, got %v", err)
	}
}

func TestReleaseLeavesTheProcess(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Add(sleeper("one")); err != nil {
		t.Fatal(err)
	}
	_ = s.Wait(t.Context())
	child, err := Identify(pid(t, s, "one"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Release(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if !child.Alive() {
		t.Error("a released process lives on")
	}
	if err := child.End(t.Context(), unix.SIGKILL, time.Second); err != nil {
		t.Fatal(err)
	}
}

// killedSupervisor runs a supervisor in a process of its own, kills it and
// returns what it left.
func killedSupervisor(t *testing.T, dir string) []Record {
	t.Helper()
	state := filepath.Join(dir, "processes.json")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperVariable+"="+state)
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil || line != "ready <nil>\n" {
		t.Fatalf("the helper says %q, %v", line, err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	records, err := Records(state)
	if err != nil || len(records) != 2 {
		t.Fatalf("the killed supervisor left %v, %v", records, err)
	}
	for _, record := range records {
		if !record.Alive() {
			t.Fatalf("%q must outlive its supervisor", record.Name)
		}
	}
	return records
}

func TestChildrenOfAKilledSupervisorAreAdopted(t *testing.T) {
	dir := t.TempDir()
	left := killedSupervisor(t, dir)
	s := open(t, dir)
	changed := sleeper("two", "one")
	changed.Argv = []string{"sleep", "7200"}
	if err := s.Add(sleeper("one"), changed); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := pid(t, s, "one"); got != left[0].PID {
		t.Errorf("one must be adopted: pid %d, was %d", got, left[0].PID)
	}
	if left[1].Alive() || pid(t, s, "two") == left[1].PID {
		t.Error("two is asked for with another command and must be started anew")
	}
	// An adopted child is watched as an own one is.
	if err := unix.Kill(left[0].PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the adopted child is started again", func() bool {
		return s.Status()[0].State == Ready && pid(t, s, "one") != left[0].PID
	})
}

func TestStraysOfAKilledSupervisorAreEnded(t *testing.T) {
	dir := t.TempDir()
	left := killedSupervisor(t, dir)
	if got := len(Marked(mark)); got != 2 {
		t.Errorf("both children carry the mark, found %d", got)
	}
	s := open(t, dir)
	if err := s.Add(sleeper("one")); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.EndStrays(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !left[0].Alive() || left[1].Alive() {
		t.Error("only the child nobody asked for is ended")
	}
	if err := s.StopAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left[0].Alive() || len(Marked(mark)) != 0 {
		t.Error("nothing is left")
	}
}

func TestIdentityOfAnotherProcessIsNotTouched(t *testing.T) {
	cmd := exec.Command("sleep", "3600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	real, err := Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	other := real
	other.Start--
	if other.Alive() {
		t.Error("the same pid with another start time is another process")
	}
	if err := other.End(t.Context(), unix.SIGKILL, time.Second); err != nil {
		t.Errorf("ending a process that is long gone is no fault: %v", err)
	}
	if !real.Alive() {
		t.Error("a process that took over the pid must not be touched")
	}
}

func TestNextWait(t *testing.T) {
	cases := map[string]struct {
		reason    string
		last, ran time.Duration
		want      time.Duration
	}{
		"first":    {reason: "the first death is forgiven soon", want: firstWait},
		"doubles":  {reason: "who dies at once waits twice as long", last: time.Second, want: 2 * time.Second},
		"bounded":  {reason: "never longer than half a minute", last: 20 * time.Second, want: lastWait},
		"forgiven": {reason: "a minute of steady work wipes the past", last: lastWait, ran: steady, want: firstWait},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := nextWait(tc.last, tc.ran); got != tc.want {
				t.Errorf("%s: nextWait(%s, %s) = %s, want %s", tc.reason, tc.last, tc.ran, got, tc.want)
			}
		})
	}
}
