// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/placement/lost"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/release/kept"
	"github.com/fairway-cloud/fairway/internal/server"
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

// mostReason bounds a reason, in characters.
const mostReason = 512

// said is why somebody sets or releases a brake.
type said struct {
	Reason       string   `json:"reason"`
	Environments []string `json:"environments,omitempty"`
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

// setBrake writes as the person who asks.
func (d *Desk) setBrake(w http.ResponseWriter, r *http.Request) error {
	as, person, s, err := d.braking(r)
	if err != nil {
		return err
	}
	made := &placementv1.Brake{
		ObjectMeta: metav1.ObjectMeta{Name: r.PathValue("name")},
		Spec:       placementv1.BrakeSpec{Environments: slices.Compact(slices.Sorted(slices.Values(s.Environments))), Reason: s.Reason, By: person.ID},
	}
	if err := create(r.Context(), as, made); err != nil {
		if d.Keep != nil && away(err) {
			return d.keepBrake(w, r, person, made)
		}
		return hubSays(err)
	}
	return httpapi.WriteJSON(w, http.StatusCreated, named(made))
}

// brakePatience is how long the hub has to take a brake before it is kept.
const brakePatience = 5 * time.Second

func create(ctx context.Context, as client.Client, made *placementv1.Brake) error {
	ctx, cancel := context.WithTimeout(ctx, brakePatience)
	defer cancel()
	return as.Create(ctx, made)
}

// away says whether the hub could not answer: what it refused, it refused. Whatever fails
// within it (its store has no leader, no space) it answers with 500.
func away(err error) bool {
	var status apierrors.APIStatus
	return !errors.As(err, &status) || status.Status().Code >= http.StatusInternalServerError || apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) || apierrors.IsTooManyRequests(err)
}

// keepBrake keeps a brake until the hub takes it: automation does nothing before.
func (d *Desk) keepBrake(w http.ResponseWriter, r *http.Request, person identity.Person, made *placementv1.Brake) error {
	if err := d.Keep(r.Context(), person, made.Name, kept.Brake{Environments: made.Spec.Environments, Reason: made.Spec.Reason}); err != nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "the hub does not answer, and brake %q could not be kept", made.Name).
			WithNext("Ask again. While the hub does not answer, automation does nothing.").Because(err)
	}
	httpapi.Say(r.Context(), "kept: the hub does not answer; it is written before automation does anything")
	return httpapi.WriteJSON(w, http.StatusAccepted, named(made))
}

// releaseBrake writes as the person who asks.
func (d *Desk) releaseBrake(w http.ResponseWriter, r *http.Request) error {
	as, person, s, err := d.braking(r)
	if err != nil {
		return err
	}
	if len(s.Environments) > 0 {
		return httpapi.NewProblem(httpapi.CodeInvalid, "could not release brake %q in some environments only: it is released as a whole", r.PathValue("name"))
	}
	may, err := d.Authority.May(r.Context(), person, server.Question{Verb: "patch", Group: placementv1.GroupVersion.Group, Resource: "brakes", Name: r.PathValue("name")})
	if err != nil {
		return unavailable(err)
	}
	if !may {
		return httpapi.NewProblem(httpapi.CodeDenied, "could not release brake %q: your roles do not allow it", r.PathValue("name")).WithNext("A system administrator releases it.")
	}
	found := &placementv1.Brake{}
	if err := as.Get(r.Context(), client.ObjectKey{Name: r.PathValue("name")}, found); err != nil {
		return hubSays(err)
	}
	if found.Spec.Released != nil {
		return httpapi.NewProblem(httpapi.CodeConflict, "could not release brake %q: %s released it already", found.Name, found.Spec.Released.By)
	}
	before := found.DeepCopy()
	found.Spec.Released = &placementv1.BrakeRelease{By: person.ID, Reason: s.Reason, At: metav1.NewTime(d.Clock.Now().UTC().Truncate(time.Second))}
	if err := as.Patch(r.Context(), found, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return hubSays(err)
	}
	return httpapi.WriteJSON(w, http.StatusOK, named(found))
}

func named(b *placementv1.Brake) *placementv1.Brake {
	b.SetGroupVersionKind(placementv1.GroupVersion.WithKind("Brake"))
	b.ManagedFields = nil
	return b
}

func (d *Desk) braking(r *http.Request) (as client.Client, person identity.Person, s said, err error) {
	if err := httpapi.Strict(r, &s); err != nil {
		return nil, person, s, err
	}
	if s.Reason == "" || utf8.RuneCountInString(s.Reason) > mostReason {
		return nil, person, s, httpapi.NewProblem(httpapi.CodeInvalid, "could not act on brake %q: say why in at most %d characters (reason)", r.PathValue("name"), mostReason)
	}
	if d == nil || d.As == nil {
		return nil, person, s, httpapi.NewProblem(httpapi.CodeUnavailable, "could not act on brakes now")
	}
	person, _ = identity.FromContext(r.Context())
	as, err = d.As(r.Context())
	return as, person, s, err
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

// hubSays is what the hub answers, as a problem.
func hubSays(err error) error {
	var status apierrors.APIStatus
	switch {
	case apierrors.IsNotFound(err):
		return httpapi.NewProblem(httpapi.CodeNotFound, "could not find the brake").WithNext("See which there are: fairway placement brake list.").Because(err)
	case apierrors.IsAlreadyExists(err):
		return httpapi.NewProblem(httpapi.CodeAlreadyExists, "could not set the brake: one of that name is on record").WithNext("Set it under another name.").Because(err)
	case apierrors.IsConflict(err):
		return httpapi.NewProblem(httpapi.CodeConflict, "could not release the brake: somebody else changed it meanwhile").Because(err)
	case apierrors.IsForbidden(err):
		return httpapi.NewProblem(httpapi.CodeDenied, "could not act on the brake: your roles do not allow it").WithNext("Anybody sets a brake; a system administrator releases it.").Because(err)
	case errors.As(err, &status) && (apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)):
		return httpapi.NewProblem(httpapi.CodeInvalid, "could not act on the brake: %s", status.Status().Message).Because(err)
	}
	return unavailable(err)
}
