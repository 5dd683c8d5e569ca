// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// workload renders one component in one cell.
func (r *rendering) workload(a Assignment) error {
	c := r.components[a.Component]
	name := WorkloadName(r.in.Content.Application, c.Component, c.frozen.TemplateDigest, a.Cell)
	w := Workload{Name: name, Component: string(c.Name), Template: c.frozen.TemplateDigest, Cell: a.Cell, Block: a.Block}
	w.Kind = map[appv1.ComponentKind]string{appv1.KindJob: "Job", appv1.KindCron: "CronJob"}[c.Kind]
	if w.Kind == "" {
		w.Kind = "Deployment"
		if HasIdentity(c.Component) {
			w.Kind = "StatefulSet"
		}
	}
	apiVersion, ok := r.workloadVersion(w.Kind)
	about := apiVersion + "/" + w.Kind + " " + r.out.Namespace + "/" + name
	if !ok {
		r.reason(string(c.Name), about, "", Refused, "version %s does not serve kind %s", r.served.Version, w.Kind)
		return nil
	}
	template, err := r.pod(c, a, name, about)
	if err != nil {
		return err
	}
	for _, cm := range r.configMaps(c, a, name) {
		w.Objects = append(w.Objects, object("v1", "ConfigMap", cm))
	}
	meta := r.meta(name,
		appv1.LabelComponent, string(c.Name), appv1.LabelDCN, a.Cell.DCN,
		appv1.LabelCell, CellHash(a.Cell), appv1.LabelTemplate, canonical.Short(c.frozen.TemplateDigest, 8))
	meta.Annotations = map[string]string{
		appv1.AnnotationTemplateDigest: c.frozen.TemplateDigest,
		appv1.AnnotationCell:           a.Cell.Key(),
	}
	switch w.Kind {
	case "Deployment":
		w.Objects = append(w.Objects, r.deployment(c, a, meta, template)...)
	case "StatefulSet":
		w.Objects = append(w.Objects, r.statefulSet(c, a, meta, template, about))
	case "Job":
		w.Objects = append(w.Objects, object(apiVersion, "Job", &batchv1.Job{ObjectMeta: meta, Spec: jobSpec(c, a, template)}))
	case "CronJob":
		o, ok := r.cronJob(c, a, meta, template, apiVersion, about)
		if !ok {
			return nil
		}
		w.Objects = append(w.Objects, o)
	}
	r.out.Workloads = append(r.out.Workloads, w)
	return nil
}

func (r *rendering) workloadVersion(kind string) (string, bool) {
	for _, apiVersion := range map[string][]string{
		"Deployment": {"apps/v1"}, "StatefulSet": {"apps/v1"}, "Job": {"batch/v1"}, "CronJob": {"batch/v1", "batch/v1beta1"},
	}[kind] {
		if r.served.Kind(apiVersion, kind) {
			return apiVersion, true
		}
	}
	return "", false
}

// deployment has no replicas: Delivery sets them, or an autoscaler does. Its name holds the
// template, so it never rolls by itself: a new template is a new Deployment beside it.
func (r *rendering) deployment(c component, a Assignment, meta metav1.ObjectMeta, template corev1.PodTemplateSpec) []unstructured.Unstructured {
	zero, one := intstr.FromInt32(0), intstr.FromInt32(1)
	d := object("apps/v1", "Deployment", &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
		Selector:             &metav1.LabelSelector{MatchLabels: workloadSelector(c, a)},
		Template:             template,
		RevisionHistoryLimit: ptr.To[int32](1),
		Strategy: appsv1.DeploymentStrategy{
			Type:          appsv1.RollingUpdateDeploymentStrategyType,
			RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &zero, MaxSurge: &one},
		},
	}})
	if c.Autoscaling == nil || a.Share == nil || a.Share.Max < 1 {
		return []unstructured.Unstructured{d}
	}
	return append(r.autoscaler(c, a, meta), d)
}

func (r *rendering) autoscaler(c component, a Assignment, meta metav1.ObjectMeta) []unstructured.Unstructured {
	apiVersion, behaves := "autoscaling/v2", fieldHPABehavior
	if !r.served.Kind(apiVersion, "HorizontalPodAutoscaler") {
		apiVersion, behaves = "autoscaling/v2beta2", fieldHPAv2b2Behavior
	}
	about := apiVersion + "/HorizontalPodAutoscaler " + meta.Namespace + "/" + meta.Name
	if !r.served.Kind(apiVersion, "HorizontalPodAutoscaler") {
		r.reason(string(c.Name), about, "", Missing, "version %s does not serve an autoscaler that Fairway knows; the number of instances stays as placed", r.served.Version)
		return nil
	}
	scaler := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: *meta.DeepCopy(),
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: meta.Name},
			MinReplicas:    ptr.To(max(a.Share.Min, 1)), MaxReplicas: a.Share.Max,
			Metrics: metrics(c.Autoscaling.Metrics),
		},
	}
	if c.Autoscaling.Speed == appv1.SpeedFast {
		if r.served.has(behaves) {
			most := autoscalingv2.MaxChangePolicySelect
			scaler.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: &autoscalingv2.HPAScalingRules{
				StabilizationWindowSeconds: ptr.To[int32](0), SelectPolicy: &most,
				Policies: []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15}},
			}}
		} else {
			r.reason(string(c.Name), about, "spec.behavior", Missing, "version %s adds instances at its own speed", r.served.Version)
		}
	}
	return []unstructured.Unstructured{object(apiVersion, "HorizontalPodAutoscaler", scaler)}
}

// metrics are the autoscaler's; without any declared, CPU at 70 percent.
func metrics(declared []appv1.ScalingMetric) []autoscalingv2.MetricSpec {
	if len(declared) == 0 {
		declared = []appv1.ScalingMetric{{Kind: appv1.MetricCPU, Percent: 70}}
	}
	var out []autoscalingv2.MetricSpec
	for _, m := range declared {
		if m.Kind == appv1.MetricCustom {
			out = append(out, autoscalingv2.MetricSpec{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{
				Metric: autoscalingv2.MetricIdentifier{Name: m.Name},
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: m.Average},
			}})
			continue
		}
		name := corev1.ResourceCPU
		if m.Kind == appv1.MetricMemory {
			name = corev1.ResourceMemory
		}
		out = append(out, autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
			Name:   name,
			Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr.To(m.Percent)},
		}})
	}
	return out
}

// statefulSet is the home of the seats of a component in a cell. Delivery sets replicas and
// the partition that holds an update back.
func (r *rendering) statefulSet(c component, a Assignment, meta metav1.ObjectMeta, template corev1.PodTemplateSpec, about string) unstructured.Unstructured {
	meta.Annotations[appv1.AnnotationSeatStart] = strconv.Itoa(int(a.Block))
	set := &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{
		ServiceName:          headlessName(string(c.Name), a.Cell.DCN),
		Selector:             &metav1.LabelSelector{MatchLabels: workloadSelector(c, a)},
		Template:             template,
		PodManagementPolicy:  appsv1.ParallelPodManagement,
		RevisionHistoryLimit: ptr.To[int32](2),
		UpdateStrategy:       appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType},
		VolumeClaimTemplates: r.claimTemplates(c),
	}}
	if a.Block > 0 {
		if r.served.has(fieldOrdinalsStart) {
			set.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: a.Block}
		} else {
			r.reason(string(c.Name), about, "spec.ordinals.start", Adapted,
				"version %s numbers pods from 0; the seat number is %d plus the ordinal", r.served.Version, a.Block)
		}
	}
	o := object("apps/v1", "StatefulSet", set)
	claims, _, _ := unstructured.NestedSlice(o.Object, "spec", "volumeClaimTemplates")
	for _, claim := range claims {
		if m, ok := claim.(map[string]any); ok {
			delete(m, "status")
		}
	}
	if len(claims) > 0 {
		o.Object["spec"].(map[string]any)["volumeClaimTemplates"] = claims
	}
	return o
}

func jobSpec(c component, a Assignment, template corev1.PodTemplateSpec) batchv1.JobSpec {
	bounds := appv1.JobBounds{Completions: 1, Retries: ptr.To[int32](3)}
	if c.Job != nil {
		bounds = *c.Job
	}
	parallel := int32(1)
	if i := slices.IndexFunc(c.Instances, func(n appv1.InstanceCount) bool { return n.DCN == a.Cell.DCN }); i >= 0 {
		parallel = c.Instances[i].Count
	}
	return batchv1.JobSpec{
		Parallelism: &parallel, Completions: &bounds.Completions, BackoffLimit: bounds.Retries,
		ActiveDeadlineSeconds: bounds.DeadlineSeconds, Template: template,
	}
}

// cronJob runs a component on its schedule. Delivery sets spec.suspend, so that it runs in
// one cell of the fleet only.
func (r *rendering) cronJob(c component, a Assignment, meta metav1.ObjectMeta, template corev1.PodTemplateSpec, apiVersion, about string) (unstructured.Unstructured, bool) {
	overlap := map[appv1.Overlap]batchv1.ConcurrencyPolicy{
		appv1.OverlapAllow: batchv1.AllowConcurrent, appv1.OverlapReplace: batchv1.ReplaceConcurrent,
	}[c.Schedule.Overlap]
	if overlap == "" {
		overlap = batchv1.ForbidConcurrent
	}
	cron := &batchv1.CronJob{ObjectMeta: meta, Spec: batchv1.CronJobSpec{
		Schedule: string(c.Schedule.Cron), ConcurrencyPolicy: overlap, StartingDeadlineSeconds: &c.Schedule.LateSeconds,
		SuccessfulJobsHistoryLimit: ptr.To[int32](3), FailedJobsHistoryLimit: ptr.To[int32](3),
		JobTemplate: batchv1.JobTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: template.Labels}, Spec: jobSpec(c, a, template)},
	}}
	switch {
	case r.served.has(fieldCronTimeZone) && apiVersion == "batch/v1":
		cron.Spec.TimeZone = &c.Schedule.TimeZone
	case c.Schedule.TimeZone == "Etc/UTC":
		r.reason(string(c.Name), about, "spec.timeZone", Adapted,
			"version %s runs schedules in the time zone of its controller manager, which must be UTC", r.served.Version)
	default:
		r.reason(string(c.Name), about, "spec.timeZone", Refused,
			"version %s cannot run a schedule in time zone %q; place the component on Kubernetes 1.25 or newer, or set schedule.timeZone to Etc/UTC", r.served.Version, c.Schedule.TimeZone)
		return unstructured.Unstructured{}, false
	}
	return object(apiVersion, "CronJob", cron), true
}
