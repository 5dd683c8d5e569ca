// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package tenancy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

const (
	groupSubject = "Group:"
	userSubject  = "User:"
)

// Action is one write on the hub. Repeating it does no harm.
type Action struct {
	Verb Verb
	// Namespace that is made, or that the binding lies in.
	Namespace string
	// Environment of the namespace, for MakeNamespace.
	Environment string
	// Binding is the RoleBinding's name, for Bind and Unbind.
	Binding string
	// ClusterRole, for Bind.
	ClusterRole string
	// Subjects as "Group:<name>", for Bind and LetRead.
	Subjects []string
	// Pools that the tenant's people may read, for LetRead.
	Pools []string
}

// Verb is what an Action does.
type Verb string

// The acts of the room.
const (
	// MakeNamespace creates the namespace with the tenant's labels.
	MakeNamespace Verb = "MakeNamespace"
	// Bind makes the RoleBinding as wanted.
	Bind Verb = "Bind"
	// Unbind deletes the RoleBinding.
	Unbind Verb = "Unbind"
	// LetRead lets the tenant's people read their Tenant and its pools.
	LetRead Verb = "LetRead"
	// EndReading takes that back.
	EndReading Verb = "EndReading"
)

// String tells the action as evidence does.
func (a Action) String() string {
	switch a.Verb {
	case MakeNamespace:
		return "make namespace " + a.Namespace
	case Bind:
		return fmt.Sprintf("bind %s in %s to %s", strings.Join(a.Subjects, ", "), a.Namespace, a.ClusterRole)
	case LetRead:
		return fmt.Sprintf("let %s read the tenant and pools %s", strings.Join(a.Subjects, ", "), strings.Join(a.Pools, ", "))
	case EndReading:
		return "end that the tenant's people read it"
	default:
		return fmt.Sprintf("unbind %s in %s", a.Binding, a.Namespace)
	}
}

// Decision is what is to be done for a tenant, and what a person must know.
type Decision struct {
	// Actions in the order in which they are to be done.
	Actions []Action
	// Findings say what the tenant asks for and does not get, and what to do.
	Findings []Finding
	// Namespaces are the tenant's own, sorted.
	Namespaces []string
	// Applications counts the tenant's, in all environments.
	Applications int64
	// InUse are the environments with applications, sorted.
	InUse []string
	// Next is when the next role ends by itself. Zero: none does.
	Next time.Time
}

// Finding is something that a person must correct.
type Finding struct {
	// Rule that speaks, one of the reasons of the condition Ready.
	Rule string
	// Message says what is wrong and what to do.
	Message string
}

// Plan decides what a tenant's namespaces and bindings need.
func Plan(s Seen) Decision {
	p := plan{seen: s, namespaces: map[string]Namespace{}}
	for _, n := range s.Namespaces {
		p.namespaces[n.Name] = n
	}
	p.count()
	if s.Spec == nil {
		p.unbindAll()
		return p.Decision
	}
	if reserved(s.Name) {
		p.find(RuleNameReserved, "a tenant's name may not be or begin with %s: namespaces of such names are the platform's own. Make the tenant under another name", strings.Join(platforms, " or "))
		p.unbindAll()
		return p.Decision
	}
	for _, environment := range p.environments() {
		p.environment(environment)
	}
	p.reading()
	p.check()
	p.Next = nextEnd(p.seen.Spec.Roles, p.seen.Now)
	slices.Sort(p.Namespaces)
	return p.Decision
}

type plan struct {
	Decision
	seen       Seen
	namespaces map[string]Namespace
	// people are the subjects that have any role.
	people []string
}

func (p *plan) find(rule, format string, args ...any) {
	p.Findings = append(p.Findings, Finding{Rule: rule, Message: fmt.Sprintf(format, args...)})
}

func (p *plan) do(action Action) { p.Actions = append(p.Actions, action) }

func (p *plan) ours(n Namespace) bool { return n.Tenant == p.seen.Name && n.Environment != "" }

// count sums the applications in the tenant's own namespaces.
func (p *plan) count() {
	for _, name := range slices.Sorted(maps.Keys(p.namespaces)) {
		n := p.namespaces[name]
		if !p.ours(n) {
			continue
		}
		if many := p.seen.Applications[name]; many > 0 {
			p.Applications += many
			p.InUse = append(p.InUse, n.Environment)
		}
	}
	slices.Sort(p.InUse)
}

// environments lists what the tenant asks for, and what still holds applications:
// people keep their roles where something may run.
func (p *plan) environments() []string {
	all := slices.Clone(p.seen.Spec.Environments)
	for _, used := range p.InUse {
		if !slices.Contains(all, used) {
			all = append(all, used)
			p.find(RuleEnvironmentInUse, "environment %q is off the list and still has applications: retire and delete them, or put it back", used)
		}
	}
	slices.Sort(all)
	for _, name := range slices.Sorted(maps.Keys(p.namespaces)) {
		if n := p.namespaces[name]; p.ours(n) && !slices.Contains(all, n.Environment) {
			p.unbind(name)
			p.Namespaces = append(p.Namespaces, name)
		}
	}
	return all
}

// environment brings one environment's namespace and bindings about.
func (p *plan) environment(environment string) {
	at := slices.IndexFunc(p.seen.Environments, func(e tenancyv1.Environment) bool { return e.Name == environment })
	name := NamespaceOf(p.seen.Name, environment)
	n, exists := p.namespaces[name]
	switch {
	case exists && (!p.ours(n) || n.Environment != environment):
		p.find(RuleNamespaceTaken, "namespace %q exists and is not this tenant's: remove it if nobody needs it, or give the tenant another name", name)
		return
	case at < 0:
		p.find(RuleEnvironmentMissing, "environment %q does not exist: make it, or take it off the list", environment)
		if exists {
			p.Namespaces = append(p.Namespaces, name)
			p.unbind(name) // its class is not known
		}
		return
	case exists && n.Leaving:
		p.Namespaces = append(p.Namespaces, name)
		p.find(RuleNamespaceLeaving, "namespace %q is being deleted: it is made again once it is gone", name)
		return
	case !exists:
		p.do(Action{Verb: MakeNamespace, Namespace: name, Environment: environment})
	}
	p.Namespaces = append(p.Namespaces, name)
	p.bind(name, subjectsOf(p.seen.Spec.Roles, environment, p.seen.Environments[at].Spec.Class, p.seen.Now))
}

// bind brings the bindings of a namespace to what is wanted, by ClusterRole.
func (p *plan) bind(namespace string, wanted map[string][]string) {
	has := map[string]bool{}
	for _, subjects := range wanted {
		p.people = append(p.people, subjects...)
	}
	for _, b := range p.seen.Bindings {
		if b.Namespace != namespace {
			continue
		}
		subjects, named := wanted[b.Name]
		switch {
		case named && b.ClusterRole == b.Name:
			has[b.Name] = b.Ours && slices.Equal(b.Subjects, subjects)
		case named, b.Ours:
			// A RoleBinding keeps its role for life: another role, another object.
			p.do(Action{Verb: Unbind, Namespace: namespace, Binding: b.Name})
		case slices.ContainsFunc(b.Subjects, person):
			p.find(RuleForeignBinding, "RoleBinding %q in namespace %q was not made by Fairway and gives rights to people: delete it, and give roles in the Tenant (spec.roles)", b.Name, namespace)
		}
	}
	for _, role := range slices.Sorted(maps.Keys(wanted)) {
		if !has[role] {
			p.do(Action{Verb: Bind, Namespace: namespace, Binding: role, ClusterRole: role, Subjects: wanted[role]})
		}
	}
}

// unbind takes all roles that Fairway gave in a namespace.
func (p *plan) unbind(namespace string) {
	for _, b := range p.seen.Bindings {
		if b.Namespace == namespace && b.Ours {
			p.do(Action{Verb: Unbind, Namespace: namespace, Binding: b.Name})
		}
	}
}

func (p *plan) unbindAll() {
	for _, name := range slices.Sorted(maps.Keys(p.namespaces)) {
		if p.ours(p.namespaces[name]) {
			p.unbind(name)
			p.Namespaces = append(p.Namespaces, name)
		}
	}
	if p.seen.Reader != nil || p.seen.Readers != nil {
		p.do(Action{Verb: EndReading})
	}
}

// reading lets everybody who has a role read the Tenant itself and the pools that
// are open to it.
func (p *plan) reading() {
	slices.Sort(p.people)
	action := Action{Verb: LetRead, Subjects: slices.Compact(p.people)}
	for _, pool := range p.seen.Pools {
		if serves(pool.Spec, p.seen.Name) {
			action.Pools = append(action.Pools, pool.Name)
		}
	}
	slices.Sort(action.Pools)
	if len(action.Subjects) == 0 {
		if p.seen.Reader != nil || p.seen.Readers != nil {
			p.do(Action{Verb: EndReading})
		}
		return
	}
	role, binding := action.Reading(p.seen.Name)
	if p.seen.Reader == nil || !equality.Semantic.DeepEqual(p.seen.Reader.Rules, role.Rules) ||
		p.seen.Readers == nil || !slices.Equal(subjectsIn(p.seen.Readers.Subjects), subjectsIn(binding.Subjects)) {
		p.do(action)
	}
}

// person says whether a subject is a person or a group of people.
func person(subject string) bool {
	for _, kind := range []string{userSubject, groupSubject} {
		if name, ok := strings.CutPrefix(subject, kind); ok {
			return !strings.HasPrefix(name, "system:")
		}
	}
	return false
}

// systems says whether a name belongs to Kubernetes itself or to the platform.
func systems(name string) bool {
	return strings.HasPrefix(name, "system:") || strings.HasPrefix(name, "fairway:")
}
