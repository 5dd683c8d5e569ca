// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/oidc"
	"github.com/fairway-cloud/fairway/internal/identity/session"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// flowCookie keeps a login that is under way in the browser that began it. The
// provider sends the browser back from another site, so that it is Lax.
const flowCookie = "__Host-fairway-login"

func (r *Room) redirecting(req *http.Request) (Provider, error) {
	p, ok := r.provider(req.PathValue("provider"))
	if !ok || p.OIDC == nil {
		return p, httpapi.NewProblem(httpapi.CodeNotFound, "could not find a provider of that name to log in at").WithNext("Choose one of GET %s/providers.", base)
	}
	return p, nil
}

func (r *Room) oidcStart(w http.ResponseWriter, req *http.Request) error {
	p, err := r.redirecting(req)
	if err != nil {
		return err
	}
	in := struct {
		Next string `json:"next,omitempty"`
	}{}
	if len(httpapi.Body(req)) > 0 {
		if err := httpapi.Strict(req, &in); err != nil {
			return err
		}
	}
	where, flow, err := p.OIDC.Start(req.Context(), samePlace(in.Next))
	if err != nil {
		return r.notVouched(req, p, err)
	}
	raw, err := json.Marshal(flow)
	if err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{Name: flowCookie, Value: r.Key.Seal("oidc flow", p.Name, string(raw)), Path: "/", Expires: flow.Ends,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{"url": where})
}

// samePlace is where the browser goes afterwards: a page of this server, or the
// first one. No other site is reached by it, in whichever spelling.
func samePlace(next string) string {
	page, _, _ := strings.Cut(next, "?")
	clean := path.Clean(page)
	switch {
	case len(next) > 1000 || !strings.HasPrefix(next, "/") || strings.ContainsAny(next, `\"'<>@`+"`"):
	case clean != page && clean+"/" != page: // //evil.example, /../ and the like
	case strings.HasPrefix(page, "/api/") || strings.HasPrefix(page, "/hub/"):
	case strings.ContainsFunc(next, func(c rune) bool { return c <= ' ' || c > '~' }):
	default:
		return next
	}
	return "/"
}

func (r *Room) oidcCallback(w http.ResponseWriter, req *http.Request) error {
	p, err := r.redirecting(req)
	if err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{Name: flowCookie, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	flow := oidc.Flow{}
	if cookie, err := req.Cookie(flowCookie); err == nil {
		if raw, err := r.Key.Unseal("oidc flow", p.Name, cookie.Value); err == nil {
			_ = json.Unmarshal([]byte(raw), &flow) // an empty flow matches no state
		}
	}
	query := req.URL.Query()
	if query.Get("error") != "" || len(query["code"]) != 1 || len(query["state"]) != 1 || len(query.Get("code")) > 4096 {
		r.refused(req, p, "", "", "the provider sent the browser back without a code")
		return httpapi.NewProblem(httpapi.CodeUnauthenticated, "could not log in: the provider did not let you in").WithNext("Begin the login again.")
	}
	vouched, err := p.OIDC.Finish(req.Context(), flow, query.Get("state"), query.Get("code"))
	if err != nil {
		return r.notVouched(req, p, err)
	}
	opened, err := r.enter(req, vouched, session.Console)
	if err != nil {
		return err
	}
	setCookies(w, opened.credential, opened.session.Expires)
	// A redirect would still count as coming from the provider's site, and a strict
	// cookie would stay at home: the page goes on by itself.
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	next := html.EscapeString(flow.Next)
	_, _ = w.Write([]byte(`<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=` + next + `"><title>Fairway</title><p><a href="` + next + `">Fairway</a></p>` + "\n"))
	return nil
}

// notVouched answers where the provider does not vouch for anybody.
func (r *Room) notVouched(req *http.Request, p Provider, err error) error {
	if errors.Is(err, identity.ErrRefused) {
		r.Metrics.count(p.Name, wasWrong)
		r.record(req.Context(), audit.Act{Verb: "identity.login", Subject: "Login/" + p.Name + "/unknown"}, audit.Outcome{Result: audit.Refused, Message: err.Error()})
		return httpapi.NewProblem(httpapi.CodeUnauthenticated, "could not log in: %s did not vouch for you", p.DisplayName).
			WithNext("Begin the login again.").Because(err)
	}
	_, err = r.failed(req, p, whoNobody(p), identity.Vouched{}, err)
	return err
}

// sealedDevice is a login on the command line that is under way.
type sealedDevice struct {
	Code string    `json:"c"`
	Ends time.Time `json:"e"`
}

func (r *Room) deviceStart(w http.ResponseWriter, req *http.Request) error {
	p, err := r.redirecting(req)
	if err != nil {
		return err
	}
	device, err := p.OIDC.StartDevice(req.Context())
	if err != nil {
		return r.notVouched(req, p, err)
	}
	raw, err := json.Marshal(sealedDevice{device.Code, device.Ends})
	if err != nil {
		return err
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{
		"handle": r.Key.Seal("oidc device", p.Name, string(raw)), "userCode": device.UserCode, "url": device.URL, "completeURL": device.Complete,
		"expires": device.Ends.UTC().Format(time.RFC3339), "interval": int(device.Interval.Seconds()),
	})
}

func (r *Room) devicePoll(w http.ResponseWriter, req *http.Request) error {
	p, err := r.redirecting(req)
	if err != nil {
		return err
	}
	in := struct {
		Handle string `json:"handle"`
	}{}
	if err := httpapi.Strict(req, &in); err != nil {
		return err
	}
	device := sealedDevice{}
	raw, err := r.Key.Unseal("oidc device", p.Name, in.Handle)
	if err != nil || json.Unmarshal([]byte(raw), &device) != nil || !r.Now().Before(device.Ends) {
		return httpapi.NewProblem(httpapi.CodeUnauthenticated, "could not log in: the login is not known here, or took too long").WithNext("Begin it again.")
	}
	vouched, err := p.OIDC.Poll(req.Context(), device.Code)
	if errors.Is(err, identity.ErrPending) {
		return httpapi.WriteJSON(w, http.StatusAccepted, map[string]any{"pending": true})
	}
	if err != nil {
		return r.notVouched(req, p, err)
	}
	opened, err := r.enter(req, vouched, session.CLI)
	if err != nil {
		return err
	}
	return opened.answer(w, false)
}
