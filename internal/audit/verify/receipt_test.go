// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package verify

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/ledger"
)

// receipts opens a log that was built, to ask it for receipts.
func (p place) receipts(t *testing.T) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(ledger.Options{Dir: p.log, Witness: &ledger.Witness{URL: "http://127.0.0.1:1", Key: p.witnessKey}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func (p place) keys() Keys { return Keys{Log: p.logKey, Witness: p.witnessKey, Counter: p.counter} }

// TestEveryRecordHasAReceipt proves each record that the witness has confirmed, of both
// years, with and without the record in it.
func TestEveryRecordHasAReceipt(t *testing.T) {
	p := build(t, 300)
	l := p.receipts(t)
	proved := 0
	for index := uint64(0); ; index++ {
		r, leaf, err := l.Receipt(t.Context(), index)
		if errors.Is(err, ledger.ErrNoReceipt) {
			if size, _ := l.Size(t.Context()); index >= size {
				break
			}
			continue // the outcomes behind the last that was countersigned
		}
		if err != nil {
			t.Fatal(err)
		}
		whole, err := Receipt([]byte(r.Text()), p.keys())
		if err != nil {
			t.Fatalf("record %d: %v", index, err)
		}
		short, err := Receipt([]byte(r.Short(leaf).Text()), p.keys())
		if err != nil {
			t.Fatalf("record %d without the record: %v", index, err)
		}
		entries, err := l.Read(t.Context(), index, 1)
		if err != nil || len(entries) != 1 || whole.Record == nil || whole.Record.Sequence != entries[0].Record.Sequence {
			t.Fatalf("the receipt of record %d proves %+v: %v", index, whole.Record, err)
		}
		if short.Record != nil || string(short.Leaf) != string(whole.Leaf) || whole.Witnessed.IsZero() {
			t.Fatalf("record %d: %+v, %+v", index, short, whole)
		}
		proved++
	}
	if proved < 1100 {
		t.Errorf("%d records have receipts", proved)
	}
}

// TestOneBit flips every bit of a receipt: each time it proves nothing any more.
func TestOneBit(t *testing.T) {
	p := build(t, 20)
	l := p.receipts(t)
	r, leaf, err := l.Receipt(t.Context(), 11)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{r.Text(), r.Short(leaf).Text()} {
		if _, err := Receipt([]byte(text), p.keys()); err != nil {
			t.Fatal(err)
		}
		for i := range len(text) {
			for bit := range 8 {
				spoiled := []byte(text)
				spoiled[i] ^= 1 << bit
				if proved, err := Receipt(spoiled, p.keys()); err == nil {
					t.Fatalf("bit %d of byte %d (%q) is flipped, and it still proves %+v", bit, i, text[i], proved)
				}
			}
		}
		for end := range len(text) {
			if _, err := Receipt([]byte(text[:end]), p.keys()); err == nil {
				t.Fatalf("the first %d bytes are taken for a receipt", end)
			}
		}
	}
}

// TestReceiptsOfOthers says what is wrong with a receipt that proves something else.
func TestReceiptsOfOthers(t *testing.T) {
	p, other := build(t, 10), build(t, 10)
	l := p.receipts(t)
	r, leaf, err := l.Receipt(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	next, nextLeaf, err := l.Receipt(t.Context(), 6)
	if err != nil {
		t.Fatal(err)
	}
	moved, uncosigned := r, r
	moved.Index = 6
	uncosigned.Checkpoint = []byte(strings.Join(strings.SplitAfter(string(r.Checkpoint), "\n")[:5+len(p.counter)], ""))
	for name, c := range map[string]struct {
		text string
		keys Keys
		want string
	}{
		"another log's key":       {r.Text(), other.keys(), "and the key given is that of log"},
		"another witness's key":   {r.Text(), Keys{Log: p.logKey, Witness: other.witnessKey, Counter: p.counter}, "has not confirmed its checkpoint"},
		"not countersigned":       {uncosigned.Text(), p.keys(), "has not confirmed its checkpoint"},
		"another record's place":  {moved.Text(), p.keys(), "does not stand at index 6"},
		"another record's hash":   {r.Short(nextLeaf).Text(), p.keys(), "does not stand at index 5"},
		"another record's proof":  {audit.Receipt{Entry: r.Entry, Index: r.Index, Hashes: next.Hashes, Checkpoint: r.Checkpoint}.Text(), p.keys(), "does not stand at index 5"},
		"a record that is none":   {audit.Receipt{Entry: []byte("{}"), Index: r.Index, Hashes: r.Hashes, Checkpoint: r.Checkpoint}.Text(), p.keys(), "cannot be read"},
		"an empty file":           {"", p.keys(), "it has no checkpoint"},
		"a hash that is too long": {audit.Receipt{Leaf: leaf, Hashes: [][]byte{append(leaf, 1)}, Checkpoint: r.Checkpoint}.Text(), p.keys(), "not made of hashes"},
		"a key that is none":      {r.Text(), Keys{Log: "x"}, "key"},
	} {
		if proved, err := Receipt([]byte(c.text), c.keys); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v; want %q", name, proved, err, c.want)
		}
	}
	if proved, err := Receipt([]byte(r.Text()), Keys{Log: p.logKey}); err != nil || !proved.Witnessed.IsZero() {
		t.Errorf("without the witness's key: %+v, %v", proved, err)
	}
	if _, _, err := l.Receipt(t.Context(), 1<<40); !errors.Is(err, ledger.ErrNoReceipt) {
		t.Errorf("a record that is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := l.Receipt(ctx, 5); err != nil && errors.Is(err, ledger.ErrNoReceipt) {
		t.Errorf("whoever leaves is told that there is none: %v", err)
	}
}
