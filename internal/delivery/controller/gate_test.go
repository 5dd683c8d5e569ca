// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/platform/members/memberstest"
)

// listener remembers in full what the Gate was asked last.
type listener struct{ act approval.Act }

func (l *listener) Check(_ context.Context, act approval.Act) (approval.Verdict, error) {
	l.act = act
	return approval.Verdict{Allowed: true, Reason: "allowed in tests"}, nil
}

func TestTheGateHearsTheEnvironment(t *testing.T) {
	for namespace, tc := range map[string]struct {
		reason string
		want   string
	}{
		"retail-prod":      {reason: "the environment ends the namespace's name", want: "prod"},
		"retail-loans-sit": {reason: "a tenant may have a dash in its name", want: "sit"},
	} {
		t.Run(namespace, func(t *testing.T) {
			heard := &listener{}
			s := &step{
				r: &Reconciler{Gate: heard}, delivery: &v1alpha1.Delivery{}, member: &memberstest.Member{MemberName: "east-1"},
				asker: asker{person: "zhang.wei", release: namespace + "/two", digest: "sha256:1"},
			}
			action := delivery.Action{Verb: delivery.Delete, Object: delivery.Identity{Kind: "Service", Namespace: namespace + "-loans", Name: "web"}}
			if _, err := s.ask(t.Context(), action); err != nil {
				t.Fatal(err)
			}
			want := approval.Act{
				Verb: "delivery.delete", Subject: "Service/" + namespace + "-loans/web", Cluster: "east-1", Environment: tc.want,
				Release: namespace + "/two", Digest: "sha256:1", Person: "zhang.wei",
			}
			if diff := cmp.Diff(want, heard.act); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
