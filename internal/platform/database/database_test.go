// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package database_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/database/databasetest"
)

var tables = fstest.MapFS{"0001_words.sql": {Data: []byte("-- +goose Up\nCREATE TABLE words (id BIGINT PRIMARY KEY, word TEXT NOT NULL);\n")}}

func TestBothEnginesTakeTheSameStatements(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, open func() *database.DB) {
		ctx, db := t.Context(), open()
		for range 2 { // migrating twice changes nothing
			if err := db.Migrate(ctx, tables, "words_versions"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.Exec(ctx, "INSERT INTO words (id, word) VALUES (?, ?)", 1, "what?"); err != nil {
			t.Fatal(err)
		}
		broken := errors.New("broken")
		err := db.Tx(ctx, func(tx *database.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO words (id, word) VALUES (?, ?)", 2, "never")
			return errors.Join(err, broken)
		})
		if !errors.Is(err, broken) {
			t.Fatalf("the transaction's own error comes back: %v", err)
		}
		again := open()
		var n int
		var word string
		if err := again.QueryRow(ctx, "SELECT count(*), min(word) FROM words WHERE word <> '?' AND id > ?", 0).Scan(&n, &word); err != nil {
			t.Fatal(err)
		}
		if n != 1 || word != "what?" {
			t.Errorf("got %d %q: what was rolled back must be gone, what was written must stay", n, word)
		}
	})
}

func TestAnAddressThatCannotBeReadKeepsItsPassword(t *testing.T) {
	for _, source := range []string{"postgres://u:s3cret@[::1/x", "postgres://u:s3cret@127.0.0.1:1/x?connect_timeout=1"} {
		_, err := database.Open(context.Background(), source)
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v", err)
		}
	}
}
