// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

type addressKey struct{}

// Address is where the request of ctx came from: the peer, or what a pinned proxy
// says of it. The zero address where the peer has none.
func Address(ctx context.Context) netip.Addr {
	address, _ := ctx.Value(addressKey{}).(netip.Addr)
	return address
}

// AddressText is Address as evidence keeps it; empty where there is none.
func AddressText(ctx context.Context) string {
	if address := Address(ctx); address.IsValid() {
		return address.String()
	}
	return ""
}

// PeerOf is the address at the other end of the request's connection.
func PeerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap().WithZone("")
}

// addressOf believes X-Forwarded-For only where a pinned proxy sent it, and of it
// only what the last proxy that is not pinned is said to be: whatever stands
// further left, the client may have written.
func addressOf(r *http.Request, trusted []netip.Prefix) netip.Addr {
	address := PeerOf(r)
	if !within(trusted, address) {
		return address
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		said, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return address
		}
		address = said.Unmap().WithZone("")
		if !within(trusted, address) {
			return address
		}
	}
	return address
}

func within(prefixes []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(address) })
}
