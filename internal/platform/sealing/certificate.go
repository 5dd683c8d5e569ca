// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package sealing

import (
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// certificate is one with its key in files, read again when they change.
type certificate struct {
	certFile, keyFile string
	open              func(certificate, key []byte) (func(net.Conn) session, error)

	mu     sync.Mutex
	seal   func(net.Conn) session
	looked time.Time
	stamp  [2]time.Time
}

// certificateAge is how long files are not looked at again.
var certificateAge = 10 * time.Second

// current seals with the pair as it is now. It fails only where there never was one.
func (p *certificate) current() (func(net.Conn) session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seal != nil && time.Since(p.looked) < certificateAge {
		return p.seal, nil
	}
	p.looked = time.Now()
	stamp, err := p.stamps()
	if err == nil && p.seal != nil && stamp == p.stamp {
		return p.seal, nil
	}
	var seal func(net.Conn) session
	if err == nil {
		seal, err = p.read()
	}
	if err != nil {
		if p.seal != nil {
			return p.seal, nil // half-written files: the pair that worked goes on
		}
		return nil, err
	}
	p.seal, p.stamp = seal, stamp
	return p.seal, nil
}

// stamps say when the files were written.
func (p *certificate) stamps() (at [2]time.Time, err error) {
	for i, file := range []string{p.certFile, p.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return at, fmt.Errorf("could not read certificate %q with key %q: %w", p.certFile, p.keyFile, err)
		}
		at[i] = info.ModTime()
	}
	return at, nil
}

func (p *certificate) read() (func(net.Conn) session, error) {
	certificate, key, err := readPair(p.certFile, p.keyFile)
	if err != nil {
		return nil, err
	}
	seal, err := p.open(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("could not use certificate %q with key %q: %w", p.certFile, p.keyFile, err)
	}
	return seal, nil
}
