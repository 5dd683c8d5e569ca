// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package connections

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Bounds of one answer of a member.
const (
	// maxAnswer is the largest answer that is not a stream, in bytes. A list of
	// 20,000 pods stays below it.
	maxAnswer = 256 << 20
	// streamBurst and streamRate bound a watch: bytes at once, and bytes per
	// second after that. The first filling of a cache counts as burst.
	streamBurst = 512 << 20
	streamRate  = 8 << 20
	// answerTimeout bounds a request that is not a stream and has no deadline.
	answerTimeout = time.Minute
)

var (
	errRedirect         = errors.New("the member redirects to another address")
	errTooLarge         = errors.New("the member's answer is too large")
	errForbiddenAddress = errors.New("the address may not be dialled")
)

// bounded keeps a member from leading the hub elsewhere or filling its memory.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b *bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	stream := isStream(request)
	cancel := context.CancelFunc(func() {})
	if _, has := request.Context().Deadline(); !stream && !has {
		var ctx context.Context
		ctx, cancel = context.WithTimeout(request.Context(), answerTimeout)
		request = request.WithContext(ctx)
	}
	response, err := b.next.RoundTrip(request)
	if err != nil {
		cancel()
		return nil, err
	}
	if response.StatusCode >= 300 && response.StatusCode < 400 && response.StatusCode != http.StatusNotModified {
		err := errors.Join(errRedirect, response.Body.Close())
		cancel()
		return nil, err
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		context.AfterFunc(request.Context(), cancel)
		return response, nil
	}
	response.Body = &boundedBody{ReadCloser: response.Body, stream: stream, began: time.Now(), done: cancel}
	return response, nil
}

// WrappedRoundTripper lets client-go look through the bounds.
func (b *bounded) WrappedRoundTripper() http.RoundTripper { return b.next }

func isStream(request *http.Request) bool {
	query := request.URL.Query()
	if query.Get("watch") == "true" || query.Get("watch") == "1" || query.Get("follow") == "true" {
		return true
	}
	path := request.URL.Path
	for _, end := range []string{"/exec", "/attach", "/portforward"} {
		if strings.HasSuffix(path, end) {
			return true
		}
	}
	return false
}

type boundedBody struct {
	io.ReadCloser
	read   int64
	stream bool
	began  time.Time
	done   context.CancelFunc
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	limit := int64(maxAnswer)
	if b.stream {
		limit = streamBurst + int64(time.Since(b.began).Seconds()*streamRate)
	}
	if b.read > limit {
		return 0, fmt.Errorf("%w: more than %d MiB", errTooLarge, limit>>20)
	}
	return n, err
}

func (b *boundedBody) Close() error {
	err := b.ReadCloser.Close()
	b.done()
	return err
}
