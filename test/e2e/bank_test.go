// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// answer is what a component says of itself and of the one it called.
type answer struct {
	Seat       string  `json:"seat"`
	Component  string  `json:"component"`
	Version    string  `json:"version"`
	Revision   string  `json:"revision"`
	DCN        string  `json:"dcn"`
	DataCenter string  `json:"dataCenter"`
	Next       *answer `json:"next"`
}

func ask(ctx context.Context, url string) (*answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := (&http.Client{Timeout: 5 * time.Second}).Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s: %s", url, response.Status, body)
	}
	said := &answer{}
	return said, json.Unmarshal(body, said)
}

func TestEachDataCenterAnswersThroughItsOwnDCN(t *testing.T) {
	for _, dataCenter := range []string{"dc-east", "dc-west"} {
		url := state.url(dataCenter)
		if url == "" {
			t.Fatalf("no address is named for %s", dataCenter)
		}
		for range 10 {
			said, err := ask(t.Context(), url+"/")
			if err != nil {
				t.Fatal(err)
			}
			var chain []string
			for at := said; at != nil; at = at.Next {
				chain = append(chain, at.Component)
				if at.DataCenter != dataCenter || at.DCN != said.DCN || at.Seat == "" || at.Revision == "" {
					t.Errorf("%s: %s answers for seat %q of DCN %q in %q, revision %q", dataCenter, at.Component, at.Seat, at.DCN, at.DataCenter, at.Revision)
				}
			}
			if want := []string{"channel", "account", "ledger"}; !slices.Equal(chain, want) {
				t.Errorf("%s: the answer came through %v, want %v", dataCenter, chain, want)
			}
		}
	}
}

func TestInstancesAreListedLikeVirtualMachines(t *testing.T) {
	list := instances(t, "retail-prod")
	if len(list) != 10 {
		t.Fatalf("%d instances are listed, want 10", len(list))
	}
	for _, i := range list {
		for field, value := range map[string]string{
			"namespace": i.Namespace, "application": i.Application, "component": i.Component, "ip": i.IP, "dcn": i.DCN, "dataCenter": i.DataCenter,
			"zone": i.Zone, "rack": i.Rack, "host": i.Host, "cluster": i.Cluster, "pool": i.Pool, "revision": i.Revision, "createdAt": i.CreatedAt,
		} {
			if value == "" {
				t.Errorf("%s: %s is empty", i.Seat, field)
			}
		}
		if i.State != "Running" {
			t.Errorf("%s is %s", i.Seat, i.State)
		}
		pods, err := kubectl(t, i.Cluster, "get", "pods", "-n", "retail-prod-mobile-bank", "-l", "app.fairway.cloud/seat="+i.Seat, "-o", "jsonpath={.items[*].status.podIP}/{.items[*].spec.nodeName}")
		if err != nil {
			t.Fatal(err)
		}
		if want := i.IP + "/" + i.Host; pods != want {
			t.Errorf("%s: the cluster knows it at %q, Fairway at %q", i.Seat, pods, want)
		}
	}
}

func TestAnotherTenantCannotReachTheBank(t *testing.T) {
	var card, account, ledger instance
	for _, i := range append(instances(t, "cards-prod"), instances(t, "retail-prod")...) {
		switch {
		case i.DataCenter != "dc-east":
		case i.Component == "card":
			card = i
		case i.Component == "account":
			account = i
		case i.Component == "ledger":
			ledger = i
		}
	}
	for _, c := range []struct {
		reason   string
		from, to instance
		open     bool
	}{
		{"what mobile-bank declares passes", account, ledger, true},
		{"what nobody declared does not, within the tenant", ledger, account, false},
		{"another tenant does not get in", card, account, false},
		{"another tenant does not get into the core either", card, ledger, false},
	} {
		t.Run(c.reason, func(t *testing.T) {
			t.Parallel() // what is shut is waited for
			if open := dial(t, c.from, c.to.IP+":8080"); open != c.open {
				t.Errorf("a connection from %s (%s) to %s (%s): open is %v, want %v", c.from.Seat, c.from.IP, c.to.Seat, c.to.IP, open, c.open)
			}
		})
	}
}

func TestOnlyOneComponentIsReleasedAndNoTransferIsLost(t *testing.T) {
	before := running(t, "retail-prod")
	l := transfer(t)
	file := application(t, "bank/account:v1", "bank/account:v2")

	if code, said := refused(t, "diff", "-f", file); code != 1 || strings.Contains(said, "could not") {
		t.Errorf("diff of a change ends with %d and %q, want 1", code, said)
	}
	as(t, maker, "apply", "-f", file, "--wait")
	for seat, i := range running(t, "retail-prod") {
		if i.IP != before[seat].IP {
			t.Errorf("%s moved by apply alone", seat)
		}
	}
	begun := time.Now()
	change(t, operator, "mobile-bank", "retail-prod", "--reason", "account v2")
	t.Logf("the release took %s", time.Since(begun).Round(time.Second))

	var after map[string]instance
	until(t, 30*time.Second, "every seat to be taken by a new or old instance", func() (bool, string) {
		after = running(t, "retail-prod")
		return len(after) == len(before), fmt.Sprintf("%d of %d seats", len(after), len(before))
	})
	for seat, was := range before {
		is := after[seat]
		if moved := is.IP != was.IP; moved != (was.Component == "account") {
			t.Errorf("%s: replaced is %v", seat, moved)
		}
		if is.Revision == was.Revision {
			t.Errorf("%s still shows revision %s", seat, is.Revision)
		}
	}
	said, err := ask(t.Context(), state.url("dc-east")+"/")
	if err != nil {
		t.Fatal(err)
	}
	if said.Version != "v1" || said.Next.Version != "v2" {
		t.Errorf("channel answers as %s, account as %s; want v1 and v2", said.Version, said.Next.Version)
	}
	l.wait(t)
}

func TestOneInstanceIsRestartedOnItsSeat(t *testing.T) {
	in(t, &lanes.retail)
	before := running(t, "retail-prod")
	l := transfer(t)
	as(t, duty, "instance", "restart", "account-1", "-n", "retail-prod", "--app", "mobile-bank", "--reason", "a test", "--ticket", "CHG-8", "--change-class", "Standard", "--wait")
	after := running(t, "retail-prod")
	for seat, was := range before {
		if moved := after[seat].IP != was.IP; moved != (seat == "account-1") {
			t.Errorf("%s: replaced is %v", seat, moved)
		}
	}
	l.wait(t)
}

func TestLogsOfASeat(t *testing.T) {
	out := fairway(t, "logs", "ledger-0", "-n", "retail-prod", "--app", "mobile-bank", "--tail", "5")
	if !strings.Contains(out, `"msg"`) {
		t.Errorf("the log of ledger-0 holds no JSON lines: %q", out)
	}
}

func TestALostHostIsMadeUpForOnTheSameSeats(t *testing.T) {
	in(t, &lanes.retail)
	before := running(t, "retail-prod")
	host := before["account-0"].Host
	var gone []string
	for seat, i := range before {
		if i.Host == host {
			gone = append(gone, seat)
		}
	}
	l := transfer(t, "dc-west")
	if _, err := sandbox("host", "stop", host); err != nil {
		t.Fatal(err)
	}
	took := until(t, 3*time.Minute, "the seats of "+host+" to be taken again", func() (bool, string) {
		now := running(t, "retail-prod")
		for _, seat := range gone {
			if i, ok := now[seat]; !ok || i.Host == host {
				return false, seat + " is not running elsewhere"
			}
		}
		return true, ""
	})
	t.Logf("%s was lost; %v run again after %s", host, gone, took.Round(time.Second))
	if _, err := sandbox("host", "start", host); err != nil {
		t.Fatal(err)
	}
	until(t, 3*time.Minute, "one row per seat after "+host+" is back", func() (bool, string) {
		now := instances(t, "retail-prod")
		return len(now) == len(before), fmt.Sprintf("%d rows", len(now))
	})
	l.wait(t)
}

// TestTheHubMayBeAway stops the hub and Fairway's server for a minute, by
// freezing their processes: nothing that runs may notice.
func TestTheHubMayBeAway(t *testing.T) {
	if err := refresh(); err != nil {
		t.Fatal(err)
	}
	before := running(t, "retail-prod")
	frozen := []int{state.pid("hub/kube-apiserver"), state.pid("hub/kube-controller-manager"), state.pid("fairway")}
	l := transfer(t)
	for _, pid := range frozen {
		if pid <= 1 {
			t.Fatalf("no process to freeze: %v", frozen)
		}
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	}
	end := time.Now().Add(time.Minute)
	for time.Now().Before(end) {
		for _, dataCenter := range []string{"dc-east", "dc-west"} {
			if _, err := ask(t.Context(), state.url(dataCenter)+"/"); err != nil {
				t.Errorf("with the hub away: %v", err)
			}
		}
		select {
		case <-time.After(time.Second):
		case <-t.Context().Done():
		}
	}
	for _, pid := range frozen {
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil && err != syscall.ESRCH {
			t.Fatal(err)
		}
	}
	l.wait(t)
	until(t, 2*time.Minute, "the server to answer again", func() (bool, string) {
		_, err := command(t.Context(), "get", "clusters", "--timeout", "5s")
		return err == nil, fmt.Sprint(err)
	})
	until(t, time.Minute, "all instances to be listed as before", func() (bool, string) {
		now := running(t, "retail-prod")
		for seat, was := range before {
			if now[seat].IP != was.IP {
				return false, seat + " changed"
			}
		}
		return true, ""
	})
}

// TestAServerKilledInTheMiddleGoesOn kills the server again and again while a
// Release is being carried out.
func TestAServerKilledInTheMiddleGoesOn(t *testing.T) {
	l := transfer(t)
	as(t, maker, "apply", "-f", application(t, "bank/account:v1", "bank/account:v1"), "--wait")
	agree(t, "retail-prod", request(t, operator, "mobile-bank", "retail-prod", "--reason", "back to v1"))
	for range 3 {
		if err := refresh(); err != nil {
			t.Fatal(err)
		}
		pid := state.pid("fairway")
		if pid > 1 {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		until(t, time.Minute, "the server to answer again", func() (bool, string) {
			_, err := command(t.Context(), "get", "clusters", "--timeout", "5s")
			return err == nil, fmt.Sprint(err)
		})
	}
	until(t, 4*time.Minute, "the release to be complete", func() (bool, string) {
		out, err := command(t.Context(), "get", "application", "mobile-bank", "-n", "retail-prod", "-o", "json")
		if err != nil {
			return false, err.Error()
		}
		var a struct {
			Status struct{ ActiveRelease, LatestRevision, ReleasedRevision string } `json:"status"`
		}
		if err := json.Unmarshal([]byte(out), &a); err != nil {
			return false, err.Error()
		}
		return a.Status.ActiveRelease == "" && a.Status.LatestRevision == a.Status.ReleasedRevision, fmt.Sprintf("%+v", a.Status)
	})
	said, err := ask(t.Context(), state.url("dc-west")+"/")
	if err != nil {
		t.Fatal(err)
	}
	if said.Next.Version != "v1" {
		t.Errorf("account answers as %s, want v1", said.Next.Version)
	}
	l.wait(t)
}

// TestABadReleaseHoldsAndTheWayBackIsOpen releases a version that never gets
// ready: what ran goes on, and one command brings it back.
func TestABadReleaseHoldsAndTheWayBackIsOpen(t *testing.T) {
	in(t, &lanes.retail)
	before := running(t, "retail-prod")
	l := transfer(t)
	as(t, maker, "apply", "-f", application(t, "      resources: *size\n      ports:\n        - {name: http, port: 8080}\n      probes: *probes\n",
		"      resources: *size\n      ports:\n        - {name: http, port: 8080}\n      probes: {readiness: {http: {port: http, path: /nowhere}}, liveness: {http: {port: http, path: /healthz}}}\n"), "--wait")
	bad := request(t, operator, "mobile-bank", "retail-prod", "--reason", "bad probes")
	agree(t, "retail-prod", bad)
	code, said := refused(t, "release", "status", bad, "-n", "retail-prod", "--wait", "--timeout", "20s")
	if code != 7 || !strings.Contains(said, "component account") {
		t.Errorf("waiting ends with %d and does not say what is waited for: %s", code, said)
	}
	// The way back is part of what was agreed to: nobody is asked again.
	as(t, operator, "release", "start", "mobile-bank", "-n", "retail-prod", "--kind", "Rollback", "--revision", before["account-0"].Revision, "--reason", "it never gets ready", "--wait")
	after := running(t, "retail-prod")
	for seat, was := range before {
		if after[seat].IP != was.IP || after[seat].Revision != was.Revision {
			t.Errorf("%s was changed by a release that never got ready: %+v", seat, after[seat])
		}
	}
	l.wait(t)
}

func TestARetiredApplicationIsGoneAndMayComeBack(t *testing.T) {
	in(t, &lanes.cards)
	change(t, cards, "card-center", "cards-prod", "--kind", "Retire", "--reason", "out of service")
	if left := instances(t, "cards-prod"); len(left) > 0 {
		t.Errorf("%d instances are left after the retirement", len(left))
	}
	for _, cluster := range []string{"east-1", "west-1"} {
		if out, err := kubectl(t, cluster, "get", "namespace", "cards-prod-card-center"); err == nil {
			t.Errorf("the namespace is left in %s: %s", cluster, out)
		}
	}
	fairway(t, "delete", "application", "card-center", "-n", "cards-prod")
	as(t, maker, "apply", "-f", "examples/bank/applications/card-center.yaml", "--wait")
	change(t, cards, "card-center", "cards-prod", "--reason", "it comes back")
	if now := running(t, "cards-prod"); len(now) != 2 {
		t.Errorf("%d instances run after it came back, want 2", len(now))
	}
}

// TestALostDataCenterIsNotCalledHealthy loses a site: the other one goes on, what
// cannot be seen is not called ready, and a Release goes on when the site is back.
func TestALostDataCenterIsNotCalledHealthy(t *testing.T) {
	l := transfer(t, "dc-east")
	if _, err := sandbox("site", "lose", "dc-west"); err != nil {
		t.Fatal(err)
	}
	until(t, time.Minute, "the application not to be called ready", func() (bool, string) {
		ready := condition(t, "application", "mobile-bank", "retail-prod", "Ready")
		return ready != "True", "Ready is " + ready
	})
	for _, i := range instances(t, "retail-prod") {
		if i.DataCenter == "dc-west" && i.State == "Running" {
			t.Errorf("%s, which cannot be seen, is called Running", i.Seat)
		}
	}
	if _, err := sandbox("site", "restore", "dc-west"); err != nil {
		t.Fatal(err)
	}
	took := until(t, 3*time.Minute, "the application to be ready again", func() (bool, string) {
		ready := condition(t, "application", "mobile-bank", "retail-prod", "Ready")
		return ready == "True", "Ready is " + ready
	})
	t.Logf("ready %s after the site was restored", took.Round(time.Second))
	l.wait(t)
}

// condition returns the status of an object's condition.
func condition(t *testing.T, kind, name, namespace, condition string) string {
	t.Helper()
	var o struct {
		Status struct {
			Conditions []struct{ Type, Status string } `json:"conditions"`
		} `json:"status"`
	}
	if err := json.Unmarshal([]byte(fairway(t, "get", kind, name, "-n", namespace, "-o", "json")), &o); err != nil {
		t.Fatal(err)
	}
	for _, c := range o.Status.Conditions {
		if c.Type == condition {
			return c.Status
		}
	}
	return ""
}

func TestNothingThatRunsIsDeletedThroughTheHub(t *testing.T) {
	in(t, &lanes.retail)
	before := running(t, "retail-prod")
	if code, said := refused(t, "delete", "application", "mobile-bank", "-n", "retail-prod"); code == 0 || !strings.Contains(strings.ToLower(said), "retire") {
		t.Errorf("the refusal does not name the way out: %s", said)
	}
	for _, attempt := range [][]string{
		{"delete", "application.app.fairway.cloud", "mobile-bank", "-n", "retail-prod", "--wait=false"},
		{"delete", "namespace", "retail-prod", "--wait=false"},
		{"delete", "crd", "deliveries.delivery.fairway.cloud", "--wait=false"},
		{"delete", "namespace", "fairway-cluster-east-1", "--wait=false"},
		{"delete", "cluster.fleet.fairway.cloud", "east-1", "--wait=false"},
	} {
		if out, err := kubectl(t, "hub", attempt...); err == nil {
			t.Errorf("kubectl %s was carried out: %s", strings.Join(attempt, " "), out)
		}
	}
	after := running(t, "retail-prod")
	for seat, was := range before {
		if after[seat].IP != was.IP {
			t.Errorf("%s changed", seat)
		}
	}
}

func TestAMistakeIsRefusedAndChangesNothing(t *testing.T) {
	in(t, &lanes.retail)
	for _, c := range []struct{ reason, old, new, says string }{
		{"an unknown field", "  availabilityClass: b\n", "  availabilityClass: b\n  replicas: 3\n", "replicas"},
		{"a floating tag", "bank/account:v1", "bank/account:latest", "latest"},
		{"a level its zone refuses", "      zone: business\n", "      zone: dmz\n", "dmz"},
		{"an image that the registry does not have", "bank/account:v1", "bank/account:v99", "v99"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			_, said := refused(t, "apply", "-f", application(t, c.old, c.new), "--wait", "--timeout", "1m", "--context", maker)
			if !strings.Contains(said, c.says) {
				t.Errorf("the refusal does not say what is wrong (%q): %s", c.says, said)
			}
		})
	}
	as(t, maker, "apply", "-f", application(t, "bank/account:v1", "bank/account:v1"), "--wait")
	t.Run("more than the quota", func(t *testing.T) {
		file := application(t, "count: 2", "count: 30")
		as(t, maker, "apply", "-f", file, "--wait")
		_, said := refused(t, append([]string{"release", "start", "mobile-bank", "-n", "retail-prod", "--reason", "too many", "--wait", "--timeout", "1m", "--context", operator}, papers...)...)
		if !strings.Contains(said, "quota") && !strings.Contains(said, "lacks") {
			t.Errorf("the refusal does not name quota or room: %s", said)
		}
	})
	if len(running(t, "retail-prod")) != 10 {
		t.Error("a refused change changed what runs")
	}
}

// application writes the bank's application with one text replaced everywhere.
func application(t *testing.T, old, new string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "examples/bank/applications/mobile-bank.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), old) {
		t.Fatalf("the example holds no %q", old)
	}
	file := filepath.Join(t.TempDir(), "mobile-bank.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(content), old, new)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// write writes a file of the test's own.
func write(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
