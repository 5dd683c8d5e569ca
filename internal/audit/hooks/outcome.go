// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package hooks

import (
	"context"
	"fmt"
	"time"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/fairway-cloud/fairway/internal/audit"
)

// pending is a write whose outcome is to be read back.
type pending struct {
	target target
	end    audit.Ended
	since  time.Time
}

// giveUp is how long an outcome is tried to be read back.
const giveUp = time.Minute

// await queues a write. Where too many wait, nobody knows what came of it.
func (h *Hook) await(p *pending) {
	select {
	case h.pending <- p:
	default:
		h.finish(context.Background(), p, audit.Outcome{Result: audit.Unknown, Message: "too many writes at once to read each back"})
	}
}

// Run reads outcomes back until ctx ends. What is left then is marked unknown by
// the log's own sweep at the next start.
func (h *Hook) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case p := <-h.pending:
			if !h.settle(ctx, p) {
				return nil
			}
		}
	}
}

// settle waits until the write has settled and records what came of it. Writes
// come in the order of their times, so waiting for one keeps no other waiting.
func (h *Hook) settle(ctx context.Context, p *pending) bool {
	wait := h.config.Settle
	for {
		timer := time.NewTimer(time.Until(p.since.Add(wait)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
		object, err := h.config.Look(ctx, p.target.group, p.target.version, p.target.kind, p.target.namespace, p.target.name)
		if err == nil {
			outcome, err := p.target.outcome(object, p.since)
			if err != nil {
				outcome = audit.Outcome{Result: audit.Unknown, Message: "the object cannot be read"}
			}
			h.finish(ctx, p, outcome)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if time.Since(p.since) > giveUp {
			h.finish(ctx, p, audit.Outcome{Result: audit.Unknown, Message: "the hub does not say what came of it"})
			return true
		}
		wait = 2*wait + time.Since(p.since)
	}
}

func (h *Hook) finish(ctx context.Context, p *pending, outcome audit.Outcome) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := p.end(ctx, outcome); err != nil {
		h.config.Log.Error("the outcome of a write past the server was not recorded; the next start marks it unknown", "subject", subjectOf(p.target), "cause", err.Error())
	}
}

// madeBefore says whether an object was there before a moment, to the second.
func madeBefore(object map[string]any, moment time.Time) bool {
	made, err := time.Parse(time.RFC3339, meta(object, "creationTimestamp"))
	return err == nil && made.Before(moment.Truncate(time.Second))
}

// outcome compares the object as it is with what was to be written at since.
func (t target) outcome(object map[string]any, since time.Time) (audit.Outcome, error) {
	now, err := digest(object)
	if err != nil {
		return audit.Outcome{}, err
	}
	version := "resource version " + meta(object, "resourceVersion")
	same := meta(object, "uid") == t.uid
	switch t.operation {
	case admissionv1.Delete:
		switch {
		case object == nil || !same:
			return audit.Outcome{Result: audit.Done, Message: "it is gone"}, nil
		case meta(object, "deletionTimestamp") != "":
			return audit.Outcome{Result: audit.Done, Message: "it is being deleted"}, nil
		}
		return audit.Outcome{Result: audit.Refused, Message: "it is still there, " + version}, nil
	case admissionv1.Create:
		switch {
		case object == nil:
			return audit.Outcome{Result: audit.Unknown, Message: "it is not there: it was refused, or deleted since"}, nil
		case !same && madeBefore(object, since):
			return audit.Outcome{Result: audit.Refused, Message: "another object of that name was there"}, nil
		case !same:
			return audit.Outcome{Result: audit.Unknown, Message: "another object of that name is there now"}, nil
		}
		return audit.Outcome{Result: audit.Done, Message: version, After: now}, nil
	}
	switch {
	case object == nil || !same:
		return audit.Outcome{Result: audit.Unknown, Message: "it was deleted since"}, nil
	case meta(object, "resourceVersion") == t.resourceVersion && now == t.expected:
		return audit.Outcome{Result: audit.Done, Message: "nothing changed, " + version}, nil
	case meta(object, "resourceVersion") == t.resourceVersion:
		return audit.Outcome{Result: audit.Refused, Message: "it did not change, " + version}, nil
	case now == t.expected:
		return audit.Outcome{Result: audit.Done, Message: version}, nil
	case now == t.before:
		return audit.Outcome{Result: audit.Unknown, Message: fmt.Sprintf("it is as it was before, %s: it was refused, or changed back since", version)}, nil
	}
	return audit.Outcome{Result: audit.Unknown, Message: "it was changed again since, " + version, After: now}, nil
}
