// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package book

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// crashDisk forgets on a crash what was not synced, except for a beginning of
// it that happened to reach the platter, the last bytes possibly garbled.
type crashDisk struct {
	mu      sync.Mutex
	synced  []byte
	written []byte // not yet synced
	left    int    // operations until the power fails; negative: never
	dead    bool
	random  *rand.Rand
}

var errPower = errors.New("power failed")

func (d *crashDisk) step() error {
	if d.dead {
		return errPower
	}
	if d.left == 0 {
		d.dead = true
		return errPower
	}
	d.left--
	return nil
}

func (d *crashDisk) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		if cut := d.random.IntN(len(p) + 1); !errors.Is(err, errPower) || cut > 0 {
			d.written = append(d.written, p[:cut]...)
		}
		return 0, err
	}
	d.written = append(d.written, p...)
	return len(p), nil
}

func (d *crashDisk) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	d.synced = append(d.synced, d.written...)
	d.written = nil
	return nil
}

func (d *crashDisk) ReadAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := append(append([]byte{}, d.synced...), d.written...)
	if off >= int64(len(all)) {
		return 0, io.EOF
	}
	n := copy(p, all[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (d *crashDisk) Size() (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return int64(len(d.synced) + len(d.written)), nil
}

func (d *crashDisk) Truncate(size int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	all := append(append([]byte{}, d.synced...), d.written...)
	d.synced, d.written = all[:size], nil
	return nil
}

// reboot is the disk as it is found after the crash.
func (d *crashDisk) reboot(life int) *crashDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	lucky := append([]byte{}, d.written[:d.random.IntN(len(d.written)+1)]...)
	if len(lucky) > 0 && d.random.IntN(3) == 0 {
		lucky[len(lucky)-1] = 0 // a page that was only half written
	}
	return &crashDisk{synced: append(append([]byte{}, d.synced...), lucky...), left: life, random: d.random}
}

// TestNoAcknowledgedTransferIsEverLost runs random transfers, many at a time,
// through a chain of crashes, and compares with what a dumb adding-up of the
// journal says.
func TestNoAcknowledgedTransferIsEverLost(t *testing.T) {
	seeds := 40
	if testing.Short() {
		seeds = 8
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { crashes(t, uint64(seed)) })
	}
}

func crashes(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	opening := accounts(5, 100)
	disk := &crashDisk{left: 3 + random.IntN(20), random: random}
	acknowledged := map[string]Record{}
	var asked []Transfer
	for round := range 15 {
		b, err := Open(disk, opening)
		if err == nil {
			tried := make([]Transfer, 60)
			for i := range tried {
				if len(asked) > 0 && random.IntN(4) == 0 {
					tried[i] = asked[random.IntN(len(asked))] // a client that asks again
					continue
				}
				tried[i] = Transfer{
					ID:   fmt.Sprintf("r%d-%d", round, i),
					From: opening[random.IntN(5)].Account, To: opening[random.IntN(5)].Account,
					Amount: 1 + random.Int64N(60), // refusals are wanted, too
				}
			}
			asked = append(asked, tried...)
			for id, record := range postAll(t, b, tried) {
				if before, known := acknowledged[id]; known && before != record {
					t.Fatalf("id %q was answered %+v and later %+v", id, before, record)
				}
				acknowledged[id] = record
			}
			b.Close()
		} else if !errors.Is(err, errPower) {
			t.Fatalf("round %d: %v", round, err)
		}
		life := 3 + random.IntN(20)
		if random.IntN(5) == 0 {
			life = random.IntN(3) // crash while starting
		}
		disk = disk.reboot(life)
	}
	disk = disk.reboot(-1)
	b, err := Open(disk, opening)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	verify(t, b, acknowledged, 500)
}

// postAll posts from several goroutines and returns what was acknowledged.
func postAll(t *testing.T, b *Book, transfers []Transfer) map[string]Record {
	t.Helper()
	var mu sync.Mutex
	out := map[string]Record{}
	var group sync.WaitGroup
	for worker := range 6 {
		group.Go(func() {
			for i := worker; i < len(transfers); i += 6 {
				record, err := b.Post(t.Context(), transfers[i], "ledger-0", "now")
				var bad *Invalid
				switch {
				case errors.As(err, &bad) || errors.Is(err, ErrClosed):
				case err != nil:
					t.Errorf("transfer %+v: %v", transfers[i], err)
				default:
					mu.Lock()
					if before, known := out[record.ID]; known && before != record {
						t.Errorf("id %q was answered %+v and %+v", record.ID, before, record)
					}
					out[record.ID] = record
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	return out
}

// verify adds the journal up without any cleverness.
func verify(t *testing.T, b *Book, acknowledged map[string]Record, total int64) {
	t.Helper()
	journal, err := b.Journal(t.Context(), 1, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	balances, there := map[string]int64{}, map[string]Record{}
	for i, record := range journal {
		if record.Seq != int64(i+1) {
			t.Errorf("record %d has number %d", i+1, record.Seq)
		}
		if record.ID != "" {
			if _, twice := there[record.ID]; twice {
				t.Errorf("id %q has two records", record.ID)
			}
			there[record.ID] = record
		}
		if record.Kind != Refused {
			balances[record.From] -= record.Amount
			balances[record.To] += record.Amount
			if balances[record.From] < 0 && record.From != Capital {
				t.Errorf("record %d overdraws %q", record.Seq, record.From)
			}
		}
	}
	for id, record := range acknowledged {
		if diff := cmp.Diff(record, there[id]); diff != "" {
			t.Errorf("acknowledged transfer %q (-acknowledged +journal):\n%s", id, diff)
		}
	}
	list, err := b.Balances(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, account := range list {
		sum += account.Balance
		if balances[account.Account] != account.Balance {
			t.Errorf("account %q: %d, the journal adds up to %d", account.Account, account.Balance, balances[account.Account])
		}
	}
	summary, err := b.Summary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if sum != total || summary.Sum != total {
		t.Errorf("sum over accounts is %d (said: %d), want %d for ever", sum, summary.Sum, total)
	}
}

func accounts(count int, balance int64) []Balance {
	out := make([]Balance, count)
	for i := range out {
		out[i] = Balance{fmt.Sprintf("acc-%04d", i+1), balance}
	}
	return out
}

func open(t *testing.T, disk Disk) *Book {
	t.Helper()
	b, err := Open(disk, accounts(3, 100))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func memory() *crashDisk { return &crashDisk{left: -1, random: rand.New(rand.NewPCG(1, 2))} }

func TestPost(t *testing.T) {
	b := open(t, memory())
	defer b.Close()
	post := func(id, from, to string, amount int64) (string, string) {
		record, err := b.Post(t.Context(), Transfer{id, from, to, amount}, "ledger-0", "")
		if err != nil {
			var bad *Invalid
			if !errors.As(err, &bad) {
				t.Errorf("%q: %v is not an Invalid", id, err)
			}
			return "invalid", err.Error()
		}
		return record.Kind, record.Reason
	}
	for _, step := range []struct {
		reason, id, from, to string
		amount               int64
		want, why            string
	}{
		{"money moves", "a", "acc-0001", "acc-0002", 60, "done", ""},
		{"the same again moves nothing and says the same", "a", "acc-0001", "acc-0002", 60, "done", ""},
		{"more than there is", "b", "acc-0001", "acc-0003", 41, "refused", `account "acc-0001" holds 40, which is less than 41`},
		{"the account fills again", "c", "acc-0002", "acc-0001", 60, "done", ""},
		{"a refused id stays refused", "b", "acc-0001", "acc-0003", 41, "refused", `account "acc-0001" holds 40, which is less than 41`},
		{"an id used for something else", "a", "acc-0001", "acc-0002", 61, "invalid", `id "a" was used for another transfer (record 4): give each transfer its own id`},
		{"nothing to move", "d", "acc-0001", "acc-0002", 0, "invalid", "amount 0 is not above 0"},
		{"backwards", "d", "acc-0001", "acc-0002", -5, "invalid", "amount -5 is not above 0"},
		{"to itself", "d", "acc-0001", "acc-0001", 5, "invalid", `account "acc-0001" cannot pay itself`},
		{"out of capital", "d", "capital", "acc-0001", 5, "invalid", `account "capital" does not exist`},
		{"to nobody", "d", "acc-0001", "acc-9", 5, "invalid", `account "acc-9" does not exist`},
		{"without an id", "", "acc-0001", "acc-0002", 5, "invalid", `id "" has no length between 1 and 128: give each transfer its own`},
	} {
		if got, why := post(step.id, step.from, step.to, step.amount); got != step.want || why != step.why {
			t.Errorf("%s: %s %q, want %s %q", step.reason, got, why, step.want, step.why)
		}
	}
	verify(t, b, nil, 300)
}

func TestADamagedMiddleIsNotCutAway(t *testing.T) {
	disk := memory()
	b := open(t, disk)
	for i := range 5 {
		if _, err := b.Post(t.Context(), Transfer{fmt.Sprint(i), "acc-0001", "acc-0002", 1}, "", ""); err != nil {
			t.Fatal(err)
		}
	}
	b.Close()
	disk.synced[b.offsets[4]+12] ^= 1
	_, err := Open(disk, nil)
	if err == nil {
		t.Fatal("a book with a damaged middle was opened")
	}
	want := fmt.Sprintf("could not open the book: journal is damaged at byte %d (the record's checksum differs) although record 6 follows: restore it from a backup", b.offsets[4])
	if err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

func TestTransfersThatComeTogetherShareASync(t *testing.T) {
	disk := &countingDisk{crashDisk: memory(), gate: make(chan struct{})}
	b, err := Open(disk, accounts(2, 1000))
	if err != nil {
		t.Fatal(err)
	}
	disk.hold = true
	var group sync.WaitGroup
	post := func(id string) {
		group.Go(func() {
			if _, err := b.Post(context.WithoutCancel(t.Context()), Transfer{id, "acc-0001", "acc-0002", 1}, "", ""); err != nil {
				t.Error(err)
			}
		})
	}
	post("first")
	disk.gate <- struct{}{} // the committer is inside the first sync
	for i := range 50 {
		post(fmt.Sprint(i))
	}
	for entered := 0; entered < 51+2; { // with the two opening records
		b.mu.Lock()
		entered = len(b.offsets)
		b.mu.Unlock()
	}
	disk.gate <- struct{}{} // let the first sync go
	disk.gate <- struct{}{} // enter the second
	disk.gate <- struct{}{} // let it go
	group.Wait()
	b.Close()
	if disk.syncs != 2 {
		t.Errorf("51 transfers took %d syncs, want 2: one, and one for those that came meanwhile", disk.syncs)
	}
}

// countingDisk holds each sync until told twice: at its begin and at its end.
type countingDisk struct {
	*crashDisk
	hold  bool
	gate  chan struct{}
	syncs int
}

func (d *countingDisk) Sync() error {
	if d.hold {
		<-d.gate
		<-d.gate
		d.syncs++
	}
	return d.crashDisk.Sync()
}
