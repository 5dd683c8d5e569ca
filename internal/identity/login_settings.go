// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Settings are the ways by which people come in. They name files that hold
// secrets, never the secrets.
type Settings struct {
	// Sessions bounds how long a login holds.
	Sessions SessionLimits `json:"sessions,omitempty"`
	// TrustedProxies are the addresses whose X-Forwarded-For is believed. Default: nobody's.
	TrustedProxies []string `json:"trustedProxies,omitempty"`
	// Providers, in the order in which they are offered. Default: local accounts alone.
	Providers []ProviderSettings `json:"providers,omitempty"`
	// Front is the bank's 4A system or bastion that stands in front and vouches for
	// people. Default: none.
	Front *FrontSettings `json:"front,omitempty"`
}

// SessionLimits bound how long a login holds.
type SessionLimits struct {
	// Idle is how long a session holds without a request. Default: 30m.
	Idle metav1.Duration `json:"idle,omitempty"`
	// Absolute is how long a session holds at most. Default: 12h.
	Absolute metav1.Duration `json:"absolute,omitempty"`
	// Most sessions of one person at once; the oldest ends when there are more. Default: 20.
	Most int `json:"most,omitempty"`
}

// ProviderSettings are one way of coming in: exactly one of local, ldap and oidc.
type ProviderSettings struct {
	// Name in the API, on the command line and in the logins of people.
	Name string `json:"name"`
	// DisplayName as people read it. Default: the name.
	DisplayName string `json:"displayName,omitempty"`
	// Local accounts, which Fairway keeps itself.
	Local *LocalSettings `json:"local,omitempty"`
	// LDAP is a directory that checks passwords, such as Active Directory.
	LDAP *LDAPSettings `json:"ldap,omitempty"`
	// OIDC is an OpenID Connect provider.
	OIDC *OIDCSettings `json:"oidc,omitempty"`
}

// LocalSettings of local accounts. There is nothing to set.
type LocalSettings struct{}

// LDAPSettings say how a directory is asked.
type LDAPSettings struct {
	// URL is ldaps://host:636, or ldap://host:389 which is then encrypted by StartTLS.
	// On loopback alone, plain ldap:// may stay plain (see Plain).
	URL string `json:"url"`
	// Plain leaves a loopback connection unencrypted.
	Plain bool `json:"plain,omitempty"`
	// CAFile holds the certificates that the directory's is checked with, PEM.
	// Default: those that the machine trusts.
	CAFile string `json:"caFile,omitempty"`
	// BindDN and PasswordFile are the account that searches; the file's mode is 0600.
	BindDN       string `json:"bindDN"`
	PasswordFile string `json:"passwordFile"`
	// BaseDN is where people are searched.
	BaseDN string `json:"baseDN"`
	// Filter that people match besides the login. Default: (objectClass=person).
	Filter string `json:"filter,omitempty"`
	// LoginAttribute is matched with what people type. Default: uid. Active
	// Directory: sAMAccountName.
	LoginAttribute string `json:"loginAttribute,omitempty"`
	// SubjectAttribute names a person for good. Default: entryUUID. Active Directory: objectGUID.
	SubjectAttribute string `json:"subjectAttribute,omitempty"`
	// Attributes of the person. Defaults: cn, mail, employeeNumber, departmentNumber.
	NameAttribute        string `json:"nameAttribute,omitempty"`
	MailAttribute        string `json:"mailAttribute,omitempty"`
	StaffNumberAttribute string `json:"staffNumberAttribute,omitempty"`
	UnitAttribute        string `json:"unitAttribute,omitempty"`
	// GroupBaseDN is where groups are searched. Default: they are not searched.
	GroupBaseDN string `json:"groupBaseDN,omitempty"`
	// GroupFilter that groups match besides the membership. Default: (objectClass=groupOfNames).
	GroupFilter string `json:"groupFilter,omitempty"`
	// GroupMemberAttribute of a group holds the DNs of its members. Default: member.
	GroupMemberAttribute string `json:"groupMemberAttribute,omitempty"`
	// GroupNameAttribute names a group. Default: cn.
	GroupNameAttribute string `json:"groupNameAttribute,omitempty"`
	// MemberOfAttribute of a person lists the DNs of his groups; the first part of
	// each is its name. Default: it is not read. Active Directory: memberOf.
	MemberOfAttribute string `json:"memberOfAttribute,omitempty"`
	// NestedGroups follows groups of groups, up to this many steps. Default: 0.
	NestedGroups int `json:"nestedGroups,omitempty"`
	// Timeout of a login. Default: 5s.
	Timeout metav1.Duration `json:"timeout,omitempty"`
	// Recheck is how often the directory is asked again about those who are logged in:
	// for their groups, and whether they are still there. 1m to 1h. Default: 5m.
	Recheck metav1.Duration `json:"recheck,omitempty"`
	// Sync keeps the Persons in step with the directory. Default: they are not.
	Sync *SyncSettings `json:"sync,omitempty"`
}

// OIDCSettings say how an OpenID Connect provider is used.
type OIDCSettings struct {
	// Issuer is the provider's address, as its ID tokens name it.
	Issuer string `json:"issuer"`
	// ClientID of Fairway at the provider.
	ClientID string `json:"clientID"`
	// ClientSecretFile holds the client's secret, mode 0600. Default: none, a public client.
	ClientSecretFile string `json:"clientSecretFile,omitempty"`
	// RedirectURL is this server's callback as it is registered at the provider:
	// https://HOST/api/v1/identity/oidc/NAME/callback.
	RedirectURL string `json:"redirectURL"`
	// CAFile holds the certificates that the provider's is checked with, PEM.
	CAFile string `json:"caFile,omitempty"`
	// Scopes asked for besides openid. Default: profile, email.
	Scopes []string `json:"scopes,omitempty"`
	// Claims that hold what is known of the person. Defaults: preferred_username,
	// groups, name, email; staff number and unit are not read.
	LoginClaim       string `json:"loginClaim,omitempty"`
	GroupsClaim      string `json:"groupsClaim,omitempty"`
	NameClaim        string `json:"nameClaim,omitempty"`
	MailClaim        string `json:"mailClaim,omitempty"`
	StaffNumberClaim string `json:"staffNumberClaim,omitempty"`
	UnitClaim        string `json:"unitClaim,omitempty"`
}

// FrontSettings pin the system in front that vouches for people. At least one of
// from, certificates and caFile; where several are given, all of them must hold.
type FrontSettings struct {
	// Name of the provider that its people have logins of.
	Name string `json:"name"`
	// UserHeader carries the login of the person, such as X-Bank-User. Empty: the
	// common name of the client certificate is the login of the person.
	UserHeader string `json:"userHeader,omitempty"`
	// GroupsHeader carries groups, separated by commas. Default: none are taken over.
	GroupsHeader string `json:"groupsHeader,omitempty"`
	// From are the addresses that it speaks from.
	From []string `json:"from,omitempty"`
	// Certificates are the SHA-256 fingerprints of its client certificates, in hex.
	Certificates []string `json:"certificates,omitempty"`
	// CAFile holds the certificates that sign its client certificates, PEM.
	CAFile string `json:"caFile,omitempty"`
}

// ReadSettings reads the settings and fills in the defaults. Unknown fields and
// what is not safe are refused.
func ReadSettings(raw []byte) (Settings, error) {
	s := Settings{}
	if err := yaml.UnmarshalStrict(raw, &s); err != nil {
		return Settings{}, fmt.Errorf("could not read the login settings: %w", err)
	}
	s.defaults()
	if err := s.check(); err != nil {
		return Settings{}, fmt.Errorf("could not use the login settings: %w", err)
	}
	return s, nil
}

func (s *Settings) defaults() {
	s.Sessions = s.Sessions.OrDefault()
	if len(s.Providers) == 0 {
		s.Providers = []ProviderSettings{{Name: Local, DisplayName: "Fairway", Local: &LocalSettings{}}}
	}
	for i := range s.Providers {
		p := &s.Providers[i]
		if p.DisplayName == "" {
			p.DisplayName = p.Name
		}
		if p.LDAP != nil {
			p.LDAP.defaults()
		}
		if p.OIDC != nil {
			p.OIDC.defaults()
		}
	}
}

// OrDefault fills in what is not set.
func (l SessionLimits) OrDefault() SessionLimits {
	if l.Idle.Duration == 0 {
		l.Idle.Duration = 30 * time.Minute
	}
	if l.Absolute.Duration == 0 {
		l.Absolute.Duration = 12 * time.Hour
	}
	if l.Most == 0 {
		l.Most = 20
	}
	return l
}

func orElse(text *string, value string) {
	if *text == "" {
		*text = value
	}
}

func (l *LDAPSettings) defaults() {
	orElse(&l.Filter, "(objectClass=person)")
	orElse(&l.LoginAttribute, "uid")
	orElse(&l.SubjectAttribute, "entryUUID")
	orElse(&l.NameAttribute, "cn")
	orElse(&l.MailAttribute, "mail")
	orElse(&l.StaffNumberAttribute, "employeeNumber")
	orElse(&l.UnitAttribute, "departmentNumber")
	orElse(&l.GroupFilter, "(objectClass=groupOfNames)")
	orElse(&l.GroupMemberAttribute, "member")
	orElse(&l.GroupNameAttribute, "cn")
	if l.Timeout.Duration == 0 {
		l.Timeout.Duration = 5 * time.Second
	}
	if l.Recheck.Duration == 0 {
		l.Recheck.Duration = 5 * time.Minute
	}
}

func (o *OIDCSettings) defaults() {
	orElse(&o.LoginClaim, "preferred_username")
	orElse(&o.GroupsClaim, "groups")
	orElse(&o.NameClaim, "name")
	orElse(&o.MailClaim, "email")
	if o.Scopes == nil {
		o.Scopes = []string{"profile", "email"}
	}
}

func (s *Settings) check() error {
	l := s.Sessions
	if l.Idle.Duration < time.Minute || l.Absolute.Duration < l.Idle.Duration || l.Absolute.Duration > 7*24*time.Hour || l.Most < 1 || l.Most > 1000 {
		return errors.New("sessions: idle is at least 1m, absolute at least idle and at most 168h, most from 1 to 1000")
	}
	if _, err := Prefixes(s.TrustedProxies); err != nil {
		return fmt.Errorf("trustedProxies: %w", err)
	}
	names := map[string]bool{}
	for i, p := range s.Providers {
		if err := p.check(); err != nil {
			return fmt.Errorf("providers[%d] %q: %w", i, p.Name, err)
		}
		if names[p.Name] {
			return fmt.Errorf("providers[%d]: the name %q is taken", i, p.Name)
		}
		names[p.Name] = true
	}
	if s.Front != nil {
		if err := s.Front.check(); err != nil {
			return fmt.Errorf("front: %w", err)
		}
		if names[s.Front.Name] {
			return fmt.Errorf("front: the name %q is taken", s.Front.Name)
		}
	}
	return nil
}

func (p ProviderSettings) check() error {
	if !PlainName(p.Name) {
		return errors.New(`a name has letters, digits, "-", "_" and "."`)
	}
	kinds := 0
	for _, given := range []bool{p.Local != nil, p.LDAP != nil, p.OIDC != nil} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return errors.New("give exactly one of local, ldap and oidc")
	case p.Local != nil && p.Name != Local:
		return errors.New("the local accounts have the name local")
	case p.Local == nil && p.Name == Local, p.Name == Bootstrap:
		return fmt.Errorf("the name %s is taken by Fairway itself", p.Name)
	case p.LDAP != nil:
		return p.LDAP.check()
	case p.OIDC != nil:
		return p.OIDC.check(p.Name)
	}
	return nil
}

func (l *LDAPSettings) check() error {
	if l.Sync != nil {
		if err := l.Sync.Ready(); err != nil {
			return err
		}
	}
	u, err := url.Parse(l.URL)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "ldap" && u.Scheme != "ldaps") {
		return errors.New("url: write ldaps://host:636 or ldap://host:389")
	}
	switch {
	case l.Plain && (u.Scheme != "ldap" || !onLoopback(u.Hostname())):
		return errors.New("plain: passwords go unencrypted to ldap:// on this machine only")
	case l.BindDN == "" || l.PasswordFile == "":
		return errors.New("bindDN and passwordFile name the account that searches")
	case l.BaseDN == "":
		return errors.New("baseDN says where people are searched")
	case l.NestedGroups < 0 || l.NestedGroups > 10:
		return errors.New("nestedGroups is from 0 to 10")
	case l.Timeout.Duration < 100*time.Millisecond || l.Timeout.Duration > 30*time.Second:
		return errors.New("timeout is from 100ms to 30s")
	case l.Recheck.Duration < time.Minute || l.Recheck.Duration > time.Hour:
		return errors.New("recheck is from 1m to 1h")
	}
	return nil
}

func (o *OIDCSettings) check(name string) error {
	issuer, err := url.Parse(o.Issuer)
	if err != nil || !safeURL(issuer) {
		return errors.New("issuer: write https://host (http:// on this machine only)")
	}
	redirect, err := url.Parse(o.RedirectURL)
	if err != nil || !safeURL(redirect) || redirect.RawQuery != "" || redirect.Fragment != "" || redirect.Path != "/api/v1/identity/oidc/"+name+"/callback" {
		return fmt.Errorf("redirectURL: write https://HOST/api/v1/identity/oidc/%s/callback", name)
	}
	if o.ClientID == "" {
		return errors.New("clientID is needed")
	}
	if slices.Contains(o.Scopes, "offline_access") {
		return errors.New("scopes: offline_access would leave a credential of the person here; a login needs none")
	}
	return nil
}

func safeURL(u *url.URL) bool {
	return u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && onLoopback(u.Hostname()))
}

func onLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (f *FrontSettings) check() error {
	if !PlainName(f.Name) || f.Name == Local || f.Name == Bootstrap {
		return errors.New(`name: letters, digits, "-", "_" and "."`)
	}
	if len(f.From) == 0 && len(f.Certificates) == 0 && f.CAFile == "" {
		return errors.New("pin who may vouch: from, certificates or caFile")
	}
	if _, err := Prefixes(f.From); err != nil {
		return fmt.Errorf("from: %w", err)
	}
	for _, c := range f.Certificates {
		if len(strings.ReplaceAll(c, ":", "")) != 64 {
			return errors.New("certificates: write SHA-256 fingerprints of 64 hex digits")
		}
	}
	if f.UserHeader == "" && f.CAFile == "" {
		return errors.New("without userHeader the client certificate names the person: say in caFile who signs it")
	}
	for _, h := range []string{f.UserHeader, f.GroupsHeader} {
		if h != "" && (!headerName(h) || takenHeader(h)) {
			return fmt.Errorf(`%q cannot be the header: it has letters, digits and "-", and is none that HTTP or Kubernetes uses; X-Bank-User would do`, h)
		}
	}
	return nil
}

func headerName(h string) bool {
	for _, c := range []byte(strings.ToLower(h)) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// takenHeader says whether a header means something else already.
func takenHeader(h string) bool {
	low := strings.ToLower(h)
	for _, prefix := range []string{"impersonate-", "x-remote-", "x-forwarded-", "sec-", "content-", "accept", "if-"} {
		if strings.HasPrefix(low, prefix) {
			return true
		}
	}
	return slices.Contains([]string{"authorization", "cookie", "host", "origin", "referer", "user-agent", "connection", "forwarded", "via", "traceparent", "x-fairway-csrf"}, low)
}

// Prefixes reads addresses and networks.
func Prefixes(texts []string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			ip, errAddr := netip.ParseAddr(text)
			if errAddr != nil {
				return nil, fmt.Errorf("%q is neither an address nor a network such as 10.1.0.0/16", text)
			}
			prefix = netip.PrefixFrom(ip, ip.BitLen())
		}
		if prefix.Bits() == 0 {
			return nil, fmt.Errorf("%q is everybody", text)
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes, nil
}
