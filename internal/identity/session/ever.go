// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package session

import (
	"context"
	"time"
)

// Ever returns a session, whether it still holds or not, and when it ended; zero
// while it holds. It fails with ErrNone where none of that id is kept: an ended one
// is for a day. What somebody did in a login is judged later than the login lasts.
func (s *Store) Ever(ctx context.Context, id string) (found Session, ended time.Time, err error) {
	var millis int64
	found, _, err = scan(s.db.QueryRow(ctx, "SELECT "+columns+", ended FROM identity_sessions WHERE id = ?", id), &millis)
	switch {
	case err != nil:
		return found, time.Time{}, err
	case millis != 0:
		ended = at(millis)
	case !s.holds(found, s.now()):
		// Nobody ended it: it ran out, by rest or by age.
		ended = found.Seen.Add(s.limits.Idle.Duration)
		if found.Expires.Before(ended) {
			ended = found.Expires
		}
	}
	return found, ended, nil
}
