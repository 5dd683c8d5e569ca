// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// name of the tests' own sandbox, which runs beside whatever else runs here.
const name = "fairway-e2e"

var (
	root   = func() string { dir, _ := filepath.Abs("../.."); return dir }()
	binary = filepath.Join(root, "bin", "fairway")
	load   string // the compiled transfer load
	state  = statusFile{}
)

// statusFile is what the tests read of "sandbox status -o json".
type statusFile struct {
	State string `json:"state"`
	Apps  []struct {
		Application string `json:"application"`
		DataCenter  string `json:"dataCenter"`
		URL         string `json:"url"`
	} `json:"appURLs"`
	Components []struct {
		Name     string `json:"name"`
		State    string `json:"state"`
		PID      int    `json:"pid"`
		Restarts int    `json:"restarts"`
	} `json:"components"`
	Hosts []struct {
		Name  string `json:"name"`
		Kind  string `json:"kind"`
		IP    string `json:"ip"`
		State string `json:"state"`
	} `json:"hosts"`
}

func (s statusFile) pid(component string) int {
	for _, c := range s.Components {
		if c.Name == component {
			return c.PID
		}
	}
	return 0
}

func (s statusFile) url(dataCenter string) string {
	for _, a := range s.Apps {
		if a.DataCenter == dataCenter {
			return strings.TrimSuffix(a.URL, "/")
		}
	}
	return ""
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if why := missing(); why != "" {
		fmt.Println("SKIP: the end-to-end tests are left out:", why)
		return 0
	}
	before, err := lookAt(name)
	if err != nil {
		fmt.Println("FAIL: could not look at the machine:", err)
		return 1
	}
	code := 1
	if err := prepare(); err != nil {
		fmt.Println("FAIL:", err)
		_, _ = sandbox("logs", "fairway")
	} else {
		// Who waits for its lane takes nobody's place.
		if err := flag.Set("test.parallel", "64"); err != nil {
			panic(err)
		}
		code = m.Run()
	}
	if os.Getenv("FAIRWAY_E2E_KEEP") != "" {
		fmt.Println("the sandbox stays; take it down with: bin/fairway sandbox down --name", name)
		return code
	}
	if out, err := sandbox("down"); err != nil {
		fmt.Println("FAIL: down:", err, out)
		return 1
	}
	now, err := lookAt(name)
	if err != nil {
		fmt.Println("FAIL: could not look at the machine:", err)
		return 1
	}
	left := leftovers(before, now)
	if _, err := os.Stat(filepath.Join("/var/lib/fairway", name)); err == nil {
		left = append(left, "folder /var/lib/fairway/"+name)
	}
	if len(left) > 0 {
		fmt.Println("FAIL: down left behind:\n  " + strings.Join(left, "\n  "))
		return 1
	}
	fmt.Println("down left nothing behind")
	return code
}

// missing says what this machine lacks for real hosts.
func missing() string {
	if os.Geteuid() != 0 {
		return "they need root"
	}
	for _, program := range []string{"containerd", "runc", "nft", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			return "they need " + program + " (hack/install-deps.sh installs it)"
		}
	}
	return ""
}

// prepare brings the sandbox up and compiles the load.
func prepare() error {
	if err := os.Setenv("FAIRWAY_CONFIG", filepath.Join("/var/lib/fairway", name, "client.yaml")); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "fairway-e2e-")
	if err != nil {
		return err
	}
	load = filepath.Join(dir, "load")
	build := exec.Command("go", "build", "-o", load, "./examples/bank/load")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("could not compile the load: %w: %s", err, out)
	}
	begun := time.Now()
	if out, err := sandbox("up", "-f", "examples/bank/sandbox.yaml"); err != nil {
		return fmt.Errorf("up: %w: %s", err, out)
	}
	fmt.Printf("up took %s\n", time.Since(begun).Round(100*time.Millisecond))
	return refresh()
}

func refresh() error {
	out, err := sandbox("status", "-o", "json")
	if err != nil {
		return err
	}
	state = statusFile{}
	return json.Unmarshal([]byte(out), &state)
}

// sandbox runs "fairway sandbox ARGS" on the tests' sandbox and returns what it prints.
func sandbox(args ...string) (string, error) {
	return command(context.Background(), append([]string{"sandbox", args[0], "--name", name}, args[1:]...)...)
}

// command runs the binary and returns standard output; standard error is in the error.
func command(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = root
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("fairway %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// fairway runs the binary and fails the test when it does.
func fairway(t *testing.T, args ...string) string {
	t.Helper()
	out, err := command(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// refused runs the binary, which must fail, and returns its exit code and message.
func refused(t *testing.T, args ...string) (int, string) {
	t.Helper()
	out, err := command(t.Context(), args...)
	if err == nil {
		t.Fatalf("fairway %s was accepted: %s", strings.Join(args, " "), out)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return exit.ExitCode(), err.Error()
}

// kubectl asks a cluster past Fairway.
func kubectl(t *testing.T, cluster string, args ...string) (string, error) {
	t.Helper()
	return sandbox(append([]string{"kubectl", cluster, "--"}, args...)...)
}

// lane is something of the bank that tests change, such as a tenant. Those of one lane
// follow one another, in the order in which they stand, beside those of the other lanes.
// Tests that take the hub, the server or a site away are in none, and go first.
type lane struct{ last chan struct{} }

var lanes struct{ retail, cards, identity lane }

// in has a test run in a lane.
func in(t *testing.T, l *lane) {
	t.Helper()
	before, done := l.last, make(chan struct{})
	l.last = done
	t.Cleanup(func() { close(done) })
	t.Parallel()
	if before != nil {
		<-before
	}
}

// instance is a row of "get instances -o json".
type instance struct {
	Seat, Namespace, Application, Component, IP, DCN, DataCenter, Zone, Rack, Host, Cluster, Pool, Revision, State, CreatedAt, UID string

	Restarts int
}

func instances(t *testing.T, namespace string) []instance {
	t.Helper()
	var list struct {
		Items []instance `json:"items"`
	}
	if err := json.Unmarshal([]byte(fairway(t, "get", "instances", "-n", namespace, "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// running returns the instances that run, by seat.
func running(t *testing.T, namespace string) map[string]instance {
	t.Helper()
	out := map[string]instance{}
	for _, i := range instances(t, namespace) {
		if i.State == "Running" {
			if other, twice := out[i.Seat]; twice {
				t.Errorf("two instances run on seat %s: %s and %s", i.Seat, other.IP, i.IP)
			}
			out[i.Seat] = i
		}
	}
	return out
}

// until waits for a condition; it fails with the last reason when patience ends.
func until(t *testing.T, patience time.Duration, what string, holds func() (bool, string)) time.Duration {
	t.Helper()
	begun := time.Now()
	for {
		ok, why := holds()
		if ok {
			return time.Since(begun)
		}
		if time.Since(begun) > patience {
			t.Fatalf("waited %s for %s: %s", patience, what, why)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// transfers is a transfer load under way.
type transfers struct {
	cmd  *exec.Cmd
	out  bytes.Buffer
	errs bytes.Buffer
}

// loadReport is what the load prints.
type loadReport struct {
	OK      bool    `json:"ok"`
	Seconds float64 `json:"seconds"`
	Total   struct {
		Sent, OK, Refused, Failed int
		P99                       float64 `json:"p99Milliseconds"`
		Max                       float64 `json:"maxMilliseconds"`
	} `json:"total"`
}

// transfer begins a load over the named data centres (default: both), which goes on
// until it is waited for.
func transfer(t *testing.T, dataCenters ...string) *transfers {
	t.Helper()
	if len(dataCenters) == 0 {
		dataCenters = []string{"dc-east", "dc-west"}
	}
	args := []string{"-rate", "40", "-duration", "10m", "-json"}
	for _, dataCenter := range dataCenters {
		args = append(args, "-url", state.url(dataCenter))
	}
	l := &transfers{cmd: exec.Command(load, args...)}
	l.cmd.Stdout, l.cmd.Stderr = &l.out, &l.errs
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.cmd.Process.Kill() })
	return l
}

// tail is how long a load goes on when everything else is over: what came late, such as
// an instance that left the traffic too early, shows in it.
const tail = 5 * time.Second

// wait has the load go on until no instance of the bank is leaving any more, and for a
// moment longer; then it ends the load, in which nothing may have failed.
func (l *transfers) wait(t *testing.T) {
	t.Helper()
	until(t, 2*time.Minute, "the last instance to be gone that is leaving", func() (bool, string) {
		leaving := ""
		for _, cluster := range []string{"east-1", "west-1"} {
			out, err := kubectl(t, cluster, "get", "pods", "-n", "retail-prod-mobile-bank", "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.deletionTimestamp}{"\n"}{end}`)
			if err != nil {
				return false, err.Error()
			}
			for line := range strings.Lines(out) {
				if f := strings.Fields(line); len(f) == 2 {
					leaving += " " + f[0]
				}
			}
		}
		return leaving == "", "there are still" + leaving
	})
	select {
	case <-time.After(tail):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
	if err := l.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("the load ended before it was told to: %v", err)
	}
	err := l.cmd.Wait()
	report := loadReport{}
	if jsonErr := json.Unmarshal(l.out.Bytes(), &report); jsonErr != nil {
		t.Fatalf("could not read the load's report: %v: %s %s", jsonErr, l.out.String(), l.errs.String())
	}
	t.Logf("load: %.0f s, %d transfers, %d failed, p99 %.0f ms, longest %.0f ms", report.Seconds, report.Total.Sent, report.Total.Failed, report.Total.P99, report.Total.Max)
	if err != nil || !report.OK || report.Total.Failed > 0 || report.Total.Sent == 0 {
		t.Errorf("the load saw failures or a wrong sum: %v: %s", err, l.out.String())
	}
}
