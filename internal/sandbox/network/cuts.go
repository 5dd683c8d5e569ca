// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Hub is the name of the hub's end of a link: the place where Fairway runs.
const Hub = "hub"

// Link is a connection that can be cut, named by its two ends in order of the
// alphabet. There are five sorts: hub and data centre (the way from Fairway to
// the API servers there; everything else keeps working), data centre and data
// centre, data centre and rack, rack and host, and, when A is a data centre
// and B is empty, the whole site.
type Link struct {
	A string `json:"a"`
	B string `json:"b,omitempty"`
}

func linkBetween(a, b string) Link {
	if b != "" && b < a {
		a, b = b, a
	}
	return Link{A: a, B: b}
}

func (l Link) String() string {
	if l.B == "" {
		return l.A
	}
	return l.A + "–" + l.B
}

// Cuts is the set of links that are cut.
type Cuts map[Link]bool

// site tells whether a whole data centre is lost.
func (c Cuts) site(dc string) bool { return c[Link{A: dc}] }

// between tells whether two ends cannot reach each other over their own link.
func (c Cuts) between(a, b string) bool {
	return c[linkBetween(a, b)] || c.site(a) || c.site(b)
}

// sorted returns the cuts in a stable order.
func (c Cuts) sorted() []Link {
	links := make([]Link, 0, len(c))
	for l, cut := range c {
		if cut {
			links = append(links, l)
		}
	}
	slices.SortFunc(links, func(a, b Link) int { return strings.Compare(a.String(), b.String()) })
	return links
}

// Links lists every link of the sandbox that can be cut.
func (c Config) Links() []Link {
	var links []Link
	for i, dc := range c.DataCenters {
		links = append(links, linkBetween(Hub, dc.Name))
		for _, other := range c.DataCenters[i+1:] {
			links = append(links, linkBetween(dc.Name, other.Name))
		}
		for _, rack := range dc.Racks {
			links = append(links, linkBetween(dc.Name, rack))
		}
	}
	for _, h := range c.Hosts {
		links = append(links, linkBetween(h.Rack, h.Name))
	}
	return links
}

// find resolves two names to a link. One name alone means the way out of it:
// a rack's uplink, a host's link to its rack.
func (c Config) find(a, b string) (Link, error) {
	if b == "" {
		for _, dc := range c.DataCenters {
			if slices.Contains(dc.Racks, a) {
				return linkBetween(dc.Name, a), nil
			}
		}
		if h, ok := c.host(a); ok {
			return linkBetween(h.Rack, a), nil
		}
	}
	want := linkBetween(a, b)
	if slices.Contains(c.Links(), want) {
		return want, nil
	}
	known := make([]string, 0)
	for _, l := range c.Links() {
		known = append(known, l.String())
	}
	return Link{}, fmt.Errorf("could not find a link between %q and %q: the links are %s", a, b, strings.Join(known, ", "))
}

// readCuts reads the state file; a missing one means nothing is cut, and so
// does a cut of a link that the configuration no longer has.
func readCuts(c Config) (Cuts, error) {
	cuts := Cuts{}
	if c.StateFile == "" {
		return cuts, nil
	}
	data, err := os.ReadFile(c.StateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return cuts, nil
	}
	if err != nil {
		return nil, fmt.Errorf("could not read the cut links: %w", err)
	}
	var list []Link
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("could not read the cut links in %q (remove it to heal all): %w", c.StateFile, err)
	}
	known := c.Links()
	for _, l := range list {
		_, site := c.dataCenter(l.A)
		if slices.Contains(known, l) || l.B == "" && site {
			cuts[l] = true
		}
	}
	return cuts, nil
}

// writeCuts replaces the state file in one step.
func writeCuts(c Config, cuts Cuts) error {
	if c.StateFile == "" {
		return nil
	}
	data, err := json.Marshal(cuts.sorted())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.StateFile), 0o755); err != nil {
		return fmt.Errorf("could not keep the cut links: %w", err)
	}
	next := c.StateFile + ".next"
	if err := os.WriteFile(next, data, 0o644); err != nil {
		return fmt.Errorf("could not keep the cut links: %w", err)
	}
	if err := os.Rename(next, c.StateFile); err != nil {
		return fmt.Errorf("could not keep the cut links: %w", err)
	}
	return nil
}
