// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package tenancy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/tenancy"
)

func TestRightsOf(t *testing.T) {
	environment := func(name string, class tenancyv1.EnvironmentClass) tenancyv1.Environment {
		return tenancyv1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenancyv1.EnvironmentSpec{Class: class}}
	}
	environments := []tenancyv1.Environment{environment("prod", "Production"), environment("sit", "Test")}
	pools := []fleetv1.Pool{
		{ObjectMeta: metav1.ObjectMeta{Name: "own"}, Spec: fleetv1.PoolSpec{Tenant: "retail"}},
		{ObjectMeta: metav1.ObjectMeta{Name: "both"}, Spec: fleetv1.PoolSpec{SharedBy: []string{"cards", "retail"}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "theirs"}, Spec: fleetv1.PoolSpec{Tenant: "cards"}},
	}
	cases := map[string]struct {
		reason string
		spec   tenancyv1.TenantSpec
		pools  []fleetv1.Pool
		want   []string
	}{
		"all roles": {
			reason: "a developer only reads in production",
			spec: tenancyv1.TenantSpec{Environments: []string{"prod", "sit"}, Roles: []tenancyv1.RoleBinding{
				{Role: "Developer", Groups: []string{"devs"}}, {Role: "Viewer", Groups: []string{"audit", "devs"}},
				{Role: "Releaser", Groups: []string{"releasers"}, Environments: []string{"prod"}},
				{Role: "DutyOperator", Groups: []string{"duty"}}, {Role: "Administrator", Groups: []string{"admins"}},
			}},
			pools: pools,
			want: []string{
				"retail-prod: fairway-administrator=admins fairway-duty-operator=duty fairway-releaser=releasers fairway-viewer=audit,devs",
				"retail-sit: fairway-administrator=admins fairway-developer=devs fairway-duty-operator=duty fairway-viewer=audit,devs",
				"reads tenants=retail pools=both,own for admins,audit,devs,duty,releasers",
			},
		},
		"no pools": {
			reason: "no rule without names, which would mean every pool",
			spec:   tenancyv1.TenantSpec{Environments: []string{"prod"}},
			want:   []string{"retail-prod:", "reads tenants=retail for "},
		},
		"missing environment": {
			reason: "what does not exist gets no namespace, and is told",
			spec:   tenancyv1.TenantSpec{Environments: []string{"uat", "sit"}},
			want:   []string{"retail-sit:", "missing uat", "reads tenants=retail for "},
		},
		"unknown role": {
			reason: "a role of a newer version gives the least",
			spec:   tenancyv1.TenantSpec{Environments: []string{"sit"}, Roles: []tenancyv1.RoleBinding{{Role: "Emperor", Groups: []string{"x"}}}},
			want:   []string{"retail-sit: fairway-viewer=x", "reads tenants=retail for x"},
		},
	}
	names := func(all []rbacv1.Subject) string {
		var texts []string
		for _, subject := range all {
			texts = append(texts, subject.Name)
		}
		return strings.Join(texts, ",")
	}
	for name, tc := range cases {
		tenant := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "retail"}, Spec: tc.spec}
		got := tenancy.RightsOf(tenant, environments, tc.pools)
		var told []string
		for _, namespace := range got.Namespaces {
			text := namespace.Name + ":"
			for _, binding := range namespace.Bindings {
				text += " " + binding.RoleRef.Name + "=" + names(binding.Subjects)
				if binding.Namespace != namespace.Name || binding.Name != binding.RoleRef.Name {
					t.Errorf("%s: a binding lies in %s/%s", name, binding.Namespace, binding.Name)
				}
			}
			told = append(told, text)
		}
		for _, missing := range got.Missing {
			told = append(told, "missing "+missing)
		}
		text := "reads"
		for _, rule := range got.Reading.Rules {
			text += " " + rule.Resources[0] + "=" + strings.Join(rule.ResourceNames, ",")
		}
		told = append(told, text+" for "+names(got.ReadingBinding.Subjects))
		if diff := cmp.Diff(tc.want, told); diff != "" {
			t.Errorf("%s (%s): -want +got\n%s", name, tc.reason, diff)
		}
	}
}
