// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package window_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval/window"
)

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func nights(zone string) *approvalv1.ChangeCalendarSpec {
	return &approvalv1.ChangeCalendarSpec{TimeZone: zone, Windows: []approvalv1.ChangeWindow{{Name: "nights", From: "22:00", To: "06:00"}}}
}

func freeze(t *testing.T, name, from, to, ended string, scope approvalv1.FreezeScope) approvalv1.Freeze {
	t.Helper()
	f := approvalv1.Freeze{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: approvalv1.FreezeSpec{
		Kind: "Batch", From: metav1.NewTime(moment(t, from)), Reason: "end of day", Scope: scope,
	}}
	for text, field := range map[string]**metav1.Time{to: &f.Spec.To, ended: &f.Spec.Ended} {
		if text != "" {
			at := metav1.NewTime(moment(t, text))
			*field = &at
		}
	}
	return f
}

func TestOpen(t *testing.T) {
	const at = "2026-03-10T15:00:00Z" // 23:00 in Shanghai
	tests := map[string]struct {
		reason    string
		calendars []window.Calendar
		freezes   []approvalv1.Freeze
		scope     window.Scope
		at        string
		open      bool
		says      string
		next      string
		until     string
	}{
		"Nothing":        {reason: "nothing closes", at: at, open: true, says: "no calendar and no freeze holds"},
		"InWindow":       {reason: "the window crosses midnight", calendars: []window.Calendar{{"n", nights("Asia/Shanghai")}}, at: at, open: true, until: "2026-03-10T22:00:00Z"},
		"FirstInstant":   {reason: "a window includes its beginning", calendars: []window.Calendar{{"n", nights("Asia/Shanghai")}}, at: "2026-03-10T14:00:00Z", open: true, until: "2026-03-10T22:00:00Z"},
		"LastInstant":    {reason: "and not its end", calendars: []window.Calendar{{"n", nights("Asia/Shanghai")}}, at: "2026-03-10T22:00:00Z", says: "no change window", next: "2026-03-11T14:00:00Z"},
		"BeforeTheEnd":   {reason: "to the nanosecond", calendars: []window.Calendar{{"n", nights("Asia/Shanghai")}}, at: "2026-03-10T21:59:59.999999999Z", open: true, until: "2026-03-10T22:00:00Z"},
		"AllHold":        {reason: "two calendars hold together", calendars: []window.Calendar{{"a", nights("Asia/Shanghai")}, {"b", nights("Europe/Berlin")}}, at: at, says: `calendar "b" has no change window now`, next: "2026-03-10T21:00:00Z"},
		"Missing":        {reason: "a calendar that is not there is closed", calendars: []window.Calendar{{"gone", nil}}, at: at, says: `calendar "gone" is closed: there is no calendar of that name`},
		"MissingAmong":   {reason: "also beside one that is open", calendars: []window.Calendar{{"n", nights("Asia/Shanghai")}, {"gone", nil}}, at: at, says: `calendar "gone" is closed`},
		"NoZone":         {reason: "a zone that nobody knows", calendars: []window.Calendar{{"n", nights("Asia/Atlantis")}}, at: at, says: `could not find the time zone "Asia/Atlantis"`},
		"LocalZone":      {reason: "the machine's own zone is none", calendars: []window.Calendar{{"n", nights("Local")}}, at: at, says: `could not find the time zone "Local"`},
		"EmptyZone":      {reason: "nor is an empty one", calendars: []window.Calendar{{"n", nights("")}}, at: at, says: "could not find the time zone"},
		"BadWindow":      {reason: "one window that cannot be read closes all", calendars: []window.Calendar{{"n", &approvalv1.ChangeCalendarSpec{TimeZone: "UTC", Windows: []approvalv1.ChangeWindow{{Name: "w", From: "00:00", To: "24:00"}, {Name: "x", From: "25:00", To: "26:00"}}}}}, at: at, says: `window "x": could not read the time "25:00"`},
		"BadPeriod":      {reason: "a closed period that says nothing", calendars: []window.Calendar{{"n", &approvalv1.ChangeCalendarSpec{TimeZone: "UTC", Closed: []approvalv1.ClosedPeriod{{Name: "x"}}}}}, at: at, says: `closed period "x": it is none of`},
		"Never":          {reason: "what never opens has no next", calendars: []window.Calendar{{"n", &approvalv1.ChangeCalendarSpec{TimeZone: "UTC", Windows: []approvalv1.ChangeWindow{{Name: "w", Cron: "0 0 30 2 *", Minutes: 60}}}}}, at: at, says: "no change window"},
		"LeapDay":        {reason: "the next 29th of February", calendars: []window.Calendar{{"n", &approvalv1.ChangeCalendarSpec{TimeZone: "UTC", Windows: []approvalv1.ChangeWindow{{Name: "w", Cron: "0 1 29 2 *", Minutes: 60}}}}}, at: "2027-12-01T00:00:00Z", says: "no change window", next: "2028-02-29T01:00:00Z"},
		"TooOften":       {reason: "a window each minute is a mistake", calendars: []window.Calendar{{"n", &approvalv1.ChangeCalendarSpec{TimeZone: "UTC", Windows: []approvalv1.ChangeWindow{{Name: "w", Cron: "* * * * *", Minutes: 1}}}}}, at: at, says: "opens 1440 windows a day, at most 24"},
		"Batch":          {reason: "a running batch blocks", freezes: []approvalv1.Freeze{freeze(t, "eod", "2026-03-10T14:00:00Z", "", "", approvalv1.FreezeScope{})}, at: at, says: `the running batch "eod" holds until it is ended: end of day`},
		"BatchEnded":     {reason: "until it has ended", freezes: []approvalv1.Freeze{freeze(t, "eod", "2026-03-10T14:00:00Z", "", at, approvalv1.FreezeScope{})}, at: at, open: true, says: "no calendar and no freeze holds"},
		"Bounded":        {reason: "a freeze with an end says when", freezes: []approvalv1.Freeze{freeze(t, "f", "2026-03-10T14:00:00Z", "2026-03-12T00:00:00Z", "", approvalv1.FreezeScope{})}, at: at, says: "holds until 2026-03-12 00:00 UTC", next: "2026-03-12T00:00:00Z"},
		"EndedEarly":     {reason: "ended before its time", freezes: []approvalv1.Freeze{freeze(t, "f", "2026-03-10T14:00:00Z", "2026-03-12T00:00:00Z", "2026-03-10T14:30:00Z", approvalv1.FreezeScope{})}, at: at, open: true},
		"EndedLate":      {reason: "an end after the end lengthens nothing", freezes: []approvalv1.Freeze{freeze(t, "f", "2026-03-10T10:00:00Z", "2026-03-10T14:00:00Z", "2026-03-12T00:00:00Z", approvalv1.FreezeScope{})}, at: at, open: true},
		"Planned":        {reason: "a freeze to come closes what is open", freezes: []approvalv1.Freeze{freeze(t, "f", "2026-03-10T16:00:00Z", "", "", approvalv1.FreezeScope{})}, at: at, open: true, until: "2026-03-10T16:00:00Z"},
		"FreezeInWindow": {reason: "the window counts after the freeze", calendars: []window.Calendar{{"n", nights("Asia/Shanghai")}}, freezes: []approvalv1.Freeze{freeze(t, "f", "2026-03-10T14:00:00Z", "2026-03-11T02:00:00Z", "", approvalv1.FreezeScope{})}, at: at, says: "2026-03-11 10:00 Asia/Shanghai", next: "2026-03-11T14:00:00Z"},
		"OtherTenant": {reason: "a freeze of another tenant", freezes: []approvalv1.Freeze{freeze(t, "f", "2026-03-10T14:00:00Z", "", "", approvalv1.FreezeScope{Tenants: []string{"cards"}})},
			scope: window.Scope{Environment: "prod", Tenant: "retail", Application: "pay"}, at: at, open: true},
		"ThisTenant": {reason: "of this one among others", freezes: []approvalv1.Freeze{freeze(t, "f", "2026-03-10T14:00:00Z", "", "", approvalv1.FreezeScope{Tenants: []string{"cards", "retail"}})},
			scope: window.Scope{Environment: "prod", Tenant: "retail", Application: "pay"}, at: at, says: `"f" holds`},
		"OtherEnvironment": {reason: "all lists have to name it", freezes: []approvalv1.Freeze{freeze(t, "f", "2026-03-10T14:00:00Z", "", "", approvalv1.FreezeScope{Tenants: []string{"retail"}, Environments: []string{"uat"}})},
			scope: window.Scope{Environment: "prod", Tenant: "retail", Application: "pay"}, at: at, open: true},
		"OpenScope": {reason: "an act on a whole environment touches every tenant", freezes: []approvalv1.Freeze{freeze(t, "f", "2026-03-10T14:00:00Z", "", "", approvalv1.FreezeScope{Tenants: []string{"cards"}})},
			scope: window.Scope{Environment: "prod"}, at: at, says: `"f" holds`},
		"SpringForward": {reason: "02:30 is skipped: the window opens when clocks jump", calendars: []window.Calendar{{"n", &approvalv1.ChangeCalendarSpec{TimeZone: "Europe/Berlin", Windows: []approvalv1.ChangeWindow{{Name: "w", From: "02:30", To: "04:00"}}}}},
			at: "2026-03-29T00:59:00Z", says: "no change window", next: "2026-03-29T01:00:00Z"},
		"FallBack": {reason: "02:30 comes twice: the window ends at the first", calendars: []window.Calendar{{"n", &approvalv1.ChangeCalendarSpec{TimeZone: "Europe/Berlin", Windows: []approvalv1.ChangeWindow{{Name: "w", From: "01:00", To: "02:30"}}}}},
			at: "2026-10-25T00:10:00Z", open: true, until: "2026-10-25T00:30:00Z"},
		"BatchFallBack": {reason: "and a batch at the second", calendars: []window.Calendar{{"n", &approvalv1.ChangeCalendarSpec{TimeZone: "Europe/Berlin", Closed: []approvalv1.ClosedPeriod{{Name: "b", Batch: &approvalv1.DailyBatch{From: "01:00", To: "02:30"}}}}}},
			at: "2026-10-25T00:10:00Z", says: `closed for end-of-day batch "b" until 2026-10-25 02:30`, next: "2026-10-25T01:30:00Z"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := window.Open(test.calendars, test.freezes, test.scope, moment(t, test.at))
			if got.Open != test.open || !strings.Contains(got.String(), test.says) || len(got.Reasons) == 0 {
				t.Errorf("%s: got %v", test.reason, got)
			}
			told := func(at time.Time) string {
				if at.IsZero() {
					return ""
				}
				return at.UTC().Format(time.RFC3339)
			}
			if diff := cmp.Diff([2]string{test.next, test.until}, [2]string{told(got.Next), told(got.Until)}); diff != "" {
				t.Errorf("%s: next, until (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func TestNamed(t *testing.T) {
	found := []approvalv1.ChangeCalendar{{ObjectMeta: metav1.ObjectMeta{Name: "b"}}, {ObjectMeta: metav1.ObjectMeta{Name: "a"}}}
	got := window.Named([]string{"a", "gone", "b"}, found)
	if len(got) != 3 || got[0].Spec != &found[1].Spec || got[1].Name != "gone" || got[1].Spec != nil || got[2].Spec != &found[0].Spec {
		t.Errorf("each name with what was found, in the order of the names: %v", got)
	}
}

// A calendar as large as its schema allows is answered fast enough for a gate.
func BenchmarkOpen(b *testing.B) {
	largest := calendar(b, "testdata/bank-2026.yaml")
	largest.KnownUntil = ""
	for len(largest.Windows) < 32 {
		largest.Windows = append(largest.Windows, approvalv1.ChangeWindow{Name: "w", Cron: "0 * * 2 *", Minutes: 1})
	}
	for len(largest.Closed) < 64 {
		largest.Closed = append(largest.Closed, approvalv1.ClosedPeriod{Name: "c", Batch: &approvalv1.DailyBatch{From: "00:00", To: "24:00"}})
	}
	cases := map[string]*approvalv1.ChangeCalendarSpec{"bank": calendar(b, "testdata/bank-2026.yaml"), "worst": largest}
	at := time.Date(2026, 5, 20, 10, 0, 0, 0, time.UTC)
	for name, spec := range cases {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				window.Open([]window.Calendar{{Name: "c", Spec: spec}}, nil, window.Scope{}, at)
			}
		})
	}
}
