// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"fmt"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
)

// NotCarriedOut lists the fields of an application that are stored and checked, but which
// this version does not carry out, with what happens meanwhile. Nothing is silently ignored.
func NotCarriedOut(spec appv1.ApplicationSpec) []appv1.NotCarriedOut {
	var out []appv1.NotCarriedOut
	add := func(reason, field string, args ...any) {
		out = append(out, appv1.NotCarriedOut{Field: fmt.Sprintf(field, args...), Reason: reason})
	}
	const secrets = "Secrets will be carried into members; until then a Release of a Revision that uses one is refused"
	if spec.PullSecret != "" {
		add(secrets, "pullSecret")
	}
	for _, b := range spec.Bindings {
		if b.Secret != "" {
			add(secrets, "bindings[%s].secret", b.Name)
		}
	}
	for _, e := range spec.Exposure {
		at := fmt.Sprintf("exposure[%s]", e.Name)
		if e.NodePort == nil {
			add("the traffic room will drive load balancers; until then only nodePort is reachable from outside", "%s", at)
			continue
		}
		if e.Layer == appv1.LayerL7 {
			add("the traffic room will route by host and path and end TLS; until then nodePort passes connections through", "%s.layer", at)
		}
		if e.Affinity == appv1.AffinityCookie {
			add("the traffic room will keep browsers with an instance; until then any instance answers", "%s.affinity", at)
		}
		if e.Balancing != "" && e.Balancing != appv1.BalanceRoundRobin {
			add("the traffic room will balance this way; until then connections are spread evenly", "%s.balancing", at)
		}
		if len(e.RoutingKeys) > 0 {
			add("the traffic room will route by outlet, teller and legal entity; until then every instance serves all", "%s.routingKeys", at)
		}
	}
	for _, c := range spec.Components {
		at := fmt.Sprintf("components[%s]", c.Name)
		for _, m := range c.Secrets {
			add(secrets, "%s.secrets[%s]", at, m.Name)
		}
		for _, e := range c.Env {
			if e.Secret != nil {
				add(secrets, "%s.env[%s]", at, e.Name)
			}
		}
		if len(c.Interfaces) > 0 {
			add("the network room will attach further interfaces; until then instances have one", "%s.interfaces", at)
		}
		if c.FixedIP == appv1.FixedIPPerSeat {
			add("the network room will keep addresses; until then a seat keeps its name and number, not its address", "%s.fixedIP", at)
		}
		if c.DNS != nil && c.DNS.Record != "" {
			add("the traffic room will write the bank's DNS; until then enter the record by hand", "%s.dns.record", at)
		}
		for _, v := range c.Volumes {
			if v.NFS != nil {
				add("existing exports will come with the storage drivers; until then the component cannot be rendered: use a storage class", "%s.volumes[%s].nfs", at, v.Name)
			}
		}
		for _, l := range c.Logs {
			if l.Source == appv1.LogFile {
				add("the observe room will collect log files; until then they stay with the instance", "%s.logs[%s]", at, l.Name)
			}
		}
		if c.Autoscaling != nil {
			if len(c.Autoscaling.Schedules) > 0 {
				add("schedules will raise the bounds; until then the bounds hold at all times", "%s.autoscaling.schedules", at)
			}
			for i, m := range c.Autoscaling.Metrics {
				if m.Kind == appv1.MetricCustom {
					add("the observe room will serve metrics of applications; until then a member needs its own adapter", "%s.autoscaling.metrics[%d]", at, i)
				}
			}
		}
	}
	if len(out) > 100 { // what status can hold
		out = out[:100]
	}
	return out
}
