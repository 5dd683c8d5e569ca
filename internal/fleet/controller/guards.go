// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/fleet"
	"github.com/fairway-cloud/fairway/internal/platform/members"
)

// System is the person id under which Fairway itself acts.
const System = "fairway"

// errNotEnforcedYet says that a member has the rules but does not keep them
// yet: it takes up a second to learn a rule.
var errNotEnforcedYet = errors.New("the rules are not kept yet")

// guards writes the rules that keep foreign pods off pools into members, puts
// them back where somebody changed them, and tries whether they are kept.
type guards struct {
	gate     approval.Gate
	recorder audit.Recorder

	mu    sync.Mutex
	known map[string]guarded // by cluster
}

// guarded is what is known of one connection to a member.
type guarded struct {
	member members.Member
	self   string
	kept   bool
}

// Ensure returns how the member keeps foreign pods off pools.
func (g *guards) Ensure(ctx context.Context, cluster *fleetv1.Cluster, m members.Member) (string, error) {
	const group = "admissionregistration.k8s.io/v1"
	if !m.Served().Kind(group, "ValidatingAdmissionPolicy") || !m.Served().Kind(group, "ValidatingAdmissionPolicyBinding") {
		return fleet.PodAdmissionNone, nil
	}
	known, err := g.recall(ctx, m)
	if err != nil {
		return "", err
	}
	wrong, err := differing(ctx, m, fleet.Guard(known.self))
	if err != nil {
		return "", err
	}
	if len(wrong) > 0 {
		if err := g.write(ctx, cluster, m, wrong); err != nil {
			return "", err
		}
		known.kept = false
	}
	if !known.kept {
		if err := try(ctx, m); err != nil {
			return "", err
		}
		known.kept = true
	}
	g.mu.Lock()
	g.known[m.Name()] = known
	g.mu.Unlock()
	return fleet.PodAdmissionPolicy, nil
}

// recall returns what is known of this connection, asking the member who
// Fairway is there the first time.
func (g *guards) recall(ctx context.Context, m members.Member) (guarded, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known == nil {
		g.known = map[string]guarded{}
	}
	if known, ok := g.known[m.Name()]; ok && known.member == m {
		return known, nil
	}
	review := &authenticationv1.SelfSubjectReview{}
	if err := m.Client().Create(ctx, review); err != nil {
		return guarded{}, fmt.Errorf("could not ask cluster %q for the name of Fairway's account: %w", m.Name(), err)
	}
	known := guarded{member: m, self: review.Status.UserInfo.Username}
	g.known[m.Name()] = known
	return known, nil
}

// differing lists the rules that the member does not have as wanted, read from
// the member's cache: an idle fleet costs no request.
func differing(ctx context.Context, m members.Member, wanted []fleet.Guarded) ([]client.Object, error) {
	var wrong []client.Object
	for _, want := range wanted {
		policy := &admissionv1.ValidatingAdmissionPolicy{}
		err := m.Cache().Get(ctx, client.ObjectKeyFromObject(want.Policy), policy)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("could not read the rules in cluster %q: %w", m.Name(), err)
		}
		if err != nil || !equality.Semantic.DeepEqual(policy.Spec, want.Policy.Spec) {
			wrong = append(wrong, want.Policy)
		}
		binding := &admissionv1.ValidatingAdmissionPolicyBinding{}
		err = m.Cache().Get(ctx, client.ObjectKeyFromObject(want.Binding), binding)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("could not read the rules in cluster %q: %w", m.Name(), err)
		}
		if err != nil || !equality.Semantic.DeepEqual(binding.Spec, want.Binding.Spec) {
			wrong = append(wrong, want.Binding)
		}
	}
	return wrong, nil
}

func (g *guards) write(ctx context.Context, cluster *fleetv1.Cluster, m members.Member, wrong []client.Object) error {
	var details []string
	for _, object := range wrong {
		details = append(details, "apply "+object.GetObjectKind().GroupVersionKind().Kind+"/"+object.GetName())
	}
	slices.Sort(details)
	return act(ctx, g.gate, g.recorder, cluster, "fleet.guard", details, func(ctx context.Context) error {
		for _, object := range wrong {
			raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
			if err != nil {
				return err
			}
			err = m.Client().Apply(ctx, applied(raw), client.FieldOwner(members.FieldOwner), client.ForceOwnership)
			if err != nil {
				return fmt.Errorf("could not write the rule %q: %w", object.GetName(), err)
			}
		}
		return nil
	})
}

// try sends a pod that must be refused, as a dry run.
func try(ctx context.Context, m members.Member) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	intruder := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, GenerateName: "fairway-try-"},
		Spec: corev1.PodSpec{
			// As hardened as any standard asks, so that only our rule can refuse it.
			Containers: []corev1.Container{{Name: "try", Image: "try", SecurityContext: &corev1.SecurityContext{
				RunAsNonRoot: ptr.To(true), AllowPrivilegeEscalation: ptr.To(false),
				Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			}}},
			Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		},
	}
	err := m.Client().Create(ctx, intruder, client.DryRunAll)
	switch {
	case err == nil:
		return fmt.Errorf("could not see cluster %q refuse a foreign pod: %w", m.Name(), errNotEnforcedYet)
	case apierrors.IsForbidden(err) && fleet.GuardRefusal(err.Error()):
		return nil
	}
	return fmt.Errorf("could not try whether cluster %q refuses foreign pods: %w", m.Name(), err)
}
