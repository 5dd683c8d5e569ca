// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package sinks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
)

// Webhook posts records as JSON lines, signed with a secret that both sides know.
//
// The header Fairway-Signature holds "t=<seconds>,v1=<hex>": the HMAC-SHA-256 of
// "<seconds>.<body>". Fairway-Records holds the numbers of the first and the last
// record: a receiver that got them before answers 2xx and forgets them.
type Webhook struct {
	// Title is the sink's name.
	Title string
	// URL that is posted to. It is https; http is for this machine only.
	URL string
	// Secret signs the bodies.
	Secret []byte
	// Client of the connection; it follows no redirect, and is not endlessly patient.
	Client *http.Client
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Name implements Sink.
func (w *Webhook) Name() string { return w.Title }

// Send implements Sink.
func (w *Webhook) Send(ctx context.Context, entries []audit.Entry) error {
	body := &bytes.Buffer{}
	for _, e := range entries {
		fmt.Fprintf(body, `{"index":%d,"record":%s}`+"\n", e.Index, e.Record.Canonical())
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body.Bytes()))
	if err != nil {
		return fmt.Errorf("could not post to sink %q: the address cannot be read", w.Title) // it may hold a secret
	}
	now := time.Now
	if w.Now != nil {
		now = w.Now
	}
	request.Header.Set("Content-Type", "application/jsonl")
	request.Header.Set("User-Agent", "fairway-evidence")
	request.Header.Set("Fairway-Signature", Sign(w.Secret, now(), body.Bytes()))
	request.Header.Set("Fairway-Records", fmt.Sprintf("%d-%d", entries[0].Index, entries[len(entries)-1].Index))
	response, err := w.Client.Do(request)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) { // the address may hold a secret
			err = inner.Err
		}
		return fmt.Errorf("could not post to sink %q: %w", w.Title, err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("could not post to sink %q: it answers %d", w.Title, response.StatusCode)
	}
	return nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Sign makes the header Fairway-Signature of a body.
func Sign(secret []byte, at time.Time, body []byte) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	sum := hmac.New(sha256.New, secret)
	sum.Write([]byte(seconds + "."))
	sum.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(sum.Sum(nil))
}
