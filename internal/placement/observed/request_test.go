// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

// TestRequestNamesProcessors has a request ask for what the Revision froze of its images,
// and for any host where it froze nothing.
func TestRequestNamesProcessors(t *testing.T) {
	a, w := apptest.MobileBank(), apptest.Bank()
	w.Images["registry.bank:5000/mobile-bank/account:1.0"] = app.ImageFacts{User: "65532", Architectures: []string{"arm64", "amd64", "s390x"}}
	frozen, err := app.Freeze(a, apptest.Images(a), w)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, c := range observed.RequestOf(frozen.Content, "retail-prod/mobile-bank", &tenancyv1.Tenant{}, nil, nil).Components {
		got[c.Name] = c.Archs
	}
	if diff := cmp.Diff(map[string][]string{"account": {"amd64", "arm64"}, "channel": nil, "ledger": nil}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
