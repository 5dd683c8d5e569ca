// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
)

// ErrUnknownCredential says that a credential belongs to nobody. Callers answer
// 401 and say no more.
var ErrUnknownCredential = errors.New("the credential belongs to nobody")

// Authenticator says who a bearer credential belongs to. An error other than
// ErrUnknownCredential means that it could not find out; the request is refused
// then too.
type Authenticator interface {
	Authenticate(ctx context.Context, credential string) (identity.Person, error)
}

// Chain is what every request passes before its handler.
type Chain struct {
	// Identity says who asks.
	Identity Authenticator
	// Gate is asked before everything that changes something.
	Gate approval.Gate
	// Recorder keeps the evidence.
	Recorder audit.Recorder
	// Receipts proves what was recorded. Nil: acts in production carry no receipt.
	Receipts Receipts
	// Log gets a line for each problem inside.
	Log *slog.Logger
	// Metrics counts requests. Nil: nothing is counted.
	Metrics *Metrics
	// Share is how many requests one person may have under way at once, and as many
	// streams. Default: DefaultShare.
	Share int
	// ReadTimeout bounds the answer of a route that does not stream. Default: 60 s.
	ReadTimeout time.Duration

	// Front is the bank's system in front that vouches for people. Nil: nobody is.
	Front Front
	// TrustedProxies are the addresses whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix

	shares shares
	knocks knocks
}

// Receipts proves that records stand in the evidence log. ledger.Ledger implements it.
type Receipts interface {
	Receipt(ctx context.Context, index uint64) (r audit.Receipt, leaf []byte, err error)
}

// Mount returns the router of the table. It fails where a route could slip
// through without identity, Gate or Recorder, or is declared twice.
func (c *Chain) Mount(routes []Route) (http.Handler, error) {
	if c.Identity == nil || c.Gate == nil || c.Recorder == nil || c.Log == nil {
		return nil, errors.New("could not mount the API: identity, gate, recorder and log are all needed")
	}
	mux := http.NewServeMux()
	for _, route := range routes {
		if err := route.check(); err != nil {
			return nil, err
		}
		pattern := route.Pattern
		if !route.Hub {
			pattern = route.Method + " " + route.Pattern
		}
		mux.HandleFunc(pattern, c.serve(route))
	}
	return c.outermost(mux), nil
}

func (r Route) check() error {
	switch {
	case r.Handler == nil || r.Room == "" || r.Verb == "":
		return fmt.Errorf("could not mount route %s %s: room, verb and handler are needed", r.Method, r.Pattern)
	case r.Effect != Reads && r.Effect != Writes:
		return fmt.Errorf("could not mount route %s %s: it does not say whether it changes anything", r.Method, r.Pattern)
	case r.Open && (r.Effect != Reads || r.Method != http.MethodGet):
		return fmt.Errorf("could not mount route %s %s: only reading can be open to everybody", r.Method, r.Pattern)
	case r.Login && (r.Open || r.Hub || r.Streams || r.WayBack || r.Effect != Writes || r.BodyLimit > mostLoginBody):
		return fmt.Errorf("could not mount route %s %s: what lets people in writes, takes little, and is nothing else", r.Method, r.Pattern)
	case r.Effect == Writes && r.Describe == nil && !r.Login:
		return fmt.Errorf("could not mount route %s %s: a route that changes something says what, for gate and evidence", r.Method, r.Pattern)
	case r.Effect == Reads && !r.Hub && r.Method != http.MethodGet && r.Method != http.MethodPost:
		return fmt.Errorf("could not mount route %s %s: a %s changes something", r.Method, r.Pattern, r.Method)
	}
	return nil
}

// outermost guards what no route may forget: panics, forged headers, other
// origins, and what the table does not name.
func (c *Chain) outermost(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		trace := traceOf(r)
		ctx := context.WithValue(r.Context(), traceKey{}, trace)
		r = r.WithContext(context.WithValue(ctx, addressKey{}, addressOf(r, c.TrustedProxies)))
		w.Header().Set("Trace-Id", trace)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler { //nolint:errorlint // a sentinel that is panicked
					panic(v)
				}
				c.Log.Error("a handler panicked", "request", trace, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
				NewProblem(CodeInternal, "could not answer the request: something failed inside").write(w, trace)
			}
		}()
		if p := refuseForged(r); p != nil {
			p.write(w, trace)
			return
		}
		handler, pattern := mux.Handler(r)
		if pattern == "" {
			unknownRoute(handler, r).write(w, trace)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// refuseForged turns away headers with which a client would speak for somebody
// else, in any spelling that a server behind might fold together, and pages of
// other origins.
func refuseForged(r *http.Request) *Problem {
	for name := range r.Header {
		folded := strings.ReplaceAll(strings.ToLower(name), "_", "-")
		if strings.HasPrefix(folded, "impersonate-") || strings.HasPrefix(folded, "x-remote-") {
			return NewProblem(CodeBadRequest, "could not accept the header %q: nobody names somebody else as the one who asks", name).
				WithNext("Leave the header out and log in as the person who acts.")
		}
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		_, host, ok := strings.Cut(origin, "://")
		if !ok || !strings.EqualFold(host, r.Host) {
			return NewProblem(CodeDenied, "could not answer a page of another origin").WithNext("Use the console that this server serves.")
		}
	}
	return nil
}

// unknownRoute answers for what the table does not name. handler is the mux's
// own answer, which knows whether the path exists with another method.
func unknownRoute(handler http.Handler, r *http.Request) *Problem {
	probe := &statusProbe{header: http.Header{}}
	handler.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		return NewProblem(CodeMethodNotAllowed, "could not %s %q: allowed are %s", r.Method, r.URL.Path, probe.header.Get("Allow"))
	}
	return NewProblem(CodeNotFound, "could not find %q", r.URL.Path).WithNext("See GET /openapi.json for what the API offers.")
}

type statusProbe struct {
	header http.Header
	status int
}

func (p *statusProbe) Header() http.Header         { return p.header }
func (p *statusProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *statusProbe) WriteHeader(status int) {
	if p.status == 0 {
		p.status = status
	}
}

// serve is the chain of one route: limits, identity, body, and for what writes
// the Gate and the evidence, then the handler.
func (c *Chain) serve(route Route) http.HandlerFunc {
	timeout := c.ReadTimeout
	if timeout <= 0 {
		timeout = time.Minute
	}
	return func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		if !route.Streams {
			ctx, cancel := context.WithTimeout(r.Context(), timeout)
			defer cancel()
			r = r.WithContext(ctx)
		}
		counted := &countedWriter{ResponseWriter: w}
		person, err := c.pass(route, counted, r)
		if err != nil {
			p := AsProblem(err)
			c.report(r, route, person, p)
			if !counted.wrote {
				p.write(counted, Trace(r.Context()))
			}
		}
		c.Metrics.observe(route, counted.status, time.Since(began))
	}
}

func (c *Chain) pass(route Route, w http.ResponseWriter, r *http.Request) (identity.Person, error) {
	// Size comes before identity: nobody makes the server read much.
	if r.ContentLength > route.BodyLimit {
		return identity.Person{}, tooLarge(route)
	}
	if r.Body != nil {
		r.Body = http.MaxBytesReader(w, r.Body, route.BodyLimit)
	}
	if route.Open {
		return identity.Person{}, route.Handler(w, r)
	}
	if route.Login {
		return identity.Person{}, c.knock(route, w, r)
	}
	asks, err := c.who(route, r)
	person := asks.person
	if err != nil {
		return person, err
	}
	if err := inScope(route, person, r); err != nil {
		return person, err
	}
	share := c.Share
	if share <= 0 {
		share = DefaultShare
	}
	release, ok := c.shares.take(person.ID, route.Streams, share)
	if !ok {
		return person, NewProblem(CodeTooManyRequests, "you have %d requests under way, which is as many as one person may have at once", share)
	}
	defer release()
	ctx := identity.NewContext(r.Context(), person)
	if route.Streams {
		ctx = keepValid(ctx, asks.again)
	}
	r = r.WithContext(ctx)
	if route.BodyLimit > 0 && r.Body != nil {
		body, err := readBody(route, r)
		if err != nil {
			return person, err
		}
		r = r.WithContext(context.WithValue(r.Context(), bodyKey{}, body))
	}
	if route.Effect == Reads || (route.Hub && isRead(r.Method)) {
		return person, route.Handler(w, r)
	}
	dry, err := dryRun(route, r)
	if err != nil {
		return person, err
	}
	if dry {
		return person, route.Handler(w, r)
	}
	return person, c.write(route, person, w, r)
}

// mostLoginBody is the most that somebody may send before it is known who he is.
const mostLoginBody = 16 << 10

// knock lets a stranger at the door: counted by where he comes from, and not asked
// who he is, since that is what he is about to say. The handler keeps the evidence.
func (c *Chain) knock(route Route, w http.ResponseWriter, r *http.Request) error {
	if !c.knocks.allow(Address(r.Context()), time.Now()) {
		w.Header().Set("Retry-After", "5")
		return NewProblem(CodeTooManyRequests, "there are too many attempts to log in from your address")
	}
	if route.BodyLimit > 0 && r.Body != nil {
		body, err := readBody(route, r)
		if err != nil {
			return err
		}
		r = r.WithContext(context.WithValue(r.Context(), bodyKey{}, body))
	}
	return route.Handler(w, r)
}

func isRead(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// dryRun says whether the request changes nothing although its route could.
func dryRun(route Route, r *http.Request) (bool, error) {
	values, given := r.URL.Query()["dryRun"]
	if !given {
		return false, nil
	}
	if !route.DryRun || len(values) != 1 || values[0] != "All" {
		return false, NewProblem(CodeBadRequest, "could not read dryRun=%q: the only value is All, on routes that offer it", strings.Join(values, ","))
	}
	return true, nil
}

func tooLarge(route Route) *Problem {
	if route.BodyLimit == 0 {
		return NewProblem(CodeTooLarge, "could not accept the body: %s takes none", route.ID())
	}
	return NewProblem(CodeTooLarge, "could not accept the body: it is larger than %d KiB", route.BodyLimit>>10)
}

func readBody(route Route, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		var over *http.MaxBytesError
		if errors.As(err, &over) {
			return nil, tooLarge(route)
		}
		return nil, NewProblem(CodeBadRequest, "could not read the body: the connection ended early").Because(err)
	}
	return body, nil
}

type bodyKey struct{}

// Body returns the body that the chain read.
func Body(r *http.Request) []byte {
	body, _ := r.Context().Value(bodyKey{}).([]byte)
	return body
}

// report logs what the client is not told. What the client did wrong is no news.
func (c *Chain) report(r *http.Request, route Route, person identity.Person, p *Problem) {
	fields := []any{"request", Trace(r.Context()), "route", route.ID(), "actor", person.ID, "code", string(p.Code)}
	if p.cause != nil {
		fields = append(fields, "cause", p.cause.Error())
	}
	if p.Status >= http.StatusInternalServerError && !errors.Is(r.Context().Err(), context.Canceled) {
		c.Log.Error(p.Detail, fields...)
		return
	}
	c.Log.Debug(p.Detail, fields...)
}
