// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package agent

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// inside runs f in the namespace, on a thread that is thrown away afterwards.
func (k Kernel) inside(f func() error) error {
	if k.NetNS == "" {
		return f()
	}
	ns, err := os.Open(k.NetNS)
	if err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	defer ns.Close()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("could not enter the network namespace: %w", err)
			return
		}
		done <- f()
	}()
	return <-done
}
