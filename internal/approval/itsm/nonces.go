// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package itsm

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/webhook"
)

//go:embed *.sql
var tables embed.FS

// ErrReplay says that the nonce belongs to another message. Whoever sends signs
// each message anew.
var ErrReplay = errors.New("its nonce was used before")

// Nonces remembers which signed messages came in, for as long as their signatures
// hold, in the server's database: a restart forgets none.
type Nonces struct {
	db *database.DB
}

// OpenNonces prepares the tables.
func OpenNonces(ctx context.Context, db *database.DB) (*Nonces, error) {
	if err := db.Migrate(ctx, tables, "itsm_versions"); err != nil {
		return nil, fmt.Errorf("could not open the memory of signed messages: %w", err)
	}
	return &Nonces{db: db}, nil
}

// take remembers a message. Where it is the same as one before, it returns what
// that one led to, or nothing where it was not carried out; a nonce that another
// message had is ErrReplay.
func (n *Nonces) take(ctx context.Context, system, nonce string, body []byte, now time.Time) (decision string, err error) {
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	var known string
	err = n.db.Tx(ctx, func(tx *database.Tx) error {
		// Signatures older than Skew are refused anyway, on either side of now.
		if _, err := tx.Exec(ctx, "DELETE FROM itsm_nonces WHERE seen_at < ?", now.Add(-3*webhook.Skew).UnixMilli()); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO itsm_nonces (system, nonce, digest, seen_at, decision) VALUES (?, ?, ?, ?, '') ON CONFLICT (system, nonce) DO NOTHING",
			system, nonce, digest, now.UnixMilli()); err != nil {
			return err
		}
		return tx.QueryRow(ctx, "SELECT digest, decision FROM itsm_nonces WHERE system = ? AND nonce = ?", system, nonce).Scan(&known, &decision)
	})
	if err != nil {
		return "", fmt.Errorf("could not remember the message: %w", err)
	}
	if known != digest {
		return "", ErrReplay
	}
	return decision, nil
}

// done notes what the message led to.
func (n *Nonces) done(ctx context.Context, system, nonce, decision string) error {
	if _, err := n.db.Exec(ctx, "UPDATE itsm_nonces SET decision = ? WHERE system = ? AND nonce = ?", decision, system, nonce); err != nil {
		return fmt.Errorf("could not remember what the message led to: %w", err)
	}
	return nil
}
