// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package authority

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/tenancy"
)

// The two tenants, each with one production namespace, and one that is not there.
const (
	mine, yours, gone = "mine-prod", "yours-prod", "gone-prod"
)

// role is one column of the matrix.
type role struct {
	// name as the page shows it, and short as its columns do.
	name, short string
	// clusterRole that is bound in the namespace mine-prod. Empty: none.
	clusterRole string
	// group that gives the role.
	group string
}

var roles = []role{
	{"Viewer", "Vi", "fairway-viewer", "mine-viewers"},
	{"Developer (Test)", "De", "fairway-developer", "mine-developers"},
	{"ChangeRequester", "CR", "fairway-change-requester", "mine-requesters"},
	{"Releaser", "Re", "fairway-releaser", "mine-releasers"},
	{"DutyOperator", "DO", "fairway-duty-operator", "mine-operators"},
	{"BusinessApprover", "BA", "fairway-business-approver", "mine-business"},
	{"TechnologyApprover", "TA", "fairway-technology-approver", "mine-technology"},
	{"ChangeManager", "CM", "fairway-change-manager", "mine-managers"},
	{"Verifier", "Ve", "fairway-verifier", "mine-verifiers"},
	{"Examiner", "Ex", "fairway-examiner", "mine-examiners"},
	{"Administrator of the tenant", "Ad", "fairway-administrator", "mine-administrators"},
	{"system administrator", "Sy", "", identity.GroupSystem},
	{"security administrator", "Se", "", identity.GroupSecurity},
	{"audit administrator", "Au", "", identity.GroupAudit},
	{"founder", "Fo", "", "fairway:administrators"},
	{"somebody without a role", "No", "", "bank-staff"},
}

// person plays the role.
func (r role) person() identity.Person {
	return identity.Person{ID: "m-" + strings.ToLower(r.short), Groups: []string{r.group}}
}

// platform says whether the role holds everywhere.
func (r role) platform() bool { return r.clusterRole == "" && r.short != "No" }

// specs are the least that each kind takes.
var specs = map[string]string{
	"Application": `{"identity":{"system":"S","code":"C","displayName":"x","owner":"o"},"securityLevel":"l3","availabilityClass":"a",
		"components":[{"name":"web","kind":"Service","image":"registry.bank.example/web:1","zone":"business","instances":[{"dcn":"dcn-1","count":1}]}]}`,
	"Revision":        `{"application":"shop","content":"{}","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}`,
	"PlacementPolicy": `{}`,
	"Brake":           `{"reason":"test"}`,
	"Placement":       `{"application":"shop","revision":"shop-0123456789","digest":"sha256:0","assignments":[],"expiresAt":"2030-01-01T00:00:00Z"}`,
	"Release":         `{"application":"shop","kind":"Restart","seats":["web-1"],"reason":"test","ticket":"C-1"}`,
	"MachineImport":   `{"application":"shop","source":"cmdb","observedAt":"2030-01-01T00:00:00Z","instances":[{"component":"web","seat":1,"dcn":"dcn-1","dataCenter":"shared","rack":"r1","host":"vm1","address":"10.1.2.3"}]}`,
	"Delivery": `{"application":"retail-prod/shop","namespace":"retail-prod-shop","intent":"Retire","release":"r1","releaseSequence":1,
		"revision":"shop-0123456789","revisionDigest":"sha256:0","shared":[]}`,
	"Rendering": `{"content":"{}","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}`,
	"ApprovalRequest": `{"act":"release.Deploy","blastRadius":{"clusters":1,"instances":1},"changeClass":"Normal","decideBy":"2030-01-01T00:00:00Z","digest":"sha256:0","number":1,
		"policy":{"content":"{}","digest":"sha256:0","name":"p","standing":"People"},"requester":"m-re","risk":"Low",
		"scope":{"environment":"prod","environmentClass":"Production","tenant":"mine"},"state":"s","subject":{"kind":"Release","name":"shop-1","uid":"u"}}`,
	"Decision":          `{"request":"shop-1","digest":"sha256:0","verdict":"Approve"}`,
	"Amendment":         `{"items":[{"kind":"Person","name":"p","act":"Create","content":"{}"}],"reason":"r"}`,
	"Confirmation":      `{"amendment":"shared","uid":"u","digest":"sha256:0","verdict":"Agree"}`,
	"ApprovalPolicy":    `{"match":{},"automatic":{"when":"false"}}`,
	"ChangeCalendar":    `{"timeZone":"Asia/Shanghai"}`,
	"Freeze":            `{"from":"2030-01-01T00:00:00Z","reason":"year end","scope":{"tenants":["mine"],"environments":["prod"]}}`,
	"Delegation":        `{"principal":"m-ba","delegate":"m-ta","from":"2030-01-01T00:00:00Z","until":"2030-01-02T00:00:00Z","groups":["mine-business"]}`,
	"DataCenter":        `{"city":"Shanghai"}`,
	"NetworkZone":       `{"kind":"Business","acceptedLevels":["l3"]}`,
	"Cluster":           `{"dataCenter":"shared","environment":"prod","connection":{"type":"Push"}}`,
	"Pool":              `{"tenant":"TENANT","securityLevel":"l3","zones":["shared"]}`,
	"DCN":               `{"dataCenter":"shared","environment":"prod"}`,
	"Tenant":            `{"environments":["prod"]}`,
	"Environment":       `{"class":"Production"}`,
	"SecurityLevel":     `{"rank":3}`,
	"AvailabilityClass": `{"rank":3}`,
	"Profile":           `{}`,
	"TagRule":           `{"tag":"io-heavy","query":"vector(1)","enter":"1"}`,
	"Person":            `{"displayName":"x"}`,
	"GroupMapping":      `{"from":"CN=x","groups":["y"]}`,
}

// object is one of a kind, as somebody would write it.
func object(t *testing.T, k httpapi.Kind, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	text, known := specs[k.Kind]
	if !known {
		t.Fatalf("kind %s is new: say in specs what the least of it is, so that it gets its rows", k.Kind)
	}
	tenant, _, _ := strings.Cut(name, "-")
	spec := map[string]any{}
	if err := json.Unmarshal([]byte(strings.ReplaceAll(text, "TENANT", tenant)), &spec); err != nil {
		t.Fatalf("%s: %v", k.Kind, err)
	}
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": k.APIVersion(), "kind": k.Kind, "spec": spec}}
	o.SetName(name)
	if k.Namespaced {
		o.SetNamespace(namespace)
	}
	return o
}

// target is whose an object is.
type target struct {
	namespace string
	// name of the object of a kind.
	name func(k httpapi.Kind) string
}

// targets are the three that each route is asked about.
var targets = []target{
	{mine, func(k httpapi.Kind) string { return named(k, "mine") }},
	{yours, func(k httpapi.Kind) string { return named(k, "yours") }},
	{gone, func(k httpapi.Kind) string {
		if k.Namespaced {
			return named(k, "gone")
		}
		return "gone"
	}},
}

// named is the seeded object of a kind. What the whole bank shares has one object.
func named(k httpapi.Kind, tenant string) string {
	switch {
	case k.Kind == "Revision":
		return "shop-0123456789"
	case k.Kind == "MachineImport":
		return "shop.cmdb"
	case k.Namespaced:
		return "shop"
	case k.Kind == "Tenant":
		return tenant
	case k.Kind == "Pool":
		return tenant + "-pool"
	case k.Kind == "Environment":
		return "prod"
	}
	return "shared"
}

func again(t *testing.T, what string, do func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		if err = do(); err == nil || apierrors.IsAlreadyExists(err) {
			return
		}
	}
	t.Fatalf("could not make %s: %v", what, err)
}

// seed makes the world that is asked about: two tenants with the same things.
func seed(t *testing.T, kinds []httpapi.Kind) {
	t.Helper()
	own := hub.UserClient(t, "fairway", "fairway:system")
	for _, namespace := range []string{mine, yours} {
		tenant, _, _ := strings.Cut(namespace, "-")
		made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: tenancy.Labels(tenant)}}
		made.Labels["tenancy.fairway.cloud/environment"] = "prod"
		again(t, namespace, func() error { return own.Create(t.Context(), made.DeepCopy()) })
	}
	for _, k := range kinds {
		for _, at := range targets[:2] {
			o := object(t, k, at.namespace, at.name(k))
			if k.Kind == "Release" {
				_ = unstructured.SetNestedField(o.Object, "somebody", "spec", "requester")
			}
			if k.Kind == "Brake" {
				_ = unstructured.SetNestedField(o.Object, "somebody", "spec", "by")
			}
			if k.Kind == "Decision" {
				_ = unstructured.SetNestedField(o.Object, "itsm:test", "spec", "author")
			}
			if k.Kind == "Decision" || k.Kind == "Delegation" {
				_ = unstructured.SetNestedField(o.Object, "v1.looks-like-one", "spec", "proof")
			}
			by := own
			if k.Kind == "Amendment" || k.Kind == "Confirmation" {
				by = hub.UserClient(t, "m-se", identity.GroupSecurity)
				_ = unstructured.SetNestedField(o.Object, "m-se", "spec", "author")
				_ = unstructured.SetNestedField(o.Object, "v1.looks-like-one", "spec", "proof")
			}
			if k.Kind == "Delegation" {
				by = hub.UserClient(t, "m-ba", "mine-business")
			}
			again(t, k.Kind+" "+o.GetName(), func() error { return by.Create(t.Context(), o.DeepCopy()) })
		}
	}
	var subjects []string
	for _, r := range roles {
		if r.clusterRole == "" {
			continue
		}
		subjects = append(subjects, "Group:"+r.group)
		binding := tenancy.Action{Namespace: mine, Binding: r.clusterRole, ClusterRole: r.clusterRole, Subjects: []string{"Group:" + r.group}}.Bound("mine")
		again(t, r.clusterRole, func() error { return own.Create(t.Context(), binding.DeepCopy()) })
	}
	for _, k := range kinds {
		for _, r := range roles {
			if k.Kind == "Person" { // so that everybody has a Person of his own
				o := object(t, k, "", r.person().ID)
				again(t, o.GetName(), func() error { return own.Create(t.Context(), o.DeepCopy()) })
			}
		}
	}
	// The policy that writes makers learns of a new kind in its own time.
	releaser := hub.UserClient(t, roles[3].person().ID, roles[3].group)
	at := slices.IndexFunc(kinds, func(k httpapi.Kind) bool { return k.Kind == "Application" })
	again(t, "an application as a person", func() error {
		return releaser.Create(t.Context(), object(t, kinds[at], mine, "warm"), client.DryRunAll)
	})
	reader, binding := tenancy.Action{Subjects: subjects, Pools: []string{"mine-pool"}}.Reading("mine")
	for _, o := range []client.Object{reader, binding} {
		again(t, o.GetName(), func() error { return own.Create(t.Context(), o.DeepCopyObject().(client.Object)) })
	}
}
