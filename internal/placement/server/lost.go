// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"net/http"
	"time"
	"unicode/utf8"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/lost"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// Situation is what is lost, what is proposed, and what is held back.
type Situation struct {
	// At is when it was so.
	At time.Time `json:"at"`
	// Places that are away.
	Places []Away `json:"places"`
	// Proposals that no Release uses.
	Proposals []Proposed `json:"proposals"`
	// Unplaced are applications that lost instances for which there is no place.
	Unplaced []NoPlace `json:"unplaced"`
	// Held is what does not happen by itself, and why.
	Held []HeldBack `json:"held"`
	// Left could not be looked at.
	Left []string `json:"left"`
}

// Away is a place that is away.
type Away struct {
	Environment string               `json:"environment"`
	Kind        placementv1.LostKind `json:"kind"`
	Name        string               `json:"name"`
	Since       time.Time            `json:"since"`
	// LostFrom is when it counts as lost, State is Away or Lost.
	LostFrom time.Time `json:"lostFrom"`
	State    string    `json:"state"`
	// Times that it went away lately.
	Times int `json:"times"`
}

// Proposed is a proposal.
type Proposed struct {
	Application string `json:"application"`
	Placement   string `json:"placement"`
	Cause       string `json:"cause"`
	Why         string `json:"why"`
	// Check lists what a person makes sure of first.
	Check []string `json:"check"`
}

// NoPlace is an application that lost instances for which there is no place.
type NoPlace struct {
	Application string `json:"application"`
	// Instances that find no place.
	Instances int    `json:"instances"`
	Why       string `json:"why"`
}

// HeldBack is what does not happen by itself.
type HeldBack struct {
	Environment string `json:"environment"`
	Application string `json:"application,omitempty"`
	Guard       string `json:"guard"`
	Why         string `json:"why"`
}

func (d *Desk) lostRoutes() []httpapi.Route {
	describe := func(r *http.Request) (httpapi.Act, error) {
		act := httpapi.Act{Subject: "Brake/" + r.PathValue("name")}
		var s said
		if httpapi.Strict(r, &s) == nil && utf8.RuneCountInString(s.Reason) <= mostReason {
			act.Reason = s.Reason // what cannot be read is refused later, and the attempt is on record
		}
		return act, nil
	}
	return []httpapi.Route{
		{Method: http.MethodGet, Pattern: "/api/v1/placement/lost", Room: "placement", Verb: "lost", Effect: httpapi.Reads, Handler: d.lost,
			Doc: httpapi.Doc{Summary: "Says which racks, clusters and data centres are away, what is proposed, what finds no place, and what is held back and why.", Response: "placement.Situation"}},
		{Method: http.MethodPost, Pattern: "/api/v1/placement/brakes/{name}/set", Room: "placement", Kind: "Brake", Verb: "set", Effect: httpapi.Writes, WayBack: true, BodyLimit: bodyLimit,
			Describe: describe, Handler: d.setBrake,
			Doc: httpapi.Doc{Summary: "Stops automation: from the answer on Fairway starts nothing by itself after a loss, and what it started takes no further step. Never refused because evidence or gate is away; while the hub is, the brake is kept (202) and written before automation does anything.", Request: "placement.BrakeSet", Response: "placement.Brake"}},
		{Method: http.MethodPost, Pattern: "/api/v1/placement/brakes/{name}/release", Room: "placement", Kind: "Brake", Verb: "release", Effect: httpapi.Writes, BodyLimit: bodyLimit,
			Describe: describe, Handler: d.releaseBrake,
			Doc: httpapi.Doc{Summary: "Releases a brake. What automation had started stays stopped until a person resumes it.", Request: "placement.BrakeRelease", Response: "placement.Brake"}},
	}
}

func (d *Desk) lost(w http.ResponseWriter, r *http.Request) error {
	if err := d.admitted(r); err != nil {
		return err
	}
	now := d.Clock.Now()
	world, err := observed.Read(r.Context(), d.Hub, d.Direct)
	if err != nil {
		return unavailable(err)
	}
	seen, left, err := world.Lost(r.Context(), d.Hub, d.Direct, now)
	if err != nil {
		return unavailable(err)
	}
	return httpapi.WriteJSON(w, http.StatusOK, situation(seen, lost.Decide(seen, now), left, now))
}

func situation(seen lost.Seen, decided lost.Decision, left []string, now time.Time) Situation {
	out := Situation{At: now.UTC(), Places: []Away{}, Proposals: []Proposed{}, Unplaced: []NoPlace{}, Held: []HeldBack{}, Left: append([]string{}, left...)}
	for _, l := range decided.Losses {
		state := "Away"
		if l.Lost {
			state = "Lost"
		}
		out.Places = append(out.Places, Away{Environment: l.Environment, Kind: l.Kind, Name: l.Name, Since: l.Since, LostFrom: l.Due, State: state, Times: l.Times})
	}
	for _, p := range seen.Proposals {
		out.Proposals = append(out.Proposals, Proposed{Application: p.Application, Placement: p.Name, Cause: string(p.Cause.Kind), Why: lost.Told(p.Cause), Check: append([]string{}, p.Cause.Check...)})
	}
	for _, u := range decided.Unplaced {
		out.Unplaced = append(out.Unplaced, NoPlace{Application: u.Application, Instances: u.Instances, Why: u.String()})
	}
	for _, h := range decided.Held {
		out.Held = append(out.Held, HeldBack{Environment: h.Environment, Application: h.Application, Guard: string(h.Guard), Why: h.Why})
	}
	return out
}

// lostSchemas describe what these routes take and answer.
func lostSchemas() map[string]any {
	text := func(description string) map[string]any {
		return map[string]any{"type": "string", "description": description}
	}
	list := func(of map[string]any) map[string]any { return map[string]any{"type": "array", "items": of} }
	object := func(required []any, properties map[string]any) map[string]any {
		return map[string]any{"type": "object", "required": required, "properties": properties}
	}
	reason := text("Why, at most 512 characters.")
	return map[string]any{
		"placement.BrakeSet":     object([]any{"reason"}, map[string]any{"reason": reason, "environments": list(text("Environment in which automation stops. Left out: all."))}),
		"placement.BrakeRelease": object([]any{"reason"}, map[string]any{"reason": reason}),
		"placement.Situation": object([]any{"at", "places", "proposals", "unplaced", "held", "left"}, map[string]any{
			"at": map[string]any{"type": "string", "format": "date-time", "description": "When it was so."},
			"places": list(object([]any{"environment", "kind", "name", "since", "lostFrom", "state", "times"}, map[string]any{
				"environment": text("Environment."), "kind": text("Rack, Cluster or DataCenter."), "name": text("Its name; a rack's is <data centre>/<rack>."),
				"since": map[string]any{"type": "string", "format": "date-time", "description": "Since when it is away."}, "lostFrom": map[string]any{"type": "string", "format": "date-time", "description": "When it counts as lost."},
				"state": text("Away or Lost."), "times": map[string]any{"type": "integer", "description": "How often it went away lately."},
			})),
			"proposals": list(object([]any{"application", "placement", "cause", "why", "check"}, map[string]any{
				"application": text("<namespace>/<name>."), "placement": text("Placement to start a Release with."), "cause": text("Lost, Recovered or NoRoom."), "why": text("In a line."), "check": list(text("What a person makes sure of first.")),
			})),
			"unplaced": list(object([]any{"application", "instances", "why"}, map[string]any{
				"application": text("<namespace>/<name>."), "instances": map[string]any{"type": "integer", "description": "How many find no place."}, "why": text("What is lost, what lacks, and what to do."),
			})),
			"held": list(object([]any{"environment", "guard", "why"}, map[string]any{
				"environment": text("Environment."), "application": text("Application. Left out: all of the environment."), "guard": text("What holds it."), "why": text("In a sentence."),
			})),
			"left": list(text("What could not be looked at.")),
		}),
	}
}
