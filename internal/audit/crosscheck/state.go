// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package crosscheck

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// HubName is the name under which the hub's log is kept and told.
const HubName = "hub"

// kept is what a Watch remembers of a cluster.
type kept struct {
	// Since when the log is compared. What is older has no record to be expected.
	Since time.Time `json:"since"`
	// Newest is the time of the newest line, Marked that of the newest mark.
	Newest time.Time `json:"newest,omitzero"`
	Marked time.Time `json:"marked,omitzero"`
	// Positions in the files.
	Positions []Position `json:"positions,omitempty"`
	// Pending writes were read and not compared yet.
	Pending []pending `json:"pending,omitempty"`
	// Found are the newest writes that nobody accounts for, Total counts all of them,
	// Compared all writes.
	Found    []Found `json:"found,omitempty"`
	Total    int     `json:"total,omitempty"`
	Compared int     `json:"compared,omitempty"`
	// Problems of the log, newest last.
	Problems []Problem `json:"problems,omitempty"`
}

type pending struct {
	Write
	// Read is when its line was read.
	Read time.Time `json:"read"`
}

// Found is a write that nobody accounts for.
type Found struct {
	Write
	// At is when it was found.
	At time.Time `json:"at"`
}

// Problem is something that cannot be compared.
type Problem struct {
	// At is when it was seen.
	At time.Time `json:"at"`
	// Text says what it is.
	Text string `json:"text"`
}

func load(path string) (map[string]*kept, error) {
	all := map[string]*kept{}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("could not read how far the audit logs were compared: %w; without the file %q they are compared from now on", err, path)
	}
	return all, nil
}

// save replaces the file at once: after a crash the older one is there, and what
// follows is read again.
func save(path string, all map[string]*kept) error {
	raw, err := json.Marshal(all)
	if err == nil {
		err = os.WriteFile(path+".new", raw, 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("could not keep how far the audit logs were compared (%s): %w", filepath.Base(path), err)
	}
	return nil
}
