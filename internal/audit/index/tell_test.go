// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package index_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/audit/index"
)

func TestTheStoryInPlainWords(t *testing.T) {
	s, err := index.Open(t.Context(), t.TempDir()+"/index.db")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	catchUp(t, s, story())
	page, err := s.Search(t.Context(), index.Query{Limit: 100, Oldest: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range page.Acts {
		got = append(got, a.Sentence())
	}
	want := []string{
		"p-dev logged in as person p-dev: done",
		"p-dev applied application mobile-bank in retail-prod: done",
		"p-op asked for release mobile-bank-x7k2p in retail-prod (CHG-7: 账户服务 2.1 上线): done",
		"p-biz decided on decision req-1-biz in retail-prod for release mobile-bank-x7k2p about request req-1: done",
		"p-op decided on decision req-1-op in retail-prod about request req-1: refused, the maker is not the checker",
		"p-op changed what runs, by delivery retail-prod-mobile-bank in cluster east-1 for release mobile-bank-x7k2p, covered by approval req-1: done",
		"p-dev applied application mobile-bank-two in retail-prod: done",
		"p-adm sent the hub PATCH /apis/release.fairway.cloud/v1alpha1/namespaces/retail-prod/releases/mobile-bank-x7k2p: done",
		"p-adm took in cluster east-2: no outcome is recorded yet",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
