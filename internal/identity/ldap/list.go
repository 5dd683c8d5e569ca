// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ldap

import (
	"context"
	"errors"
	"fmt"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/tokenfile"
)

const (
	// listPage is how many people one answer holds, and listTime how long all of them may take.
	listPage = 200
	listTime = 5 * time.Minute
	// mostListed bounds what a directory that goes on for ever costs.
	mostListed = 200_000
)

// Everybody lists all people of the directory, without their groups. A list that is
// not complete is an error: who is missing from half a list has not left the bank.
func (d *Directory) Everybody(ctx context.Context) ([]identity.Claim, error) {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	c, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	secret, err := tokenfile.ReadSecret(d.settings.PasswordFile)
	if err != nil {
		return nil, d.away("log in ourselves", errors.New("the file of our password cannot be used"))
	}
	if err := c.Bind(d.settings.BindDN, secret); err != nil {
		return nil, d.away("log in ourselves", err)
	}
	var all []identity.Claim
	paging := goldap.NewControlPaging(listPage)
	for {
		found, err := c.Search(goldap.NewSearchRequest(d.settings.BaseDN, goldap.ScopeWholeSubtree, goldap.NeverDerefAliases, 0, 0, false,
			"(&"+d.settings.Filter+"("+d.settings.LoginAttribute+"=*))", d.attributes(), []goldap.Control{paging}))
		if err != nil {
			return nil, d.away("list everybody", err)
		}
		for _, entry := range found.Entries {
			login := entry.GetEqualFoldAttributeValue(d.settings.LoginAttribute)
			if d.subject(entry) == "" || identity.CheckLogin(login) != "" {
				return nil, d.away("list everybody", fmt.Errorf("an entry shows no usable %s or %s to our account", d.settings.LoginAttribute, d.settings.SubjectAttribute))
			}
			all = append(all, d.claim(login, entry, nil))
		}
		if len(found.Referrals) > 0 {
			return nil, d.away("list everybody", errors.New("part of it is on another server, which is not asked"))
		}
		if len(all) > mostListed {
			return nil, d.away("list everybody", fmt.Errorf("there are more than %d", mostListed))
		}
		answered, ok := goldap.FindControl(found.Controls, goldap.ControlTypePaging).(*goldap.ControlPaging)
		if !ok || len(answered.Cookie) == 0 {
			return all, nil
		}
		paging.SetCookie(answered.Cookie)
	}
}
