// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package registry

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/platform/database"
)

const (
	// mostKept bounds how many images are kept in the database: those go first that were
	// asked for longest ago.
	mostKept = 50_000
	// freshUse is how old the note of the last use may become before it is written anew.
	freshUse = 24 * time.Hour
	// reading is the number of the way in which factsOf reads an image. Whoever changes what
	// it finds raises it: what another version read is asked for anew.
	reading = 1
)

//go:embed migrations/*.sql
var migrations embed.FS

// kept keeps facts over restarts. They are derived: where the database fails, the registry is
// asked, and a row that cannot be meant is not believed.
type kept struct {
	db   *database.DB
	log  *slog.Logger
	now  func() time.Time
	most int
}

// Keep has the Resolver keep in db what it finds out of images, so that a restart does not ask
// the registries all of it again. A database that fails later is logged and costs questions.
func (r *Resolver) Keep(ctx context.Context, db *database.DB, log *slog.Logger) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	if err := db.Migrate(ctx, files, "images_versions"); err != nil {
		return err
	}
	r.known.kept = &kept{db: db, log: log, now: time.Now, most: mostKept}
	return nil
}

func (k *kept) get(ctx context.Context, at string) (app.ImageFacts, bool) {
	_, digest, pinned := strings.Cut(at, "@")
	if !pinned {
		return app.ImageFacts{}, false // a tag: what it means changes
	}
	facts, architectures, used := app.ImageFacts{Digest: digest}, "", int64(0)
	err := k.db.QueryRow(ctx, "SELECT account, architectures, used FROM images_facts WHERE image = ? AND reading = ?", at, reading).
		Scan(&facts.User, &architectures, &used)
	if err != nil {
		if !errors.Is(err, sql.ErrNoRows) {
			k.log.Error("could not look up what a registry said; it is asked again", "image", at, "error", err)
		}
		return app.ImageFacts{}, false
	}
	for _, architecture := range strings.Fields(architectures) {
		if !named.MatchString(architecture) {
			return app.ImageFacts{}, false
		}
		facts.Architectures = append(facts.Architectures, architecture)
	}
	if now := k.now(); now.Sub(time.UnixMilli(used)) >= freshUse {
		if _, err := k.db.Exec(ctx, "UPDATE images_facts SET used = ? WHERE image = ?", now.UnixMilli(), at); err != nil {
			k.log.Error("could not note that an image is in use", "image", at, "error", err)
		}
	}
	return facts, true
}

func (k *kept) put(ctx context.Context, at string, facts app.ImageFacts) {
	if _, err := name.NewDigest(at); err != nil {
		return
	}
	err := k.db.Tx(ctx, func(tx *database.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO images_facts (image, reading, account, architectures, used) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (image) DO UPDATE SET reading = excluded.reading, account = excluded.account, architectures = excluded.architectures, used = excluded.used`,
			at, reading, facts.User, strings.Join(facts.Architectures, " "), k.now().UnixMilli()); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM images_facts WHERE image IN (SELECT image FROM images_facts ORDER BY used DESC, image LIMIT 1000 OFFSET ?)`, k.most)
		return err
	})
	if err != nil {
		k.log.Error("could not keep what a registry said; it is asked again after a restart", "image", at, "error", err)
	}
}
