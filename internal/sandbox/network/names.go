// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package network

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
)

// NetNSDir is where named network namespaces are bound, as iproute2 does.
const NetNSDir = "/run/netns"

// maxLinkName is the kernel's bound for the name of a link (IFNAMSIZ - 1).
const maxLinkName = 15

// NamespacePrefix begins the name of every namespace of a sandbox. The dots
// cannot occur in names, so no sandbox's prefix begins another's.
func NamespacePrefix(sandbox string) string { return "fairway." + sandbox + "." }

// Namespace names the network namespace of a host or data centre; it is what
// "ip netns" lists.
func Namespace(sandbox, name string) string { return NamespacePrefix(sandbox) + name }

// NamespacePath is the file that "nsenter --net=" takes.
func NamespacePath(sandbox, name string) string {
	return filepath.Join(NetNSDir, Namespace(sandbox, name))
}

// LinkPrefix begins the name of every link a sandbox has in the root namespace.
func LinkPrefix(sandbox string) string { return "fw" + shortHash(sandbox, 5) + "-" }

// rootLink names the machine's link into a data centre.
func rootLink(sandbox, dc string) string { return linkName(LinkPrefix(sandbox), dc) }

// linkName joins prefix and name; a name too long for the kernel is cut and
// told apart by its hash.
func linkName(prefix, name string) string {
	if len(prefix)+len(name) <= maxLinkName {
		return prefix + name
	}
	room := maxLinkName - len(prefix)
	return prefix + strings.TrimRight(name[:max(room-5, 0)], "-") + shortHash(name, 4)
}

func shortHash(s string, n int) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])[:n]
}

// TableName names the nftables table of a sandbox in the root namespace.
func TableName(sandbox string) string { return "fairway-" + sandbox }

// Names of links inside the namespaces; they need no mark of the sandbox.
const (
	routerBridge = "br0"     // in a data centre: the subnet
	machineLink  = "machine" // in a data centre: to the root namespace
	hostLink     = "eth0"    // in a host: to its rack
)

func rackBridge(rack string) string   { return linkName("r-", rack) }
func rackUplink(rack string) string   { return linkName("u-", rack) } // the rack's end
func rackDownlink(rack string) string { return linkName("d-", rack) } // the router's end
func hostPort(host string) string     { return linkName("h-", host) } // in the rack
func backbone(other string) string    { return linkName("b-", other) }
