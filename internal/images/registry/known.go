// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package registry

import (
	"context"
	"sync"

	"github.com/fairway-cloud/fairway/internal/app"
)

// mostKnown bounds how many images are kept in mind.
const mostKnown = 4096

// known keeps in mind what was found out about images, and in the server's database where it
// was given one. What a digest stands for never changes, so it stays known while its registry
// is away.
type known struct {
	lock  sync.Mutex
	facts map[string]app.ImageFacts // by endpoint/repository@digest
	kept  *kept                     // nil: in mind only
}

func (k *known) get(ctx context.Context, at string) (app.ImageFacts, bool) {
	k.lock.Lock()
	facts, ok := k.facts[at]
	k.lock.Unlock()
	if ok || k.kept == nil {
		return facts, ok
	}
	if facts, ok = k.kept.get(ctx, at); ok {
		k.mind(at, facts)
	}
	return facts, ok
}

func (k *known) put(ctx context.Context, at string, facts app.ImageFacts) {
	k.mind(at, facts)
	if k.kept != nil {
		k.kept.put(ctx, at, facts)
	}
}

func (k *known) mind(at string, facts app.ImageFacts) {
	k.lock.Lock()
	defer k.lock.Unlock()
	if k.facts == nil || len(k.facts) >= mostKnown {
		k.facts = map[string]app.ImageFacts{}
	}
	k.facts[at] = facts
}
