// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
)

// EnvironmentClass says how strictly an environment is run.
type EnvironmentClass string

const (
	// Development is where developers try things.
	Development EnvironmentClass = "Development"
	// Test is where changes are proven.
	Test EnvironmentClass = "Test"
	// Production is where customers are served; findings are errors there.
	Production EnvironmentClass = "Production"
)

// World is what the bank has defined around an application. WorldOf makes one from the
// objects on the hub.
type World struct {
	// Now is when the question is asked; exceptions that have expired by then are void.
	Now time.Time
	// Tenant and Environment are those of the application's namespace.
	Tenant, Environment string
	// EnvironmentClass is the class of that environment.
	EnvironmentClass EnvironmentClass
	Levels           []Level
	Classes          []Class
	Zones            []Zone
	Pools            []Pool
	DCNs             []DCN
	Members          []Member
	Sites            []Site
	// Images are facts that the registry told, by image as the application writes it.
	// An image without an entry is not judged by them.
	Images map[string]ImageFacts
	// SecretVersions are opaque versions of the namespace's Secrets, by name. A new version
	// restarts what uses the Secret. They must not let anyone guess the content.
	SecretVersions map[string]string
}

// Level is a SecurityLevel: ordered by rank, higher is stricter.
type Level struct {
	Name       string      `json:"name"`
	Rank       int32       `json:"rank"`
	Hardening  []Rule      `json:"hardening,omitempty"`
	Exceptions []Exception `json:"-"`
	// PodSecurity is the Pod Security standard of member namespaces: restricted or baseline.
	PodSecurity string `json:"podSecurity"`
}

// Exception waives one rule for one component until it expires.
type Exception struct {
	Name        string    `json:"name"`
	Rule        Rule      `json:"rule"`
	Tenant      string    `json:"-"`
	Application string    `json:"-"`
	Component   string    `json:"component,omitempty"` // empty: every component
	Reason      string    `json:"reason"`
	Approver    string    `json:"approver"`
	ExpiresAt   time.Time `json:"expiresAt"`
}

// Class is an AvailabilityClass: ordered by rank, higher asks for more.
type Class struct {
	Name               string `json:"name"`
	Rank               int32  `json:"rank"`
	MinimumInstances   int32  `json:"minimumInstances"`
	MinimumDataCenters int32  `json:"minimumDataCenters"`
	// MinimumRacks that instances spread over in each DCN. 0: no matter.
	MinimumRacks int32 `json:"minimumRacks,omitempty"`
	// MinimumZones likewise: availability zones.
	MinimumZones       int32 `json:"minimumZones,omitempty"`
	UnreachableSeconds int64 `json:"unreachableSeconds"`
}

// Zone is a NetworkZone.
type Zone struct {
	Name    string
	Accepts []string // security levels
	Flows   []Flow
}

// Flow permits connections from its zone to another.
type Flow struct {
	To    string
	Ports []int32 // TCP; empty: every port
}

// Pool is a Pool of hosts.
type Pool struct {
	Name    string
	Tenants []string
	Level   string
	Zones   []string
	// Hosts counts its ready hosts by architecture; "" where a host does not say its own.
	Hosts map[string]int
}

// DCN is a DCN with the site it lives in.
type DCN struct {
	Name, DataCenter, Environment string
}

// Site is a data centre and the region that it lies in.
type Site struct {
	Name, City string
}

// Member is a cluster that serves an environment.
type Member struct {
	Name, DataCenter, Environment string
	// DiskIO says what limits disk IO on its hosts.
	DiskIO fleetv1.DiskIOLimit
}

// ImageFacts are what the registry says about an image.
type ImageFacts struct {
	// Digest is "sha256:…".
	Digest string
	// User is the user in the image's configuration, "" when it names none (root).
	User string
	// Architectures are what it runs on, sorted, as Kubernetes names processors (amd64);
	// those of another system than Linux bear its name (windows-amd64). None: neither the
	// registry nor the image says it.
	Architectures []string
}

// Allows says whether a connection from one zone to a port in another is permitted.
// Connections inside a zone always are.
func Allows(zones []Zone, from, to string, port int32, protocol appv1.TransportProtocol) bool {
	if from == to {
		return true
	}
	for _, zone := range zones {
		if zone.Name != from {
			continue
		}
		for _, flow := range zone.Flows {
			if flow.To != to {
				continue
			}
			if len(flow.Ports) == 0 {
				return true
			}
			if protocol != appv1.ProtocolUDP && slices.Contains(flow.Ports, port) {
				return true
			}
		}
	}
	return false
}

func named[T any](list []T, name string, nameOf func(T) string) (T, bool) {
	for _, item := range list {
		if nameOf(item) == name {
			return item, true
		}
	}
	var none T
	return none, false
}

func (w World) level(name string) (Level, bool) {
	return named(w.Levels, name, func(l Level) string { return l.Name })
}

func (w World) class(name string) (Class, bool) {
	return named(w.Classes, name, func(c Class) string { return c.Name })
}

func (w World) zone(name string) (Zone, bool) {
	return named(w.Zones, name, func(z Zone) string { return z.Name })
}

func (w World) pool(name string) (Pool, bool) {
	return named(w.Pools, name, func(p Pool) string { return p.Name })
}

func (w World) dcn(name string) (DCN, bool) {
	return named(w.DCNs, name, func(d DCN) string { return d.Name })
}

func (w World) site(name string) (Site, bool) {
	return named(w.Sites, name, func(s Site) string { return s.Name })
}

// cities are the regions that data centres lie in, each once.
func (w World) cities() []string {
	var out []string
	for _, s := range w.Sites {
		out = append(out, s.City)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// size is a ready-made size (R09).
type size struct{ cpu, memory string }

// sizes are the sizing classes: each twice the one before, two GiB to a core.
var sizes = map[appv1.SizingClass]size{
	appv1.SizeXSmall:  {"250m", "512Mi"},
	appv1.SizeSmall:   {"500m", "1Gi"},
	appv1.SizeMedium:  {"1", "2Gi"},
	appv1.SizeLarge:   {"2", "4Gi"},
	appv1.SizeXLarge:  {"4", "8Gi"},
	appv1.SizeXXLarge: {"8", "16Gi"},
}

// Size is what one instance asks for and the most that it may take.
type Size struct {
	CPU, Memory, CPULimit, MemoryLimit resource.Quantity
	// EphemeralStorage is nil where there is no bound.
	EphemeralStorage *resource.Quantity
}

// ReadySizes are the sizing classes with what one instance of each asks for, the
// smallest first.
func ReadySizes() []ReadySize {
	var out []ReadySize
	for class := range sizes {
		s, _ := SizeOf(&appv1.Resources{Class: class})
		out = append(out, ReadySize{Class: class, Size: s})
	}
	slices.SortFunc(out, func(a, b ReadySize) int { return a.Size.CPU.Cmp(b.Size.CPU) })
	return out
}

// ReadySize is one of the sizing classes.
type ReadySize struct {
	Class appv1.SizingClass
	Size  Size
}

// SizeOf resolves a component's size; false when it has none. The scheduler reserves
// CPU and Memory of it for each instance.
func SizeOf(r *appv1.Resources) (Size, bool) {
	if r == nil {
		return Size{}, false
	}
	var out Size
	if ready, ok := sizes[r.Class]; ok {
		out.CPU, out.Memory = resource.MustParse(ready.cpu), resource.MustParse(ready.memory)
	}
	if r.CPU != nil {
		out.CPU = r.CPU.DeepCopy()
	}
	if r.Memory != nil {
		out.Memory = r.Memory.DeepCopy()
	}
	if out.CPU.IsZero() || out.Memory.IsZero() {
		return Size{}, false
	}
	out.CPULimit, out.MemoryLimit = out.CPU.DeepCopy(), out.Memory.DeepCopy()
	if r.CPULimit != nil {
		out.CPULimit = r.CPULimit.DeepCopy()
	}
	if r.MemoryLimit != nil {
		out.MemoryLimit = r.MemoryLimit.DeepCopy()
	}
	out.EphemeralStorage = r.EphemeralStorage
	return out, true
}
