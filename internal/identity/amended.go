// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity

import (
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// Guarded is a kind that nobody changes alone.
type Guarded struct {
	// Kind, and where the hub serves it.
	Kind, Group, Version, Resource string
}

// GuardedKinds are all of them, cluster-scoped. The admission policy
// fairway-identity-two (config/admission/identity.yaml) keeps the same list, which a test
// compares; another kind is another line here, there, and in the enumeration of
// AmendmentItem.kind.
var GuardedKinds = []Guarded{
	{Kind: "Person", Group: "identity.fairway.cloud", Version: "v1alpha1", Resource: "people"},
	{Kind: "GroupMapping", Group: "identity.fairway.cloud", Version: "v1alpha1", Resource: "groupmappings"},
	{Kind: "ApprovalPolicy", Group: "approval.fairway.cloud", Version: "v1alpha1", Resource: "approvalpolicies"},
}

// KindAccount of an item is a local account, which is no object of the hub.
const KindAccount = "Account"

// GuardedKind finds one by its name.
func GuardedKind(kind string) (Guarded, bool) {
	at := slices.IndexFunc(GuardedKinds, func(g Guarded) bool { return g.Kind == kind })
	if at < 0 {
		return Guarded{}, false
	}
	return GuardedKinds[at], true
}

// GroupFounder is the group of the founder, who needs no second person as long as the
// hub binds him (config/rbac/founder.yaml): at first there is nobody else.
const GroupFounder = "fairway:administrators"

// Alone says that somebody with these groups changes who is who without another person.
func Alone(groups []string) bool { return slices.Contains(groups, GroupFounder) }

// written holds what of an object is compared and written: never a status.
type written struct {
	Annotations map[string]string `json:"annotations,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Spec        any               `json:"spec,omitempty"`
}

// own are annotations that belong to whoever writes the object, not to what it says.
var own = []string{identityv1.AnnotationAmendment, "kubectl.kubernetes.io/last-applied-configuration"}

// ContentOf an object is what an Amendment says of it, as canonical JSON.
func ContentOf(object map[string]any) (string, error) {
	w := written{Spec: object["spec"]}
	if meta, ok := object["metadata"].(map[string]any); ok {
		w.Annotations, w.Labels = texts(meta["annotations"]), texts(meta["labels"])
	}
	for _, name := range own {
		delete(w.Annotations, name)
	}
	return canonical.JSON(w)
}

func texts(in any) map[string]string {
	out := map[string]string{}
	if given, ok := in.(map[string]any); ok {
		for name, value := range given {
			if text, ok := value.(string); ok {
				out[name] = text
			}
		}
	}
	return out
}

// OpenContent reads what an item says of an object back.
func OpenContent(content string) (annotations, labels map[string]string, spec map[string]any, err error) {
	var w struct {
		Annotations map[string]string `json:"annotations"`
		Labels      map[string]string `json:"labels"`
		Spec        map[string]any    `json:"spec"`
	}
	if err := json.Unmarshal([]byte(content), &w); err != nil {
		return nil, nil, nil, fmt.Errorf("could not read what is to be written: %w", err)
	}
	for _, name := range own {
		delete(w.Annotations, name)
	}
	return w.Annotations, w.Labels, w.Spec, nil
}

// AccountContent is what an Amendment says of a local account.
type AccountContent struct {
	// Person that the account belongs to.
	Person string `json:"person"`
}

// about says by what an item with that content is about a person, or about a group of
// his: his Person, an alias of his, his account, or what a group means that he is in.
func about(people *People, item identityv1.AmendmentItem, content, person string, groups []string) string {
	mine := func(name string) bool { return name != "" && people.Same(name, person) }
	switch item.Kind {
	case "Person":
		if mine(item.Name) {
			return "Person " + item.Name
		}
		var p struct{ Spec identityv1.PersonSpec }
		if content != "" && json.Unmarshal([]byte(content), &p) != nil {
			return "a content that cannot be read"
		}
		for _, alias := range p.Spec.Aliases {
			if mine(alias.Name) {
				return "alias " + alias.Name
			}
		}
	case "GroupMapping":
		var m struct{ Spec identityv1.GroupMappingSpec }
		if content != "" && json.Unmarshal([]byte(content), &m) != nil {
			return "a content that cannot be read"
		}
		if slices.Contains(groups, m.Spec.From) {
			return "his group " + m.Spec.From
		}
	case KindAccount:
		var a AccountContent
		if content != "" && json.Unmarshal([]byte(content), &a) != nil {
			return "a content that cannot be read"
		}
		if mine(a.Person) {
			return "his account " + item.Name
		}
	}
	return ""
}

// Holds says whether a person has a duty now: by his Person, or by what one of the groups
// that his login vouched for means.
func (p *People) Holds(id string, groups []string, duty identityv1.Duty) bool {
	if group := GroupOf(duty); group == "" || !slices.Contains(groups, group) {
		return false
	}
	if p.Duty(id) == duty {
		return true
	}
	return p.Duty(id) == identityv1.DutyNone && slices.ContainsFunc(groups, func(g string) bool {
		return slices.ContainsFunc(p.mappings[g], func(m identityv1.GroupMapping) bool { return m.Spec.Duty == duty })
	})
}

// Narrows says whether a change only takes away, which one person may do alone: the way
// to safety waits for nobody. A person is kept out, earlier than before, or loses groups
// or the duty. Everything else stays: to take an alias away would make two people of one.
// The admission policy fairway-identity-two says the same in CEL.
func Narrows(before, after identityv1.PersonSpec) bool {
	if after.State != before.State && after.State != identityv1.StateDisabled || after.Duty != before.Duty && after.Duty != identityv1.DutyNone {
		return false
	}
	for _, g := range after.Groups {
		if !slices.Contains(before.Groups, g) {
			return false
		}
	}
	if !earlier(before.ValidUntil, after.ValidUntil) {
		return false
	}
	before.State, before.Duty, before.Groups, before.ValidUntil = after.State, after.Duty, after.Groups, after.ValidUntil
	return equality.Semantic.DeepEqual(before, after)
}

func earlier(before, after *metav1.Time) bool {
	switch {
	case before == nil:
		return true
	case after == nil:
		return false
	}
	return !after.After(before.Time)
}
