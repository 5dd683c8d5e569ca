// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package header takes the word of the bank's 4A system or bastion that stands in
// front: in a header, or by a client certificate of the person's own. Who may vouch
// is pinned by address, by certificate, or by both; the same header from anybody
// else is refused and recorded, and never simply ignored.
package header

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

const (
	// believed is how long the Directory's word is believed.
	believed = 2 * time.Second
	// arrives is how long somebody has to be quiet before his next request is
	// recorded as coming in again.
	arrives = 30 * time.Minute
	// tellEvery is how often at most the refusals of one address are recorded.
	tellEvery = time.Minute
	most      = 10000
)

// Options of a front.
type Options struct {
	// Settings of the front.
	Settings identity.FrontSettings
	// Directory knows the people.
	Directory identity.Directory
	// Recorder keeps the evidence, and Log what it did not take.
	Recorder audit.Recorder
	Log      *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Front implements httpapi.Front.
type Front struct {
	Options
	from   []netip.Prefix
	prints map[string]bool
	roots  *sealing.Signers

	mu      sync.Mutex
	checked map[string]checked
	came    map[string]time.Time
	told    map[string]time.Time
}

type checked struct {
	person identity.Person
	at     time.Time
}

// New reads the pins.
func New(o Options) (*Front, error) {
	if o.Directory == nil || o.Recorder == nil || o.Log == nil {
		return nil, errors.New("could not trust a front: a directory, a recorder and a log are needed")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &Front{Options: o, prints: map[string]bool{}, checked: map[string]checked{}, came: map[string]time.Time{}, told: map[string]time.Time{}}
	var err error
	if f.from, err = identity.Prefixes(o.Settings.From); err != nil {
		return nil, fmt.Errorf("could not trust front %q: %w", o.Settings.Name, err)
	}
	for _, print := range o.Settings.Certificates {
		f.prints[strings.ToLower(strings.ReplaceAll(print, ":", ""))] = true
	}
	if f.roots, err = sealing.ReadSigners(o.Settings.CAFile); err != nil {
		return nil, fmt.Errorf("could not trust front %q: %w", o.Settings.Name, err)
	}
	return f, nil
}

// WantsCertificates says whether clients are asked for a certificate.
func (f *Front) WantsCertificates() bool { return len(f.prints) > 0 || f.roots != nil }

// Person implements httpapi.Front.
func (f *Front) Person(r *http.Request) (identity.Person, func(context.Context) error, bool, error) {
	said, err := f.said(r)
	if err != nil {
		return identity.Person{}, nil, false, f.refuse(r, err.Error())
	}
	byCertificate := f.Settings.UserHeader == ""
	if byCertificate && len(sealing.PeerOf(r).Certificates) == 0 || !byCertificate && !said.claims {
		return identity.Person{}, nil, false, nil
	}
	certificate, why := f.pinned(r)
	if why != "" {
		return identity.Person{}, nil, false, f.refuse(r, why)
	}
	if byCertificate {
		said.login = certificate.Subject.CommonName
	}
	if why := identity.CheckLogin(said.login); why != "" {
		return identity.Person{}, nil, false, f.refuse(r, why)
	}
	claim := identity.Claim{Provider: f.Settings.Name, Login: said.login, Groups: said.groups}
	person, err := f.resolve(r.Context(), claim)
	if err != nil {
		if errors.Is(err, identity.ErrNobody) || errors.Is(err, identity.ErrDisabled) || errors.Is(err, identity.ErrExclusive) {
			_ = f.refuse(r, "the front vouches for somebody who may not come in")
		}
		return identity.Person{}, nil, false, err
	}
	f.arrived(r, person, said.login)
	again := func(ctx context.Context) error {
		if certificate != nil && f.Now().After(certificate.NotAfter) {
			return httpapi.ErrUnknownCredential
		}
		now, err := f.resolve(ctx, claim)
		if err == nil && now.ID != person.ID {
			err = httpapi.ErrUnknownCredential
		}
		return err
	}
	return person, again, true, nil
}

// claimed is what the request says of itself.
type claimed struct {
	claims bool
	login  string
	groups []string
}

// said reads the front's headers and takes them off. A spelling that something in
// between could fold into the header (underscores), and a second value, are refused.
func (f *Front) said(r *http.Request) (claimed, error) {
	c := claimed{}
	var bad error
	for name, values := range r.Header {
		folded := strings.ReplaceAll(strings.ToLower(name), "_", "-")
		isUser := f.Settings.UserHeader != "" && folded == strings.ToLower(f.Settings.UserHeader)
		isGroups := f.Settings.GroupsHeader != "" && folded == strings.ToLower(f.Settings.GroupsHeader)
		if !isUser && !isGroups {
			continue
		}
		c.claims = true
		r.Header.Del(name)
		delete(r.Header, name)
		switch {
		case folded != strings.ToLower(name):
			bad = errors.New("the header of the front comes in a spelling that could be taken for it")
		case len(values) != 1:
			bad = errors.New("the header of the front comes more than once")
		case isUser:
			c.login = values[0]
		default:
			c.groups = splitGroups(values[0])
		}
	}
	return c, bad
}

func splitGroups(text string) []string {
	var groups []string
	for group := range strings.SplitSeq(text, ",") {
		if group = strings.TrimSpace(group); group != "" && len(groups) < 500 {
			groups = append(groups, group)
		}
	}
	return groups
}

// pinned says why the one who speaks is not the front. Every pin that is set holds.
func (f *Front) pinned(r *http.Request) (*x509.Certificate, string) {
	peer := httpapi.PeerOf(r)
	if len(f.from) > 0 && !slices.ContainsFunc(f.from, func(p netip.Prefix) bool { return p.Contains(peer) }) {
		return nil, "it comes from an address that may not vouch"
	}
	if !f.WantsCertificates() {
		return nil, ""
	}
	shown := sealing.PeerOf(r)
	if len(shown.Certificates) == 0 {
		return nil, "it comes without a client certificate"
	}
	certificate := shown.Certificates[0]
	sum := sha256.Sum256(certificate.Raw)
	if len(f.prints) > 0 && !f.prints[hex.EncodeToString(sum[:])] {
		return nil, "its client certificate is not the one that may vouch"
	}
	now := f.Now()
	if now.Before(certificate.NotBefore) || now.After(certificate.NotAfter) {
		return nil, "its client certificate does not hold now"
	}
	if f.roots != nil && f.roots.Signed(shown, now) != nil {
		return nil, "its client certificate is signed by somebody else"
	}
	return certificate, ""
}

func (f *Front) resolve(ctx context.Context, claim identity.Claim) (identity.Person, error) {
	key := claim.Login + "\x00" + strings.Join(claim.Groups, "\x00")
	now := f.Now()
	f.mu.Lock()
	known, ok := f.checked[key]
	f.mu.Unlock()
	if age := now.Sub(known.at); ok && age >= 0 && age < believed {
		return known.person, nil
	}
	person, err := f.Directory.Resolve(ctx, claim)
	if err != nil {
		return identity.Person{}, err
	}
	person.Provider, person.Session = f.Settings.Name, "front-"+f.Settings.Name
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.checked) >= most {
		clear(f.checked)
	}
	f.checked[key] = checked{person, now}
	return person, nil
}

// arrived records somebody's first request after a while: a front knows no login.
func (f *Front) arrived(r *http.Request, person identity.Person, login string) {
	if !f.first(f.came, person.ID+"\x00"+httpapi.AddressText(r.Context()), arrives, true) {
		return
	}
	f.record(r, audit.Act{Verb: "identity.login", Person: person.ID, Subject: "Login/" + f.Settings.Name + "/" + identity.Shown(login, identity.LongestLogin)}, audit.Outcome{Result: audit.Done})
}

// refuse records a claim that does not hold, at most once a minute for an address,
// and returns the answer to it.
func (f *Front) refuse(r *http.Request, why string) error {
	if f.first(f.told, httpapi.AddressText(r.Context()), tellEvery, false) {
		f.record(r, audit.Act{Verb: "identity.login", Subject: "Login/" + f.Settings.Name + "/unknown"}, audit.Outcome{Result: audit.Refused, Message: why})
	}
	return httpapi.NewProblem(httpapi.CodeUnauthenticated, "could not tell who asks: what vouches for you is not trusted here").
		WithNext("Come by the bank's 4A system, or log in yourself.").Because(errors.New(why))
}

// first says whether the key was not seen for that long. touch: being seen counts
// from now on.
func (f *Front) first(seen map[string]time.Time, key string, every time.Duration, touch bool) bool {
	now := f.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	last, ok := seen[key]
	if age := now.Sub(last); ok && age >= 0 && age < every {
		if touch {
			seen[key] = now
		}
		return false
	}
	if len(seen) >= most {
		clear(seen)
	}
	seen[key] = now
	return true
}

func (f *Front) record(r *http.Request, act audit.Act, outcome audit.Outcome) {
	ctx := r.Context()
	act.Class, act.From, act.Trace = audit.ClassLogin, httpapi.AddressText(ctx), httpapi.Trace(ctx)
	id, err := f.Recorder.Intent(ctx, act)
	if err == nil {
		err = f.Recorder.Outcome(context.WithoutCancel(ctx), id, outcome)
	}
	if err != nil {
		f.Log.Error("the evidence log does not take what happened at the door", "request", act.Trace, "actor", act.Person, "result", string(outcome.Result), "cause", err.Error())
	}
}
