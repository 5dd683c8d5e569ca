// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package proof

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/fairway-cloud/fairway/internal/platform/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Renewed is how old a key becomes. Proofs of older ones are checked for as long as
// the keys are in the database.
const Renewed = 30 * 24 * time.Hour

// use is what the keys are sealed for.
const use = "approval proof"

// Seal keeps a secret unreadable in the database. It is the identity room's.
type Seal interface {
	// Seal makes a text unreadable; about is what it belongs to, and it opens there only.
	Seal(use, about, text string) string
	// Unseal reads what Seal wrote. It fails for what anybody else wrote.
	Unseal(use, about, sealed string) (string, error)
}

// Keys make and check proofs. All servers on one database, with one key file, share
// them. It is safe for concurrent use.
type Keys struct {
	db   *database.DB
	seal Seal
	now  func() time.Time

	mu    sync.Mutex
	known map[string]key
	// newest is the id of the key that proofs are made with. Empty: nobody has looked.
	newest string
}

type key struct {
	secret []byte
	made   time.Time
}

// New keeps keys in db, sealed.
func New(ctx context.Context, db *database.DB, seal Seal, now func() time.Time) (*Keys, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, files, "approval_proof_versions"); err != nil {
		return nil, err
	}
	return &Keys{db: db, seal: seal, now: now, known: map[string]key{}}, nil
}

// current is the key that proofs are made with now. A new one is made where there is
// none, where it is old, or where the key file is another one than it was sealed with.
func (k *Keys) current(ctx context.Context) (id string, secret []byte, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if it, ok := k.known[k.newest]; ok && now.Sub(it.made) < Renewed {
		return k.newest, it.secret, nil
	}
	err = k.db.QueryRow(ctx, "SELECT id FROM approval_proof_keys WHERE made > ? ORDER BY made DESC, id LIMIT 1", now.Add(-Renewed).UnixMilli()).Scan(&id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", nil, fmt.Errorf("could not look for the key of proofs: %w", err)
	}
	if err == nil {
		it, found, err := k.load(ctx, id)
		if err != nil {
			return "", nil, err
		}
		if found {
			k.newest = id
			return id, it.secret, nil
		}
	}
	return k.renew(ctx, now)
}

func (k *Keys) renew(ctx context.Context, now time.Time) (id string, secret []byte, err error) {
	var random [32 + 4]byte
	_, _ = rand.Read(random[:]) // never fails, as of Go 1.24
	id, secret = hex.EncodeToString(random[32:]), random[:32]
	if _, err := k.db.Exec(ctx, "INSERT INTO approval_proof_keys (id, sealed, made) VALUES (?, ?, ?)",
		id, k.seal.Seal(use, id, hex.EncodeToString(secret)), now.UnixMilli()); err != nil {
		return "", nil, fmt.Errorf("could not keep a new key of proofs: %w", err)
	}
	k.known[id], k.newest = key{secret: secret, made: now}, id
	return id, secret, nil
}

// key finds a key by its id. found is false where it is not there, or was sealed by
// somebody without the key file.
func (k *Keys) key(ctx context.Context, id string) (secret []byte, found bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	it, found, err := k.load(ctx, id)
	return it.secret, found, err
}

func (k *Keys) load(ctx context.Context, id string) (key, bool, error) {
	if it, ok := k.known[id]; ok {
		return it, true, nil
	}
	sealed, made := "", int64(0)
	err := k.db.QueryRow(ctx, "SELECT sealed, made FROM approval_proof_keys WHERE id = ?", id).Scan(&sealed, &made)
	if errors.Is(err, sql.ErrNoRows) {
		return key{}, false, nil
	}
	if err != nil {
		return key{}, false, fmt.Errorf("could not look up the key of a proof: %w", err)
	}
	opened, err := k.seal.Unseal(use, id, sealed)
	if err != nil {
		return key{}, false, nil //nolint:nilerr // what it proved does not count, and nothing else depends on it
	}
	secret, err := hex.DecodeString(opened)
	if err != nil || len(secret) != 32 {
		return key{}, false, nil //nolint:nilerr // see above
	}
	k.known[id] = key{secret: secret, made: time.UnixMilli(made)}
	return k.known[id], true, nil
}
