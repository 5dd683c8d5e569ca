// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package cmdbtest is a CMDB for tests: a server with a store of its own that speaks the
// protocol of docs/howto/connect-cmdb.md for real, from the other side.
package cmdbtest

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/placement/inventory"
	"github.com/fairway-cloud/fairway/internal/platform/webhook"
)

// Secret is the key that the test's CMDB and Fairway share.
const Secret = "inventory-canary-0123456789abcdef0123456"

// Trouble is what goes wrong with a message.
type Trouble string

// What goes wrong.
const (
	// Fine: nothing does.
	Fine Trouble = ""
	// Away: the CMDB is being restarted, and nothing of the message is kept.
	Away Trouble = "Away"
	// AnswerLost: the message was taken, and nobody learns it.
	AnswerLost Trouble = "AnswerLost"
	// Late: a proxy answers for the CMDB that it is away, and delivers the message later.
	Late Trouble = "Late"
)

// known is what the CMDB has, in its file.
type known struct {
	Epoch string
	// Instances by "<namespace>/<application>/<seat>", what is gone included.
	Instances map[string]inventory.Instance
	// Through by "<namespace>/<application>".
	Through map[string]int64
	// Taken are the ids of messages.
	Taken map[string]bool
	// Nonces that were used.
	Nonces map[string]bool
}

// CMDB is the system of the bank.
type CMDB struct {
	// Name that the configuration calls it by.
	Name string

	path   string
	server *httptest.Server
	key    webhook.Key
	now    func() time.Time

	mu      sync.Mutex
	trouble func() Trouble
	late    []*held
	refused []string
	// Received counts messages, Repeated those that it had had.
	received, repeated int
	largest            int
}

// held is a message that a proxy holds back.
type held struct {
	header http.Header
	body   []byte
}

// New starts a CMDB that ends with the test. now is its clock, and trouble says of each
// message what goes wrong with it; nil: nothing.
func New(t testing.TB, name string, now func() time.Time, trouble func() Trouble) *CMDB {
	t.Helper()
	c := &CMDB{Name: name, now: now, trouble: trouble, path: filepath.Join(t.TempDir(), "cmdb.json")}
	var err error
	if c.key, err = webhook.NewKey("inventory-1", Secret); err != nil {
		t.Fatal(err)
	}
	c.server = httptest.NewTLSServer(http.HandlerFunc(c.serve))
	c.server.Config.ErrorLog = nil
	t.Cleanup(c.server.Close)
	return c
}

// Config writes the file of fairway server --cmdb-config, with its keys beside it, and
// returns its path.
func (c *CMDB) Config(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"inventory.key": Secret + "\n",
		"ca.pem":        string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.server.Certificate().Raw})),
		"cmdb.yaml": fmt.Sprintf(`receivers:
- name: %s
  url: %s/fairway/inventory
  caFile: ca.pem
  networks: [127.0.0.0/8]
  key: {id: inventory-1, file: inventory.key}
`, c.Name, c.server.URL),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "cmdb.yaml")
}

// serve takes a message as a CMDB has to.
func (c *CMDB) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // whoever sent it is gone
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	trouble := Fine
	if c.trouble != nil {
		trouble = c.trouble()
	}
	switch trouble {
	case Late:
		c.late = append(c.late, &held{header: r.Header.Clone(), body: body})
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case Away:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if err := c.take(r.Header, body); err != nil {
		c.refused = append(c.refused, err.Error())
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if trouble == AnswerLost {
		panic(http.ErrAbortHandler) // the connection breaks
	}
	w.WriteHeader(http.StatusNoContent)
}

// take checks who signed a message, and keeps of each seat what has the highest sequence.
func (c *CMDB) take(header http.Header, body []byte) error {
	nonce, err := webhook.Verify([]webhook.Key{c.key}, header, inventory.Purpose, body, c.now())
	if err != nil {
		return err
	}
	k, err := c.read()
	if err != nil {
		return err
	}
	if k.Nonces[nonce] {
		return errors.New("the nonce was used before")
	}
	k.Nonces[nonce] = true
	m := inventory.Message{}
	if err := json.Unmarshal(body, &m); err != nil {
		return err
	}
	if m.Version != 1 || m.Receiver != c.Name || m.ID == "" || header.Get("Idempotency-Key") != m.ID {
		return fmt.Errorf("the message is not for %s, or has no id of its own: %s", c.Name, body)
	}
	c.received++
	c.largest = max(c.largest, len(body))
	if m.Epoch != k.Epoch {
		k.Epoch, k.Instances, k.Through, k.Taken = m.Epoch, map[string]inventory.Instance{}, map[string]int64{}, map[string]bool{}
	}
	if k.Taken[m.ID] {
		c.repeated++
		return c.write(k)
	}
	of := m.Namespace + "/" + m.Application
	if m.After > k.Through[of] {
		return fmt.Errorf("a message of %s is missing: it goes on after %d, and %d is the last one known", of, m.After, k.Through[of])
	}
	last := m.After
	for _, i := range m.Instances {
		if i.Sequence <= last || i.Namespace != m.Namespace || i.Application != m.Application {
			return fmt.Errorf("an instance is out of its place in %s: %+v", m.ID, i)
		}
		last = i.Sequence
		at := of + "/" + i.Seat
		if before, there := k.Instances[at]; !there || before.Sequence < i.Sequence {
			k.Instances[at] = i
		}
	}
	if last != m.Through {
		return fmt.Errorf("message %s ends at %d and says %d", m.ID, last, m.Through)
	}
	k.Taken[m.ID], k.Through[of] = true, max(k.Through[of], m.Through)
	return c.write(k)
}

func (c *CMDB) read() (known, error) {
	k := known{Instances: map[string]inventory.Instance{}, Through: map[string]int64{}, Taken: map[string]bool{}, Nonces: map[string]bool{}}
	raw, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &k)
	}
	return k, err
}

func (c *CMDB) write(k known) error {
	raw, err := json.Marshal(k)
	if err == nil {
		err = os.WriteFile(c.path+".new", raw, 0o600)
	}
	if err == nil {
		err = os.Rename(c.path+".new", c.path)
	}
	return err
}

// Untroubled ends all trouble.
func (c *CMDB) Untroubled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trouble = nil
}

// DeliverLate delivers what the proxy held back, the last one first.
func (c *CMDB) DeliverLate() (delivered int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.late) - 1; i >= 0; i-- {
		h := c.late[i]
		// What comes out of its order may be missing what came before; it is told again.
		_ = c.take(h.header, h.body)
		delivered++
	}
	c.late = nil
	return delivered
}

// Instances are those that the CMDB believes in, by "<namespace>/<application>/<seat>".
func (c *CMDB) Instances(t testing.TB) map[string]inventory.Instance {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	k, err := c.read()
	if err != nil {
		t.Fatal(err)
	}
	for at, i := range k.Instances {
		if i.State == inventory.Gone {
			delete(k.Instances, at)
		}
	}
	return k.Instances
}

// Forget loses the CMDB's store.
func (c *CMDB) Forget(t testing.TB) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := os.Remove(c.path); err != nil {
		t.Fatal(err)
	}
}

// Refused says which messages it did not take, and why.
func (c *CMDB) Refused() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string{}, c.refused...)
}

// Counts are how many messages it took, how many of them it had had, and how many bytes the
// largest had.
func (c *CMDB) Counts() (received, repeated, largest int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.received, c.repeated, c.largest
}
