// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/tiles"
)

// ErrNoReceipt says that there is no receipt of a record yet, or no such record.
var ErrNoReceipt = errors.New("there is no receipt")

// Receipt proves that the record of that index, over all years, stands in the log.
// Where the log has a witness, the checkpoint is one that it has signed. leaf is the
// record's hash.
func (l *Ledger) Receipt(ctx context.Context, index uint64) (r audit.Receipt, leaf []byte, err error) {
	for _, y := range l.logs() {
		if index < y.base || index-y.base >= y.size() {
			continue
		}
		c := y.newest.Load()
		if l.cosigner != nil {
			c = y.cosigned.Load()
		}
		if c == nil || c.Size <= index-y.base {
			return r, nil, fmt.Errorf("%w of record %d: the witness has not confirmed it yet", ErrNoReceipt, index)
		}
		return y.receipt(ctx, index-y.base, c)
	}
	return r, nil, fmt.Errorf("%w of record %d: the log does not have it", ErrNoReceipt, index)
}

func (y *yearLog) receipt(ctx context.Context, at uint64, c *checkpoint) (audit.Receipt, []byte, error) {
	fail := func(err error) (audit.Receipt, []byte, error) {
		return audit.Receipt{}, nil, fmt.Errorf("could not prove record %d of the log of %d: %w", at, y.year, err)
	}
	entries, err := y.entries(at/tiles.Width, c.Size)
	if err != nil {
		return fail(err)
	}
	builder, err := y.proofs(ctx, c.Size)
	if err != nil {
		return fail(err)
	}
	hashes, err := builder.InclusionProof(ctx, at)
	if err != nil {
		return fail(err)
	}
	entry := entries[at%tiles.Width]
	return audit.Receipt{Entry: entry, Index: at, Hashes: hashes, Checkpoint: c.signed}, rfc6962.DefaultHasher.HashLeaf(entry), nil
}
