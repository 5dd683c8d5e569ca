// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package storytest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/platform/storytest"
)

// TestPlay has a stage of its own for each story, and says to it what is said, and nothing
// that followed last time.
func TestPlay(t *testing.T) {
	stages, said := 0, []string{}
	storytest.Play(t, func(*testing.T) storytest.Stage {
		stages++
		count := 0
		return func(verb string, words []string) []string {
			said = append(said, strings.Join(append([]string{verb}, words...), " "))
			if count++; verb == "nothing" {
				return nil
			}
			return []string{fmt.Sprintf("%d: %s", count, verb), fmt.Sprintf("  with %d words", len(words))}
		}
	})
	want := []string{"nothing follows", "two words here", "one", "again from one"}
	if diff := cmp.Diff(want, said); diff != "" || stages != 2 {
		t.Errorf("%d stages (-want +got):\n%s", stages, diff)
	}
}
