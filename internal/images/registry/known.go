// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package registry

import (
	"sync"

	"github.com/fairway-cloud/fairway/internal/app"
)

// mostKnown bounds how many images are kept in mind.
const mostKnown = 4096

// known keeps in mind what was found out about images. What a digest stands for never
// changes, so it stays known while its registry is away.
type known struct {
	lock  sync.Mutex
	facts map[string]app.ImageFacts // by endpoint/repository@digest
}

func (k *known) get(at string) (app.ImageFacts, bool) {
	k.lock.Lock()
	defer k.lock.Unlock()
	facts, ok := k.facts[at]
	return facts, ok
}

func (k *known) put(at string, facts app.ImageFacts) {
	k.lock.Lock()
	defer k.lock.Unlock()
	if k.facts == nil || len(k.facts) >= mostKnown {
		k.facts = map[string]app.ImageFacts{}
	}
	k.facts[at] = facts
}
