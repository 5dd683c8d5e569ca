// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package state is the folder in which a sandbox keeps all it has: its number,
// topology, certificates, disks and logs. What is remembered survives a kill
// of the supervisor; "down" removes the folder whole.
package state

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

// RootVariable names the environment variable with the folder of all sandboxes.
const RootVariable = "FAIRWAY_STATE"

// Folder is the place of one sandbox.
type Folder struct {
	// Root holds the folders of all sandboxes of this machine.
	Root string
	// Name is the sandbox's name.
	Name string
}

// Saved is what a sandbox remembers about itself.
type Saved struct {
	// Index is the sandbox's number, from which its addresses follow.
	Index int `json:"index"`
	// Mark is carried by each of its processes.
	Mark string `json:"mark"`
	// Supervisor is the process that watches over the others.
	Supervisor supervise.Identity `json:"supervisor"`
	// StoppedHosts and LostSites were switched off by the user and stay off.
	StoppedHosts []string `json:"stoppedHosts,omitempty"`
	LostSites    []string `json:"lostSites,omitempty"`
	// CutsApplied says that the topology's first cuts were made.
	CutsApplied bool `json:"cutsApplied,omitempty"`
}

// ErrNone says that there is no sandbox of that name.
var ErrNone = errors.New("there is no such sandbox")

// DefaultRoot is $FAIRWAY_STATE, else /var/lib/fairway for root, else
// ~/.local/state/fairway.
func DefaultRoot() string {
	if dir := os.Getenv(RootVariable); dir != "" {
		return dir
	}
	if os.Getuid() == 0 {
		return "/var/lib/fairway"
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "fairway")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "state", "fairway")
	}
	return filepath.Join(os.TempDir(), "fairway")
}

// Path joins parts below the sandbox's folder.
func (f Folder) Path(parts ...string) string {
	return filepath.Join(append([]string{f.Root, f.Name}, parts...)...)
}

// Places below the folder.
func (f Folder) Logs() string               { return f.Path("logs") }
func (f Folder) Socket() string             { return f.Path("control.sock") }
func (f Folder) Processes() string          { return f.Path("processes.json") }
func (f Folder) Cluster(name string) string { return f.Path("clusters", name) }
func (f Folder) Host(name string) string    { return f.Path("hosts", name) }
func (f Folder) saved() string              { return f.Path("sandbox.json") }
func (f Folder) topology() string           { return f.Path("topology.yaml") }
func (f Folder) numbersLock() string        { return filepath.Join(f.Root, ".lock") }
func (f Folder) lockFile() string           { return f.Path("supervisor.lock") }

// Kubeconfig is the administrator's way to a cluster.
func (f Folder) Kubeconfig(cluster string) string {
	return filepath.Join(f.Cluster(cluster), "admin.kubeconfig")
}

// Exists tells whether the sandbox was started and not taken down.
func (f Folder) Exists() bool {
	_, err := os.Stat(f.saved())
	return err == nil
}

// Create makes the folder for a sandbox and gives it the lowest free number,
// or opens the one that is there. The topology of one that is there must be
// the same.
func (f Folder) Create(content []byte) error {
	if err := os.MkdirAll(f.Path(), 0o755); err != nil {
		return fmt.Errorf("could not make the folder of sandbox %q: %w", f.Name, err)
	}
	unlock, err := lockFile(f.numbersLock(), true)
	if err != nil {
		return err
	}
	defer unlock()
	if f.Exists() {
		old, err := os.ReadFile(f.topology())
		if err != nil {
			return fmt.Errorf("could not read the topology of sandbox %q: %w", f.Name, err)
		}
		if string(old) != string(content) {
			return fmt.Errorf("could not change sandbox %q while it is there: its topology file has changed; run \"fairway sandbox down\" first", f.Name)
		}
		return nil
	}
	taken, err := f.takenNumbers()
	if err != nil {
		return err
	}
	index := 0
	for index <= topology.MaxIndex && (slices.Contains(taken, index) || inUse(topology.FirstPort(index))) {
		index++
	}
	if index > topology.MaxIndex {
		return fmt.Errorf("could not number sandbox %q: all %d numbers are taken; take down another sandbox first", f.Name, topology.MaxIndex+1)
	}
	mark := make([]byte, 16)
	if _, err := rand.Read(mark); err != nil {
		return fmt.Errorf("could not mark sandbox %q: %w", f.Name, err)
	}
	if err := pki.WriteFile(f.topology(), content); err != nil {
		return err
	}
	return f.Save(Saved{Index: index, Mark: hex.EncodeToString(mark)})
}

// inUse tells whether someone listens on a port: a sandbox below another root.
func inUse(port int) bool {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return true
	}
	_ = listener.Close()
	return false
}

// takenNumbers are the numbers of the other sandboxes below the root.
func (f Folder) takenNumbers() ([]int, error) {
	files, err := filepath.Glob(filepath.Join(f.Root, "*", "sandbox.json"))
	if err != nil {
		return nil, fmt.Errorf("could not list the sandboxes in %q: %w", f.Root, err)
	}
	var taken []int
	for _, file := range files {
		saved, err := (Folder{Root: f.Root, Name: filepath.Base(filepath.Dir(file))}).Load()
		if err != nil {
			return nil, err
		}
		taken = append(taken, saved.Index)
	}
	return taken, nil
}

// List names the sandboxes below the root.
func List(root string) []string {
	files, _ := filepath.Glob(filepath.Join(root, "*", "sandbox.json"))
	var names []string
	for _, file := range files {
		names = append(names, filepath.Base(filepath.Dir(file)))
	}
	return names
}

// Load reads what the sandbox remembers.
func (f Folder) Load() (Saved, error) {
	content, err := os.ReadFile(f.saved())
	if errors.Is(err, os.ErrNotExist) {
		return Saved{}, fmt.Errorf("could not find sandbox %q in %q: %w; start it with \"fairway sandbox up\"", f.Name, f.Root, ErrNone)
	}
	if err != nil {
		return Saved{}, fmt.Errorf("could not read the state of sandbox %q: %w", f.Name, err)
	}
	var saved Saved
	if err := json.Unmarshal(content, &saved); err != nil {
		return Saved{}, fmt.Errorf("could not read the state of sandbox %q: %w; run \"fairway sandbox down\"", f.Name, err)
	}
	return saved, nil
}

// Save remembers.
func (f Folder) Save(saved Saved) error {
	content, err := json.MarshalIndent(saved, "", "  ")
	if err != nil {
		return fmt.Errorf("could not save the state of sandbox %q: %w", f.Name, err)
	}
	return pki.WriteFile(f.saved(), content)
}

// Plan reads the topology and lays it out.
func (f Folder) Plan() (*topology.Plan, *topology.Sandbox, error) {
	saved, err := f.Load()
	if err != nil {
		return nil, nil, err
	}
	content, err := os.ReadFile(f.topology())
	if err != nil {
		return nil, nil, fmt.Errorf("could not read the topology of sandbox %q: %w", f.Name, err)
	}
	sandbox, err := topology.Parse(content)
	if err != nil {
		return nil, nil, err
	}
	// "up --name" gives one topology several names.
	sandbox.Metadata.Name = f.Name
	plan, err := topology.Layout(sandbox, saved.Index)
	return plan, sandbox, err
}

// lockPatience is how long Lock waits for the last holder, which may have been
// killed a moment ago, to be gone.
const lockPatience = 3 * time.Second

// Lock makes the caller the sandbox's only supervisor until it ends or calls
// the returned function.
func (f Folder) Lock() (func(), error) {
	unlock, err := lockFile(f.lockFile(), false)
	for began := time.Now(); errors.Is(err, unix.EWOULDBLOCK) && time.Since(began) < lockPatience; {
		time.Sleep(50 * time.Millisecond)
		unlock, err = lockFile(f.lockFile(), false)
	}
	if err != nil {
		return nil, fmt.Errorf("could not take charge of sandbox %q, another supervisor has it: %w", f.Name, err)
	}
	return unlock, nil
}

// Remove deletes the folder, and the root when nothing else is in it.
func (f Folder) Remove() error {
	if f.Name == "" || f.Root == "" {
		return errors.New("could not remove a sandbox without a name")
	}
	unlock, err := lockFile(f.numbersLock(), true)
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.RemoveAll(f.Path()); err != nil {
		return fmt.Errorf("could not remove the folder of sandbox %q: %w", f.Name, err)
	}
	if entries, err := os.ReadDir(f.Root); err == nil && len(entries) == 1 && entries[0].Name() == filepath.Base(f.numbersLock()) {
		_ = os.Remove(f.numbersLock())
		_ = os.Remove(f.Root)
	}
	return nil
}

func lockFile(path string, wait bool) (func(), error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("could not open a lock: %w", err)
	}
	how := unix.LOCK_EX
	if !wait {
		how |= unix.LOCK_NB
	}
	if err := unix.Flock(int(file.Fd()), how); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("could not lock %q: %w", path, err)
	}
	return func() { _ = file.Close() }, nil
}
