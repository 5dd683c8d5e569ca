// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package audit

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recorder tells what it was asked, and is away where told so.
type recorder struct {
	away bool
	told []string
}

var errFull = errors.New("the disk is full")

func (r *recorder) Intent(ctx context.Context, act Act) (string, error) {
	r.told = append(r.told, fmt.Sprintf("intent %s, way back %v", act.Verb, IsWayBack(ctx)))
	if r.away {
		return "", errFull
	}
	return "7", nil
}

func (r *recorder) Outcome(_ context.Context, id string, o Outcome) error {
	r.told = append(r.told, fmt.Sprintf("outcome of %s %s %s", id, o.Result, o.Message))
	return nil
}

// spooler is a recorder that can keep records elsewhere.
type spooler struct{ *recorder }

func (s spooler) Spool(_ context.Context, act Act) (string, error) {
	s.told = append(s.told, "spooled "+act.Verb)
	return "spool/1", nil
}

func TestDo(t *testing.T) {
	broken := errors.New("no such object")
	cases := map[string]struct {
		reason    string
		away      bool
		spool     bool
		when      WhenAway
		act       error
		want      []string
		happens   bool
		wantError error
	}{
		"Done":         {"intent, act, outcome", false, true, FailClosed, nil, []string{"intent a.b, way back false", "act", "outcome of 7 Done "}, true, nil},
		"Failed":       {"the act's own error comes back", false, true, FailClosed, broken, []string{"intent a.b, way back false", "act", "outcome of 7 Failed no such object"}, true, broken},
		"Closed":       {"what cannot be recorded does not happen", true, true, FailClosed, nil, []string{"intent a.b, way back false"}, false, ErrAway},
		"Spooled":      {"the way back is recorded elsewhere", true, true, FailOpen, nil, []string{"intent a.b, way back true", "spooled a.b", "act", "outcome of spool/1 Done "}, true, nil},
		"NoSpool":      {"or not at all, and happens", true, false, FailOpen, nil, []string{"intent a.b, way back true", "act"}, true, nil},
		"WayBackThere": {"a log that is there needs no spool", false, true, FailOpen, nil, []string{"intent a.b, way back true", "act", "outcome of 7 Done "}, true, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := &recorder{away: tc.away}
			var to Recorder = r
			if tc.spool {
				to = spooler{r}
			}
			happened := false
			err := Do(context.Background(), to, tc.when, Act{Verb: "a.b"}, func(context.Context) error {
				happened = true
				r.told = append(r.told, "act")
				return tc.act
			})
			if !errors.Is(err, tc.wantError) || (err == nil) != (tc.wantError == nil) {
				t.Errorf("%s: %v, want %v", tc.reason, err, tc.wantError)
			}
			if happened != tc.happens {
				t.Errorf("%s: happened is %v", tc.reason, happened)
			}
			if diff := cmp.Diff(tc.want, r.told); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
