// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/fairway-cloud/fairway/internal/identity"
)

const (
	totpUse  = "totp"
	totpStep = 30
)

// Enrolment is what an authenticator app needs. It is shown once.
type Enrolment struct {
	// Secret in base32, and the same as a URL for a QR code.
	Secret string `json:"secret"`
	URL    string `json:"url"`
}

// Enrol makes a secret for a second factor. It is asked for from Confirm on, so that
// nobody locks himself out with an app that does not work.
func (a *Accounts) Enrol(ctx context.Context, name string) (Enrolment, error) {
	r, err := a.read(ctx, name)
	if err != nil {
		return Enrolment{}, err
	}
	if r.totpReady {
		return Enrolment{}, &Invalid{"secondFactor", "the account has a second factor; take it away with a code of it, or have a security administrator invite you anew"}
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "Fairway", AccountName: name, Period: totpStep, SecretSize: 20})
	if err != nil {
		return Enrolment{}, fmt.Errorf("could not make a second factor for %q: %w", name, err)
	}
	if err := a.change(ctx, name, "totp = ?, totp_ready = 0, totp_step = 0", a.key.Seal(totpUse, name, key.Secret())); err != nil {
		return Enrolment{}, err
	}
	return Enrolment{Secret: key.Secret(), URL: key.URL()}, nil
}

// Confirm turns the second factor on with a code of it. It fails with identity.ErrRefused.
func (a *Accounts) Confirm(ctx context.Context, name, code string) error {
	r, err := a.read(ctx, name)
	if err != nil {
		return err
	}
	if r.totp == "" || r.totpReady {
		return identity.ErrRefused
	}
	if err := a.useCode(ctx, r, code); err != nil {
		return err
	}
	return a.change(ctx, name, "totp_ready = 1")
}

// Remove turns the second factor off with a code of it. It fails with
// identity.ErrRefused, also where there is none.
func (a *Accounts) Remove(ctx context.Context, name, code string) error {
	r, err := a.read(ctx, name)
	if err != nil {
		return err
	}
	if !r.totpReady {
		return identity.ErrRefused
	}
	if err := a.useCode(ctx, r, code); err != nil {
		return err
	}
	return a.change(ctx, name, "totp = '', totp_ready = 0")
}

// useCode accepts a code once: a step that was used, or an older one, never comes
// again. One step to either side makes up for clocks.
func (a *Accounts) useCode(ctx context.Context, r row, code string) error {
	secret, err := a.key.Unseal(totpUse, r.Name, r.totp)
	if err != nil {
		return err
	}
	now := a.now()
	options := totp.ValidateOpts{Period: totpStep, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}
	for _, shift := range []int64{0, -1, 1} {
		step := now.Unix()/totpStep + shift
		ok, err := totp.ValidateCustom(code, secret, time.Unix(step*totpStep, 0), options)
		if err != nil && !errors.Is(err, otp.ErrValidateInputInvalidLength) {
			return fmt.Errorf("could not check a code of %q: %w", r.Name, err)
		}
		if !ok {
			continue
		}
		done, err := a.db.Exec(ctx, "UPDATE identity_accounts SET totp_step = ? WHERE name = ? AND totp_step < ?", step, r.Name, step)
		if err != nil {
			return fmt.Errorf("could not note a code of %q: %w", r.Name, err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(identity.ErrRefused, err) // used before
		}
		return nil
	}
	return identity.ErrRefused
}
