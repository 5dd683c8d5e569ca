// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/fleet"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/platform/members"
	"github.com/fairway-cloud/fairway/internal/platform/members/memberstest"
)

const (
	poolLabel = "fairway.node-restriction.kubernetes.io/pool"
	poolTaint = "fleet.fairway.cloud/pool"
)

func tolerate(t corev1.Toleration) func(*corev1.PodSpec) {
	return func(s *corev1.PodSpec) { s.Tolerations = []corev1.Toleration{t} }
}

func affinity(terms ...corev1.NodeSelectorTerm) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
	}}
}

func inPools(pools ...string) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: poolLabel, Operator: corev1.NodeSelectorOpIn, Values: pools}}}
}

func ours(pool string) corev1.Toleration {
	return corev1.Toleration{Key: poolTaint, Operator: corev1.TolerationOpEqual, Value: pool, Effect: corev1.TaintEffectNoSchedule}
}

// guardedMember starts a member and waits until it keeps the rules.
func guardedMember(t *testing.T, opts ...kubetest.Option) (*kubetest.Cluster, members.Member, *guards, *notes) {
	t.Helper()
	cluster := kubetest.Start(t, opts...)
	source := memberstest.New(t)
	// Fairway has an account of its own, so that a cluster's administrator is somebody else.
	m := source.Add("east-1", cluster.UserConfig(t, "fairway", "system:masters"))
	written := &notes{}
	g := &guards{gate: approval.Unrestricted{}, recorder: written}
	object := &fleetv1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "east-1"}, Spec: fleetv1.ClusterSpec{Environment: "prod"}}
	eventually(t, "the rules are kept", func() error {
		how, err := g.Ensure(t.Context(), object, m)
		if err == nil && how != "Policy" {
			return fmt.Errorf("guarded by %q", how)
		}
		return err
	})
	return cluster, m, g, written
}

func TestGuardOnARealServer(t *testing.T) {
	cluster, m, g, written := guardedMember(t)
	admin := cluster.Client()
	fairway := m.Client()

	tenant := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:        "retail-prod-other",
		Labels:      map[string]string{"app.kubernetes.io/managed-by": "fairway", "app.fairway.cloud/tenant": "retail", "pod-security.kubernetes.io/enforce": "restricted"},
		Annotations: map[string]string{"fleet.fairway.cloud/pools": "retail-business,retail-core"},
	}}
	if err := fairway.Create(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	// The rules about pods are what is tried here, not Pod Security's.
	tenant.Labels["pod-security.kubernetes.io/enforce"] = "privileged"
	if err := fairway.Update(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	const home = "retail-prod-other"
	foreign := cluster.Namespace(t)

	pods := map[string]struct {
		reason    string
		namespace string
		change    func(*corev1.PodSpec)
		want      string // part of the refusal; empty: passes
	}{
		"plain":                    {reason: "an ordinary pod elsewhere", namespace: foreign},
		"own taints":               {reason: "tolerating other taints is nobody's business", namespace: foreign, change: tolerate(corev1.Toleration{Key: "gpu", Operator: corev1.TolerationOpExists})},
		"stays on lost hosts":      {reason: "a toleration of evictions does not put it onto a pool", namespace: foreign, change: tolerate(corev1.Toleration{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute})},
		"tolerates a pool":         {reason: "a pod of nobody on a tenant's hosts", namespace: foreign, change: tolerate(ours("retail-core")), want: "only tenants' applications may tolerate"},
		"tolerates any pool":       {reason: "the same for every pool", namespace: foreign, change: tolerate(corev1.Toleration{Key: poolTaint, Operator: corev1.TolerationOpExists}), want: "only tenants' applications may tolerate"},
		"tolerates all":            {reason: "as node agents do", namespace: foreign, change: tolerate(corev1.Toleration{Operator: corev1.TolerationOpExists}), want: "toleration of everything"},
		"tolerates all NoSchedule": {reason: "the same by another road", namespace: foreign, change: tolerate(corev1.Toleration{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}), want: "toleration of everything"},
		"names its host":           {reason: "past the scheduler taints do not count", namespace: foreign, change: func(s *corev1.PodSpec) { s.NodeName = "east-core-1" }, want: "may not name its host"},
		"selects a pool":           {reason: "it would wait for a taint to be lost", namespace: foreign, change: func(s *corev1.PodSpec) { s.NodeSelector = map[string]string{poolLabel: "retail-core"} }, want: "may select a pool"},
		"affine to a pool":         {reason: "the same by affinity", namespace: foreign, change: func(s *corev1.PodSpec) { s.Affinity = affinity(inPools("retail-core")) }, want: "may select a pool"},
		"node agent of the cluster": {
			reason: "the cluster's own agents run everywhere", namespace: "kube-system", change: tolerate(corev1.Toleration{Operator: corev1.TolerationOpExists}),
		},

		"as Fairway renders": {
			reason: "the pool by affinity, its taint, and those of lost hosts", namespace: home,
			change: func(s *corev1.PodSpec) {
				seconds := int64(30)
				s.Affinity = affinity(inPools("retail-core"))
				s.Tolerations = []corev1.Toleration{ours("retail-core"),
					{Key: "node.kubernetes.io/unreachable", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &seconds}}
			},
		},
		"by selector": {
			reason: "a node selector says it too", namespace: home,
			change: func(s *corev1.PodSpec) {
				s.NodeSelector = map[string]string{poolLabel: "retail-business"}
				s.Tolerations = []corev1.Toleration{ours("retail-business")}
			},
		},
		"anywhere":       {reason: "a tenant's pod outside its pools", namespace: home, want: "must select one of the pools"},
		"another's pool": {reason: "a pool that is not on the namespace", namespace: home, change: func(s *corev1.PodSpec) { s.Affinity = affinity(inPools("cards-business")) }, want: "must select one of the pools"},
		"also another's": {reason: "one of the two is not on the namespace", namespace: home, change: func(s *corev1.PodSpec) { s.Affinity = affinity(inPools("retail-core", "cards-business")) }, want: "must select one of the pools"},
		"or anywhere": {reason: "terms are alternatives: the second leads out", namespace: home, change: func(s *corev1.PodSpec) {
			s.Affinity = affinity(inPools("retail-core"), corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "zone", Operator: corev1.NodeSelectorOpExists}}})
		}, want: "must select one of the pools"},
		"any pool": {reason: "Exists means every pool", namespace: home, change: func(s *corev1.PodSpec) {
			s.Affinity = affinity(corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: poolLabel, Operator: corev1.NodeSelectorOpExists}}})
		}, want: "must select one of the pools"},
		"all but a pool": {reason: "NotIn leads out", namespace: home, change: func(s *corev1.PodSpec) {
			s.Affinity = affinity(corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: poolLabel, Operator: corev1.NodeSelectorOpNotIn, Values: []string{"retail-core"}}}})
		}, want: "must select one of the pools"},
		"preferred only": {reason: "a wish does not hold it", namespace: home, change: func(s *corev1.PodSpec) {
			s.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{Weight: 1, Preference: inPools("retail-core")}}}}
		}, want: "must select one of the pools"},
		"host by its name": {reason: "a field instead of the label", namespace: home, change: func(s *corev1.PodSpec) {
			s.Affinity = affinity(corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"east-cards-1"}}}})
		}, want: "must select one of the pools"},
		"tenant names a host": {
			reason: "past the scheduler its pool does not count", namespace: home,
			change: func(s *corev1.PodSpec) { s.NodeName, s.Affinity = "east-cards-1", affinity(inPools("retail-core")) }, want: "may not name its host",
		},
		"tenant tolerates another's pool": {
			reason: "a toleration of a pool that is not its own", namespace: home,
			change: func(s *corev1.PodSpec) {
				s.Affinity, s.Tolerations = affinity(inPools("retail-core")), []corev1.Toleration{ours("cards-business")}
			},
			want: "may tolerate only the taints",
		},
		"tenant tolerates all": {
			reason: "a toleration of everything", namespace: home,
			change: func(s *corev1.PodSpec) {
				s.Affinity, s.Tolerations = affinity(inPools("retail-core")), []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
			},
			want: "may tolerate only the taints",
		},
		"tenant on cordoned hosts": {
			reason: "a host under maintenance is left alone", namespace: home,
			change: func(s *corev1.PodSpec) {
				s.Affinity, s.Tolerations = affinity(inPools("retail-core")), []corev1.Toleration{{Key: "node.kubernetes.io/unschedulable", Operator: corev1.TolerationOpExists}}
			},
			want: "may tolerate only the taints",
		},
	}
	for name, tc := range pods {
		t.Run("pod "+name, func(t *testing.T) {
			err := admin.Create(t.Context(), pod(tc.namespace, strings.ReplaceAll(strings.ToLower(strings.ReplaceAll(name, "'", "")), " ", "-"), tc.change))
			refused(t, tc.reason, tc.want, err)
		})
	}

	t.Run("pods of the example bank", func(t *testing.T) { bankPasses(t, m) })

	plain := &corev1.Pod{}
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: foreign, Name: "plain"}, plain); err != nil {
		t.Fatal(err)
	}
	others := map[string]struct {
		reason string
		do     func() error
		want   string
	}{
		"toleration added later": {
			reason: "tolerations can be added to a pod that waits",
			do: func() error {
				changed := plain.DeepCopy()
				changed.Spec.Tolerations = append(changed.Spec.Tolerations, ours("retail-core"))
				return admin.Update(t.Context(), changed)
			}, want: "only tenants' applications may tolerate",
		},
		"unrelated change": {
			reason: "labels of a pod may change",
			do: func() error {
				changed := plain.DeepCopy()
				changed.Labels = map[string]string{"x": "y"}
				return admin.Update(t.Context(), changed)
			},
		},
		"bound by hand": {
			reason: "a binding is a nodeName by another road",
			do: func() error {
				return admin.SubResource("binding").Create(t.Context(), plain, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: "east-core-1"}})
			}, want: "only the scheduler",
		},
		"namespace with pools": {
			reason: "a namespace of one's own with somebody's pools",
			do: func() error {
				return admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "sneaky", Annotations: map[string]string{"fleet.fairway.cloud/pools": "retail-core"}}})
			}, want: "only Fairway writes the annotation",
		},
		"namespace that looks like ours": {
			reason: "the label that says who made it",
			do: func() error {
				return admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "sneaky", Labels: map[string]string{"app.kubernetes.io/managed-by": "fairway"}}})
			}, want: "only Fairway makes namespaces",
		},
		"pools added": {
			reason: "another pool for an application",
			do: func() error {
				return admin.Patch(t.Context(), tenant.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"fleet.fairway.cloud/pools":"cards-business"}}}`)))
			}, want: "only Fairway writes the annotation",
		},
		"pools added through status": {
			reason: "metadata can be changed through a subresource too",
			do: func() error {
				changed := tenant.DeepCopy()
				changed.Annotations["fleet.fairway.cloud/pools"] = "cards-business"
				return admin.Status().Update(t.Context(), changed)
			}, want: "only Fairway writes the annotation",
		},
		"pools added through finalize": {
			reason: "metadata can be changed through a subresource too",
			do: func() error {
				changed := tenant.DeepCopy()
				changed.Annotations["fleet.fairway.cloud/pools"] = "cards-business"
				return admin.SubResource("finalize").Update(t.Context(), changed)
			}, want: "only Fairway writes the annotation",
		},
		"isolation label dropped": {
			reason: "network policies go by the tenant's label",
			do: func() error {
				return admin.Patch(t.Context(), tenant.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"app.fairway.cloud/tenant":null}}}`)))
			}, want: "labels that isolation rests on",
		},
		"Pod Security weakened": {
			reason: "the standard is the level's",
			do: func() error {
				return admin.Patch(t.Context(), tenant.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"baseline"}}}`)))
			}, want: "labels that isolation rests on",
		},
		"other label": {
			reason: "labels of other tools are free",
			do: func() error {
				return admin.Patch(t.Context(), tenant.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"backup":"yes"}}}`)))
			},
		},
		"host registers itself into a pool": {
			reason: "a host brings its own label",
			do: func() error {
				return admin.Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: map[string]string{poolLabel: "retail-core"}}})
			}, want: "only Fairway gives a host to a pool",
		},
		"host registers": {
			reason: "an ordinary host",
			do: func() error {
				return admin.Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n2"}})
			},
		},
		"host marked by Fairway": {
			reason: "label and taint in one change",
			do:     func() error { return carryOut(t.Context(), m, fleet.Mark{Host: "n2", Pool: "retail-core"}) },
		},
	}
	order := []string{
		"toleration added later", "unrelated change", "bound by hand", "namespace with pools", "namespace that looks like ours", "pools added",
		"pools added through status", "pools added through finalize", "isolation label dropped", "Pod Security weakened", "other label",
		"host registers itself into a pool", "host registers", "host marked by Fairway",
	}
	if len(order) != len(others) {
		t.Fatal("every case is tried")
	}
	for _, name := range order {
		t.Run(name, func(t *testing.T) { refused(t, others[name].reason, others[name].want, others[name].do()) })
	}

	node := &corev1.Node{}
	if err := admin.Get(t.Context(), client.ObjectKey{Name: "n2"}, node); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*corev1.Node){
		"label": func(n *corev1.Node) { n.Labels[poolLabel] = "cards-business" },
		"taint": func(n *corev1.Node) { n.Spec.Taints = nil },
	} {
		changed := node.DeepCopy()
		change(changed)
		refused(t, "a host's "+what+" is changed by hand", "only Fairway", admin.Update(t.Context(), changed))
	}

	t.Run("unchanged rules cost nothing", func(t *testing.T) {
		acts := len(written.verbs())
		object := &fleetv1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "east-1"}}
		if _, err := g.Ensure(t.Context(), object, m); err != nil {
			t.Fatal(err)
		}
		if now := len(written.verbs()); now != acts {
			t.Errorf("%d acts although nothing changed", now-acts)
		}
	})
	t.Run("changed rules are put back", func(t *testing.T) {
		policy := &admissionv1.ValidatingAdmissionPolicy{}
		if err := admin.Get(t.Context(), client.ObjectKey{Name: "fairway-pods"}, policy); err != nil {
			t.Fatal(err)
		}
		policy.Spec.Validations = policy.Spec.Validations[:1]
		if err := admin.Update(t.Context(), policy); err != nil {
			t.Fatal(err)
		}
		if err := admin.Delete(t.Context(), &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "fairway-pods"}}); err != nil {
			t.Fatal(err)
		}
		object := &fleetv1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "east-1"}}
		eventually(t, "the rules are back", func() error {
			if _, err := g.Ensure(t.Context(), object, m); err != nil {
				return err
			}
			if err := admin.Get(t.Context(), client.ObjectKey{Name: "fairway-pods"}, policy); err != nil || len(policy.Spec.Validations) < 2 {
				return fmt.Errorf("%d rules, %v", len(policy.Spec.Validations), err)
			}
			return admin.Get(t.Context(), client.ObjectKey{Name: "fairway-pods"}, &admissionv1.ValidatingAdmissionPolicyBinding{})
		})
	})
	t.Run("a closed gate stops the writing", func(t *testing.T) {
		shut := &guards{gate: closed{}, recorder: written}
		if err := admin.Delete(t.Context(), &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "fairway-nodes"}}); err != nil {
			t.Fatal(err)
		}
		object := &fleetv1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "east-1"}}
		eventually(t, "the refusal is told", func() error {
			_, err := shut.Ensure(t.Context(), object, m)
			if !errors.Is(err, errRefused) {
				return fmt.Errorf("got %v", err)
			}
			return nil
		})
	})
}

func refused(t *testing.T, reason, want string, err error) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: must pass, got %v", reason, err)
	case want != "" && err == nil:
		t.Errorf("%s: must be refused", reason)
	case want != "" && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: got %v, want a refusal with %q", reason, err, want)
	}
}

// A DaemonSet's pods are made by a controller of the cluster: they are refused
// like anybody's.
func TestGuardRefusesDaemonSets(t *testing.T) {
	cluster, m, _, _ := guardedMember(t, kubetest.WithControllerManager(), kubetest.WithScheduler())
	admin := cluster.Client()
	for _, name := range []string{"free", "owned"} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := admin.Create(t.Context(), node); err != nil {
			t.Fatal(err)
		}
	}
	if err := carryOut(t.Context(), m, fleet.Mark{Host: "owned", Pool: "retail-core"}); err != nil {
		t.Fatal(err)
	}
	namespace := cluster.Namespace(t)
	daemons := func(name string, tolerations ...corev1.Toleration) *appsv1.DaemonSet {
		labels := map[string]string{"app": name}
		return &appsv1.DaemonSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec: appsv1.DaemonSetSpec{
				Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec:       corev1.PodSpec{Tolerations: tolerations, Containers: []corev1.Container{{Name: "c", Image: "registry/x:1"}}},
				},
			},
		}
	}
	for _, set := range []*appsv1.DaemonSet{daemons("modest"), daemons("greedy", corev1.Toleration{Operator: corev1.TolerationOpExists})} {
		if err := admin.Create(t.Context(), set); err != nil {
			t.Fatal(err)
		}
	}
	podsOf := func(name string) ([]corev1.Pod, error) {
		pods := &corev1.PodList{}
		err := admin.List(t.Context(), pods, client.InNamespace(namespace), client.MatchingLabels{"app": name})
		return pods.Items, err
	}
	eventually(t, "the modest DaemonSet has its pod on the free host only", func() error {
		pods, err := podsOf("modest")
		if err != nil || len(pods) != 1 {
			return fmt.Errorf("%d pods, %v", len(pods), err)
		}
		return nil
	})
	eventually(t, "the greedy one is told why it has none", func() error {
		events := &corev1.EventList{}
		if err := admin.List(t.Context(), events, client.InNamespace(namespace)); err != nil {
			return err
		}
		for _, event := range events.Items {
			if event.InvolvedObject.Name == "greedy" && strings.Contains(event.Message, "toleration of everything") {
				return nil
			}
		}
		return errors.New("no event yet")
	})
	if pods, err := podsOf("greedy"); err != nil || len(pods) != 0 {
		t.Errorf("a DaemonSet that tolerates everything must get no pods: %d, %v", len(pods), err)
	}
}
