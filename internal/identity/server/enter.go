// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/local"
	"github.com/fairway-cloud/fairway/internal/identity/lockout"
	"github.com/fairway-cloud/fairway/internal/identity/session"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// Login is the body of a login by password.
type Login struct {
	// Provider to log in at. Default: local.
	Provider string `json:"provider,omitempty"`
	// Login and Password; Code of a second factor.
	Login    string `json:"login"`
	Password string `json:"password"`
	Code     string `json:"code,omitempty"`
	// Cookie keeps the session in the browser's cookie and out of the answer.
	Cookie bool `json:"cookie,omitempty"`
}

func (r *Room) login(w http.ResponseWriter, req *http.Request) error {
	in := Login{}
	if err := httpapi.Strict(req, &in); err != nil {
		return err
	}
	if in.Provider == "" {
		in.Provider = identity.Local
	}
	p, ok := r.provider(in.Provider)
	if !ok || p.Passwords == nil {
		return httpapi.NewProblem(httpapi.CodeInvalid, "could not log in: there is no way to log in by password of that name").
			WithNext("Choose one of GET %s/providers.", base)
	}
	vouched, err := r.vouch(req, p, in)
	if err != nil {
		return err
	}
	purpose := session.CLI
	if in.Cookie {
		purpose = session.Console
	}
	opened, err := r.enter(req, vouched, purpose)
	if err != nil {
		return err
	}
	return opened.answer(w, in.Cookie)
}

// wrong is the one answer to a name, a password and a code that do not fit.
func wrong() *httpapi.Problem {
	return httpapi.NewProblem(httpapi.CodeUnauthenticated, "could not log in: the name, the password or the code is wrong").
		WithNext("Try again. After several failures you have to wait.")
}

// vouch has a provider look at a password, within the locks, one attempt at an
// account at a time.
func (r *Room) vouch(req *http.Request, p Provider, in Login) (identity.Vouched, error) {
	who := lockout.Who{Provider: p.Name, Login: in.Login, Address: httpapi.Address(req.Context())}
	if why := identity.CheckLogin(in.Login); why != "" || in.Password == "" || len(in.Password) > identity.LongestPassword || len(in.Code) > 16 {
		// Neither a name nor a password of anybody: not looked at, but counted and recorded.
		return r.failed(req, p, who, identity.Vouched{}, identity.ErrRefused)
	}
	release, ok := r.tryAlone(who)
	if !ok {
		return identity.Vouched{}, httpapi.NewProblem(httpapi.CodeTooManyRequests, "could not log in: another attempt at this account is under way")
	}
	defer release()
	until, err := r.Lockout.Until(req.Context(), who)
	if err != nil {
		return identity.Vouched{}, away(err)
	}
	if !until.IsZero() {
		wait := until.Sub(r.Now()).Round(time.Second)
		r.Metrics.count(p.Name, wasLocked)
		r.refused(req, p, "", in.Login, "locked for "+wait.String())
		return identity.Vouched{}, httpapi.NewProblem(httpapi.CodeTooManyRequests, "could not log in: too many attempts failed").
			WithNext("Wait for %s, then try again.", wait)
	}
	vouched, err := p.Passwords.Vouch(req.Context(), in.Login, in.Password, in.Code)
	if err != nil {
		return r.failed(req, p, who, vouched, err)
	}
	if err := r.Lockout.Succeeded(req.Context(), who); err != nil {
		return identity.Vouched{}, away(err)
	}
	return vouched, nil
}

// failed counts and records an attempt that failed, and says so.
func (r *Room) failed(req *http.Request, p Provider, who lockout.Who, vouched identity.Vouched, err error) (identity.Vouched, error) {
	switch {
	case errors.Is(err, identity.ErrCodeNeeded):
		return identity.Vouched{}, httpapi.NewProblem(httpapi.CodeUnauthenticated, "could not log in yet: a code of the second factor is needed").
			WithNext("Send the code of your authenticator besides.").WithCauses(httpapi.Cause{Field: "code", Reason: "CodeNeeded", Message: "six digits"})
	case errors.Is(err, identity.ErrRefused):
		// Counted even where the client has gone: leaving early is no way to guess more often.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(req.Context()), 10*time.Second)
		defer cancel()
		locked, errCount := r.Lockout.Failed(ctx, who)
		if errCount != nil {
			return identity.Vouched{}, away(errCount)
		}
		r.Metrics.count(p.Name, wasWrong)
		message := "the name, the password or the code is wrong"
		if locked {
			message += "; further attempts have to wait"
		}
		r.refused(req, p, vouched.Claim.Login, who.Login, message)
		return identity.Vouched{}, wrong()
	case errors.Is(err, local.ErrBusy):
		return identity.Vouched{}, httpapi.NewProblem(httpapi.CodeTooManyRequests, "could not log in: too many people log in at once")
	case errors.Is(err, identity.ErrAway):
		r.Metrics.count(p.Name, wasAway)
		r.Log.Error("a way of logging in does not answer", "provider", p.Name, "request", httpapi.Trace(req.Context()), "cause", err.Error())
		return identity.Vouched{}, httpapi.NewProblem(httpapi.CodeUnavailable, "could not log in: %s does not answer", p.DisplayName).
			WithNext("Try again in a minute, or log in another way.").Because(err)
	}
	return identity.Vouched{}, away(err)
}

// tryAlone lets one attempt at an account through at a time: attempts side by side
// would all be looked at before the first of them is counted.
func (r *Room) tryAlone(who lockout.Who) (release func(), ok bool) {
	key := sha256.Sum256([]byte(who.Provider + "\x00" + strings.ToLower(who.Login)))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.trying[key] {
		return nil, false
	}
	r.trying[key] = true
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.trying, key)
	}, true
}

// refused records that somebody did not get in. known is the login where it is one
// of the provider's; what nobody has is blurred, since it may be a password.
func (r *Room) refused(req *http.Request, p Provider, known, typed, why string) {
	name := known
	if name == "" {
		name = identity.Blurred(r.Key.For("names"), p.Name+"\x00"+typed)
	}
	r.record(req.Context(), audit.Act{Verb: "identity.login", Subject: "Login/" + p.Name + "/" + identity.Shown(name, identity.LongestLogin)},
		audit.Outcome{Result: audit.Refused, Message: why})
}

// record keeps evidence of what is decided already. A log that is away keeps nobody
// out: who cannot come in could not take the way back either. What needs evidence
// is refused there, where it is done.
func (r *Room) record(ctx context.Context, act audit.Act, outcome audit.Outcome) {
	id, err := r.begin(ctx, act)
	if err == nil {
		err = r.end(ctx, id, outcome)
	}
	if err != nil {
		r.Log.Error("the evidence log does not take what happened at the door", "request", httpapi.Trace(ctx), "verb", act.Verb,
			"subject", act.Subject, "actor", act.Person, "result", string(outcome.Result), "cause", err.Error())
	}
}

func (r *Room) begin(ctx context.Context, act audit.Act) (string, error) {
	act.Class, act.From, act.Trace = classOfLogin, httpapi.AddressText(ctx), httpapi.Trace(ctx)
	return r.Recorder.Intent(ctx, act)
}

func (r *Room) end(ctx context.Context, id string, outcome audit.Outcome) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return r.Recorder.Outcome(ctx, id, outcome)
}

// entered is a login that succeeded.
type entered struct {
	credential string
	session    session.Session
	person     identity.Person
}

// enter finds out who is vouched for and opens his session.
func (r *Room) enter(req *http.Request, vouched identity.Vouched, purpose session.Purpose) (entered, error) {
	ctx := req.Context()
	p, _ := r.provider(vouched.Claim.Provider)
	person, err := r.whoIs(ctx, vouched)
	if err != nil {
		return entered{}, r.stranger(req, p, vouched, err)
	}
	act := audit.Act{Verb: "identity.login", Person: person.ID, Subject: "Login/" + p.Name + "/" + identity.Shown(vouched.Claim.Login, identity.LongestLogin), Details: []string{"for the " + string(purpose)}}
	id, errRecord := r.begin(ctx, act)
	if errRecord != nil {
		r.Log.Error("somebody comes in without a record: the evidence log is away", "request", httpapi.Trace(ctx), "actor", person.ID, "cause", errRecord.Error())
	}
	credential, opened, err := r.Sessions.Open(ctx, session.Login{
		Person: person.ID, Claim: vouched.Claim, Address: httpapi.AddressText(ctx), Agent: req.UserAgent(), Purpose: purpose,
	})
	outcome := audit.Outcome{Result: audit.Done, Message: "session " + opened.ID}
	if err != nil {
		outcome = audit.Outcome{Result: audit.Failed, Message: "the session could not be kept"}
	}
	if errRecord == nil {
		if errEnd := r.end(ctx, id, outcome); errEnd != nil {
			r.Log.Error("the outcome of a login was not recorded", "request", httpapi.Trace(ctx), "intent", id, "cause", errEnd.Error())
		}
	}
	if err != nil {
		return entered{}, away(err)
	}
	r.Metrics.count(p.Name, cameIn)
	person.Session, person.Provider = opened.ID, opened.Provider
	return entered{credential, opened, person}, nil
}

func (r *Room) whoIs(ctx context.Context, vouched identity.Vouched) (identity.Person, error) {
	if vouched.Person != "" {
		return r.Directory.Current(ctx, vouched.Person, vouched.Claim.Groups)
	}
	return r.Directory.Resolve(ctx, vouched.Claim)
}

// stranger answers somebody who is vouched for and still does not get in.
func (r *Room) stranger(req *http.Request, p Provider, vouched identity.Vouched, err error) error {
	why, next := "", ""
	switch {
	case errors.Is(err, identity.ErrNobody):
		why, next = "the bank's people do not hold you", "Ask a security administrator to add your login to your person."
	case errors.Is(err, identity.ErrDisabled):
		why, next = "you are no longer among the bank's people", "Ask a security administrator."
	case errors.Is(err, identity.ErrExclusive):
		why, next = "your groups give two duties that exclude each other", "Have a security administrator take one of them away."
	default:
		return away(err)
	}
	r.Metrics.count(p.Name, isStranger)
	r.refused(req, p, vouched.Claim.Login, "", why)
	return httpapi.NewProblem(httpapi.CodeDenied, "could not let you in: %s", why).WithNext("%s", next).Because(err)
}

func (e entered) answer(w http.ResponseWriter, cookie bool) error {
	body := map[string]any{"person": e.person.ID, "groups": e.person.Groups, "session": e.session}
	if cookie {
		setCookies(w, e.credential, e.session.Expires)
		body["csrf"] = httpapi.CSRF(e.credential)
	} else {
		body["token"] = e.credential
	}
	return httpapi.WriteJSON(w, http.StatusOK, body)
}

// csrfCookie tells the console's own script the word that its requests carry.
const csrfCookie = "__Host-fairway-csrf"

func setCookies(w http.ResponseWriter, credential string, until time.Time) {
	http.SetCookie(w, &http.Cookie{Name: httpapi.SessionCookie, Value: credential, Path: "/", Expires: until, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.SetCookie(w, &http.Cookie{Name: csrfCookie, Value: httpapi.CSRF(credential), Path: "/", Expires: until, Secure: true, SameSite: http.SameSiteStrictMode})
}

func dropCookies(w http.ResponseWriter) {
	for _, name := range []string{httpapi.SessionCookie, csrfCookie} {
		http.SetCookie(w, &http.Cookie{Name: name, Path: "/", MaxAge: -1, Secure: true, HttpOnly: name == httpapi.SessionCookie, SameSite: http.SameSiteStrictMode})
	}
}

// whoNobody counts nobody's attempts: what failed was no guess.
func whoNobody(p Provider) lockout.Who { return lockout.Who{Provider: p.Name} }
