// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package release

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
)

func condition(conditions []metav1.Condition, kind string) bool {
	for _, c := range conditions {
		if c.Type == kind {
			return c.Status == metav1.ConditionTrue
		}
	}
	return false
}

// sentence joins parts, or says something else where there are none. Conditions
// hold 32 KiB; nobody reads as much.
func sentence(parts []string, otherwise string) string {
	if len(parts) == 0 {
		return otherwise
	}
	const most = 20
	rest := len(parts) - most
	if rest > 0 {
		return strings.Join(parts[:most], "; ") + fmt.Sprintf("; and %d more", rest)
	}
	return strings.Join(parts, "; ")
}

// planned says what a plan does.
func planned(p *Document) string {
	var clusters []string
	for _, c := range p.Clusters {
		var total int32
		for _, w := range c.Workloads {
			total += w.Replicas
		}
		switch {
		case c.Retire:
			clusters = append(clusters, fmt.Sprintf("%s: taken out of service", c.Cluster))
		case p.Kind == releasev1.KindRestart:
			clusters = append(clusters, fmt.Sprintf("%s: %s", c.Cluster, count(len(c.Restarts), "restart")))
		default:
			clusters = append(clusters, fmt.Sprintf("%s: %s, %s", c.Cluster, count(int(total), "instance"), count(len(c.Leaving), "workload leaving", "workloads leaving")))
		}
	}
	for _, c := range p.Clusters {
		for _, lack := range c.Lacks {
			clusters = append(clusters, c.Cluster+": "+lack)
		}
	}
	return sentence(clusters, "nothing is to be changed in any cluster")
}

func count(n int, one string, many ...string) string {
	if n == 1 {
		return "1 " + one
	}
	if len(many) > 0 {
		return fmt.Sprintf("%d %s", n, many[0])
	}
	return fmt.Sprintf("%d %ss", n, one)
}
