// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// The addresses of a lab. The client lies beyond the host, as another host or
// a customer does.
const (
	gateway  = "10.77.1.1"
	channel  = "10.77.1.2"
	account  = "10.77.1.3"
	points   = "10.77.1.4"
	uplink   = "10.78.0.1" // the host's own address towards the client
	client   = "10.78.0.2"
	service  = "10.96.77.1" // a ClusterIP in front of account
	port     = "8080"
	nodePort = "30080" // on uplink, in front of channel
)

// lab is a host as the sandbox has it: a namespace with a bridge, on which
// pods hang, each in a namespace of its own; and a client outside.
type lab struct {
	host string            // path of the host's namespace
	at   map[string]string // path of the namespace that has an address
	node string            // the host's name, other than its address
}

// newLab builds one, or skips the test where that cannot be done.
func newLab(t *testing.T) lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, tool := range []string{"ip", "nft", "nsenter", "sysctl", "unshare", "umount"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	prefix := fmt.Sprintf("fwnp%d-", os.Getpid())
	l := lab{at: map[string]string{}, node: "east-1"}
	space := func(name string) string {
		// Not "ip netns add": it mounts /run/netns onto itself, and the namespaces of a
		// sandbox that runs meanwhile could not be removed any more.
		path := "/run/netns/" + prefix + name
		if err := os.MkdirAll("/run/netns", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			run(t, "umount", path)
			_ = os.Remove(path)
		})
		run(t, "unshare", "--net="+path, "true")
		run(t, "ip", "-n", prefix+name, "link", "set", "lo", "up")
		return path
	}
	l.host = space("host")
	on := func(args ...string) { run(t, "ip", append([]string{"-n", prefix + "host"}, args...)...) }
	on("link", "add", "cni0", "type", "bridge")
	on("addr", "add", gateway+"/24", "dev", "cni0")
	on("link", "set", "cni0", "up")
	run(t, "nsenter", "--net="+l.host, "--", "sysctl", "-qw", "net.ipv4.ip_forward=1")
	for i, ip := range []string{channel, account, points, client} {
		name := fmt.Sprintf("end%d", i)
		l.at[ip] = space(name)
		on("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", prefix+name)
		via := gateway
		if ip == client {
			via = uplink
			on("addr", "add", uplink+"/24", "dev", name)
		} else {
			on("link", "set", name, "master", "cni0")
			on("link", "set", name, "type", "bridge_slave", "hairpin", "on")
		}
		on("link", "set", name, "up")
		in := func(args ...string) { run(t, "ip", append([]string{"-n", prefix + name}, args...)...) }
		in("addr", "add", ip+"/24", "dev", "eth0")
		in("link", "set", "eth0", "up")
		in("route", "add", "default", "via", via)
	}
	l.at[gateway] = l.host
	nat := fmt.Sprintf(`table ip proxy {
	chain to { type nat hook prerouting priority dstnat; policy accept;
		ip daddr %s tcp dport 80 dnat to %s:%s
		ip daddr %s tcp dport %s dnat to %s:%s
	}
	chain out { type nat hook postrouting priority srcnat; policy accept;
		ip saddr %s ip daddr %s masquerade
	}
}`, service, account, port, uplink, nodePort, channel, port, account, account)
	cmd := exec.Command("nsenter", "--net="+l.host, "--", "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(nat)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("address translation: %v: %s", err, out)
	}
	for _, ip := range []string{channel, account, points, client, gateway} {
		l.serve(t, ip)
	}
	return l
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// serve answers TCP on an address, echoing what comes.
func (l lab) serve(t *testing.T, ip string) {
	t.Helper()
	var listener net.Listener
	err := Kernel{NetNS: l.at[ip]}.inside(func() (err error) {
		listener, err = net.Listen("tcp4", net.JoinHostPort(ip, port))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buffer := make([]byte, 64)
				for {
					n, err := conn.Read(buffer)
					if err != nil {
						return
					}
					if _, err := conn.Write(buffer[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
}

// dial connects from an address to another, within the time.
func (l lab) dial(from, to string, timeout time.Duration) (net.Conn, error) {
	var conn net.Conn
	err := Kernel{NetNS: l.at[from]}.inside(func() (err error) {
		conn, err = net.DialTimeout("tcp4", to, timeout)
		return err
	})
	return conn, err
}

// reaches tells whether a connection carries data both ways. A drop shows as
// silence, so that "no" takes a while.
func (l lab) reaches(from, to string, timeout time.Duration) bool {
	conn, err := l.dial(from, to, timeout)
	if err != nil {
		return false
	}
	defer conn.Close()
	return echoes(conn, timeout) == nil
}

func echoes(conn net.Conn, timeout time.Duration) error {
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("hello")); err != nil {
		return err
	}
	buffer := make([]byte, 5)
	if _, err := conn.Read(buffer); err != nil {
		return err
	}
	if string(buffer) != "hello" {
		return errors.New("something else came back")
	}
	return nil
}

// silence is how long nothing comes back from where packets are dropped.
const silence = 700 * time.Millisecond

// path is a connection with an expectation.
type path struct {
	from, to string
	want     bool
}

// expect tries all paths at once.
func (l lab) expect(t *testing.T, reason string, paths []path) {
	t.Helper()
	var group sync.WaitGroup
	for _, p := range paths {
		group.Go(func() {
			timeout := 5 * time.Second
			if !p.want {
				timeout = silence
			}
			if got := l.reaches(p.from, p.to, timeout); got != p.want {
				t.Errorf("%s: %s reaches %s: %v, want %v", reason, p.from, p.to, got, p.want)
			}
		})
	}
	group.Wait()
}

// becomes waits until a path is as wanted, and says how long that took.
func (l lab) becomes(ctx context.Context, t *testing.T, p path) time.Duration {
	t.Helper()
	start := time.Now()
	for ctx.Err() == nil {
		if l.reaches(p.from, p.to, 100*time.Millisecond) != p.want {
			continue
		}
		took := time.Since(start)
		// On a busy machine 100 ms without an answer are no silence yet.
		if p.want || !l.reaches(p.from, p.to, silence) {
			return took
		}
	}
	t.Fatalf("%s reaches %s never became %v", p.from, p.to, p.want)
	return 0
}

func (l lab) asHost() Host {
	return Host{Node: l.node, NetNS: l.host, PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.77.1.0/24")}}
}
