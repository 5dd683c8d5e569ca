// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"fmt"
	"path"
	"slices"
	"strings"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// template is everything that changes a pod of a component, and nothing else. Its digest
// names the workload: equal digests mean that no instance is restarted.
type template struct {
	Renderer                         int32 // generation.go
	Tenant, Environment, Application string
	Component                        appv1.Component
	Size                             *Size
	LogFolders                       []string
	Rules                            []Rule
	UnreachableSeconds               int64
	Dependencies                     []target
	SecretVersions                   map[string]string
	PullSecret                       string
	// Architectures are left out where there are none, as they were before images were asked.
	Architectures []string `json:",omitempty"`
	// DiskIO is left out where none is wished, as it was before there were classes.
	DiskIO appv1.DiskIOClass `json:",omitempty"`
	// KeptOffHosts are left out where there are none, as they were before they had an effect.
	KeptOffHosts []appv1.AntiAffinity `json:",omitempty"`
}

// target is a dependency, resolved.
type target struct {
	Name      string // of the component or binding
	Component string // empty for a binding
	Port      int32
	Protocol  appv1.TransportProtocol
	Scheme    string
	Zone      string
	Reach     appv1.Reach
	// Variable is the middle of FAIRWAY_DEPENDENCY_<Variable>_URL.
	Variable string
	// Address, Networks, Secret and Application are those of a binding.
	Address     string
	Networks    []string
	Secret      string
	Application *appv1.BoundApplication
}

// dependencies resolves what a component calls, in the order it was written.
func dependencies(spec appv1.ApplicationSpec, c appv1.Component) ([]target, error) {
	var out []target
	seen := map[string]bool{}
	for _, d := range c.DependsOn {
		t := target{Name: d.Binding, Reach: d.Reach}
		if d.Component != "" {
			callee, ok := named(spec.Components, string(d.Component), func(c appv1.Component) string { return string(c.Name) })
			if !ok {
				return nil, fmt.Errorf("component %q depends on component %q, which does not exist; correct dependsOn", c.Name, d.Component)
			}
			port, ok := named(callee.Ports, string(d.Port), func(p appv1.Port) string { return string(p.Name) })
			if !ok {
				return nil, fmt.Errorf("component %q depends on port %q of component %q, which has no such port; correct dependsOn", c.Name, d.Port, d.Component)
			}
			t.Name, t.Component, t.Zone = string(d.Component), string(d.Component), callee.Zone
			t.Port, t.Protocol, t.Scheme = port.Port, port.Protocol, string(port.Scheme)
		} else {
			binding, ok := named(spec.Bindings, d.Binding, func(b appv1.Binding) string { return b.Name })
			if !ok {
				return nil, fmt.Errorf("component %q depends on binding %q, which does not exist; correct dependsOn", c.Name, d.Binding)
			}
			t.Zone, t.Port, t.Protocol, t.Scheme = binding.Zone, binding.Port, binding.Protocol, binding.Scheme
			t.Address, t.Networks, t.Secret, t.Application = binding.Address, binding.Networks, binding.Secret, binding.Application
		}
		t.Variable = variable(t.Name)
		if seen[t.Variable] {
			t.Variable = variable(t.Name + "-" + string(d.Port))
		}
		seen[t.Variable] = true
		out = append(out, t)
	}
	return out, nil
}

func variable(name string) string {
	return strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// secretsOf names the Secrets that a component uses, sorted.
func secretsOf(spec appv1.ApplicationSpec, c appv1.Component) []string {
	var out []string
	for _, e := range c.Env {
		if e.Secret != nil {
			out = append(out, e.Secret.Name)
		}
	}
	for _, s := range c.Secrets {
		out = append(out, s.Name)
	}
	for _, d := range c.DependsOn {
		if b, ok := named(spec.Bindings, d.Binding, func(b appv1.Binding) string { return b.Name }); ok && d.Binding != "" && b.Secret != "" {
			out = append(out, b.Secret)
		}
	}
	if spec.PullSecret != "" {
		out = append(out, spec.PullSecret)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// logFolders are the folders that a component's log files lie in, sorted.
func logFolders(c appv1.Component) []string {
	var out []string
	for _, l := range c.Logs {
		if l.Source == appv1.LogFile {
			out = append(out, path.Dir(path.Clean(l.Path)))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// templateDigest digests what changes a pod. What it leaves out may change without a
// restart: counts, placement, schedules, exposure, names that people read, the cell, and
// files that are reloaded hot.
func templateDigest(content Content, c appv1.Component, f FrozenComponent) (string, error) {
	deps, err := dependencies(content.Spec, c)
	if err != nil {
		return "", fmt.Errorf("could not freeze application %q: %w", content.Application, err)
	}
	t := template{
		Renderer: generationOfComponent(content.Spec, content.Application, c.Name),
		Tenant:   content.Tenant, Environment: content.Environment, Application: content.Application,
		Rules: f.Rules(), LogFolders: logFolders(c), UnreachableSeconds: unreachable(c, content.Class),
		PullSecret: content.Spec.PullSecret, Architectures: f.Architectures, DiskIO: diskIOOf(c),
		KeptOffHosts: keptOffHosts(content.Spec, content.Application, c.Name),
	}
	if s, ok := SizeOf(c.Resources); ok {
		t.Size = &s
	}
	for _, d := range deps {
		// Zone, networks and reach open the network; they change no pod.
		d.Zone, d.Networks, d.Reach = "", nil, ""
		t.Dependencies = append(t.Dependencies, d)
	}
	for _, name := range secretsOf(content.Spec, c) {
		if version, ok := content.SecretVersions[name]; ok {
			if t.SecretVersions == nil {
				t.SecretVersions = map[string]string{}
			}
			t.SecretVersions[name] = version
		}
	}
	t.Component = podPart(c)
	digest, err := canonical.DigestOf(t)
	if err != nil {
		return "", fmt.Errorf("could not freeze component %q: %w", c.Name, err)
	}
	return digest, nil
}

// podPart is a component without what changes no pod.
func podPart(in appv1.Component) appv1.Component {
	c := *in.DeepCopy()
	c.Identity = appv1.IdentityReplaceable
	if HasIdentity(in) {
		c.Identity = appv1.IdentityFixed
	}
	if c.DNS != nil {
		c.DNS.Record = ""
	}
	if c.Kind != appv1.KindJob {
		c.Job = nil
	}
	if c.Shutdown == nil {
		c.Shutdown = &appv1.Shutdown{}
		componentDefaults(&c, fill)
	}
	for i := range c.Configuration {
		set := &c.Configuration[i]
		if set.Reload == appv1.ReloadHot {
			set.Files = nil
		}
	}
	c.DisplayName, c.Zone, c.SecurityLevel, c.FixedIP = "", "", "", ""
	c.Instances, c.Split, c.Resources, c.Logs, c.Autoscaling, c.Schedule = nil, nil, nil, nil, nil, nil
	c.DependsOn, c.Interfaces, c.UnreachableSeconds, c.Profile = nil, nil, nil, nil
	return c
}

func unreachable(c appv1.Component, class Class) int64 {
	if c.UnreachableSeconds != nil {
		return *c.UnreachableSeconds
	}
	return class.UnreachableSeconds
}
