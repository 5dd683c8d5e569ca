// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package profile

import (
	"fmt"
	"strings"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
)

// mostTags is the most that a status holds. Components share it evenly: an application has
// at most 32, so that each has room for 32 whatever the others have.
const mostTags = 1024

// Left is how many tags of a component are left out.
type Left struct {
	Component string
	Tags      int
}

// bounded keeps as many tags of each component as is its share, of tags that are in order.
// What another line says already goes first, since the component has the tag all the same:
// what is overruled, then what a second origin says of a tag. The rest goes from the end of
// the alphabet.
func bounded(tags []placementv1.ProfileTag, components int) (kept []placementv1.ProfileTag, left []Left) {
	if len(tags) <= mostTags {
		return tags, nil
	}
	share := mostTags / max(components, 1)
	for len(tags) > 0 {
		n := 1
		for n < len(tags) && tags[n].Component == tags[0].Component {
			n++
		}
		one := tags[:n]
		tags = tags[n:]
		if len(one) > share {
			left = append(left, Left{one[0].Component, len(one) - share})
			one = firstOf(one, share)
		}
		kept = append(kept, one...)
	}
	return kept, left
}

// firstOf are the n tags of a component that say most, in order.
func firstOf(tags []placementv1.ProfileTag, n int) []placementv1.ProfileTag {
	said, ranks := map[string]bool{}, make([]int, len(tags))
	for i, t := range tags {
		switch {
		case t.Effect != placementv1.TagCounts:
			ranks[i] = 2
		case said[t.Tag]:
			ranks[i] = 1
		}
		said[t.Tag] = said[t.Tag] || ranks[i] == 0
	}
	keep := make([]bool, len(tags))
	for rank := range 3 {
		for i := range tags {
			if ranks[i] == rank && n > 0 {
				keep[i] = true
				n--
			}
		}
	}
	var out []placementv1.ProfileTag
	for i := range tags {
		if keep[i] {
			out = append(out, tags[i])
		}
	}
	return out
}

// leftOut says what was left out, and what to do.
func leftOut(left []Left) string {
	parts := make([]string, len(left))
	for i, l := range left {
		parts[i] = fmt.Sprintf("%d of component %s", l.Tags, l.Component)
	}
	return fmt.Sprintf("tags were left out, which nothing goes by: %s; an application holds %d, which its components share evenly: import fewer, or from fewer sources", strings.Join(parts, ", "), mostTags)
}
