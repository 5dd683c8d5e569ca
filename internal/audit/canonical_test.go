// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package audit

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// records draws any record that a server could be asked to write.
func records(t *rapid.T) Record {
	text := rapid.OneOf(rapid.Just(""), rapid.String(), rapid.SampledFrom([]string{"a\"b\\", "\x00\x1f\x7f\u2028<&>", "核心", "\xff\xfe", "\u202etxt"}))
	r := Record{
		Source: "server", Sequence: rapid.Int64Range(2, 1<<53).Draw(t, "seq"), Kind: KindIntent,
		Time: time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999999999).Draw(t, "ns")).UTC(),
	}
	if rapid.Bool().Draw(t, "outcome") {
		r.Kind, r.Intent = KindOutcome, rapid.Int64Range(1, r.Sequence-1).Draw(t, "intent")
		r.Outcome = &Outcome{Result: Done, Message: text.Draw(t, "message"), After: text.Draw(t, "after")}
		return r
	}
	r.Act = &Act{
		Verb: text.Draw(t, "verb"), Person: text.Draw(t, "person"), Subject: text.Draw(t, "subject"), Application: text.Draw(t, "application"), Cluster: text.Draw(t, "cluster"),
		Environment: text.Draw(t, "environment"), From: text.Draw(t, "from"), Class: Class(text.Draw(t, "class")), Release: text.Draw(t, "release"),
		Approval: text.Draw(t, "approval"), Verdict: text.Draw(t, "verdict"), Reason: text.Draw(t, "reason"), Ticket: text.Draw(t, "ticket"),
		Before: text.Draw(t, "before"), After: text.Draw(t, "after"), Details: rapid.SliceOfN(text, 0, 4).Draw(t, "details"), Trace: text.Draw(t, "trace"),
	}
	return r
}

// TestCanonicalIsRFC8785 holds the writer made by hand to the general one, which
// is deliberately slow.
func TestCanonicalIsRFC8785(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := records(t).Fitted()
		want, err := canonical.JSON(r)
		if err != nil {
			t.Fatal(err)
		}
		got := r.Canonical()
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Fatalf("the record is written as the general writer does (-want +got):\n%s", diff)
		}
		again, err := ParseRecord(got)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, again); diff != "" {
			t.Fatalf("what is read back is what was written (-want +got):\n%s", diff)
		}
	})
}

// TestEveryFieldIsWritten fills every field there is, so that one that is added and
// forgotten by the writer made by hand shows.
func TestEveryFieldIsWritten(t *testing.T) {
	fill := func(v any) {
		value := reflect.ValueOf(v).Elem()
		for i := range value.NumField() {
			switch field := value.Field(i); field.Kind() {
			case reflect.String:
				field.SetString(strings.Repeat("x", 5000))
			case reflect.Slice:
				field.Set(reflect.ValueOf([]string{"one", "two"}))
			default:
				t.Fatalf("nobody has said how %s is written", value.Type().Field(i).Name)
			}
		}
	}
	act, outcome := &Act{}, &Outcome{}
	fill(act)
	fill(outcome)
	for _, r := range []Record{
		{Source: "server", Sequence: 5, Kind: KindIntent, Act: act},
		{Source: "server", Sequence: 6, Kind: KindOutcome, Intent: 5, Outcome: outcome},
	} {
		want, err := canonical.JSON(r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(r.Canonical())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		fitted, err := canonical.JSON(r.Fitted())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(fitted, strings.Repeat("x", 4100)) {
			t.Error("every text is bounded")
		}
	}
}

func TestParseRecordRefuses(t *testing.T) {
	good := Record{Source: "server", Sequence: 1, Kind: KindIntent, Act: &Act{Verb: "a.b", Person: "p", Subject: "S"}}
	line := string(good.Canonical())
	if _, err := ParseRecord([]byte(line)); err != nil {
		t.Fatalf("the record itself is taken: %v", err)
	}
	cases := map[string]struct{ reason, raw string }{
		"Space":     {"the same value written otherwise", strings.Replace(line, ":", ": ", 1)},
		"Unknown":   {"a field that nobody wrote", strings.Replace(line, `"kind"`, `"extra":1,"kind"`, 1)},
		"Twice":     {"a field that comes twice", strings.Replace(line, `"kind"`, `"kind":"intent","kind"`, 1)},
		"Case":      {"a name in other letters", strings.Replace(line, `"kind"`, `"KIND"`, 1)},
		"Torn":      {"half of it", line[:len(line)/2]},
		"Kind":      {"another kind", strings.Replace(line, `"intent"`, `"other"`, 1)},
		"NoNumber":  {"no number", strings.Replace(line, `"seq":1`, `"seq":0`, 1)},
		"Outcome":   {"an outcome without what an outcome has", strings.Replace(line, `"kind":"intent"`, `"kind":"outcome"`, 1)},
		"NotUTF8":   {"bytes that are no text", strings.Replace(line, `"p"`, "\"\xff\"", 1)},
		"Escaped":   {"a letter written as an escape", strings.Replace(line, `"p"`, `"\u0070"`, 1)},
		"Empty":     {"nothing", ""},
		"Following": {"something behind it", line + line},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseRecord([]byte(tc.raw)); !errors.Is(err, ErrNoRecord) {
				t.Errorf("%s is no record: %v", tc.reason, err)
			}
		})
	}
}

func TestFitted(t *testing.T) {
	long := strings.Repeat("x\x01\"", 40000)
	details := make([]string, 5000)
	for i := range details {
		details[i] = long
	}
	r := Record{Source: "server", Sequence: 1, Kind: KindIntent, Act: &Act{
		Verb: long, Person: long, Subject: long, Application: long, Cluster: long, Environment: long, From: long, Class: Class(long), Release: long, Approval: long,
		Verdict: long, Reason: long, Ticket: long, Before: long, After: long, Trace: long, Details: details,
	}}
	got := r.Fitted()
	if n := len(got.Canonical()); n > MostBytes {
		t.Errorf("the record has %d bytes, more than %d", n, MostBytes)
	}
	if _, err := ParseRecord(got.Canonical()); err != nil {
		t.Errorf("a record that was cut is a record: %v", err)
	}
	if len(details[0]) != len(long) || r.Act.Person != long {
		t.Error("what the caller holds is left as it was")
	}
	short := Record{Source: "server", Sequence: 1, Kind: KindIntent, Act: &Act{Verb: "a", Details: make([]string, 1500)}}.Fitted()
	if n := len(short.Act.Details); n != mostDetails+1 || short.Act.Details[n-1] != "and 500 more" {
		t.Errorf("a long list says what was left out: %d, %q", n, short.Act.Details[n-1])
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add(Record{Source: "server", Sequence: 1, Kind: KindIntent, Act: &Act{Verb: "a.b", Person: "p", Subject: "S"}}.Canonical())
	f.Add(Record{Source: "server", Sequence: 2, Kind: KindOutcome, Intent: 1, Outcome: &Outcome{Result: Done}}.Canonical())
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := ParseRecord(raw)
		if err == nil && string(r.Canonical()) != string(raw) {
			t.Errorf("%q is taken for a record, but its record is %q", raw, r.Canonical())
		}
	})
}
