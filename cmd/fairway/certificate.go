// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// certificate is a key pair in files, read again when they change.
type certificate struct {
	certFile, keyFile string

	mu     sync.Mutex
	pair   *tls.Certificate
	looked time.Time
	stamp  time.Time
}

// certificateAge is how long files are not looked at again.
const certificateAge = 10 * time.Second

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair != nil && time.Since(c.looked) < certificateAge {
		return c.pair, nil
	}
	c.looked = time.Now()
	info, err := os.Stat(c.certFile)
	if err == nil && c.pair != nil && info.ModTime().Equal(c.stamp) {
		return c.pair, nil
	}
	pair, loadErr := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil || loadErr != nil {
		if c.pair != nil {
			return c.pair, nil // half-written files: the pair that worked goes on
		}
		return nil, fmt.Errorf("could not read certificate %q with key %q: %w", c.certFile, c.keyFile, loadErr)
	}
	c.pair, c.stamp = &pair, info.ModTime()
	return c.pair, nil
}
