// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package release decides how what runs moves to a Revision and its Placement
// (发布单, R55, R58, R59). It is pure: Plan gets what was seen and the time, and
// returns the actions that may be taken now, with their reasons. What has been
// done is read from the objects themselves, so that a process killed between
// any two writes goes on where it stopped.
//
// A Release goes through
//
//	claim → place → render and digest → ask the Gate → steps → complete
//
// claim: one Release holds an application at a time (Application.status). It is
// given up when the Release is complete; another Release takes it over only
// from one that was stopped, from one that stalled before its first step, or to
// go back to the revision that the plan itself names as the way back.
//
// The plan (Document) is stored in Release.status.plan as canonical JSON. It
// names every rendering per cluster with its digest; approval covers the plan's
// digest, and steps carry out nothing but the plan.
//
// Steps, in one batch over all clusters as if clusters did not exist:
//
//  1. bring: new workloads stand beside the old ones in full; what grows, grows.
//  2. drain: an old workload goes to no instances once every new one of the same
//     component and DCN is ready; what shrinks, shrinks. Workloads of a component
//     that is no longer there go once everything new in their DCN is ready.
//  3. clear: what is empty leaves the Delivery; shared objects that only old
//     instances needed go with it. A cluster that keeps nothing is retired.
//
// Components with identity change in their place, one instance after another.
// Jobs and crons are the other way round: the old one is gone everywhere before
// the new one comes, so that none runs twice.
//
// A workload whose template, cell and host list do not change keeps its
// rendering to the byte: a change to another component, other counts or another
// version of Fairway restart nothing.
//
// A member that is away holds back only what depends on it. Stop takes no
// further step and undoes none. Nothing is completed that was not observed.
package release
