// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package window_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval/window"
)

// Whatever a calendar holds, the answer comes, is closed where it cannot be read,
// and is the same once more.
func FuzzCalendar(f *testing.F) {
	f.Add("Asia/Shanghai", "22:00", "06:00", "30 1 * * 6", int32(60), "2026-02-15", "2026-02-23", "12-25", "01-03", int32(2), int64(1_770_000_000))
	f.Add("Local", "24:00", "24:00", "TZ=UTC 0 0 * * *", int32(-1), "2026-02-30", "0000-00-00", "02-29", "13-01", int32(40), int64(-1))
	f.Add("../../etc/passwd", "", "9:00", "@every 1s", int32(10080), "9999-12-31", "0001-01-01", "", "1-1", int32(0), int64(1<<40))
	f.Fuzz(func(t *testing.T, zone, from, to, cron string, minutes int32, day, last, yearFrom, yearTo string, n int32, unix int64) {
		at := time.Unix(unix%(1<<36), 0)
		spec := &approvalv1.ChangeCalendarSpec{
			TimeZone: zone,
			Windows: []approvalv1.ChangeWindow{
				{Name: "t", From: approvalv1.TimeOfDay(from), To: approvalv1.TimeOfDay(to)}, {Name: "c", Cron: cron, Minutes: minutes},
			},
			Closed: []approvalv1.ClosedPeriod{
				{Name: "b", Batch: &approvalv1.DailyBatch{From: approvalv1.TimeOfDay(to), To: approvalv1.TimeOfDay(from)}},
				{Name: "y", YearEnd: &approvalv1.YearlyRange{From: approvalv1.DayOfYear(yearFrom), To: approvalv1.DayOfYear(yearTo)}},
				{Name: "m", MonthEnd: &approvalv1.PeriodEnd{Last: n, First: n, Count: approvalv1.CountWorkingDays}},
			},
			Holidays:   []approvalv1.Holiday{{Name: "h", From: approvalv1.Date(day), To: approvalv1.Date(last)}},
			KnownUntil: approvalv1.Date(last),
		}
		freezes := []approvalv1.Freeze{{Spec: approvalv1.FreezeSpec{From: metav1.NewTime(at.Add(time.Duration(n) * time.Hour)), Reason: zone}}}
		got := window.Open([]window.Calendar{{Name: "x", Spec: spec}}, freezes, window.Scope{}, at)
		if window.Check(spec) != nil && got.Open {
			t.Fatalf("a calendar that cannot be read is open: %v", got)
		}
		if len(got.Reasons) == 0 || (got.Open && !got.Next.IsZero()) || (!got.Open && !got.Until.IsZero()) {
			t.Fatalf("a decision says why, and only what fits it: %+v", got)
		}
		if !got.Next.IsZero() {
			if then := window.Open([]window.Calendar{{Name: "x", Spec: spec}}, freezes, window.Scope{}, got.Next); !got.Next.After(at) || !then.Open {
				t.Fatalf("next is not later, or not open: %v then %v", got, then)
			}
		}
		if !got.Until.IsZero() {
			if then := window.Open([]window.Calendar{{Name: "x", Spec: spec}}, freezes, window.Scope{}, got.Until); !got.Until.After(at) || then.Open {
				t.Fatalf("until is not later, or still open: %v then %v", got, then)
			}
		}
	})
}
