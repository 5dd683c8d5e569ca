// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package retention

import (
	"context"
	"strings"

	"github.com/fairway-cloud/fairway/internal/audit"
)

// ClassOf is the class of an act that names none, by its verb: what is about
// people coming in, about agreement, about Fairway itself, or else about what the
// bank runs.
func ClassOf(verb string) audit.Class {
	room, act, _ := strings.Cut(verb, ".")
	switch {
	case room == "approval":
		return audit.ClassApproval
	case room == "audit", room == "delivery" && act == "logs":
		return audit.ClassSystem
	case room == "identity" && (strings.HasPrefix(act, "log") || strings.HasPrefix(act, "oidc") || strings.HasPrefix(act, "device") || strings.HasPrefix(act, "endSession")):
		return audit.ClassLogin
	}
	return audit.ClassChange
}

// Recorder gives each act that names no class the one of its verb, so that it is
// kept as long as it has to be.
func Recorder(next audit.Recorder) audit.Recorder { return recorder{next} }

type recorder struct{ audit.Recorder }

// Intent implements audit.Recorder.
func (r recorder) Intent(ctx context.Context, act audit.Act) (string, error) {
	return r.Recorder.Intent(ctx, classed(act))
}

// Spool implements audit.Spooler where the recorder behind does.
func (r recorder) Spool(ctx context.Context, act audit.Act) (string, error) {
	spooler, ok := r.Recorder.(audit.Spooler)
	if !ok {
		return r.Recorder.Intent(ctx, classed(act))
	}
	return spooler.Spool(ctx, classed(act))
}

func classed(act audit.Act) audit.Act {
	if act.Class == "" {
		act.Class = ClassOf(act.Verb)
	}
	return act
}
