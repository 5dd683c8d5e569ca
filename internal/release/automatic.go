// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package release

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// Automatic returns the Release that an application's latest Revision starts by
// itself (R63), or nil: in production, without releasePolicy Automatic, or when
// the Revision is in service already. Its name is the Revision's, so that each
// Revision starts one Release and a Rollback is not undone.
func Automatic(a *appv1.Application, latest *appv1.Revision, class tenancyv1.EnvironmentClass) *releasev1.Release {
	switch {
	case a.Spec.ReleasePolicy != appv1.ReleaseAutomatic, !a.DeletionTimestamp.IsZero(), latest == nil:
		return nil
	case class != tenancyv1.ClassDevelopment && class != tenancyv1.ClassTest:
		return nil
	case a.Status.LatestRevision == a.Status.ReleasedRevision || a.Status.LatestRevision != latest.Name || latest.Spec.Application != a.Name:
		return nil
	}
	return &releasev1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: latest.Name + "-auto"},
		Spec: releasev1.ReleaseSpec{
			Application: a.Name, Kind: releasev1.KindDeploy, Revision: latest.Name, Desired: "Run",
			Reason: "released by itself: the application's releasePolicy is Automatic", Requester: lastMaker(latest),
		},
	}
}

// lastMaker is the person whose change the Revision froze last.
func lastMaker(r *appv1.Revision) string {
	if n := len(r.Spec.Makers); n > 0 {
		return r.Spec.Makers[n-1]
	}
	return "fairway"
}
