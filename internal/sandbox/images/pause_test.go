// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package images

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// waitForHandler returns once the process catches SIGINT, read from the
// kernel's signal mask (bit 1 of SigCgt).
func waitForHandler(pid int) error {
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(status)) {
			mask, found := strings.CutPrefix(line, "SigCgt:")
			if !found {
				continue
			}
			bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			if err != nil {
				return err
			}
			if bits&(1<<1) != 0 {
				return nil
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return errors.New("the process never caught SIGINT")
}
