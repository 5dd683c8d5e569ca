// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package rendering

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/app"
)

// TestLacks says of a cluster what it does not do, once for a component, however many cells it
// has; what it does in another way is not told, and a long list is cut.
func TestLacks(t *testing.T) {
	reasons := []app.Reason{
		{Component: "web", Object: "Deployment n/web-a", Field: "minDomains", Effect: app.Missing, Message: "cannot bound"},
		{Component: "web", Object: "Deployment n/web-b", Field: "minDomains", Effect: app.Missing, Message: "cannot bound"},
		{Component: "web", Object: "Deployment n/web-a", Field: "seccomp", Effect: app.Adapted, Message: "the effect is the same"},
		{Effect: app.Missing, Message: "no policy is kept"},
	}
	if diff := cmp.Diff([]string{"component web: cannot bound", "no policy is kept"}, lacks(reasons)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i := range 12 {
		reasons = append(reasons, app.Reason{Component: fmt.Sprint(i), Effect: app.Missing, Message: "x"})
	}
	if got := lacks(reasons); len(got) != 11 || got[10] != "and 4 things more that it does not do" {
		t.Errorf("of 14 things it says %v", got)
	}
	if got := lacks(nil); got != nil {
		t.Errorf("of a cluster that does all it says %v", got)
	}
}
