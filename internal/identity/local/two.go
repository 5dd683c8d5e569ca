// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/identity"
)

// offerHolds is how long the two have to fetch their codes, and the owner to use them.
const offerHolds = 72 * time.Hour

// Why a code is not given.
var (
	// ErrNotYours: the account's invitation is not this person's to hand over, or there is none.
	ErrNotYours = errors.New("no code of an invitation waits for you")
	// ErrShown: the person has had his code already. It is shown once: another invitation
	// is proposed where it was lost.
	ErrShown = errors.New("your code was shown already")
)

// Offer is an invitation that two people agreed to. Each of the two hands over one
// code; with one alone nobody gets in.
type Offer struct {
	// Name of the account, and Person that it belongs to.
	Name, Person string
	// First and Second are the ids of the two.
	First, Second string
	// Amendment by which they agreed, by uid. The same one offers once.
	Amendment string
}

func (o Offer) check() error {
	switch {
	case !identity.PlainName(o.Name):
		return &Invalid{"name", `a name has 1 to 63 letters, digits, "-", "_" and "."`}
	case !identity.PlainName(o.Person):
		return &Invalid{"person", "name the person by his id"}
	case o.First == "" || o.Second == "" || o.First == o.Second || o.Amendment == "":
		return &Invalid{"second", "an invitation is handed over by two people"}
	}
	return nil
}

// Offered says whether that amendment has offered the account already.
func (a *Accounts) Offered(ctx context.Context, name, amendment string) (bool, error) {
	var by string
	err := a.db.QueryRow(ctx, "SELECT amendment FROM identity_accounts WHERE name = ?", name).Scan(&by)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("could not look up account %q: %w", name, err)
	}
	return by != "" && by == amendment, nil
}

// Open opens an account by an offer. It fails with ErrTaken; done again by the same
// amendment it does nothing.
func (a *Accounts) Open(ctx context.Context, o Offer) error {
	if err := o.check(); err != nil {
		return err
	}
	done, err := a.db.Exec(ctx, `INSERT INTO identity_accounts
		(name, person, password, totp, totp_ready, totp_step, invite, invited, closed, created, changed, inviter, inviter_second, amendment)
		VALUES (?, ?, '', '', 0, 0, '', ?, 0, ?, 0, ?, ?, ?) ON CONFLICT (name) DO NOTHING`,
		o.Name, o.Person, a.now().Add(offerHolds).UnixMilli(), a.now().UnixMilli(), o.First, o.Second, o.Amendment)
	if err != nil {
		return fmt.Errorf("could not open account %q: %w", o.Name, err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 1 {
		return err
	}
	if again, err := a.Offered(ctx, o.Name, o.Amendment); err != nil || again {
		return err
	}
	return ErrTaken
}

// InviteAgain takes the password and the second factor from an account and offers it
// anew. It fails with ErrNone where no account of that name belongs to the person; done
// again by the same amendment it does nothing.
func (a *Accounts) InviteAgain(ctx context.Context, o Offer) error {
	if err := o.check(); err != nil {
		return err
	}
	done, err := a.db.Exec(ctx, `UPDATE identity_accounts SET password = '', totp = '', totp_ready = 0, totp_step = 0, invite = '', invite_second = '',
		invited = ?, closed = 0, inviter = ?, inviter_second = ?, amendment = ? WHERE name = ? AND person = ? AND amendment <> ?`,
		a.now().Add(offerHolds).UnixMilli(), o.First, o.Second, o.Amendment, o.Name, o.Person, o.Amendment)
	if err != nil {
		return fmt.Errorf("could not invite the owner of account %q: %w", o.Name, err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 1 {
		return err
	}
	if again, err := a.Offered(ctx, o.Name, o.Amendment); err != nil || again {
		return err
	}
	return ErrNone
}

// Code makes the code of one of the two, and returns it this once. It fails with
// ErrNotYours or ErrShown.
func (a *Accounts) Code(ctx context.Context, name, person string) (code string, until time.Time, err error) {
	var first, second string
	var ends int64
	err = a.db.QueryRow(ctx, "SELECT inviter, inviter_second, invited FROM identity_accounts WHERE name = ? AND closed = 0 AND password = ''", name).Scan(&first, &second, &ends)
	until = time.UnixMilli(ends).UTC()
	column := map[string]string{first: "invite", second: "invite_second"}[person]
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && (column == "" || person == "" || !a.now().Before(until)):
		return "", until, ErrNotYours
	case err != nil:
		return "", until, fmt.Errorf("could not look for an invitation: %w", err)
	}
	code, digest, _ := a.invitation()
	done, err := a.db.Exec(ctx, "UPDATE identity_accounts SET "+column+" = ? WHERE name = ? AND "+column+" = '' AND inviter = ? AND inviter_second = ? AND closed = 0 AND password = ''",
		digest, name, first, second)
	if err != nil {
		return "", until, fmt.Errorf("could not make a code: %w", err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return "", until, errors.Join(ErrShown, err)
	}
	return code, until, nil
}

// codes are what somebody brings: one invitation, or the two codes of one, in any order
// and parted by space.
func codes(invite string) (first, second string) {
	parts := strings.Fields(invite)
	switch len(parts) {
	case 1:
		return digestOf(parts[0]), ""
	case 2:
		if parts[0] != parts[1] {
			return digestOf(parts[0]), digestOf(parts[1])
		}
	}
	return "", ""
}

// invitedBy finds the account that an invitation is of. Its last part is what lets one
// code do where one person invited, and not where two did: one of theirs is nothing,
// also while the other has not been made.
const invitedBy = "closed = 0 AND password = '' AND invite <> '' AND ((invite = ? AND invite_second = ?) OR (invite = ? AND invite_second = ?)) AND (inviter = '') = (invite_second = '')"
