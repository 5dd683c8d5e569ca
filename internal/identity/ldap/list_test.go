// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ldap_test

import (
	"errors"
	"fmt"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/fairway-cloud/fairway/internal/identity"
)

// Everybody is listed page by page; a list that the directory cuts short, or that is
// partly somewhere else, is no list.
func TestEverybodyOfARealDirectory(t *testing.T) {
	s := startSlapd(t)
	c, err := goldap.DialURL("ldap://" + s.plain)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // only a test's
	if err := c.Bind(admin, "root-secret"); err != nil {
		t.Fatal(err)
	}
	add := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			entry := goldap.NewAddRequest(fmt.Sprintf("cn=staff %d,ou=many,%s", i, suffix), nil)
			for name, value := range map[string]string{"objectClass": "inetOrgPerson", "cn": fmt.Sprintf("staff %d", i), "sn": "s", "uid": fmt.Sprintf("staff.%d", i), "employeeNumber": fmt.Sprint(20000 + i)} {
				entry.Attribute(name, []string{value})
			}
			if err := c.Add(entry); err != nil {
				t.Fatal(err)
			}
		}
	}
	unit := goldap.NewAddRequest("ou=many,"+suffix, nil)
	unit.Attribute("objectClass", []string{"organizationalUnit"})
	if err := c.Add(unit); err != nil {
		t.Fatal(err)
	}
	add(0, 450)
	many := directory(t, "ldaps://"+s.ldaps, func(l *identity.LDAPSettings) { l.CAFile, l.BaseDN = s.ca, "ou=many,"+suffix })
	got, err := many.Everybody(t.Context())
	if err != nil || len(got) != 450 {
		t.Fatalf("%d people: %v", len(got), err)
	}
	seen := map[string]bool{}
	for _, claim := range got {
		if claim.Provider != "ad" || len(claim.Subject) != 36 || claim.StaffNumber == "" || claim.Groups != nil {
			t.Fatalf("%+v", claim)
		}
		seen[claim.Login] = true
	}
	if len(seen) != 450 {
		t.Errorf("%d different people", len(seen))
	}
	whole := directory(t, "ldaps://"+s.ldaps, func(l *identity.LDAPSettings) { l.CAFile = s.ca })
	if got, err := whole.Everybody(t.Context()); !errors.Is(err, identity.ErrAway) || got != nil {
		t.Errorf("part of it is on another server: %d people, %v", len(got), err)
	}
	add(450, 520) // the directory answers with 500 at most
	if got, err := many.Everybody(t.Context()); !errors.Is(err, identity.ErrAway) || got != nil {
		t.Errorf("a list that was cut short: %d people, %v", len(got), err)
	}
}
