// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package release_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/release"
)

func TestAutomatic(t *testing.T) {
	cases := map[string]struct {
		reason string
		policy appv1.ReleasePolicy
		class  tenancyv1.EnvironmentClass
		served string
		want   string
	}{
		"Test":       {"outside production a new revision is released by itself", appv1.ReleaseAutomatic, tenancyv1.ClassTest, "pay-1", "pay-2-auto"},
		"First":      {"so is the first one", appv1.ReleaseAutomatic, tenancyv1.ClassDevelopment, "", "pay-2-auto"},
		"Production": {"named people release to production, whatever the policy says", appv1.ReleaseAutomatic, tenancyv1.ClassProduction, "pay-1", ""},
		"Unknown":    {"an environment that nobody knows counts as production", appv1.ReleaseAutomatic, "", "pay-1", ""},
		"Manual":     {"nobody asked for it", appv1.ReleaseManual, tenancyv1.ClassTest, "pay-1", ""},
		"InService":  {"there is nothing to release", appv1.ReleaseAutomatic, tenancyv1.ClassTest, "pay-2", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := &appv1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-sit", Name: "pay"}}
			a.Spec.ReleasePolicy, a.Status.LatestRevision, a.Status.ReleasedRevision = tc.policy, "pay-2", tc.served
			revision := &appv1.Revision{ObjectMeta: metav1.ObjectMeta{Name: "pay-2"}, Spec: appv1.RevisionSpec{Application: "pay", Makers: []string{"zhang.wei", "li.na"}}}

			got := ""
			if r := release.Automatic(a, revision, tc.class); r != nil {
				got = r.Name
				if r.Spec.Requester != "li.na" || r.Spec.Revision != "pay-2" {
					t.Errorf("requester %q, revision %q: the last maker asks for the latest revision", r.Spec.Requester, r.Spec.Revision)
				}
			}
			if got != tc.want {
				t.Errorf("release %q, want %q: %s", got, tc.want, tc.reason)
			}
		})
	}
}
