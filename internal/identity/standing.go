// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
)

// Standing is what is to be said of a Person.
type Standing struct {
	// Reason is one of those of the condition Ready.
	Reason string
	// Message says what it means and what to do.
	Message string
}

// Standing says whether the person of that id can come in and stands for himself
// alone.
func (p *People) Standing(id string, now time.Time) Standing {
	person, ok := p.persons[id]
	if !ok {
		return Standing{}
	}
	switch why := whyNot(person, now); {
	case person.Spec.State == identityv1.StateDisabled:
		return Standing{identityv1.ReasonDisabled, "the person is kept out: set spec.state to Active to let him in"}
	case why != "":
		return Standing{identityv1.ReasonExpired, "the person " + why + ": set spec.validUntil to a later time to let him in"}
	}
	if reason, message := p.shares(id); reason != "" {
		return Standing{reason, message}
	}
	return Standing{identityv1.ReasonActive, "the person can come in"}
}

// Shared says with whom the person of that id shares a login or an alias, and what to
// do. Empty: with nobody.
func (p *People) Shared(id string) string {
	_, message := p.shares(id)
	return message
}

func (p *People) shares(id string) (reason, message string) {
	person, ok := p.persons[id]
	if !ok {
		return "", ""
	}
	for _, login := range person.Spec.Logins {
		index, key, shown := p.logins, at(login.Provider, fold(login.Login)), login.Login
		if login.Subject != "" {
			index, key, shown = p.subjects, at(login.Provider, login.Subject), login.Subject
		}
		if others := without(index[key], id); others != "" {
			return identityv1.ReasonLoginShared, fmt.Sprintf("%s has login %q of %q too, so nobody comes in by it: take it from all but one", others, shown, login.Provider)
		}
	}
	if others := without(p.names[fold(id)], id); others != "" {
		return identityv1.ReasonAliasShared, fmt.Sprintf("the id is an alias of %s, so both count as one person: take the alias away", others)
	}
	for _, alias := range person.Spec.Aliases {
		if others := without(p.names[fold(alias.Name)], id); others != "" {
			return identityv1.ReasonAliasShared, fmt.Sprintf("%s stands behind %q too, so both count as one person: take it from all but one", others, alias.Name)
		}
	}
	return "", ""
}

// without tells everybody but one.
func without(behind []string, id string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(behind), func(other string) bool { return other == id }), " and ")
}

// NextEnd is when the next person's time ends. Zero: nobody's does.
func (p *People) NextEnd(now time.Time) time.Time {
	var next time.Time
	for _, person := range p.persons {
		if end := person.Spec.ValidUntil; end != nil && now.Before(end.Time) && (next.IsZero() || end.Time.Before(next)) {
			next = end.Time
		}
	}
	return next
}

// Report tells a person's standing.
func Report(before identityv1.PersonStatus, generation int64, s Standing, now time.Time) identityv1.PersonStatus {
	status := *before.DeepCopy()
	status.ObservedGeneration = generation
	set := func(kind string, holds bool, reason, message string) {
		value := metav1.ConditionFalse
		if holds {
			value = metav1.ConditionTrue
		}
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: kind, Status: value, Reason: reason, Message: message, ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(now),
		})
	}
	set(identityv1.ConditionReady, s.Reason == identityv1.ReasonActive, s.Reason, s.Message)
	switch s.Reason {
	case identityv1.ReasonLoginShared, identityv1.ReasonAliasShared:
		set(identityv1.ConditionStalled, true, s.Reason, s.Message)
	default:
		set(identityv1.ConditionStalled, false, s.Reason, "nobody is needed")
	}
	return status
}
