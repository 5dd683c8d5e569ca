// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package network

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// machineState is what the network could leave behind.
func machineState(t *testing.T) map[string]string {
	t.Helper()
	state := map[string]string{}
	for name, argv := range map[string][]string{
		"namespaces": {"ip", "netns"}, "links": {"ip", "-o", "link"}, "routes": {"ip", "route"},
		"tables": {"nft", "list", "tables"}, "mounts": {"cat", "/proc/self/mounts"},
	} {
		out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", argv, err, out)
		}
		// Only what bears the mark of a sandbox of this test: other tests
		// on the machine may come and go.
		var ours []byte
		for line := range bytes.Lines(out) {
			for _, sandbox := range []string{"net-one", "net-two"} {
				if bytes.Contains(line, []byte(NamespacePrefix(sandbox))) || bytes.Contains(line, []byte(LinkPrefix(sandbox))) || bytes.Contains(line, []byte(TableName(sandbox))) {
					ours = append(ours, line...)
				}
			}
		}
		state[name] = string(ours)
	}
	return state
}

// answer listens in a namespace ("" for the root) and says its name.
func answer(t *testing.T, sandbox, where string, addr netip.Addr) {
	t.Helper()
	var l net.Listener
	listen := func() (err error) {
		l, err = net.Listen("tcp4", netip.AddrPortFrom(addr, 7070).String())
		return err
	}
	var err error
	if where == "" {
		err = listen()
	} else {
		s, openErr := openSpace(NamespacePath(sandbox, where))
		if openErr != nil {
			t.Fatal(openErr)
		}
		defer s.close()
		err = s.do(listen)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte(addr.String()))
			conn.Close()
		}
	}()
}

// reach dials from a namespace ("" for the root) and reads the answer.
func reach(sandbox, where string, addr netip.Addr) error {
	dial := func() error {
		conn, err := net.DialTimeout("tcp4", netip.AddrPortFrom(addr, 7070).String(), 500*time.Millisecond)
		if err != nil {
			return err
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(time.Second))
		buf := make([]byte, 64)
		k, err := conn.Read(buf)
		if err != nil {
			return err
		}
		if string(buf[:k]) != addr.String() {
			return fmt.Errorf("%q answered for %v", buf[:k], addr)
		}
		return nil
	}
	if where == "" {
		return dial()
	}
	s, err := openSpace(NamespacePath(sandbox, where))
	if err != nil {
		return err
	}
	defer s.close()
	return s.do(dial)
}

// patience is how long a path may take to open: neighbours ask for each
// other's link address once a second, and the machine may be busy.
const patience = 15 * time.Second

// reachSoon is reach for a path that must open.
func reachSoon(sandbox, where string, addr netip.Addr) error {
	for deadline := time.Now().Add(patience); ; {
		err := reach(sandbox, where, addr)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("iproute2 is not installed")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("nftables is not installed")
	}
}

func TestNetworkOnThisMachine(t *testing.T) {
	needRoot(t)
	ctx := t.Context()
	one, two := twoSites("net-one", 218), twoSites("net-two", 220)
	one.StateFile = filepath.Join(t.TempDir(), "cuts.json")
	before := machineState(t)
	start := func(c Config) *Network {
		n, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = Remove(ctx, c.Sandbox) })
		if err := n.Up(ctx); err != nil {
			t.Fatal(err)
		}
		return n
	}
	n := start(one)
	other := start(two) // a second sandbox lies beside it
	if err := n.Up(ctx); err != nil {
		t.Fatalf("Up is safe to repeat: %v", err)
	}

	// A pod's address on each host stands for its pods.
	pods := map[string]netip.Addr{}
	for _, h := range one.Hosts {
		answer(t, one.Sandbox, h.Name, h.IP)
		if !h.PodCIDR.IsValid() {
			continue
		}
		pods[h.Name] = h.PodCIDR.Addr().Next()
		s, err := openSpace(NamespacePath(one.Sandbox, h.Name))
		if err != nil {
			t.Fatal(err)
		}
		lo, err := s.link("lo")
		if err == nil {
			err = s.ensureAddress(lo, netip.PrefixFrom(pods[h.Name], 32))
		}
		s.close()
		if err != nil {
			t.Fatal(err)
		}
		answer(t, one.Sandbox, h.Name, pods[h.Name])
	}
	east, west := one.DataCenters[0], one.DataCenters[1]
	answer(t, one.Sandbox, "", east.Machine)
	answer(t, one.Sandbox, "", west.Machine)

	all := func() map[string]error {
		paths := map[string]error{}
		for _, from := range []string{"", "east-biz-1", "west-edge-1"} {
			for _, to := range []string{"east-biz-1", "east-core-1", "west-biz-1"} {
				paths[from+">"+to] = reach(one.Sandbox, from, pods[to])
			}
		}
		paths["east-biz-1>machine"] = reach(one.Sandbox, "east-biz-1", east.Machine)
		paths["east-core-1>machine"] = reach(one.Sandbox, "east-core-1", east.Machine)
		paths["hub>east"] = reach(one.Sandbox, "", east.Machine)
		paths["hub>west"] = reach(one.Sandbox, "", west.Machine)
		return paths
	}
	verify := func(reason string, broken ...string) {
		t.Helper()
		want := map[string]bool{}
		for _, p := range broken {
			want[p] = true
		}
		var got map[string]bool
		var errs map[string]error
		for deadline := time.Now().Add(patience); ; {
			got, errs = map[string]bool{}, all()
			for path, err := range errs {
				if err != nil {
					got[path] = true
				}
			}
			if cmp.Equal(want, got) || time.Now().After(deadline) {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: broken paths (-want +got):\n%s%v", reason, diff, errs)
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	verify("everything reaches everything")
	do(n.Cut(ctx, "dc-west", "dc-east"))
	verify("sites are parted, the machine reaches both", "east-biz-1>west-biz-1", "west-edge-1>east-biz-1", "west-edge-1>east-core-1")
	again, err := New(one)
	do(err)
	do(again.Up(ctx))
	verify("a cut outlives the process that made it", "east-biz-1>west-biz-1", "west-edge-1>east-biz-1", "west-edge-1>east-core-1")
	n = again
	do(n.Heal(ctx, "dc-west", "dc-east"))
	verify("healed")
	do(n.Cut(ctx, "east-b", ""))
	verify("a rack is cut off", ">east-core-1", "east-biz-1>east-core-1", "west-edge-1>east-core-1", "east-core-1>machine")
	do(n.Heal(ctx, "dc-east", "east-b"))
	do(n.Cut(ctx, "east-biz-1", ""))
	verify("a host is cut off but reaches itself", ">east-biz-1", "west-edge-1>east-biz-1", "east-biz-1>east-core-1", "east-biz-1>west-biz-1", "east-biz-1>machine")
	do(n.Heal(ctx, "east-biz-1", ""))
	do(n.Cut(ctx, "hub", "dc-east"))
	verify("the hub is cut off, hosts still reach their API server", "hub>east")
	do(n.Heal(ctx, "hub", "dc-east"))
	verify("healed")
	do(n.LoseSite(ctx, "dc-west"))
	verify("a site is lost; inside, neighbours reach each other", ">west-biz-1", "east-biz-1>west-biz-1", "west-edge-1>east-biz-1", "west-edge-1>east-core-1", "hub>west")
	do(n.RestoreSite(ctx, "dc-west"))
	verify("restored")

	do(n.HostDown(ctx, "east-core-1"))
	if isNamespace(NamespacePath(one.Sandbox, "east-core-1")) {
		t.Error("HostDown leaves the namespace")
	}
	do(n.Up(ctx, "east-core-1"))
	if isNamespace(NamespacePath(one.Sandbox, "east-core-1")) {
		t.Error("Up plugs in a host that is off")
	}
	do(n.HostUp(ctx, "east-core-1"))
	answer(t, one.Sandbox, "east-core-1", one.Hosts[1].IP)
	if err := reachSoon(one.Sandbox, "west-biz-1", one.Hosts[1].IP); err != nil {
		t.Errorf("a host comes back under its name and address: %v", err)
	}

	do(n.Down(ctx))
	if _, err := os.Stat(one.StateFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Down leaves %q", one.StateFile)
	}
	answer(t, two.Sandbox, "west-biz-1", two.Hosts[2].IP)
	if err := reachSoon(two.Sandbox, "east-biz-1", two.Hosts[2].IP); err != nil {
		t.Errorf("the second sandbox is untouched by the first one's end: %v", err)
	}
	do(other.Down(ctx))
	if diff := cmp.Diff(before, machineState(t)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}
