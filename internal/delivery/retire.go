// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

// planRetirement takes the application out: workloads first, then, once its pods
// are gone, what they used, claims included, and the namespace last. What release
// did it is remembered outside the namespace, so that a hub set back to an older
// state does not bring the application back.
func planRetirement(seen Seen, decision *Decision) {
	namespace := Identity{Kind: "Namespace", Name: seen.Wish.Namespace}
	home, found := seen.Live[namespace]
	switch {
	case !found:
		decision.say("nothing of the application is in this cluster")
		return
	case !home.Ours:
		decision.say("namespace %q was not made by Fairway and is left alone", seen.Wish.Namespace)
		return
	case home.Deleting:
		decision.wait("%s is being removed", namespace)
		return
	}
	if !seen.Listed {
		decision.wait("nothing is removed: %s", orElse(seen.ListProblem, "the cluster has not listed what it holds"))
		return
	}
	intendRetirement(seen, decision)
	workloads := present(seen, Identity.isWorkload)
	if len(workloads) > 0 {
		for _, id := range workloads {
			remove(seen, id, decision)
		}
		return
	}
	if staying := len(seen.Pods); staying > 0 {
		decision.wait("%d instances are still leaving", staying)
		return
	}
	others := present(seen, func(id Identity) bool { return !id.isNamespace() })
	for _, id := range others {
		remove(seen, id, decision)
	}
	if len(others) > 0 {
		return
	}
	if seen.Retired < seen.Wish.Sequence {
		decision.Actions = append(decision.Actions, Action{
			Verb: Remember, Object: Identity{Kind: "ConfigMap", Namespace: "fairway-system", Name: RetiredName},
			Why: "release " + seen.Wish.Release + " took the application out",
		})
	}
	remove(seen, namespace, decision)
}

// intendRetirement raises the inventory's release number before anything goes.
func intendRetirement(seen Seen, decision *Decision) {
	inventory := &decision.Inventory
	inventory.Release, inventory.Sequence = seen.Wish.Release, seen.Wish.Sequence
	if !inventory.Equal(seen.Inventory) {
		decision.Actions = append(decision.Actions, Action{Verb: WriteInventory, Object: inventoryOf(seen.Wish), Why: "the application goes"})
	}
}
