// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package ldap lets people in by the bank's directory, such as Active Directory or
// OpenLDAP: an account of Fairway's searches for the name, and the password is then
// tried at the one entry that was found. The connection is encrypted, or stays on
// this machine.
package ldap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/tokenfile"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// atOnce is how many logins ask the directory at once; more wait for their turn.
const atOnce = 16

// mostGroups of one person, over all steps.
const mostGroups = 500

// Directory asks a directory.
type Directory struct {
	name     string
	settings identity.LDAPSettings
	address  string
	host     string
	secure   bool
	sealer   *sealing.Dialer
	turns    chan struct{}
}

// New reads the files that the settings name. The directory itself is asked at each
// login, so that the server starts while it is away.
func New(name string, settings identity.LDAPSettings) (*Directory, error) {
	where, err := url.Parse(settings.URL)
	if err != nil {
		return nil, fmt.Errorf("could not use directory %q: its address cannot be read", name)
	}
	if _, err := goldap.CompileFilter(settings.Filter); err != nil {
		return nil, fmt.Errorf("could not use directory %q: filter %q: %w", name, settings.Filter, err)
	}
	if _, err := goldap.CompileFilter(settings.GroupFilter); err != nil {
		return nil, fmt.Errorf("could not use directory %q: groupFilter %q: %w", name, settings.GroupFilter, err)
	}
	if _, err := tokenfile.ReadSecret(settings.PasswordFile); err != nil {
		return nil, fmt.Errorf("could not use directory %q: %w", name, err)
	}
	d := &Directory{
		name: name, settings: settings, host: where.Hostname(), secure: where.Scheme == "ldaps", turns: make(chan struct{}, atOnce),
	}
	port := where.Port()
	if port == "" {
		port = map[bool]string{true: "636", false: "389"}[d.secure]
	}
	d.address = net.JoinHostPort(d.host, port)
	if d.sealer, err = (sealing.Client{CAFile: settings.CAFile, Name: d.host}).Open(); err != nil {
		return nil, fmt.Errorf("could not use directory %q: %w", name, err)
	}
	return d, nil
}

// away says that the directory could not be asked. What it said itself stays out: it
// may repeat what was sent.
func (d *Directory) away(doing string, err error) error {
	why := err.Error()
	var answered *goldap.Error
	if errors.As(err, &answered) {
		why = fmt.Sprintf("%s (%d)", goldap.LDAPResultCodeMap[answered.ResultCode], answered.ResultCode)
	}
	return fmt.Errorf("could not %s at directory %q: %w: %s", doing, d.name, identity.ErrAway, why)
}

// Vouch checks a password. It fails with identity.ErrRefused or identity.ErrAway.
func (d *Directory) Vouch(ctx context.Context, login, password, _ string) (identity.Vouched, error) {
	if password == "" || strings.ContainsRune(password, 0) {
		// A bind without a password is no check at all: directories answer it with success.
		return identity.Vouched{}, d.refused()
	}
	return d.ask(ctx, login, func(ctx context.Context, entry *goldap.Entry) error { return d.try(ctx, entry.DN, password) })
}

// Again says what the directory knows now of a login that came in before, without
// its password. It fails with identity.ErrRefused where no entry within
// the filter has the login any more, and with identity.ErrAway.
func (d *Directory) Again(ctx context.Context, login string) (identity.Claim, error) {
	vouched, err := d.ask(ctx, login, func(context.Context, *goldap.Entry) error { return nil })
	return vouched.Claim, err
}

// ask finds the entry of a login, has it checked, and reads its groups.
func (d *Directory) ask(ctx context.Context, login string, check func(context.Context, *goldap.Entry) error) (identity.Vouched, error) {
	if identity.CheckLogin(login) != "" {
		return identity.Vouched{}, d.refused()
	}
	ctx, cancel := context.WithTimeout(ctx, d.settings.Timeout.Duration)
	defer cancel()
	select {
	case d.turns <- struct{}{}:
		defer func() { <-d.turns }()
	case <-ctx.Done():
		return identity.Vouched{}, d.away("wait for a turn", ctx.Err())
	}
	service, err := d.connect(ctx)
	if err != nil {
		return identity.Vouched{}, err
	}
	defer service.close()
	secret, err := tokenfile.ReadSecret(d.settings.PasswordFile)
	if err != nil {
		return identity.Vouched{}, d.away("log in ourselves", errors.New("the file of our password cannot be used"))
	}
	if err := service.Bind(d.settings.BindDN, secret); err != nil {
		return identity.Vouched{}, d.away("log in ourselves", err)
	}
	entry, err := d.find(service, login)
	if err != nil {
		return identity.Vouched{}, err
	}
	known := identity.Vouched{Claim: identity.Claim{Provider: d.name, Login: login}}
	if err := check(ctx, entry); err != nil {
		return known, err
	}
	groups, err := d.groups(service, entry)
	if err != nil {
		return known, err
	}
	return identity.Vouched{Claim: d.claim(login, entry, groups)}, nil
}

func (d *Directory) refused() error {
	return fmt.Errorf("could not log in at directory %q: %w", d.name, identity.ErrRefused)
}

// find searches for the one entry that has the login. None and several are refused
// alike: nobody can say who it is.
func (d *Directory) find(c *connection, login string) (*goldap.Entry, error) {
	filter := fmt.Sprintf("(&%s(%s=%s))", d.settings.Filter, d.settings.LoginAttribute, goldap.EscapeFilter(login))
	found, err := c.Search(goldap.NewSearchRequest(d.settings.BaseDN, goldap.ScopeWholeSubtree, goldap.NeverDerefAliases, 2, d.seconds(), false, filter, d.attributes(), nil))
	if goldap.IsErrorWithCode(err, goldap.LDAPResultSizeLimitExceeded) {
		return nil, d.refused()
	}
	if err != nil {
		return nil, d.away("search", err)
	}
	if len(found.Entries) != 1 {
		return nil, d.refused() // referrals lead to other servers, which are not asked
	}
	entry := found.Entries[0]
	// Directories find "  li.si" and full-width letters, too. Whoever types it as it is
	// written is meant; the rest would be counted as the attempts of somebody else.
	typed := strings.ToLower(login)
	if !slices.ContainsFunc(entry.GetEqualFoldAttributeValues(d.settings.LoginAttribute), func(written string) bool {
		return strings.ToLower(written) == typed
	}) {
		return nil, d.refused()
	}
	if entry.DN == "" || len(d.subject(entry)) == 0 {
		return nil, d.away("read the entry", fmt.Errorf("it shows no %s to our account", d.settings.SubjectAttribute))
	}
	return entry, nil
}

func (d *Directory) seconds() int { return max(1, int(d.settings.Timeout.Seconds())) }

func (d *Directory) attributes() []string {
	s := d.settings
	wanted := []string{s.LoginAttribute, s.SubjectAttribute, s.NameAttribute, s.MailAttribute, s.StaffNumberAttribute, s.UnitAttribute}
	if s.MemberOfAttribute != "" {
		wanted = append(wanted, s.MemberOfAttribute)
	}
	return wanted
}

// try binds as the entry, on a connection of its own: the one that searches keeps
// its own rights.
func (d *Directory) try(ctx context.Context, dn, password string) error {
	c, err := d.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	err = c.Bind(dn, password)
	switch {
	case err == nil:
		return nil
	case goldap.IsErrorAnyOf(err, goldap.LDAPResultInvalidCredentials, goldap.LDAPResultInappropriateAuthentication, goldap.LDAPResultConstraintViolation,
		goldap.LDAPResultNoSuchObject, goldap.LDAPResultInvalidDNSyntax, goldap.LDAPResultUnwillingToPerform, goldap.LDAPResultInsufficientAccessRights):
		return d.refused()
	}
	return d.away("check the password", err)
}

// subject names the entry for good: text as it is, bytes (objectGUID) in hex.
func (d *Directory) subject(entry *goldap.Entry) string {
	raw := entry.GetEqualFoldRawAttributeValue(d.settings.SubjectAttribute)
	if text := string(raw); identity.CheckLogin(text) == "" {
		return text
	}
	if len(raw) == 0 {
		return ""
	}
	return fmt.Sprintf("%x", raw)
}

func (d *Directory) claim(login string, entry *goldap.Entry, groups []string) identity.Claim {
	text := func(attribute string) string {
		return identity.Shown(entry.GetEqualFoldAttributeValue(attribute), 256)
	}
	// The login as the directory writes it: who types another case is the same.
	for _, written := range entry.GetEqualFoldAttributeValues(d.settings.LoginAttribute) {
		if strings.EqualFold(written, login) {
			login = written
			break
		}
	}
	return identity.Claim{
		Provider: d.name, Subject: d.subject(entry), Login: login, Name: text(d.settings.NameAttribute), Mail: text(d.settings.MailAttribute),
		StaffNumber: text(d.settings.StaffNumberAttribute), Unit: text(d.settings.UnitAttribute), Groups: groups,
	}
}

// groups are those of the entry: by its own attribute, and by the groups that list
// it as a member, and so on upwards where groups of groups count.
func (d *Directory) groups(c *connection, entry *goldap.Entry) ([]string, error) {
	names := map[string]bool{}
	for _, dn := range entry.GetEqualFoldAttributeValues(d.settings.MemberOfAttribute) {
		if name := firstPart(dn); name != "" && d.settings.MemberOfAttribute != "" {
			names[name] = true
		}
	}
	if d.settings.GroupBaseDN != "" {
		if err := d.climb(c, entry.DN, names); err != nil {
			return nil, err
		}
	}
	groups := make([]string, 0, len(names))
	for name := range names {
		groups = append(groups, name)
	}
	slices.Sort(groups)
	return groups, nil
}

func (d *Directory) climb(c *connection, dn string, names map[string]bool) error {
	seen, level := map[string]bool{}, []string{dn}
	for range d.settings.NestedGroups + 1 {
		var above []string
		for _, member := range level {
			filter := fmt.Sprintf("(&%s(%s=%s))", d.settings.GroupFilter, d.settings.GroupMemberAttribute, goldap.EscapeFilter(member))
			found, err := c.Search(goldap.NewSearchRequest(d.settings.GroupBaseDN, goldap.ScopeWholeSubtree, goldap.NeverDerefAliases, mostGroups, d.seconds(), false,
				filter, []string{d.settings.GroupNameAttribute}, nil))
			if err != nil {
				return d.away("search for groups", err)
			}
			for _, group := range found.Entries {
				if seen[group.DN] || len(seen) >= mostGroups {
					continue
				}
				seen[group.DN] = true
				above = append(above, group.DN)
				if name := group.GetEqualFoldAttributeValue(d.settings.GroupNameAttribute); name != "" {
					names[name] = true
				}
			}
		}
		if level = above; len(level) == 0 {
			return nil
		}
	}
	return nil
}

// firstPart is the value of the first part of a DN: "dev" of "cn=dev,ou=groups,…".
func firstPart(dn string) string {
	parsed, err := goldap.ParseDN(dn)
	if err != nil || len(parsed.RDNs) == 0 || len(parsed.RDNs[0].Attributes) == 0 {
		return ""
	}
	return parsed.RDNs[0].Attributes[0].Value
}

// connection is one connection, which ends with its login whatever the directory
// does: a slow one holds nobody.
type connection struct {
	*goldap.Conn
	stop func() bool
}

func (c *connection) close() {
	c.stop()
	_ = c.Close()
}

func (d *Directory) connect(ctx context.Context) (*connection, error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", d.address)
	if err != nil {
		return nil, d.away("connect", plain(err))
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = raw.SetDeadline(deadline)
	}
	if !d.secure && !d.settings.Plain {
		if err := startTLS(ctx, raw); err != nil {
			_ = raw.Close()
			return nil, d.away("encrypt the connection", plain(err))
		}
	}
	sealed := d.secure || !d.settings.Plain
	if sealed {
		doing := map[bool]string{true: "connect", false: "encrypt the connection"}[d.secure]
		if raw, err = d.sealer.Over(ctx, raw); err != nil {
			return nil, d.away(doing, plain(err))
		}
	}
	c := &connection{Conn: goldap.NewConn(raw, sealed)}
	c.stop = context.AfterFunc(ctx, func() { _ = raw.Close() })
	c.Start()
	if deadline, ok := ctx.Deadline(); ok {
		c.SetTimeout(time.Until(deadline))
	}
	return c, nil
}

// mostStart is what is read of the answer to STARTTLS, in bytes.
const mostStart = 8 << 10

// startTLS asks the directory to go on sealed (RFC 4511, 4.14), as the first thing that
// is said. Nothing that comes after its answer is read here: it is part of the handshake.
func startTLS(ctx context.Context, raw net.Conn) error {
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	ask := ber.NewSequence("LDAP Request")
	ask.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 1, "MessageID"))
	extended := ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationExtendedRequest, nil, "Start TLS")
	extended.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, "1.3.6.1.4.1.1466.20037", "TLS Extended Command"))
	ask.AppendChild(extended)
	if _, err := raw.Write(ask.Bytes()); err != nil {
		return err
	}
	answer, err := ber.ReadPacket(io.LimitReader(raw, mostStart))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return errors.New("it does not answer as a directory does")
	}
	return goldap.GetLDAPError(answer)
}

// plain leaves the address out of what the network says.
func plain(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
