// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// space is an open namespace: a netlink handle in it and its descriptor.
type space struct {
	path string
	fd   netns.NsHandle // netns.None() for the root namespace
	*netlink.Handle
}

func (s *space) close() {
	if s == nil {
		return
	}
	s.Handle.Close()
	if s.fd.IsOpen() {
		s.fd.Close()
	}
}

// openRoot opens the namespace the process lives in.
func openRoot() (*space, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("could not open netlink: %w", err)
	}
	return &space{fd: netns.None(), Handle: h}, nil
}

// openSpace opens a named namespace.
func openSpace(path string) (*space, error) {
	fd, err := netns.GetFromPath(path)
	if err != nil {
		return nil, fmt.Errorf("could not open namespace %q: %w", path, err)
	}
	h, err := netlink.NewHandleAt(fd, unix.NETLINK_ROUTE)
	if err != nil {
		fd.Close()
		return nil, fmt.Errorf("could not open netlink in namespace %q: %w", path, err)
	}
	return &space{path: path, fd: fd, Handle: h}, nil
}

// ensureSpace opens a named namespace and makes it first when it is missing.
// A file without a namespace behind it (left by a kill in between) is replaced.
func ensureSpace(path string) (*space, error) {
	if isNamespace(path) {
		return openSpace(path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("could not replace %q, which is no namespace: %w", path, err)
	}
	if err := onFreshThread(func() error {
		h, err := netns.NewNamed(filepath.Base(path))
		if err != nil {
			return err
		}
		return h.Close()
	}); err != nil {
		return nil, fmt.Errorf("could not make network namespace %q (root is needed): %w", path, err)
	}
	s, err := openSpace(path)
	if err != nil {
		return nil, err
	}
	if err := s.initialise(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// initialise gives a new namespace its loopback and the kernel settings of a
// router: forwarding on, no reverse-path filter, no redirects, no IPv6.
func (s *space) initialise() error {
	lo, err := s.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := s.LinkSetUp(lo); err != nil {
		return err
	}
	return s.do(func() error {
		for _, setting := range []struct{ file, value string }{
			{"net/ipv4/ip_forward", "1"},
			{"net/ipv4/conf/all/rp_filter", "0"},
			{"net/ipv4/conf/default/rp_filter", "0"},
			{"net/ipv4/conf/all/send_redirects", "0"},
			{"net/ipv4/conf/default/send_redirects", "0"},
			{"net/ipv6/conf/all/disable_ipv6", "1"},
			{"net/ipv6/conf/default/disable_ipv6", "1"},
			{"net/bridge/bridge-nf-call-iptables", "0"},
		} {
			err := os.WriteFile(filepath.Join("/proc/sys", setting.file), []byte(setting.value), 0o644)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("could not set %s in namespace %q: %w", setting.file, s.path, err)
			}
		}
		return nil
	})
}

// do runs f on a thread inside the namespace.
func (s *space) do(f func() error) error {
	return onFreshThread(func() error {
		if err := netns.Set(s.fd); err != nil {
			return err
		}
		return f()
	})
}

// onFreshThread runs f on a thread that dies with it, so that no namespace
// leaks into another goroutine.
func onFreshThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends here
		done <- f()
	}()
	return <-done
}

// isNamespace tells whether path is a bound namespace.
func isNamespace(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == unix.NSFS_MAGIC
}

// removeSpace unbinds a namespace; the kernel ends it, with its links, once
// no process is left inside.
func removeSpace(path string) error {
	if isNamespace(path) {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("could not unmount namespace %q: %w", path, err)
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("could not remove namespace %q: %w", path, err)
	}
	return nil
}

// listSpaces returns the paths of all namespaces of a sandbox.
func listSpaces(sandbox string) ([]string, error) {
	entries, err := os.ReadDir(NetNSDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("could not list network namespaces: %w", err)
	}
	var paths []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), NamespacePrefix(sandbox)) {
			paths = append(paths, filepath.Join(NetNSDir, e.Name()))
		}
	}
	return paths, nil
}
