// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package kept keeps stops that the hub could not take when somebody asked for them,
// on the server's own disk, until it can: a release takes no step before a stop that was
// kept for it is written, and automation does nothing before a Brake is.
package kept

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
)

// Stop is one stop that somebody asked for.
type Stop struct {
	// Namespace of the Release, and its name; or that of its application, whose active
	// Release is meant.
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Person who asked, with his groups and his login then. The hub asks them for the
	// right to it when it takes the stop.
	Person  string   `json:"person"`
	Groups  []string `json:"groups,omitempty"`
	Session string   `json:"session,omitempty"`
	// At is when he asked, in UTC.
	At time.Time `json:"at"`
	// Trace of his request.
	Trace string `json:"trace,omitempty"`
	// Brake says that all automation is to stop, by a Brake of that Name, and no single
	// Release: Namespace is empty then.
	Brake *Brake `json:"brake,omitempty"`

	id string
}

// Brake is what a person said of a Brake.
type Brake struct {
	// Environments in which automation is to stop. Empty: all.
	Environments []string `json:"environments,omitempty"`
	Reason       string   `json:"reason"`
}

// Subject names what is stopped, for logs.
func (s Stop) Subject() string {
	if s.Brake != nil {
		return "Brake/" + s.Name
	}
	return s.Namespace + "/" + s.Name
}

// Of says whether the stop is of a Release.
func (s Stop) Of(r *releasev1.Release) bool {
	return s.Brake == nil && r.Namespace == s.Namespace && (r.Name == s.Name || r.Spec.Application == s.Name)
}

// most is how many stops wait at once. Beyond it somebody plays with it.
const most = 10000

// ErrFull says that no more stops are kept.
var ErrFull = errors.New("too many stops wait for the hub already")

// Stops are those that wait. They are safe for use by several goroutines.
type Stops struct {
	dir string

	mu     sync.Mutex
	stops  map[string]Stop
	unkept map[string]bool // in memory only
	wake   chan struct{}
}

// Open finds what an earlier process has kept in the folder.
func Open(dir string) (*Stops, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("could not make folder %q for stops: %w", dir, err)
	}
	s := &Stops{dir: dir, stops: map[string]Stop{}, unkept: map[string]bool{}, wake: make(chan struct{}, 1)}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		raw, err := os.ReadFile(file) //nolint:gosec // of its own folder
		if err != nil {
			return nil, fmt.Errorf("could not read a stop that was kept: %w", err)
		}
		stop := Stop{}
		if err := json.Unmarshal(raw, &stop); err != nil {
			return nil, fmt.Errorf("could not read the stop in %q: %w; look at it, and move it away", file, err)
		}
		stop.id = filepath.Base(file)
		s.stops[stop.id] = stop
	}
	s.rouse()
	return s, nil
}

// Keep keeps a stop. An error other than ErrFull says that it is in memory only, and why:
// it is carried out all the same, unless the process ends first.
func (s *Stops) Keep(stop Stop) error {
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	stop.id = stop.At.UTC().Format("20060102t150405") + "-" + hex.EncodeToString(random) + ".json"
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.stops) >= most {
		return ErrFull
	}
	s.stops[stop.id] = stop
	s.rouse()
	if err := s.write(stop); err != nil {
		s.unkept[stop.id] = true
		return fmt.Errorf("could not keep the stop on disk: %w", err)
	}
	return nil
}

// write makes the file appear whole or not at all.
func (s *Stops) write(stop Stop) error {
	raw, err := json.Marshal(stop)
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir, stop.id)
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(raw)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		_ = os.Remove(path + ".new")
		return err
	}
	folder, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func (s *Stops) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Waiting lists the stops that wait, oldest first.
func (s *Stops) Waiting() []Stop {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Stop
	for _, stop := range s.stops {
		out = append(out, stop)
	}
	slices.SortFunc(out, func(a, b Stop) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.id, b.id)) })
	return out
}

// Holds says whether a stop of a Release waits.
func (s *Stops) Holds(r *releasev1.Release) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stop := range s.stops {
		if stop.Of(r) {
			return true
		}
	}
	return false
}

// Braked says why automation does nothing in an environment before a Brake that was kept
// for it is written; empty: none was.
func (s *Stops) Braked(environment string) string {
	for _, stop := range s.Waiting() {
		if b := stop.Brake; b != nil && (len(b.Environments) == 0 || slices.Contains(b.Environments, environment)) {
			return fmt.Sprintf("brake %s, which %s set while the hub was away, is not written yet: %s", stop.Name, stop.Person, b.Reason)
		}
	}
	return ""
}

// done forgets a stop that was carried out, or that is none.
func (s *Stops) done(stop Stop) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := os.Remove(filepath.Join(s.dir, stop.id))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil && !s.unkept[stop.id] {
		// It stays, and is carried out once more after a restart: that changes nothing.
		err = fmt.Errorf("could not forget a stop that was carried out: %w", err)
	}
	delete(s.stops, stop.id)
	delete(s.unkept, stop.id)
	return err
}
