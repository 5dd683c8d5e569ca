// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Constrained impersonation came with this version: through whomever the server acts
// as, it reaches what config/rbac/system.yaml names, and nothing else.
const constrainedSince = 36

// ErrUnbounded says that the hub is too old to bound what the server does as others.
// The groups that may be acted as are named then, or the hub is brought up to date.
var ErrUnbounded = errors.New("the hub does not bound whom the server acts as")

// Bound finds out whether the hub bounds what the server does as others. named are
// the only groups that are taken to the hub; empty: all of a person's. A hub before
// 1.36 needs them: it fails with ErrUnbounded where there are none.
func (h *Hub) Bound(ctx context.Context, named []string) error {
	for _, g := range named {
		if strings.HasPrefix(g, "system:") || slices.Contains(ownGroups, g) || g == "" {
			return fmt.Errorf("could not take group %q to the hub: it belongs to the platform itself", g)
		}
	}
	version, err := h.version(ctx)
	if err != nil {
		return err
	}
	if version < constrainedSince && len(named) == 0 {
		return fmt.Errorf("could not act as people on the hub: %w: it is Kubernetes 1.%d; bring it to 1.%d, or name the groups that may be acted as with --impersonate-group",
			ErrUnbounded, version, constrainedSince)
	}
	h.groups = slices.Clone(named)
	return nil
}

// version is the minor version of the hub.
func (h *Hub) version(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	target := *h.base
	target.Path = strings.TrimSuffix(target.Path, "/") + "/version"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return 0, fmt.Errorf("could not ask the hub for its version: %w", err)
	}
	response, err := h.http.Do(request)
	if err != nil {
		return 0, fmt.Errorf("could not ask the hub for its version: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	told := struct{ Major, Minor string }{}
	if err := json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&told); err != nil {
		return 0, fmt.Errorf("could not read the hub's version: %w", err)
	}
	minor, err := strconv.Atoi(strings.TrimRight(told.Minor, "+"))
	if err != nil || told.Major != "1" {
		return 0, fmt.Errorf("could not read the hub's version: it says %q.%q", told.Major, told.Minor)
	}
	return minor, nil
}

// taken are the groups of a person that go to the hub.
func (h *Hub) taken(groups []string) []string {
	if len(h.groups) == 0 {
		return groups
	}
	return slices.DeleteFunc(slices.Clone(groups), func(g string) bool { return !slices.Contains(h.groups, g) })
}
