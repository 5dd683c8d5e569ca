// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package fleet

import (
	"fmt"
	"net/netip"
)

// metadata is where clouds answer with the machine's own credentials.
var metadata = netip.MustParseAddr("169.254.169.254")

// CheckAddress says whether the hub may dial a member at an address. It is
// asked with the address that is dialled, after names are resolved, so that a
// name cannot change its meaning between check and use. Loopback is the hub's
// own machine: only the sandbox and tests allow it.
func CheckAddress(address netip.Addr, loopback bool) error {
	address = address.Unmap()
	switch {
	case !address.IsValid() || address.IsUnspecified() || address.IsMulticast():
		return fmt.Errorf("could not dial %q: it is no address of a machine: correct the server's address", address)
	case address.IsLoopback() && !loopback:
		return fmt.Errorf("could not dial %q: it is the hub's own machine: give the address that the cluster has on the network", address)
	case address == metadata || address.IsLinkLocalUnicast():
		return fmt.Errorf("could not dial %q: link-local addresses serve the machine itself: give the address that the cluster has on the network", address)
	}
	return nil
}
