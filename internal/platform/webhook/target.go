// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"k8s.io/utils/clock"

	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

const (
	// postWithin bounds a whole exchange, also with a system that answers a byte a second.
	postWithin = 10 * time.Second
	// mostAnswer is what is read of an answer.
	mostAnswer = 64 << 10
)

// TargetOptions are how another system is reached.
type TargetOptions struct {
	// URL that messages are posted to: https, without user and query. http is taken
	// to this machine's own addresses alone.
	URL string
	// CAFile holds the certificates, PEM, that the system's certificate is checked
	// against. Default: those of the machine.
	CAFile string
	// Networks that the system's address lies in. No other address is dialled.
	// Default: every address but those of this machine, its link and multicast.
	Networks []string
	// Key that messages are signed with.
	Key Key
	// Clock. Default: the real one.
	Clock clock.PassiveClock
}

// Target is one system that messages are posted to.
type Target struct {
	url    string
	key    Key
	clock  clock.PassiveClock
	client *http.Client
}

// NewTarget checks the options. It dials nothing.
func NewTarget(o TargetOptions) (*Target, error) {
	u, err := address(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Key.ID == "" {
		return nil, fmt.Errorf("could not use %q: a key that signs is needed", u.Redacted())
	}
	client, err := NewClient(ClientOptions{URL: o.URL, CAFile: o.CAFile, Networks: o.Networks, Within: postWithin})
	if err != nil {
		return nil, err
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	return &Target{url: u.String(), key: o.Key, clock: o.Clock, client: client}, nil
}

// address reads the address of another system.
func address(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Scheme != "https" && u.Scheme != "http") {
		// The address may hold a password: it is not repeated.
		return nil, errors.New("could not use the address of the other system: write https://host/path, without user and query")
	}
	return u, nil
}

// ClientOptions are how another system is asked that messages are not posted to.
type ClientOptions struct {
	// URL, CAFile and Networks as those of TargetOptions.
	URL, CAFile string
	Networks    []string
	// Within bounds a whole exchange.
	Within time.Duration
	// Idle is how many connections are kept for the next questions. 0: one.
	Idle int
}

// NewClient returns a client that dials the networks of the other system and nothing
// else, follows no redirect and uses no proxy. It dials nothing yet.
func NewClient(o ClientOptions) (*http.Client, error) {
	u, err := address(o.URL)
	if err != nil {
		return nil, err
	}
	networks, err := parseNetworks(o.Networks)
	if err != nil {
		return nil, err
	}
	allowed := guard{networks: networks, plain: u.Scheme == "http"}
	dialer := &net.Dialer{Timeout: o.Within, Control: allowed.control}
	sealed, err := sealing.Client{CAFile: o.CAFile, Within: o.Within}.HTTP(&http.Transport{
		Proxy: nil, DialContext: dialer.DialContext, MaxResponseHeaderBytes: mostAnswer, DisableCompression: true,
		MaxIdleConns: max(o.Idle, 1), MaxIdleConnsPerHost: max(o.Idle, 1), IdleConnTimeout: 30 * time.Second,
	})
	if err != nil {
		return nil, fmt.Errorf("could not reach the other system: %w", err)
	}
	return &http.Client{
		Timeout:       o.Within,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     sealed,
	}, nil
}

func parseNetworks(texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil || p.Masked() != p {
			return nil, fmt.Errorf("could not read the network %q: write it as 10.1.0.0/16", text)
		}
		out = append(out, p)
	}
	return out, nil
}

// guard says which addresses may be dialled. It is asked with the address that is
// dialled, after names were resolved, so that no name leads elsewhere.
type guard struct {
	networks []netip.Prefix
	plain    bool
}

func (g guard) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !g.allows(at.Addr().Unmap()) {
		return fmt.Errorf("address %s is not among the networks that the configuration names", address)
	}
	return nil
}

func (g guard) allows(ip netip.Addr) bool {
	if g.plain && !ip.IsLoopback() {
		return false
	}
	for _, n := range g.networks {
		if n.Contains(ip) {
			return true
		}
	}
	own := ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified()
	return len(g.networks) == 0 && (!own || (g.plain && ip.IsLoopback()))
}

// ErrRefused says that the other system answered with a status that says no.
var ErrRefused = errors.New("it said no")

// Post signs the body for the purpose and posts it. It returns the body of an
// answer 2xx, up to 64 KiB. The id is the message's own through all repetitions.
func (t *Target) Post(ctx context.Context, purpose, id string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, postWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("could not make the request to the other system")
	}
	// Go's client would repeat a request with an Idempotency-Key by itself where the connection
	// breaks: with the same nonce, which the other side has to refuse. A repetition is signed anew.
	request.GetBody = nil
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "fairway")
	request.Header.Set("Idempotency-Key", id)
	t.key.Sign(request.Header, purpose, rand.Text(), body, t.clock.Now())
	response, err := t.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("could not reach %s: %w", t.url, inner(err))
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer+1))
	switch {
	case response.StatusCode >= 300 && response.StatusCode < 400:
		return nil, fmt.Errorf("could not use the answer of %s: it leads elsewhere (%d), which is not followed", t.url, response.StatusCode)
	case response.StatusCode < 200 || response.StatusCode >= 400:
		return nil, fmt.Errorf("%s answered %d: %w", t.url, response.StatusCode, ErrRefused)
	case err != nil:
		return nil, fmt.Errorf("could not read the answer of %s: %w", t.url, inner(err))
	case len(answer) > mostAnswer:
		return nil, fmt.Errorf("could not use the answer of %s: it is larger than %d KiB", t.url, mostAnswer>>10)
	}
	return answer, nil
}

// inner takes off what net/http repeats: method and address.
func inner(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "Client.Timeout") {
		return fmt.Errorf("no answer within %s", postWithin)
	}
	return err
}
