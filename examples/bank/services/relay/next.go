// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// bodyLimit bounds what is read from a caller or from the next component.
const bodyLimit = 8 << 20

// next reaches the component behind this one. Everything it asks is safe to
// repeat (reads, and transfers that bear an id), so that a connection that
// breaks, an instance that vanishes or a ledger that changes hands is tried
// again until patience ends.
type next struct {
	base   string
	client *http.Client
}

func newNext(address string) (*next, error) {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "http" || parsed.Host == "" {
		return nil, fmt.Errorf("address %q is not http://host:port", address)
	}
	return &next{
		base: "http://" + parsed.Host,
		client: &http.Client{Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: time.Second}).DialContext,
			MaxIdleConnsPerHost: 32,
			IdleConnTimeout:     30 * time.Second,
		}},
	}, nil
}

// answer is what the next component said, whatever the status.
type answer struct {
	status int
	kind   string // Content-Type
	body   []byte
}

// ask sends one request, again and again for as long as nobody answers or the
// answer is "not now" (503). id makes a transfer recognisable.
func (n *next) ask(ctx context.Context, method, path, id string, body []byte, attempt, patience time.Duration) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pause := 25 * time.Millisecond
	for {
		got, err := n.once(ctx, method, path, id, body, attempt)
		if err == nil && got.status != http.StatusServiceUnavailable {
			return got, nil
		}
		if err == nil {
			err = fmt.Errorf("it answers 503: %s", bytes.TrimSpace(got.body))
		}
		select {
		case <-ctx.Done():
			return answer{}, fmt.Errorf("could not reach %q: %w", n.base, err)
		case <-time.After(pause):
			pause = min(2*pause, 400*time.Millisecond)
		}
	}
}

func (n *next) once(ctx context.Context, method, path, id string, body []byte, attempt time.Duration) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, n.base+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if id != "" {
		request.Header.Set("Idempotency-Key", id)
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := n.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, bodyLimit+1))
	if err != nil {
		return answer{}, err
	}
	if len(content) > bodyLimit {
		return answer{}, errors.New("its answer is too long")
	}
	return answer{response.StatusCode, response.Header.Get("Content-Type"), content}, nil
}
