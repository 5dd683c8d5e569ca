// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package agent

import "fmt"

// counts are how many objects a picture of the cluster holds.
type counts struct {
	policies, namespaces, pods int
}

// doubt says why a picture may be wrong rather than the cluster empty: acting
// on a list that is empty by mistake would open everything. before is nil
// when nothing has been applied in this life of the agent.
func doubt(before *counts, now counts) string {
	switch {
	case now.namespaces == 0:
		return "there are no namespaces, which cannot be"
	case before == nil && now.policies == 0:
		return "there are no policies at all"
	case before != nil && before.policies > 0 && now.policies == 0:
		return fmt.Sprintf("all %d policies are gone at once", before.policies)
	case before != nil && before.pods > 0 && now.pods == 0:
		return fmt.Sprintf("all %d pods are gone at once", before.pods)
	}
	return ""
}

// confirmations is how many direct looks must agree with a doubtful picture.
const confirmations = 2

// believed counts direct looks at the API server that agree with a picture
// which is doubted.
type believed struct{ agreed int }

// hear takes a direct look and says whether the picture may be acted on.
func (b *believed) hear(picture, look counts, err error) bool {
	same := err == nil && look.namespaces > 0 && picture.namespaces > 0 &&
		(picture.policies > 0 || look.policies == 0) && (picture.pods > 0 || look.pods == 0)
	if !same {
		b.agreed = 0
		return false
	}
	b.agreed++
	return b.agreed >= confirmations
}
