// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package mask

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/fairway-cloud/fairway/internal/audit"
)

// Handler masks what a log is told before it is written.
func Handler(next slog.Handler) slog.Handler {
	return handler{asks: next, writes: func() slog.Handler { return next }}
}

// handler masks what is written. Most loggers are made for one look at an object and never
// write: what they are given is masked when they first do.
type handler struct {
	// asks says what is written at all, and writes is who does.
	asks   slog.Handler
	writes func() slog.Handler
}

// Enabled implements slog.Handler.
func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.asks.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	masked := slog.NewRecord(r.Time, r.Level, Text(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		masked.AddAttrs(attribute(a))
		return true
	})
	return h.writes().Handle(ctx, masked)
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attributes []slog.Attr) slog.Handler {
	attributes = slices.Clone(attributes)
	return handler{h.asks, sync.OnceValue(func() slog.Handler {
		masked := make([]slog.Attr, len(attributes))
		for i, a := range attributes {
			masked[i] = attribute(a)
		}
		return h.writes().WithAttrs(masked)
	})}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.asks, sync.OnceValue(func() slog.Handler { return h.writes().WithGroup(name) })}
}

func attribute(a slog.Attr) slog.Attr {
	value := a.Value.Resolve()
	switch value.Kind() {
	case slog.KindString:
		return slog.String(a.Key, Text(value.String()))
	case slog.KindGroup:
		group := value.Group()
		masked := make([]slog.Attr, len(group))
		for i, inner := range group {
			masked[i] = attribute(inner)
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(masked...)}
	case slog.KindAny:
		switch v := value.Any().(type) {
		case nil:
			return a
		case error:
			return slog.String(a.Key, Text(v.Error()))
		case fmt.Stringer:
			return slog.String(a.Key, Text(v.String()))
		case []string:
			masked := make([]string, len(v))
			for i, s := range v {
				masked[i] = Text(s)
			}
			return slog.Any(a.Key, masked)
		}
	}
	return a
}

// Recorder masks records before they reach the log, where nothing can be taken
// out any more. What they are about keeps its name.
func Recorder(next audit.Recorder) audit.Recorder { return recorder{next} }

type recorder struct{ next audit.Recorder }

func masked(act audit.Act) audit.Act {
	subject := act.Subject
	act = Act(act)
	act.Subject = subject
	return act
}

// Intent implements audit.Recorder.
func (r recorder) Intent(ctx context.Context, act audit.Act) (string, error) {
	return r.next.Intent(ctx, masked(act))
}

// Outcome implements audit.Recorder.
func (r recorder) Outcome(ctx context.Context, id string, outcome audit.Outcome) error {
	outcome.Message = Text(outcome.Message)
	return r.next.Outcome(ctx, id, outcome)
}

// Spool implements audit.Spooler where the recorder behind does.
func (r recorder) Spool(ctx context.Context, act audit.Act) (string, error) {
	spooler, ok := r.next.(audit.Spooler)
	if !ok {
		return r.next.Intent(ctx, masked(act))
	}
	return spooler.Spool(ctx, masked(act))
}
