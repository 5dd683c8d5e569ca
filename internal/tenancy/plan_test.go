// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package tenancy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

var today = time.Date(2026, 11, 20, 16, 0, 0, 0, time.UTC)

// spec is retail in prod and sit, with developers and auditors.
func spec(changes ...func(*tenancyv1.TenantSpec)) *tenancyv1.TenantSpec {
	made := &tenancyv1.TenantSpec{
		Environments: []string{"sit", "prod"},
		Roles: []tenancyv1.RoleBinding{
			{Role: tenancyv1.RoleDeveloper, Groups: []string{"dev"}},
			{Role: tenancyv1.RoleViewer, Groups: []string{"audit"}},
		},
	}
	for _, change := range changes {
		change(made)
	}
	return made
}

// seen is the hub with both environments, one pool of retail's and one of cards'.
func seen(changes ...func(*Seen)) Seen {
	s := Seen{
		Name: "retail", Spec: spec(), Now: today, Tenants: []string{"cards", "retail"},
		Environments: []tenancyv1.Environment{
			{ObjectMeta: metav1.ObjectMeta{Name: "prod"}, Spec: tenancyv1.EnvironmentSpec{Class: tenancyv1.ClassProduction}},
			{ObjectMeta: metav1.ObjectMeta{Name: "sit"}, Spec: tenancyv1.EnvironmentSpec{Class: tenancyv1.ClassTest}},
		},
		Pools: []fleetv1.Pool{
			{ObjectMeta: metav1.ObjectMeta{Name: "shared"}, Spec: fleetv1.PoolSpec{SharedBy: []string{"cards", "retail"}}},
			{ObjectMeta: metav1.ObjectMeta{Name: "cards-core"}, Spec: fleetv1.PoolSpec{Tenant: "cards"}},
		},
		Applications: map[string]int64{},
	}
	for _, change := range changes {
		change(&s)
	}
	return s
}

// arranged is the hub after everything was done.
func arranged(s *Seen) {
	s.Namespaces = []Namespace{{Name: "retail-prod", Tenant: "retail", Environment: "prod"}, {Name: "retail-sit", Tenant: "retail", Environment: "sit"}}
	s.Bindings = []Binding{
		{Namespace: "retail-prod", Name: "fairway-viewer", ClusterRole: "fairway-viewer", Ours: true, Subjects: []string{"Group:audit", "Group:dev"}},
		{Namespace: "retail-sit", Name: "fairway-developer", ClusterRole: "fairway-developer", Ours: true, Subjects: []string{"Group:dev"}},
		{Namespace: "retail-sit", Name: "fairway-viewer", ClusterRole: "fairway-viewer", Ours: true, Subjects: []string{"Group:audit"}},
	}
	s.Reader, s.Readers = Action{Subjects: []string{"Group:audit", "Group:dev"}, Pools: []string{"shared"}}.Reading("retail")
}

func asked(change func(*tenancyv1.TenantSpec)) func(*Seen) {
	return func(s *Seen) { s.Spec = spec(change) }
}

func bound(namespace, name, role string, ours bool, subjects ...string) func(*Seen) {
	return func(s *Seen) {
		s.Bindings = append(s.Bindings, Binding{Namespace: namespace, Name: name, ClusterRole: role, Ours: ours, Subjects: subjects})
	}
}

func TestPlan(t *testing.T) {
	const reads = "let Group:audit, Group:dev read the tenant and pools shared"
	cases := map[string]struct {
		reason   string
		seen     Seen
		want     []string
		findings []string
	}{
		"new tenant": {
			reason: "a developer reads in production and writes elsewhere; a pool of another tenant is not shown",
			seen:   seen(),
			want: []string{
				"make namespace retail-prod", "bind Group:audit, Group:dev in retail-prod to fairway-viewer",
				"make namespace retail-sit", "bind Group:dev in retail-sit to fairway-developer", "bind Group:audit in retail-sit to fairway-viewer", reads,
			},
		},
		"arranged": {reason: "nothing is to be done", seen: seen(arranged)},
		"role taken away": {
			reason: "its binding goes, and nobody else's",
			seen:   seen(arranged, asked(func(s *tenancyv1.TenantSpec) { s.Roles = s.Roles[1:] })),
			want: []string{
				"bind Group:audit in retail-prod to fairway-viewer", "unbind fairway-developer in retail-sit",
				"let Group:audit read the tenant and pools shared",
			},
		},
		"role of one environment": {
			reason: "it is given there only",
			seen: seen(arranged, asked(func(s *tenancyv1.TenantSpec) {
				s.Roles = append(s.Roles, tenancyv1.RoleBinding{Role: tenancyv1.RoleReleaser, Groups: []string{"dev"}, Environments: []string{"prod"}})
			})),
			want: []string{"bind Group:dev in retail-prod to fairway-releaser"},
		},
		"roles with an end": {
			reason: "the one whose end is now is over, the other holds",
			seen: seen(arranged, asked(func(s *tenancyv1.TenantSpec) {
				s.Environments, s.Roles = []string{"prod"}, []tenancyv1.RoleBinding{
					{Role: tenancyv1.RoleViewer, Groups: []string{"audit", "dev"}},
					{Role: tenancyv1.RoleExaminer, Groups: []string{"examiners"}, Expires: &metav1.Time{Time: today.Add(time.Hour)}},
					{Role: tenancyv1.RoleExaminer, Groups: []string{"examiners-of-old"}, Expires: &metav1.Time{Time: today}},
				}
			}), func(s *Seen) { s.Namespaces, s.Bindings = s.Namespaces[:1], s.Bindings[:1] }),
			want: []string{"bind Group:examiners in retail-prod to fairway-examiner", "let Group:audit, Group:dev, Group:examiners read the tenant and pools shared"},
		},
		"binding changed by hand": {
			reason: "it is put back",
			seen:   seen(arranged, func(s *Seen) { s.Bindings[0].Subjects = []string{"Group:audit", "Group:dev", "User:mallory"} }),
			want:   []string{"bind Group:audit, Group:dev in retail-prod to fairway-viewer"},
		},
		"binding of another role under our name": {
			reason: "a RoleBinding keeps its role for life, so it is made anew",
			seen:   seen(arranged, func(s *Seen) { s.Bindings[0].ClusterRole = "cluster-admin" }),
			want:   []string{"unbind fairway-viewer in retail-prod", "bind Group:audit, Group:dev in retail-prod to fairway-viewer"},
		},
		"foreign binding for people": {
			reason:   "rights past the Tenant are told, not taken: they may be somebody's emergency",
			seen:     seen(arranged, bound("retail-prod", "backdoor", "cluster-admin", false, "User:mallory")),
			findings: []string{"ForeignBinding"},
		},
		"foreign binding for Kubernetes": {
			reason: "parts of the cluster have bindings of their own",
			seen:   seen(arranged, bound("retail-prod", "deployer", "x", false, "Group:system:serviceaccounts", "ServiceAccount:a/b")),
		},
		"tenant gone": {
			reason: "rights go, namespaces stay",
			seen:   seen(arranged, func(s *Seen) { s.Spec = nil }),
			want: []string{
				"unbind fairway-viewer in retail-prod", "unbind fairway-developer in retail-sit", "unbind fairway-viewer in retail-sit",
				"end that the tenant's people read it",
			},
		},
		"environment off the list": {
			reason: "rights in it go",
			seen:   seen(arranged, asked(func(s *tenancyv1.TenantSpec) { s.Environments = []string{"prod"} })),
			want:   []string{"unbind fairway-developer in retail-sit", "unbind fairway-viewer in retail-sit"},
		},
		"environment off the list and in use": {
			reason: "people keep their roles where something may run",
			seen: seen(arranged, asked(func(s *tenancyv1.TenantSpec) { s.Environments = []string{"prod"} }),
				func(s *Seen) { s.Applications["retail-sit"] = 1 }),
			findings: []string{"EnvironmentInUse"},
		},
		"environment does not exist": {
			reason: "its class is not known, so nobody gets a role in it",
			seen:   seen(arranged, func(s *Seen) { s.Environments = s.Environments[:1] }),
			want: []string{
				"unbind fairway-developer in retail-sit", "unbind fairway-viewer in retail-sit",
			},
			findings: []string{"EnvironmentMissing"},
		},
		"namespace of somebody else": {
			reason:   "it is left alone; the other one is made",
			seen:     seen(func(s *Seen) { s.Namespaces = []Namespace{{Name: "retail-prod"}} }, asked(func(s *tenancyv1.TenantSpec) { s.Environments = []string{"prod"} })),
			findings: []string{"NamespaceTaken"},
		},
		"namespace of another tenant's": {
			reason: "labels say whose it is, the name does not",
			seen: seen(func(s *Seen) { s.Namespaces = []Namespace{{Name: "retail-prod", Tenant: "cards", Environment: "prod"}} },
				asked(func(s *tenancyv1.TenantSpec) { s.Environments = []string{"prod"} })),
			findings: []string{"NamespaceTaken"},
		},
		"namespace leaving": {
			reason:   "nothing can be made in it",
			seen:     seen(arranged, func(s *Seen) { s.Namespaces[0].Leaving = true; s.Namespaces[1].Leaving = true }),
			want:     []string{"end that the tenant's people read it"},
			findings: []string{"NamespaceLeaving", "NamespaceLeaving"},
		},
		"reserved name": {
			reason:   "tenant fairway in environment system would own Fairway's credentials",
			seen:     seen(func(s *Seen) { s.Name = "fairway" }, asked(func(s *tenancyv1.TenantSpec) { s.Environments = []string{"system"} })),
			findings: []string{"NameReserved"},
		},
		"groups of Kubernetes": {
			reason: "they are never bound, whatever the Tenant says",
			seen: seen(asked(func(s *tenancyv1.TenantSpec) {
				s.Environments, s.Roles = []string{"prod"}, []tenancyv1.RoleBinding{{Role: tenancyv1.RoleReleaser, Groups: []string{"system:authenticated", "fairway:system"}}}
			})),
			want: []string{"make namespace retail-prod"},
		},
		"what has no effect": {
			reason: "nobody learns of it only when a Release finds no room",
			seen: seen(arranged, asked(func(s *tenancyv1.TenantSpec) {
				s.Parent = "bank"
				s.Roles[0].Environments = []string{"prod", "sit", "uat"}
				s.Quotas = []tenancyv1.Quota{
					{Environment: "prod", Pool: "shared"}, {Environment: "prod", Pool: "shared"}, {Environment: "uat", Pool: "shared"},
					{Environment: "prod", Pool: "none"}, {Environment: "sit", Pool: "cards-core"},
				}
			})),
			findings: []string{"ParentMissing", "RoleUnused", "QuotaTwice", "QuotaUnused", "QuotaUnused", "QuotaUnused"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := Plan(c.seen)
			var actions, findings []string
			for _, action := range got.Actions {
				actions = append(actions, action.String())
			}
			for _, finding := range got.Findings {
				findings = append(findings, finding.Rule)
			}
			if diff := cmp.Diff(c.want, actions); diff != "" {
				t.Errorf("%s: actions (-want +got):\n%s", c.reason, diff)
			}
			if diff := cmp.Diff(c.findings, findings); diff != "" {
				t.Errorf("%s: findings (-want +got):\n%s\n%v", c.reason, diff, got.Findings)
			}
		})
	}
}

// Every role of the type is bound to a ClusterRole of its own, and the roles that
// end say when the next look is due.
func TestRolesAreCompiled(t *testing.T) {
	all := []tenancyv1.Role{
		"Viewer", "Developer", "ChangeRequester", "Releaser", "DutyOperator", "BusinessApprover", "TechnologyApprover", "ChangeManager", "Verifier", "Examiner", "Administrator",
	}
	found := map[string]tenancyv1.Role{}
	for _, role := range all {
		to := clusterRoleOf(role, tenancyv1.ClassTest)
		if to == "" || found[to] != "" {
			t.Errorf("role %s is bound to %q, as %s is", role, to, found[to])
		}
		found[to] = role
	}
	if got := clusterRoleOf(tenancyv1.RoleDeveloper, "Unheard"); got != "fairway-viewer" {
		t.Errorf("in an environment of an unknown class a developer has %s", got)
	}
	ends := func(after time.Duration) *metav1.Time { return &metav1.Time{Time: today.Add(after)} }
	roles := []tenancyv1.RoleBinding{
		{Role: "Examiner", Groups: []string{"b", "system:x"}, Expires: ends(2 * time.Hour)}, {Role: "Examiner", Groups: []string{"a"}, Expires: ends(time.Hour)},
		{Role: "Examiner", Groups: []string{"c"}, Expires: ends(0)}, {Role: "Examiner", Groups: []string{"d"}, Environments: []string{"sit"}},
	}
	if diff := cmp.Diff([]string{"a", "b"}, GroupsWith(roles, "prod", "Examiner", today)); diff != "" {
		t.Errorf("examiners (-want +got):\n%s", diff)
	}
	if got := nextEnd(roles, today); !got.Equal(today.Add(time.Hour)) {
		t.Errorf("the next end is %s", got)
	}
	if got := nextEnd(roles[3:], today); !got.IsZero() {
		t.Errorf("nothing ends, and the next look is due at %s", got)
	}
}

// The names of two different pairs never meet.
func TestNames(t *testing.T) {
	owners := map[string]string{}
	for _, tenant := range []string{"a", "a-b", "a-b-c", "b", "b-c", "c"} {
		for _, environment := range []string{"a", "b", "c"} {
			name := NamespaceOf(tenant, environment)
			if owner, taken := owners[name]; taken {
				t.Errorf("%s/%s has the namespace of %s", tenant, environment, owner)
			}
			owners[name] = tenant + "/" + environment
			if got := TenantOf(name); got != tenant {
				t.Errorf("TenantOf(%q) = %q, want %q", name, got, tenant)
			}
		}
	}
	for _, name := range []string{"", "default", "-x"} {
		if got := TenantOf(name); got != "" {
			t.Errorf("TenantOf(%q) = %q, want none", name, got)
		}
	}
}

// A right to read named objects never becomes one to read all of them.
func TestReadingWithoutPools(t *testing.T) {
	role, _ := Action{}.Reading("retail")
	want := []rbacv1.PolicyRule{{APIGroups: []string{"tenancy.fairway.cloud"}, Resources: []string{"tenants"}, ResourceNames: []string{"retail"}, Verbs: []string{"get"}}}
	if diff := cmp.Diff(want, role.Rules); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReport(t *testing.T) {
	now := time.Date(2026, 11, 20, 16, 0, 0, 0, time.UTC)
	first := Report(tenancyv1.TenantStatus{}, 3, Decision{Namespaces: []string{"retail-prod"}}, nil, now)
	again := Report(first, 3, Decision{Namespaces: []string{"retail-prod"}}, nil, now.Add(time.Hour))
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("what did not change is told the same way (-first +again):\n%s", diff)
	}
	many := Report(first, 3, Decision{Findings: []Finding{{"A", "a"}, {"B", "b"}, {"C", "c"}, {"D", "d"}, {"E", "e"}, {"F", "f"}, {"G", "g"}}}, nil, now)
	if got, want := many.Conditions[0].Message, "a; b; c; d; e; and 2 more"; got != want {
		t.Errorf("Ready says %q, want %q", got, want)
	}
}
