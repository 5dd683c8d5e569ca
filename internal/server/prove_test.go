// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/server"
)

// kubectl is told early that a decision would not count, as the API tells everybody.
func TestProxyRefusesDecisionsEarly(t *testing.T) {
	caller, seen := spy(t)
	var asked []string
	s := newSite(t, withHub(caller), func(c *server.Config) {
		c.Before = func(_ context.Context, kind string, object map[string]any) error {
			raw, err := json.Marshal(object)
			if err != nil {
				return err
			}
			asked = append(asked, kind+" "+string(raw))
			if strings.Contains(string(raw), `"request":"own-1"`) {
				return httpapi.NewProblem(httpapi.CodeDenied, "could not decide on request %q: teller-7 is a maker of it", "own-1")
			}
			return nil
		}
	})
	const path = "/hub/apis/approval.fairway.cloud/v1alpha1/namespaces/retail-prod/decisions"
	got := s.do(http.MethodPost, path, tellerToken, `{"metadata":{"generateName":"d-"},"spec":{"request":"own-1","verdict":"Approve"}}`)
	if got.status != http.StatusForbidden || !strings.Contains(string(got.body), "is a maker of it") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if len(*seen) != 0 {
		t.Errorf("the hub is not asked then: %v", (*seen)[0].URL)
	}
	if len(asked) != 1 || !strings.Contains(asked[0], `"author":"teller-7"`) || !strings.Contains(asked[0], `"groups":["retail:developers"]`) || !strings.Contains(asked[0], `"namespace":"retail-prod"`) {
		t.Errorf("it is asked about as the hub would fill it in: %v", asked)
	}
	if outcomes := s.recorder.outcomes; len(outcomes) != 1 || outcomes[0].Result != "Refused" {
		t.Errorf("the attempt is in the evidence: %+v", outcomes)
	}
	for name, body := range map[string]string{"one that counts": `{"spec":{"request":"other-1"}}`, "one that cannot be read": `spec: {}`, "one without a spec": `{}`} {
		before := len(*seen)
		if s.do(http.MethodPost, path, tellerToken, body); len(*seen) != before+1 {
			t.Errorf("%s is the hub's matter", name)
		}
	}
	asked = nil
	s.do(http.MethodPost, "/hub/apis/release.fairway.cloud/v1alpha1/namespaces/retail-prod/releases", tellerToken, `{"spec":{"request":"own-1"}}`)
	if len(asked) != 0 {
		t.Errorf("other kinds are not asked about: %v", asked)
	}
}
