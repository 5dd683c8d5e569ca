// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Served is what a member cluster serves, as far as Render asks: kinds and fields, not only
// a version. It is small enough to store and compare.
type Served struct {
	// Version is the server's, for example "v1.36.3".
	Version string `json:"version"`
	// Kinds are the kinds that Render asks for and the member serves, as
	// "apps/v1/Deployment", sorted.
	Kinds []string `json:"kinds,omitempty"`
	// Fields are the fields that Render asks for and the member's schema has, as
	// "apps/v1/StatefulSet:spec.ordinals.start", sorted.
	Fields []string `json:"fields,omitempty"`
}

// field is a field that not every supported version carries out.
type field struct {
	kind string // "apps/v1/Deployment"
	path string
	// since is the minor version of Kubernetes 1.x from which the field is on by default.
	// Before it, a schema may have the field while the server drops it silently.
	since int
}

func (f field) key() string { return f.kind + ":" + f.path }

const (
	deployment  = "apps/v1/Deployment"
	statefulSet = "apps/v1/StatefulSet"
)

// The fields that Render asks about. Those of pods are asked of Deployment and hold for
// every kind with a pod template.
var (
	fieldStartupProbe    = field{deployment, "spec.template.spec.containers.startupProbe", 18}
	fieldSleep           = field{deployment, "spec.template.spec.containers.lifecycle.preStop.sleep", 30}
	fieldSeccomp         = field{deployment, "spec.template.spec.securityContext.seccompProfile", 19}
	fieldTopologySpread  = field{deployment, "spec.template.spec.topologySpreadConstraints", 18}
	fieldMinDomains      = field{deployment, "spec.template.spec.topologySpreadConstraints.minDomains", 27}
	fieldEphemeralVolume = field{deployment, "spec.template.spec.volumes.ephemeral", 21}
	fieldOrdinalsStart   = field{statefulSet, "spec.ordinals.start", 27}
	fieldUnhealthyEvict  = field{"policy/v1/PodDisruptionBudget", "spec.unhealthyPodEvictionPolicy", 27}
	fieldCronTimeZone    = field{"batch/v1/CronJob", "spec.timeZone", 25}
	fieldImmutable       = field{"v1/ConfigMap", "immutable", 19}
	fieldHPABehavior     = field{"autoscaling/v2/HorizontalPodAutoscaler", "spec.behavior", 23}
	fieldHPAv2b2Behavior = field{"autoscaling/v2beta2/HorizontalPodAutoscaler", "spec.behavior", 18}
)

var watchedFields = []field{
	fieldStartupProbe, fieldSleep, fieldSeccomp, fieldTopologySpread, fieldMinDomains, fieldEphemeralVolume, fieldOrdinalsStart,
	fieldUnhealthyEvict, fieldCronTimeZone, fieldImmutable, fieldHPABehavior, fieldHPAv2b2Behavior,
}

var watchedKinds = []string{
	"v1/Namespace", "v1/ServiceAccount", "v1/ConfigMap", "v1/Service", "v1/PersistentVolumeClaim",
	"networking.k8s.io/v1/NetworkPolicy", deployment, statefulSet, "batch/v1/Job",
	"batch/v1/CronJob", "batch/v1beta1/CronJob",
	"policy/v1/PodDisruptionBudget", "policy/v1beta1/PodDisruptionBudget",
	"autoscaling/v2/HorizontalPodAutoscaler", "autoscaling/v2beta2/HorizontalPodAutoscaler",
}

// Minor versions from which a member does something that its schema does not show.
const (
	sinceNamespaceNameLabel = 21 // namespaces carry kubernetes.io/metadata.name
	sincePodSecurity        = 23 // Pod Security labels on namespaces are enforced
	supportedSince          = 22 // older members are rendered and checked, not applied to
)

// Kind says whether the member serves a kind.
func (s Served) Kind(apiVersion, kind string) bool {
	_, ok := slices.BinarySearch(s.Kinds, apiVersion+"/"+kind)
	return ok
}

// Field says whether the member serves a field of a kind and carries it out by default. It
// knows only the fields that Render asks about.
func (s Served) Field(apiVersion, kind, path string) bool {
	for _, f := range watchedFields {
		if f.kind == apiVersion+"/"+kind && f.path == path {
			return s.has(f)
		}
	}
	return false
}

func (s Served) has(f field) bool {
	_, ok := slices.BinarySearch(s.Fields, f.key())
	return ok && s.Minor() >= f.since
}

var minorPattern = regexp.MustCompile(`^v?1\.([0-9]{1,4})`)

// Minor is the minor version of Kubernetes 1.x, or 0 when Version is not one, so that
// nothing is believed of a member that does not say what it is.
func (s Served) Minor() int {
	match := minorPattern.FindStringSubmatch(s.Version)
	if match == nil {
		return 0
	}
	minor, err := strconv.Atoi(match[1])
	if err != nil {
		return 0
	}
	return minor
}

// Applicable says whether Fairway applies to this version, and why not.
func (s Served) Applicable() error {
	if minor := s.Minor(); minor < supportedSince {
		return fmt.Errorf("could not apply to a member of version %q: Fairway applies to Kubernetes 1.%d and newer; upgrade the member", s.Version, supportedSince)
	}
	return nil
}

// ReadServed reads what a member serves from its OpenAPI: one document of version 2, or all
// documents of version 3.
func ReadServed(version string, documents ...[]byte) (Served, error) {
	all := schemas{}
	for _, raw := range documents {
		var doc struct {
			Definitions schemas `json:"definitions"`
			Components  struct {
				Schemas schemas `json:"schemas"`
			} `json:"components"`
		}
		if err := json.Unmarshal(raw, &doc); err != nil {
			return Served{}, fmt.Errorf("could not read the member's OpenAPI: %w", err)
		}
		for name, s := range doc.Definitions {
			all[name] = s
		}
		for name, s := range doc.Components.Schemas {
			all[name] = s
		}
	}
	if len(all) == 0 {
		return Served{}, fmt.Errorf("could not read the member's OpenAPI: it has no schemas")
	}
	byKind := map[string]*schema{}
	for _, s := range all {
		for _, k := range s.Kinds {
			key := k.Version + "/" + k.Kind
			if k.Group != "" {
				key = k.Group + "/" + key
			}
			// Options such as DeleteOptions carry many kinds; they are never asked for.
			byKind[key] = s
		}
	}
	out := Served{Version: version}
	for _, kind := range watchedKinds {
		if byKind[kind] != nil {
			out.Kinds = append(out.Kinds, kind)
		}
	}
	for _, f := range watchedFields {
		if root := byKind[f.kind]; root != nil && all.has(root, strings.Split(f.path, ".")) {
			out.Fields = append(out.Fields, f.key())
		}
	}
	slices.Sort(out.Kinds)
	slices.Sort(out.Fields)
	return out, nil
}

type schemas map[string]*schema

// schema is as much of an OpenAPI schema as is needed to find a field.
type schema struct {
	Reference  string             `json:"$ref"`
	AllOf      []schema           `json:"allOf"`
	Items      *schema            `json:"items"`
	Properties map[string]*schema `json:"properties"`
	Kinds      []struct {
		Group, Version, Kind string
	} `json:"x-kubernetes-group-version-kind"`
}

func (all schemas) has(s *schema, path []string) bool {
	s = all.resolve(s, 0)
	if s == nil {
		return false
	}
	if len(path) == 0 {
		return true
	}
	next, ok := s.Properties[path[0]]
	if !ok {
		return false
	}
	if len(path) == 1 {
		return true
	}
	return all.has(next, path[1:])
}

// resolve follows references and steps into lists; depth bounds a document that refers to itself.
func (all schemas) resolve(s *schema, depth int) *schema {
	switch {
	case s == nil || depth > 16:
		return nil
	case s.Reference != "":
		name := s.Reference[strings.LastIndex(s.Reference, "/")+1:]
		return all.resolve(all[name], depth+1)
	case len(s.AllOf) == 1 && s.Properties == nil:
		return all.resolve(&s.AllOf[0], depth+1)
	case s.Items != nil:
		return all.resolve(s.Items, depth+1)
	}
	return s
}
