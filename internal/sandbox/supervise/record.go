// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package supervise

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Record is what is remembered of one running process.
type Record struct {
	// Name of the process.
	Name string `json:"name"`
	// Identity of the running child.
	Identity
	// Spec is a digest of what was run; another one means: start anew.
	Spec string `json:"spec"`
	// Restarts counts how often it was started again after it had died.
	Restarts int `json:"restarts"`
	// Signal and Grace end it gracefully.
	Signal int `json:"signal"`
	Grace  int `json:"grace"`
}

// Records reads a supervisor's state file: the processes in the order they
// were started. A missing file holds none.
func Records(file string) ([]Record, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("could not read the list of processes: %w", err)
	}
	var records []Record
	if err := json.Unmarshal(content, &records); err != nil {
		return nil, fmt.Errorf("could not read the list of processes in %q: %w", file, err)
	}
	return records, nil
}

// EndAll ends the recorded processes, the youngest first: what a new supervisor
// or "down" does with those of one that was killed.
func EndAll(ctx context.Context, records []Record) error {
	var faults []error
	records = slices.SortedFunc(slices.Values(records), func(a, b Record) int { return cmp.Compare(a.Start, b.Start) })
	for _, record := range slices.Backward(records) {
		faults = append(faults, record.End(ctx, unix.Signal(record.Signal), time.Duration(record.Grace)*time.Second))
	}
	return errors.Join(faults...)
}

func writeRecords(file string, records []Record) error {
	content, err := json.MarshalIndent(records, "", "  ")
	if err != nil {
		return err
	}
	temporary := file + ".new"
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return fmt.Errorf("could not remember the processes: %w", err)
	}
	if err := os.Rename(temporary, file); err != nil {
		return fmt.Errorf("could not remember the processes in %q: %w", filepath.Base(file), err)
	}
	return nil
}

// digest tells whether a running process is what the specification asks for.
func (p Process) digest() string {
	raw, _ := json.Marshal([]any{p.Argv, p.Env, p.Dir, p.NetNS, p.Cgroup})
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

func (p Process) signal() unix.Signal {
	if p.StopSignal == 0 {
		return unix.SIGTERM
	}
	return unix.Signal(p.StopSignal)
}

func (p Process) grace() time.Duration {
	if p.StopSeconds == 0 {
		return 10 * time.Second
	}
	return time.Duration(p.StopSeconds) * time.Second
}
