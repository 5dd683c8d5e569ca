// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package fleet

import (
	"fmt"
	"strconv"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
)

// Guarded is one rule that a member's API server keeps.
type Guarded struct {
	Policy  *admissionv1.ValidatingAdmissionPolicy
	Binding *admissionv1.ValidatingAdmissionPolicyBinding
}

// GuardNamespaces are exempt from the rules about pods: node agents of the
// cluster and of Fairway run there. Who may write to them is RBAC's matter.
var GuardNamespaces = []string{metav1.NamespaceSystem, fleetv1.SystemNamespace}

// Guard returns the rules that keep foreign pods off the pools of a member
// (architecture, section 3, "Members"). self is the account that Fairway itself
// has there, as the member names it; only it changes what the rules rely on:
//
//   - pods outside tenants' namespaces neither tolerate a pool's taint nor select a pool;
//   - pods in a tenant's namespace select one of the pools on its annotation, and
//     tolerate only what is on a list;
//   - nobody puts a pod onto a host past the scheduler;
//   - the annotation, the labels that isolation rests on, and hosts' pool labels
//     and taints stay as Fairway wrote them.
func Guard(self string) []Guarded {
	me := "request.userInfo.username == " + strconv.QuoteToASCII(self)
	return []Guarded{guardPods(), guardBindings(), guardNamespaces(me), guardNodes(me)}
}

func guardPods() Guarded {
	pool, taint := quote(fleetv1.LabelPool), quote(fleetv1.TaintPool)
	terms := "(has(object.spec.affinity) && has(object.spec.affinity.nodeAffinity) && has(object.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution)" +
		" ? object.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms : [])"
	return guard("fairway-pods", []string{"pods"}, []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
		[]admissionv1.Variable{
			{Name: "tenants", Expression: "has(namespaceObject.metadata.annotations) && " + quote(appv1.AnnotationPools) + " in namespaceObject.metadata.annotations"},
			{Name: "pools", Expression: "variables.tenants ? namespaceObject.metadata.annotations[" + quote(appv1.AnnotationPools) + "].split(',').filter(p, p != '') : []"},
			{Name: "tolerations", Expression: "has(object.spec.tolerations) ? object.spec.tolerations : []"},
			{Name: "selector", Expression: "has(object.spec.nodeSelector) ? object.spec.nodeSelector : {}"},
			{Name: "terms", Expression: terms},
			// Updates that touch none of it pass, so that old pods can be finished.
			{Name: "asks", Expression: "request.operation == 'CREATE' || object.spec.?tolerations != oldObject.spec.?tolerations" +
				" || object.spec.?nodeSelector != oldObject.spec.?nodeSelector || object.spec.?affinity != oldObject.spec.?affinity"},
		},
		rule("request.operation != 'CREATE' || !has(object.spec.nodeName) || object.spec.nodeName == '' || 'system:nodes' in request.userInfo.groups",
			"a pod may not name its host (spec.nodeName): select hosts by labels and leave the choice to the scheduler"),
		rule("!variables.asks || variables.tenants || variables.tolerations.all(t, !(has(t.key) && t.key == "+taint+
			") && ((has(t.key) && t.key != '') || !(has(t.operator) && t.operator == 'Exists') || (has(t.effect) && t.effect != '' && t.effect != 'NoSchedule')))",
			"only tenants' applications may tolerate the taint of a pool: name the taints that the pod really needs, without "+fleetv1.TaintPool+" and without a toleration of everything"),
		rule("!variables.asks || variables.tenants || (!("+pool+" in variables.selector) && !variables.terms.exists(term, has(term.matchExpressions) && term.matchExpressions.exists(e, e.key == "+pool+")))",
			"only tenants' applications may select a pool: remove "+fleetv1.LabelPool+" from nodeSelector and affinity"),
		rule("!variables.asks || !variables.tenants || variables.tolerations.all(t, has(t.key) && (t.key in ["+quoteAll(tolerated)+"]"+
			" || (t.key == "+taint+" && (!has(t.operator) || t.operator == '' || t.operator == 'Equal') && has(t.value) && t.value in variables.pools)))",
			"a tenant's pod may tolerate only the taints of the pools on its namespace and of troubled hosts: remove the other tolerations"),
		rule("!variables.asks || !variables.tenants || ("+pool+" in variables.selector && variables.selector["+pool+"] in variables.pools)"+
			" || (size(variables.terms) > 0 && variables.terms.all(term, has(term.matchExpressions) && term.matchExpressions.exists(e, e.key == "+pool+
			" && e.operator == 'In' && size(e.values) > 0 && e.values.all(v, v in variables.pools))))",
			"a tenant's pod must select one of the pools on its namespace: nodeSelector "+fleetv1.LabelPool+", or every term of its required node affinity"),
	)
}

// tolerated are the taints of troubled hosts and of simulated ones, which any
// tenant's pod may tolerate: its selection of a pool still holds.
var tolerated = []string{
	"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable", "node.kubernetes.io/memory-pressure",
	"node.kubernetes.io/disk-pressure", "node.kubernetes.io/pid-pressure", fleetv1.LabelSimulated,
}

func guardBindings() Guarded {
	return guard("fairway-bindings", []string{"pods/binding", "bindings"}, []admissionv1.OperationType{admissionv1.Create}, nil,
		rule("request.userInfo.username == 'system:kube-scheduler'",
			"only the scheduler puts pods onto hosts: create the pod and leave the choice to it"))
}

func guardNamespaces(me string) Guarded {
	kept := "k.startsWith('pod-security.kubernetes.io/') || k.startsWith('app.fairway.cloud/') || k.startsWith('fleet.fairway.cloud/') || k.startsWith('tenancy.fairway.cloud/') || k == " + quote(appv1.LabelManagedBy)
	return guard("fairway-namespaces", []string{"namespaces", "namespaces/finalize", "namespaces/status"},
		[]admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
		[]admissionv1.Variable{
			{Name: "me", Expression: me},
			{Name: "labels", Expression: "has(object.metadata.labels) ? object.metadata.labels : {}"},
			{Name: "before", Expression: "oldObject != null && has(oldObject.metadata.labels) ? oldObject.metadata.labels : {}"},
			{Name: "ours", Expression: "oldObject != null && " + quote(appv1.LabelManagedBy) + " in variables.before && variables.before[" + quote(appv1.LabelManagedBy) + "] == " + quote(appv1.ManagedBy)},
			{Name: "pools", Expression: "has(object.metadata.annotations) && " + quote(appv1.AnnotationPools) + " in object.metadata.annotations ? object.metadata.annotations[" + quote(appv1.AnnotationPools) + "] : ''"},
			{Name: "poolsBefore", Expression: "oldObject != null && has(oldObject.metadata.annotations) && " + quote(appv1.AnnotationPools) + " in oldObject.metadata.annotations ? oldObject.metadata.annotations[" + quote(appv1.AnnotationPools) + "] : ''"},
		},
		rule("variables.me || variables.pools == variables.poolsBefore",
			"only Fairway writes the annotation "+appv1.AnnotationPools+": ask for pools in the tenant's model"),
		rule("variables.me || variables.ours || !("+quote(appv1.LabelManagedBy)+" in variables.labels && variables.labels["+quote(appv1.LabelManagedBy)+"] == "+quote(appv1.ManagedBy)+")",
			"only Fairway makes namespaces that it manages: leave out the label "+appv1.LabelManagedBy),
		rule("variables.me || !variables.ours || (variables.labels.all(k, !("+kept+") || (k in variables.before && variables.before[k] == variables.labels[k])) && variables.before.all(k, !("+kept+") || k in variables.labels))",
			"the labels that isolation rests on are Fairway's own: change the application's model instead"),
	)
}

func guardNodes(me string) Guarded {
	pool, taint := quote(fleetv1.LabelPool), quote(fleetv1.TaintPool)
	label := func(of string) string {
		return of + " != null && has(" + of + ".metadata.labels) && " + pool + " in " + of + ".metadata.labels ? " + of + ".metadata.labels[" + pool + "] : ''"
	}
	taints := func(of string) string {
		return of + " != null && has(" + of + ".spec.taints) ? " + of + ".spec.taints.filter(t, t.key == " + taint + ").map(t, (has(t.value) ? t.value : '') + ':' + t.effect) : []"
	}
	return guard("fairway-nodes", []string{"nodes", "nodes/status"}, []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
		[]admissionv1.Variable{
			{Name: "me", Expression: me},
			{Name: "label", Expression: label("object")},
			{Name: "labelBefore", Expression: label("oldObject")},
			{Name: "taints", Expression: taints("object")},
			{Name: "taintsBefore", Expression: taints("oldObject")},
		},
		rule("variables.me || variables.label == variables.labelBefore",
			"only Fairway gives a host to a pool (label "+fleetv1.LabelPool+"): add the host to the Pool on the hub"),
		rule("variables.me || request.operation == 'CREATE' || variables.taints == variables.taintsBefore",
			"only Fairway changes the taint of a pool's host ("+fleetv1.TaintPool+"): change the Pool on the hub"),
	)
}

func quote(text string) string { return strconv.QuoteToASCII(text) }

func quoteAll(texts []string) string {
	quoted := make([]string, 0, len(texts))
	for _, text := range texts {
		quoted = append(quoted, quote(text))
	}
	return strings.Join(quoted, ", ")
}

func rule(expression, message string) admissionv1.Validation {
	return admissionv1.Validation{Expression: expression, Message: message, Reason: ptr.To(metav1.StatusReasonForbidden)}
}

// guard writes every default out, so that what a member stores can be compared
// with what is wanted.
func guard(name string, resources []string, operations []admissionv1.OperationType, variables []admissionv1.Variable, rules ...admissionv1.Validation) Guarded {
	labels := map[string]string{appv1.LabelManagedBy: appv1.ManagedBy}
	policy := &admissionv1.ValidatingAdmissionPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingAdmissionPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: ptr.To(admissionv1.Fail),
			MatchConstraints: &admissionv1.MatchResources{
				MatchPolicy: ptr.To(admissionv1.Equivalent), NamespaceSelector: &metav1.LabelSelector{}, ObjectSelector: &metav1.LabelSelector{},
				ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: operations,
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: resources, Scope: ptr.To(admissionv1.AllScopes)},
				}}},
			},
			Variables: variables, Validations: rules,
		},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingAdmissionPolicyBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}
	if resources[0] == "pods" {
		binding.Spec.MatchResources = &admissionv1.MatchResources{
			MatchPolicy: ptr.To(admissionv1.Equivalent), ObjectSelector: &metav1.LabelSelector{},
			NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
				Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn, Values: GuardNamespaces,
			}}},
		}
	}
	return Guarded{Policy: policy, Binding: binding}
}

// GuardRefusal says whether an error's text is a refusal by one of the rules.
func GuardRefusal(text string) bool {
	return strings.Contains(text, fmt.Sprintf("ValidatingAdmissionPolicy '%s'", "fairway-pods"))
}
