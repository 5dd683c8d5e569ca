// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"fmt"
	"maps"
	"slices"
)

// Seen is what was observed of one application in one member.
type Seen struct {
	// Wish to fulfil.
	Wish Wish
	// Problem is why the wish could not be read. Nothing is done then.
	Problem *Problem
	// PutBack are the objects that were put back a moment ago. Where somebody insists,
	// they are put back at a measured pace.
	PutBack map[Identity]bool
	// Restarted are the UIDs that were reported as replaced before.
	Restarted []string
	// Inventory found in the member; zero if it has none.
	Inventory Inventory
	// Retired is the number of the release that took the application out of this
	// member earlier. 0: none did.
	Retired int64
	// Live holds the objects that exist, out of those that wish or inventory name.
	// What is missing here was confirmed not to exist.
	Live map[Identity]Live
	// Listed says that the member has listed, completely and successfully, the
	// kinds of what is unwanted. Without it nothing is removed.
	Listed bool
	// ListProblem says why it has not.
	ListProblem string
	// Pods of the application.
	Pods []Pod
	// Rollouts say how far Kubernetes is with each workload.
	Rollouts map[Identity]Rollout
}

// Rollout is what a Deployment or StatefulSet reports of itself.
type Rollout struct {
	// Generation of the object, and the one that its status speaks of.
	Generation, Observed int64
	// Updated counts pods of the newest template, as Kubernetes sees it.
	Updated int32
}

// Live is an object in the member.
type Live struct {
	// UID and ResourceVersion of the object.
	UID, ResourceVersion string
	// Ownership of its fields.
	Ownership
	// Deleting says that it is being removed.
	Deleting bool
}

// Plan decides what to write so that the member comes to what is wished. It is the
// whole thinking of the room: the same Seen gives the same Decision.
func Plan(seen Seen) Decision {
	decision := Decision{Inventory: seen.Inventory.Clone()}
	if problem := guard(seen); problem != nil {
		decision.Stalled = problem
		return decision
	}
	if problem := foreign(seen); problem != nil {
		decision.Stalled = problem
		labelPods(seen, &decision)
		return decision
	}
	if seen.Wish.Retire {
		planRetirement(seen, &decision)
		return decision
	}
	if home := (Identity{Kind: "Namespace", Name: seen.Wish.Namespace}); seen.Live[home].Deleting {
		decision.wait("%s is being removed by somebody; it is made again once it is gone", home)
		return decision
	}
	intend(seen, &decision)
	applyObjects(seen, &decision)
	labelPods(seen, &decision)
	restart(seen, &decision)
	prune(seen, &decision)
	if changesObjects(decision.Actions) || !decision.Inventory.Equal(seen.Inventory) {
		decision.Actions = append(decision.Actions, Action{Verb: WriteInventory, Object: inventoryOf(seen.Wish), Why: "what came out"})
	}
	return decision
}

// guard refuses to write where a later release has been: the hub was set back to
// an older state (architecture, section 3, "Fencing").
func guard(seen Seen) *Problem {
	wish, inventory := seen.Wish, seen.Inventory
	if inventory.Application != "" && inventory.Application != wish.Application {
		return &Problem{ReasonForeignObject, fmt.Sprintf("namespace %q belongs to application %q in this cluster: take that one out first", wish.Namespace, inventory.Application)}
	}
	if seen.Problem != nil {
		return seen.Problem
	}
	highest := max(inventory.Sequence, seen.Retired)
	if highest > wish.Sequence {
		return &Problem{ReasonSetBack, fmt.Sprintf("the cluster has carried out release number %d, the hub knows only %d: the hub was set back to an older state; nothing is written until a person has reconciled them", highest, wish.Sequence)}
	}
	if inventory.Sequence == wish.Sequence && inventory.Release != "" && inventory.Release != wish.Release {
		return &Problem{ReasonSetBack, fmt.Sprintf("the cluster knows release number %d as %q, the hub as %q: the hub was set back to an older state; nothing is written until a person has reconciled them", wish.Sequence, inventory.Release, wish.Release)}
	}
	return nil
}

// ours says whether an object that exists is Fairway's: it shows our field owner, or
// is the very one that the inventory knows, if somebody has wiped its owners.
func (s Seen) ours(id Identity) bool {
	live, found := s.Live[id]
	record := s.Inventory.Objects[id]
	return found && (live.Ours || record.UID != "" && record.UID == live.UID)
}

// foreign refuses to take over what somebody else made.
func foreign(seen Seen) *Problem {
	for _, wanted := range seen.Wish.Objects {
		if _, found := seen.Live[wanted.Identity]; !found || seen.ours(wanted.Identity) {
			continue
		}
		return &Problem{ReasonForeignObject, fmt.Sprintf("%s exists and was not made by Fairway: remove or rename it, then the delivery goes on", wanted.Identity)}
	}
	return nil
}

// intend brings the inventory to what is about to exist, before it does. The
// namespace comes first since the inventory lives in it.
func intend(seen Seen, decision *Decision) {
	wish := seen.Wish
	for _, wanted := range wish.Objects {
		if _, found := seen.Live[wanted.Identity]; !found && wanted.Identity.isNamespace() {
			decision.Actions = append(decision.Actions, toCreate(wanted, seen.Inventory))
		}
	}
	inventory := &decision.Inventory
	inventory.Application, inventory.Release, inventory.Sequence = wish.Application, wish.Release, wish.Sequence
	for _, wanted := range wish.Objects {
		if _, found := inventory.Objects[wanted.Identity]; !found {
			inventory.Objects[wanted.Identity] = Record{APIVersion: wanted.APIVersion}
		}
	}
	if !inventory.Equal(seen.Inventory) {
		decision.Actions = append(decision.Actions, Action{Verb: WriteInventory, Object: inventoryOf(wish), Why: "what is about to be made"})
	}
}

// applyObjects creates what is missing and applies what differs: shared objects in
// order, then workloads that are new here, then the others.
func applyObjects(seen Seen, decision *Decision) {
	var later []Wanted
	for _, wanted := range seen.Wish.Objects {
		_, known := seen.Live[wanted.Identity]
		if wanted.Workload != nil && known {
			later = append(later, wanted)
			continue
		}
		applyObject(seen, wanted, decision)
	}
	// Of those that are there, the ones that lower their counts come last.
	slices.SortStableFunc(later, func(a, b Wanted) int {
		return boolToInt(lowers(seen, a)) - boolToInt(lowers(seen, b))
	})
	for _, wanted := range later {
		applyObject(seen, wanted, decision)
	}
}

func applyObject(seen Seen, wanted Wanted, decision *Decision) {
	record := seen.Inventory.Objects[wanted.Identity]
	live, found := seen.Live[wanted.Identity]
	if !found {
		if wanted.Identity.isNamespace() {
			return // intend creates it
		}
		decision.Actions = append(decision.Actions, toCreate(wanted, seen.Inventory))
		return
	}
	if live.Deleting {
		decision.wait("%s is being removed by somebody; it is made again once it is gone", wanted.Identity)
		return
	}
	action := Action{
		Verb: Apply, Object: wanted.Identity, UID: live.UID, Wanted: &wanted,
		Gather: live.Mixed, Lowers: lowers(seen, wanted),
	}
	switch {
	case record.Digest == "":
		action.Why = "not known to be as wanted"
	case record.Digest != wanted.Digest():
		action.Why = "release " + seen.Wish.Release
	case record.UID != live.UID:
		action.Why, action.Drift = "put back", "somebody removed it and made it anew"
	case record.Fields != live.Fields || len(live.Foreign) > 0:
		action.Why, action.Drift = "put back", driftOf(live)
	default:
		return
	}
	if len(live.Foreign) > 0 && action.Drift == "" {
		action.Drift = driftOf(live)
	}
	if action.Drift != "" && seen.PutBack[wanted.Identity] {
		decision.wait("somebody keeps changing %s: %s; it is put back again in a moment", wanted.Identity, action.Drift)
		return
	}
	if action.Drift != "" {
		decision.say("%s was changed by somebody else: %s", wanted.Identity, action.Drift)
	}
	if action.Lowers && !markVictims(seen, wanted, decision) {
		return // lower the count once the marks are seen to be there
	}
	decision.Actions = append(decision.Actions, action)
}

func driftOf(live Live) string {
	if len(live.Foreign) == 0 {
		return "fields that Fairway set are no longer its own"
	}
	return fmt.Sprintf("%v", live.Foreign)
}

func toCreate(wanted Wanted, inventory Inventory) Action {
	action := Action{Verb: Create, Object: wanted.Identity, Wanted: &wanted}
	if record := inventory.Objects[wanted.Identity]; record.UID != "" {
		action.Drift = "somebody removed it"
	}
	return action
}

// lowers says whether applying the workload takes instances away.
func lowers(seen Seen, wanted Wanted) bool {
	if !wanted.counted() || wanted.leavesReplicas() {
		return false
	}
	return seen.Inventory.Objects[wanted.Identity].Replicas > wanted.Workload.Replicas
}

// victimCost marks a pod that is to go first. ReplicaSets remove the lowest cost
// first, where other things (readiness) are equal.
const victimCost = "-1000"

// markVictims chooses which instances go and marks them, and says whether the
// marks are all there. A StatefulSet always removes its highest numbers; where all
// go there is nothing to choose.
func markVictims(seen Seen, wanted Wanted, decision *Decision) bool {
	if wanted.Workload.Kind != "Deployment" || wanted.Workload.Replicas == 0 {
		return true
	}
	marked := true
	for _, pod := range Victims(seated(seen, wanted)) {
		decision.say("%s goes, from seat %q", pod.Name, pod.Seat)
		if pod.Cost == victimCost {
			continue
		}
		marked = false
		decision.Actions = append(decision.Actions, Action{
			Verb: Annotate, Object: podIdentity(seen.Wish, pod), UID: pod.UID,
			Set: map[string]string{annotationCost: victimCost}, Why: fmt.Sprintf("seat %q goes", pod.Seat),
		})
	}
	if !marked {
		decision.wait("the instances of %s that are to go are being marked", wanted.Identity)
	}
	return marked
}

// clearMarks takes the mark off pods that stayed.
func clearMarks(seen Seen, wanted Wanted, decision *Decision) {
	workload := seated(seen, wanted)
	if wanted.Workload.Kind != "Deployment" || lowers(seen, wanted) || len(Victims(workload)) > 0 {
		return
	}
	for _, pod := range workload.Pods {
		if pod.Cost != victimCost || pod.Leaving {
			continue
		}
		decision.say("%s was to go and stayed: another instance of %s went", pod.Name, wanted.Identity)
		decision.Actions = append(decision.Actions, Action{
			Verb: Annotate, Object: podIdentity(seen.Wish, pod), UID: pod.UID,
			Set: map[string]string{annotationCost: ""}, Why: "it stays",
		})
	}
}

// prune removes what the inventory names and the wish does not. It follows a
// complete list; workloads go before what their pods use; volume claims stay.
func prune(seen Seen, decision *Decision) {
	unwanted := Unwanted(seen.Wish, seen.Inventory)
	if len(unwanted) == 0 {
		return
	}
	if !seen.Listed {
		decision.wait("nothing is removed: %s", orElse(seen.ListProblem, "the cluster has not listed what it holds"))
		return
	}
	workloadsGone := true
	for _, id := range unwanted {
		if seen.ours(id) && id.isWorkload() {
			workloadsGone = false
		}
	}
	for _, id := range unwanted {
		switch {
		case id.isWorkload() || workloadsGone:
			remove(seen, id, decision)
		default:
			decision.wait("%s goes once the workloads that use it are gone", id)
		}
	}
}

// remove deletes one unwanted object, or strikes it off the inventory if it is gone
// or somebody else's by now.
func remove(seen Seen, id Identity, decision *Decision) {
	live, found := seen.Live[id]
	switch {
	case !found:
		delete(decision.Inventory.Objects, id)
		decision.say("%s is gone", id)
	case !seen.ours(id):
		delete(decision.Inventory.Objects, id)
		decision.say("%s belongs to somebody else now and is left alone", id)
	case live.Deleting:
		decision.wait("%s is being removed", id)
	default:
		decision.Actions = append(decision.Actions, Action{
			Verb: Delete, Object: id, UID: live.UID, ResourceVersion: live.ResourceVersion,
			Lowers: id.isWorkload(), Why: "release " + seen.Wish.Release + " no longer has it",
		})
		decision.wait("%s is being removed", id)
	}
}

func changesObjects(actions []Action) bool {
	return slices.ContainsFunc(actions, func(a Action) bool { return a.Verb == Create || a.Verb == Apply })
}

func inventoryOf(wish Wish) Identity {
	return Identity{Kind: "ConfigMap", Namespace: wish.Namespace, Name: InventoryName}
}

func podIdentity(wish Wish, pod Pod) Identity {
	return Identity{Kind: "Pod", Namespace: wish.Namespace, Name: pod.Name}
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// present lists the identities out of ids that exist and are Fairway's, sorted.
func present(seen Seen, filter func(Identity) bool) []Identity {
	var found []Identity
	for _, id := range slices.SortedFunc(maps.Keys(seen.Inventory.Objects), compareIdentities) {
		if seen.ours(id) && filter(id) {
			found = append(found, id)
		}
	}
	return found
}
