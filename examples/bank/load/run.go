// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	random "math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// options of a run, one per flag.
type options struct {
	urls     []string
	rate     float64
	duration time.Duration
	count    int
	accounts int
	timeout  time.Duration
	settle   time.Duration
	inFlight int
	retries  int
	fresh    bool
}

func (o options) check() error {
	switch {
	case len(o.urls) == 0:
		return errors.New("name at least one -url")
	case o.rate <= 0 || o.rate > 100_000:
		return fmt.Errorf("rate %g is not between 0 and 100,000", o.rate)
	case o.duration <= 0 || o.timeout <= 0 || o.settle < 0:
		return errors.New("duration and timeout must be positive, settle must not be negative")
	case o.accounts < 2:
		return errors.New("money moves between at least 2 accounts")
	case o.inFlight < 1 || o.count < 0 || o.retries < 0:
		return errors.New("in-flight must be positive, count and retries must not be negative")
	}
	return nil
}

// target is one URL under load.
type target struct {
	url      string
	client   *http.Client
	dcn      string
	accounts []string
	before   sums
	after    sums
	afterErr error
	tally    tally
}

// sums is what a ledger says about all its accounts.
type sums struct {
	Sum       int64 `json:"sum"`
	Transfers int64 `json:"transfers"`
}

// run sends transfers until the duration or the count ends, or ctx does.
func run(ctx context.Context, o options) (Report, error) {
	client := &http.Client{
		Timeout: o.timeout,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: o.timeout}).DialContext,
			MaxIdleConnsPerHost: o.inFlight,
			IdleConnTimeout:     30 * time.Second,
			DisableKeepAlives:   o.fresh,
		},
	}
	var targets []*target
	for _, url := range o.urls {
		t := &target{url: url, client: client}
		if err := t.prepare(ctx, o); err != nil {
			return Report{}, fmt.Errorf("could not start at %q: %w", url, err)
		}
		targets = append(targets, t)
	}
	start := time.Now()
	send(ctx, o, targets, start)
	seconds := time.Since(start).Seconds()
	for _, t := range targets {
		// Read also when the run was broken off: the sum is what counts.
		t.after, t.afterErr = t.sums(context.WithoutCancel(ctx), o.settle)
	}
	return summarise(targets, seconds), nil
}

// send starts transfer n at start + n/rate, whatever became of earlier ones,
// and returns when all are answered.
func send(ctx context.Context, o options, targets []*target, start time.Time) {
	total := int(o.rate * o.duration.Seconds())
	if o.count > 0 {
		total = min(total, o.count)
	}
	total = max(total, 1)
	run := runID()
	slots := make(chan struct{}, o.inFlight)
	var group sync.WaitGroup
	defer group.Wait()
	for n := range total {
		due := start.Add(time.Duration(float64(n) / o.rate * float64(time.Second)))
		timer := time.NewTimer(time.Until(due))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		select {
		case <-ctx.Done():
			return
		case slots <- struct{}{}:
		}
		group.Go(func() {
			defer func() { <-slots }()
			t := targets[n%len(targets)]
			after := time.Since(start)
			refused, err := t.transfer(context.WithoutCancel(ctx), fmt.Sprintf("%s-%d", run, n), o.retries)
			t.tally.add(outcome{refused: refused, err: err, after: after, took: time.Since(due)})
		})
	}
}

// runID keeps the ids of two runs apart.
func runID() string {
	var id [6]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// transfer moves a small random amount once. It reports whether the bank
// refused it, or why it got no proper answer.
func (t *target) transfer(ctx context.Context, id string, retries int) (bool, error) {
	from := random.IntN(len(t.accounts))
	to := (from + 1 + random.IntN(len(t.accounts)-1)) % len(t.accounts)
	body, err := json.Marshal(map[string]any{
		"id": id, "from": t.accounts[from], "to": t.accounts[to], "amount": 1 + random.IntN(10),
	})
	if err != nil {
		return false, err
	}
	for {
		refused, err := t.post(ctx, id, body)
		if err == nil || retries == 0 {
			return refused, err
		}
		retries--
	}
}

func (t *target) post(ctx context.Context, id string, body []byte) (bool, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+"/transfer", bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := t.client.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return false, err
	}
	var said struct{ ID, Status string }
	switch response.StatusCode {
	case http.StatusConflict:
		return true, nil
	case http.StatusOK:
		if err := json.Unmarshal(content, &said); err != nil || said.ID != id || said.Status != "done" {
			return false, fmt.Errorf("transfer %q was answered by %.200q", id, content)
		}
		return false, nil
	}
	return false, fmt.Errorf("transfer %q: status %d: %.300s", id, response.StatusCode, bytes.TrimSpace(content))
}

// prepare learns the DCN, the accounts and the sum before.
func (t *target) prepare(ctx context.Context, o options) error {
	var who struct{ DCN string }
	if err := t.get(ctx, "/", &who, o.settle); err != nil {
		return err
	}
	t.dcn = who.DCN
	var list struct {
		Items []struct{ Account string }
	}
	if err := t.get(ctx, "/accounts", &list, o.settle); err != nil {
		return err
	}
	for _, item := range list.Items[:min(len(list.Items), o.accounts)] {
		t.accounts = append(t.accounts, item.Account)
	}
	if len(t.accounts) < 2 {
		return fmt.Errorf("it has %d accounts, which is too few", len(t.accounts))
	}
	var err error
	t.before, err = t.sums(ctx, o.settle)
	return err
}

func (t *target) sums(ctx context.Context, settle time.Duration) (sums, error) {
	var out sums
	err := t.get(ctx, "/sum", &out, settle)
	return out, err
}

// get reads JSON, trying again until settle is over: reading the sum is no
// part of the load.
func (t *target) get(ctx context.Context, path string, into any, settle time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, settle+t.client.Timeout)
	defer cancel()
	deadline := time.Now().Add(settle)
	for {
		err := t.getOnce(ctx, path, into)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (t *target) getOnce(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+path, nil)
	if err != nil {
		return err
	}
	response, err := t.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 64<<20))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: status %d: %.300s", path, response.StatusCode, bytes.TrimSpace(content))
	}
	return json.Unmarshal(content, into)
}
