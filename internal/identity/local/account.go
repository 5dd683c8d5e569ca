// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package local keeps accounts of Fairway's own, for try-outs, for the first
// administrators, and for the day on which the bank's directory is away. Passwords
// are kept as argon2id digests; a second factor (TOTP, RFC 6238) may be asked for.
// Nobody sets a password for somebody else: an account begins with an invitation,
// which is good once and for a day.
package local

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/seal"
	"github.com/fairway-cloud/fairway/internal/platform/database"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Why an account does not do what is asked.
var (
	// ErrInvite: the invitation is not known, was used, or is too old.
	ErrInvite = errors.New("the invitation is not known or no longer good")
	// ErrNone: there is no such account.
	ErrNone = errors.New("there is no such account")
	// ErrTaken: there is an account of that name.
	ErrTaken = errors.New("there is an account of that name")
)

// Invalid says what is wrong with what was chosen, such as a password.
type Invalid struct {
	// Field that is wrong, and Why.
	Field, Why string
}

// Error implements error.
func (i *Invalid) Error() string { return i.Why }

const (
	prefixInvite = "fwi_"
	// inviteHolds is how long an invitation is good.
	inviteHolds = 24 * time.Hour
)

// Account is a local account. It names a person and holds no rights of its own.
type Account struct {
	// Name to log in with.
	Name string `json:"name"`
	// Person that the account belongs to.
	Person string `json:"person"`
	// State is Invited (no password yet), Open or Closed.
	State State `json:"state"`
	// SecondFactor is On or Off.
	SecondFactor Factor `json:"secondFactor"`
	// Created when, and the password Changed when.
	Created time.Time  `json:"created"`
	Changed *time.Time `json:"changed,omitempty"`
}

// State of an account.
type State string

// The states.
const (
	Invited State = "Invited"
	Open    State = "Open"
	Closed  State = "Closed"
)

// Factor says whether a second factor is asked for.
type Factor string

// The values.
const (
	On  Factor = "On"
	Off Factor = "Off"
)

// Options of the accounts.
type Options struct {
	// Key seals the secrets of second factors.
	Key *seal.Key
	// Cost of a password. Default: DefaultCost.
	Cost Cost
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Log gets what clients are not told.
	Log *slog.Logger
}

// Accounts keeps the accounts.
type Accounts struct {
	db     *database.DB
	key    *seal.Key
	hasher *hasher
	now    func() time.Time
	log    *slog.Logger
}

// New brings the table up to date and opens the accounts.
func New(ctx context.Context, db *database.DB, o Options) (*Accounts, error) {
	if o.Key == nil || o.Log == nil {
		return nil, errors.New("could not open the local accounts: a key and a log are needed")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Cost == (Cost{}) {
		o.Cost = DefaultCost
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, files, "identity_local_versions"); err != nil {
		return nil, err
	}
	return &Accounts{db: db, key: o.Key, hasher: newHasher(o.Cost), now: o.Now, log: o.Log}, nil
}

type row struct {
	Account
	password, totp string
	totpReady      bool
	totpStep       int64
	invited        int64
}

const columns = "name, person, password, totp, totp_ready, totp_step, invited, closed, created, changed"

type scanner interface{ Scan(into ...any) error }

func scan(from scanner) (row, error) {
	r := row{}
	var ready, closed, created, changed int64
	err := from.Scan(&r.Name, &r.Person, &r.password, &r.totp, &ready, &r.totpStep, &r.invited, &closed, &created, &changed)
	if errors.Is(err, sql.ErrNoRows) {
		return row{}, ErrNone
	}
	if err != nil {
		return row{}, fmt.Errorf("could not read an account: %w", err)
	}
	r.totpReady, r.Created, r.SecondFactor = ready > 0, time.UnixMilli(created).UTC(), Off
	if r.totpReady {
		r.SecondFactor = On
	}
	if changed > 0 {
		at := time.UnixMilli(changed).UTC()
		r.Changed = &at
	}
	switch {
	case closed > 0:
		r.State = Closed
	case r.password == "":
		r.State = Invited
	default:
		r.State = Open
	}
	return r, nil
}

func (a *Accounts) read(ctx context.Context, name string) (row, error) {
	return scan(a.db.QueryRow(ctx, "SELECT "+columns+" FROM identity_accounts WHERE name = ?", name))
}

func (a *Accounts) invitation() (invite, digest string, until time.Time) {
	var random [32]byte
	_, _ = rand.Read(random[:])
	invite = prefixInvite + base64.RawURLEncoding.EncodeToString(random[:])
	return invite, digestOf(invite), a.now().Add(inviteHolds)
}

func digestOf(invite string) string {
	sum := sha256.Sum256([]byte(invite))
	return hex.EncodeToString(sum[:])
}

// Add makes an account of a person and returns its invitation, which is shown once.
func (a *Accounts) Add(ctx context.Context, name, person string) (invite string, until time.Time, err error) {
	if !identity.PlainName(name) {
		return "", until, &Invalid{"name", `a name has 1 to 63 letters, digits, "-", "_" and "."`}
	}
	if !identity.PlainName(person) {
		return "", until, &Invalid{"person", "name the person by his id"}
	}
	invite, digest, until := a.invitation()
	done, err := a.db.Exec(ctx, `INSERT INTO identity_accounts (name, person, password, totp, totp_ready, totp_step, invite, invited, closed, created, changed)
		VALUES (?, ?, '', '', 0, 0, ?, ?, 0, ?, 0) ON CONFLICT (name) DO NOTHING`, name, person, digest, until.UnixMilli(), a.now().UnixMilli())
	if err != nil {
		return "", until, fmt.Errorf("could not add account %q: %w", name, err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return "", until, errors.Join(ErrTaken, err)
	}
	return invite, until, nil
}

// Invite lets the owner of an account choose a new password and, where the second
// factor is lost, a new one. Until then the account lets nobody in.
func (a *Accounts) Invite(ctx context.Context, name string) (invite string, until time.Time, err error) {
	invite, digest, until := a.invitation()
	err = a.change(ctx, name, "password = '', totp = '', totp_ready = 0, totp_step = 0, invite = ?, invited = ?, closed = 0, invite_second = '', inviter = '', inviter_second = '', amendment = ''",
		digest, until.UnixMilli())
	return invite, until, err
}

// Close closes an account. It fails with ErrNone.
func (a *Accounts) Close(ctx context.Context, name string) error {
	return a.change(ctx, name, "closed = ?, invite = '', invite_second = '', inviter = '', inviter_second = '', invited = 0", a.now().UnixMilli())
}

func (a *Accounts) change(ctx context.Context, name, set string, args ...any) error {
	done, err := a.db.Exec(ctx, "UPDATE identity_accounts SET "+set+" WHERE name = ?", append(args, name)...)
	if err != nil {
		return fmt.Errorf("could not change account %q: %w", name, err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return errors.Join(ErrNone, err)
	}
	return nil
}

// Get returns an account. It fails with ErrNone.
func (a *Accounts) Get(ctx context.Context, name string) (Account, error) {
	r, err := a.read(ctx, name)
	return r.Account, err
}

// List lists the accounts by name, at most 1,000.
func (a *Accounts) List(ctx context.Context) ([]Account, error) {
	rows, err := a.db.Query(ctx, "SELECT "+columns+" FROM identity_accounts ORDER BY name LIMIT 1000")
	if err != nil {
		return nil, fmt.Errorf("could not list the accounts: %w", err)
	}
	defer rows.Close() //nolint:errcheck // only read
	found := []Account{}
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, r.Account)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("could not list the accounts: %w", err)
	}
	return found, nil
}

// Accept sets the first password with an invitation, which is used up by it: the one of
// a founder, or the two codes that two people hand over, parted by space. It
// fails with ErrInvite, or *Invalid where the password will not do; the invitation
// stays good then.
func (a *Accounts) Accept(ctx context.Context, invite, password string) (Account, error) {
	now := a.now()
	first, second := codes(invite)
	var name string
	var until int64
	err := a.db.QueryRow(ctx, "SELECT name, invited FROM identity_accounts WHERE "+invitedBy, first, second, second, first).Scan(&name, &until)
	if errors.Is(err, sql.ErrNoRows) || err == nil && now.UnixMilli() >= until {
		return Account{}, ErrInvite
	}
	if err != nil {
		return Account{}, fmt.Errorf("could not look for an invitation: %w", err)
	}
	if why := identity.CheckPassword(name, password); why != "" {
		return Account{}, &Invalid{"password", why}
	}
	encoded, err := a.hasher.digest(ctx, password)
	if err != nil {
		return Account{}, err
	}
	done, err := a.db.Exec(ctx, "UPDATE identity_accounts SET password = ?, invite = '', invite_second = '', inviter = '', inviter_second = '', invited = 0, changed = ? WHERE name = ? AND "+invitedBy,
		encoded, now.UnixMilli(), name, first, second, second, first)
	if err != nil {
		return Account{}, fmt.Errorf("could not set the password of %q: %w", name, err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return Account{}, errors.Join(ErrInvite, err) // somebody was faster
	}
	return a.Get(ctx, name)
}

// Replace changes the password of an account whose old one was just checked. It
// fails with *Invalid where the new one will not do.
func (a *Accounts) Replace(ctx context.Context, name, old, next string) (Account, error) {
	if old == next {
		return Account{}, &Invalid{"newPassword", "the password is the old one"}
	}
	if why := identity.CheckPassword(name, next); why != "" {
		return Account{}, &Invalid{"newPassword", why}
	}
	encoded, err := a.hasher.digest(ctx, next)
	if err != nil {
		return Account{}, err
	}
	if err := a.change(ctx, name, "password = ?, changed = ?", encoded, a.now().UnixMilli()); err != nil {
		return Account{}, err
	}
	return a.Get(ctx, name)
}

// Check says whether the password and the code are those of the account: identity.ErrRefused
// or identity.ErrCodeNeeded where not. The account comes back with both errors where
// there is one, for the evidence.
func (a *Accounts) Check(ctx context.Context, name, password, code string) (Account, error) {
	r, err := a.read(ctx, name)
	if err != nil && !errors.Is(err, ErrNone) {
		return Account{}, err
	}
	encoded := ""
	if err == nil && r.State == Open {
		encoded = r.password
	}
	if len(password) > identity.LongestPassword {
		password = "" // matches nothing
	}
	ok, errMatch := a.hasher.matches(ctx, encoded, password)
	if errMatch != nil {
		return Account{}, errMatch
	}
	if !ok {
		return r.Account, identity.ErrRefused
	}
	if r.totpReady {
		if code == "" {
			return r.Account, identity.ErrCodeNeeded
		}
		if err := a.useCode(ctx, r, code); err != nil {
			return r.Account, err
		}
	}
	if a.hasher.stale(encoded) {
		if renewed, err := a.hasher.digest(ctx, password); err == nil {
			if _, err := a.db.Exec(ctx, "UPDATE identity_accounts SET password = ? WHERE name = ? AND password = ?", renewed, name, encoded); err != nil {
				a.log.Error("could not renew the digest of a password at today's cost", "account", name, "cause", err.Error())
			}
		}
	}
	return r.Account, nil
}

// Vouch is Check as a way of logging in.
func (a *Accounts) Vouch(ctx context.Context, login, password, code string) (identity.Vouched, error) {
	account, err := a.Check(ctx, login, password, code)
	return identity.Vouched{Claim: identity.Claim{Provider: identity.Local, Subject: account.Name, Login: account.Name}, Person: account.Person}, err
}
